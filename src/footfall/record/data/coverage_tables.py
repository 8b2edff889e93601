"""The data file: coverage.py's SQLite schema 7, written so that coverage.py can read it, and read whoever wrote it.

The supervisor writes it once when a run is resolved; the reports read it. The profile's `footfall_*` tables are in the
same file and belong to record/data/profile_tables.py.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from footfall._version import VERSION
from footfall.errors import FootfallError, UsageError
from footfall.record.data.data_file import SCHEMA_VERSION, find_target, has_table, insert_rows, open_data_file
from footfall.record.data.distinct_arcs import FEW_CONTEXTS, arcs_of_texts, distinct_arcs, write_distinct_arcs
from footfall.record.data.parallel_files import SIDE_FILE_ENDING

__all__ = [
    "INFERRED_TABLE",
    "LINES_ONLY_TABLE",
    "MAX_NUMBITS_BYTES",
    "Arc",
    "FileData",
    "StoredCoverage",
    "StoredFile",
    "arcs_with_lines",
    "context_filter",
    "create_data_file",
    "numbers_from_numbits",
    "numbits_from_numbers",
    "open_contexts_by_line",
    "read_contexts_by_line",
    "read_coverage",
    "read_inferred",
    "read_lines_by_context",
    "read_paths",
    "stored_from_files",
    "write_coverage",
    "write_inferred",
]

# Names and types are coverage.py's; it looks for nothing else.
_SCHEMA = """
create table coverage_schema (version integer);
create table meta (key text, value text, unique (key));
create table file (id integer primary key, path text, unique (path));
create table context (id integer primary key, context text, unique (context));
create table line_bits (file_id integer, context_id integer, numbits blob,
    foreign key (file_id) references file (id), foreign key (context_id) references context (id),
    unique (file_id, context_id));
create table arc (file_id integer, context_id integer, fromno integer, tono integer,
    foreign key (file_id) references file (id), foreign key (context_id) references context (id),
    unique (file_id, context_id, fromno, tono));
create table tracer (file_id integer primary key, tracer text, foreign key (file_id) references file (id));
"""

LINES_ONLY_TABLE = "footfall_lines_only"
"""One column, path; record/data/merging/coverage.py writes it."""

INFERRED_TABLE = "footfall_inferred"
"""Path and numbits: lines that no run saw, but that ran when the file was imported before measuring started."""

MAX_NUMBITS_BYTES = 2 << 20
"""16 million lines: no source has so many, but a small damaged file could make us allocate much memory."""

Arc = tuple[int, int]
"""(from line, to line); a negative number is the first line of a code object: entered (from) or left (to)."""


@dataclass(slots=True)
class FileData:
    """What ran in one file, by context ("" for none). `arcs` is empty unless branches were measured."""

    lines: dict[str, set[int]] = field(default_factory=dict)
    arcs: dict[str, set[Arc]] = field(default_factory=dict)
    inferred: set[int] = field(default_factory=set)
    """Lines among them that were seen in no context but must have run."""
    tracer: str = ""
    """The coverage.py plugin whose file tracer measured the file, "" for Python."""


@dataclass(slots=True)
class StoredFile:
    """What ran in one file, in the selected contexts. `arcs` is empty if branches were not measured."""

    lines: set[int] = field(default_factory=set)
    arcs: set[Arc] = field(default_factory=set)
    tracer: str = ""
    """The coverage.py plugin that measured the file, "" for Python."""
    inferred: set[int] = field(default_factory=set)
    """Lines that no run saw, in any context, but that must have run."""


@dataclass(slots=True)
class StoredCoverage:
    """A data file's coverage. Keys are paths as stored: absolute, or relative to the project."""

    has_arcs: bool = False
    has_profile: bool = False
    """Whether the file has tables for record/data/profile_tables.py."""
    has_conditions: bool = False
    """The same for record/data/condition_tables.py."""
    lines_only: set[str] = field(default_factory=set)
    """Files with lines from data without branches, in data that has arcs (only in combined data)."""
    files: dict[str, StoredFile] = field(default_factory=dict)


def numbits_from_numbers(numbers: Iterable[int]) -> bytes:
    """Pack line numbers as coverage.py does: number n is bit n % 8 of byte n // 8."""
    bits = 0
    for number in numbers:
        bits |= 1 << number
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")


def numbers_from_numbits(numbits: bytes) -> set[int]:
    """Unpack line numbers. O(bytes)."""
    return {8 * index + bit for index, byte in enumerate(numbits) if byte for bit in range(8) if byte >> bit & 1}


