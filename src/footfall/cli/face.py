"""Which command was called: `footfall`, or `footfall-coverage`, which replaces coverage.py's command."""

from __future__ import annotations

from dataclasses import dataclass

import click

from footfall.errors import EXIT_FINDINGS

__all__ = ["Face", "current_face"]


@dataclass(frozen=True, slots=True)
class Face:
    """What the command line looks like from outside."""

    is_as_coverage: bool = False
    """It replaces `coverage`, for scripts that read what `coverage` prints: branches are measured only on request, a
    run prints no summary, the table of `report` has coverage.py's columns, and errors exit with status 1."""

    @property
    def name(self) -> str:
        """The command's name, for its help."""
        return "footfall-coverage" if self.is_as_coverage else "footfall"

    def error_status(self, status: int) -> int:
        """Return the exit status for an error that has `status` in footfall; a missed threshold is not an error."""
        return EXIT_FINDINGS if self.is_as_coverage else status


def current_face() -> Face:
    """Return the face of the running command."""
    context = click.get_current_context(silent=True)
    face = None if context is None else context.find_object(Face)
    return face or Face()
