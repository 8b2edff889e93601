"""What a resolved run contains: which lines and arcs ran in which context, and the profile.

`analyze.resolve` makes it from a run directory; the supervisor writes it to the data file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from footfall.record.data.condition_tables import Conditions
from footfall.record.data.coverage_tables import Arc, FileData
from footfall.record.run.phase_times import PhaseTime

if TYPE_CHECKING:
    from footfall.analyze.profile.calltree import Profile

__all__ = ["Arc", "FileData", "RunData"]


@dataclass(slots=True)
class RunData:
    """All results of one run. Keys of `files` are absolute paths.

    `messages` are (slug, text) of what went wrong in measured processes or while resolving;
    `profile` is None if no process was sampled. `conditions` is empty if branches were not seen as events
    (before CPython 3.14, on PyPy).
    """

    files: dict[str, FileData] = field(default_factory=dict)
    has_arcs: bool = False
    messages: list[tuple[str, str]] = field(default_factory=list)
    profile: Profile | None = None
    n_processes: int = 0
    conditions: Conditions = field(default_factory=dict)
    test_times: dict[str, PhaseTime] = field(default_factory=dict)
    """By context, the measured times of each phase of each test."""
