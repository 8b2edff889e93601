"""Which text of each source was measured: git blob ids, in a table of ours beside coverage.py's.

The supervisor writes them when a run is resolved. `footfall diff` reads them to find a text that the file no longer has
but git still does.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from footfall.record.data.data_file import has_table, open_data_file

__all__ = ["MIXED", "blob_id", "read_source_ids", "source_ids_of", "write_source_ids"]

MIXED: Final = ""
"""The id of a source if combined runs saw different texts of it, or did not record which."""

_TABLE: Final = "footfall_source"
_ID: Final = re.compile(r"[0-9a-f]{40}|")


def blob_id(content: bytes) -> str:
    """Return git's id for this content, without filters: SHA-1 of its header and bytes, in hex."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def write_source_ids(connection: sqlite3.Connection, ids: Mapping[str, str]) -> None:
    """Add ids by path to a data file that is being written; nothing if there are none."""
    if ids:
        connection.execute(f"create table {_TABLE} (path text primary key, blob text)")
        connection.executemany(f"insert into {_TABLE} values (?, ?)", sorted(ids.items()))


def source_ids_of(connection: sqlite3.Connection) -> dict[str, str]:
    """Return a data file's ids by path. Raises sqlite3.DatabaseError for invalid contents."""
    found: dict[str, str] = {}
    if has_table(connection, _TABLE):
        for path, blob in connection.execute(f"select path, blob from {_TABLE}"):
            if not isinstance(path, str) or not isinstance(blob, str) or not _ID.fullmatch(blob):
                raise sqlite3.DatabaseError("the id of a source is none")
            found[path] = blob
    return found


def read_source_ids(path: str | Path) -> dict[str, str]:
    """Return the ids by stored path; none if something else wrote the file. Raises as `open_data_file`."""
    with open_data_file(path) as connection:
        return source_ids_of(connection)
