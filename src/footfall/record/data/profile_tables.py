"""The profile in the data file: `footfall_*` tables beside coverage.py's, writer and reader.

Stacks are interned as a tree, each node a frame and its caller; costs are summed by node, thread and context, so the
size depends on the number of different stacks, not on how long the program ran. The order in time is stored beside
them, with a size limit (record/data/timelines.py). `analyze/profile/rows.py` converts a profile to these rows and back.
"""

from __future__ import annotations

import functools
import math
import operator
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from footfall.errors import FootfallError
from footfall.record.data.data_file import has_table, insert_rows, open_data_file
from footfall.record.data.timelines import ThreadTimeline, Timelines, TreeNode, pack_column, unpack_column

__all__ = [
    "SUM_TABLE",
    "StoredCost",
    "StoredFrame",
    "StoredProfile",
    "StoredRun",
    "StoredThread",
    "check_profile_format",
    "create_profile_tables",
    "read_profile",
    "read_profile_tables",
    "read_timelines",
    "run_of_profile",
    "write_profile",
    "write_runs",
    "write_sums",
    "write_timelines",
    "write_totals",
]

_FORMAT: Final = 3
_MAX_STORED_SPANS: Final = 1 << 20  # in one data file: bounds the memory that its reader needs
_MAX_STEP_NS: Final = 1 << 62

_SCHEMA: Final = """
create table footfall_profile (format integer, processes integer, samples integer, dropped integer, late integer,
    interval_ns integer);
create table footfall_thread (id integer primary key, pid integer, native_id integer, name text, wall_squares real,
    cpu_squares real, gil_squares real);
create table footfall_frame (id integer primary key, path text, qualname text, first_line integer, line integer,
    end_line integer, start_column integer, end_column integer);
create table footfall_node (id integer primary key, parent_id integer, frame_id integer);
create table footfall_cost (node_id integer, thread_id integer, context text, samples integer, wall_ns integer,
    cpu_ns integer, gil_ns integer, gil_wait_ns integer, gil_untold_ns integer);
create table footfall_run (identity text primary key, first_thread integer, n_threads integer, processes integer,
    samples integer, dropped integer, late integer, interval_ns integer);
create table footfall_timeline (thread_id integer primary key, start_ns integer, step_ns integer, n_spans integer,
    nodes blob, contexts blob, samples blob, wall_ns blob, cpu_ns blob, gil_ns blob);
create table footfall_timeline_context (id integer primary key, context text);
create table footfall_native_call (frame_id integer primary key);
"""

SUM_TABLE: Final = "footfall_cost_sum"
"""The costs of all threads together. Only in combined data: there may be thousands of threads with the same stacks."""
_SUMS: Final = (
    "select node_id, context, sum(samples) samples, sum(wall_ns) wall_ns, sum(cpu_ns) cpu_ns, sum(gil_ns) gil_ns,"
    " sum(gil_wait_ns) gil_wait_ns, sum(gil_untold_ns) gil_untold_ns from footfall_cost group by node_id, context"
)


class StoredRun(NamedTuple):
    """One run of a profile, which may combine several. Its threads are the `n_threads` from `first_thread` on."""

    identity: str
    first_thread: int
    n_threads: int
    n_processes: int
    n_samples: int
    n_dropped: int
    n_late: int
    interval_ns: int


class StoredThread(NamedTuple):
    """One thread of one process; `native_id` is the system's. For the squares see calltree.py: Squares."""

    pid: int
    native_id: int
    name: str
    wall_squares: float = 0.0
    cpu_squares: float = 0.0
    gil_squares: float = 0.0


class StoredFrame(NamedTuple):
    """A function at one place in its source. Columns are UTF-8 byte offsets, None if not known."""

    path: str
    qualname: str
    first_line: int
    line: int
    end_line: int
    column: int | None
    end_column: int | None


class StoredCost(NamedTuple):
    """What thread number `thread` spent with node number `node` as its innermost frame, in one context."""

    node: int
    thread: int
    context: str
    samples: int
    wall_ns: int
    cpu_ns: int
    gil_ns: int
    gil_wait_ns: int = 0
    gil_untold_ns: int = 0


@dataclass(slots=True)
class StoredProfile:
    """A profile as rows. Numbers in the rows index these lists, from 0."""

    n_processes: int = 0
    n_samples: int = 0
    n_dropped: int = 0
    n_late: int = 0
    interval_ns: int = 0
    threads: list[StoredThread] = field(default_factory=list)
    frames: list[StoredFrame] = field(default_factory=list)
    nodes: list[TreeNode] = field(default_factory=list)
    costs: list[StoredCost] = field(default_factory=list)
    timelines: Timelines = field(default_factory=Timelines)
    native_calls: set[int] = field(default_factory=set)
    """Frames that are at a call of a C function."""


def create_profile_tables(connection: sqlite3.Connection) -> None:
    """Make the tables, empty, in a data file that is being written."""
    for statement in _SCHEMA.split(";"):
        if statement.strip():
            connection.execute(statement)


