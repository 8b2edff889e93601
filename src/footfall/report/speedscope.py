"""speedscope's own JSON format: one sampled profile for each thread, aggregated stacks with their weights.

https://github.com/jlfwong/speedscope/blob/main/src/lib/file-format-spec.ts. Pure: a profile in, text out.
"""

from __future__ import annotations

import json

from footfall._version import VERSION
from footfall.analyze.calltree import Profile
from footfall.analyze.clocks import Clock, reader

__all__ = ["render_speedscope"]

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def render_speedscope(profile: Profile, clock: Clock = Clock.CPU) -> str:
    """Return the file's text. Weights are nanoseconds, or samples; time without Python code is left out."""
    read = reader(clock)
    stacks: list[list[int]] = [[]]
    for node in profile.nodes[1:]:
        stacks.append([*stacks[node.parent], node.frame])
    by_thread: dict[int, dict[int, int]] = {}
    for (node_id, thread_id, _), cost in profile.costs.items():
        if node_id and (weight := read(cost)):
            weights = by_thread.setdefault(thread_id, {})
            weights[node_id] = weights.get(node_id, 0) + weight
    profiles = []
    for number, thread in enumerate(profile.threads):
        weights = by_thread.get(number, {})
        profiles.append(
            {
                "type": "sampled",
                "name": f"{thread.name or 'thread'} {thread.native_id} (process {thread.pid})",
                "unit": "none" if clock is Clock.SAMPLES else "nanoseconds",
                "startValue": 0,
                "endValue": sum(weights.values()),
                "samples": [stacks[node] for node in weights],
                "weights": list(weights.values()),
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
