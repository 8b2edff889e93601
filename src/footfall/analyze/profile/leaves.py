"""A profile without its call tree: each cost under the frame that spent it. For the summary, which shows self times.

A short run's tree has several nodes for each sample; folding and summing it took a fifth of what follows a command.
The frames are those that `fold_imports` shows of a profile without the frames of C functions.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from footfall.analyze.profile.calltree import NATIVE, Cost, CostKey, Profile
from footfall.analyze.profile.import_frames import UNNAMED_IMPORT, executed_texts, machinery_frames, site_frames
from footfall.record.data.timelines import Timelines, TreeNode

__all__ = ["leaves_of"]


def leaves_of(profile: Profile) -> Profile:
    """Return a profile of which only self times, totals and the clocks are those of `profile`. O(costs)."""
    frames = [*profile.frames, UNNAMED_IMPORT]
    leaves = _Leaves(profile)
    numbers: dict[int, int] = {}  # of nodes, by frame
    costs: dict[CostKey, Cost] = {}
    for (node, thread, context), cost in profile.costs.items():
        frame = leaves.frame(node)
        number = 0 if frame is None else numbers.setdefault(frame, len(numbers) + 1)
        found = costs.get(key := (number, thread, context))
        if found is None:
            found = costs[key] = Cost()
        found.add(cost)
    return replace(
        profile,
        frames=[frames[frame] for frame in numbers],
        nodes=[TreeNode(-1, -1), *(TreeNode(0, number) for number in range(len(numbers)))],
        costs=costs,
        timelines=Timelines(),
        native_calls=set(),
    )


class _Leaves:
    """Finds the frame for which a node's self time counts."""

    def __init__(self, profile: Profile) -> None:
        self._nodes = profile.nodes
        frames = profile.frames
        self._import = len(frames)
        self._native = {number for number, frame in enumerate(frames) if frame.function.qualname.startswith(NATIVE)}
        self._machinery = machinery_frames(frames)
        self._site = site_frames(frames)
        self._skipped = self._native | executed_texts(frames) if self._site else self._native

    def frame(self, node: int) -> int | None:
        """Return its number, `len(frames)` for an import; None if no Python code ran."""
        leaf = self._frame_outside(node, self._native)
        if leaf is None:
            return None
        if leaf in self._machinery:
            return self._import
        if leaf in self._skipped:
            caller = self._frame_outside(node, self._skipped)
            if caller in self._site:
                return caller
        return leaf

    def _frame_outside(self, node: int, skipped: Set[int]) -> int | None:
        """Return the frame of the first node on the way to the root whose frame is not one of these."""
        while node:
            node, frame = self._nodes[node]
            if frame not in skipped:
                return frame
        return None
