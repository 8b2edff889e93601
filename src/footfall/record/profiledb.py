"""The profile in the data file: `footfall_*` tables beside coverage.py's, writer and reader.

Stacks are interned as a tree, each node a frame and its caller; times are summed by thread, stack and context, so the
size goes with the number of different stacks, not with how long the program ran. All times are integer nanoseconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from footfall.errors import FootfallError
from footfall.record.coveragedb import open_data_file

__all__ = [
    "StoredFrame",
    "StoredNode",
    "StoredProcess",
    "StoredProfile",
    "StoredThread",
    "StoredTime",
    "read_profile",
    "write_profile",
]

_FORMAT: Final = 1

_SCHEMA: Final = """
create table footfall_profile (format integer);
create table footfall_process (id integer primary key, pid integer, start_ns integer, interval_ns integer,
    ticks integer, dropped integer, late integer);
create table footfall_thread (id integer primary key, process_id integer, tid integer, name text);
create table footfall_frame (id integer primary key, path text, function text, first_line integer, line integer);
create table footfall_stack (id integer primary key, parent_id integer, frame_id integer);
create table footfall_time (thread_id integer, stack_id integer, context text, samples integer, gil integer,
    wall_ns integer, cpu_ns integer);
"""


class StoredProcess(NamedTuple):
    """A sampled process. `start_ns` is wall time since the epoch."""

    pid: int
    start_ns: int
    interval_ns: int
    n_ticks: int
    n_dropped: int
    """Looks at a thread that gave no whole stack."""
    n_late: int


class StoredThread(NamedTuple):
    """A thread of process number `process`; `tid` is the system's."""

    process: int
    tid: int
    name: str


class StoredFrame(NamedTuple):
    """A place in a function. `line` is 0 where it is not known."""

    path: str
    function: str
    first_line: int
    line: int


class StoredNode(NamedTuple):
    """A stack: frame number `frame`, called from the stack number `parent` (-1: from none). Parents come first."""

    parent: int
    frame: int


class StoredTime(NamedTuple):
    """What was sampled with stack number `node` as the whole stack of a thread in one context.

    `node` is -1 when the thread ran no Python code. `n_gil` of the `n_samples` held the GIL.
    """

    thread: int
    node: int
    context: str
    n_samples: int
    n_gil: int
    wall_ns: int
    cpu_ns: int


@dataclass(slots=True)
class StoredProfile:
    """A profile; numbers in the tuples index these lists, from 0."""

    processes: list[StoredProcess] = field(default_factory=list)
    threads: list[StoredThread] = field(default_factory=list)
    frames: list[StoredFrame] = field(default_factory=list)
    nodes: list[StoredNode] = field(default_factory=list)
    times: list[StoredTime] = field(default_factory=list)


def write_profile(connection: sqlite3.Connection, profile: StoredProfile) -> None:
    """Add the profile to a data file that is being written. Raises sqlite3 errors."""
    for statement in _SCHEMA.split(";"):
        if statement.strip():
            connection.execute(statement)
    connection.execute("insert into footfall_profile values (?)", (_FORMAT,))
    _insert(connection, "footfall_process", profile.processes)
    _insert(connection, "footfall_thread", profile.threads)
    _insert(connection, "footfall_frame", profile.frames)
    _insert(connection, "footfall_stack", profile.nodes)
    marks = ", ".join("?" * len(StoredTime._fields))
    connection.executemany(f"insert into footfall_time values ({marks})", profile.times)


def _insert(connection: sqlite3.Connection, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Insert rows with their index as id."""
    numbered = [(index, *row) for index, row in enumerate(rows)]
    if numbered:
        marks = ", ".join("?" * len(numbered[0]))
        connection.executemany(f"insert into {table} values ({marks})", numbered)


def read_profile(path: str | Path) -> StoredProfile | None:
    """Read the profile of a data file; None when it has none, as files of coverage.py.

    Raises FootfallError: as `open_data_file`, and `data-schema` for a format this version does not know.
    """
    with open_data_file(path) as connection:
        query = "select name from sqlite_master where type = 'table' and name = 'footfall_profile'"
        if connection.execute(query).fetchone() is None:
            return None
        row = connection.execute("select format from footfall_profile").fetchone()
        if row is None or row[0] != _FORMAT:
            found = None if row is None else row[0]
            raise FootfallError(
                "data-schema",
                f"The profile in {path} has format {found}, and this footfall reads {_FORMAT}.",
                "Run the program again, or update footfall.",
            )

        def rows(table: str, columns: str) -> list[tuple[int, ...]]:
            return connection.execute(f"select {columns} from {table} order by id").fetchall()

        times = connection.execute(
            "select thread_id, stack_id, context, samples, gil, wall_ns, cpu_ns from footfall_time"
        )
        profile = StoredProfile(
            processes=[
                StoredProcess(*row)
                for row in rows("footfall_process", "pid, start_ns, interval_ns, ticks, dropped, late")
            ],
            threads=[StoredThread(*row) for row in rows("footfall_thread", "process_id, tid, name")],  # type: ignore[arg-type]
            frames=[StoredFrame(*row) for row in rows("footfall_frame", "path, function, first_line, line")],  # type: ignore[arg-type]
            nodes=[StoredNode(*row) for row in rows("footfall_stack", "parent_id, frame_id")],
            times=[StoredTime(*row) for row in times],
        )
        _check_numbers(profile)
        return profile


def _check_numbers(profile: StoredProfile) -> None:
    """Raise sqlite3.DatabaseError when a number points outside its list, so that no reader need check."""
    fits = (
        all(0 <= thread.process < len(profile.processes) for thread in profile.threads)
        and all(
            -1 <= node.parent < index and 0 <= node.frame < len(profile.frames)
            for index, node in enumerate(profile.nodes)
        )
        and all(
            0 <= time.thread < len(profile.threads) and -1 <= time.node < len(profile.nodes)
            for time in profile.times
        )
    )
    if not fits:
        raise sqlite3.DatabaseError("the profile's tables do not fit together")
