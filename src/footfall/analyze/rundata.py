"""What a resolved run holds: which lines and arcs ran in which context, and the profile.

`analyze.resolve` makes it from a run directory; `record.coveragedb` and `record.profiledb` write it to the data file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from footfall.analyze.calltree import Profile

__all__ = ["Arc", "FileData", "RunData"]

Arc = tuple[int, int]
"""(from line, to line); a negative number is the first line of a code object: entered (from) or left (to)."""


@dataclass(slots=True)
class FileData:
    """One measured file. Keys are context labels ("" = none). `arcs` is empty unless branches were measured."""

    lines: dict[str, set[int]] = field(default_factory=dict)
    arcs: dict[str, set[Arc]] = field(default_factory=dict)

    def all_lines(self) -> set[int]:
        """Return the lines that ran in any context."""
        return set().union(*self.lines.values())

    def all_arcs(self) -> set[Arc]:
        """Return the arcs that ran in any context."""
        return set().union(*self.arcs.values())


@dataclass(slots=True)
class RunData:
    """All that one run gave. Keys of `files` are absolute paths.

    `messages` are (slug, text) of what went wrong in measured processes or while resolving;
    `profile` is None when no process was sampled.
    """

    files: dict[str, FileData] = field(default_factory=dict)
    has_arcs: bool = False
    messages: list[tuple[str, str]] = field(default_factory=list)
    profile: Profile | None = None
    n_processes: int = 0
