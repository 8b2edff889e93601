"""Which contexts ran some lines of one file. The tables are coverage.py's; coverage_tables.py has the rest of them.

Only the rows of these lines are read, so that the answer is quick however many tests a project has.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from pathlib import Path

from footfall.record.data.coverage_tables import MAX_NUMBITS_BYTES
from footfall.record.data.data_file import open_data_file

__all__ = ["has_labelled_contexts", "read_contexts_of_lines"]


def read_contexts_of_lines(data_file: str | Path, stored_paths: Iterable[str], lines: Collection[int]) -> set[str]:
    """Return the labels of the contexts in which one of the lines ran, "" for none. Raises as `open_data_file`."""
    numbers = ", ".join(str(int(line)) for line in lines)
    found: set[str] = set()
    with open_data_file(data_file) as connection:
        for path in stored_paths:
            row = connection.execute("select id from file where path = ?", (path,)).fetchone()
            if row is None:
                continue
            query = (
                "select distinct context from arc join context on context.id = context_id"
                f" where file_id = ? and (fromno in ({numbers}) or tono in ({numbers}))"
            )
            found.update(str(label) for (label,) in connection.execute(query, row))
            query = "select context, numbits from line_bits join context on context.id = context_id where file_id = ?"
            for label, numbits in connection.execute(query, row):
                if not isinstance(numbits, bytes) or len(numbits) > MAX_NUMBITS_BYTES:
                    raise sqlite3.DatabaseError("the lines of a file are no set of line numbers")
                if any(line >> 3 < len(numbits) and numbits[line >> 3] >> (line & 7) & 1 for line in lines):
                    found.add(str(label))
    return found


def has_labelled_contexts(data_file: str | Path) -> bool:
    """Return whether a data file says in which context (a test, for example) anything ran."""
    with open_data_file(data_file) as connection:
        return connection.execute("select 1 from context where context <> '' limit 1").fetchone() is not None
