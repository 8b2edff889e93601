"""A part of a profile: stacks with or without a function, from a function on, with recursion merged; or the time of
some threads and contexts. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from footfall.analyze.profile.calltree import Cost, CostKey, Frame, Profile, Squares, has_source
from footfall.analyze.profile.selection import Selection
from footfall.record.data.timelines import TreeNode

__all__ = ["select", "select_costs"]


def select(profile: Profile, selection: Selection) -> Profile:
    """Return the selected part of the profile; its costs may be empty. Shares in it refer to its own total."""
    if selection.is_whole:
        return profile
    is_kept = _kept_nodes(profile, selection)
    costs = {key: cost for key, cost in profile.costs.items() if is_kept[key[0]]}
    found, number_of = _with_costs(profile, costs, selection)
    found.timelines = profile.timelines.keep_nodes({node: at for node, at in number_of.items() if is_kept[node]})
    return found


def select_costs(profile: Profile, is_wanted: Callable[[int, str], bool]) -> Profile:
    """Return the time of the threads and contexts for which `is_wanted(thread, context)`, with their nodes alone.

    The numbers of threads and frames stay as they are.
    """
    costs = {key: cost for key, cost in profile.costs.items() if is_wanted(key[1], key[2])}
    found, number_of = _with_costs(profile, costs, Selection())
    timelines = profile.timelines.keep_nodes(number_of)
    labels = list(enumerate(timelines.labels))
    for thread in list(timelines.threads):
        timelines.leave_contexts([at for at, label in labels if is_wanted(thread, label)], thread)
    # a context that has no time here has no name either
    named = {label for _, _, label in costs}
    timelines.labels = [label if label in named else "" for label in timelines.labels]
    found.timelines = timelines
    return found


def _with_costs(
    profile: Profile, costs: Mapping[CostKey, Cost], selection: Selection
) -> tuple[Profile, dict[int, int]]:
    """Return the tree of some costs, without the order in time, and by node of the profile its number in it."""
    is_needed = [False] * len(profile.nodes)
    for node, _, _ in costs:
        is_needed[node] = True
    for number in range(len(profile.nodes) - 1, 0, -1):
        if is_needed[number]:
            is_needed[profile.nodes[number].parent] = True
    tree = _SelectedTree(profile, selection)
    number_of = {number: tree.add(number) for number in range(1, len(profile.nodes)) if is_needed[number]}
    number_of[0] = 0
    found = replace(profile, nodes=tree.nodes, costs={}, n_samples=0)
    for (node, thread, context), cost in costs.items():
        key: CostKey = (number_of[node], thread, context)
        found.costs.setdefault(key, Cost()).add(cost)
        found.n_samples += cost.samples
    found.squares = _scaled_squares(profile, found)
    return found, number_of


def _matcher(profile: Profile, pattern: re.Pattern[str] | None) -> list[bool] | None:
    """Return whether each frame matches; None without a pattern."""
    if pattern is None:
        return None
    return [pattern.search(_text(frame)) is not None for frame in profile.frames]


def _text(frame: Frame) -> str:
    function = frame.function
    return f"{function.qualname} ({function.path})" if has_source(function.path) else function.qualname


def _kept_nodes(profile: Profile, selection: Selection) -> list[bool]:
    """Return for each node whether a stack that ends in it is selected."""
    nodes = profile.nodes

    def has_match(pattern: re.Pattern[str] | None) -> Callable[[int], bool] | None:
        matches = _matcher(profile, pattern)
        if matches is None:
            return None
        found = [False] * len(nodes)
        for number, (parent, frame) in enumerate(nodes[1:], 1):
            found[number] = found[parent] or matches[frame]
        return found.__getitem__

    wanted = [each for each in map(has_match, (selection.focus, selection.root)) if each is not None]
    unwanted = has_match(selection.ignore)
    return [
        all(each(number) for each in wanted) and not (unwanted is not None and unwanted(number))
        for number in range(len(nodes))
    ]


class _SelectedTree:
    """The tree of the selected stacks, from their root on, with recursion merged on request."""

    def __init__(self, profile: Profile, selection: Selection) -> None:
        self.nodes = [TreeNode(-1, -1)]
        self._profile = profile
        self._is_merged = selection.merge
        self._is_root = _matcher(profile, selection.root)
        self._numbers: dict[TreeNode, int] = {}
        self._number_of: dict[int, int] = {0: 0}

    def add(self, number: int) -> int:
        """Add a node, whose parent was added before, and return its number here; 0 if it is above the root."""
        parent, frame = self._profile.nodes[number]
        below = self._number_of[parent]
        if below == 0 and self._is_root is not None and not self._is_root[frame]:
            self._number_of[number] = 0
            return 0
        if self._is_merged:
            below = self._above_same_function(below, frame)
        node = TreeNode(below, frame)
        found = self._numbers.get(node)
        if found is None:
            found = self._numbers[node] = len(self.nodes)
            self.nodes.append(node)
        self._number_of[number] = found
        return found

    def _above_same_function(self, below: int, frame: int) -> int:
        """Return the caller of the function if that is already on the stack, else `below`."""
        frames = self._profile.frames
        function = frames[frame].function
        at = below
        while at:
            parent, other = self.nodes[at]
            if frames[other].function == function:
                return parent
            at = parent
        return below


def _scaled_squares(profile: Profile, part: Profile) -> list[Squares]:
    """Return the sums of squares for each thread's part, scaled by its share of the samples."""
    n_threads = len(profile.squares)
    all_samples, samples = [0] * n_threads, [0] * n_threads
    for counted, costs in ((all_samples, profile.costs), (samples, part.costs)):
        for (node, thread, _), cost in costs.items():
            if node and thread < n_threads:
                counted[thread] += cost.samples
    shares = [kept / (total or 1) for kept, total in zip(samples, all_samples, strict=True)]
    return [
        Squares(squares.wall * share, squares.cpu * share, squares.gil * share)
        for squares, share in zip(profile.squares, shares, strict=True)
    ]
