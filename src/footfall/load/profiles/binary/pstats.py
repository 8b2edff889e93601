"""What cProfile writes for `pstats`: the times of each function, and how much of them is under each of its callers.

It has no stacks. They are put together from pairs of caller and function: a function's time is divided among the stacks
of its callers as it was among the callers. Self times by function and by caller are those of the file. Which of a
caller's own callers they belong to is inferred, and a note says so. Times are wall times, unless the profiler was given
another clock. We have our own reader for the file, because `marshal` is not safe for files from others.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from footfall.analyze.profile.calltree import UNKNOWN_PATH, Function, Profile, times_of_functions
from footfall.analyze.profile.clocks import Clock
from footfall.errors import FootfallError
from footfall.load.profiles.binary.marshal_data import MarshalError, Value, load_marshal
from footfall.load.profiles.stack_tree import MAX_NUMBER, StackTree, Weight

__all__ = ["looks_like_pstats", "read_pstats"]

_FORMAT: Final = "pstats (cProfile)"
_SECOND_NS: Final = 1_000_000_000
_DICT: Final = frozenset(b"{\xfb")
_TUPLE: Final = frozenset(b"()\xa8\xa9")
_END: Final = ord("0")
_BUILT_IN: Final = "~"
_SAMPLED: Final = ("__sampled__",)
"""A key that `profiling.sampling` adds to mark its files."""
_MAX_NODES: Final = 300_000
_LEAST_NS: Final = 1000
_LEAST_SHARE: Final = 1e-6
"""Less than _LEAST_NS, or than this share of all time, is not followed further down: it stays with its function."""

_NAMED_SHARE: Final = 0.05
_MOST_NAMED: Final = 3

_Key = tuple[str, int, str]


@dataclass(slots=True)
class _Function:
    """Seconds, as the file has them."""

    own: float
    total: float
    callers: dict[_Key, tuple[float, float]] = field(default_factory=dict)
    """Self and cumulative time under each caller."""
    has_counts_alone: bool = False
    """Whether the times by caller are derived from their counts."""


class _Step(NamedTuple):
    """A function in one stack, and the share of its times that belongs there."""

    key: _Key
    parent: int
    own_share: float
    total_share: float


class _Shares(NamedTuple):
    """The shares, 0 to 1, of a function's self and cumulative time under each caller in the file, and under none.

    A function's calls of itself have no share: the time in them is divided like the rest.
    """

    by_caller: dict[_Key, tuple[float, float]]
    of_none: tuple[float, float]


def looks_like_pstats(head: bytes) -> bool:
    """Return whether a file with this beginning is a dict with tuples as keys."""
    return len(head) > 1 and head[0] in _DICT and (head[1] in _TUPLE or head[1] == _END)


def read_pstats(content: bytes) -> Profile:
    """Read the file. Raises FootfallError: `profile-damaged`, `profile-empty`."""
    try:
        stats = load_marshal(content)
    except MarshalError as error:
        raise _damaged(str(error)) from error
    if not isinstance(stats, dict):
        raise _damaged("it is no dict")
    tree = StackTree()
    functions: dict[_Key, _Function] = {}
    n_unread = 0
    for key, row in stats.items():
        if key == _SAMPLED:
            continue
        known = _key(key)
        function = _function(row)
        if known is None or function is None:
            n_unread += 1
        else:
            functions[known] = function
    tree.note_unread(n_unread, "function")
    _add_stacks(tree, functions)
    is_measured = not any(function.has_counts_alone for function in functions.values())
    return tree.finish(_FORMAT, {Clock.WALL}, is_measured=is_measured)


def _damaged(why: str) -> FootfallError:
    text = f"The pstats file is damaged: {why}."
    return FootfallError("profile-damaged", text, "Record it again, or get a complete copy.")


def _key(value: Value) -> _Key | None:
    """Return a value as the file's key for a function; None if it is anything else."""
    if not isinstance(value, tuple) or len(value) != 3:
        return None
    path, line, name = value
    return (path, line, name) if isinstance(path, str) and type(line) is int and isinstance(name, str) else None


def _seconds(value: Value) -> float | None:
    """Return a value as a time, or None if it is not one. Clocks that went back give small negative times."""
    if type(value) not in (int, float):
        return None
    assert isinstance(value, (int, float))
    return max(float(value), 0.0) if math.isfinite(value) and abs(value) * _SECOND_NS < MAX_NUMBER else None


def _function(row: Value) -> _Function | None:
    if not isinstance(row, tuple) or len(row) != 5 or not isinstance(row[4], dict):
        return None
    own, total = _seconds(row[2]), _seconds(row[3])
    if own is None or total is None:
        return None
    counts = [edge for edge in row[4].values() if type(edge) is int]
    found = _Function(own, total, has_counts_alone=bool(counts))
    for key, edge in row[4].items():
        caller = _key(key)
        if isinstance(edge, tuple) and len(edge) == 4:
            own_there, total_there = _seconds(edge[2]), _seconds(edge[3])
        else:
            share = _share(edge, sum(counts))
            own_there, total_there = (None, None) if share is None else (own * share, total * share)
        if caller is None or own_there is None or total_there is None:
            return None
        found.callers[caller] = (own_there, total_there)
    return found


