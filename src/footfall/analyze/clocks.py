"""The clocks of one recording: every sample carries all of them, and views choose one afterwards."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from footfall.analyze.calltree import Cost, Profile

__all__ = ["Clock", "default_clock", "reader"]


class Clock(StrEnum):
    """What a share is a share of."""

    CPU = "cpu"
    """Time in which the thread ran, by the system's scheduler."""
    WALL = "wall"
    """Time on the clock on the wall, running or not."""
    GIL = "gil"
    """Wall time in which the thread held the GIL."""
    SAMPLES = "samples"
    """The number of looks at the thread."""


def reader(clock: Clock) -> Callable[[Cost], int]:
    """Return what reads a cost by this clock: nanoseconds, or a number of samples."""
    if clock is Clock.CPU:
        return lambda cost: cost.cpu_ns
    if clock is Clock.WALL:
        return lambda cost: cost.wall_ns
    if clock is Clock.GIL:
        return lambda cost: cost.gil_ns
    return lambda cost: cost.samples


def default_clock(profile: Profile) -> Clock:
    """Return CPU, or wall time where no sample has CPU time (PyPy)."""
    return Clock.CPU if any(cost.cpu_ns for cost in profile.costs.values()) else Clock.WALL
