"""Two sets of profiles to the functions whose time changed, for `footfall diff` and the service."""

from __future__ import annotations

from collections.abc import Sequence

from footfall.analyze.profile.calltree import Cost, Origin, Profile, times_of_functions
from footfall.analyze.profile.changes.time_changes import averaged, changed_times
from footfall.analyze.profile.clocks import Clock, default_clock, known_clocks, reader, sampled_ns
from footfall.errors import FootfallError
from footfall.report.coverage.difference import TimeDifference
from footfall.report.times import function_times, need_clock

__all__ = ["compare_times", "need_errors", "noise_by_clock"]

_COMPARED = (Clock.CPU, Clock.WALL, Clock.GIL, Clock.SAMPLES)


def compare_times(
    before: Sequence[Profile], now: Sequence[Profile], chosen: Clock | None = None, noise: float = 0.0
) -> TimeDifference:
    """Return the functions that changed by more than chance, and by at least `noise` (0 to 1) of their time before.

    Several profiles of one side are runs of the same program. Raises FootfallError (`clock-unknown`).
    """
    profiles = [*before, *now]
    clock = chosen or _usual_clock(profiles)
    for profile in profiles:
        need_clock(profile, clock)
    read = reader(clock)
    was, is_now = (
        averaged([function_times(profile, times_of_functions(profile), read, {}) for profile in side])
        for side in (before, now)
    )
    found = changed_times(was, is_now)
    changes = [each for each in found.changes if abs(each.change_us) >= noise * max(each.before_us, 1)]
    was_us, now_us = (
        sum(sampled_ns(profile, read) for profile in side) // (1000 * len(side)) for side in (before, now)
    )
    return TimeDifference(clock, was_us, now_us, changes, found.noise, found.n_errors)


def noise_by_clock(before: Profile, now: Profile) -> dict[Clock, tuple[float, float, float]]:
    """Return by clock what `changed_times` finds the machine to change: factor, variance, information (0: unknown)."""
    was, is_now = times_of_functions(before), times_of_functions(now)
    found: dict[Clock, tuple[float, float, float]] = {}
    known = known_clocks(before) & known_clocks(now)
    for clock in filter(known.__contains__, _COMPARED):
        read = _samples_as_ns if clock is Clock.SAMPLES else reader(clock)
        noise = changed_times(function_times(before, was, read, {}), function_times(now, is_now, read, {})).noise
        found[clock] = noise.factor, noise.variance, noise.information
    return found


def _samples_as_ns(cost: Cost) -> int:
    """Return the samples of a cost as if each were a microsecond."""
    return 1000 * cost.samples


def need_errors(name: str, origin: Origin) -> None:
    """Raise FootfallError (`samples-unknown`) for times without the sample counts that tell chance from change."""
    if Clock.SAMPLES not in origin.clocks and not origin.is_measured:
        text = f"{name} ({origin.format}) does not say how many samples its times are of."
        help = "What is chance can't be told without; `footfall flame BEFORE AFTER -o diff.html` shows both."
        raise FootfallError("samples-unknown", text, help)


def _usual_clock(profiles: Sequence[Profile]) -> Clock:
    """Return the clock to compare by if none is chosen. Raises FootfallError (`clock-unknown`)."""
    shared = frozenset.intersection(*map(known_clocks, profiles))
    if Clock.WALL in map(default_clock, profiles) and Clock.WALL in shared:
        return Clock.WALL
    for each in (Clock.CPU, Clock.WALL):
        if each in shared:
            return each
    raise FootfallError("clock-unknown", "The two profiles have no time in common.", "Record both with one tool.")
