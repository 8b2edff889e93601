"""The data file as a file: opening it with a separate error for each problem, and not touching it if it is not ours.

coverage_tables.py (coverage.py's tables) and profile_tables.py (ours) handle its contents.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from footfall.errors import FootfallError
from footfall.record.data.parallel_files import find_parallel_files

_PLAIN = frozenset(b"/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
"""Bytes that need no escape in a URI (RFC 3986); importing urllib.parse takes longer than opening a file."""

__all__ = [
    "DATABASE_ERRORS",
    "SCHEMA_VERSION",
    "check_replaceable",
    "check_writable",
    "find_target",
    "has_table",
    "insert_rows",
    "move_data_file",
    "open_data_file",
    "remove_data_file",
]

SCHEMA_VERSION = 7
"""coverage.py's schema since 5.0."""

DATABASE_ERRORS = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What a damaged database raises: the second if SQLite's own message quotes bytes of it that are not text."""

_COVERAGE_TABLES = frozenset({"coverage_schema", "meta", "file", "context", "line_bits", "arc", "tracer"})
_ROWS_AT_ONCE = 50
_SQLITE_MAGIC = b"SQLite format 3\0"
_OLD_COVERAGE_MAGIC = b"!coverage.py"


def check_writable(data_file: str) -> None:
    """Check before a long run, not after it, that its results can be written to the requested place.

    Raises FootfallError (`data-unwritable`).
    """
    path = os.path.abspath(data_file)
    probe = f"{path}.{os.getpid()}.footfall-try"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        os.unlink(probe)
    except OSError as error:
        raise FootfallError(
            "data-unwritable",
            f"Can't write the data file {data_file}: {error.strerror or error}.",
            "Choose another place with --data-file.",
        ) from error


def find_target(path: str | Path) -> str:
    """Return what writing a data file replaces: links are followed, and only a regular file is accepted.

    Raises FootfallError (`data-unwritable`).
    """
    target = os.path.realpath(path) if os.path.islink(path) else os.path.abspath(path)
    if os.path.lexists(target) and not os.path.isfile(target):
        raise _no_file(target, "data-unwritable")
    return target


def _no_file(path: str | Path, slug: str) -> FootfallError:
    if os.path.isdir(path):
        inside = os.path.join(path, ".coverage")
        what = f"Can't use {path} as the data file: it is a directory."
        return FootfallError(slug, what, f"Name a file, for example {inside}.")
    return FootfallError(slug, f"Can't use {path} as the data file: it is no regular file.", "Name another.")


def check_replaceable(path: str | Path) -> None:
    """Raise FootfallError if something other than coverage data has that name.

    `data-unwritable`: it is not a regular file; `data-foreign`: a file that contains something else.
    """
    find_target(path)
    try:
        with open(path, "rb") as file:
            head = file.read(16)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unreadable(path, error) from error
    if not head or head.startswith(_OLD_COVERAGE_MAGIC):
        return
    if head == _SQLITE_MAGIC:
        with (
            # a damaged database under the data file's name: there is nothing in it to save
            contextlib.suppress(*DATABASE_ERRORS),
            contextlib.closing(_connect_read_only(path)) as connection,
        ):
            if not has_table(connection, "coverage_schema") and _count_tables(connection):
                raise _foreign(path, "it is another program's database", _REPLACEABLE)
        return
    raise _foreign(path, "it is not a data file of coverage.py or footfall", _REPLACEABLE)


def remove_data_file(path: str | Path) -> None:
    """Remove a data file that `check_replaceable` has accepted, if there is one.

    Raises FootfallError (`data-unwritable`).
    """
    if not os.path.isfile(path):
        return  # there is none, or something that is never a data file
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    except OSError as error:
        raise _immovable(path, error) from error


def move_data_file(path: str | Path, to: str | Path) -> None:
    """Move a data file that `check_replaceable` has accepted, if there is one, replacing what is at `to`.

    Raises FootfallError (`data-unwritable`).
    """
    if not os.path.isfile(path):
        return
    import shutil  # loads four compressors, and few runs move a file

    try:
        with contextlib.suppress(FileNotFoundError):
            shutil.move(path, to)
    except OSError as error:
        raise _immovable(path, error) from error


def _immovable(path: str | Path, error: OSError) -> FootfallError:
    return FootfallError(
        "data-unwritable",
        f"Can't remove the data file {path}: {error.strerror or error}.",
        "Check the permissions of its directory.",
    )


_REPLACEABLE = "Give another name with --data-file, or move that file away."
_READABLE = "Name a data file, as `footfall run COMMAND` writes it."
"""The next step when reading a file, which a command may have been given in several ways."""


def _foreign(path: str | Path, what: str, help: str) -> FootfallError:
    return FootfallError("data-foreign", f"Won't use {path}: {what}.", help)


