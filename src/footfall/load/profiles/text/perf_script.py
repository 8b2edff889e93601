"""The output of `perf script`: for each sample a line with its thread, time and event, then a line for each frame.

With CPython's trampolines (`python -X perf`, PYTHONPERFSUPPORT=1) Python functions are among the frames. Events that
count nanoseconds of CPU time (cpu-clock, task-clock) give times, others only samples. A frame's file is the program or
library that contains it; for a Python function it is the source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from footfall.analyze.profile.calltree import Profile
from footfall.analyze.profile.clocks import Clock
from footfall.load.profiles.opened import OpenedProfile
from footfall.load.profiles.stack_tree import StackTree, Weight
from footfall.load.profiles.text.frame_names import PYTHON_PREFIX, parse_frame, split_place
from footfall.load.profiles.text.recent import RecentFrames, RecentStacks

__all__ = ["looks_like_perf_script", "read_perf_script"]

_FORMAT: Final = "perf script"
_SAMPLE: Final = re.compile(
    rb"\s*(?P<comm>\S.*?)\s+(?:(?P<pid>-?\d{1,18})/)?(?P<tid>-?\d{1,18})\s+"
    rb"(?:\[\d+\]\s+)?(?:\S{1,8}\s+)?(?:(?P<seconds>\d{1,12})\.(?P<fraction>\d{1,9}):)?"
    rb"\s*(?:(?P<period>\d{1,18})\s+)?(?P<event>[\w./:,=@{}-]*[\w/}]):+(?P<rest>\s.*)?"
)
_WITHOUT_EVENT: Final = re.compile(
    rb"\s*(?P<comm>\S.*?)\s+(?:(?P<pid>-?\d{1,18})/)?(?P<tid>-?\d{1,18})\s*"
    rb"(?:\[\d+\]\s*)?(?:(?P<seconds>\d{1,12})\.(?P<fraction>\d{1,9}):)?\s*(?P<period>(?!))?(?P<event>)(?P<rest>)"
)
"""A sample's line from `perf script -F` without the event."""
_FRAME: Final = re.compile(rb"\s*([0-9a-f]{1,16})\s+(\S.*)")
_OFFSET: Final = re.compile(r"\+0x[0-9a-f]+$")
_CPU_EVENTS: Final = frozenset({"cpu-clock", "task-clock"})
_HYBRID: Final = re.compile(r"cpu(?:_core|_atom)?/([^/]*)/")
_NS_PER_SECOND: Final = 1_000_000_000
_MAX_SAMPLE_BYTES: Final = 500
_MAX_NAMES: Final = 1 << 16
_MAX_FRAMES: Final = 1 << 20
_MIN_KNOWN: Final = 2  # lines: a sample with a caller


def looks_like_perf_script(head: bytes) -> bool:
    """Return whether a file with this beginning has a sample in this format, followed by a frame."""
    lines = head.split(b"\n")
    for line, following in zip(lines, lines[1:], strict=False):
        match = _match_sample(line) if not line.startswith((b"#", b"\t")) else None
        if match is not None:
            frame = following if following[:1].isspace() else match["rest"] or b""
            if _FRAME.fullmatch(frame) is not None and frame.rstrip().endswith(b")"):
                return True
    return False


def _match_sample(line: bytes) -> re.Match[bytes] | None:
    # the pattern takes time proportional to the square of a line's length
    return (_SAMPLE.fullmatch(line) or _WITHOUT_EVENT.fullmatch(line)) if len(line) <= _MAX_SAMPLE_BYTES else None


@dataclass(slots=True)
class _Sample:
    thread: int
    event: str
    period: int
    time_ns: int | None
    frames: list[bytes] = field(default_factory=list)
    """Innermost first."""
    caller: int = 0
    """The node of the callers that are not among the frames."""


def read_perf_script(opened: OpenedProfile) -> Profile:
    """Read the samples of the first event. Memory use depends on the number of different stacks.

    Raises FootfallError (`profile-empty`).
    """
    reader = _Reader()
    block: list[bytes] = []
    for line in opened.lines():
        if not line or line.isspace():
            reader.take_block(block)
            block.clear()
        else:
            block.append(line)
            if len(block) > _MAX_FRAMES:
                reader.take_lines(block)
                block.clear()
    reader.take_block(block)
    tree = reader.tree
    tree.note_unread(reader.n_unread + opened.n_long_lines, "line")
    if reader.n_other_events:
        events = ", ".join(sorted(reader.other_events)[:5])
        text = f"Only samples of the event {reader.event} are shown; {reader.n_other_events} of {events} are left out."
        tree.notes.append(("profile-part", text))
    return tree.finish(_FORMAT, {Clock.CPU, Clock.SAMPLES} if reader.event in _CPU_EVENTS else {Clock.SAMPLES})


