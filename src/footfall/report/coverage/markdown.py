"""The coverage table in Markdown, as coverage.py lays it out. Pure: a table's cells in, lines out."""

from __future__ import annotations

import string

from footfall.report.coverage.table import PERCENT_COLUMNS, Table

__all__ = ["escape_markdown", "lay_out_markdown"]

_ESCAPES = str.maketrans({char: f"\\{char}" for char in string.punctuation if char not in ".,/-"})
_WIDTH = 9
_MISSING_WIDTH = 10
_TIME_WIDTH = 12  # the width of **100.0%** with a blank on each side


def lay_out_markdown(table: Table) -> list[str]:
    """Return the table's lines, with Markdown in names escaped."""
    cover = table.columns.index("Cover")
    widths = dict.fromkeys(table.columns, _WIDTH)
    widths["Name"] = max(len("**TOTAL**"), *(len(escape_markdown(row[0])) for row in table.rows), 0) + 1
    widths["Cover"] = max(len(table.total[cover]) + 6, len(" Cover "))
    widths["Time"] = _TIME_WIDTH
    widths["Missing"] = _MISSING_WIDTH
    if "Cond" in table.columns:
        cond = table.columns.index("Cond")
        widths["Cond"] = max(len(escape_markdown(row[cond])) for row in (*table.rows, table.total)) + 6
    header = [
        f"| {column:{widths[column]}}|" if column == "Name" else f"{column:>{widths[column]}} |"
        for column in table.columns
    ]
    rules = ["- |".rjust(len(header[0]) - 1, "-"), *("-: |".rjust(len(item) - 1, "-") for item in header[1:])]
    lines = ["".join(header), "|" + " ".join(rules)]
    for row in table.rows:
        cells = []
        for column, cell in zip(table.columns, map(escape_markdown, row), strict=True):
            if column == "Name":
                cells.append(f"| {cell:{widths[column]}}|")
            elif column in PERCENT_COLUMNS:
                cells.append(f"{cell:>{widths[column] - 1}}% |")
            else:
                cells.append(f"{cell:>{widths[column]}} |")
        lines.append("".join(cells))
    return [*lines, _total_line(table, widths)]


def _total_line(table: Table, widths: dict[str, int]) -> str:
    cells = []
    for column, cell in zip(table.columns, table.total, strict=True):
        sign = "%" if column in PERCENT_COLUMNS else ""
        text = f" **{cell}{sign}**" if cell else ""
        cells.append(f"|{text:{widths[column]}} |" if column == "Name" else f"{text:>{widths[column]}} |")
    return "".join(cells)


def escape_markdown(text: str) -> str:
    """Return Markdown that shows a text literally."""
    return text.translate(_ESCAPES)
