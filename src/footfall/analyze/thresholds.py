"""Thresholds of files, directories and patterns, and a ratchet that never lets coverage fall. Pure.

A threshold applies to the rounded percentage, as for the total. The ratchet's percentages are rounded down, so that an
unchanged report never fails.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from footfall.analyze.totals import Numbers, format_percent, should_fail_under
from footfall.errors import UsageError
from footfall.patterns import glob_matches

__all__ = ["Ratchet", "Threshold", "fallen_below", "missed_thresholds", "parse_threshold", "raised"]

_DIGITS: Final = 2


class Threshold(NamedTuple):
    """At least `minimum` per cent: of each file that `pattern` matches, or of a directory if it ends in a slash."""

    pattern: str
    minimum: float


class Ratchet(NamedTuple):
    """The percentages that coverage had reached: the total's and each file's, by the file's name in reports."""

    total: float
    files: Mapping[str, float]


def parse_threshold(text: str) -> Threshold:
    """Read PATTERN=MIN. Raises UsageError (`bad-fail-under`)."""
    pattern, equals, number = text.rpartition("=")
    try:
        minimum = float(number)
    except ValueError:
        minimum = math.nan
    if not equals or not pattern.strip() or not 0 <= minimum <= 100:
        raise UsageError(
            "bad-fail-under",
            f"{text!r} is no threshold.",
            "Write PATTERN=PERCENT, as src/core/*=95, src/core/=90 (all of the directory together) or src/a.py=100.",
        )
    return Threshold(pattern.strip(), minimum)


def missed_thresholds(
    thresholds: Iterable[tuple[Threshold, Sequence[str]]],
    numbers: Mapping[str, tuple[str, Numbers]],
    precision: int,
    *,
    needs_match: bool,
) -> list[str]:
    """Return a sentence for each threshold that is missed. `numbers` has, by absolute path, the name that is shown.

    Each threshold comes with the patterns that it means, made absolute. With `needs_match`, one that matches no file is
    missed too.
    """
    missed: list[str] = []
    for threshold, patterns in thresholds:
        is_directory = threshold.pattern.endswith("/")
        found = [each for path, each in sorted(numbers.items()) if _is_of(patterns, path, is_directory=is_directory)]
        if not found:
            if needs_match:
                missed.append(f"no file of the report is {threshold.pattern}, its threshold is {threshold.minimum:g}%")
        elif is_directory:
            total = sum((each for _, each in found), Numbers()).pc_covered
            missed += _if_low(threshold.pattern, total, threshold.minimum, precision)
        else:
            for name, each in found:
                missed += _if_low(name, each.pc_covered, threshold.minimum, precision)
    return missed


def _is_of(patterns: Sequence[str], path: str, *, is_directory: bool) -> bool:
    if is_directory:
        return any(glob_matches(pattern.rstrip("/") + "/*", path) for pattern in patterns)
    return any(glob_matches(pattern, path) for pattern in patterns)


def _if_low(name: str, percent: float, minimum: float, precision: int) -> list[str]:
    if not should_fail_under(percent, minimum, precision):
        return []
    return [f"{name} has {format_percent(percent, precision)}%, its threshold is {minimum:g}%"]


def fallen_below(ratchet: Ratchet, total: Numbers, files: Mapping[str, Numbers]) -> list[str]:
    """Return a sentence for the total and each file that has less than before, except files that are gone."""
    found = [("the total", ratchet.total, total)]
    found += [(name, ratchet.files[name], files[name]) for name in sorted(ratchet.files.keys() & files.keys())]
    return [
        f"{name} fell from {had:g}% to {_rounded_down(numbers):g}%"
        for name, had, numbers in found
        if _rounded_down(numbers) < had
    ]


def raised(ratchet: Ratchet | None, total: Numbers, files: Mapping[str, Numbers]) -> Ratchet:
    """Return the ratchet at the current coverage, never lower than before, without files that are gone."""
    had = ratchet or Ratchet(0.0, {})
    reached = {name: max(_rounded_down(numbers), had.files.get(name, 0.0)) for name, numbers in sorted(files.items())}
    return Ratchet(max(_rounded_down(total), had.total), reached)


def _rounded_down(numbers: Numbers) -> float:
    done, possible = numbers.ratio_covered
    if not possible:
        return 100.0
    scale: int = 10**_DIGITS
    return done * 100 * scale // possible / scale
