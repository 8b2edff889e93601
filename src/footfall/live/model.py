"""What the live screen shows: costs by function and by line, updated from growing sample logs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from footfall.analyze.bytecode.linetable import positions
from footfall.analyze.profile.calltree import has_source
from footfall.errors import FootfallError
from footfall.record.run.sample_log import Sample, SampleLog, SampleLogFollower

__all__ = ["LiveModel", "Measure", "Row", "Spot"]


class Measure(Enum):
    """What is counted: an index into the costs."""

    CPU = 0
    WALL = 1
    GIL = 2
    GIL_WAIT = 3


class Spot(NamedTuple):
    """A function (`line` 0), or a line of one.

    `first_line` distinguishes functions of the same name; 0: it has no source.
    """

    path: str
    name: str
    first_line: int
    line: int


class Row(NamedTuple):
    """A spot's self time, and its cumulative time (recursion counted once), in nanoseconds."""

    spot: Spot
    own: int
    total: int


_Costs = list[int]
"""Nanoseconds by measure, and last those of which it is not known whether the thread waited for the GIL; in the costs
of a spot its own, then the same cumulative."""
_N_KINDS = len(Measure) + 1


class _Log:
    """One log that is followed. For each node: the spots on its stack, each once, and its own."""

    def __init__(self, path: str) -> None:
        self.follower = SampleLogFollower(path)
        self.stacks: dict[int, tuple[frozenset[Spot], Spot, Spot]] = {}

    def spots(self, node_id: int) -> tuple[frozenset[Spot], Spot, Spot] | None:
        """Return all spots on a node's stack, and its function and line; None for a node that does not exist."""
        todo = []
        at = node_id
        nodes = self.follower.log.nodes
        while at and at not in self.stacks:
            if at not in nodes or nodes[at].parent >= at:
                return None
            todo.append(at)
            at = nodes[at].parent
        while todo:
            at = todo.pop()
            parent = nodes[at].parent
            above = self.stacks[parent][0] if parent else frozenset()
            found = _spots_of(self.follower.log, nodes[at].code, nodes[at].unit)
            if found is None:
                return None
            everything = above if above.issuperset(found) else above | set(found)
            self.stacks[at] = (everything, *found)
        return self.stacks.get(node_id)


def _spots_of(log: SampleLog, code_id: int, unit: int) -> tuple[Spot, Spot] | None:
    code = log.codes.get(code_id)
    if code is None:
        return None
    if not has_source(code.path):
        function = Spot(code.path, code.qualname, 0, 0)
        return function, function
    line: int | None = unit
    if not log.units_are_lines:
        table = positions(code.line_table, code.first_line)
        line = table[unit][0] if unit < len(table) else None
    function = Spot(code.path, code.qualname, code.first_line, 0)
    return function, function._replace(line=line or code.first_line or 1)


class LiveModel:
    """Costs so far. Not thread-safe.

    A line appears under the name of its function, with a row for each; the collector and imports have no line.
    """

    def __init__(self) -> None:
        self._logs: dict[str, _Log] = {}
        self._costs: dict[tuple[str, Spot], _Costs] = {}
        self._sums: dict[str, _Costs] = {}
        self.samples = 0
        self.messages: list[str] = []

    def reset(self) -> None:
        """Start counting anew."""
        self._costs.clear()
        self._sums.clear()
        self.samples = 0

    @property
    def dropped(self) -> int:
        """Return how many reads gave no whole stack, since the beginning."""
        return sum(log.follower.log.n_dropped for log in self._logs.values())

    def threads(self) -> list[str]:
        """Return the labels of the threads that were seen, most CPU first."""
        return sorted(self._sums, key=lambda label: -self._sums[label][Measure.CPU.value])

    def read(self, paths: Iterable[str]) -> None:
        """Read what is new in these logs."""
        for path in paths:
            log = self._logs.get(path)
            if log is None:
                log = self._logs[path] = _Log(path)
            try:
                log.follower.read()
            except (OSError, FootfallError) as error:
                self.messages.append(str(error))
                continue
            self._add(log)

    def _add(self, log: _Log) -> None:
        data = log.follower.log
        for sample in data.samples:
            thread = data.threads.get(sample.thread)
            if thread is None:
                continue
            label = f"{data.pid}/{thread.native_id} {thread.name}".rstrip()
            cost = _cost_of(sample)
            _add_to(self._sums.setdefault(label, [0] * _N_KINDS), cost, 0)
            self.samples += sample.repeat
            found = log.spots(sample.node) if sample.node else None
            if found is None:
                continue
            everything, *own = found
            for spot in everything:
                costs = self._costs.setdefault((label, spot), [0] * (2 * _N_KINDS))
                _add_to(costs, cost, _N_KINDS)
                if spot in own:
                    _add_to(costs, cost, 0)

    def total(self, measure: Measure, thread: str | None = None) -> int:
        """Return the nanoseconds of one thread or all of them."""
        return sum(costs[measure.value] for label, costs in self._sums.items() if thread in (None, label))

    def untold_wait(self, thread: str | None = None) -> float:
        """Return the part of the wall time, 0 to 1, of which it is not known whether a thread waited for the GIL."""
        untold = sum(costs[-1] for label, costs in self._sums.items() if thread in (None, label))
        return untold / (self.total(Measure.WALL, thread) or 1)

    def rows(
        self, measure: Measure, *, by_line: bool, by_total: bool, thread: str | None = None, search: str = ""
    ) -> list[Row]:
        """Return functions or lines, most expensive first; `search` is matched against name and path, ignoring case."""
        found: dict[Spot, _Costs] = {}
        for (label, spot), costs in self._costs.items():
            if bool(spot.line) == by_line and thread in (None, label):
                _add_to(found.setdefault(spot, [0, 0]), (costs[measure.value], costs[measure.value + _N_KINDS]), 0)
        needle = search.casefold()
        rows = [
            Row(spot, own, total)
            for spot, (own, total) in found.items()
            if total and needle in f"{spot.name} {spot.path}".casefold()
        ]
        rows.sort(key=lambda row: (-(row.total if by_total else row.own), -row.total, row.spot))
        return rows

    @staticmethod
    def logs_of(directory: str) -> list[str]:
        """Return the sample logs of a run directory."""
        try:
            return sorted(entry.path for entry in os.scandir(directory) if entry.name.endswith(".smp"))
        except OSError:
            return []


def _cost_of(sample: Sample) -> tuple[int, ...]:
    wall_ns = sample.wall_ns
    held = wall_ns if sample.holds_gil else 0
    waited = wall_ns if sample.waits_for_gil else 0
    untold = wall_ns if sample.waits_for_gil is None and not sample.holds_gil else 0
    return sample.cpu_ns, wall_ns, held, waited, untold


def _add_to(costs: _Costs, more: Iterable[int], at: int) -> None:
    for index, value in enumerate(more, at):
        costs[index] += value