def write_profile(connection: sqlite3.Connection, profile: StoredProfile, identity: str = "") -> None:
    """Add the profile to a data file that is being written. Raises sqlite3 errors.

    `identity` is how combining recognizes the run, so that it is never counted twice; without it, by what was recorded.
    """
    create_profile_tables(connection)
    if identity:
        write_runs(connection, [run_of_profile(profile, identity)])
    write_totals(connection, profile)
    for table, rows in (
        ("footfall_thread", profile.threads),
        ("footfall_frame", profile.frames),
        ("footfall_node", profile.nodes),
    ):
        insert_rows(connection, table, ((index, *row) for index, row in enumerate(rows)))
    insert_rows(connection, "footfall_cost", profile.costs)
    insert_rows(connection, "footfall_native_call", ((frame,) for frame in sorted(profile.native_calls)))
    write_timelines(connection, profile.timelines)


def run_of_profile(profile: StoredProfile, identity: str) -> StoredRun:
    """Return the single run that a profile comes from."""
    totals = (profile.n_processes, profile.n_samples, profile.n_dropped, profile.n_late, profile.interval_ns)
    return StoredRun(identity, 0, len(profile.threads), *totals)


def write_runs(connection: sqlite3.Connection, runs: Iterable[StoredRun]) -> None:
    """Add the runs of a profile."""
    insert_rows(connection, "footfall_run", runs)


def write_totals(connection: sqlite3.Connection, profile: StoredProfile) -> None:
    """Add the row of a profile's totals."""
    totals = (profile.n_processes, profile.n_samples, profile.n_dropped, profile.n_late, profile.interval_ns)
    insert_rows(connection, "footfall_profile", [(_FORMAT, *totals)])


def write_sums(connection: sqlite3.Connection) -> None:
    """Add the sums of all threads' costs, when these are complete, for readers that do not ask for threads."""
    connection.execute(f"create table {SUM_TABLE} as {_SUMS}")


def write_timelines(connection: sqlite3.Connection, timelines: Timelines) -> None:
    """Add the timelines, up to the number of spans that may be stored."""
    timelines.bound()
    insert_rows(connection, "footfall_timeline_context", enumerate(timelines.labels))
    rows = [
        (
            thread,
            timeline.start_ns,
            timelines.step_ns,
            len(timeline),
            *map(pack_column, timeline.columns()),
        )
        for thread, timeline in timelines.threads.items()
    ]
    insert_rows(connection, "footfall_timeline", rows)


def read_profile(path: str | Path, *, has_timelines: bool = False, by_thread: bool = True) -> StoredProfile | None:
    """Read the profile of a data file; None if it has none, like files of coverage.py.

    With `has_timelines` the order in time too, counted from the start of each run. Without `by_thread` the costs of
    all threads are those of thread 0, so that what is read does not grow with the number of runs.
    Raises FootfallError: as `open_data_file`, and `data-schema` for a format this version does not know.
    """
    with open_data_file(path) as connection:
        profile = read_profile_tables(connection, path, by_thread=by_thread)
        if profile is not None and has_timelines:
            profile.timelines = read_timelines(connection, profile)
            runs = has_table(connection, "footfall_run")
            rows = connection.execute("select first_thread from footfall_run").fetchall() if runs else []
            profile.timelines.count_from_start(first for (first,) in rows if isinstance(first, int))
        return profile


def read_timelines(connection: sqlite3.Connection, profile: StoredProfile) -> Timelines:
    """Read the timelines of a profile's threads, empty if there are none.

    Raises sqlite3.DatabaseError for invalid contents.
    """
    found = Timelines()
    if not has_table(connection, "footfall_timeline"):
        return found
    try:
        for number, label in connection.execute("select id, context from footfall_timeline_context order by id"):
            if not isinstance(label, str) or found.context(label) != number:
                raise ValueError("a context has no name or number of its own")
        room = _MAX_STORED_SPANS
        for thread, start_ns, step_ns, count, *columns in connection.execute("select * from footfall_timeline"):
            if not (0 <= thread < len(profile.threads) and 0 <= step_ns <= _MAX_STEP_NS and 0 < count <= room):
                raise ValueError("a thread's numbers are out of range")
            room -= count
            timeline = ThreadTimeline.of_columns(
                start_ns, *(unpack_column(packed, code, count) for packed, code in zip(columns, "IIQQQQ", strict=True))
            )
            if max(timeline.nodes) >= len(profile.nodes) or max(timeline.contexts) >= len(found.labels):
                raise ValueError("a span refers to nothing")
            found.step_ns = max(found.step_ns, step_ns)
            found.threads[thread] = timeline
        found.bound()
    except (TypeError, ValueError, OverflowError) as error:
        raise sqlite3.DatabaseError(f"the profile's timelines do not fit together ({error})") from error
    return found


