"""How much the times of unchanged functions differ between runs beyond the chance of sampling. Pure.

A machine is slower in one run than in another, by a factor that all functions have in common, and by one that each has
alone. Both show in the ratios of the functions that two profiles have: their middle is the former, their variance,
less that of sampling, the latter. Functions that did change affect neither much, as a ratio far from the others counts
no more than one that is two standard deviations away. With few functions, the runs of each side tell, if there are
several.

How certain the variance is comes with it as `information`: the reciprocal of half the variance of that estimate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

__all__ = [
    "MAX_ERROR",
    "MIN_FUNCTIONS",
    "MachineNoise",
    "RunNoise",
    "crossing",
    "median",
    "noise_of_functions",
    "noise_of_runs",
]

MIN_FUNCTIONS: Final = 8
"""With fewer, one that changed can't be told from the others."""
MAX_ERROR: Final = 0.4
"""The relative standard error up to which a function's time says something about the machine."""
_FAR_SQUARED: Final = 4.0
"""Squared deviations count up to this many variances."""
_MEAN_SQUARE: Final = 0.9205
"""Their mean, so limited, of a normal distribution."""
_EFFICIENCY: Final = 0.885
"""The variance of the best estimate, divided by that of one from such a mean."""
_MAX_EXPONENT: Final = 50.0
_LEAST_VARIANCE: Final = 1e-9
"""Instead of 0: times without an error, such as those of a profiler that counts every call, can be equal."""
_MAX_VARIANCE: Final = 100.0


class MachineNoise(NamedTuple):
    """`factor` is how many times as long the middle function takes now; `variance` is that of a function's logarithmic
    ratio around it, without sampling's. `n_functions` is how many functions there are to compare, `information` how
    much is known of the variance: 0 if nothing.
    """

    factor: float = 1.0
    variance: float = 0.0
    information: float = 0.0
    n_functions: int = 0

    def enlargement(self, variance: float, n_errors: float) -> float:
        """Return by what to multiply the standard error of a ratio that has this variance in all.

        `n_errors` of the product are as rare as `n_errors` of a standard error that is known: Student's distribution
        instead of the normal one, by Satterthwaite's degrees of freedom and Wallace's approximation.
        """
        freedom = variance**2 * self.information
        if not freedom:
            return 1.0
        exponent = (n_errors * (8 * freedom + 3) / (8 * freedom + 1)) ** 2 / freedom
        return math.sqrt(freedom * math.expm1(min(exponent, _MAX_EXPONENT))) / n_errors


class RunNoise(NamedTuple):
    """The relative variance of a function's time between the runs of one side: sampling's, and what is beyond that."""

    n_runs: int = 1
    variance: float = 0.0
    sampling: float = 0.0
    is_known: bool = False
    """Whether there are several runs, and functions with enough samples in them."""


def noise_of_functions(ratios: Sequence[float], sampling: Sequence[float]) -> MachineNoise:
    """Return what the logarithmic ratios of functions say, each with the variance that sampling gives it."""
    n_functions = len(ratios)
    if n_functions < MIN_FUNCTIONS:
        return MachineNoise(n_functions=n_functions)
    middle = median(ratios)
    squares = [(ratio - middle) ** 2 for ratio in ratios]
    expected = _MEAN_SQUARE * (n_functions - 1) / n_functions

    def is_below(variance: float) -> bool:
        """Whether the ratios vary more than with this variance, each counted by what it can tell."""
        found = 0.0
        for square, own in zip(squares, sampling, strict=True):
            total = own + variance
            found += (min(square / total, _FAR_SQUARED) - expected) / total
        return found > 0

    variance = crossing(is_below, _LEAST_VARIANCE, _MAX_VARIANCE) if is_below(_LEAST_VARIANCE) else _LEAST_VARIANCE
    totals = [own + variance for own in sampling]
    information = _EFFICIENCY * (n_functions - 1) / n_functions * sum(1 / total**2 for total in totals)
    of_middle = math.pi / 2 / sum(1 / math.sqrt(total) for total in totals) ** 2
    return MachineNoise(math.exp(middle), variance + of_middle, information, n_functions)


def noise_of_runs(before: RunNoise, now: RunNoise, *, n_functions: int) -> MachineNoise:
    """Return what several runs of one side or of both say.

    All functions of a run may be slower together, so that however many they are, they say no more than one.
    """
    known = [side for side in (before, now) if side.is_known]
    freedom = sum(side.n_runs - 1 for side in known)
    if not freedom:
        return MachineNoise(n_functions=n_functions)
    variance, sampling = (
        sum(each * (side.n_runs - 1) for each, side in zip(values, known, strict=True)) / freedom
        for values in ([side.variance for side in known], [side.sampling for side in known])
    )
    part = 1 / before.n_runs + 1 / now.n_runs
    total = max((variance + sampling) * part, _LEAST_VARIANCE)
    return MachineNoise(1.0, variance * part, freedom / total**2, n_functions)


def crossing(is_below: Callable[[float], bool], low: float, high: float) -> float:
    """Return where `is_below`, which is true at `low`, becomes false, to a thousandth."""
    while high - low > 0.001 * low:
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return low


def median(values: Sequence[float]) -> float:
    """Return the middle value, or the mean of the two middle ones."""
    ranked = sorted(values)
    return (ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2]) / 2
