"""Chrome's trace events: calls as begin and end (B and E) or complete (X), and samples with their stacks.

https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU. Times are wall times, unless footfall
wrote the file and says otherwise (report/profile/chrome_trace.py). A list of events may end early if the program that
wrote it was killed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final, NamedTuple

from footfall.analyze.profile.calltree import Profile
from footfall.analyze.profile.clocks import Clock
from footfall.load.profiles.json.content import Json, integer, list_of, nanoseconds, text_of
from footfall.load.profiles.stack_tree import StackTree, Weight
from footfall.load.profiles.text.frame_names import parse_frame

__all__ = ["complete_events", "is_chrome_trace", "read_chrome_trace"]

_FORMAT: Final = "Chrome trace events"
_US_NS: Final = 1e3
_ROUNDING_NS: Final = 1000
"""A call may seem to end this much later than its caller, as times are fractions of microseconds."""
_VIZTRACER: Final = "fee"
"""The category of calls whose line is the first line of the function."""


class _Call(NamedTuple):
    start_ns: int
    end_ns: int
    frame: int


def is_chrome_trace(content: Json) -> bool:
    """Return whether parsed JSON is in this format."""
    if isinstance(content, dict):
        return isinstance(content.get("traceEvents"), list)
    return isinstance(content, list) and any(isinstance(each, dict) and "ph" in each for each in content[:50])


def complete_events(content: bytes) -> Json:
    """Return what can be read of a trace whose text ends early; None if it is not a trace."""
    text = content.decode("utf-8", "replace")
    at = text.find('"traceEvents"')
    begin = text.find("[", max(at, 0))
    if begin < 0 or (at < 0 and text[:begin].strip()):
        return None
    decoder = json.JSONDecoder()
    events: list[Json] = []
    at = begin + 1
    while True:
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        try:
            event, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        events.append(event)
    return events if is_chrome_trace(events) else None


def read_chrome_trace(content: Json, *, is_cut: bool = False) -> Profile:
    """Read calls and samples of all threads. `is_cut`: the text ended early. Raises FootfallError (`profile-empty`)."""
    whole = content if isinstance(content, dict) else {}
    events = content if isinstance(content, list) else content["traceEvents"]
    reader = _Reader(_clock(whole))
    if is_cut:
        reader.tree.note_damage("The file ends early: read up to there.")
    reader.read_events(events)
    reader.read_samples(whole, events)
    reader.tree.note_unread(reader.n_unread, "event")
    clocks = {reader.clock} if reader.has_calls else {Clock.SAMPLES}
    return reader.tree.finish(_FORMAT, clocks)


def _clock(whole: dict[str, Json]) -> Clock:
    other = whole.get("otherData")
    if isinstance(other, dict) and text_of(other.get("exporter")).startswith("footfall "):
        name = text_of(other.get("clock"))
        return next((clock for clock in Clock if clock == name), Clock.WALL)
    return Clock.WALL


class _Reader:
    def __init__(self, clock: Clock) -> None:
        self.tree = StackTree()
        self.clock = clock
        self.has_calls = False
        self.n_unread = 0
        self._names: dict[tuple[str, str], str] = {}

    def read_events(self, events: list[Json]) -> None:
        """Add the calls of all threads."""
        calls: dict[tuple[str, str], list[_Call]] = {}
        begun: dict[tuple[str, str], list[tuple[int, int, int]]] = {}  # (start, frame, index of its call)
        last: dict[tuple[str, str], int] = {}
        for event in events:
            if not isinstance(event, dict):
                self.n_unread += 1
                continue
            phase = event.get("ph")
            key = (str(event.get("pid", 0)), str(event.get("tid", 0)))
            if phase == "M":
                self._take_name(key, event)
            if phase not in ("B", "E", "X"):
                continue  # not a call: counters, marks, flows
            at = nanoseconds(event.get("ts"), _US_NS)
            if at is None:
                self.n_unread += 1
                continue
            last[key] = max(last.get(key, at), at)
            of_thread = calls.setdefault(key, [])
            stack = begun.setdefault(key, [])
            if phase == "B":
                stack.append((at, self._frame(event), len(of_thread)))
                of_thread.append(_Call(at, at, 0))  # reserves its place, as callers come before their callees
            elif phase == "E":
                if stack:
                    start, frame, index = stack.pop()
                    of_thread[index] = _Call(start, at, frame)
                else:
                    self.n_unread += 1
            else:
                spent = nanoseconds(event.get("dur", 0), _US_NS)
                if spent is None or spent < 0:
                    self.n_unread += 1
                    continue
                of_thread.append(_Call(at, at + spent, self._frame(event)))
        for key, stack in begun.items():
            for start, frame, index in stack:  # never ended: they last until the thread's last known event
                calls[key][index] = _Call(start, last[key], frame)
        self._add_calls(calls)

    def _add_calls(self, calls: dict[tuple[str, str], list[_Call]]) -> None:
        starts = [call.start_ns for of_thread in calls.values() for call in of_thread]
        origin = min(starts, default=0)
        for key, of_thread in calls.items():
            thread = self._thread(key)
            for node, start, end in self._spent(of_thread):
                self.has_calls = True
                end_ns = end - origin if self.clock is Clock.WALL else None
                self.n_unread += not self.tree.add(node, thread, self._weight(end - start), end_ns=end_ns)

    def _weight(self, amount: int) -> Weight:
        return Weight.of_clock(self.clock, amount // int(_US_NS) if self.clock is Clock.SAMPLES else amount)

    def _spent(self, calls: list[_Call]) -> Iterator[tuple[int, int, int]]:
        """Yield (node, start, end) of the self time of calls, in time order."""
        open_calls: list[tuple[int, int]] = []  # (end, node)
        at = 0
        for call in sorted(calls, key=lambda each: (each.start_ns, -each.end_ns)):
            while open_calls and open_calls[-1][0] <= call.start_ns:
                end, node = open_calls.pop()
                if end > at:
                    yield node, at, end
                    at = end
            if open_calls and call.start_ns > at:
                yield open_calls[-1][1], at, call.start_ns
            at = max(at, call.start_ns) if open_calls else call.start_ns
            end = call.end_ns
            if open_calls and end > open_calls[-1][0]:
                self.n_unread += end - open_calls[-1][0] > _ROUNDING_NS
                end = open_calls[-1][0]
            open_calls.append((end, self.tree.node(open_calls[-1][1] if open_calls else 0, call.frame)))
        while open_calls:
            end, node = open_calls.pop()
            if end > at:
                yield node, at, end
                at = end

    def read_samples(self, whole: dict[str, Json], events: list[Json]) -> None:
        """Add samples that refer to their stack by its number."""
        frames = whole.get("stackFrames")
        frames = frames if isinstance(frames, dict) else {}
        nodes: dict[str, int] = {}
        sampled = [each for each in events if isinstance(each, dict) and each.get("ph") == "P" and "sf" in each]
        for sample in [*list_of(whole.get("samples")), *sampled]:
            node = self._node(frames, nodes, str(sample.get("sf"))) if isinstance(sample, dict) else None
            if node is None:
                self.n_unread += 1
                continue
            thread = self._thread((str(sample.get("pid", 0)), str(sample.get("tid", 0))))
            weight = Weight(samples=integer(sample.get("weight"), 1) or 1)
            self.n_unread += not self.tree.add(node, thread, weight)

    def _node(self, frames: dict[str, Json], nodes: dict[str, int], number: str) -> int | None:
        missing: list[str] = []
        seen = set()
        while number not in nodes:
            entry = frames.get(number)
            if not isinstance(entry, dict) or number in seen:
                return None
            seen.add(number)
            missing.append(number)
            if "parent" not in entry:
                break
            number = str(entry["parent"])
        node = nodes.get(number, 0)
        for each in reversed(missing):
            node = nodes[each] = self.tree.node(node, self._frame(frames[each]))
        return node

    def _frame(self, event: dict[str, Json]) -> int:
        args = event.get("args")
        args = args if isinstance(args, dict) else {}
        path = text_of(args.get("filename")) or text_of(args.get("file"))
        name = text_of(event.get("name"))
        if path:
            first_line = integer(args.get("first_line"))
            return self.tree.frame(name, path, integer(args.get("line")), first_line=first_line)
        named = parse_frame(name)
        if text_of(event.get("cat")).lower() == _VIZTRACER:
            return self.tree.frame(named.name, named.path, first_line=named.line)
        return self.tree.frame(named.name, named.path, named.line)

    def _take_name(self, key: tuple[str, str], event: dict[str, Json]) -> None:
        args = event.get("args")
        if event.get("name") == "thread_name" and isinstance(args, dict):
            self._names[key] = text_of(args.get("name"))

    def _thread(self, key: tuple[str, str]) -> int:
        pid, tid = (int(each) if each.isdecimal() and len(each) < 20 else 0 for each in key)
        name = self._names.get(key, "" if tid else key[1].strip("0"))
        return self.tree.thread(pid, tid, name)
