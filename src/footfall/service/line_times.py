"""A profile's times by file and line, all that answers need of it: the profile itself is not kept."""

from __future__ import annotations

from dataclasses import dataclass

from footfall.analyze.profile.calltree import (
    UNKNOWN_PATH,
    Cost,
    Function,
    Profile,
    Times,
    has_source,
    times_of_functions,
    tree_sums,
)
from footfall.analyze.profile.clocks import Clock, default_clock, reader, sampled_ns
from footfall.analyze.profile.line_places import LineRow, rows_of_lines
from footfall.record.data.qualifications import Message
from footfall.report.places import SOURCES, is_footfall

__all__ = ["LineTimes", "line_times"]


@dataclass(frozen=True, slots=True)
class LineTimes:
    """Times by path and line, and by function. Shares refer to `total_ns`, by `clock`."""

    clock: Clock
    total_ns: int
    total: Cost
    """With the time of threads that ran no Python code."""
    n_samples: int
    n_dropped: int
    by_path: dict[str, dict[int, LineRow]]
    functions: dict[Function, Times]
    warnings: list[Message]
    """What qualifies the profile."""

    def shares(self, times: Times) -> dict[str, float]:
        """Return the own and cumulative time as shares of all time, 0 to 1."""
        read = reader(self.clock)
        whole = self.total_ns or 1
        return {"own_share": read(times.own) / whole, "total_share": read(times.total) / whole}


def line_times(profile: Profile, warnings: list[Message]) -> LineTimes:
    """Sum a profile by line and by function. Under a name that is no file there are functions alone."""
    clock = default_clock(profile)
    read = reader(clock)
    sums = tree_sums(profile)
    by_path: dict[str, dict[int, LineRow]] = {}
    for row in rows_of_lines(profile, SOURCES, read, sums):
        if row.place.function is None:
            by_path.setdefault(row.place.path, {})[row.place.line] = row
    return LineTimes(
        clock=clock,
        total_ns=sampled_ns(profile, read),
        total=profile.total(),
        n_samples=profile.n_samples,
        n_dropped=profile.n_dropped,
        by_path=by_path,
        functions={
            function: times
            for function, times in times_of_functions(profile, sums).items()
            if (has_source(function.path) or function.path == UNKNOWN_PATH) and not is_footfall(function.path)
        },
        warnings=warnings,
    )
