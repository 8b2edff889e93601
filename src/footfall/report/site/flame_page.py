"""The payload of the flame graph: the call tree in columns, its costs by thread and test, and a second profile.

Nodes are frames at lines. The viewer merges the lines of a function, and separates them for the selected function.
There may be a million of each, so tables are freed and columns made one after the other, as they are written.
"""

from __future__ import annotations

import operator
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, compress, groupby, islice
from typing import Any

from footfall.analyze.profile.calltree import Function, Profile, ProfiledThread
from footfall.analyze.profile.clocks import Clock, known_clocks, reader, sum_of_squares
from footfall.analyze.test_costs import name_of_test

__all__ = ["flame_items", "flame_payload", "thread_title"]

_NS_PER_US = 1000
_FRAME_BITS = 32
_LINE_BITS = 32


class _Tables:
    """Gives the files, functions, frames and nodes of one or two profiles their numbers.

    Two profiles may come from different versions of the source, so functions are matched by file and name, as shown. If
    a file has several with one name, their first lines tell them apart, provided these are the same in both profiles.
    """

    def __init__(self, shown: Callable[[str], str], profiles: Sequence[Profile]) -> None:
        self._shown = shown
        self._is_diff = len(profiles) > 1
        self._joined = self._find_joined(profiles) if self._is_diff else frozenset()
        self.files: dict[str, int] = {}
        self.names: list[str] = []
        self.paths: list[str] = []
        self.members: list[Function] = []
        """The functions, the first one of those that count as one."""
        self.file_of = array("I")
        """The files of the functions."""
        self.frame_columns = (array("I"), array("I"))
        """The functions and the lines of the frames."""
        self.node_columns = (array("i", (-1,)), array("i", (-1,)))
        """The parents and the frames of the nodes."""
        # Keys of the following: pairs would take twice the memory.
        self._functions: dict[Function, int] = {}
        self._frames: dict[int, int] = {}
        self._nodes: dict[int, int] = {}

    def _find_joined(self, profiles: Sequence[Profile]) -> frozenset[tuple[str, str]]:
        """Return the (file, name) pairs whose functions count as one: one in each profile, or several that differ."""
        lines_of: list[dict[tuple[str, str], set[int]]] = []
        for profile in profiles:
            lines_of.append({})
            for frame in profile.frames:
                key = (self._shown(frame.function.path), frame.function.qualname)
                lines_of[-1].setdefault(key, set()).add(frame.function.first_line)
        before, after = lines_of
        return frozenset(
            key
            for key in before.keys() | after.keys()
            if before.get(key) != after.get(key) or len(after.get(key, ())) == 1
        )

    def _function(self, function: Function) -> int:
        if not self._is_diff:
            return self._number(function, function, function.path)
        shown = self._shown(function.path)
        is_joined = (shown, function.qualname) in self._joined
        key = Function(shown, function.qualname, 0 if is_joined else function.first_line)
        return self._number(function, key, shown)

    def _number(self, function: Function, key: Function, file_key: str) -> int:
        number = self._functions.setdefault(key, len(self.members))
        if number == len(self.members):
            self.members.append(function)
            file = self.files.setdefault(file_key, len(self.files))
            self.file_of.append(file)
            if file == len(self.paths):
                self.paths.append(function.path)
                self.names.append(self._shown(function.path))
        return number

    def _frame(self, function: int, line: int) -> int:
        functions = self.frame_columns[0]
        number = self._frames.setdefault(function << _LINE_BITS | line, len(functions))
        if number == len(functions):
            self._add_frame(function, line)
        return number

    def _add_frame(self, function: int, line: int) -> None:
        self.frame_columns[0].append(function)
        self.frame_columns[1].append(line)

    def add(self, profile: Profile) -> Sequence[int]:
        """Add a profile, and return the number here of each of its nodes."""
        if not self._is_diff and _are_shown_apart(profile):
            for frame in profile.frames:
                self._add_frame(self._function(frame.function), frame.line)
            return self._add_as_they_are(profile, range(len(profile.frames)))
        functions: dict[Function, int] = {}
        frames = array("I")
        for frame in profile.frames:
            number = functions.get(frame.function) if self._is_diff else self._function(frame.function)
            if number is None:
                number = functions[frame.function] = self._function(frame.function)
            frames.append(self._frame(number, frame.line))
        if not self._is_diff and profile.origin is not None and len(self.frame_columns[0]) == len(frames):
            return self._add_as_they_are(profile, frames)
        found = [0] * len(profile.nodes)
        parents, frames_of_nodes = self.node_columns
        for at, node in enumerate(profile.nodes):
            if not at:
                continue
            parent, called = found[node.parent], frames[node.frame]
            number = self._nodes.setdefault(parent << _FRAME_BITS | called, len(parents))
            if number == len(parents):
                parents.append(parent)
                frames_of_nodes.append(called)
            found[at] = number
        return found

    def _add_as_they_are(self, profile: Profile, frames: Sequence[int]) -> Sequence[int]:
        """Add all nodes of another tool's profile. If no two of its frames are shown alike, no two nodes are one, and a
        million of them need not be looked up, which takes 100 MB."""
        parents, frames_of_nodes = self.node_columns
        parents.extend(node.parent for node in islice(profile.nodes, 1, None))
        frames_of_nodes.extend(frames[node.frame] for node in islice(profile.nodes, 1, None))
        return range(len(profile.nodes))

    def end(self) -> None:
        """Free what only further profiles would need."""
        self._functions.clear()
        self._frames.clear()
        self._nodes.clear()


