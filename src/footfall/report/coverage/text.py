"""The coverage table of `footfall report`: coverage.py's text report, plus a column of time if there is a profile.

Pure: results in, text out. Without a profile it is coverage.py's table, character for character, in each of its
formats: text, markdown and total. markdown.py lays out the same cells as Markdown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import starmap

from footfall.analyze.results import FileResult
from footfall.analyze.totals import FileNumbers, Numbers, add_up
from footfall.errors import UsageError
from footfall.printable import printable, printable_lines, question_marked
from footfall.report.coverage.markdown import escape_markdown, lay_out_markdown
from footfall.report.coverage.table import PERCENT_COLUMNS, Outcomes, Table, TableRow, human_key
from footfall.report.coverage.tree import tree_rows
from footfall.report.words import plural

__all__ = [
    "FORMATS",
    "PERCENT_COLUMNS",
    "Table",
    "TableOptions",
    "list_below",
    "render_table",
]

FORMATS = ("text", "markdown", "total")

Counted = FileResult | FileNumbers
"""A file that has a row; for the column Missing, unless its texts are given, more than its numbers is needed."""


@dataclass(frozen=True, slots=True)
class TableOptions:
    """How the table is laid out. `sort` is a column's name, with a leading - for descending."""

    format: str = "text"
    precision: int = 0
    show_missing: bool = False
    skip_covered: bool = False
    skip_empty: bool = False
    sort: str = "name"
    is_tree: bool = False
    """Whether rows of directories, with totals, are shown above those of their files, sorted by name."""
    is_wall_time: bool = False
    """Whether shares of time are of wall time because there is no CPU time; a note says so."""


def render_table(
    results: Sequence[Counted],
    options: TableOptions,
    time_shares: Mapping[str, float] | None = None,
    outcomes: Mapping[str, Outcomes] | None = None,
    notes: Sequence[str] = (),
    missing: Mapping[str, str] | None = None,
) -> str:
    """Return the table, with `notes` below it. The mappings are by a result's path. `time_shares` are per cent of the
    profile's time, or None without a profile. `outcomes` add a column of conditions. `missing` has the texts of the
    column Missing for results that are parts of files.

    Raises UsageError (`bad-format`, `bad-sort`, `bad-precision`).
    """
    if options.format not in FORMATS:
        raise UsageError(
            "bad-format", f"Unknown report format choice: {options.format!r}.", f"There are: {', '.join(FORMATS)}."
        )
    if options.format == "total":
        return f"{_add_up(results).pc_covered_str(options.precision)}\n"
    table = _make_table(results, options, time_shares, outcomes, missing)
    if options.format == "markdown":
        lines = lay_out_markdown(table)
    else:
        lines = _lay_out_text(table)
    for note in (*table.notes, *(printable_lines(each) for each in notes)):
        lines += ["", note]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def list_below(title: str, items: Iterable[str], format_: str) -> str:
    """Return a note of several lines; in Markdown they are a list, with Markdown in the items escaped."""
    if format_ == "markdown":
        return "\n".join([title, "", *(f"- {escape_markdown(item)}" for item in items)])
    return "\n".join([title, *items])


def _add_up(results: Sequence[Counted]) -> Numbers:
    return add_up(result.numbers for result in results)


def _make_table(
    results: Sequence[Counted],
    options: TableOptions,
    time_shares: Mapping[str, float] | None,
    outcomes: Mapping[str, Outcomes] | None,
    missing_texts: Mapping[str, str] | None,
) -> Table:
    has_branches = any(result.has_arcs for result in results)
    rows, notes = _rows(results, options, time_shares, outcomes, missing_texts)
    if options.is_wall_time and time_shares:
        notes.append("Time is wall time: no thread was seen to use CPU time.")
    if options.show_missing and (never := [line for each in (outcomes or {}).values() for line in each.lines]):
        title = "Outcomes of conditions that were never seen:"
        notes.append(list_below(title, map(printable, never), options.format))
    if options.is_tree:
        whole = [_whole_row(result, time_shares, outcomes) for result in results]
        shown = tree_rows(rows, whole, is_indented=options.format == "text")
    else:
        shown = _sorted_rows(rows, options.sort, has_branches)
    columns = ["Name", "Stmts", "Miss", *(["Branch", "BrPart"] if has_branches else []), "Cover"]
    columns += ["Cond"] if outcomes is not None else []
    columns += ["Time"] if time_shares is not None else []
    columns += ["Missing"] if options.show_missing else []
    total_share = None if time_shares is None else sum(time_shares.get(result.path, 0.0) for result in results)
    total = TableRow("TOTAL", _add_up(results), "", total_share, _add_outcomes(outcomes))
    return Table(
        columns=columns,
        rows=[_cells(row, options, has_branches) for row in shown],
        total=_cells(total, options, has_branches),
        notes=notes,
    )


