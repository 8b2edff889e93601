"""The Gecko profile format, version 24, that the Firefox Profiler (profiler.firefox.com) opens.

https://github.com/firefox-devtools/profiler/blob/main/docs-developer/gecko-profile-format.md. A span of time without a
change becomes as many samples as it represents, spread over it. If the profile has only sums, samples are written stack
by stack, in the order of first appearance: call tree, flame graph and shares are then right, but the order in time is
not. Pure: a profile in, text out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from footfall._version import VERSION
from footfall.analyze.profile.calltree import Profile, has_source
from footfall.record.data.timelines import ThreadTimeline
from footfall.report.jsontext import render_json

__all__ = ["render_gecko"]

_CATEGORIES = (
    {"name": "Other", "color": "grey", "subcategories": ["Other"]},
    {"name": "Python", "color": "yellow", "subcategories": ["Other"]},
)
_PYTHON = 1
_NS_PER_US = 1000
_NS_PER_MS = 1_000_000


class _Row(NamedTuple):
    """Consecutive samples of one stack."""

    node: int
    n_samples: int
    start_ms: float
    step_ms: float
    cpu_ns: int


def render_gecko(profile: Profile) -> str:
    """Return the file's text. Samples are `interval` ms apart; each carries its CPU time in microseconds."""
    interval_ms = (profile.interval_ns or _NS_PER_MS) / _NS_PER_MS
    by_process: dict[int, list[dict[str, Any]]] = {}
    for number, thread in enumerate(profile.threads):
        entry = _thread(profile, number, interval_ms)
        if entry["samples"]["data"]:
            by_process.setdefault(thread.pid, []).append(entry)
    processes = [_process(interval_ms, threads) for threads in by_process.values()] or [_process(interval_ms, [])]
    processes[0]["processes"] = processes[1:]
    return render_json(processes[0], separators=(",", ":"))


def _process(interval_ms: float, threads: list[dict[str, Any]]) -> dict[str, Any]:
    return {"meta": _meta(interval_ms), "libs": [], "threads": threads}


def _meta(interval_ms: float) -> dict[str, Any]:
    return {
        "version": 24,
        "startTime": 0,
        "shutdownTime": None,
        "interval": interval_ms,
        "stackwalk": 0,
        "debug": 0,
        "gcpoison": 0,
        "asyncstack": 0,
        "processType": 0,
        "product": f"footfall {VERSION}",
        "categories": list(_CATEGORIES),
        "markerSchema": [],
        "sampleUnits": {"time": "ms", "eventDelay": "ms", "threadCPUDelta": "µs"},
    }


def _thread(profile: Profile, number: int, interval_ms: float) -> dict[str, Any]:
    thread = profile.threads[number]
    tables = _Tables(profile)
    timeline = profile.timelines.threads.get(number)
    rows = _in_sum(profile, number, interval_ms) if timeline is None else _in_order(timeline)
    samples: list[list[Any]] = []
    left_ns = 0  # of a microsecond that is not full; the next sample has it
    for node, count, start_ms, step_ms, own_ns in rows:
        stack = tables.stack(node)
        cpu_ns = own_ns + left_ns
        left_ns = cpu_ns % _NS_PER_US
        for index in range(count):
            cpu_us = cpu_ns * (index + 1) // count // _NS_PER_US - cpu_ns * index // count // _NS_PER_US
            samples.append([stack, round(start_ms + index * step_ms, 6), 0, cpu_us])
    return {
        "name": thread.name or "thread",
        "processType": "default",
        "processName": f"process {thread.pid}",
        "registerTime": 0,
        "unregisterTime": None,
        "tid": thread.native_id,
        "pid": thread.pid,
        "markers": {
            "schema": {"name": 0, "startTime": 1, "endTime": 2, "phase": 3, "category": 4, "data": 5},
            "data": [],
        },
        "samples": {"schema": {"stack": 0, "time": 1, "eventDelay": 2, "threadCPUDelta": 3}, "data": samples},
        "frameTable": {
            "schema": {
                "location": 0, "relevantForJS": 1, "innerWindowID": 2, "implementation": 3, "line": 4, "column": 5,
                "category": 6, "subcategory": 7,
            },
            "data": tables.frames,
        },
        "stackTable": {"schema": {"prefix": 0, "frame": 1}, "data": tables.stacks},
        "stringTable": list(tables.strings),
    }  # fmt: skip


def _in_order(timeline: ThreadTimeline) -> Iterator[_Row]:
    at = timeline.start_ns
    for span in timeline:
        if span.samples and span.node:
            step_ns = span.wall_ns / span.samples
            yield _Row(span.node, span.samples, at / _NS_PER_MS, step_ns / _NS_PER_MS, span.cpu_ns)
        at += span.wall_ns


def _in_sum(profile: Profile, number: int, interval_ms: float) -> Iterator[_Row]:
    summed: dict[int, list[int]] = {}
    for (node, thread, _), cost in profile.costs.items():
        if thread == number and node:
            row = summed.setdefault(node, [0, 0])
            row[0] += cost.samples
            row[1] += cost.cpu_ns
    at = 0
    for node in sorted(summed):
        count, cpu_ns = summed[node]
        yield _Row(node, count, at * interval_ms, interval_ms, cpu_ns)
        at += count


class _Tables:
    """One thread's tables, with only what its samples use."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self.strings: dict[str, int] = {}
        self.frames: list[list[Any]] = []
        self.stacks: list[list[Any]] = []
        self._frame_numbers: dict[int, int] = {}
        self._stack_numbers: dict[int, int] = {}

    def stack(self, node: int) -> int:
        """Return the number of a node's stack. If it is new, add it and the stacks of its callers."""
        missing = []
        while node and node not in self._stack_numbers:
            missing.append(node)
            node = self._profile.nodes[node].parent
        found = self._stack_numbers.get(node)
        for each in reversed(missing):
            self.stacks.append([found, self._frame(self._profile.nodes[each].frame)])
            found = self._stack_numbers[each] = len(self.stacks) - 1
        assert found is not None
        return found

    def _frame(self, number: int) -> int:
        if number not in self._frame_numbers:
            frame = self._profile.frames[number]
            location = frame.function.qualname
            if has_source(frame.function.path):
                # the viewer takes frames with one location for one function, so this is where the function begins
                location += f" ({frame.function.path}:{frame.function.first_line})"
            column = None if frame.column is None else frame.column + 1
            row = [self.strings.setdefault(location, len(self.strings)), False, 0, None, frame.line, column, _PYTHON, 0]
            self._frame_numbers[number] = len(self.frames)
            self.frames.append(row)
        return self._frame_numbers[number]
