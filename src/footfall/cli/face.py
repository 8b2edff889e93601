"""Which command was called: `footfall`, or `footfall-coverage` in place of coverage.py's."""

from __future__ import annotations

from dataclasses import dataclass

import click

__all__ = ["Face", "current_face"]


@dataclass(frozen=True, slots=True)
class Face:
    """What the command line looks like from outside."""

    is_as_coverage: bool = False
    """It stands in for `coverage`: branches are measured only when asked for, and a run prints no summary."""

    @property
    def name(self) -> str:
        """The command's name, for its help."""
        return "footfall-coverage" if self.is_as_coverage else "footfall"


def current_face() -> Face:
    """Return that of the running command."""
    context = click.get_current_context(silent=True)
    face = None if context is None else context.find_object(Face)
    return face or Face()
