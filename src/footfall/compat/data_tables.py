"""Coverage data in memory from and to coverage.py's tables. Called only by `CoverageData`."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from footfall.compat.errors import DataError
from footfall.record.data.coverage_tables import Arc, FileData, numbers_from_numbits, write_coverage
from footfall.record.data.data_file import open_data_file

__all__ = ["Contents", "dump", "lines_of_arcs", "load_dump", "read_contents", "write_contents"]


@dataclass(slots=True)
class Contents:
    """The contents of a data file. `has_arcs` None: neither lines nor arcs were ever added."""

    has_arcs: bool | None = None
    files: dict[str, FileData] = field(default_factory=dict)
    tracers: dict[str, str] = field(default_factory=dict)
    contexts: set[str] = field(default_factory=set)
    """Including those in which nothing ran."""


def read_contents(path: str | Path) -> Contents:
    """Read a data file, whichever tool wrote it; footfall's own tables are skipped. Raises FootfallError."""
    contents = Contents()
    tables = "join file on file.id = file_id join context on context.id = context_id"
    with open_data_file(path) as connection:
        row = connection.execute("select value from meta where key = 'has_arcs'").fetchone()
        if row is not None:
            contents.has_arcs = row[0] not in ("0", "")
        for (name,) in connection.execute("select path from file"):
            contents.files[name] = FileData()
        for (label,) in connection.execute("select context from context"):
            contents.contexts.add(label)
        query = "select path, tracer from tracer join file on file.id = file_id"
        contents.tracers.update((name, tracer) for name, tracer in connection.execute(query) if tracer)
        for name, label, start, end in connection.execute(f"select path, context, fromno, tono from arc {tables}"):
            contents.files[name].arcs.setdefault(label, set()).add((int(start), int(end)))
        for name, label, numbits in connection.execute(f"select path, context, numbits from line_bits {tables}"):
            contents.files[name].lines.setdefault(label, set()).update(numbers_from_numbits(numbits))
    return contents


def write_contents(path: str | Path, contents: Contents) -> None:
    """Write a data file, replacing an existing one. Raises FootfallError (`data-unwritable`)."""
    with write_coverage(path, contents.files, has_arcs=bool(contents.has_arcs)) as connection:
        if contents.has_arcs is None:
            connection.execute("delete from meta where key = 'has_arcs'")
        rows = [(label,) for label in sorted(contents.contexts)]
        connection.executemany("insert or ignore into context (context) values (?)", rows)
        connection.executemany(
            "insert into tracer select id, ? from file where path = ?",
            [(tracer, name) for name, tracer in contents.tracers.items()],
        )


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
