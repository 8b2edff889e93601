"""Functions whose own time differs between two profiles by more than the chance of sampling. Pure.

For the site's overview and `footfall diff`. A sample stands for a piece of time that may have gone to another function
as well: the time of n samples has a standard error of the square root of n of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, NamedTuple

__all__ = ["FunctionTime", "FunctionTimes", "TimeChange", "changed_times", "sum_us"]

_MIN_SAMPLES: Final = 6  # of fewer, standard errors say little


@dataclass(slots=True)
class FunctionTime:
    """Own time of a function that begins at `line`. `page` is the site's for it, "" where there is none."""

    line: int
    own_us: int
    page: str = ""


@dataclass(slots=True)
class FunctionTimes:
    """Times by (name, file as it is shown): of each function with that name.

    `sample_us` is what a sample stands for; 0: no profile. `least_us` is what a function that is not here may have
    taken at most.
    """

    functions: dict[tuple[str, str], list[FunctionTime]] = field(default_factory=dict)
    sample_us: float = 0.0
    least_us: int = 0


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


def changed_times(before: FunctionTimes, now: FunctionTimes, n_errors: float = 2.0) -> list[TimeChange]:
    """Return the functions that changed by more than `n_errors` standard errors, the greatest change first."""
    if not before.sample_us or not now.sample_us:
        return []
    found: list[TimeChange] = []
    for key in before.functions.keys() | now.functions.keys():
        for name, was, row in _matched(key[0], before.functions.get(key, []), now.functions.get(key, [])):
            was_us = before.least_us if was is None else was.own_us
            now_us = 0 if row is None else row.own_us
            error = math.sqrt(now_us * now.sample_us + was_us * before.sample_us)
            change = abs(now_us - was_us)
            if change > n_errors * error and change >= _MIN_SAMPLES * max(now.sample_us, before.sample_us):
                line = (row or was or FunctionTime(0, 0)).line
                found.append(TimeChange(name, key[1], line, row.page if row else "", was_us, now_us, error))
    return sorted(found, key=lambda each: (-abs(each.change_us), each))


_Match = tuple[str, FunctionTime | None, FunctionTime | None]
"""A name to show, its time before and now."""


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
    return [(shown, _together(before), _together(now))]


def _together(rows: list[FunctionTime]) -> FunctionTime | None:
    """Return the sum of all, at the place of the one that took the most."""
    if not rows:
        return None
    first = max(rows, key=lambda row: (row.own_us, -row.line))
    return FunctionTime(first.line, sum_us(rows), first.page)


def sum_us(rows: list[FunctionTime]) -> int:
    """Return the own time of several."""
    return sum(row.own_us for row in rows)
