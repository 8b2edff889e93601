"""A data file as a shard of a lake, and a shard as a data file again: what the one has the other has.

The order of rows, the numbers of files and contexts, and how a column is compressed may differ; no reader sees them.
"""

from __future__ import annotations

import os
import sqlite3
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from footfall.errors import FootfallError
from footfall.record.data.condition_tables import (
    check_conditions_format,
    create_condition_tables,
    pack_places,
)
from footfall.record.data.coverage_tables import (
    INFERRED_TABLE,
    LINES_ONLY_TABLE,
    create_data_file,
)
from footfall.record.data.data_file import has_table, open_data_file
from footfall.record.data.distinct_arcs import keep_distinct_arcs
from footfall.record.data.profile_tables import SUM_TABLE, check_profile_format, create_profile_tables, write_sums
from footfall.record.data.qualifications import create_message_table
from footfall.record.data.source_ids import write_source_ids
from footfall.record.data.test_times import create_test_time_table
from footfall.record.data.timelines import pack_column
from footfall.record.lake.layout import Partition, new_shard, table_path
from footfall.record.lake.parquet import Row, need_pyarrow, read_rows, write_rows
from footfall.record.lake.schema import PLAIN_TABLES, TABLES
from footfall.record.lake.shard_rows import Naming, SourceRows, rows_of_table

__all__ = ["write_data_file", "write_shard"]

_ROWS_AT_ONCE: Final = 1000
_PATHS: Final = "path text primary key"


def write_shard(lake: str, partition: Partition, data_file: str, naming: Naming, sources: SourceRows) -> None:
    """Write a data file into a lake; a shard of the same place is replaced.

    Raises FootfallError: as `open_data_file`, `lake-extra`, `output-unwritable`.
    """
    need_pyarrow()
    with new_shard(lake, partition) as folder, open_data_file(data_file) as connection:
        check_profile_format(connection, data_file)
        if has_table(connection, "footfall_conditions_format"):
            check_conditions_format(connection, data_file)
        for table in TABLES:
            rows = rows_of_table(connection, table, partition, naming, sources)
            write_rows(os.path.join(folder, f"{table}.parquet"), table, rows)


def write_data_file(lake: str, partition: Partition, target: str) -> None:
    """Write the data file that a shard was made from.

    Raises FootfallError: `data-unwritable`, `lake-extra`, `lake-format`, `lake-damaged`.
    """
    need_pyarrow()

    def rows(table: str) -> Iterator[Row]:
        return read_rows(table_path(lake, partition, table), table)

    ((*_, keys, values, tables, _),) = rows("shard")
    with create_data_file(target) as connection:
        try:
            connection.execute("delete from meta")
            connection.executemany("insert into meta values (?, ?)", zip(keys, values, strict=True))
            _insert_coverage(connection, rows, set(tables))
            _insert_own_tables(connection, rows, set(tables))
        except (sqlite3.IntegrityError, KeyError, TypeError, ValueError) as error:  # something twice, or of nothing
            raise FootfallError(
                "lake-damaged",
                f"The tables of {os.path.join(lake, partition.folder)} do not fit together ({error!r}).",
                "Add the shard's data file again: footfall lake add",
            ) from error


_Rows = Callable[[str], Iterator[Row]]


def _insert_coverage(connection: sqlite3.Connection, rows: _Rows, tables: set[str]) -> None:
    """Fill coverage.py's tables, and those of ours that say something about a file."""
    labels = {label: number for number, (label, *_) in enumerate(rows("tests"), 1)}
    _insert(connection, "context", ((number, label) for label, number in labels.items()))
    numbers: dict[str, int] = {}
    blobs: dict[str, str] = {}
    for table, columns in ((INFERRED_TABLE, "path text primary key, numbits blob"), (LINES_ONLY_TABLE, _PATHS)):
        if table in tables:
            connection.execute(f"create table {table} ({columns})")
    for _, path, is_measured, tracer, blob, inferred, is_lines_only, _ in rows("files"):
        if is_measured:
            numbers[path] = len(numbers) + 1
            _insert(connection, "file", [(numbers[path], path)])
        if tracer is not None:
            _insert(connection, "tracer", [(numbers[path], tracer)])
        if blob is not None:
            blobs[path] = blob
        if inferred is not None:
            _insert(connection, INFERRED_TABLE, [(path, inferred)])
        if is_lines_only:
            _insert(connection, LINES_ONLY_TABLE, [(path,)])
    write_source_ids(connection, blobs)
    lines = (
        (numbers[path], labels[label], numbits)
        for _, path, _, label, numbits, is_of_branches in rows("lines_by_test")
        if not is_of_branches
    )
    _insert(connection, "line_bits", lines)
    arcs = (
        (numbers[path], labels[label], start, end)
        for _, path, label, starts, ends in rows("branches")
        for start, end in zip(starts, ends, strict=True)
    )
    _insert(connection, "arc", arcs)
    if "footfall_distinct_arcs" in tables:
        keep_distinct_arcs(connection)


def _insert_own_tables(connection: sqlite3.Connection, rows: _Rows, tables: set[str]) -> None:
    """Fill the tables of footfall that the data file had."""
    if "footfall_profile" in tables:
        create_profile_tables(connection)
    if "footfall_conditions_format" in tables:
        create_condition_tables(connection)
        connection.execute("delete from footfall_conditions_format")
        codes = (
            (*values, pack_places(b",".join(b"%d" % number for number in places)))
            for *values, places in rows("condition_code")
        )
        _insert(connection, "footfall_conditions_code", codes)
    if "footfall_test_time" in tables:
        create_test_time_table(connection)
    if "footfall_message" in tables:
        create_message_table(connection)
    for name, plain in PLAIN_TABLES.items():
        if plain.source in tables:
            held = rows(name)
            if plain.is_of_files:
                held = (row[1:] for row in held)
            _insert(connection, plain.source, held, list(plain.columns))
    if "footfall_timeline" in tables:
        _insert(connection, "footfall_timeline", map(_timeline_row, rows("timelines")))
    if SUM_TABLE in tables:
        write_sums(connection)


def _timeline_row(row: Row) -> Row:
    thread, start_ns, step_ns, *lists = row
    columns = (pack_column(array(code, each)) for code, each in zip("IIQQQQ", lists, strict=True))
    return thread, start_ns, step_ns, len(lists[0]), *columns


def _insert(connection: sqlite3.Connection, table: str, rows: Iterable[Row], columns: Sequence[str] = ()) -> None:
    rows = iter(rows)
    names = f"({', '.join(columns)})" if columns else ""
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        connection.executemany(f"insert into {table} {names} values ({', '.join('?' * len(some[0]))})", some)
