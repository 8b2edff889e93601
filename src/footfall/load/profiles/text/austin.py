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
from footfall.load.profiles.text.collapsed import StackCache
from footfall.load.profiles.text.frame_names import parse_place_first

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
    cache = StackCache()
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
        found = cache.get(stack) or _add_stack(samples.tree, stack.decode("utf-8", "replace"))
        if found is None:
            n_unread += 1
            continue
        cache.put(stack, *found)
        n_unread += not samples.add(*found, int(time_us), is_idle=idle == b"1")
    samples.tree.note_unread(n_unread + opened.n_long_lines, "line")
    return samples.tree.finish(_FORMAT, samples.clocks())


def _add_stack(tree: StackTree, text: str) -> tuple[int, int] | None:
    process, thread, *frames = text.split(";")
    match = _THREAD.fullmatch(thread)
    if match is None:
        return None
    node = 0
    for each in frames:
        if each == ":GC:":
            frame = tree.frame("<gc>", COLLECTOR_PATH)
        elif each == ":INVALID:":
            frame = tree.frame(INVALID_FRAME)
        else:
            found = parse_place_first(each)
            frame = tree.frame(each) if found is None else tree.frame(found.name, found.path, found.line)
        node = tree.node(node, frame)
    return node, tree.thread(int(process[1:]), _thread_number(match[2]))


def _thread_number(text: str) -> int:
    """Return a thread's number: Austin 3 and 4 write decimal numbers as text, MOJO hexadecimal ones."""
    return int(text) if text.isdecimal() else int(text, 16)
