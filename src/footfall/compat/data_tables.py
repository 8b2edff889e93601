"""Coverage data from and to the form in which coverage.py serializes it. Called only by `CoverageData`."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator

from footfall.compat.errors import DataError
from footfall.load.contents import Contents, read_contents, write_contents
from footfall.record.data.coverage_tables import Arc

__all__ = ["dump", "lines_of_arcs", "load_dump"]


def dump(contents: Contents) -> bytes:
    """Return the data as coverage.py serializes it: a letter, then compressed SQL."""
    with _temporary_file() as path:
        write_contents(path, contents)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            script = "\n".join(connection.iterdump())
    return b"z" + zlib.compress(script.encode("utf-8", "surrogateescape"))


def load_dump(data: bytes) -> Contents:
    """Read data that `dump` or coverage.py made. Raises DataError, FootfallError."""
    if data[:1] != b"z":
        raise DataError(f"Unrecognized serialization: {data[:40]!r} (head of {len(data)} bytes)")
    script = zlib.decompress(data[1:]).decode("utf-8", "surrogateescape")
    with _temporary_file() as path:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.set_authorizer(_refuse_other_files)
            try:
                connection.executescript(script)
            except sqlite3.Error as error:
                raise DataError(f"Can't load serialized data: {error}") from error
        return read_contents(path)


def _refuse_other_files(action: int, *_: str | None) -> int:
    """Let the script, which is not trusted, fill its own database, and open no other."""
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK


@contextlib.contextmanager
def _temporary_file() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="footfall-") as directory:
        yield os.path.join(directory, "data")


def lines_of_arcs(arcs: set[Arc]) -> set[int]:
    """Return the lines at the ends of arcs, as coverage.py counts them."""
    return {line for arc in arcs for line in arc if line > 0}