def _are_shown_apart(profile: Profile) -> bool:
    """Return whether no two frames of another tool's profile differ only in what is not shown: it has lines alone."""
    return profile.origin is not None and all(
        frame.column is None and frame.end_line == frame.line for frame in profile.frames
    )


def thread_title(thread: ProfiledThread) -> str:
    """Return how pages name a thread."""
    return f"{thread.name or 'thread'} {thread.native_id} (process {thread.pid})"


def flame_payload(
    profile: Profile,
    *,
    shown: Callable[[str], str],
    pages: Mapping[str, str],
    coverage_of: Callable[[Function], float | None],
    is_library: Callable[[str], bool],
    before: Profile | None = None,
) -> dict[str, Any]:
    """Return what `flame_items` yields, as a dict of what JSON has."""
    items = flame_items(
        profile, shown=shown, pages=pages, coverage_of=coverage_of, is_library=is_library, before=before
    )
    payload = dict(items)
    payload["functions"] = list(payload["functions"])
    payload["frames"], payload["nodes"] = ([*map(list, payload[key])] for key in ("frames", "nodes"))
    return payload


def flame_items(
    profile: Profile,
    *,
    shown: Callable[[str], str],
    pages: Mapping[str, str],
    coverage_of: Callable[[Function], float | None],
    is_library: Callable[[str], bool],
    before: Profile | None = None,
) -> Iterator[tuple[str, Any]]:
    """Yield the flame graph's data, each with its name; costs in microseconds. Columns may be arrays, and functions are
    iterated.

    `shown` returns a path as reports show it, `pages` has the source page of a path, `coverage_of` returns the share of
    a function (0 to 1) that tests ran, and `is_library` whether a path is outside the project. `before` is a profile to
    compare with: functions are then matched by name (see `_Tables`).
    """
    profiles = [profile] if before is None else [before, profile]
    tables = _Tables(shown, profiles)
    tests: dict[str, int] = {"": 0}
    threads: list[str] = []
    node_of = tables.add(profile)
    old_node_of = tables.add(before) if before is not None else []
    tables.end()
    costs = _costs(profile, node_of, tests, threads)
    timeline = _timeline(profile, node_of, tests)
    old: list[list[int]] = []
    if before is not None:
        old = _costs(before, old_node_of, tests, [])
    yield (
        "files",
        [
            [name, pages.get(path, ""), int(not is_library(path))]
            for name, path in zip(tables.names, tables.paths, strict=True)
        ],
    )
    yield (
        "functions",
        (
            [file, function.qualname, function.first_line, coverage_of(function)]
            for file, function in zip(tables.file_of, tables.members, strict=True)
        ),
    )
    yield "frames", tables.frame_columns
    yield "nodes", tables.node_columns
    yield "threads", threads
    yield "tests", list(tests)
    yield "costs", costs
    yield "before", old
    yield "noise", _noise(before, profile)
    yield "sampleUs", [_sample_us(each) for each in (profile, before) if each is not None]
    yield "timeline", timeline
    yield "clocks", [clock for clock in Clock if all(clock in known_clocks(each) for each in profiles)]
    yield "intervalUs", profile.interval_ns / _NS_PER_US
    yield "samples", profile.n_samples
    yield "dropped", profile.n_dropped
    yield "processes", profile.n_processes


