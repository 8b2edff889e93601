"""`footfall tests` as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from footfall.analyze.results import format_lines
from footfall.analyze.test_costs import TestRecord
from footfall.load.gather import Coverage
from footfall.printable import printable
from footfall.report.coverage.json import Json
from footfall.report.places import shown_place

__all__ = ["render_tests", "tests_report"]

_NS_PER_SECOND = 1_000_000_000


def render_tests(tests: Sequence[TestRecord], *, has_times: bool, has_lines: bool) -> str:
    """Return a table: each test's time if there is a profile, its lines and those that only it runs if these are
    recorded, and its slowest line."""
    heads = ["Lines", "Only it"] if has_lines else []
    if has_times:
        heads = ["CPU", "Wall", *heads]
    rows = []
    for test in tests:
        row = [str(test.n_lines), str(test.n_only)] if has_lines else []
        if has_times:
            row = [_seconds(time_ns, is_measured=bool(test.phases)) for time_ns in (test.cpu_ns, test.wall_ns)] + row
        rows.append((row, printable(test.name), _slowest(test)))
    widths = [max(len(head), *(len(row[i]) for row, _, _ in rows)) for i, head in enumerate(heads)]
    found = ["  ".join(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True)) + "  Test"]
    for row, name, slowest in rows:
        cells = "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
        found.append(f"{cells}  {name}{f'  (slowest {slowest})' if slowest else ''}")
    return "".join(line + "\n" for line in found)


def _slowest(test: TestRecord) -> str:
    if not test.lines:
        return ""
    place, _ = max(test.lines.items(), key=lambda item: (item[1].cpu_ns, item[1].wall_ns, item[0]))
    return printable(f"{shown_place(place.path, place.line)} {place.name}".rstrip())


def tests_report(tests: Sequence[TestRecord], coverage: Coverage, *, has_lines: bool) -> Json:
    """Return the tests for machines; times in seconds, lines that only one test runs as ranges by file. Numbers of
    lines are null if lines are not recorded."""
    names = {file.result.path: (file.name, file.result.statements) for file in coverage.files}
    return {
        "format": 1,
        "tests": [
            {
                "name": test.name,
                "cpu_seconds": test.cpu_ns / _NS_PER_SECOND,
                "wall_seconds": test.wall_ns / _NS_PER_SECOND,
                "is_measured": bool(test.phases),
                "phases": {
                    name: {
                        "count": phase.n_times,
                        "cpu_seconds": phase.cpu_ns / _NS_PER_SECOND,
                        "wall_seconds": phase.wall_ns / _NS_PER_SECOND,
                    }
                    for name, phase in sorted(test.phases.items())
                },
                "samples": test.cost.samples,
                "lines": test.n_lines if has_lines else None,
                "only_lines": test.n_only if has_lines else None,
                "only": {
                    names[path][0]: format_lines(names[path][1], set(lines))
                    for path, lines in sorted(test.only.items())
                    if path in names
                },
            }
            for test in tests
        ],
    }


def _seconds(duration_ns: int, *, is_measured: bool) -> str:
    """Return a time with its significant digits: three if it was measured."""
    seconds = duration_ns / _NS_PER_SECOND
    if seconds >= 1:
        return f"{seconds:.2f} s"
    decimals = 0 if not is_measured or seconds >= 0.1 else 1 if seconds >= 0.01 else 2
    return f"{seconds * 1000:.{decimals}f} ms"
