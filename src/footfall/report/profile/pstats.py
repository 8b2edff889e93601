"""cProfile's format, for `pstats.Stats` and the viewers built on it (snakeviz, gprof2dot).

A sampling profile has no calls to count: the numbers of calls are numbers of samples. Pure: a profile in, bytes out.
"""

from __future__ import annotations

import marshal

from footfall.analyze.profile.calltree import Function, Profile, has_source, times_of_functions, tree_sums
from footfall.analyze.profile.clocks import Clock, reader
from footfall.analyze.profile.tree_sums import TreeSums

__all__ = ["render_pstats"]

_NS_PER_SECOND = 1_000_000_000

_Key = tuple[str, int, str]
_Callers = dict[_Key, tuple[int, int, float, float]]


def render_pstats(profile: Profile, clock: Clock = Clock.CPU) -> bytes:
    """Return the file's bytes: by (path, first line, name) samples, self and cumulative seconds, the same by caller.

    `clock` must be a clock of time, not samples.
    """
    read = reader(clock)
    sums = tree_sums(profile)
    callers = _callers(profile, sums, clock)
    stats: dict[_Key, tuple[int, int, float, float, _Callers]] = {}
    for function, times in times_of_functions(profile, sums).items():
        key = _key(function)
        own, total = read(times.own) / _NS_PER_SECOND, read(times.total) / _NS_PER_SECOND
        stats[key] = (times.total.samples, times.total.samples, own, total, callers.get(key, {}))
    return marshal.dumps(stats, 4)  # older readers can't read a later version


def _key(function: Function) -> _Key:
    """Return the format's key for a function; one without source gets a key like cProfile's for built-in functions."""
    if not has_source(function.path):
        return "~", 0, function.qualname
    return function.path, function.first_line, function.qualname


def _callers(profile: Profile, sums: TreeSums, clock: Clock) -> dict[_Key, _Callers]:
    """Return each function's cost under each of its callers; recursion counts at the outermost call."""
    read = reader(clock)
    keys = [_key(each.function) for each in profile.frames]
    own = [[0, 0] for _ in profile.nodes]
    for (node_id, _, _), cost in profile.costs.items():
        own[node_id][0] += cost.samples
        own[node_id][1] += read(cost)
    whole = [list(pair) for pair in own]
    for number in range(len(profile.nodes) - 1, 0, -1):
        parent = profile.nodes[number].parent
        whole[parent][0] += whole[number][0]
        whole[parent][1] += whole[number][1]
    numbers: dict[_Key, int] = {}
    key_of = [0, *(numbers.setdefault(keys[node.frame], len(numbers)) for node in profile.nodes[1:])]
    outermost = frozenset(sums.outermost(key_of, max(len(numbers), 1)))
    found: dict[_Key, dict[_Key, list[float]]] = {}
    for number, node in enumerate(profile.nodes):
        if not number or not node.parent:
            continue
        key, caller = keys[node.frame], keys[profile.nodes[node.parent].frame]
        row = found.setdefault(key, {}).setdefault(caller, [0, 0.0, 0.0])
        row[1] += own[number][1] / _NS_PER_SECOND
        if number in outermost:
            row[0] += whole[number][0]
            row[2] += whole[number][1] / _NS_PER_SECOND
    return {
        key: {caller: (int(row[0]), int(row[0]), row[1], row[2]) for caller, row in rows.items()}
        for key, rows in found.items()
    }
