"""Contexts to tests: which lines each test ran, which of them only it ran, and where its time went.

A test's phases are separate contexts ("test_a.py::test_b|setup", "...|run", "...|teardown"); here they are one
test.
A test's time is the measured time if there is one; samples say where inside the test the time went.
Pure. Called by `footfall tests` and the HTML report.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from footfall.analyze.profile.calltree import Cost, Profile
from footfall.analyze.profile.line_places import LinePlace, Sources, line_places
from footfall.record.run.phase_times import PhaseTime

__all__ = ["LinesByTest", "TestRecord", "contexts_of_test", "find_tests", "is_of_pytest", "name_of_test"]

_PHASES = ("|setup", "|run", "|teardown")


def name_of_test(label: str) -> str:
    """Return the test that a context belongs to; "" for none (the empty context)."""
    for phase in _PHASES:
        if label.endswith(phase):
            return label[: -len(phase)]
    return label


def contexts_of_test(name: str) -> str:
    """Return the regular expression that finds a test's contexts, those of its phases and none of another test's."""
    return rf"\A{re.escape(name)}(?:{'|'.join(map(re.escape, _PHASES))})?\Z"


def is_of_pytest(label: str) -> bool:
    """Return whether pytest's plugin set a context: its test's name is then one that pytest takes as an argument."""
    return label.endswith(_PHASES)


LinesByTest = Mapping[str, Mapping[str, Iterable[int]]]
"""By path and context label, the first lines of the statements that ran in it."""


@dataclass(slots=True)
class TestRecord:
    """One test, over all its phases."""

    __test__ = False

    name: str
    n_lines: int = 0
    only: dict[str, list[int]] = field(default_factory=dict)
    """By path, the lines that no other test ran (and that did not run outside tests)."""
    cost: Cost = field(default_factory=Cost)
    lines: dict[LinePlace, Cost] = field(default_factory=dict)
    """Its time by innermost line, as in all tables by line."""
    phases: dict[str, PhaseTime] = field(default_factory=dict)
    """The measured times of its phases ("setup", "run", "teardown"); empty if not measured."""

    @property
    def cpu_ns(self) -> int:
        """Its CPU time: if measured, that of the thread that ran it, else that of all its samples."""
        return sum(phase.cpu_ns for phase in self.phases.values()) if self.phases else self.cost.cpu_ns

    @property
    def wall_ns(self) -> int:
        return sum(phase.wall_ns for phase in self.phases.values()) if self.phases else self.cost.wall_ns

    @property
    def expected_ns(self) -> int:
        """What one run of it takes: the mean, if it ran several times."""
        if not self.phases:
            return self.cost.wall_ns
        return sum(phase.wall_ns // max(phase.n_times, 1) for phase in self.phases.values())

    @property
    def n_only(self) -> int:
        return sum(map(len, self.only.values()))


def find_tests(
    ran: LinesByTest, profile: Profile | None, sources: Sources, measured: Mapping[str, PhaseTime]
) -> list[TestRecord]:
    """Return every test that contexts, samples or `measured` times (by context) name, most CPU time first.

    A line that also ran outside all tests (at import) belongs to no single test.
    """
    tests: dict[str, TestRecord] = {}
    for path, by_label in ran.items():
        by_test: dict[str, set[int]] = {}
        for label, lines in by_label.items():
            by_test.setdefault(name_of_test(label), set()).update(lines)
        owner: dict[int, str | None] = {}
        for name, lines in by_test.items():
            for line in lines:
                owner[line] = None if line in owner else name
            if name:
                _record(tests, name).n_lines += len(lines)
        for line, alone in owner.items():
            if alone:
                _record(tests, alone).only.setdefault(path, []).append(line)
    if profile is not None:
        _add_times(tests, profile, sources)
    for label, time in measured.items():
        name = name_of_test(label)
        if name != label:
            _record(tests, name).phases[label[len(name) + 1 :]] = time
    return sorted(tests.values(), key=lambda test: (-test.cpu_ns, -test.wall_ns, test.name))


def _record(tests: dict[str, TestRecord], name: str) -> TestRecord:
    found = tests.get(name)
    if found is None:
        found = tests[name] = TestRecord(name)
    return found


def _add_times(tests: dict[str, TestRecord], profile: Profile, sources: Sources) -> None:
    names: dict[str, str] = {}
    places = line_places(profile, sources)
    for (node_id, _, label), cost in profile.costs.items():
        name = names.get(label)
        if name is None:
            name = names[label] = name_of_test(label)
        if not name:
            continue
        test = _record(tests, name)
        test.cost.add(cost)
        place = places[profile.nodes[node_id].frame] if node_id else None
        if place is not None:
            test.lines.setdefault(place, Cost()).add(cost)
