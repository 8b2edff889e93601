"""Merges the profiles of many data files into one in a new file. Called by record/data/combine.py.

A combined profile is a set of runs, each with its own threads; stacks are shared. A run has an identity, so that a run
found again, in a copy of its file or in a file that it was combined into before, is not counted twice. So adding
profiles is as independent of order and repetition as merging coverage.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from footfall.record.data.data_file import has_table
from footfall.record.data.profile_tables import (
    StoredProfile,
    StoredRun,
    create_profile_tables,
    read_profile_tables,
    read_timelines,
    run_of_profile,
    write_runs,
    write_sums,
    write_timelines,
    write_totals,
)
from footfall.record.data.timelines import Timelines

__all__ = ["ProfilesMerge"]

_MAX_NUMBER: Final = 2**63 - 1  # SQLite's
_MAX_CACHED: Final = 250_000


@dataclass(slots=True)
class ProfileRuns:
    """A data file's profile, and the runs that it comes from."""

    profile: StoredProfile
    runs: list[StoredRun]


class ProfilesMerge:
    """Merges into `target`, the connection of a data file that `create_data_file` makes."""

    def __init__(
        self, target: sqlite3.Connection, map_path: Callable[[str], str], max_cached: int = _MAX_CACHED
    ) -> None:
        self._target = target
        self._map_path = map_path
        self._runs: dict[str, StoredRun] = {}
        self._n_threads = 0
        self._timelines = Timelines()
        self._is_any = False
        columns = ("path", "qualname", "first_line", "line", "end_line", "start_column", "end_column")
        self._frames = _NumberedRows(target, "footfall_frame", columns, 0, max_cached)
        self._nodes = _NumberedRows(target, "footfall_node", ("parent_id", "frame_id"), 1, max_cached)

    def read(self, connection: sqlite3.Connection, path: str) -> ProfileRuns | None:
        """Return an open data file's profile for `add`; None if it has none.

        Raises sqlite3.DatabaseError for invalid contents, FootfallError (`data-schema`) for another format.
        """
        profile = read_profile_tables(connection, path)
        if profile is None:
            return None
        profile.timelines = read_timelines(connection, profile)
        query = "select * from footfall_run order by first_thread, n_threads"
        if not has_table(connection, "footfall_run"):
            return ProfileRuns(profile, [run_of_profile(profile, _digest(profile))])
        try:
            runs = [StoredRun(*row) for row in connection.execute(query)]
        except TypeError as error:
            raise sqlite3.DatabaseError(f"the table of runs has other columns ({error})") from error
        if not runs:
            runs = [run_of_profile(profile, _digest(profile))]
        _check_runs(runs, len(profile.threads))
        return ProfileRuns(profile, runs)

    def add(self, found: ProfileRuns | None) -> int:
        """Add the runs that are not included yet. Returns how many already were."""
        if found is None:
            return 0
        if not self._is_any:
            self._is_any = True
            create_profile_tables(self._target)
            self._target.execute("insert into footfall_node values (0, -1, -1)")
        threads: dict[int, int] = {}  # number there -> here
        n_known = 0
        for run in found.runs:
            if run.identity in self._runs:
                n_known += 1
                continue
            self._runs[run.identity] = run._replace(first_thread=self._n_threads)
            for number in range(run.first_thread, run.first_thread + run.n_threads):
                row = (self._n_threads, *found.profile.threads[number])
                self._target.execute("insert into footfall_thread values (?, ?, ?, ?, ?, ?, ?)", row)
                threads[number] = self._n_threads
                self._n_threads += 1
        if threads:
            self._add_costs(found.profile, threads)
        return n_known

    def _add_costs(self, profile: StoredProfile, threads: dict[int, int]) -> None:
        costs = [cost for cost in profile.costs if cost.thread in threads]
        nodes = {0: 0}  # number there -> here
        native_calls: set[int] = set()
        frames: dict[int, int] = {}  # number there -> here; many nodes have the same frame

        def number_frame(frame_number: int) -> int:
            found = frames.get(frame_number)
            if found is None:
                frame = profile.frames[frame_number]
                frame = frame._replace(path=self._map_path(frame.path))
                found = frames[frame_number] = self._frames.number(tuple(frame))
                if frame_number in profile.native_calls:
                    native_calls.add(found)
            return found

        def number(node: int) -> int:
            chain = []
            while node not in nodes:
                chain.append(node)
                node = profile.nodes[node].parent
            for node in reversed(chain):
                parent, frame_number = profile.nodes[node]
                nodes[node] = self._nodes.number((nodes[parent], number_frame(frame_number)))
            return nodes[chain[0]] if chain else nodes[node]

        rows = [(number(cost.node), threads[cost.thread], *cost[2:]) for cost in costs]
        self._target.executemany("insert into footfall_cost values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._add_timelines(profile.timelines, threads, number)
        self._target.executemany(
            "insert or ignore into footfall_native_call values (?)", ((frame,) for frame in sorted(native_calls))
        )

    def _add_timelines(self, found: Timelines, threads: dict[int, int], number: Callable[[int], int]) -> None:
        """Add the threads' spans, on the coarsest grid of all, so that finer detail is never processed."""
        self._timelines.coarsen(found.step_ns)
        for thread in sorted(found.threads.keys() & threads.keys()):
            timeline = found.threads[thread]
            if found.step_ns < self._timelines.step_ns:
                timeline = timeline.rounded(self._timelines.step_ns, found.step_ns)
            contexts = {context: self._timelines.context(found.labels[context]) for context in set(timeline.contexts)}
            nodes = {node: number(node) for node in set(timeline.nodes)}
            self._timelines.take(threads[thread], timeline.renumbered(nodes, contexts), self._timelines.step_ns)

    def finish(self) -> None:
        """Write the runs and their totals. Call it once, after the last `add`."""
        if not self._is_any:
            return
        runs = self._runs.values()
        write_runs(self._target, runs)
        totals = StoredProfile(
            n_processes=_sum(run.n_processes for run in runs),
            n_samples=_sum(run.n_samples for run in runs),
            n_dropped=_sum(run.n_dropped for run in runs),
            n_late=_sum(run.n_late for run in runs),
            # with several rates, the whole is only as precise as the slowest
            interval_ns=max((run.interval_ns for run in runs), default=0),
        )
        write_totals(self._target, totals)
        if len(self._runs) > 1:
            write_sums(self._target)
        write_timelines(self._target, self._timelines)
        self._frames.close()
        self._nodes.close()


def _sum(numbers: Iterable[int]) -> int:
    return min(_MAX_NUMBER, sum(numbers))


def _digest(profile: StoredProfile) -> str:
    """Return what identifies a run without an identity: a digest of everything recorded of it."""
    totals = (profile.n_processes, profile.n_samples, profile.n_dropped, profile.n_late, profile.interval_ns)
    digest = hashlib.sha256(repr(totals).encode())
    rows: Iterable[Iterable[object]]
    for rows in (profile.threads, profile.frames, profile.nodes, profile.costs):
        digest.update(repr([tuple(row) for row in rows]).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _check_runs(runs: list[StoredRun], n_threads: int) -> None:
    """Raise sqlite3.DatabaseError unless the threads are divided among the runs."""
    expected = 0
    for run in runs:
        is_sound = isinstance(run.identity, str) and all(isinstance(n, int) and n >= 0 for n in run[1:])
        if not is_sound or run.first_thread != expected:
            break
        expected += run.n_threads
    if expected != n_threads:
        raise sqlite3.DatabaseError("the profile's runs and threads do not fit together")


class _NumberedRows:
    """A table of distinct rows, each with a number: kept in memory while there are few, then looked up in the file."""

    def __init__(
        self, target: sqlite3.Connection, table: str, columns: tuple[str, ...], first: int, max_cached: int
    ) -> None:
        self._target = target
        self._next = first
        self._max_cached = max_cached
        self._cached: dict[tuple[object, ...], int] = {}
        self._index = f"{table}_rows"
        self._is_indexed = False
        self._make_index = f"create index {self._index} on {table} ({', '.join(columns)})"
        self._insert = f"insert into {table} values (?, {', '.join('?' * len(columns))})"
        self._select = f"select id from {table} where {' and '.join(f'{name} is ?' for name in columns)}"

    def number(self, row: tuple[object, ...]) -> int:
        """Return the row's number, a new one if the row is new."""
        known = self._cached.get(row)
        if known is not None:
            return known
        if self._is_indexed:
            found = self._target.execute(self._select, row).fetchone()
            if found is not None:
                return self._remember(row, int(found[0]))
        number = self._next
        self._next += 1
        self._target.execute(self._insert, (number, *row))
        return self._remember(row, number)

    def _remember(self, row: tuple[object, ...], number: int) -> int:
        if len(self._cached) >= self._max_cached:
            self._cached.clear()
            if not self._is_indexed:
                self._is_indexed = True
                self._target.execute(self._make_index)
        self._cached[row] = number
        return number

    def close(self) -> None:
        """Remove what the file need not keep."""
        if self._is_indexed:
            self._target.execute(f"drop index {self._index}")
