"""speedscope's own JSON format: one sampled profile for each thread, stacks in time order with their weights.

https://github.com/jlfwong/speedscope/blob/main/src/lib/file-format-spec.ts. Pure: a profile in, text out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from footfall._version import VERSION
from footfall.analyze.profile.calltree import Cost, Frame, Profile, has_source
from footfall.analyze.profile.clocks import CLOCK_WORDS, Clock, reader
from footfall.analyze.profile.stacks import frames_above
from footfall.report.jsontext import render_json

__all__ = ["render_speedscope"]

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_ITEMS_IN_PART: Final = 4096
_T = TypeVar("_T")


def render_speedscope(profile: Profile, clock: Clock = Clock.CPU) -> Iterator[str]:
    """Yield the file's text in parts: stacks are written out. Weights are nanoseconds, or samples.

    Stacks are in time order if the profile has it; only then is speedscope's "time order" really one. By wall time,
    moments without Python code are empty stacks, so that threads stay aligned in time. By the other clocks, or if the
    profile has only sums (as of waiting for the GIL), they are left out.
    """
    has_order = bool(profile.timelines.threads) and clock is not Clock.GIL_WAIT
    by_thread = _in_order(profile, clock) if has_order else _in_sum(profile, clock)
    head = {
        "$schema": _SCHEMA,
        "exporter": f"footfall@{VERSION}",
        "name": f"footfall, {CLOCK_WORDS[clock]}",  # which load/profiles/json/speedscope.py reads
    }
    yield f'{_json(head)[:-1]},"shared":{{"frames":['
    yield from _items(profile.frames, _frame)
    yield ']},"profiles":['
    for number, thread in enumerate(profile.threads):
        start, rows = by_thread.get(number, (0, []))
        described = {
            "type": "sampled",
            "name": f"{thread.name or 'thread'} {thread.native_id} (process {thread.pid})",
            "unit": "none" if clock is Clock.SAMPLES else "nanoseconds",
            "startValue": start,
            "endValue": start + sum(weight for _, weight in rows),
        }
        yield f'{"," if number else ""}{_json(described)[:-1]},"weights":['
        yield from _items(rows, lambda row: row[1])
        yield '],"samples":['
        for at, (node, _) in enumerate(rows):
            stack = ",".join(map(str, reversed(frames_above(profile, node))))
            yield f"{',' if at else ''}[{stack}]"
        yield "]}"
    yield "]}"


def _frame(frame: Frame) -> dict[str, str | int]:
    entry: dict[str, str | int] = {"name": frame.function.qualname}
    if has_source(frame.function.path):
        entry |= {"file": frame.function.path, "line": frame.line}
    if frame.column is not None:
        entry["col"] = frame.column + 1
    return entry


def _items(values: Sequence[_T], entry_of: Callable[[_T], object]) -> Iterator[str]:
    """Yield what lies between the brackets of a list, in parts: all of a wide profile's would be twice its size."""
    for start in range(0, len(values), _ITEMS_IN_PART):
        part = [entry_of(value) for value in values[start : start + _ITEMS_IN_PART]]
        yield f"{',' if start else ''}{_json(part)[1:-1]}"


def _json(value: object) -> str:
    return render_json(value, separators=(",", ":"))


_Rows = dict[int, tuple[int, list[tuple[int, int]]]]
"""By thread: where it begins, and (node, weight)."""


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
