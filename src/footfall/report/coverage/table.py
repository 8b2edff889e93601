"""The coverage table before it is laid out, as text or as Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass

from footfall.analyze.totals import Numbers

__all__ = ["PERCENT_COLUMNS", "Outcomes", "Table", "TableRow", "human_key"]

PERCENT_COLUMNS = ("Cover", "Cond", "Time")


@dataclass(frozen=True, slots=True)
class Table:
    """The cells, as text without per cent signs: each row and the total have one for each column.

    `notes` are lines to print below the table, each after an empty line.
    """

    columns: list[str]
    rows: list[list[str]]
    total: list[str]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How many outcomes of its conditions a file has seen; `lines` name those that were never seen."""

    n_seen: int = 0
    n_total: int = 0
    lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        percent = 100 * self.n_seen // self.n_total if self.n_total else 100
        return f"{self.n_seen}/{self.n_total} {percent}"


@dataclass(frozen=True, slots=True)
class TableRow:
    """A file's row, or a directory's."""

    name: str
    numbers: Numbers
    missing: str = ""
    time_share: float | None = None
    """Per cent of all samples' time; None without a profile."""
    outcomes: Outcomes | None = None


def human_key(text: str) -> tuple[list[str | int], str]:
    """Sort "a10" after "a9": numbers in a name count as numbers."""
    parts = re.split(r"(\d+)", text)
    return [int(part) if part.isdecimal() else part for part in parts], text
