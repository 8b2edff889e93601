"""One table of a shard as a Parquet file: rows in, rows out, a group of rows at a time. The only user of pyarrow."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from footfall.errors import FootfallError
from footfall.record.lake.remote import is_url, open_file
from footfall.record.lake.schema import FORMAT, TABLES

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Row", "need_pyarrow", "read_rows", "write_rows"]

Row = tuple[Any, ...]

_FORMAT_KEY: Final = b"footfall_lake_format"
_MOST_ROWS: Final = 1 << 16  # in a group, which is what is in memory
_MOST_BYTES: Final = 16 << 20
_READ_ROWS: Final = 1 << 11


def need_pyarrow() -> None:
    """Raise FootfallError (`lake-extra`) if pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise FootfallError(
            "lake-extra", f"Parquet needs pyarrow ({error}).", "Install it: pip install 'footfall[lake]'"
        ) from error


def _schema(table: str) -> pyarrow.Schema:
    import pyarrow as pa

    def kind(name: str) -> pyarrow.DataType:
        if name.startswith("list<"):
            return pa.list_(kind(name[5:-1]))
        return {"bool": pa.bool_(), "double": pa.float64()}.get(name) or getattr(pa, name)()

    fields = [pa.field(name, kind(type_)) for name, type_ in TABLES[table].items()]
    return pa.schema(fields, metadata={_FORMAT_KEY: str(FORMAT)})


def write_rows(path: str, table: str, rows: Iterable[Row]) -> None:
    """Write a table's file. Rows have the columns in order, and are in memory one group at a time.

    Raises OSError, and sqlite3.DatabaseError for a value that its column can't have: rows come from a data file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(table)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in _groups(table, rows):
            try:
                columns = [
                    pa.array(values, type_)
                    for values, type_ in zip(zip(*group, strict=True), schema.types, strict=True)
                ]
                batch = pa.record_batch(columns, schema=schema)
            except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
                raise sqlite3.DatabaseError(f"a value does not fit into {table} ({error})") from error
            writer.write_batch(batch)


def _groups(table: str, rows: Iterable[Row]) -> Iterator[list[Row]]:
    kinds = TABLES[table].values()
    sizes = [(place, size) for place, kind in enumerate(kinds) if (size := _size_of_item(kind))]
    row_bytes = 8 * (len(kinds) - len(sizes))
    group: list[Row] = []
    size_bytes = 0
    for row in rows:
        group.append(row)
        size_bytes += row_bytes
        try:
            for place, size in sizes:
                if row[place] is not None:
                    size_bytes += size * len(row[place])
        except TypeError as error:  # a number where a text belongs
            raise sqlite3.DatabaseError(f"a value does not fit into {table} ({error})") from error
        if len(group) >= _MOST_ROWS or size_bytes >= _MOST_BYTES:
            yield group
            group, size_bytes = [], 0
    if group:
        yield group


def _size_of_item(kind: str) -> int:
    """Return the bytes of each item of a column's values; 0 if these have no length."""
    return 8 if kind.startswith("list<") else int(kind in ("string", "binary"))


def read_rows(path: str, table: str) -> Iterator[Row]:
    """Yield a table's rows, some of them in memory.

    Raises FootfallError: `lake-format` for one of another version, `lake-damaged` for what is no such table.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = _schema(table)
    try:
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(open_file(path)) if is_url(path) else path
            file = stack.enter_context(pq.ParquetFile(source))
            found = (file.schema_arrow.metadata or {}).get(_FORMAT_KEY, b"none").decode("ascii", "replace")
            if found != str(FORMAT):
                raise FootfallError(
                    "lake-format",
                    f"{path} has format {found}, and this footfall reads {FORMAT}.",
                    "Add the data files again, or update footfall.",
                )
            for batch in file.iter_batches(_READ_ROWS, columns=wanted.names):
                columns = [batch.column(field.name).cast(field.type).to_pylist() for field in wanted]
                yield from zip(*columns, strict=True)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise FootfallError(
            "lake-damaged", f"Can't read {path}: {error}.", "Add the shard's data file again: footfall lake add"
        ) from error
