"""The payload of the overview page: totals, the table of files, the worst gaps, what changed since the last site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from footfall.analyze.gaps import Gap
from footfall.analyze.results import Numbers
from footfall.load.gather import ReportedFile

__all__ = ["FILE_COLUMNS", "file_rows", "gap_rows", "numbers_row"]

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
