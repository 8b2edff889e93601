"""One profile by test, phase, function, file, line, thread or process: rows with their self and cumulative time.

Pure. `report/profile/timetable.py` shows the rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from footfall.analyze.profile.calltree import (
    Cost,
    Frame,
    Profile,
    Times,
    has_source,
    times_by,
    times_of_files,
    times_of_functions,
    times_of_threads,
)
from footfall.analyze.profile.clocks import sum_of_squares
from footfall.analyze.profile.line_places import LinePlace, Sources, rows_of_lines
from footfall.analyze.profile.phases import TESTS, costs_of_phases
from footfall.analyze.test_costs import find_tests, name_of_test
from footfall.record.run.phase_times import PhaseTime

__all__ = ["VIEWS", "TimeRow", "View", "standard_error", "view_profile"]

Reader = Callable[[Cost], int]
"""Reads nanoseconds of a clock, as `clocks.reader` does, or the number of samples."""
VIEWS: Final = ("test", "phase", "function", "file", "line", "thread", "process")


@dataclass(frozen=True, slots=True)
class TimeRow:
    """One test, function, file, line, thread or process. `path` and `line` are where it is, if it has a place."""

    name: str
    times: Times
    path: str = ""
    line: int = 0
    slowest: tuple[tuple[LinePlace, Cost], ...] = ()
    """A test's slowest lines with their self time, slowest first."""
    sampled: Cost | None = None
    """The sampled cost of a test whose time was measured, which is then in `times`; None if all is sampled."""
    phases: Mapping[str, PhaseTime] = field(default_factory=dict)
    """The measured times of a test's phases."""
    thread: int | None = None
    """A thread's number in the profile."""


@dataclass(frozen=True, slots=True)
class View:
    """All rows, in no particular order, and the total that their shares refer to."""

    rows: list[TimeRow]
    has_calls: bool
    """Whether self and cumulative time differ: for a test, thread or process they do not."""
    total: int
    n_samples: int
    """How many equal samples the shares are based on: samples of threads whose clock stood still do not count, and if
    some came late and represent more than others, all together are worth fewer."""
    left_out: dict[str, Cost] = field(default_factory=dict)
    """Self time that is in the total but in no row, by what it is."""


def standard_error(share: float, n_samples: int) -> float:
    """Return the standard error of a share (0 to 1) from `n_samples` random samples, by the binomial distribution."""
    return math.sqrt(max(share * (1 - share), 0.0) / n_samples) if n_samples > 0 else 0.0


def view_profile(
    profile: Profile,
    by: str,
    clock: Reader,
    sources: Sources,
    test_times: Mapping[str, PhaseTime] | None = None,
    n_slowest: int = 3,
) -> View:
    """Return the rows of the view `by`, one of VIEWS, that have any time or sample.

    `test_times` are the measured times of tests by context. By test, these are the rows' times for measured clocks.

    Shares refer to the time in which Python code ran; by thread and process, to all time. Code without source is in no
    file and on no line, and footfall's own code has no rows: `left_out` says what that took.
    """
    wanted = _Wanted(profile, clock, sources, test_times or {}, n_slowest)
    rows = [row for row in _ROWS[by](wanted) if row.times.total != Cost() or row.sampled is not None]
    has_calls = by in ("function", "file", "line")
    left_out = _left_out(wanted, by) if has_calls else {}
    needs_code = by not in ("thread", "process")
    costs = [cost for (node, _, _), cost in profile.costs.items() if node or not needs_code]
    total = sum(map(clock, costs))
    if any(row.sampled is not None for row in rows):
        total = sum(clock(row.times.total) for row in rows)
    if clock(Cost(samples=1)):  # the samples themselves are counted
        return View(rows, has_calls, total, total, left_out)
    n_samples = round(sum(cost.samples * min(1.0, clock(cost) / (cost.wall_ns or 1)) for cost in costs))
    squares = sum_of_squares(profile, clock)
    if squares:  # Kish, Survey Sampling (1965), 11.7: the effective size of a sample with unequal weights
        n_samples = min(n_samples, round(total * total / squares))
    return View(rows, has_calls, total, n_samples, left_out)


@dataclass(frozen=True, slots=True)
class _Wanted:
    profile: Profile
    clock: Reader
    sources: Sources
    test_times: Mapping[str, PhaseTime]
    n_slowest: int


