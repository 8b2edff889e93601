"""The payload of the overview page: totals, the table of files, the worst gaps, what changed since the last site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from footfall.analyze.gaps import Gap
from footfall.analyze.profile.calltree import Profile
from footfall.analyze.profile.clocks import Clock, known_clocks
from footfall.analyze.results import Numbers
from footfall.load.gather import ReportedFile
from footfall.report.site.flame_page import thread_title

__all__ = ["FILE_COLUMNS", "file_rows", "gap_rows", "gil_rows", "numbers_row"]

_N_THREADS = 20
_NS_PER_US = 1000

FILE_COLUMNS = (
    "name", "page", "statements", "missing", "excluded", "branches", "partial", "missingBranches",
    "conditions", "missingConditions", "ownUs", "change",
)  # fmt: skip
"""The order of values in a row of `files`; `change` is percentage points, or null."""


def numbers_row(numbers: Numbers) -> dict[str, int]:
    """Return the counts from which the viewer computes percentages."""
    return {
        "statements": numbers.n_statements,
        "missing": numbers.n_missing,
        "excluded": numbers.n_excluded,
        "branches": numbers.n_branches,
        "partial": numbers.n_partial_branches,
        "missingBranches": numbers.n_missing_branches,
    }


def file_rows(
    files: Sequence[ReportedFile],
    pages: Mapping[str, str],
    own_us: Mapping[str, int],
    conditions: Mapping[str, tuple[int, int]],
    before: Mapping[str, float],
) -> list[list[Any]]:
    """Return a row of FILE_COLUMNS for each file.

    `own_us` is time by path, `conditions` (all, missing) outcomes by path, `before` percentages by name.
    """
    rows = []
    for file in files:
        numbers = file.result.numbers
        n_conditions, n_missing = conditions.get(file.result.path, (0, 0))
        was = before.get(file.name)
        rows.append(
            [
                file.name,
                pages[file.result.path],
                numbers.n_statements,
                numbers.n_missing,
                numbers.n_excluded,
                numbers.n_branches,
                numbers.n_partial_branches,
                numbers.n_missing_branches,
                n_conditions,
                n_missing,
                own_us.get(file.result.path, 0),
                None if was is None else round(numbers.pc_covered - was, 4),
            ]
        )
    return rows


def gap_rows(gaps: Iterable[Gap], pages: Mapping[str, str], total_ns: int) -> list[dict[str, Any]]:
    """Return the gaps as the viewer lists them, with shares of `total_ns` from 0 to 1."""
    return [
        {
            "file": gap.file_name,
            "page": pages[gap.path],
            "name": gap.name,
            "line": gap.start,
            "statements": gap.n_statements,
            "missing": gap.n_missing,
            "missingBranches": gap.n_missing_branches,
            "text": gap.missing_text,
            "untestedShare": gap.untested_ns / total_ns if total_ns else 0,
            "ownShare": gap.own_ns / total_ns if total_ns else 0,
        }
        for gap in gaps
    ]


def gil_rows(profile: Profile) -> list[list[Any]]:
    """Return [name, time with the GIL, time waiting for it, wall time] of threads, in microseconds.

    Those that waited or made others wait most come first; there are none if no thread waited, or that is not known.
    """
    spent = [[0, 0, 0] for _ in profile.threads]
    for (_, thread, _), cost in profile.costs.items():
        for at, value in enumerate((cost.gil_ns, cost.gil_wait_ns, cost.wall_ns)):
            spent[thread][at] += value
    if Clock.GIL_WAIT not in known_clocks(profile) or not any(waited for _, waited, _ in spent):
        return []
    titles = map(thread_title, profile.threads)
    ranked = sorted(zip(spent, titles, strict=True), key=lambda each: (-(each[0][0] + each[0][1]), each[1]))
    return [[title, *(value // _NS_PER_US for value in row)] for row, title in ranked[:_N_THREADS]]
