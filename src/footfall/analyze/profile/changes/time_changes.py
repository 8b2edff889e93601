"""Functions whose self time differs between two profiles by more than chance. Pure.

For the site's overview and `footfall diff`. Three things change the time of a function when nothing has changed:

- Sampling. A sample represents a piece of time that could just as well have gone to another function: the time of n
  samples has a standard error of the square root of n samples, and more if single samples represent much more than
  others, as on a machine under load (`FunctionTime.error_us`).
- The machine, which is slower or faster in one run than in the other, for some functions more than for others: see
  `machine_noise`. It is an estimate from few functions or runs, so that Student's t takes the place of the normal
  distribution.
- The number of functions: of a thousand functions some differ by three standard errors (Bonferroni's correction).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from footfall.analyze.profile.changes.machine_noise import (
    MAX_ERROR,
    MachineNoise,
    RunNoise,
    crossing,
    median,
    noise_of_functions,
    noise_of_runs,
)

__all__ = [
    "FunctionTime",
    "FunctionTimes",
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


@dataclass(slots=True)
class FunctionTime:
    """Self time of a function that begins at `line`, with its standard error by sampling.

    `page` is the site's, "" without one. The mean of several runs also has the standard error by their own differences.
    """

    line: int
    own_us: int
    error_us: float = 0.0
    page: str = ""
    runs_error_us: float = 0.0


@dataclass(slots=True)
class FunctionTimes:
    """Times by (name, file as shown), for each function with that name.

    `sample_us` is the time that a sample represents; 0: no profile. `least_us` is the most that a function missing here
    may have taken. If these are the mean of several runs, `runs` says how these differ.
    """

    functions: dict[tuple[str, str], list[FunctionTime]] = field(default_factory=dict)
    sample_us: float = 0.0
    least_us: int = 0
    runs: RunNoise = field(default_factory=RunNoise)


class TimeChange(NamedTuple):
    """A function's self time before and now, in microseconds, 0 if not seen.

    `error_us` is the standard error of the difference, enlarged as far as its machine part is an estimate. `line` and
    `page` are the current ones, or the earlier ones if the function is gone.
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

    `n_errors` is the minimum number of standard errors of a change. Where nothing says what the machine changes from
    run to run, `is_decided` is false: the changes are then those that sampling does not explain, and may be chance.
    """

    changes: list[TimeChange]
    noise: MachineNoise
    n_errors: float

    @property
    def is_decided(self) -> bool:
        """Whether these are changes of the code."""
        return self.noise.information > 0


def averaged(runs: Sequence[FunctionTimes]) -> FunctionTimes:
    """Return the mean of several runs of one program, with standard errors that include their spread."""
    if len(runs) == 1:
        return runs[0]
    rows_by_key: dict[tuple[str, str, int], list[FunctionTime]] = {}
    for run in runs:
        for (name, file), rows in run.functions.items():
            for row in rows:
                rows_by_key.setdefault((name, file, row.line), []).append(row)
    found = FunctionTimes(sample_us=max(run.sample_us for run in runs), runs=_run_noise(rows_by_key, len(runs)))
    for (name, file, line), rows in rows_by_key.items():
        sampling = sum(row.error_us**2 for row in rows) / len(runs)
        variance = _variance([row.own_us for row in rows], len(runs))
        error_us, runs_error_us = (math.sqrt(each / len(runs)) for each in (sampling, variance))
        page = next((row.page for row in rows if row.page), "")
        mean_row = FunctionTime(line, round(sum_us(rows) / len(runs)), error_us, page, runs_error_us)
        found.functions.setdefault((name, file), []).append(mean_row)
    return found


def _run_noise(rows_by_key: Mapping[tuple[str, str, int], list[FunctionTime]], n_runs: int) -> RunNoise:
    """Return the variance of the median function between runs, of those with enough samples."""
    variances: list[float] = []
    sampling: list[float] = []
    for rows in rows_by_key.values():
        mean = sum_us(rows) / n_runs
        own = sum(row.error_us**2 for row in rows) / n_runs
        if mean and math.sqrt(own) <= MAX_ERROR * mean:
            variances.append((_variance([row.own_us for row in rows], n_runs) - own) / mean**2)
            sampling.append(own / mean**2)
    if not variances:
        return RunNoise(n_runs)
    return RunNoise(n_runs, max(0.0, median(variances)), median(sampling), is_known=True)


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
        return TimeChanges([], MachineNoise(), _MIN_ERRORS)
    pairs = [
        _Pair(name, file, was or FunctionTime(0, before.least_us, math.sqrt(before.least_us * before.sample_us)), row)
        for name, file in sorted(before.functions.keys() | now.functions.keys())  # sums depend on the order
        for name, was, row in _matched(
            name, before.functions.get((name, file), []), now.functions.get((name, file), [])
        )
    ]
    sample_us = max(now.sample_us, before.sample_us)
    pairs = [pair for pair in pairs if max(pair.before.own_us, pair.now.own_us) >= _MIN_SAMPLES * sample_us]
    noise = _noise(pairs, before, now)
    n_errors = _n_errors(len(pairs))
    found: list[TimeChange] = []
    for pair in pairs:
        change_us, error = pair.change_us(noise.factor), pair.error_us(noise, n_errors, sample_us)
        if change_us > n_errors * error and change_us >= _MIN_SAMPLES * sample_us:
            place = pair.now if pair.now.line else pair.before
            times = (pair.before.own_us, pair.now.own_us)
            found.append(TimeChange(pair.name, pair.file, place.line, pair.now.page, *times, error))
    return TimeChanges(sorted(found, key=lambda each: (-abs(each.change_us), each)), noise, n_errors)


class _Pair(NamedTuple):
    name: str
    file: str
    before: FunctionTime
    now: FunctionTime

    def change_us(self, factor: float) -> float:
        """Return how far the current time is from those expected with `factor` and without it; 0 between them."""
        expected = sorted((self.before.own_us, self.before.own_us * factor))
        return max(expected[0] - self.now.own_us, self.now.own_us - expected[1], 0.0)

    def error_us(self, noise: MachineNoise, n_errors: float, sample_us: float) -> float:
        """Return the standard error of the difference, enlarged so that `n_errors` are as rare as if it were known."""
        own_us = _logarithmic_mean(*(max(row.own_us, sample_us) for row in (self.before, self.now)))
        sampling = math.hypot(self.before.error_us, self.now.error_us) / own_us
        runs = math.hypot(self.before.runs_error_us, self.now.runs_error_us) / own_us
        variance = max(sampling**2 + noise.variance, runs**2)
        return own_us * math.sqrt(variance) * noise.enlargement(variance, n_errors)


def _logarithmic_mean(one: float, other: float) -> float:
    """Return the mean by which the difference of two times is the logarithm of their ratio."""
    logarithm = math.log(other / one)
    return (other - one) / logarithm if abs(logarithm) > 1e-6 else one


def _noise(pairs: Sequence[_Pair], before: FunctionTimes, now: FunctionTimes) -> MachineNoise:
    """Return what the functions in both profiles say about the machine; if they are too few, what the runs say."""
    ratios: list[float] = []
    sampling: list[float] = []
    for pair in pairs:
        both = (pair.before, pair.now)
        if all(row.own_us and row.error_us <= MAX_ERROR * row.own_us for row in both):
            ratios.append(math.log(pair.now.own_us / pair.before.own_us))
            sampling.append(sum((row.error_us / row.own_us) ** 2 for row in both))
    found = noise_of_functions(ratios, sampling)
    if found.information:
        return found
    return noise_of_runs(before.runs, now.runs, n_functions=len(ratios))


def _n_errors(n_functions: int) -> float:
    """Return how many standard errors no unchanged function of so many exceeds, except with `_CHANCE` (Bonferroni)."""
    return crossing(lambda errors: n_functions * math.erfc(errors / math.sqrt(2)) > _CHANCE, _MIN_ERRORS, 10.0)


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
    error_us, runs_error_us = (
        math.hypot(*values) for values in ([row.error_us for row in rows], [row.runs_error_us for row in rows])
    )
    return FunctionTime(first.line, sum_us(rows), error_us, first.page, runs_error_us)


def sum_us(rows: list[FunctionTime]) -> int:
    """Return the total self time of several functions."""
    return sum(row.own_us for row in rows)
