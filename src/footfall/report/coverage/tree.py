"""The coverage table as a tree: rows of directories, with their totals, above those of their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from footfall.analyze.totals import Numbers
from footfall.report.coverage.table import Outcomes, TableRow, human_key

__all__ = ["tree_rows"]


def tree_rows(rows: Sequence[TableRow], whole: Sequence[TableRow], *, is_indented: bool) -> list[TableRow]:
    """Return the rows to show with those of their directories above them; `whole` are the rows of all files.

    A directory that contains only one other directory has no row of its own.
    """
    below: dict[str, list[TableRow]] = {}
    for row in whole:
        for directory in _directories_of(row.name):
            below.setdefault(directory, []).append(row)
    found: list[TableRow] = []
    done: set[str] = set()
    for row in sorted(rows, key=lambda row: [human_key(part) for part in row.name.split("/")]):
        above = ""
        depth = 0
        directories = _directories_of(row.name)
        for directory, *inner in (directories[k : k + 2] for k in range(len(directories))):
            if inner and len(below[directory]) == len(below[inner[0]]):
                continue
            if directory not in done:
                done.add(directory)
                found.append(_row_of_directory(_shown_in_tree(directory, above, depth, is_indented), below[directory]))
            above = directory
            depth += 1
        found.append(replace(row, name=_shown_in_tree(row.name, above, depth, is_indented)))
    return found


def _directories_of(name: str) -> list[str]:
    """Return the directories that a file is in, outermost first, each with a final slash."""
    return [name[: k + 1] for k, char in enumerate(name) if char == "/" and k]


def _shown_in_tree(name: str, above: str, depth: int, is_indented: bool) -> str:
    return "  " * depth + name.removeprefix(above) if is_indented else name


def _row_of_directory(name: str, rows: Sequence[TableRow]) -> TableRow:
    shares = [row.time_share for row in rows if row.time_share is not None]
    outcomes = [row.outcomes for row in rows if row.outcomes is not None]
    return TableRow(
        name,
        sum((row.numbers for row in rows), Numbers()),
        "",
        sum(shares) if shares else None,
        Outcomes(sum(each.n_seen for each in outcomes), sum(each.n_total for each in outcomes)) if outcomes else None,
    )
