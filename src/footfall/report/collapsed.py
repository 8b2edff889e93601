"""Collapsed stacks: one line for each stack, `outermost;...;innermost count`, as flame graph programs read them.

Pure: a profile in, text out.
"""

from __future__ import annotations

from footfall.analyze.calltree import Profile, collapse_stacks
from footfall.report.text import printable

__all__ = ["render_collapsed"]

_NO_PYTHON = "(no Python code)"


def render_collapsed(profile: Profile, *, with_lines: bool = False) -> str:
    """Return the stacks sorted, with their numbers of samples; semicolons in names become colons."""
    lines = []
    for stack, cost in collapse_stacks(profile, with_lines).items():
        names = [printable(name).replace(";", ":") for name in stack] or [_NO_PYTHON]
        lines.append(f"{';'.join(names)} {cost.samples}\n")
    return "".join(sorted(lines))