def _left_out(wanted: _Wanted, by: str) -> dict[str, Cost]:
    """Return the self time of frames without a row, by what they are."""

    def kind(frame: Frame) -> str | None:
        path = frame.function.path
        if wanted.sources.is_footfall(path):
            return "footfall"
        if by != "function" and not has_source(path):
            return path.strip("<>")
        return "no line" if by == "line" and not frame.line else None

    kinds = list(map(kind, wanted.profile.frames))
    times = times_by(wanted.profile, None, kinds) if any(kinds) else {}
    return {name: each.own for name, each in sorted(times.items()) if wanted.clock(each.own)}


def _by_function(wanted: _Wanted) -> list[TimeRow]:
    return [
        TimeRow(function.qualname, times, function.path, function.first_line)
        for function, times in times_of_functions(wanted.profile).items()
        if not wanted.sources.is_footfall(function.path)
    ]


def _by_file(wanted: _Wanted) -> list[TimeRow]:
    times_by_path = times_of_files(wanted.profile)
    is_footfall = wanted.sources.is_footfall
    return [TimeRow(path, times, path) for path, times in times_by_path.items() if not is_footfall(path)]


def _by_line(wanted: _Wanted) -> list[TimeRow]:
    return [
        TimeRow(function.qualname, times, place.path, place.line)
        for place, function, times in rows_of_lines(wanted.profile, wanted.sources, wanted.clock)
    ]


def _by_thread(wanted: _Wanted) -> list[TimeRow]:
    profile = wanted.profile
    return [
        TimeRow(
            f"{thread.name or 'thread'} ({thread.native_id} of process {thread.pid})", Times(cost, cost), thread=number
        )
        for number, (thread, cost) in enumerate(zip(profile.threads, times_of_threads(profile), strict=True))
    ]


def _by_process(wanted: _Wanted) -> list[TimeRow]:
    costs: dict[int, Cost] = {}
    for thread, cost in zip(wanted.profile.threads, times_of_threads(wanted.profile), strict=True):
        costs.setdefault(thread.pid, Cost()).add(cost)
    return [TimeRow(f"process {pid}", Times(cost, cost)) for pid, cost in costs.items()]


def _by_phase(wanted: _Wanted) -> list[TimeRow]:
    """Return a row for each phase, per process if several have phases of tests (pytest-xdist's workers)."""
    costs = costs_of_phases(wanted.profile)
    testing = {pid for phase, pid in costs if phase == TESTS}
    if len(testing) <= 1:
        sums: dict[str, Cost] = {}
        for (phase, _), cost in costs.items():
            sums.setdefault(phase, Cost()).add(cost)
        return [TimeRow(phase, Times(cost, cost)) for phase, cost in sums.items()]
    return [TimeRow(f"{phase} (process {pid})", Times(cost, cost)) for (phase, pid), cost in costs.items()]


def _by_test(wanted: _Wanted) -> list[TimeRow]:
    clock = wanted.clock
    rows = []
    is_read = any(map(clock, (Cost(wall_ns=1), Cost(cpu_ns=1))))
    for test in find_tests({}, wanted.profile, wanted.sources, wanted.test_times):
        ranked = sorted(test.lines.items(), key=lambda item: (-clock(item[1]), item[0]))
        slowest = tuple((place, cost) for place, cost in ranked[: wanted.n_slowest] if clock(cost))
        cost, sampled = test.cost, None
        if test.phases and is_read:
            cost, sampled = replace(cost, cpu_ns=test.cpu_ns, wall_ns=test.wall_ns), cost
        rows.append(TimeRow(test.name, Times(cost, cost), slowest=slowest, sampled=sampled, phases=test.phases))
    outside = Cost()
    for (node, _, label), cost in wanted.profile.costs.items():
        if node and not name_of_test(label):
            outside.add(cost)
    return [*rows, TimeRow("(outside of tests)", Times(outside, outside))]


_ROWS: Final[dict[str, Callable[[_Wanted], list[TimeRow]]]] = {
    "test": _by_test,
    "phase": _by_phase,
    "function": _by_function,
    "file": _by_file,
    "line": _by_line,
    "thread": _by_thread,
    "process": _by_process,
}
