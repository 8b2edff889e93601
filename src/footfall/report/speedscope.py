"""speedscope's own JSON format: one sampled profile for each thread, stacks in the order of time with their weights.

https://github.com/jlfwong/speedscope/blob/main/src/lib/file-format-spec.ts. Pure: a profile in, text out.
"""

from __future__ import annotations

import json

from footfall._version import VERSION
from footfall.analyze.calltree import Cost, Profile
from footfall.analyze.clocks import Clock, reader

__all__ = ["render_speedscope"]

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def render_speedscope(profile: Profile, clock: Clock = Clock.CPU) -> str:
    """Return the file's text. Weights are nanoseconds, or samples.

    Stacks are in the order of time where the profile knows it: what speedscope calls "time order" is one then. By wall
    time, moments without Python code are empty stacks, so that threads stand where they were; by the other clocks, and
    of a profile that has sums only, they are left out.
    """
    stacks: list[list[int]] = [[]]
    for node in profile.nodes[1:]:
        stacks.append([*stacks[node.parent], node.frame])
    by_thread = _in_order(profile, clock) if profile.timelines.threads else _in_sum(profile, clock)
    profiles = []
    for number, thread in enumerate(profile.threads):
        start, rows = by_thread.get(number, (0, []))
        profiles.append(
            {
                "type": "sampled",
                "name": f"{thread.name or 'thread'} {thread.native_id} (process {thread.pid})",
                "unit": "none" if clock is Clock.SAMPLES else "nanoseconds",
                "startValue": start,
                "endValue": start + sum(weight for _, weight in rows),
                "samples": [stacks[node] for node, _ in rows],
                "weights": [weight for _, weight in rows],
            }
        )
    frames = []
    for frame in profile.frames:
        entry = {"name": frame.function.qualname, "file": frame.function.path, "line": frame.line}
        if frame.column is not None:
            entry["col"] = frame.column + 1
        frames.append(entry)
    return json.dumps(
        {
            "$schema": _SCHEMA,
            "exporter": f"footfall@{VERSION}",
            "name": "footfall",
            "shared": {"frames": frames},
            "profiles": profiles,
        },
        separators=(",", ":"),
    )


_Rows = dict[int, tuple[int, list[tuple[int, int]]]]
"""By thread where it begins, and (node, weight)."""


def _in_order(profile: Profile, clock: Clock) -> _Rows:
    read = reader(clock)
    found: _Rows = {}
    for number, timeline in profile.timelines.threads.items():
        is_wall = clock is Clock.WALL
        rows = []
        for span in timeline:
            weight = read(Cost(span.wall_ns, span.cpu_ns, span.gil_ns, span.samples))
            if weight and (span.node or is_wall):
                rows.append((span.node, weight))
        found[number] = (timeline.start_ns if is_wall else 0, rows)
    return found


def _in_sum(profile: Profile, clock: Clock) -> _Rows:
    read = reader(clock)
    summed: dict[int, dict[int, int]] = {}
    for (node_id, thread_id, _), cost in profile.costs.items():
        if node_id and (weight := read(cost)):
            weights = summed.setdefault(thread_id, {})
            weights[node_id] = weights.get(node_id, 0) + weight
    return {number: (0, list(weights.items())) for number, weights in summed.items()}
