"""Austin's text: metadata as `# NAME: VALUE`, then for each sample `P<pid>;T<thread>;FILE:NAME:LINE;... METRIC`.

https://github.com/P403n1x87/austin. The metric is microseconds since the previous sample, wall or CPU by the metadata's
`mode`; in mode `full` it is microseconds, whether the thread was idle, and bytes. `mojo.py` reads the binary form.
"""

from __future__ import annotations

import re
from typing import Final

from footfall.analyze.profile.calltree import Profile
from footfall.analyze.profile.clocks import Clock
from footfall.errors import FootfallError
from footfall.formats import COLLECTOR_PATH
from footfall.load.profiles.opened import OpenedProfile
from footfall.load.profiles.stack_tree import StackTree, Weight
from footfall.load.profiles.text.frame_names import parse_place_first
from footfall.load.profiles.text.recent import RecentFrames, RecentStacks

__all__ = ["INVALID_FRAME", "AustinSamples", "looks_like_austin", "read_austin"]

_FORMAT: Final = "Austin's text"
_NS_PER_US: Final = 1000
_SAMPLE: Final = re.compile(rb"(P\d{1,18};T.*?) (\d{1,15})(?:,([01]),-?\d{1,18})?\s*", re.DOTALL)
_FIRST_SAMPLE: Final = re.compile(rb"P\d{1,18};T[0-9a-fx:]{1,40}[; ]")
_HEADER: Final = b"# austin: "
_THREAD: Final = re.compile(r"T(?:(\d+):)?(?:0x)?([0-9a-fA-F]+)")
INVALID_FRAME: Final = "(invalid frame)"
"""The name of a frame that Austin could not read."""
_INTERVAL: Final = "interval"


class AustinSamples:
    """Austin's samples, in either form: the clocks of their mode, and when each was taken.

    Samples have durations but no times. A thread's samples follow one another, the first from where others are then.
    """

    def __init__(self) -> None:
        self.tree = StackTree()
        self._mode = ""
        self._ends_ns: dict[int, int] = {}
        self._now_ns = 0

    def set_metadata(self, name: str, value: str) -> None:
        """Process a line of metadata. Raises FootfallError (`profile-without-time`)."""
        if name == "mode":
            self._mode = value
            if value == "memory":
                raise FootfallError(
                    "profile-without-time",
                    "The file is a memory profile of Austin's: it has bytes, and no times.",
                    "Record it without -m.",
                )
        elif name == _INTERVAL and value.isascii() and value.isdecimal() and len(value) < 13:
            self.tree.profile.interval_ns = int(value) * _NS_PER_US

    def add(self, node: int, thread: int, time_us: int, *, is_idle: bool = False) -> bool:
        """Count a sample; return False if its number is impossible."""
        spent_ns = time_us * _NS_PER_US
        weight = Weight(
            samples=1,
            wall_ns=0 if self._mode == "cpu" else spent_ns,
            cpu_ns=spent_ns if self._mode == "cpu" or (self._mode == "full" and not is_idle) else 0,
        )
        end_ns = self._ends_ns.get(thread, self._now_ns) + spent_ns
        if not self.tree.add(node, thread, weight, end_ns=end_ns):
            return False
        self._ends_ns[thread] = end_ns
        self._now_ns = max(self._now_ns, end_ns - spent_ns)
        return True

    def clocks(self) -> set[Clock]:
        """Return the clocks that the mode's samples have."""
        times = {"cpu": {Clock.CPU}, "full": {Clock.CPU, Clock.WALL}}
        return times.get(self._mode, {Clock.WALL}) | {Clock.SAMPLES}


def looks_like_austin(head: bytes) -> bool:
    """Return whether a file with this beginning is in this format."""
    if head.startswith(_HEADER):
        return True
    lines = (line for line in head.split(b"\n") if line.strip() and not line.startswith(b"#"))
    return _FIRST_SAMPLE.match(next(lines, b"")) is not None


def read_austin(opened: OpenedProfile) -> Profile:
    """Read the samples. Memory use depends on the number of different stacks.

    Raises FootfallError: `profile-empty`, `profile-without-time`.
    """
    samples = AustinSamples()
    stacks = _Stacks(samples.tree)
    n_unread = 0
    for line in opened.lines():
        if line.startswith(b"#"):
            name, _, value = line[1:].decode("utf-8", "replace").partition(":")
            samples.set_metadata(name.strip(), value.strip())
            continue
        match = _SAMPLE.fullmatch(line)
        if match is None:
            n_unread += bool(line.strip())
            continue
        stack, time_us, idle = match.groups()
        found = stacks.find(stack)
        if found is None:
            n_unread += 1
            continue
        n_unread += not samples.add(*found, int(time_us), is_idle=idle == b"1")
    samples.tree.note_unread(n_unread + opened.n_long_lines, "line")
    return samples.tree.finish(_FORMAT, samples.clocks())


class _Stacks:
    """The nodes and threads of stacks.

    Samples of one call differ by the line of its innermost frame: the rest is found as one.
    """

    def __init__(self, tree: StackTree) -> None:
        self._tree = tree
        self._callers: RecentStacks[tuple[int, int]] = RecentStacks()
        self._frames: RecentFrames[bytes] = RecentFrames()

    def find(self, text: bytes) -> tuple[int, int] | None:
        """Return the numbers of a stack's node and thread; None if the text is none."""
        callers, semicolon, innermost = text.rpartition(b";")
        if b";" not in callers:  # of the process and its thread alone
            callers, semicolon = text, b""
        key = self._callers.key(callers)
        found = self._callers.get(key)
        if found is None:
            found = self._add_callers(callers)
            if found is None:
                return None
            self._callers.put(key, found)
        return (self._tree.node(found[0], self._frame(innermost)), found[1]) if semicolon else found

    def _add_callers(self, text: bytes) -> tuple[int, int] | None:
        process, thread, *frames = text.split(b";")
        match = _THREAD.fullmatch(thread.decode("utf-8", "replace"))
        if match is None:
            return None
        node = 0
        for each in frames:
            node = self._tree.node(node, self._frame(each))
        return node, self._tree.thread(int(process[1:]), _thread_number(match[2]))

    def _frame(self, text: bytes) -> int:
        number = self._frames.get(text)
        if number is None:
            number = _add_frame(self._tree, text.decode("utf-8", "replace"))
            self._frames.put(text, number)
        return number


def _add_frame(tree: StackTree, text: str) -> int:
    if text == ":GC:":
        return tree.frame("<gc>", COLLECTOR_PATH)
    if text == ":INVALID:":
        return tree.frame(INVALID_FRAME)
    found = parse_place_first(text)
    return tree.frame(text) if found is None else tree.frame(found.name, found.path, found.line)


def _thread_number(text: str) -> int:
    """Return a thread's number: Austin 3 and 4 write decimal numbers as text, MOJO hexadecimal ones."""
    return int(text) if text.isdecimal() else int(text, 16)
