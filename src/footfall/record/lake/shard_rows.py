"""The rows of a shard's tables, from an open data file. Sorted by file, so that readers skip what they do not need.

Nothing is kept of one file when it comes to the next, since there may be any number of tests.
"""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, groupby
from operator import itemgetter

from footfall._version import VERSION
from footfall.record.data.condition_tables import unpack_places
from footfall.record.data.coverage_tables import (
    INFERRED_TABLE,
    LINES_ONLY_TABLE,
    MAX_NUMBITS_BYTES,
    numbits_from_numbers,
)
from footfall.record.data.data_file import has_table
from footfall.record.data.source_ids import source_ids_of
from footfall.record.data.timelines import unpack_column
from footfall.record.lake.layout import Partition
from footfall.record.lake.parquet import Row
from footfall.record.lake.schema import FORMAT, PLAIN_TABLES

__all__ = ["Naming", "SourceRows", "rows_of_table"]

_MAX_SPANS = 1 << 20  # as in the data file's reader


@dataclass(frozen=True, slots=True)
class Naming:
    """What the lake calls things: a recorded path, and the test and phase of a context."""

    file_of_path: Callable[[str], str]
    test_of_context: Callable[[str], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class SourceRows:
    """What only the sources tell, for the files that are as they were measured. Empty for none."""

    analyzed: Collection[str] = ()
    """Recorded paths of these files."""
    tables: Mapping[str, Callable[[], Iterator[Row]]] = field(default_factory=dict)


def rows_of_table(
    connection: sqlite3.Connection, table: str, partition: Partition, naming: Naming, sources: SourceRows
) -> Iterator[Row]:
    """Yield the rows of one table of the lake. Raises sqlite3.DatabaseError for invalid contents."""
    if table in PLAIN_TABLES:
        return _plain_rows(connection, table, naming)
    if table in sources.tables:
        return sources.tables[table]()
    return {
        "shard": lambda: _shard_row(connection, partition),
        "files": lambda: _file_rows(connection, naming, sources),
        "tests": lambda: _test_rows(connection, naming),
        "lines_by_test": lambda: _line_rows(connection, naming),
        "branches": lambda: _branch_rows(connection, naming),
        "condition_code": lambda: _condition_code_rows(connection),
        "timelines": lambda: _timeline_rows(connection),
    }.get(table, lambda: iter(()))()


def _plain_rows(connection: sqlite3.Connection, table: str, naming: Naming) -> Iterator[Row]:
    plain = PLAIN_TABLES[table]
    if not has_table(connection, plain.source):
        return
    rows = connection.execute(f"select {', '.join(plain.columns)} from {plain.source}")
    if not plain.is_of_files:
        yield from rows
        return
    number = [*plain.columns].index("path")
    names: dict[str, str] = {}  # many frames are of the same file
    for row in rows:
        path = row[number]
        if path not in names:
            if not isinstance(path, str):
                raise sqlite3.DatabaseError(f"{path!r:.80} is no name of a file")
            names[path] = path if path.startswith("<") else naming.file_of_path(path)
        yield names[path], *row


def _shard_row(connection: sqlite3.Connection, partition: Partition) -> Iterator[Row]:
    meta = dict(connection.execute("select key, value from meta").fetchall())
    names = "select name from sqlite_master where type = 'table' and name like 'footfall\\_%' escape '\\' order by name"
    tables = [name for (name,) in connection.execute(names)]
    has_branches = meta.get("has_arcs") not in (None, "", "0")
    place = (partition.repository, partition.commit, partition.shard)
    yield FORMAT, VERSION, *place, time.time_ns(), [*meta], [*meta.values()], tables, has_branches


def _files_in_order(connection: sqlite3.Connection, naming: Naming) -> list[tuple[str, str, int]]:
    """Return (file, path, id) of the measured files, sorted."""
    rows = connection.execute("select path, id from file").fetchall()
    for path, _ in rows:
        if not isinstance(path, str):
            raise sqlite3.DatabaseError(f"{path!r:.80} is no name of a file")
    return sorted((naming.file_of_path(path), path, number) for path, number in rows)


def _file_rows(connection: sqlite3.Connection, naming: Naming, sources: SourceRows) -> Iterator[Row]:
    measured = {path: (file, number) for file, path, number in _files_in_order(connection, naming)}
    tracers = dict(connection.execute("select file_id, tracer from tracer").fetchall())
    blobs = source_ids_of(connection)
    inferred, lines_only = (
        dict(connection.execute(query).fetchall() if has_table(connection, table) else ())
        for table, query in (
            (INFERRED_TABLE, f"select path, numbits from {INFERRED_TABLE}"),
            (LINES_ONLY_TABLE, f"select path, 1 from {LINES_ONLY_TABLE}"),
        )
    )
    for path in dict.fromkeys(chain(measured, blobs, inferred, lines_only)):
        file, number = measured.get(path, (naming.file_of_path(path), None))
        yield (
            *(file, path, path in measured, tracers.get(number), blobs.get(path), inferred.get(path)),
            *(path in lines_only, path in sources.analyzed),
        )


def _labels(connection: sqlite3.Connection) -> dict[int, str]:
    labels = dict(connection.execute("select id, context from context").fetchall())
    if not all(isinstance(label, str) for label in labels.values()):
        raise sqlite3.DatabaseError("a context has no name")
    for table in ("line_bits", "arc"):
        lost = f"select 1 from {table} where file_id not in (select id from file) or context_id not in"
        if connection.execute(f"{lost} (select id from context) limit 1").fetchone():
            raise sqlite3.DatabaseError("lines belong to no file or no context")
    return labels


def _test_rows(connection: sqlite3.Connection, naming: Naming) -> Iterator[Row]:
    for label in sorted(_labels(connection).values()):
        yield label, *naming.test_of_context(label)


def _line_rows(connection: sqlite3.Connection, naming: Naming) -> Iterator[Row]:
    named = {number: (naming.test_of_context(label)[0], label) for number, label in _labels(connection).items()}
    for file, path, number in _files_in_order(connection, naming):
        query = "select context_id, numbits from line_bits where file_id = ?"
        for context, numbits in connection.execute(query, (number,)):
            if not isinstance(numbits, bytes) or len(numbits) > MAX_NUMBITS_BYTES:
                raise sqlite3.DatabaseError("lines are no set of line numbers")
            yield file, path, *named[context], numbits, False
        for context, starts, ends in _arcs(connection, number):
            lines = [line for line in {*starts, *ends} if line > 0]
            if max(lines, default=0) >= 8 * MAX_NUMBITS_BYTES:
                raise sqlite3.DatabaseError("no source has so many lines")
            yield file, path, *named[context], numbits_from_numbers(lines), True


def _arcs(connection: sqlite3.Connection, file_id: int) -> Iterator[tuple[int, list[int], list[int]]]:
    """Yield for each context of a file (context, starts, ends)."""
    query = "select context_id, fromno, tono from arc where file_id = ? order by context_id, fromno, tono"
    for context, rows in groupby(connection.execute(query, (file_id,)), itemgetter(0)):
        _, starts, ends = zip(*rows, strict=True)
        if {*map(type, starts), *map(type, ends)} != {int}:
            raise sqlite3.DatabaseError("an arc is not of two line numbers")
        yield context, [*starts], [*ends]


def _branch_rows(connection: sqlite3.Connection, naming: Naming) -> Iterator[Row]:
    labels = _labels(connection)
    for file, path, number in _files_in_order(connection, naming):
        for context, starts, ends in _arcs(connection, number):
            yield file, path, labels[context], starts, ends


def _condition_code_rows(connection: sqlite3.Connection) -> Iterator[Row]:
    if not has_table(connection, "footfall_conditions_code"):
        return
    query = "select id, path, qualname, first_line, places from footfall_conditions_code order by id"
    for *values, packed in connection.execute(query):
        try:
            text = unpack_places(packed)
            numbers = [int(number) for number in text.split(b",")] if text else []
        except (TypeError, ValueError, zlib.error) as error:
            raise sqlite3.DatabaseError(f"its tables of conditions do not fit together ({error!r})") from error
        yield *values, numbers


def _timeline_rows(connection: sqlite3.Connection) -> Iterator[Row]:
    if not has_table(connection, "footfall_timeline"):
        return
    for thread, start_ns, step_ns, count, *columns in connection.execute("select * from footfall_timeline"):
        try:
            if not 0 < count <= _MAX_SPANS:
                raise ValueError("a thread's numbers are out of range")
            lists = [unpack_column(each, code, count).tolist() for each, code in zip(columns, "IIQQQQ", strict=True)]
        except (TypeError, ValueError) as error:
            raise sqlite3.DatabaseError(f"the profile's timelines do not fit together ({error})") from error
        yield thread, start_ns, step_ns, *lists
