"""Collapsed stacks: one line for each stack, `outermost;...;innermost count`, as flame graph programs read them.

Pure: a profile in, text out.
"""

from __future__ import annotations

from footfall.analyze.calltree import Profile, collapse_stacks
from footfall.analyze.clocks import Clock, reader
from footfall.report.text import printable

__all__ = ["render_collapsed"]

_NS_PER_US = 1000
_NO_PYTHON = "(no Python code)"


def render_collapsed(profile: Profile, *, with_lines: bool = False, clock: Clock = Clock.SAMPLES) -> str:
    """Return the stacks sorted, with their samples or microseconds; semicolons in names become colons."""
    lines = []
    read = reader(clock)
    unit = 1 if clock is Clock.SAMPLES else _NS_PER_US
    for stack, cost in collapse_stacks(profile, with_lines).items():
        names = [printable(name).replace(";", ":") for name in stack] or [_NO_PYTHON]
        lines.append(f"{';'.join(names)} {read(cost) // unit}\n")
    return "".join(sorted(lines))
