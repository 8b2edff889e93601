"""Which contexts ran a file, or some lines of one. The tables are coverage.py's; coverage_tables.py has the rest.

No more rows are read than needed, so that the answer is quick however many tests a project has.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from pathlib import Path

from footfall.record.data.coverage_tables import MAX_NUMBITS_BYTES
from footfall.record.data.data_file import open_data_file

__all__ = ["has_labelled_contexts", "read_contexts", "read_contexts_of_files", "read_contexts_of_lines"]


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


def read_contexts(data_file: str | Path) -> list[str]:
    """Return the labels of all contexts, "" for none. Raises as `open_data_file`."""
    with open_data_file(data_file) as connection:
        return [str(label) for (label,) in connection.execute("select context from context")]


def read_contexts_of_files(data_file: str | Path) -> dict[str, set[str]]:
    """Return by stored path the labels of the contexts in which any of its lines ran. Raises as `open_data_file`."""
    found: dict[str, set[str]] = {}
    with open_data_file(data_file) as connection:
        names = dict(connection.execute("select id, path from file"))
        labels = dict(connection.execute("select id, context from context"))
        for table in ("arc", "line_bits"):
            for file_id, context_id in connection.execute(f"select distinct file_id, context_id from {table}"):
                if file_id not in names or context_id not in labels:
                    raise sqlite3.DatabaseError("lines belong to no file or no context")
                found.setdefault(str(names[file_id]), set()).add(str(labels[context_id]))
    return found
