"""Each file's arcs whatever the context: many tests' arcs are alike, and most reports need each once.

Making them distinct takes a tenth of a second for 5,000 tests of one file, so data of many contexts has them in a table
of ours, beside coverage.py's. Another program may add to the file and knows nothing of it: triggers empty the table
then, so that it has all arcs or none. Written and read by coverage_tables.py and merging/coverage.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence

from footfall.record.data.data_file import has_table

__all__ = ["FEW_CONTEXTS", "arcs_of_texts", "distinct_arcs", "keep_distinct_arcs", "write_distinct_arcs"]

FEW_CONTEXTS = 3
"""Of so few, arcs are mostly different, and it costs less to read all."""

_TABLE = "footfall_distinct_arcs"
_CHANGES = ("insert", "update", "delete")

_Texts = tuple[int, str, str]
"""A file's number, where its arcs start and where they end: texts cost a third of a tuple for each."""


def write_distinct_arcs(connection: sqlite3.Connection, arcs: Mapping[int, Iterable[tuple[int, int]]]) -> None:
    """Add the arcs of each file, by its number, to a data file in which the arcs of all contexts are written."""
    rows = ((file_id, list(zip(*sorted(own), strict=True))) for file_id, own in arcs.items())
    _write(connection, ((file_id, *(",".join(map(str, each)) for each in ends)) for file_id, ends in rows if ends))


def keep_distinct_arcs(connection: sqlite3.Connection) -> None:
    """Do the same with the arcs that the data file has, if it has many contexts, file by file."""
    if _count_contexts(connection) > FEW_CONTEXTS:
        _write(connection, _each_file(connection, "", _file_ids(connection)))


def _write(connection: sqlite3.Connection, rows: Iterable[tuple[int | str, ...]]) -> None:
    connection.execute(f"create table {_TABLE} (file_id integer primary key, starts text, ends text)")
    for row in rows:
        connection.execute(f"insert into {_TABLE} values (?, ?, ?)", row)
    for change in _CHANGES:
        connection.execute(f"create trigger {_TABLE}_{change} after {change} on arc begin delete from {_TABLE}; end")


def arcs_of_texts(starts: str, ends: str) -> set[tuple[int, int]]:
    """Return the arcs that start and end at these lines. Raises ValueError."""
    return set(zip(map(int, starts.split(",")), map(int, ends.split(",")), strict=True))


def distinct_arcs(connection: sqlite3.Connection, where: str, file_ids: Sequence[int] | None) -> Iterator[_Texts]:
    """Yield of each file that has arcs, or of those with these numbers, the arcs that `where` selects; "" for all."""
    wanted = "" if file_ids is None else f"file_id in ({', '.join(map(str, file_ids))})"
    if not where and has_table(connection, _TABLE):
        if connection.execute(f"select 1 from {_TABLE} limit 1").fetchone() is not None:
            yield from connection.execute(f"select file_id, starts, ends from {_TABLE} where {wanted or 'true'}")
            return
    if _count_contexts(connection) > FEW_CONTEXTS:
        yield from _each_file(connection, where, _file_ids(connection) if file_ids is None else file_ids)
        return
    where = " and ".join(filter(None, (where, wanted)))
    query = "select file_id, group_concat(fromno), group_concat(tono) from arc"
    yield from connection.execute(f"{query} where {where or 'true'} group by file_id")


def _each_file(connection: sqlite3.Connection, where: str, file_ids: Sequence[int]) -> Iterator[_Texts]:
    """Yield the same, made distinct file by file, which takes half the time of all at once."""
    # in order, so that equal sets are equal texts
    chosen = f"select distinct fromno, tono from arc where {where or 'true'} and file_id = ? order by fromno, tono"
    for file_id in file_ids:
        query = f"select group_concat(fromno), group_concat(tono) from ({chosen})"
        ((starts, ends),) = connection.execute(query, (file_id,))
        if starts is not None:
            yield file_id, starts, ends


def _file_ids(connection: sqlite3.Connection) -> list[int]:
    return [int(file_id) for (file_id,) in connection.execute("select id from file")]


def _count_contexts(connection: sqlite3.Connection) -> int:
    (count,) = connection.execute("select count(*) from context").fetchone()
    return int(count)