class _Reader:
    def __init__(self) -> None:
        self.tree = StackTree()
        self.event = ""
        self.n_unread = 0
        self.n_other_events = 0
        self.other_events: set[str] = set()
        self._sample: _Sample | None = None
        self._frames: RecentFrames[bytes] = RecentFrames()
        self._callers: RecentStacks[int] = RecentStacks()

    def take_block(self, lines: list[bytes]) -> None:
        """Process the lines up to an empty one: most often a sample.

        The addresses of its callers are those of calls, and recur: they are found as one, the innermost frame is not.
        """
        if len(lines) > _MIN_KNOWN and self._sample is None and lines[0][:1] not in b"#\t":
            key = self._callers.key(b"\n".join(lines[2:]))
            caller = self._callers.get(key)
            if caller is not None:
                self._begin_sample(lines[0])
                lines = lines[1:]
                if self._sample is not None and not self._sample.frames:
                    self._sample.caller = caller
                    lines = lines[:1]
                self.take_lines(lines)
            else:
                self.take_lines(lines)
                self._note_callers(key, len(lines))
        else:
            self.take_lines(lines)
        self._end_sample()

    def take_lines(self, lines: list[bytes]) -> None:
        """Process lines that are not empty: the first of a sample, frames, or comments."""
        for line in lines:
            if line[:1] == b"#":
                continue
            if line[:1] == b"\t" or self._sample is not None:
                self._take_frame(line)
            else:
                self._begin_sample(line)

    def _note_callers(self, key: bytes, n_lines: int) -> None:
        """Number the callers of the sample, if all lines of its block were its own."""
        sample = self._sample
        if sample is None or len(sample.frames) != n_lines - 1 or (self.event or sample.event) != sample.event:
            return
        for line in reversed(sample.frames[1:]):
            sample.caller = self.tree.node(sample.caller, self._number(line))
        del sample.frames[1:]
        self._callers.put(key, sample.caller)

    def _take_frame(self, line: bytes) -> None:
        if self._sample is not None and _FRAME.fullmatch(line) is not None and len(self._sample.frames) < _MAX_FRAMES:
            self._sample.frames.append(line)
        elif line[:1].isspace():
            self.n_unread += 1
        else:  # a sample without a stack, and no empty line after it
            self._end_sample()
            self._begin_sample(line)

    def _begin_sample(self, line: bytes) -> None:
        match = _match_sample(line)
        if match is None:
            self.n_unread += 1
            return
        event = _event_name(match["event"].decode("utf-8", "replace"))
        name = match["comm"].decode("utf-8", "replace")
        time_ns = None
        if match["seconds"] is not None:
            time_ns = int(match["seconds"]) * _NS_PER_SECOND + int(match["fraction"].ljust(9, b"0"))
        thread = self.tree.thread(int(match["pid"] or 0), int(match["tid"]), name)
        self._sample = _Sample(thread, event, int(match["period"] or 1), time_ns)
        rest = match["rest"]
        if rest and _FRAME.fullmatch(rest) is not None and rest.rstrip().endswith(b")"):
            self._sample.frames.append(rest)  # recorded without stacks

    def _end_sample(self) -> None:
        """Count the completed sample, if there is one."""
        sample, self._sample = self._sample, None
        if sample is None or not (sample.frames or sample.caller):
            return
        self.event = self.event or sample.event
        if sample.event != self.event:
            self.n_other_events += 1
            if len(self.other_events) < _MAX_NAMES:
                self.other_events.add(sample.event)
            return
        node = sample.caller
        for line in reversed(sample.frames):
            node = self.tree.node(node, self._number(line))
        spent_ns = sample.period if sample.event in _CPU_EVENTS else 0
        weight = Weight(samples=1, cpu_ns=spent_ns)
        self.n_unread += not self.tree.add(node, sample.thread, weight)

    def _number(self, line: bytes) -> int:
        """Return the frame of a line, ignoring its address, which differs within a function."""
        match = _FRAME.fullmatch(line)
        text = match[2].rstrip() if match is not None else line.strip()
        found = self._frames.get(text)
        if found is None:
            found = self._frame(text.decode("utf-8", "replace"))
            self._frames.put(text, found)
        return found

    def _frame(self, text: str) -> int:
        symbol, module = split_place(text)
        symbol = _OFFSET.sub("", symbol)
        if symbol.startswith(PYTHON_PREFIX):
            python = parse_frame(symbol)
            return self.tree.frame(python.name, python.path)
        return self.tree.frame(symbol, "" if module in ("[unknown]", "inlined") else module)


def _event_name(event: str) -> str:
    """Return an event without its modifiers: `cycles:u` and `cpu_core/cycles/u` are `cycles`."""
    match = _HYBRID.match(event)
    if match is not None:
        return match[1].partition(",")[0] or event
    name, colon, modifiers = event.rpartition(":")
    return name if colon and set(modifiers) <= set("ukhIGHpPSDWeb") and name else event
