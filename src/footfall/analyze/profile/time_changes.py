"""Functions whose self time differs between two profiles by more than chance. Pure.

For the site's overview and `footfall diff`. Three things change the time of a function when nothing has changed:

- Sampling. A sample represents a piece of time that could just as well have gone to another function: the time of n
  samples has a standard error of the square root of n samples, and more if single samples represent much more than
  others, as on a machine under load (`FunctionTime.error_us`).
- The machine, which is slower or faster in one run than in the other, for some functions more than for others
  (`Spread`). This shows in the functions that both profiles have, and in the runs of one side if there are several.
- The number of functions: of a thousand functions some differ by three standard errors (`n_errors`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

__all__ = [
    "FunctionTime",
    "FunctionTimes",
    "Spread",
    "TimeChange",
    "TimeChanges",
    "averaged",
    "changed_times",
    "sum_us",
]

_MIN_SAMPLES: Final = 6  # with fewer, standard errors say little
_MIN_ERRORS: Final = 3.0
_CHANCE: Final = 0.01
"""The highest probability that a comparison names any function at all when nothing changed."""
_MIN_SEEN: Final = 8
"""With fewer functions, the median says nothing about the rest."""
_MAX_ERROR: Final = 0.2
"""The relative standard error up to which a function's time says something about the machine."""
_MIDDLE_ERRORS: Final = 0.6745
"""Half of a normal distribution is within this many standard deviations of the mean."""
_SPREAD_ERROR: Final = 1.17
"""Divided by the square root of n: the relative standard error of a spread derived from the median of n deviations."""


@dataclass(slots=True)
class FunctionTime:
    """Self time of a function that begins at `line`, with its standard error. `page` is the site's, "" without one."""

    line: int
    own_us: int
    error_us: float = 0.0
    page: str = ""


@dataclass(slots=True)
class FunctionTimes:
    """Times by (name, file as shown), for each function with that name.

    `sample_us` is the time that a sample represents; 0: no profile. `least_us` is the most that a function missing here
    may have taken. If these are the mean of several runs, `run_spread` is the relative standard deviation between them
    beyond that of sampling.
    """

    functions: dict[tuple[str, str], list[FunctionTime]] = field(default_factory=dict)
    sample_us: float = 0.0
    least_us: int = 0
    run_spread: float = 0.0


class Spread(NamedTuple):
    """How the times of unchanged functions differ between two profiles, beyond the chance of sampling.

    `factor` is how many times as long the median function takes now. `relative` is the standard deviation of a
    function's ratio around it. `n_functions` says how many functions these come from; if none, they are 1 and what the
    runs say.
    """

    factor: float
    relative: float
    n_functions: int


class TimeChange(NamedTuple):
    """A function's self time before and now, in microseconds, 0 if not seen; `error_us` is that of the difference.

    `line` and `page` are the current ones, or the earlier ones if the function is gone.
    """

    name: str
    file: str
    line: int
    page: str
    before_us: int
    now_us: int
    error_us: float

    @property
    def change_us(self) -> int:
        """How much slower it is; negative if it is faster."""
        return self.now_us - self.before_us


class TimeChanges(NamedTuple):
    """The functions that changed, greatest change first, and what counted as chance.

    `n_errors` is the minimum number of standard errors of a change.
    """

    changes: list[TimeChange]
    spread: Spread
    n_errors: float


def averaged(runs: Sequence[FunctionTimes]) -> FunctionTimes:
    """Return the mean of several runs of one program, with standard errors that include their spread."""
    if len(runs) == 1:
        return runs[0]
    rows_by_key: dict[tuple[str, str, int], list[FunctionTime]] = {}
    for run in runs:
        for (name, file), rows in run.functions.items():
            for row in rows:
                rows_by_key.setdefault((name, file, row.line), []).append(row)
    found = FunctionTimes(sample_us=max(run.sample_us for run in runs), run_spread=_run_spread(rows_by_key, len(runs)))
    for (name, file, line), rows in rows_by_key.items():
        mean = sum_us(rows) / len(runs)
        sampling = sum(row.error_us**2 for row in rows) / len(runs)
        variance = max(sampling, _variance([row.own_us for row in rows], len(runs)))
        page = next((row.page for row in rows if row.page), "")
        mean_row = FunctionTime(line, round(mean), math.sqrt(variance / len(runs)), page)
        found.functions.setdefault((name, file), []).append(mean_row)
    found.run_spread /= math.sqrt(len(runs))
    return found


def _run_spread(rows_by_key: Mapping[tuple[str, str, int], list[FunctionTime]], n_runs: int) -> float:
    """Return the median function's relative standard deviation between runs that sampling does not explain."""
    excess: list[float] = []
    for rows in rows_by_key.values():
        mean = sum_us(rows) / n_runs
        sampling = sum(row.error_us**2 for row in rows) / n_runs
        if mean and math.sqrt(sampling) <= _MAX_ERROR * mean:
            excess.append((_variance([row.own_us for row in rows], n_runs) - sampling) / mean**2)
    return math.sqrt(max(0.0, _median(excess))) if excess else 0.0


def _variance(values: Sequence[int], n_runs: int) -> float:
    """Return the variance of single runs, counting runs without a value here as 0."""
    mean = sum(values) / n_runs
    squares = sum((value - mean) ** 2 for value in values) + (n_runs - len(values)) * mean**2
    return squares / (n_runs - 1)


