"""Chrome's trace events, for Perfetto (ui.perfetto.dev), chrome://tracing and speedscope: begin and end of each call.

https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU. By wall time, calls are placed when
they happened, as far as samples tell. By other clocks, or if the profile has only sums, they are placed side by side.
Times are microseconds with fractions; a sample counts as one. Pure: a profile in, text out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from footfall._version import VERSION
from footfall.analyze.profile.calltree import Profile, has_source
from footfall.analyze.profile.clocks import Clock, reader
from footfall.analyze.profile.stacks import frames_above
from footfall.report.jsontext import render_json

__all__ = ["render_chrome_trace"]

_NS_PER_US = 1000


def render_chrome_trace(profile: Profile, clock: Clock = Clock.WALL) -> Iterator[str]:
    """Yield the file's text in parts; memory use is proportional to the number of nodes."""
    # load/profiles/json/chrome_trace.py reads from this which clock the times have
    head = {"otherData": {"exporter": f"footfall {VERSION}", "clock": clock.value}, "displayTimeUnit": "ms"}
    yield f'{_json(head)[:-1]},"traceEvents":['
    separator = ""
    ends_ns: dict[tuple[int, int], int] = {}
    for number in range(len(profile.threads)):
        for event in _events(profile, number, clock, ends_ns):
            yield f"{separator}{_json(event)}"
            separator = ",\n"
    yield "]}\n"


def _json(value: object) -> str:
    return render_json(value, separators=(",", ":"))


def _events(
    profile: Profile, number: int, clock: Clock, ends_ns: dict[tuple[int, int], int]
) -> Iterator[dict[str, object]]:
    """Yield a thread's events. Sums of threads with one id (one that got a name later) follow one another."""
    thread = profile.threads[number]
    track = (thread.pid, thread.native_id)
    place: dict[str, object] = {"pid": thread.pid, "tid": thread.native_id}
    if thread.name:
        yield {"ph": "M", "name": "thread_name", **place, "args": {"name": thread.name}}
    open_frames: list[int] = []
    end_ns = 0
    for stack, start_ns, spent_ns in _spans(profile, number, clock, ends_ns.get(track, 0)):
        n_kept = 0
        if start_ns == end_ns:
            while n_kept < min(len(stack), len(open_frames)) and stack[n_kept] == open_frames[n_kept]:
                n_kept += 1
        for _ in range(len(open_frames) - n_kept):
            yield {"ph": "E", **place, "ts": end_ns / _NS_PER_US}
        for frame in stack[n_kept:]:
            yield {"ph": "B", **place, "ts": start_ns / _NS_PER_US, **_described(profile, frame)}
        open_frames = stack
        end_ns = start_ns + spent_ns
    for _ in open_frames:
        yield {"ph": "E", **place, "ts": end_ns / _NS_PER_US}
    ends_ns[track] = max(ends_ns.get(track, 0), end_ns)


def _described(profile: Profile, number: int) -> dict[str, object]:
    frame = profile.frames[number]
    described: dict[str, object] = {"name": frame.function.qualname, "cat": "python"}
    if has_source(frame.function.path):
        place = {"file": frame.function.path, "line": frame.line, "first_line": frame.function.first_line}
        described["args"] = place
    return described


def _spans(profile: Profile, number: int, clock: Clock, at: int) -> Iterator[tuple[list[int], int, int]]:
    """Yield stacks (outermost frame first) with start and length in nanoseconds; sums are placed from `at` on."""
    timeline = profile.timelines.threads.get(number)
    if timeline is not None and clock is Clock.WALL:
        at = timeline.start_ns
        for span in timeline:
            if span.node:
                yield frames_above(profile, span.node)[::-1], at, span.wall_ns
            at += span.wall_ns
        return
    read = reader(clock)
    unit = _NS_PER_US if clock is Clock.SAMPLES else 1
    own: dict[int, int] = {}
    for (node, thread, _), cost in profile.costs.items():
        if thread == number and node:
            own[node] = own.get(node, 0) + read(cost) * unit
    for node in _depth_first(profile, own):
        if own.get(node):
            yield frames_above(profile, node)[::-1], at, own[node]
            at += own[node]


def _depth_first(profile: Profile, wanted: Iterable[int]) -> Iterator[int]:
    """Yield nodes so that those with the same callers are adjacent."""
    children: dict[int, list[int]] = {}
    seen = {0}
    for node in wanted:
        while node not in seen:
            seen.add(node)
            parent = profile.nodes[node].parent
            children.setdefault(parent, []).append(node)
            node = parent
    todo = [0]
    while todo:
        node = todo.pop()
        yield node
        todo += sorted(children.get(node, ()), reverse=True)
