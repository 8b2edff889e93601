"""The clocks of one recording: every sample has all of them, and views choose one afterwards."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from footfall.analyze.profile.calltree import Cost, Profile

__all__ = [
    "CLOCK_WORDS",
    "Clock",
    "default_clock",
    "has_cpu_time_alone",
    "known_clocks",
    "reader",
    "sampled_ns",
    "sum_of_squares",
]


class Clock(StrEnum):
    """What a share is a share of."""

    CPU = "cpu"
    """Time in which the thread ran, according to the system's scheduler."""
    WALL = "wall"
    """Wall-clock time, whether the thread ran or not."""
    GIL = "gil"
    """Wall time in which the thread held the GIL."""
    GIL_WAIT = "gil-wait"
    """Wall time in which the thread waited for the GIL."""
    SAMPLES = "samples"
    """The number of samples of the thread."""


CLOCK_WORDS: Final = {
    Clock.CPU: "CPU time",
    Clock.WALL: "wall time",
    Clock.GIL: "wall time with the GIL held",
    Clock.GIL_WAIT: "wall time waiting for the GIL",
    Clock.SAMPLES: "samples",
}
"""What shares refer to, in words to show."""


def reader(clock: Clock) -> Callable[[Cost], int]:
    """Return a function that reads a cost by this clock: nanoseconds, or a number of samples."""
    if clock is Clock.CPU:
        return lambda cost: cost.cpu_ns
    if clock is Clock.WALL:
        return lambda cost: cost.wall_ns
    if clock is Clock.GIL:
        return lambda cost: cost.gil_ns
    if clock is Clock.GIL_WAIT:
        return lambda cost: cost.gil_wait_ns
    return lambda cost: cost.samples


def sampled_ns(profile: Profile, clock: Callable[[Cost], int]) -> int:
    """Return the time of all samples that had Python code running."""
    return sum(clock(cost) for (node, _, _), cost in profile.costs.items() if node)


def sum_of_squares(profile: Profile, clock: Callable[[Cost], int]) -> int:
    """Return the sum of squares of the time that single samples represent, by this clock; 0 if it is not known."""
    return clock(
        Cost(
            wall_ns=round(sum(squares.wall for squares in profile.squares)),
            cpu_ns=round(sum(squares.cpu for squares in profile.squares)),
            gil_ns=round(sum(squares.gil for squares in profile.squares)),
        )
    )


def default_clock(profile: Profile) -> Clock:
    """Return CPU time, or wall time if no sample has CPU time: the process waited or was stopped.

    For another tool's profile, return the first clock that it has. Callers that show its times must name the clock, as
    the times look alike.
    """
    if profile.origin is not None:
        return next(clock for clock in Clock if clock in profile.origin.clocks)
    return Clock.CPU if any(cost.cpu_ns for cost in profile.costs.values()) else Clock.WALL


def known_clocks(profile: Profile) -> frozenset[Clock]:
    """Return the clocks whose times the profile has."""
    if profile.origin is not None:
        return frozenset(clock for clock in Clock if clock in profile.origin.clocks)
    if has_cpu_time_alone(profile):
        return frozenset((Clock.CPU, Clock.SAMPLES))
    if any(cost.gil_untold_ns < cost.wall_ns for cost in profile.costs.values()):
        return frozenset(Clock)
    if any(cost.gil_ns for cost in profile.costs.values()):
        return frozenset(Clock) - {Clock.GIL_WAIT}
    return frozenset(Clock) - {Clock.GIL, Clock.GIL_WAIT}  # a Python thread has sampled, which held the GIL to look


def has_cpu_time_alone(profile: Profile) -> bool:
    """Return whether the profile has only CPU time, of functions and not of lines: PyPy's sampler records nothing else.

    Its wall times equal its CPU times, as two clocks never would to the nanosecond, and its frames have no columns.
    """
    costs = profile.costs.values()
    return (
        profile.origin is None
        and any(cost.cpu_ns for cost in costs)
        and all(not cost.gil_ns and cost.wall_ns == cost.cpu_ns for cost in costs)
        and all(frame.line == frame.function.first_line and frame.column is None for frame in profile.frames)
    )
