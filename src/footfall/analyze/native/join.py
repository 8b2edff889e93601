"""Which functions of the program's own extensions a sample was in, and between which Python frames.

Each entry of the evaluation loop is on the C stack: a function that is older than one entry, and younger than the next,
called the first one's loop, and was called by a Python frame of the second one's. So the order is exact. Functions of
the interpreter are left out, and those of the system's libraries unless the program's own code called them.
"""

from __future__ import annotations

from bisect import bisect_left

from footfall.analyze.native.unwinding import NativeFrame
from footfall.record.run.sample_log import CStack

__all__ = ["native_functions_by_caller"]


def native_functions_by_caller(
    leaf: int, stack: CStack, frames: list[NativeFrame]
) -> list[tuple[int, tuple[tuple[str, str], ...]]]:
    """Return the nodes of the Python frames that called functions of extensions, with (name, library), oldest first.

    `leaf` is the sample's node, which called the youngest ones; `frames` are youngest first.
    """
    addresses = [entry.address for entry in stack.entries]
    callers = [leaf, *(entry.node for entry in stack.entries)]
    by_part: dict[int, list[NativeFrame]] = {}
    for frame in reversed(frames):
        by_part.setdefault(bisect_left(addresses, frame.stack_pointer), []).append(frame)
    found = []
    for part, members in sorted(by_part.items(), reverse=True):
        shown = tuple((frame.name, frame.library) for frame in _shown(members))
        if shown and callers[part]:
            found.append((callers[part], shown))
    return found


def _shown(frames: list[NativeFrame]) -> list[NativeFrame]:
    """Return the frames to show, of those between two evaluation loops; both are oldest first."""
    found = []
    is_in_program = False
    for frame in frames:
        is_in_program = frame.kind == "p" or (frame.kind == "s" and is_in_program)
        if is_in_program:
            found.append(frame)
    return found
