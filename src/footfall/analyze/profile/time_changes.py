"""Functions whose own time differs between two profiles by more than chance. Pure.

For the site's overview and `footfall diff`. Three things make the time of a function another when nothing changed:

- Sampling. A sample stands for a piece of time that may have gone to another function as well: the time of n samples
  has a standard error of the square root of n of them, and of more where single samples stand for much more than
  others, as on a machine under load (`FunctionTime.error_us`).
- The machine, which is slower or faster in one run than in the other, for some functions more than for others
  (`Spread`): seen in the functions that both profiles have, and in the runs of one side where there are several.
- Their number: of a thousand functions some differ by three standard errors (`n_errors`).
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

_MIN_SAMPLES: Final = 6  # of fewer, standard errors say little
_MIN_ERRORS: Final = 3.0
_CHANCE: Final = 0.01
"""How likely at most a comparison of what did not change names any function at all."""
_MIN_SEEN: Final = 8
"""Of fewer functions the middle one says nothing about the rest."""
_MAX_ERROR: Final = 0.2
"""The relative standard error up to which a function's time says something about the machine."""
_MIDDLE_ERRORS: Final = 0.6745
"""Within so many standard deviations of the mean is the half of a normal distribution."""
_SPREAD_ERROR: Final = 1.17
"""Over the square root of n: the relative standard error of a spread that the middle one of n deviations tells."""


@dataclass(slots=True)
class FunctionTime:
    """Own time of a function that begins at `line`, with its standard error. `page` is the site's, "" without one."""

    line: int
    own_us: int
    error_us: float = 0.0
    page: str = ""


@dataclass(slots=True)
class FunctionTimes:
    """Times by (name, file as it is shown): of each function with that name.

    `sample_us` is what a sample stands for; 0: no profile. `least_us` is what a function that is not here may have
    taken at most. `run_spread` is the relative standard deviation between runs of which these are the mean, beyond
    that of sampling.
    """

    functions: dict[tuple[str, str], list[FunctionTime]] = field(default_factory=dict)
    sample_us: float = 0.0
    least_us: int = 0
    run_spread: float = 0.0


class Spread(NamedTuple):
    """How the times of functions that did not change differ between two profiles, beyond the chance of sampling.

    `factor` is how many times as long the middle function takes now. `relative` is the standard deviation of a
    function's ratio around it. `n_functions` says of how many that is known; of none: 1 and what runs say.
    """

    factor: float
    relative: float
    n_functions: int


class TimeChange(NamedTuple):
    """A function's own time before and now, in microseconds, 0 where it was not seen; `error_us` is of the difference.

    `line` and `page` are those of now, or of before where it is gone.
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
        """How much slower it is; negative where it is faster."""
        return self.now_us - self.before_us


class TimeChanges(NamedTuple):
    """The functions that changed, the greatest change first, and what was taken for chance.

    `n_errors` is how many standard errors a change has at least.
    """

    changes: list[TimeChange]
    spread: Spread
    n_errors: float


def averaged(runs: Sequence[FunctionTimes]) -> FunctionTimes:
    """Return the mean of several runs of one program, with standard errors that their spread is in."""
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
    """Return the relative standard deviation between runs that sampling does not explain, of the middle function."""
    excess: list[float] = []
    for rows in rows_by_key.values():
        mean = sum_us(rows) / n_runs
        sampling = sum(row.error_us**2 for row in rows) / n_runs
        if mean and math.sqrt(sampling) <= _MAX_ERROR * mean:
            excess.append((_variance([row.own_us for row in rows], n_runs) - sampling) / mean**2)
    return math.sqrt(max(0.0, _median(excess))) if excess else 0.0


def _variance(values: Sequence[int], n_runs: int) -> float:
    """Return the variance of single runs, of which those that have no value here have 0."""
    mean = sum(values) / n_runs
    squares = sum((value - mean) ** 2 for value in values) + (n_runs - len(values)) * mean**2
    return squares / (n_runs - 1)


def changed_times(before: FunctionTimes, now: FunctionTimes) -> TimeChanges:
    """Return the functions that changed by more than chance.

    They do so both as they are and with what all functions have in common taken away.
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
        """Return how far the time of now is from those that `factor`, or none, lets expect; 0 between them."""
        expected = sorted((self.before.own_us, self.before.own_us * factor))
        return max(expected[0] - self.now.own_us, self.now.own_us - expected[1], 0.0)

    def error_us(self, relative: float) -> float:
        """Return the standard error of the difference, with the machine's `relative` spread in it."""
        own = (self.before.own_us + self.now.own_us) / 2
        return math.hypot(self.before.error_us, self.now.error_us, relative * own)


def _spread(pairs: Sequence[_Pair], run_spread: float) -> Spread:
    """Return what functions of both say about the machine: by medians, which those that changed leave as they are."""
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
    excess *= 1 + _SPREAD_ERROR / math.sqrt(len(ratios))  # it may be more by chance
    return Spread(math.exp(middle), max(excess, run_spread), len(ratios))


def _excess(deviations: Sequence[float], sampling: Sequence[float]) -> float:
    """Return the standard deviation that, with the variances of sampling, makes the middle deviation a usual one."""

    def middle_errors(excess: float) -> float:
        return _median(
            [each / math.hypot(math.sqrt(own), excess) for each, own in zip(deviations, sampling, strict=True)]
        )

    if middle_errors(0.0) <= _MIDDLE_ERRORS:
        return 0.0
    return _crossing(lambda excess: middle_errors(excess) > _MIDDLE_ERRORS, 0.0, 10.0)


def _crossing(is_below: Callable[[float], bool], low: float, high: float) -> float:
    """Return where `is_below`, true at `low`, ceases to be, to a thousandth."""
    while high - low > 0.001:
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return low


def _median(values: Sequence[float]) -> float:
    ranked = sorted(values)
    return (ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2]) / 2


def _n_errors(n_functions: int) -> float:
    """Return how many standard errors none of so many unchanged functions exceeds, but for `_CHANCE` (Bonferroni)."""
    return _crossing(lambda errors: n_functions * math.erfc(errors / math.sqrt(2)) > _CHANCE, _MIN_ERRORS, 10.0)


_Match = tuple[str, FunctionTime | None, FunctionTime]
"""A name to show, its time before, its time now; without one where it was not there, a time of 0 where it is not."""


def _matched(name: str, before: list[FunctionTime], now: list[FunctionTime]) -> list[_Match]:
    """Match the functions of one name in one file, which may have moved.

    Several are distinguished by the lines they begin at, if these did not change; else they count together.
    """
    lines = sorted(row.line for row in before)
    if len(before) > 1 and lines == sorted(row.line for row in now) and len(set(lines)) == len(lines):
        by_line = {row.line: row for row in now}
        return [(name, row, by_line[row.line]) for row in before]
    n_functions = max(len(before), len(now))
    shown = name if n_functions == 1 else f"{name} ({n_functions} of that name)"
    return [(shown, _together(before), _together(now) or FunctionTime(0, 0))]


def _together(rows: list[FunctionTime]) -> FunctionTime | None:
    """Return the sum of all, at the place of the one that took the most."""
    if not rows:
        return None
    first = max(rows, key=lambda row: (row.own_us, -row.line))
    return FunctionTime(first.line, sum_us(rows), math.hypot(*(row.error_us for row in rows)), first.page)


def sum_us(rows: list[FunctionTime]) -> int:
    """Return the own time of several."""
    return sum(row.own_us for row in rows)
