"""`footfall lake history` as text and as JSON: coverage and time of functions or a file over commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from footfall.analyze.results import Numbers
from footfall.printable import printable
from footfall.report.coverage.json import Json

__all__ = ["Measured", "history_report", "render_history"]

_NS_PER_SECOND: Final = 1_000_000_000
_NS_PER_MS: Final = 1_000_000
_SHOWN_OF_COMMIT: Final = 12


class Measured(NamedTuple):
    """A function, or a file as a whole (`function` is ""), in one commit.

    `own_ns` is the time in its lines, `total_ns` that of all samples of the commit.
    """

    commit: str
    n_shards: int
    file: str
    function: str
    first_line: int
    n_statements: int
    n_missing: int
    n_branches: int
    n_missing_branches: int
    own_ns: int
    total_ns: int
    n_samples: int
    clock: str

    @property
    def numbers(self) -> Numbers:
        """Its coverage."""
        return Numbers(
            n_files=1,
            n_statements=self.n_statements,
            n_missing=self.n_missing,
            n_branches=self.n_branches,
            n_missing_branches=self.n_missing_branches,
        )


def render_history(rows: Sequence[Measured]) -> str:
    """Return a table with a line for each commit; several functions are one below the other in each."""
    heads = ("Commit", "Stmts", "Miss", "Branch", "Miss", "Cover", "Time ms", "of all", "Samples")
    table = [heads, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    names = ["Where", *(_where(row) for row in rows)]
    lines = [
        "  ".join([cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:]), name])
        for cells, name in zip(table, names, strict=True)
    ]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _cells(row: Measured) -> tuple[str, ...]:
    time = f"{row.own_ns / _NS_PER_MS:.1f}" if row.total_ns else ""
    share = f"{100 * row.own_ns / row.total_ns:.1f} %" if row.total_ns else ""
    counts = (row.n_statements, row.n_missing, row.n_branches, row.n_missing_branches)
    commit = printable(row.commit[:_SHOWN_OF_COMMIT])
    return commit, *map(str, counts), f"{row.numbers.pc_covered_str()}%", time, share, str(row.n_samples)


def _where(row: Measured) -> str:
    clock = " (wall time)" if row.clock == "wall" and row.total_ns else ""
    return f"{printable(f'{row.file}:{row.first_line} {row.function}'.rstrip())}{clock}"


def history_report(rows: Sequence[Measured]) -> Json:
    """Return the table for machines, the earliest commit first; times in seconds, null without a profile."""
    return {
        "format": 1,
        "history": [
            {
                "commit": row.commit,
                "shards": row.n_shards,
                "file": row.file,
                "function": row.function,
                "start_line": row.first_line,
                "statements": row.n_statements,
                "missing_lines": row.n_missing,
                "branches": row.n_branches,
                "missing_branches": row.n_missing_branches,
                "percent_covered": row.numbers.pc_covered,
                "clock": row.clock if row.total_ns else None,
                "own_seconds": row.own_ns / _NS_PER_SECOND if row.total_ns else None,
                "total_seconds": row.total_ns / _NS_PER_SECOND if row.total_ns else None,
                "samples": row.n_samples,
            }
            for row in rows
        ],
    }
