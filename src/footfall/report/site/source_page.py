"""The payload of a source page: the text, and for each line what ran and what did not, its time and its tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from footfall.analyze.conditions.analysis import ConditionResult
from footfall.analyze.profile.calltree import Times
from footfall.analyze.profile.clocks import Clock, reader
from footfall.analyze.source.definitions import CLASS
from footfall.analyze.source.regions import find_regions
from footfall.load.gather import ReportedFile
from footfall.report.site.overview import numbers_row

__all__ = ["HEAT_CLOCKS", "branches_of_lines", "heat_row", "line_states", "source_payload", "tests_by_line"]

_NS_PER_US = 1000

HEAT_CLOCKS = (Clock.CPU, Clock.WALL, Clock.GIL, Clock.GIL_WAIT)
"""In this order; a profile may lack the last."""


def source_payload(
    file: ReportedFile,
    text: str,
    *,
    heat: Mapping[int, Times],
    sampled_us: Sequence[int],
    conditions: ConditionResult | None,
    lines_by_test: Mapping[str, Iterable[int]],
    test_us: Mapping[tuple[int, str], int],
) -> dict[str, Any]:
    """Return what the viewer shows of one file. Lines count from 1; times in microseconds.

    `sampled_us` is the whole profile's time by those of HEAT_CLOCKS that it has; `test_us` time by line and test.
    """
    tests, sets, set_of_line = tests_by_line(lines_by_test)
    number_of = {name: number for number, name in enumerate(tests)}
    own_of_tests: dict[int, list[list[int]]] = {}
    for (line, name), spent in test_us.items():
        if name in number_of:
            own_of_tests.setdefault(line, []).append([number_of[name], spent])
    return {
        "name": file.name,
        "numbers": numbers_row(file.result.numbers),
        "text": text,
        "states": line_states(file),
        "inferred": sorted(file.inferred),
        "branches": branches_of_lines(file),
        "conditions": _conditions(conditions),
        "heat": {line: heat_row(times, len(sampled_us)) for line, times in heat.items()},
        "sampledUs": list(sampled_us),
        "tests": tests,
        "testSets": sets,
        "testsOf": set_of_line,
        "testUs": own_of_tests,
        "functions": [
            [region.name, region.start, max(region.lines, default=region.start), int(region.kind == CLASS)]
            for region in find_regions(file.analysis)
        ],
    }


def heat_row(times: Times, n_clocks: int) -> list[int]:
    """Return the first clocks' own times in microseconds, then those of the total, then the own samples."""
    clocks = HEAT_CLOCKS[:n_clocks]
    spent = [reader(clock)(cost) // _NS_PER_US for cost in (times.own, times.total) for clock in clocks]
    return [*spent, times.own.samples]


def line_states(file: ReportedFile) -> str:
    """Return one letter for each line: r ran, m missing, p ran with a branch missing, x excluded, . no statement.

    The later lines of a statement have its letter in upper case.
    """
    result, analysis = file.result, file.analysis
    partial = {start for start, _ in result.missing_branches}
    states = ["."] * analysis.n_lines
    for lines, letter in ((result.executed, "r"), (result.missing, "m"), (result.excluded, "x")):
        for line in lines:
            if line <= len(states):
                states[line - 1] = "p" if letter == "r" and line in partial else letter
    for line, first in analysis.first_line.items():
        if line != first and line <= len(states) and first <= len(states) and states[line - 1] == ".":
            states[line - 1] = states[first - 1].upper()
    return "".join(states)


def branches_of_lines(file: ReportedFile) -> dict[int, list[list[Any]]]:
    """Return the branches of each line: [line it leads to (< 0: out of the code), taken, what it would have done]."""
    found: dict[int, list[list[Any]]] = {}
    result, analysis = file.result, file.analysis
    missing_starts = {start for start, _ in result.missing_branches}
    for start, end in result.executed_branches:
        if start in missing_starts or result.branch_stats.get(start, (0, 0))[0] > 1:
            found.setdefault(start, []).append([end, 1, ""])
    for start, end in result.missing_branches:
        if start not in result.missing:
            found.setdefault(start, []).append([end, 0, analysis.missing_arc_description(start, end)])
    return found


def _conditions(result: ConditionResult | None) -> dict[int, list[list[Any]]]:
    """Return the outcomes never seen at each line: [first column, last column, text, the outcome]."""
    found: dict[int, list[list[Any]]] = {}
    for each in result.missing if result is not None else ():
        if each.has_run:
            end = each.end_column if each.end_line == each.line else -1
            found.setdefault(each.line, []).append([each.column, end, each.text, int(each.never)])
    return found


def tests_by_line(lines_by_test: Mapping[str, Iterable[int]]) -> tuple[list[str], list[list[int]], dict[int, int]]:
    """Return the names of the tests, the distinct sets of tests, and by line the number of its set."""
    names = sorted(name for name in lines_by_test if name)
    by_line: dict[int, list[int]] = {}
    for number, name in enumerate(names):
        for line in lines_by_test[name]:
            by_line.setdefault(line, []).append(number)
    numbers: dict[tuple[int, ...], int] = {}
    set_of_line = {line: numbers.setdefault(tuple(tests), len(numbers)) for line, tests in sorted(by_line.items())}
    return names, [list(tests) for tests in numbers], set_of_line