def _share(count: Value, total: int) -> float | None:
    """Return a caller's share by its number of calls (or samples, in files of `profiling.sampling`)."""
    return count / total if type(count) is int and 0 <= count <= total and total else None


def _shares(key: _Key, function: _Function, functions: Mapping[_Key, _Function]) -> _Shares:
    edges = {caller: edge for caller, edge in function.callers.items() if caller in functions and caller != key}
    if not edges:
        return _Shares({}, (1.0, 1.0))
    own, total = (sum(edge[at] for edge in edges.values()) for at in range(2))
    own_in_itself, _ = function.callers.get(key, (0.0, 0.0))
    missing_own, missing_total = max(function.own - own - own_in_itself, 0.0), max(function.total - total, 0.0)
    if missing_total <= function.total * 1e-6 + 1e-6:  # rounding
        missing_own = missing_total = 0.0
    all_own, all_total = own + missing_own, total + missing_total

    def share(edge: tuple[float, float]) -> tuple[float, float]:
        of_total = edge[1] / all_total if all_total else 0.0
        return (edge[0] / all_own if all_own else of_total), of_total

    return _Shares({caller: share(edge) for caller, edge in edges.items()}, share((missing_own, missing_total)))


def _add_stacks(tree: StackTree, functions: Mapping[_Key, _Function]) -> None:
    """Add each function's self time, divided among the stacks that its callers can have."""
    thread = tree.thread()
    shares = {key: _shares(key, function, functions) for key, function in functions.items()}
    callees: dict[_Key, list[_Key]] = {}
    for key, found in shares.items():
        for caller in found.by_caller:
            callees.setdefault(caller, []).append(key)
    frames = {key: _frame(tree, key) for key in functions}
    left = {key: round(function.own * _SECOND_NS) for key, function in functions.items()}
    least_ns = max(_LEAST_NS, sum(left.values()) * _LEAST_SHARE)
    first_nodes: dict[_Key, int] = {}
    todo = deque(_Step(key, 0, *found.of_none) for key, found in shares.items() if any(found.of_none))
    is_inferred = False
    while todo and len(tree.profile.nodes) < _MAX_NODES:
        step = todo.popleft()
        node = tree.node(step.parent, frames[step.key])
        first_nodes.setdefault(step.key, node)
        amount = min(round(functions[step.key].own * step.own_share * _SECOND_NS), left[step.key])
        left[step.key] -= amount
        tree.add(node, thread, Weight(wall_ns=amount))
        for callee in callees.get(step.key, ()):
            own_share, total_share = (each * step.total_share for each in shares[callee].by_caller[step.key])
            if functions[callee].total * total_share * _SECOND_NS < least_ns or _is_on_stack(
                tree, node, frames[callee]
            ):
                continue
            is_inferred |= step.total_share < 1 or functions[callee].has_counts_alone
            todo.append(_Step(callee, node, own_share, total_share))
    for key, amount in left.items():
        if amount > 0:  # left by cycles, by shares too small to follow, by rounding
            known_node = first_nodes.get(key)
            node = tree.node(0, frames[key]) if known_node is None else known_node
            tree.add(node, thread, Weight(wall_ns=amount))
    if is_inferred:
        text = "The file has times of callers and functions, and no stacks: who called a caller is inferred by shares."
        tree.notes.append(("stacks-inferred", text + _differing(tree.profile, functions)))


def _is_on_stack(tree: StackTree, node: int, frame: int) -> bool:
    nodes = tree.profile.nodes
    while node:
        parent, other = nodes[node]
        if other == frame:
            return True
        node = parent
    return False


def _differing(profile: Profile, functions: Mapping[_Key, _Function]) -> str:
    """Name the functions whose cumulative time in the stacks differs from the file's; "" if there are none.

    cProfile reports wrong callers when threads run at the same time (CPython 3.12 and later).
    """
    found = {_key_of(function): times.total.wall_ns for function, times in times_of_functions(profile).items()}
    all_ns = sum(cost.wall_ns for cost in profile.costs.values())
    named = []
    for key, function in sorted(functions.items(), key=lambda item: -item[1].total):
        total_ns = min(round(function.total * _SECOND_NS), all_ns)  # with recursion, the file may count more than all
        if abs(total_ns - found.get(key, 0)) > _NAMED_SHARE * all_ns:
            named.append(f"{key[2]} ({function.total:.3f} s)")
    if not named:
        return ""
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return f" They do not add up to the whole times that the file has for {', '.join(named[:_MOST_NAMED])}{more}."


def _key_of(function: Function) -> _Key:
    path, name, line = function
    return _BUILT_IN if path == UNKNOWN_PATH else path, line, name


def _frame(tree: StackTree, key: _Key) -> int:
    path, line, name = key
    return tree.frame(name, "" if path == _BUILT_IN else path, first_line=max(line, 0))
