"""The coverage table of `footfall report`: coverage.py's text report, and a column of time where there is a profile.

Pure: results in, text out. Without a profile it is coverage.py's table, character for character.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from footfall.analyze.results import FileResult, Numbers
from footfall.errors import UsageError

__all__ = ["TableOptions", "human_key", "printable", "render_table"]


@dataclass(frozen=True, slots=True)
class TableOptions:
    """How the table is laid out. `sort` is a column's name, with a leading - for descending."""

    precision: int = 0
    show_missing: bool = False
    skip_covered: bool = False
    skip_empty: bool = False
    sort: str = "name"


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    numbers: Numbers
    missing: str = ""
    time_share: float | None = None
    """Per cent of all samples' time; None where there is no profile."""


def render_table(
    results: Sequence[FileResult],
    options: TableOptions,
    time_shares: Mapping[str, float] | None = None,
) -> str:
    """Return the table. `time_shares` are per cent of the profile's time by a result's path; None without a profile.

    Raises UsageError (`bad-sort`, `bad-precision`).
    """
    has_branches = any(result.has_arcs for result in results)
    rows: list[_Row] = []
    n_covered = n_empty = 0
    for result in results:
        numbers = result.numbers
        if options.skip_covered and not numbers.n_missing and not numbers.n_partial_branches:
            n_covered += 1
        elif options.skip_empty and not numbers.n_statements:
            n_empty += 1
        else:
            share = None if time_shares is None else time_shares.get(result.path, 0.0)
            missing = result.missing_text() if options.show_missing else ""
            rows.append(_Row(printable(result.name), numbers, missing, share))
    rows = _sorted_rows(rows, options.sort, has_branches)
    total = sum((result.numbers for result in results), Numbers())
    total_share = None if time_shares is None else sum(time_shares.get(result.path, 0.0) for result in results)
    lines = _table_lines(rows, _Row("TOTAL", total, "", total_share), options, has_branches)
    if n_covered:
        lines += ["", f"{_plural(n_covered, 'file')} skipped due to complete coverage."]
    if n_empty:
        lines += ["", f"{_plural(n_empty, 'empty file')} skipped."]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _table_lines(rows: list[_Row], total: _Row, options: TableOptions, has_branches: bool) -> list[str]:
    name_width = max(5, *(len(row.name) for row in rows)) + 1 if rows else 6
    all_rows = [*rows, total]
    covers = [row.numbers.pc_covered_str(options.precision) for row in all_rows]
    cover_width = max(len(" Cover") + 1, len(covers[-1]) + 3, *(len(cover) + 2 for cover in covers))

    def line(row: _Row, cover: str) -> str:
        numbers = row.numbers
        cells = [f"{row.name:{name_width}}{numbers.n_statements:>7}{numbers.n_missing:>7}"]
        if has_branches:
            cells.append(f"{numbers.n_branches:>7}{numbers.n_partial_branches:>7}")
        cells.append(f"{cover:>{cover_width - 1}}%")
        if row.time_share is not None:
            cells.append(f"{row.time_share:>7.1f}%")
        if options.show_missing:
            cells.append(f"   {row.missing:9}")
        return "".join(cells)

    header = f"{'Name':{name_width}}{'Stmts':>7}{'Miss':>7}"
    if has_branches:
        header += f"{'Branch':>7}{'BrPart':>7}"
    header += f"{'Cover':>{cover_width}}"
    if total.time_share is not None:
        header += f"{'Time':>8}"
    if options.show_missing:
        header += f"{'Missing':>10}"
    rule = "-" * len(header)
    body = [line(row, cover) for row, cover in zip(rows, covers, strict=False)]
    return [header, rule, *body, *([rule] if rows else []), line(total, covers[-1])]


def _sorted_rows(rows: list[_Row], sort: str, has_branches: bool) -> list[_Row]:
    column = (sort or "name").lower()
    is_descending = column.startswith("-")
    column = column[1:] if column.startswith(("-", "+")) else column
    keys: dict[str, Callable[[_Row], float]] = {
        "stmts": lambda row: row.numbers.n_statements,
        "miss": lambda row: row.numbers.n_missing,
        "cover": lambda row: row.numbers.pc_covered,
        "time": lambda row: row.time_share or 0.0,
    }
    if has_branches:
        keys["branch"] = lambda row: row.numbers.n_branches
        keys["brpart"] = lambda row: row.numbers.n_partial_branches
    if column == "name":
        return sorted(rows, key=lambda row: human_key(row.name), reverse=is_descending)
    if column not in keys:
        raise UsageError("bad-sort", f"Can't sort by {sort!r}.", f"Sort by one of: name, {', '.join(sorted(keys))}.")
    value_of = keys[column]
    return sorted(rows, key=lambda row: (value_of(row), row.name), reverse=is_descending)


def human_key(text: str) -> tuple[list[str | int], str]:
    """Sort "a10" after "a9": numbers in a name count as numbers."""
    parts = re.split(r"(\d+)", text)
    return [int(part) if part.isdecimal() else part for part in parts], text


def printable(text: str) -> str:
    """Make a file name safe for a terminal: control characters in it become question marks."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