def _noise(before: Profile | None, profile: Profile) -> Mapping[Clock, tuple[float, float, float]]:
    if before is None:
        return {}
    from footfall.report.profile.time_difference import noise_by_clock  # loads eight modules, for comparisons alone

    return noise_by_clock(before, profile)


def _sample_us(profile: Profile) -> dict[Clock, float]:
    """Return by clock the time that equal samples with the same error would have: above the mean if some came late."""
    found: dict[Clock, float] = {}
    for clock in (Clock.CPU, Clock.WALL, Clock.GIL):
        read = reader(clock)
        total = sum(read(cost) for (node, _, _), cost in profile.costs.items() if node)
        found[clock] = round(sum_of_squares(profile, read) / total / _NS_PER_US, 3) if total else 0.0
    return found


def _costs(profile: Profile, node_of: Sequence[int], tests: dict[str, int], threads: list[str]) -> list[list[int]]:
    """Return the columns node, thread, test, samples, CPU, wall, GIL, waiting for the GIL."""
    test_of: dict[str, int] = {}
    places: dict[tuple[int, int, int], int] = {}
    samples: list[int] = []
    cpu: list[int] = []
    wall: list[int] = []
    gil: list[int] = []
    gil_wait: list[int] = []
    for (node, thread, label), cost in profile.costs.items():
        test = test_of.get(label)
        if test is None:
            test = test_of[label] = tests.setdefault(name_of_test(label), len(tests))
        at = places.setdefault((node_of[node], thread, test), len(samples))
        if at == len(samples):
            samples.append(cost.samples)
            cpu.append(cost.cpu_ns)
            wall.append(cost.wall_ns)
            gil.append(cost.gil_ns)
            gil_wait.append(cost.gil_wait_ns)
        else:
            samples[at] += cost.samples
            cpu[at] += cost.cpu_ns
            wall[at] += cost.wall_ns
            gil[at] += cost.gil_ns
            gil_wait[at] += cost.gil_wait_ns
    threads += map(thread_title, profile.threads)
    in_us = [[value // _NS_PER_US for value in column] for column in (cpu, wall, gil, gil_wait)]
    return [*_columns(list(places), 3), samples, *in_us]


def _timeline(profile: Profile, node_of: Sequence[int], tests: dict[str, int]) -> dict[str, Any]:
    """Return the order in time: the grid's step (0: none), and by thread [thread, start, columns of its spans].

    The columns are node, microseconds, per cent of them with CPU, per cent with the GIL; tests are pairs of a test and
    the number of consecutive spans that belong to it.
    """
    timelines = profile.timelines
    test_of = [tests.setdefault(name_of_test(label), len(tests)) for label in timelines.labels]
    threads = []
    for thread, timeline in sorted(timelines.threads.items()):
        nodes = list(map(node_of.__getitem__, timeline.nodes))
        of_test = list(map(test_of.__getitem__, timeline.contexts))
        # spans of one line that differ only by column count as one here
        changes = map(operator.or_, map(operator.ne, nodes[1:], nodes), map(operator.ne, of_test[1:], of_test))
        starts = [0, *compress(range(1, len(nodes)), changes)]
        ends = [*starts[1:], len(nodes)]
        at_ns = list(accumulate(timeline.wall_ns, initial=timeline.start_ns))
        at_us = [at_ns[start] // _NS_PER_US for start in (*starts, len(nodes))]
        shares = []
        for column in (timeline.cpu_ns, timeline.gil_ns):
            sums = list(accumulate(column, initial=0))
            shares.append(
                [
                    min(100, 100 * (sums[end] - sums[start]) // (at_ns[end] - at_ns[start]))
                    for start, end in zip(starts, ends, strict=True)
                ]
            )
        runs = [[test, sum(1 for _ in group)] for test, group in groupby(of_test[start] for start in starts)]
        columns = [[nodes[start] for start in starts], list(map(int.__sub__, at_us[1:], at_us)), *shares]
        threads.append([thread, at_us[0], *columns, runs])
    return {"stepUs": timelines.step_ns // _NS_PER_US, "threads": threads}


def _columns(rows: Sequence[tuple[int, ...]], width: int) -> list[list[int]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]
