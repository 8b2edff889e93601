"""The payload of the tests page: each test's time, the lines it ran, those that only it ran, its slowest lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from footfall.analyze.results import format_lines
from footfall.analyze.test_costs import TestRecord

__all__ = ["tests_payload"]

_NS_PER_US = 1000
_N_SLOWEST = 5
_N_ONLY_FILES = 20


def tests_payload(
    tests: Sequence[TestRecord],
    *,
    shown: Callable[[str], str],
    pages: Mapping[str, str],
    statements: Mapping[str, frozenset[int]],
) -> dict[str, Any]:
    """Return the table of tests; times in microseconds. `statements` (by path) serve to write lines as ranges."""
    files: dict[str, int] = {}

    def number(path: str) -> int:
        return files.setdefault(path, len(files))

    rows = []
    for test in tests:
        slowest = sorted(test.lines.items(), key=lambda item: (-item[1].cpu_ns, -item[1].wall_ns, item[0]))
        rows.append(
            [
                test.name,
                test.cpu_ns // _NS_PER_US,
                test.wall_ns // _NS_PER_US,
                test.cost.samples,
                test.n_lines,
                test.n_only,
                [
                    [number(at.path), at.line, cost.cpu_ns // _NS_PER_US, cost.wall_ns // _NS_PER_US, at.name]
                    for at, cost in slowest[:_N_SLOWEST]
                ],
                [
                    [number(path), min(lines), format_lines(statements.get(path, lines), set(lines))]
                    for path, lines in sorted(test.only.items())[:_N_ONLY_FILES]
                ],
            ]
        )
    return {"rows": rows, "files": [[shown(path), pages.get(path, "")] for path in files]}
