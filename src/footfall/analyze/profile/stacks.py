"""Whole stacks of a profile's tree, one at a time: for formats that write out each stack.

A stack may be 100,000 frames deep, and each of its frames is a node of the tree: keeping the stacks of all nodes would
take memory proportional to the square of that. So a stack is made only when needed, for nodes that have a cost. Pure.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final

from footfall.analyze.profile.calltree import Cost, Profile, has_source

__all__ = ["collapse_stacks", "frames_above"]

_MAX_NAMES: Final = 1 << 14
"""Names of frames that are kept: there may be as many frames as nodes, and most recur soon or not at all."""


def frames_above(profile: Profile, node: int) -> list[int]:
    """Return a node's stack as indexes into `profile.frames`, its own frame first, the outermost last. O(depth)."""
    nodes = profile.nodes
    found = []
    while node:
        parent, frame = nodes[node]
        found.append(frame)
        node = parent
    return found


def collapse_stacks(profile: Profile, with_lines: bool = False) -> Iterator[tuple[tuple[str, ...], Cost]]:
    """Yield stacks, outermost frame first, with their costs, sorted by name.

    A frame is `qualname (path)` or `qualname (path:line)`; `qualname (path:first line)` if the path has several
    functions of that name; or only the name if there is no source. No stack comes twice. Time in which no Python code
    ran has the empty stack. Memory use depends on the number of nodes.
    """
    tree = _NamedTree(profile, lru_cache(_MAX_NAMES)(_frame_namer(profile, with_lines)))
    path: list[str] = []
    todo = [([0], 0)]  # nodes of one stack, depth
    while todo:
        alike, depth = todo.pop()
        if depth:
            path[depth - 1 :] = [tree.name(alike[0])]
        cost = tree.cost(alike)
        if cost is not None:
            yield tuple(path[:depth]), cost
        children = tree.children(alike)
        todo += [(children[name], depth + 1) for name in sorted(children, reverse=True)]


class _NamedTree:
    """The tree by the names of its frames. Node 0 is the root. In arrays, as there may be a million nodes."""

    def __init__(self, profile: Profile, frame_name: Callable[[int], str]) -> None:
        self._frame_name = frame_name
        self._nodes = profile.nodes
        self._first_children = array("I", bytes(4 * len(profile.nodes)))
        self._next_siblings = array("I", bytes(4 * len(profile.nodes)))
        for number, (parent, _) in enumerate(profile.nodes):
            if number:
                self._next_siblings[number] = self._first_children[parent]
                self._first_children[parent] = number
        self._costs: dict[int, list[Cost]] = {}
        for (node, _, _), cost in profile.costs.items():
            self._costs.setdefault(node, []).append(cost)

    def name(self, node: int) -> str:
        """Return a node's text; the root has none."""
        return self._frame_name(self._nodes[node].frame)

    def cost(self, alike: list[int]) -> Cost | None:
        """Return the cost of nodes that look alike, with their callers; None if they have none."""
        costs = [cost for node in alike for cost in self._costs.get(node, ())]
        if not costs:
            return None
        total = Cost()
        for cost in costs:
            total.add(cost)
        return total

    def children(self, alike: list[int]) -> dict[str, list[int]]:
        """Return the child nodes of all of them by name."""
        found: dict[str, list[int]] = {}
        for node in alike:
            child = self._first_children[node]
            while child:
                found.setdefault(self.name(child), []).append(child)
                child = self._next_siblings[child]
        return found


def _frame_namer(profile: Profile, with_lines: bool) -> Callable[[int], str]:
    """Return a function that gives a frame's text by its number."""
    first_lines: dict[tuple[str, str], int] = {}
    several: set[tuple[str, str]] = set()
    if (
        len({frame.function.first_line for frame in profile.frames}) > 1
    ):  # else no name has several, however many there are
        for frame in profile.frames:
            key = frame.function[:2]
            if first_lines.setdefault(key, frame.function.first_line) != frame.function.first_line:
                several.add(key)

    def name(number: int) -> str:
        function, line = profile.frames[number][:2]
        if not has_source(function.path):
            return function.qualname
        is_alone = not several or function[:2] not in several
        place = f":{line}" if with_lines else "" if is_alone else f":{function.first_line}"
        return f"{function.qualname} ({function.path}{place})"

    return name