def changed_times(before: FunctionTimes, now: FunctionTimes) -> TimeChanges:
    """Return the functions that changed by more than chance.

    They did so both in themselves and after removing the change that all functions have in common.
    """
    if not before.sample_us or not now.sample_us:
        return TimeChanges([], Spread(1.0, 0.0, 0), _MIN_ERRORS)
    pairs = [
        _Pair(name, file, was or FunctionTime(0, before.least_us, math.sqrt(before.least_us * before.sample_us)), row)
        for name, file in before.functions.keys() | now.functions.keys()
        for name, was, row in _matched(
            name, before.functions.get((name, file), []), now.functions.get((name, file), [])
        )
    ]
    least_us = _MIN_SAMPLES * max(now.sample_us, before.sample_us)
    pairs = [pair for pair in pairs if max(pair.before.own_us, pair.now.own_us) >= least_us]
    spread = _spread(pairs, math.hypot(before.run_spread, now.run_spread))
    n_errors = _n_errors(len(pairs))
    found: list[TimeChange] = []
    for pair in pairs:
        error = pair.error_us(spread.relative)
        if pair.change_us(spread.factor) > n_errors * error and pair.change_us(spread.factor) >= least_us:
            place = pair.now if pair.now.line else pair.before
            times = (pair.before.own_us, pair.now.own_us)
            found.append(TimeChange(pair.name, pair.file, place.line, pair.now.page, *times, error))
    return TimeChanges(sorted(found, key=lambda each: (-abs(each.change_us), each)), spread, n_errors)


class _Pair(NamedTuple):
    name: str
    file: str
    before: FunctionTime
    now: FunctionTime

    def change_us(self, factor: float) -> float:
        """Return how far the current time is from those expected with `factor` and without it; 0 between them."""
        expected = sorted((self.before.own_us, self.before.own_us * factor))
        return max(expected[0] - self.now.own_us, self.now.own_us - expected[1], 0.0)

    def error_us(self, relative: float) -> float:
        """Return the standard error of the difference, including the machine's `relative` spread."""
        own = (self.before.own_us + self.now.own_us) / 2
        return math.hypot(self.before.error_us, self.now.error_us, relative * own)


def _spread(pairs: Sequence[_Pair], run_spread: float) -> Spread:
    """Return what the functions in both profiles say about the machine, by medians, which changed functions affect
    little."""
    ratios: list[float] = []
    sampling: list[float] = []
    for pair in pairs:
        both = (pair.before, pair.now)
        if all(row.own_us and row.error_us <= _MAX_ERROR * row.own_us for row in both):
            ratios.append(math.log(pair.now.own_us / pair.before.own_us))
            sampling.append(sum((row.error_us / row.own_us) ** 2 for row in both))
    if len(ratios) < _MIN_SEEN:
        return Spread(1.0, run_spread, 0)
    middle = _median(ratios)
    excess = _excess([abs(ratio - middle) for ratio in ratios], sampling)
    excess *= 1 + _SPREAD_ERROR / math.sqrt(len(ratios))  # the true value may be higher by chance
    return Spread(math.exp(middle), max(excess, run_spread), len(ratios))


def _excess(deviations: Sequence[float], sampling: Sequence[float]) -> float:
    """Return the standard deviation that, added to the variances of sampling, makes the median deviation normal."""

    def middle_errors(excess: float) -> float:
        return _median(
            [each / math.hypot(math.sqrt(own), excess) for each, own in zip(deviations, sampling, strict=True)]
        )

    if middle_errors(0.0) <= _MIDDLE_ERRORS:
        return 0.0
    return _crossing(lambda excess: middle_errors(excess) > _MIDDLE_ERRORS, 0.0, 10.0)


def _crossing(is_below: Callable[[float], bool], low: float, high: float) -> float:
    """Return where `is_below`, which is true at `low`, becomes false, to a thousandth."""
    while high - low > 0.001:
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return low


def _median(values: Sequence[float]) -> float:
    ranked = sorted(values)
    return (ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2]) / 2


def _n_errors(n_functions: int) -> float:
    """Return how many standard errors no unchanged function of so many exceeds, except with `_CHANCE` (Bonferroni)."""
    return _crossing(lambda errors: n_functions * math.erfc(errors / math.sqrt(2)) > _CHANCE, _MIN_ERRORS, 10.0)


_Match = tuple[str, FunctionTime | None, FunctionTime]
"""A name to show, its time before (None if it did not exist), and its time now (0 if it no longer exists)."""


def _matched(name: str, before: list[FunctionTime], now: list[FunctionTime]) -> list[_Match]:
    """Match the functions of one name in one file, which may have moved.

    Several are told apart by their first lines, if these did not change; else they count together.
    """
    lines = sorted(row.line for row in before)
    if len(before) > 1 and lines == sorted(row.line for row in now) and len(set(lines)) == len(lines):
        by_line = {row.line: row for row in now}
        return [(name, row, by_line[row.line]) for row in before]
    n_functions = max(len(before), len(now))
    shown = name if n_functions == 1 else f"{name} ({n_functions} of that name)"
    return [(shown, _together(before), _together(now) or FunctionTime(0, 0))]


def _together(rows: list[FunctionTime]) -> FunctionTime | None:
    """Return the sum of all, at the place of the function that took the most."""
    if not rows:
        return None
    first = max(rows, key=lambda row: (row.own_us, -row.line))
    return FunctionTime(first.line, sum_us(rows), math.hypot(*(row.error_us for row in rows)), first.page)


def sum_us(rows: list[FunctionTime]) -> int:
    """Return the total self time of several functions."""
    return sum(row.own_us for row in rows)