def _missing(path: str | Path) -> FootfallError:
    parts = find_parallel_files(path)
    if parts:
        files = "is a file" if len(parts) == 1 else f"are {len(parts)} files"
        option = "" if str(path) == ".coverage" else f" --data-file={shlex.quote(str(path))}"
        help = f"There {files} {path}.* to join: run `footfall combine{option}`."
    else:
        help = "Make one with `footfall run COMMAND`."
    return FootfallError("no-data", f"No data to report. There is no data file {str(path)!r}.", help)


def _unreadable(path: str | Path, error: OSError) -> FootfallError:
    return FootfallError(
        "data-unreadable",
        f"Can't read the data file {path}: {error.strerror or error}.",
        "Check its permissions, or name another.",
    )


def _connect_read_only(path: str | Path) -> sqlite3.Connection:
    # immutable: no lock, and SQLite never acts on a journal beside the file
    place = "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in os.fsencode(os.path.abspath(path)))
    uri = f"file:{place}?mode=ro&immutable=1"
    connection = sqlite3.connect(uri, uri=True)
    # a file from elsewhere must not decide what runs here
    connection.execute("pragma trusted_schema = off").fetchall()
    return connection


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Return whether a database has a table of that name."""
    query = "select 1 from sqlite_master where type = 'table' and name = ?"
    return connection.execute(query, (name,)).fetchone() is not None


def _count_tables(connection: sqlite3.Connection) -> int:
    (count,) = connection.execute("select count(*) from sqlite_master").fetchone()
    return int(count)


@contextlib.contextmanager
def open_data_file(path: str | Path) -> Iterator[sqlite3.Connection]:
    """Open an existing data file for reading. Whoever wrote it, it can't make the reader run code or loop forever.

    Raises FootfallError: `no-data` (not there), `data-foreign`, `data-corrupt`, `data-schema`, `data-unreadable`;
    database errors while the file is read in the block become `data-corrupt` too.
    """
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise _no_file(path, "data-unreadable")  # a pipe would block us
        with open(path, "rb") as file:
            head = file.read(16)
    except FileNotFoundError as error:
        raise _missing(path) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if head.startswith(_OLD_COVERAGE_MAGIC):
        raise FootfallError("data-schema", f"{path} was written by coverage.py before 5.0.", "Run the program again.")
    if head and head != _SQLITE_MAGIC:
        raise _foreign(path, "it is not a data file of coverage.py or footfall", _READABLE)
    try:
        with contextlib.closing(_connect_read_only(path)) as connection:
            _check_schema(connection, path)
            yield connection
    except DATABASE_ERRORS as error:
        raise FootfallError(
            "data-corrupt",
            f"The data file {path} is damaged: {error}.",
            "Remove it, and run the program again.",
        ) from error


def _check_schema(connection: sqlite3.Connection, path: str | Path) -> None:
    if not has_table(connection, "coverage_schema"):
        if _count_tables(connection):
            raise _foreign(path, "it is another program's database", _READABLE)
        raise FootfallError("no-data", f"The data file {path} is empty.", "Run `footfall run COMMAND` again.")
    _check_plain_tables(connection)
    row = connection.execute("select version from coverage_schema").fetchone()
    if row is None or row[0] != SCHEMA_VERSION:
        found = None if row is None else row[0]
        raise FootfallError(
            "data-schema",
            f"The data file {path} has schema {found}, and this footfall reads {SCHEMA_VERSION}.",
            "Run the program again, or update footfall.",
        )


def _check_plain_tables(connection: sqlite3.Connection) -> None:
    """Reject what only looks like a table we read: rows of a view or generated column are computed, maybe endlessly."""
    # the type does not show virtual tables; SQLite stores their statement with these words
    query = "select name from sqlite_master where type = 'view' or sql like 'create virtual %'"
    names = {name for (name,) in connection.execute(query)}
    query = "select m.name from sqlite_master m join pragma_table_xinfo(m.name) where m.type = 'table' and hidden <> 0"
    names |= {name for (name,) in connection.execute(query)}
    for name in names:
        if name in _COVERAGE_TABLES or str(name).startswith("footfall_"):
            raise sqlite3.DatabaseError(f"{name!r} is not a plain table")


def insert_rows(connection: sqlite3.Connection, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Insert rows of one length, many by each statement, which takes half the time of a statement for each."""
    rows = iter(rows)
    n_rows, statement = 0, ""
    while batch := list(islice(rows, _ROWS_AT_ONCE)):
        if len(batch) != n_rows:
            n_rows = len(batch)
            place = f"({', '.join('?' * len(batch[0]))})"
            statement = f"insert into {table} values {', '.join([place] * n_rows)}"
        connection.execute(statement, list(chain.from_iterable(batch)))