def _rows(
    results: Sequence[Counted],
    options: TableOptions,
    time_shares: Mapping[str, float] | None,
    outcomes: Mapping[str, Outcomes] | None,
    missing_texts: Mapping[str, str] | None,
) -> tuple[list[TableRow], list[str]]:
    """Return the rows of files, and notes that say how many were skipped."""
    rows: list[TableRow] = []
    n_covered = n_empty = 0
    for result in results:
        numbers = result.numbers
        if options.skip_covered and not numbers.n_missing and not numbers.n_partial_branches:
            n_covered += 1
        elif options.skip_empty and not numbers.n_statements:
            n_empty += 1
        else:
            row = _whole_row(result, time_shares, outcomes)
            if options.show_missing:
                row = replace(row, missing=_missing_text(result, missing_texts))
            rows.append(row)
    notes = []
    if n_covered:
        notes.append(f"{plural(n_covered, 'file')} skipped due to complete coverage.")
    if n_empty:
        notes.append(f"{plural(n_empty, 'empty file')} skipped.")
    return rows, notes


def _missing_text(result: Counted, texts: Mapping[str, str] | None) -> str:
    if texts is not None:
        return texts[result.path]
    assert isinstance(result, FileResult)
    return result.missing_text()


def _cells(row: TableRow, options: TableOptions, has_branches: bool) -> list[str]:
    """Return the texts of a row's columns, in the table's order."""
    numbers = row.numbers
    found = [row.name, str(numbers.n_statements), str(numbers.n_missing)]
    if has_branches:
        found += [str(numbers.n_branches), str(numbers.n_partial_branches)]
    found.append(numbers.pc_covered_str(options.precision))
    if row.outcomes is not None:
        found.append(str(row.outcomes))
    if row.time_share is not None:
        found.append(f"{row.time_share:.1f}")
    if options.show_missing:
        found.append(row.missing)
    return found


def _whole_row(
    result: Counted, time_shares: Mapping[str, float] | None, outcomes: Mapping[str, Outcomes] | None
) -> TableRow:
    """Return a file's row, without the column Missing."""
    return TableRow(
        question_marked(result.name),
        result.numbers,
        "",
        None if time_shares is None else time_shares.get(result.path, 0.0),
        None if outcomes is None else outcomes.get(result.path, Outcomes()),
    )


def _add_outcomes(outcomes: Mapping[str, Outcomes] | None) -> Outcomes | None:
    if outcomes is None:
        return None
    return Outcomes(sum(each.n_seen for each in outcomes.values()), sum(each.n_total for each in outcomes.values()))


_TIME_WIDTH = 8


def _lay_out_text(table: Table) -> list[str]:
    cover = table.columns.index("Cover")
    widths = dict.fromkeys(table.columns, 7)
    widths["Name"] = max(5, *(len(row[0]) for row in table.rows)) + 1 if table.rows else 6
    widths["Cover"] = max(len(" Cover") + 1, len(table.total[cover]) + 3, *(len(row[cover]) + 2 for row in table.rows))
    widths["Time"] = _TIME_WIDTH
    if "Cond" in table.columns:
        cond = table.columns.index("Cond")
        widths["Cond"] = max(len(row[cond]) for row in (*table.rows, table.total)) + 3

    layouts = {column: f"{{:>{widths[column]}}}" for column in table.columns}
    layouts |= {column: f"{{:>{widths[column] - 1}}}%" for column in table.columns if column in PERCENT_COLUMNS}
    layouts |= {"Name": f"{{:{widths['Name']}}}", "Missing": "   {:9}"}
    line = "".join(layouts[column] for column in table.columns).format

    header = f"{'Name':{widths['Name']}}" + "".join(
        f"{column:>{10 if column == 'Missing' else widths[column]}}" for column in table.columns[1:]
    )
    rule = "-" * len(header)
    return [header, rule, *starmap(line, table.rows), *([rule] if table.rows else []), line(*table.total)]


def _sorted_rows(rows: list[TableRow], sort: str, has_branches: bool) -> list[TableRow]:
    column = (sort or "name").lower()
    is_descending = column.startswith("-")
    column = column[1:] if column.startswith(("-", "+")) else column
    keys: dict[str, Callable[[TableRow], float]] = {
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
        raise UsageError(
            "bad-sort", f"Invalid sorting option: {sort!r}.", f"Sort by one of: name, {', '.join(sorted(keys))}."
        )
    value_of = keys[column]
    return sorted(rows, key=lambda row: (value_of(row), row.name), reverse=is_descending)
