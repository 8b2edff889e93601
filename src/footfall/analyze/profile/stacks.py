"""Whole stacks of a profile's tree, one at a time: for formats that write out each stack.

A stack may be 100,000 frames deep, and each of its frames is a node of the tree: keeping the stacks of all nodes would
take memory proportional to the square of that. So a stack is made only when needed, for nodes that have a cost. Pure.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from footfall.analyze.profile.calltree import Cost, Function, Profile, has_source

__all__ = ["collapse_stacks", "frames_above"]


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
    tree = _NamedTree(profile, _frame_names(profile, with_lines))
    path: list[str] = []
    todo = [(0, 0)]  # node, depth
    while todo:
        node, depth = todo.pop()
        if node:
            path[depth - 1 :] = [tree.name(node)]
        if node in tree.costs:
            yield tuple(path[:depth]), tree.costs[node]
        todo += [(child, depth + 1) for child in sorted(tree.children(node), key=tree.name, reverse=True)]


class _NamedTree:
    """The tree with nodes merged that look alike. Node 0 is the root. In arrays, as there may be a million nodes."""

    def __init__(self, profile: Profile, frame_names: list[str]) -> None:
        name_ids: dict[str, int] = {}
        id_of_frame = [name_ids.setdefault(name, len(name_ids)) for name in frame_names]
        self.costs: dict[int, Cost] = {}
        self._texts = list(name_ids)
        self._names = array("I", [0])
        self._first_children = array("I", [0])
        self._next_siblings = array("I", [0])
        numbers: dict[int, int] = {}
        number_of = array("I", [0])
        n_names = len(name_ids)
        for parent, frame in profile.nodes[1:]:
            above, name = number_of[parent], id_of_frame[frame]
            key = above * n_names + name
            number = numbers.get(key)
            if number is None:
                number = numbers[key] = len(self._names)
                self._names.append(name)
                self._first_children.append(0)
                self._next_siblings.append(self._first_children[above])
                self._first_children[above] = number
            number_of.append(number)
        for (node, _, _), cost in profile.costs.items():
            self.costs.setdefault(number_of[node], Cost()).add(cost)

    def name(self, node: int) -> str:
        """Return a node's text; the root has none."""
        return self._texts[self._names[node]]

    def children(self, node: int) -> Iterator[int]:
        """Yield the child nodes, in no particular order."""
        child = self._first_children[node]
        while child:
            yield child
            child = self._next_siblings[child]


def _frame_names(profile: Profile, with_lines: bool) -> list[str]:
    """Return the text of each frame."""
    functions: dict[tuple[str, str], set[int]] = {}
    for frame in profile.frames:
        functions.setdefault(frame.function[:2], set()).add(frame.function.first_line)

    def name(function: Function, line: int) -> str:
        if not has_source(function.path):
            return function.qualname
        is_alone = len(functions[function[:2]]) == 1
        place = f":{line}" if with_lines else "" if is_alone else f":{function.first_line}"
        return f"{function.qualname} ({function.path}{place})"

    return [name(frame.function, frame.line) for frame in profile.frames]
