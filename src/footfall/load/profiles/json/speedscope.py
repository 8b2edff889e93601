"""speedscope's own format, with `sampled` and `evented` profiles, each of one thread.

https://github.com/jlfwong/speedscope/blob/main/src/lib/file-format-spec.ts. Times are wall times, unless footfall wrote
the file, which then names the clock (report/profile/speedscope.py). It does not contain the number of samples.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from footfall.analyze.profile.calltree import Profile
from footfall.analyze.profile.clocks import CLOCK_WORDS, Clock
from footfall.errors import FootfallError
from footfall.load.profiles.json.content import Json, integer, list_of, nanoseconds, text_of
from footfall.load.profiles.stack_tree import StackTree, Weight

__all__ = ["is_speedscope", "read_speedscope"]

_FORMAT: Final = "speedscope"
_UNITS_NS: Final = {
    "seconds": 1e9,
    "milliseconds": 1e6,
    "microseconds": 1e3,
    "nanoseconds": 1.0,
}
_FOOTFALL: Final = "footfall@"
_THREADS: Final = (
    re.compile(r"(?P<name>.*) (?P<tid>\d{1,19}) \(process (?P<pid>\d{1,19})\)", re.DOTALL),  # footfall
    re.compile(r'(?:Process (?P<pid>\d{1,19}) )?Thread (?P<tid>\d{1,19})(?: "(?P<name>.*)")?', re.DOTALL),  # py-spy
)


def is_speedscope(content: Json) -> bool:
    """Return whether parsed JSON is in this format."""
    return isinstance(content, dict) and isinstance(content.get("shared"), dict) and "profiles" in content


def read_speedscope(content: Json) -> Profile:
    """Read all profiles of one unit. Raises FootfallError: `profile-empty`, `profile-without-time`."""
    profiles = [each for each in list_of(content["profiles"]) if isinstance(each, dict)]
    units = {each.get("unit") for each in profiles if isinstance(each.get("unit"), str)}
    if "bytes" in units:
        raise FootfallError(
            "profile-without-time", "The file is a memory profile: it has bytes, and no times.", "Record times."
        )
    is_time = bool(units & _UNITS_NS.keys())
    reader = _Reader(content["shared"].get("frames"), _clock(content) if is_time else Clock.SAMPLES)
    for each in profiles:
        unit_ns = _UNITS_NS.get(str(each.get("unit")))
        if (unit_ns is not None) is is_time:
            reader.read(each, unit_ns or 1.0)
        else:
            reader.n_unread += 1
    reader.tree.note_unread(reader.n_unread, "piece")
    return reader.tree.finish(_FORMAT, {reader.clock})


def _clock(content: Json) -> Clock:
    """Return the clock that footfall's own files name; others have wall time."""
    exporter, name = text_of(content.get("exporter")), text_of(content.get("name"))
    if exporter.startswith(_FOOTFALL):
        for clock, words in CLOCK_WORDS.items():
            if name.endswith(f", {words}"):
                return clock
    return Clock.WALL


class _Reader:
    def __init__(self, frames: Json, clock: Clock) -> None:
        self.tree = StackTree()
        self.clock = clock
        self.n_unread = 0
        self._frames = [self._frame(each) for each in list_of(frames)]

    def _frame(self, entry: Json) -> int:
        entry = entry if isinstance(entry, dict) else {}
        column = integer(entry.get("col"))
        return self.tree.frame(
            text_of(entry.get("name")),
            text_of(entry.get("file")),
            integer(entry.get("line")),
            column=column - 1 if column else None,
        )

    def read(self, profile: Json, unit_ns: float) -> None:
        """Add a profile whose numbers are multiples of `unit_ns` nanoseconds, or samples."""
        thread = self._thread(text_of(profile.get("name")))
        start_ns = nanoseconds(profile.get("startValue"), unit_ns) or 0
        rows = self._sampled(profile, unit_ns) if profile.get("type") == "sampled" else self._evented(profile, unit_ns)
        at = max(start_ns, 0)
        for node, amount in rows:
            at += amount
            # an empty stack is a thread that runs nothing; only wall time says when that was
            end_ns = at if self.clock is Clock.WALL else None
            if not self.tree.add(node, thread, Weight.of_clock(self.clock, amount), end_ns=end_ns):
                self.n_unread += 1

    def _sampled(self, profile: Json, unit_ns: float) -> Iterator[tuple[int, int]]:
        samples, weights = list_of(profile.get("samples")), list_of(profile.get("weights"))
        self.n_unread += abs(len(samples) - len(weights))
        for stack, weight in zip(samples, weights, strict=False):
            amount = nanoseconds(weight, unit_ns)
            frames = [self._number(each) for each in list_of(stack)]
            if amount is None or amount < 0 or None in frames:
                self.n_unread += 1
                continue
            yield self.tree.stack(each for each in frames if each is not None), amount

    def _evented(self, profile: Json, unit_ns: float) -> Iterator[tuple[int, int]]:
        """Yield what was spent between events, as (node, amount)."""
        open_nodes: list[tuple[int, int]] = []  # (frame, node)
        at = nanoseconds(profile.get("startValue"), unit_ns) or 0
        for event in list_of(profile.get("events")):
            event = event if isinstance(event, dict) else {}
            moment, frame = nanoseconds(event.get("at"), unit_ns), self._number(event.get("frame"))
            kind = event.get("type")
            if moment is None or frame is None or moment < at or kind not in ("O", "C"):
                self.n_unread += 1
                continue
            node = open_nodes[-1][1] if open_nodes else 0
            if moment > at:
                yield node, moment - at
            at = moment
            if kind == "O":
                open_nodes.append((frame, self.tree.node(node, frame)))
            elif open_nodes and open_nodes[-1][0] == frame:
                open_nodes.pop()
            else:
                self.n_unread += 1
        end = nanoseconds(profile.get("endValue"), unit_ns)
        if end is not None and end > at:
            yield (open_nodes[-1][1] if open_nodes else 0), end - at

    def _number(self, value: Json) -> int | None:
        if type(value) is int and 0 <= value < len(self._frames):
            return self._frames[value]
        return None

    def _thread(self, name: str) -> int:
        for pattern in _THREADS:
            match = pattern.fullmatch(name)
            if match is not None:
                return self.tree.thread(int(match["pid"] or 0), int(match["tid"]), match["name"] or "")
        return self.tree.thread(name=name)
