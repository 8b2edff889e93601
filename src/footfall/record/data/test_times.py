"""The measured times of tests in the data file: a table of ours beside coverage.py's, writer, reader and merger.

There is a row for each run and context. Runs have the same identity as in the profile, so that a run found again, in a
copy of its file or in a file that it was combined into, is not counted twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from footfall.record.data.coverage_tables import context_filter
from footfall.record.data.data_file import has_table, open_data_file
from footfall.record.run.phase_times import PhaseTime

__all__ = ["TestTimesMerge", "create_test_time_table", "read_test_times", "write_test_times"]

_TABLE: Final = "footfall_test_time"
_SCHEMA: Final = f"""create table if not exists {_TABLE} (run text, context text, n integer, wall_ns integer,
    cpu_ns integer, primary key (run, context)) without rowid"""
_END_OF_NUMBERS: Final = 1 << 58  # as in the profile's tables

_Row = tuple[str, str, int, int, int]


def write_test_times(connection: sqlite3.Connection, times: Mapping[str, PhaseTime], identity: str) -> None:
    """Add one run's times by context to a data file that is being written; nothing if there are none."""
    _write(connection, [(identity, context, *time) for context, time in times.items()])


def create_test_time_table(connection: sqlite3.Connection) -> None:
    """Make the table, unless it is there, in a data file that is being written."""
    connection.execute(_SCHEMA)


def _write(connection: sqlite3.Connection, rows: Iterable[_Row]) -> None:
    rows = sorted(rows)
    if rows:
        create_test_time_table(connection)
        connection.executemany(f"insert or ignore into {_TABLE} values (?, ?, ?, ?, ?)", rows)


def read_test_times(path: str | Path, contexts: Iterable[str] = ()) -> dict[str, PhaseTime]:
    """Return the times by context, of all runs together; none if none were measured.

    `contexts` are regular expressions: if given, only contexts that match one of them. Raises as `open_data_file`.
    """
    patterns = list(contexts)
    is_wanted = context_filter(patterns) if patterns else None
    found: dict[str, PhaseTime] = {}
    with open_data_file(path) as connection:
        for _, context, *numbers in _read(connection):
            if is_wanted is None or is_wanted(context):
                time = PhaseTime(*numbers)
                found[context] = found[context].plus(time) if context in found else time
    return found


def _read(connection: sqlite3.Connection) -> list[_Row]:
    """Return all rows. Raises sqlite3.DatabaseError for invalid contents."""
    if not has_table(connection, _TABLE):
        return []
    rows = connection.execute(f"select run, context, n, wall_ns, cpu_ns from {_TABLE}").fetchall()
    for run, context, *numbers in rows:
        if not (isinstance(run, str) and isinstance(context, str)):
            raise sqlite3.DatabaseError("a test has no name")
        if not all(isinstance(number, int) and 0 <= number < _END_OF_NUMBERS for number in numbers):
            raise sqlite3.DatabaseError("the time of a test is none")
    return rows


class TestTimesMerge:
    """The times of many data files as one table in a file that is being written."""

    __test__ = False

    def __init__(self, target: sqlite3.Connection) -> None:
        self._target = target

    def read(self, connection: sqlite3.Connection) -> list[_Row]:
        """Return a file's rows, checked. Raises sqlite3.DatabaseError."""
        return _read(connection)

    def add(self, rows: Iterable[_Row]) -> None:
        """Add the rows, except those of runs that are already included."""
        _write(self._target, rows)
