"""A profile in parts that servers accept: each with at most so many samples, and only the frames of these. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from footfall.analyze.profile.calltree import Cost, CostKey, Frame, Profile, ProfiledThread
from footfall.record.data.timelines import Timelines, TreeNode

__all__ = ["longest_thread_ns", "part_of_profile", "split_profile", "sum_over"]


def split_profile(profile: Profile, max_samples: int) -> Iterator[Profile]:
    """Yield parts, in the order of the costs, that together have all costs; none for a profile without costs."""
    keys = list(profile.costs)
    for first in range(0, len(keys), max_samples):
        yield part_of_profile(profile, keys[first : first + max_samples])


def part_of_profile(profile: Profile, keys: list[CostKey]) -> Profile:
    """Return a profile of these costs alone, without the order in time. Frames and nodes have new numbers."""
    nodes = [TreeNode(-1, -1)]
    frames: list[Frame] = []
    number_of_node = {0: 0}
    number_of_frame: dict[int, int] = {}
    costs = {}
    for key in keys:
        node_id, thread_id, context = key
        missing = []
        at = node_id
        while at not in number_of_node:
            missing.append(at)
            at = profile.nodes[at].parent
        for each in reversed(missing):
            parent, frame = profile.nodes[each]
            if frame not in number_of_frame:
                number_of_frame[frame] = len(frames)
                frames.append(profile.frames[frame])
            number_of_node[each] = len(nodes)
            nodes.append(TreeNode(number_of_node[parent], number_of_frame[frame]))
        costs[number_of_node[node_id], thread_id, context] = profile.costs[key]
    native = {number_of_frame[frame] for frame in profile.native_calls if frame in number_of_frame}
    return replace(
        profile, frames=frames, nodes=nodes, costs=costs, native_calls=native, squares=[], timelines=Timelines()
    )


def longest_thread_ns(profile: Profile) -> int:
    """Return the wall time (or CPU time, if that is all) of the thread that was sampled for the longest time."""
    times: dict[int, int] = {}
    for (_, thread, _), cost in profile.costs.items():
        times[thread] = times.get(thread, 0) + (cost.wall_ns or cost.cpu_ns)
    return max(times.values(), default=0)


def sum_over(profile: Profile, dimensions: Collection[str]) -> Profile:
    """Return the profile without the difference between threads, contexts, or both ("thread", "context").

    The costs of all threads of a process are then those of its first, without a name.
    """
    if not dimensions:
        return profile
    thread_of = list(range(len(profile.threads)))
    threads = profile.threads
    if "thread" in dimensions:
        first_of: dict[int, int] = {}
        thread_of = [first_of.setdefault(thread.pid, number) for number, thread in enumerate(threads)]
        threads = [ProfiledThread(thread.pid, thread.pid, "") for thread in threads]
    has_contexts = "context" not in dimensions
    costs: dict[CostKey, Cost] = {}
    for (node, thread, context), cost in profile.costs.items():
        costs.setdefault((node, thread_of[thread], context if has_contexts else ""), Cost()).add(cost)
    return replace(profile, threads=threads, costs=costs, squares=[], timelines=Timelines())
