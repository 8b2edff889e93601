"""What all readers of other tools' profiles fill: it turns stacks, added one by one, into a profile.

Memory use depends on the number of different stacks, not on the length of the file. Used by the readers of this folder.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from footfall.analyze.profile.calltree import (
    UNKNOWN_PATH,
    Cost,
    CostKey,
    Frame,
    Function,
    Origin,
    Profile,
    ProfiledThread,
)
from footfall.analyze.profile.clocks import Clock
from footfall.errors import FootfallError
from footfall.record.data.timelines import Span, TreeNode

__all__ = ["MAX_NUMBER", "StackTree", "Weight", "is_number"]

MAX_NUMBER: Final = 1 << 58
"""No time in nanoseconds and no number of samples reaches this; sums of a few still fit where they are stored."""
_MAX_PLACE: Final = (1 << 31) - 1
_FRAME_BITS: Final = 32
_MAX_THREAD: Final = (1 << 64) - 1


def is_number(value: object, end: int = MAX_NUMBER) -> bool:
    """Return whether a value from a file is a whole number from 0 to below `end`."""
    return type(value) is int and 0 <= value < end


@dataclass(frozen=True, slots=True)
class Weight:
    """What one stack counts for, in nanoseconds and samples of the thread."""

    samples: int = 0
    wall_ns: int = 0
    cpu_ns: int = 0
    gil_ns: int = 0
    gil_wait_ns: int = 0

    @classmethod
    def of_clock(cls, clock: Clock, amount: int) -> Weight:
        """Return the weight of an amount by one clock."""
        return cls(**{_FIELDS[clock]: amount})


_FIELDS: Final = {
    Clock.SAMPLES: "samples",
    Clock.WALL: "wall_ns",
    Clock.CPU: "cpu_ns",
    Clock.GIL: "gil_ns",
    Clock.GIL_WAIT: "gil_wait_ns",
}


class StackTree:
    """Builds a profile. The numbers of frames, nodes and threads are the profile's; node 0 is the root."""

    def __init__(self) -> None:
        self.profile = Profile()
        self.notes: list[tuple[str, str]] = []
        self._paths: dict[str, str] = {}
        self._functions: dict[Function, Function] = {}
        self._frame_ids: dict[Frame, int] = {}
        self._node_ids: dict[int, int] = {}  # there may be a million: pairs as keys would take twice the memory
        self._thread_ids: dict[ProfiledThread, int] = {}

    def frame(
        self,
        name: str,
        path: str = "",
        line: int = 0,
        *,
        first_line: int = 0,
        end_line: int = 0,
        column: int | None = None,
        end_column: int | None = None,
    ) -> int:
        """Return the number of a frame. Without a path only its name is known; unknown lines are 0.

        Places that no source can have count as unknown.
        """
        path = path or UNKNOWN_PATH
        function = Function(self._paths.setdefault(path, path), name or "(no name)", _place(first_line))
        line = _place(line)
        if line:  # else it is its function's only frame
            function = self._functions.setdefault(function, function)
        frame = Frame(function, line, max(_place(end_line), line), _column(column), _column(end_column))
        number = self._frame_ids.get(frame)
        if number is None:
            number = self._frame_ids[frame] = len(self.profile.frames)
            self.profile.frames.append(frame)
        return number

    def node(self, parent: int, frame: int) -> int:
        """Return the number of a frame's node under its caller's node."""
        nodes = self.profile.nodes
        number = self._node_ids.setdefault(parent << _FRAME_BITS | frame, len(nodes))
        if number == len(nodes):
            nodes.append(TreeNode(parent, frame))
        return number

    def stack(self, frames: Iterable[int]) -> int:
        """Return the number of the last node of a stack, given with the outermost frame first."""
        node = 0
        for frame in frames:
            node = self.node(node, frame)
        return node

    def thread(self, pid: int = 0, native_id: int = 0, name: str = "") -> int:
        """Return the number of a thread. An id of 0 means that the process or the thread has none."""
        pid, native_id = (each if 0 <= each <= _MAX_THREAD else 0 for each in (pid, native_id))
        thread = ProfiledThread(pid, native_id, name)
        number = self._thread_ids.get(thread)
        if number is None:
            number = self._thread_ids[thread] = len(self.profile.threads)
            self.profile.threads.append(thread)
        return number

    def add(self, node: int, thread: int, weight: Weight, *, context: str = "", end_ns: int | None = None) -> bool:
        """Count what a thread spent in a stack; with `end_ns`, also that it was there until then.

        Returns False and counts nothing if the numbers are impossible.
        """
        numbers = (weight.samples, weight.wall_ns, weight.cpu_ns, weight.gil_ns, weight.gil_wait_ns)
        if min(numbers) < 0 or max(numbers) >= MAX_NUMBER:
            return False
        profile = self.profile
        key: CostKey = (node, thread, context)
        cost = profile.costs.get(key)
        if cost is None:
            cost = profile.costs[key] = Cost()
        cost.wall_ns += weight.wall_ns
        cost.cpu_ns += weight.cpu_ns
        cost.gil_ns += weight.gil_ns
        cost.samples += weight.samples
        cost.gil_wait_ns += weight.gil_wait_ns
        profile.n_samples += weight.samples
        if end_ns is not None and 0 <= end_ns < MAX_NUMBER and weight.wall_ns:
            label = profile.timelines.context(context)
            span = Span(node, label, weight.samples, weight.wall_ns, weight.cpu_ns, weight.gil_ns)
            profile.timelines.add(thread, end_ns, span)
        return True

    def note_damage(self, what: str) -> None:
        """Note what could not be read of the file, so that the numbers lack it."""
        self.notes.append(("profile-damaged", what))

    def note_unread(self, count: int, unit: str) -> None:
        """Note how many pieces of the file could not be read, if any. `unit` is a singular."""
        if count:
            units = unit if count == 1 else f"{unit}s"
            self.note_damage(f"{count} {units} could not be read and {'is' if count == 1 else 'are'} left out.")

    def finish(self, format_: str, clocks: Collection[Clock], *, is_measured: bool = False) -> Profile:
        """Return the profile. Raises FootfallError (`profile-empty`)."""
        profile = self.profile
        if not any(node for node, _, _ in profile.costs):
            raise FootfallError("profile-empty", f"The file ({format_}) has no stack.", "Record it again, for longer.")
        profile.origin = Origin(format_, frozenset(clocks), is_measured, tuple(self.notes))
        profile.n_processes = len({thread.pid for thread in profile.threads})
        runs = (0,)
        profile.timelines.bound()
        profile.timelines.count_from_start(runs)
        return profile


def _place(line: int) -> int:
    return line if 0 <= line <= _MAX_PLACE else 0


def _column(column: int | None) -> int | None:
    return column if column is not None and 0 <= column <= _MAX_PLACE else None
