"""Collapsed stacks: one line for each stack, `outermost;...;innermost count`, as flame graph programs read them.

Pure: a profile in, text out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from footfall.analyze.profile.calltree import Cost, CostKey, Profile
from footfall.analyze.profile.clocks import Clock, reader
from footfall.analyze.profile.stacks import collapse_stacks
from footfall.printable import printable

__all__ = ["render_collapsed", "render_perf_collapsed"]

_NS_PER_US = 1000
_NO_PYTHON = "(no Python code)"
_MAX_SHOWN = 1 << 14
"""Names whose text is kept: those of neighbouring stacks recur, and there may be a million."""


def render_collapsed(profile: Profile, *, with_lines: bool = False, clock: Clock = Clock.SAMPLES) -> Iterator[str]:
    """Yield a line for each stack, sorted, with its samples or microseconds; semicolons in names become colons."""
    yield from _lines(profile, [], with_lines, clock)


def render_perf_collapsed(profile: Profile, *, with_lines: bool = False, clock: Clock = Clock.SAMPLES) -> Iterator[str]:
    """Yield the same for each thread, under a frame `NAME-PID/TID`, as stackcollapse-perf.pl --tid does."""
    by_thread: dict[int, dict[CostKey, Cost]] = {}
    for key, cost in profile.costs.items():
        by_thread.setdefault(key[1], {})[key] = cost
    for number in sorted(by_thread):
        thread = profile.threads[number]
        name = printable(thread.name or "thread").replace(";", ":")
        first = f"{name}-{thread.pid or '?'}/{thread.native_id}"
        yield from _lines(replace(profile, costs=by_thread[number]), [first], with_lines, clock)


def _lines(profile: Profile, first: list[str], with_lines: bool, clock: Clock) -> Iterator[str]:
    read = reader(clock)
    unit = 1 if clock is Clock.SAMPLES else _NS_PER_US
    shown: dict[str, str] = {}
    left = 0  # nanoseconds of a unit that is not full; the next stack has them
    for stack, cost in collapse_stacks(profile, with_lines):
        count, left = divmod(read(cost) + left, unit)
        if len(shown) > _MAX_SHOWN:
            shown.clear()
        for name in stack:
            if name not in shown:
                shown[name] = printable(name).replace(";", ":")
        names = [*first, *(shown[name] for name in stack)] if stack else [*first, _NO_PYTHON]
        yield f"{';'.join(names)} {count}\n"
