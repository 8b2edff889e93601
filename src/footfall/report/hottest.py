"""The hottest lines and functions of a profile, for the summary that ends a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from footfall.analyze.profile.calltree import Cost, Profile, Times, times_of_functions, tree_sums
from footfall.analyze.profile.clocks import default_clock, has_cpu_time_alone, reader, sampled_ns
from footfall.analyze.profile.line_places import rows_of_lines
from footfall.report.places import SOURCES, is_footfall, is_library, shown_place
from footfall.report.summary import HotSpot
from footfall.report.summary import Times as SummaryTimes

__all__ = ["profile_summary"]

_OTHER_PART: Final = 3
"""For every so many rows of the project's code, the summary has one more row of other code."""


class _Spot(NamedTuple):
    name: str
    path: str
    line: int
    times: Times


def profile_summary(profile: Profile, count: int) -> SummaryTimes:
    """Return the `count` hottest lines and functions of the project, fewer of other code, and their sample counts."""
    clock = default_clock(profile)
    read = reader(clock)
    total = sampled_ns(profile, read)
    sums = tree_sums(profile)
    lines = [
        _Spot(function.qualname, place.path, place.line, times)
        for place, function, times in rows_of_lines(profile, SOURCES, read, sums)
    ]
    functions = [
        _Spot(function.qualname, function.path, function.first_line, times)
        for function, times in times_of_functions(profile, sums).items()
        if not is_footfall(function.path)
    ]

    def hottest(spots: Iterable[_Spot], *, is_project: bool) -> list[HotSpot]:
        chosen = [spot for spot in spots if is_library(spot.path) is not is_project]
        return _hottest(chosen, read, total, count if is_project else -(-count // _OTHER_PART))

    if has_cpu_time_alone(profile):
        lines = []  # each would be the first line of its function
    return SummaryTimes(
        sampled_ns=total,
        n_samples=profile.n_samples,
        n_dropped=profile.n_dropped,
        n_processes=profile.n_processes,
        interval_ns=profile.interval_ns,
        hot_lines=hottest(lines, is_project=True),
        hot_functions=hottest(functions, is_project=True),
        other_lines=hottest(lines, is_project=False),
        other_functions=hottest(functions, is_project=False),
        clock=clock,
    )


def _hottest(spots: Iterable[_Spot], clock: Callable[[Cost], int], total: int, count: int) -> list[HotSpot]:
    ranked = sorted(spots, key=lambda spot: (-clock(spot.times.own), spot.path, spot.line, spot.name))
    return [
        HotSpot(name, shown_place(path, line), clock(times.own), 100 * clock(times.own) / (total or 1))
        for name, path, line, times in ranked[:count]
        if clock(times.own) > 0
    ]