@contextlib.contextmanager
def create_data_file(path: str | Path, *, is_durable: bool = False) -> Iterator[sqlite3.Connection]:
    """Make a data file with coverage.py's tables, empty, and yield its connection; the file appears, complete, on exit.

    With `is_durable` it is on the disk by then, not only in the system's memory. After an error in the block nothing
    is replaced. Raises FootfallError (`data-unwritable`).
    """
    target = find_target(path)
    beside = f"{target}.{os.getpid()}{SIDE_FILE_ENDING}"
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        with contextlib.closing(sqlite3.connect(beside, isolation_level=None)) as connection:
            connection.execute("pragma synchronous = off")
            # fetch its row, because an open cursor would prevent the commit (PyPy)
            connection.execute("pragma journal_mode = memory").fetchall()
            connection.execute("begin")
            for statement in _SCHEMA.split(";"):
                if statement.strip():
                    connection.execute(statement)
            connection.execute("insert into coverage_schema values (?)", (SCHEMA_VERSION,))
            connection.execute("insert into meta values ('version', ?)", (f"footfall {VERSION}",))
            yield connection
            connection.execute("commit")
        if is_durable:
            _flush_to_disk(beside)
        os.replace(beside, target)
        if is_durable:
            _flush_to_disk(os.path.dirname(target))
    except (OSError, sqlite3.OperationalError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise FootfallError(
            "data-unwritable",
            f"Can't write the data file {target}: {reason or error}.",
            "Make room or choose another place with --data-file.",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(beside)


def _flush_to_disk(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def write_coverage(
    path: str | Path, files: Mapping[str, FileData], *, has_arcs: bool, touched: Iterable[str] = ()
) -> Iterator[sqlite3.Connection]:
    """Write a data file and yield its connection, to add tables; the file appears under its name, complete, on exit.

    `touched` are files that were measured but have no lines that ran. After an error in the block nothing is replaced.
    Raises FootfallError (`data-unwritable`).
    """
    with create_data_file(path) as connection:
        _write_all(connection, files, has_arcs, touched)
        yield connection


def _write_all(
    connection: sqlite3.Connection, files: Mapping[str, FileData], has_arcs: bool, touched: Iterable[str]
) -> None:
    connection.execute("insert into meta values ('has_arcs', ?)", (str(int(has_arcs)),))
    paths = sorted({*files, *touched})
    file_ids = {path: number for number, path in enumerate(paths, 1)}
    connection.executemany("insert into file values (?, ?)", [(file_ids[path], path) for path in paths])
    labels = sorted({label for data in files.values() for label in (*data.lines, *data.arcs)})
    context_ids = {label: number for number, label in enumerate(labels, 1)}
    connection.executemany("insert into context values (?, ?)", [(context_ids[name], name) for name in labels])
    # in the order of the index, so that the index only grows at its end
    ordered = [(file_ids[path], files[path]) for path in paths if path in files]
    if has_arcs:
        distinct: dict[int, set[Arc]] = {}
        has_many = len(labels) > FEW_CONTEXTS
        insert_rows(connection, "arc", _arc_rows(ordered, context_ids, distinct if has_many else None))
        if has_many:
            write_distinct_arcs(connection, distinct)
    else:
        rows = (
            (file_id, context_ids[label], numbits_from_numbers(lines))
            for file_id, data in ordered
            for label, lines in sorted(data.lines.items())
        )
        connection.executemany("insert into line_bits values (?, ?, ?)", rows)
    tracers = [(file_ids[path], data.tracer) for path, data in files.items() if data.tracer]
    connection.executemany("insert into tracer values (?, ?)", tracers)
    write_inferred(connection, {path: data.inferred for path, data in files.items()})


def _arc_rows(
    files: Iterable[tuple[int, FileData]], context_ids: Mapping[str, int], distinct: dict[int, set[Arc]] | None
) -> Iterator[tuple[int, ...]]:
    """Yield the rows of `arc` in order; add each file's arcs, whatever the context, to `distinct`."""
    for file_id, data in files:
        everywhere: set[Arc] = set()
        for label in sorted({*data.lines, *data.arcs}):
            arcs = arcs_with_lines(data.arcs.get(label, set()), data.lines.get(label, set()))
            row = (file_id, context_ids[label])
            if distinct is not None:
                everywhere |= arcs
            yield from [row + arc for arc in sorted(arcs)]
        if distinct is not None:
            distinct[file_id] = everywhere


def write_inferred(connection: sqlite3.Connection, inferred: Mapping[str, Iterable[int]]) -> None:
    """Add inferred lines by path to a data file that is being written; nothing if there are none."""
    rows = [(path, numbits_from_numbers(lines)) for path, lines in sorted(inferred.items()) if lines]
    if rows:
        connection.execute(f"create table {INFERRED_TABLE} (path text primary key, numbits blob)")
        connection.executemany(f"insert into {INFERRED_TABLE} values (?, ?)", rows)


def read_inferred(connection: sqlite3.Connection) -> dict[str, set[int]]:
    """Return a data file's inferred lines by path. Raises sqlite3.DatabaseError for invalid contents."""
    found: dict[str, set[int]] = {}
    if has_table(connection, INFERRED_TABLE):
        for path, numbits in connection.execute(f"select path, numbits from {INFERRED_TABLE}"):
            if not isinstance(path, str) or not isinstance(numbits, bytes) or len(numbits) > MAX_NUMBITS_BYTES:
                raise sqlite3.DatabaseError("inferred lines are no set of line numbers")
            found[path] = numbers_from_numbits(numbits)
    return found


def arcs_with_lines(arcs: set[Arc], lines: set[int]) -> set[Arc]:
    """Add (line, line) for each line in no arc: if there are arcs, coverage.py takes the lines from their ends."""
    alone = lines - set(chain.from_iterable(arcs))
    return arcs | {(line, line) for line in alone} if alone else arcs


def stored_from_files(files: Mapping[str, FileData], *, has_arcs: bool, touched: Iterable[str] = ()) -> StoredCoverage:
    """Return what `read_coverage` returns for a file that `write_coverage` wrote with these arguments and no others."""
    stored = StoredCoverage(has_arcs=has_arcs)
    for path in sorted({*files, *touched}):
        data = files.get(path) or FileData()
        found = stored.files[path] = StoredFile(tracer=data.tracer, inferred=set(data.inferred))
        if not has_arcs:
            found.lines.update(*data.lines.values())
            continue
        for label in {*data.lines, *data.arcs}:
            found.arcs |= arcs_with_lines(data.arcs.get(label, set()), data.lines.get(label, set()))
        found.lines = {line for line in set(chain.from_iterable(found.arcs)) if line > 0}
    return stored


def read_coverage(
    path: str | Path, contexts: Iterable[str] = (), is_wanted: Callable[[str], bool] | None = None
) -> StoredCoverage:
    """Read all lines and arcs; with `contexts`, only those in contexts that match one of these regular expressions.

    `is_wanted` takes a stored path; files for which it returns False are listed, but nothing of them is read.
    If there are arcs, the lines are their positive ends, as in coverage.py. Raises as `open_data_file`.
    """
    with open_data_file(path) as connection:
        try:
            return _read_all(connection, list(contexts), is_wanted)
        # rows of missing files, values that are not numbers
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise sqlite3.DatabaseError(f"its tables do not fit together ({error!r})") from error


def _read_all(
    connection: sqlite3.Connection, contexts: list[str], is_wanted: Callable[[str], bool] | None
) -> StoredCoverage:
    row = connection.execute("select value from meta where key = 'has_arcs'").fetchone()
    stored = StoredCoverage(
        has_arcs=row is not None and row[0] not in ("0", ""),
        has_profile=has_table(connection, "footfall_profile"),
        has_conditions=has_table(connection, "footfall_conditions_format"),
    )
    if has_table(connection, LINES_ONLY_TABLE):
        stored.lines_only = {str(path) for (path,) in connection.execute(f"select path from {LINES_ONLY_TABLE}")}
    by_id: dict[int, StoredFile] = {}
    wanted: list[int] = []
    for file_id, name in connection.execute("select id, path from file"):
        if "\0" in name:
            raise sqlite3.DatabaseError(f"{name!r:.80} is no name of a file")
        by_id[file_id] = stored.files[name] = StoredFile()
        if is_wanted is not None and is_wanted(name):
            wanted.append(int(file_id))
    for file_id, tracer in connection.execute("select file_id, tracer from tracer"):
        by_id[file_id].tracer = tracer or ""
    where = _context_condition(connection, contexts)
    if stored.has_arcs:
        for file_id, starts, ends in distinct_arcs(connection, where, None if is_wanted is None else wanted):
            arcs = by_id[file_id].arcs = arcs_of_texts(starts, ends)
            by_id[file_id].lines = {line for line in set(chain.from_iterable(arcs)) if line > 0}
    else:
        if is_wanted is not None:
            where = f"{where or 'true'} and file_id in ({', '.join(map(str, wanted))})"
        for file_id, numbits in connection.execute(f"select file_id, numbits from line_bits where {where or 'true'}"):
            by_id[file_id].lines |= numbers_from_numbits(numbits)
    for path, lines in read_inferred(connection).items():
        if path in stored.files and (is_wanted is None or is_wanted(path)):
            stored.files[path].inferred = lines
    return stored


def context_filter(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a function that says whether a context matches one of the patterns. Raises UsageError (`bad-pattern`)."""
    try:
        searches = [re.compile(pattern).search for pattern in patterns]
    except re.error as error:
        raise UsageError(
            "bad-pattern",
            f"Can't use a context pattern of {list(patterns)}: {error}.",
            "See Python's re module for the syntax.",
        ) from error
    return lambda label: any(search(label) for search in searches)


def _context_condition(connection: sqlite3.Connection, patterns: list[str]) -> str:
    """Return the condition for the contexts that match a pattern; the ids are integers from our own query."""
    if not patterns:
        return ""
    is_wanted = context_filter(patterns)
    ids = [each for each, label in connection.execute("select id, context from context") if is_wanted(label)]
    return f"context_id in ({', '.join(str(int(each)) for each in ids)})"


def read_lines_by_context(
    path: str | Path, contexts: Iterable[str] = (), stored_paths: Iterable[str] | None = None
) -> dict[str, dict[str, set[int]]]:
    """Return for each stored path and context label the lines that ran, from the same rows as `read_coverage`.

    `contexts` as for `read_contexts_by_line`. With many contexts this is much smaller than a set for each line.
    With `stored_paths`, only of these files.
    """
    found: dict[str, dict[str, set[int]]] = {}
    with open_data_file(path) as connection:
        where = _context_condition(connection, list(contexts)) or "true"
        names = dict(connection.execute("select id, path from file"))
        labels = dict(connection.execute("select id, context from context"))
        if stored_paths is not None:
            wanted = {*stored_paths}
            ids = [str(int(file_id)) for file_id, name in names.items() if name in wanted]
            where += f" and file_id in ({', '.join(ids)})"

        def lines_of(file_id: int, context_id: int) -> set[int]:
            if file_id not in names or context_id not in labels:
                return set()
            return found.setdefault(names[file_id], {}).setdefault(labels[context_id], set())

        query = f"from arc where {where} group by file_id, context_id"
        query = f"select file_id, context_id, group_concat(fromno), group_concat(tono) {query}"
        for file_id, context_id, starts, ends in connection.execute(query):
            # most lines end one arc and start another
            lines = map(int, {*starts.split(","), *ends.split(",")})
            lines_of(file_id, context_id).update(line for line in lines if line > 0)
        query = f"select file_id, context_id, numbits from line_bits where {where}"
        for file_id, context_id, numbits in connection.execute(query):
            lines_of(file_id, context_id).update(numbers_from_numbits(numbits))
    return found


@contextlib.contextmanager
def open_contexts_by_line(
    path: str | Path, contexts: Iterable[str] = ()
) -> Iterator[Callable[[str], dict[int, set[str]]]]:
    """Yield a function from a stored path to the labels of the contexts in which each line of that file ran.

    `contexts` are regular expressions; if given, contexts that match none of them are left out. It works file by file,
    since for all files together there are as many labels as contexts times lines.
    """
    with open_data_file(path) as connection:
        where = _context_condition(connection, list(contexts)) or "true"
        ids = dict(connection.execute("select path, id from file"))
        labels = dict(connection.execute("select id, context from context"))

        def contexts_of(stored_path: str) -> dict[int, set[str]]:
            found: dict[int, set[str]] = {}
            file_id = (ids.get(stored_path),)
            query = f"select context_id, fromno, tono from arc where {where} and file_id = ?"
            for context_id, start, end in connection.execute(query, file_id):
                for line in (start, end):
                    if line > 0:
                        found.setdefault(line, set()).add(labels[context_id])
            query = f"select context_id, numbits from line_bits where {where} and file_id = ?"
            for context_id, numbits in connection.execute(query, file_id):
                for line in numbers_from_numbits(numbits):
                    found.setdefault(line, set()).add(labels[context_id])
            return found

        yield contexts_of


def read_paths(path: str | Path) -> list[str]:
    """Return the stored paths of all files. Raises as `open_data_file`."""
    with open_data_file(path) as connection:
        return [str(name) for (name,) in connection.execute("select path from file")]


def read_contexts_by_line(path: str | Path, contexts: Iterable[str] = ()) -> dict[str, dict[int, set[str]]]:
    """Return the result of `open_contexts_by_line` for each stored path."""
    with open_contexts_by_line(path, contexts) as contexts_of:
        return {name: found for name in read_paths(path) if (found := contexts_of(name))}
