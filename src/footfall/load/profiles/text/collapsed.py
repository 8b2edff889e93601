"""Collapsed stacks: `outermost;...;innermost COUNT` on each line, of footfall, perf, py-spy, `profiling.sampling`, ...

The format does not say what is counted; counts are taken as samples, as flame graph programs do. Some tools' first
frames name the thread: `tid:1` (`profiling.sampling`), `process 1:"..."` and `thread (1): NAME` (py-spy),
`COMMAND-PID/TID` (stackcollapse-perf.pl --tid).
"""

from __future__ import annotations

import re
from typing import Final

from footfall.analyze.profile.calltree import Profile
from footfall.analyze.profile.clocks import Clock
from footfall.load.profiles.opened import OpenedProfile
from footfall.load.profiles.stack_tree import StackTree, Weight
from footfall.load.profiles.text.frame_names import NamedFrame, parse_frame, parse_place_first
from footfall.load.profiles.text.recent import RecentFrames, RecentStacks

__all__ = ["looks_collapsed", "read_collapsed"]

FORMAT: Final = "collapsed stacks"
_MAX_DIGITS: Final = 18
_LINES_TO_LOOK_AT: Final = 50
_TACHYON_THREAD: Final = re.compile(r"tid:(\d+)")
_PYSPY_PROCESS: Final = re.compile(r'process (\d+):"?(.*?)"?', re.DOTALL)
_PYSPY_THREAD: Final = re.compile(r"thread \((?:(0x[0-9a-fA-F]+)|(\d+))\)(?:: (.*))?", re.DOTALL)
_PERF_THREAD: Final = re.compile(r"(.+)-(\d+|\?)/(\d+)", re.DOTALL)
_NO_PYTHON: Final = "(no Python code)"
"""What footfall writes for time when no Python code ran."""


def looks_collapsed(head: bytes) -> bool:
    """Return whether most of the first lines of a file with this beginning are in this format."""
    lines = [line for line in head.split(b"\n")[:_LINES_TO_LOOK_AT] if line.strip() and not line.startswith(b"#")]
    if len(head.split(b"\n")) <= _LINES_TO_LOOK_AT and len(lines) > 1 and not head.endswith(b"\n"):
        lines.pop()  # may be cut off
    n_stacks = sum(_split(line) is not None for line in lines if line[:1] != b" ")
    return n_stacks > 0 and 2 * n_stacks >= len(lines) and b"\0" not in head


def _split(line: bytes) -> tuple[bytes, int] | None:
    """Return a line's stack and count; None if it is not such a line. py-spy writes stacks without a frame, too."""
    parts = [b"", line[1:]] if line[:1] == b" " and line.count(b" ") == 1 else line.rsplit(None, 1)
    if len(parts) != 2 or not parts[1].isdigit() or len(parts[1]) > _MAX_DIGITS:
        return None
    return parts[0], int(parts[1])


def read_collapsed(opened: OpenedProfile) -> Profile:
    """Read the stacks. Memory use depends on the number of different ones. Raises FootfallError (`profile-empty`)."""
    tree = StackTree()
    stacks: RecentStacks[tuple[int, int]] = RecentStacks()
    frames: RecentFrames[str] = RecentFrames()
    n_unread = 0
    for line in opened.lines():
        parts = _split(line)
        if parts is None:
            n_unread += bool(line.strip()) and not line.startswith(b"#")
            continue
        stack, count = parts
        key = stacks.key(stack)
        found = stacks.get(key)
        if found is None:
            found = _add_stack(tree, frames, stack.decode("utf-8", "replace"))
            stacks.put(key, found)
        n_unread += not tree.add(*found, Weight(samples=count))
    tree.note_unread(n_unread + opened.n_long_lines, "line")
    return tree.finish(FORMAT, {Clock.SAMPLES})


def _add_stack(tree: StackTree, recent: RecentFrames[str], text: str) -> tuple[int, int]:
    """Return the numbers of a stack's node and thread."""
    frames = text.split(";")
    pid, native_id, name = 0, 0, ""
    is_tachyon = False
    if match := _TACHYON_THREAD.fullmatch(frames[0]):
        native_id, is_tachyon = _number(match[1]), True
        frames = frames[1:]
    elif match := _PERF_THREAD.fullmatch(frames[0]):
        name, pid, native_id = match[1], _number(match[2]), _number(match[3])
        frames = frames[1:]
    else:
        while frames and (match := _PYSPY_PROCESS.fullmatch(frames[0])):
            pid = _number(match[1])  # the last is the process itself; those before it are its parents
            frames = frames[1:]
        if frames and (match := _PYSPY_THREAD.fullmatch(frames[0])):
            native_id = int(match[1], 16) if match[1] else _number(match[2])
            name = match[3] or ""
            frames = frames[1:]
    thread = tree.thread(pid, native_id, name)
    if frames in ([], [""], [_NO_PYTHON]):
        return 0, thread
    node = 0
    for each in frames:
        number = None if is_tachyon else recent.get(each)
        if number is None:
            found = (parse_place_first(each) or NamedFrame(each)) if is_tachyon else parse_frame(each)
            number = tree.frame(found.name, found.path, found.line)
            if not is_tachyon:
                recent.put(each, number)
        node = tree.node(node, number)
    return node, thread


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 20 else 0
