"""The coverage table before it is laid out, as text or as Markdown."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PERCENT_COLUMNS", "Table"]

PERCENT_COLUMNS = ("Cover", "Cond", "Time")


@dataclass(frozen=True, slots=True)
class Table:
    """The cells, as text without per cent signs: each row and the total have one for each column.

    `notes` are lines to stand below the table, with an empty one before each.
    """

    columns: list[str]
    rows: list[list[str]]
    total: list[str]
    notes: list[str]
