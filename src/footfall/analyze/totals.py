"""Totals and percentages of coverage, with coverage.py's arithmetic and rounding. Used by `results` and the reports."""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from footfall.errors import UsageError

__all__ = [
    "FileNumbers",
    "Numbers",
    "add_up",
    "counts_of",
    "fail_under_message",
    "format_percent",
    "should_fail_under",
]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Counts of one file, or added up (`+`, `sum`) of several. Branch counts are 0 without branch measurement.

    `n_partial_branches` are the missing branches of lines that ran.
    """

    n_files: int = 0
    n_statements: int = 0
    n_excluded: int = 0
    n_missing: int = 0
    n_branches: int = 0
    n_partial_branches: int = 0
    n_missing_branches: int = 0

    @property
    def n_executed(self) -> int:
        """Statements that ran."""
        return self.n_statements - self.n_missing

    @property
    def n_executed_branches(self) -> int:
        """Branches that were taken."""
        return self.n_branches - self.n_missing_branches

    @property
    def ratio_statements(self) -> tuple[int, int]:
        """(executed, all) statements."""
        return self.n_executed, self.n_statements

    @property
    def ratio_branches(self) -> tuple[int, int]:
        """(taken, all) branches."""
        return self.n_executed_branches, self.n_branches

    @property
    def ratio_covered(self) -> tuple[int, int]:
        """(covered, all) statements and branches together, each counting one."""
        return self.n_executed + self.n_executed_branches, self.n_statements + self.n_branches

    @property
    def pc_statements(self) -> float:
        """Percentage of statements that ran."""
        return _percentage(self.ratio_statements)

    @property
    def pc_branches(self) -> float:
        """Percentage of branches taken."""
        return _percentage(self.ratio_branches)

    @property
    def pc_covered(self) -> float:
        """Percentage of statements and branches together; 100.0 if there are none."""
        return _percentage(self.ratio_covered)

    def pc_covered_str(self, precision: int = 0) -> str:
        """Return `pc_covered` as `format_percent` writes it."""
        return format_percent(self.pc_covered, precision)

    def pc_statements_str(self, precision: int = 0) -> str:
        """Return `pc_statements` as `format_percent` writes it."""
        return format_percent(self.pc_statements, precision)

    def pc_branches_str(self, precision: int = 0) -> str:
        """Return `pc_branches` as `format_percent` writes it."""
        return format_percent(self.pc_branches, precision)

    def __add__(self, other: "Numbers") -> "Numbers":
        return Numbers(
            self.n_files + other.n_files,
            self.n_statements + other.n_statements,
            self.n_excluded + other.n_excluded,
            self.n_missing + other.n_missing,
            self.n_branches + other.n_branches,
            self.n_partial_branches + other.n_partial_branches,
            self.n_missing_branches + other.n_missing_branches,
        )

    def __radd__(self, other: int) -> "Numbers":
        if other != 0:
            return NotImplemented
        return self


counts_of = attrgetter(*Numbers.__slots__)
"""Returns the counts of Numbers, in the order of their fields."""


class FileNumbers(NamedTuple):
    """What is counted of one file. `name` is its path as reports show it."""

    path: str
    name: str
    numbers: Numbers
    has_arcs: bool


def add_up(numbers: Iterable[Numbers]) -> Numbers:
    """Return the sum: quicker than `sum`, which makes an object for each."""
    return Numbers(*map(sum, zip(*map(counts_of, numbers), strict=True)))


def _percentage(ratio: tuple[int, int]) -> float:
    done, total = ratio
    return 100.0 * done / total if total > 0 else 100.0


def format_percent(percentage: float, precision: int) -> str:
    """Write a percentage with `precision` decimals, without the sign; only a true 0 or 100 is written as such.

    Raises UsageError (`bad-precision`) for a negative precision.
    """
    if precision < 0:
        raise UsageError(
            "bad-precision", f"precision={precision} is negative.", "Give the number of decimals, 0 or more."
        )
    least = 1.0 / 10**precision
    if 0 < percentage < least:
        percentage = least
    elif 100.0 - least < percentage < 100:
        percentage = 100.0 - least
    else:
        # As a separate step: formatting alone rounds 2.5 or 0.15 differently.
        percentage = round(percentage, precision)
    return f"{percentage:.{precision}f}"


def should_fail_under(total: float, fail_under: float, precision: int) -> bool:
    """Return whether `total`, a percentage rounded to at least as many decimals as `fail_under` has, is below it.

    Only exactly 100 satisfies 100. Raises UsageError (`bad-fail-under`) unless 0 <= fail_under <= 100.
    """
    if not 0 <= fail_under <= 100.0:
        raise UsageError("bad-fail-under", f"fail_under={fail_under} is not between 0 and 100.", "Give a percentage.")
    if fail_under == 100.0 and total != 100.0:
        return True
    return round(total, _fail_under_precision(fail_under, precision)) < fail_under


def fail_under_message(total: float, fail_under: float, precision: int) -> str:
    """Say that `total` is too low, with both rounded as the comparison rounds them."""
    precision = _fail_under_precision(fail_under, precision)
    if fail_under == 100.0 and total != 100.0:
        shown = format_percent(total, precision)
    else:
        shown = f"{round(total, precision):.{precision}f}"
    return f"total of {shown} is less than fail-under={fail_under:.{precision}f}"


def _fail_under_precision(fail_under: float, precision: int) -> int:
    if fail_under == int(fail_under):
        return precision
    from decimal import Decimal  # rarely needed

    exponent = Decimal(str(fail_under)).as_tuple().exponent
    return max(precision, -int(exponent))
