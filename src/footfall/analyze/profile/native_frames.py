"""Frames of C functions, `<native> FUNCTION (LIBRARY)`, of the program's own extensions (`footfall run --native`).

A frame's path and line are those of the call in Python, so times by line and file are the same with and without them.
Flame graphs and exports show them; everything else counts their time for the Python function that called them.
"""

from __future__ import annotations

from dataclasses import replace

from footfall.analyze.profile.calltree import NATIVE, Cost, CostKey, Profile
from footfall.record.data.timelines import TreeNode

__all__ = ["fold_native_frames"]


def fold_native_frames(profile: Profile) -> Profile:
    """Return the profile without frames of C functions: their costs are their callers'."""
    native = {number for number, frame in enumerate(profile.frames) if frame.function.qualname.startswith(NATIVE)}
    if not native:
        return profile
    nodes = [TreeNode(-1, -1)]
    node_ids: dict[TreeNode, int] = {}
    numbers = [0]
    for parent, frame in profile.nodes[1:]:
        if frame in native:
            numbers.append(numbers[parent])
            continue
        node = TreeNode(numbers[parent], frame)
        number = node_ids.setdefault(node, len(nodes))
        if number == len(nodes):
            nodes.append(node)
        numbers.append(number)
    costs: dict[CostKey, Cost] = {}
    for (number, thread, context), cost in profile.costs.items():
        costs.setdefault((numbers[number], thread, context), Cost()).add(cost)
    timelines = profile.timelines.replace_nodes(dict(enumerate(numbers)))
    return replace(profile, nodes=nodes, costs=costs, timelines=timelines)