def check_profile_format(connection: sqlite3.Connection, path: str | Path) -> tuple[Any, ...] | None:
    """Return the row of the totals of an open data file; None without a profile.

    Raises FootfallError (`data-schema`) for a format that this version can't read.
    """
    if not has_table(connection, "footfall_profile"):
        return None
    row: tuple[Any, ...] | None = connection.execute("select * from footfall_profile").fetchone()
    if row is None or row[0] != _FORMAT:
        found = None if row is None else row[0]
        raise FootfallError(
            "data-schema",
            f"The profile in {path} has format {found}, and this footfall reads {_FORMAT}.",
            "Run the program again, or update footfall.",
        )
    return row


def read_profile_tables(
    connection: sqlite3.Connection, path: str | Path, *, by_thread: bool = True
) -> StoredProfile | None:
    """Read the profile of an open data file; like `read_profile`, but invalid contents raise sqlite3.DatabaseError."""
    row = check_profile_format(connection, path)
    if row is None:
        return None
    try:
        profile = StoredProfile(*row[1:])
        columns = "pid, native_id, name, wall_squares, cpu_squares, gil_squares"
        profile.threads = _rows(connection, StoredThread, f"select {columns} from footfall_thread order by id")
        columns = "path, qualname, first_line, line, end_line, start_column, end_column"
        profile.frames = _rows(connection, StoredFrame, f"select {columns} from footfall_frame order by id")
        profile.nodes = _rows(connection, TreeNode, "select parent_id, frame_id from footfall_node order by id")
        costs, thread = "footfall_cost", "thread_id"
        if not by_thread:
            costs, thread = SUM_TABLE if has_table(connection, SUM_TABLE) else f"({_SUMS})", "0"
        columns = f"node_id, {thread}, context, samples, wall_ns, cpu_ns, gil_ns, gil_wait_ns, gil_untold_ns"
        profile.costs = _rows(connection, StoredCost, f"select {columns} from {costs}")
        if has_table(connection, "footfall_native_call"):  # files of earlier versions do not have it
            rows = connection.execute("select frame_id from footfall_native_call")
            profile.native_calls = {frame for (frame,) in rows}
        _check(profile)
    except TypeError as error:  # a missing or extra column, a text where a number belongs
        raise sqlite3.DatabaseError(f"the profile's tables do not fit together ({error})") from error
    return profile


_Row = TypeVar("_Row", bound=NamedTuple)


def _rows(connection: sqlite3.Connection, kind: type[_Row], query: str) -> list[_Row]:
    # the query fixes the number of columns; checking it for each of 100,000 rows takes as long as reading them
    make: Callable[[tuple[Any, ...]], _Row] = functools.partial(tuple.__new__, kind)
    return list(map(make, connection.execute(query)))


def _check(profile: StoredProfile) -> None:
    """Raise sqlite3.DatabaseError or TypeError for contents that no profile has, so that readers need not check.

    Numbers index their lists, names are texts, times and counts are 0 or more. By columns, as there are many rows.
    """
    n_nodes, n_frames, n_threads = len(profile.nodes), len(profile.frames), len(profile.threads)
    totals = (profile.n_processes, profile.n_samples, profile.n_dropped, profile.n_late, profile.interval_ns)
    parents, frames = _columns(profile.nodes[1:], 2)
    nodes, threads, contexts, *costs = _columns(profile.costs, 9)
    paths, names, *places = _columns(profile.frames, 7)
    lines, columns = places[:2], places[2:]
    pids, native_ids, thread_names, *squares = _columns(profile.threads, 6)
    fits = (
        profile.nodes[:1] == [TreeNode(-1, -1)]
        and _are_numbers(parents, n_nodes)
        and all(map(operator.lt, parents, range(1, n_nodes)))
        and _are_numbers(frames, n_frames)
        and _are_numbers(nodes, n_nodes)
        and _are_numbers(threads, n_threads)
        and all(map(_are_numbers, costs))
        and _are_numbers([*profile.native_calls], n_frames)
        and {*map(type, contexts), *map(type, paths), *map(type, names)} <= {str}
        and all(_are_places(column) for column in lines)
        and all(_are_places([each for each in column if each is not None]) for column in columns)
        and _are_numbers(pids)
        and _are_numbers(native_ids)
        and {*map(type, thread_names)} <= {str}
        and all(type(square) is float and 0 <= square < math.inf for column in squares for square in column)
        and _are_numbers(totals)
    )
    if not fits:
        raise sqlite3.DatabaseError("the profile's tables do not fit together")


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True)) if rows else [()] * width


# 9 years of nanoseconds; data of several such runs can be added up in SQLite's 64 bits
_END_OF_NUMBERS: Final = 1 << 58


def _are_numbers(column: Sequence[Any], end: int = _END_OF_NUMBERS) -> bool:
    """Return whether all are whole numbers from 0 to below `end`."""
    return not column or ({*map(type, column)} == {int} and min(column) >= 0 and max(column) < end)


def _are_places(column: Sequence[Any]) -> bool:
    """Return whether all are valid as a line or column: -1 means none."""
    return not column or ({*map(type, column)} == {int} and min(column) >= -1 and max(column) < 1 << 31)
