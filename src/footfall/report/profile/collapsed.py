"""Collapsed stacks: one line for each stack, `outermost;...;innermost count`, as flame graph programs read them.

Pure: a profile in, text out.
"""

from __future__ import annotations

from collections.abc import Iterator

from footfall.analyze.profile.calltree import Profile
from footfall.analyze.profile.clocks import Clock, reader
from footfall.analyze.profile.stacks import collapse_stacks
from footfall.printable import printable

__all__ = ["render_collapsed"]

_NS_PER_US = 1000
_NO_PYTHON = "(no Python code)"


def render_collapsed(profile: Profile, *, with_lines: bool = False, clock: Clock = Clock.SAMPLES) -> Iterator[str]:
    """Yield lines, the stacks in order, with their samples or microseconds; semicolons in names become colons."""
    read = reader(clock)
    unit = 1 if clock is Clock.SAMPLES else _NS_PER_US
    shown: dict[str, str] = {}
    for stack, cost in collapse_stacks(profile, with_lines):
        for name in stack:
            if name not in shown:
                shown[name] = printable(name).replace(";", ":")
        names = [shown[name] for name in stack] or [_NO_PYTHON]
        yield f"{';'.join(names)} {read(cost) // unit}\n"
