"""What a selection of tests would have missed, by the outcomes of the selection alone and of all tests. Pure.

For `footfall tests --audit`. A test is chosen if it ran when the selection was run, whatever name it was chosen under.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = ["LEFT_OUT", "NOT_CHOSEN", "PASSES_ALONE", "UNCOLLECTED", "UNKNOWN", "Audit", "Miss", "SuiteRun", "compare"]

NOT_CHOSEN: Final = "not-chosen"
"""No line that it ran changed."""
UNKNOWN: Final = "unknown"
"""The data has no such test."""
LEFT_OUT: Final = "left-out"
"""It is affected, but there was no time for it."""
PASSES_ALONE: Final = "passes-alone"
"""It was chosen, and did not fail without the others."""
UNCOLLECTED: Final = "uncollected"
"""A file that could not be loaded, with no test in it chosen."""


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """What happened in one run of tests: whether each failed, its seconds, and the files that could not be loaded."""

    failed: Mapping[str, bool]
    seconds: Mapping[str, float]
    uncollected: Collection[str] = ()


class Miss(NamedTuple):
    """A test, or a file that could not be loaded, that failed and that the selection would not have shown."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Audit:
    """The result. `affected` passed, and ran what the change changed or added, but was not chosen."""

    n_tests: int
    n_chosen: int
    seconds: float
    chosen_seconds: float
    failed: list[str]
    missed: list[Miss]
    affected: list[str]


def compare(
    chosen: SuiteRun, whole: SuiteRun, known: Collection[str], left_out: Collection[str], affected: Collection[str]
) -> Audit:
    """Compare a selection with all tests. `known` are the tests in the data; `affected` ran a change among all."""
    failed = sorted(name for name, has_failed in whole.failed.items() if has_failed)
    missed = [
        Miss(name, _reason(name, chosen, known, left_out)) for name in failed if not chosen.failed.get(name, False)
    ]
    uncollected = sorted(set(whole.uncollected))
    missed += [Miss(path, UNCOLLECTED) for path in uncollected if path not in chosen.uncollected]
    return Audit(
        n_tests=len(whole.failed),
        n_chosen=sum(name in chosen.failed for name in whole.failed),
        seconds=sum(whole.seconds.values()),
        chosen_seconds=sum(seconds for name, seconds in whole.seconds.items() if name in chosen.failed),
        failed=[*failed, *uncollected],
        missed=missed,
        affected=sorted(name for name in affected if whole.failed.get(name) is False and name not in chosen.failed),
    )


def _reason(name: str, chosen: SuiteRun, known: Collection[str], left_out: Collection[str]) -> str:
    if name in chosen.failed:
        return PASSES_ALONE
    if name in left_out:
        return LEFT_OUT
    return NOT_CHOSEN if name in known else UNKNOWN
