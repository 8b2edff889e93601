"""What changed since an earlier report: coverage by file, and functions whose own time differs by more than chance.

The numbers to compare with are those that the site before left in its folder, or another data file's. The folder's are
taken as they may be: anything that does not fit is passed over.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from footfall.analyze.profile.calltree import Function, Profile, Times, has_source
from footfall.load.gather import Coverage
from footfall.report.times import clock_of, is_footfall, short_path

__all__ = [
    "FunctionTime",
    "ReportNumbers",
    "changes_payload",
    "numbers_from_json",
    "numbers_of_report",
    "numbers_to_json",
]

_NS_PER_US: Final = 1000
_N_FUNCTIONS: Final = 300  # kept in the folder: the greatest by own time
_N_SHOWN: Final = 10
_MIN_POINTS: Final = 0.005
_MIN_SAMPLES: Final = 6  # of fewer, two standard errors say little
_MAX_US: Final = 2**53


@dataclass(slots=True)
class FunctionTime:
    """Own time of a function, by the usual clock. `page` is "" where the site has none."""

    line: int
    own_us: int
    page: str = ""


@dataclass(slots=True)
class ReportNumbers:
    """Percentages, and times by (name, file as it is shown): of each function with that name.

    `sample_us` is what a sample stands for; 0: no profile.
    """

    total: float | None = None
    files: dict[str, float] = field(default_factory=dict)
    functions: dict[tuple[str, str], list[FunctionTime]] = field(default_factory=dict)
    sample_us: float = 0.0
    least_us: int = 0
    """What a function that is not here may have taken at most."""


def numbers_of_report(
    coverage: Coverage | None,
    profile: Profile | None,
    times_by_function: Mapping[Function, Times],
    pages: Mapping[str, str],
) -> ReportNumbers:
    """Return the numbers of a data file; `times_by_function` are of its profile, `pages` by path are the site's."""
    found = ReportNumbers()
    if coverage is not None:
        found.total = coverage.total.pc_covered
        found.files = {file.name: file.result.numbers.pc_covered for file in coverage.files}
    if profile is not None:
        clock = clock_of(profile)
        n_samples = sum(times.own.samples for times in times_by_function.values())
        spent_ns = sum(clock(times.own) for times in times_by_function.values())
        found.sample_us = spent_ns / _NS_PER_US / n_samples if n_samples else 0.0
        for function, times in times_by_function.items():
            if is_footfall(function.path):
                continue
            key = (function.qualname, short_path(function.path))
            row = FunctionTime(function.first_line, clock(times.own) // _NS_PER_US, pages.get(function.path, ""))
            found.functions.setdefault(key, []).append(row)
    return found


def numbers_to_json(numbers: ReportNumbers) -> dict[str, Any]:
    """Return what a site leaves in its folder."""
    ranked = sorted(numbers.functions.items(), key=lambda item: (-_sum_us(item[1]), item[0]))
    return {
        "total": numbers.total,
        "files": numbers.files,
        "sample_us": numbers.sample_us,
        "functions": [[*key, row.line, row.own_us] for key, rows in ranked[:_N_FUNCTIONS] for row in rows],
    }


def numbers_from_json(content: Mapping[str, Any]) -> ReportNumbers:
    """Return the numbers that an earlier site left, as far as they are numbers."""
    found = ReportNumbers()
    found.total = _number(content.get("total"))
    files = content.get("files")
    for name, value in files.items() if isinstance(files, dict) else ():
        if (part := _number(value)) is not None:
            found.files[name] = part
    found.sample_us = _number(content.get("sample_us")) or 0.0
    for row in _lists(content.get("functions")):
        if len(row) == 4 and isinstance(row[0], str) and isinstance(row[1], str):
            line, own_us = _number(row[2]), _number(row[3])
            if line is not None and own_us is not None:
                found.functions.setdefault((row[0], row[1]), []).append(FunctionTime(int(line), int(own_us)))
    if len(found.functions) >= _N_FUNCTIONS:
        found.least_us = min(map(_sum_us, found.functions.values()))
    return found


def _number(value: object) -> float | None:
    """Return a number that is 0 or more, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MAX_US:
        return None
    return float(value)


def _lists(value: object) -> Iterable[list[Any]]:
    return (each for each in value if isinstance(each, list)) if isinstance(value, list) else ()


def changes_payload(
    before: ReportNumbers, now: ReportNumbers, pages: Mapping[str, str], since: str
) -> dict[str, Any] | None:
    """Return what the overview says about it; None when nothing changed. `pages` by file as it is shown."""
    files = _changed_files(before, now, pages)
    functions = _changed_times(before, now)
    if not files and not functions:
        return None
    return {"since": since, "fileCount": len(files), "files": files[:_N_SHOWN], "functions": functions}


def _changed_files(before: ReportNumbers, now: ReportNumbers, pages: Mapping[str, str]) -> list[list[Any]]:
    """[file, page, per cent before, now], None where it was or is not there, the greatest change first."""
    changed: list[tuple[float, str]] = []
    for name in sorted(before.files.keys() | now.files.keys()) if before.files else ():
        was, part = before.files.get(name), now.files.get(name)
        change = abs((part or 0.0) - (was or 0.0))
        if was is None or part is None or change >= _MIN_POINTS:
            changed.append((-change, name))
    return [[name, pages.get(name, ""), before.files.get(name), now.files.get(name)] for _, name in sorted(changed)]


def _changed_times(before: ReportNumbers, now: ReportNumbers) -> list[list[Any]]:
    """[function, file ("": it has none), line, page, microseconds before, now], the greatest change first."""
    if not before.sample_us or not now.sample_us:
        return []
    found: list[list[Any]] = []
    for key in before.functions.keys() | now.functions.keys():
        for name, was, row in _matched(key[0], before.functions.get(key, []), now.functions.get(key, [])):
            was_us = before.least_us if was is None else was.own_us
            now_us = 0 if row is None else row.own_us
            error = math.sqrt(now_us * now.sample_us + was_us * before.sample_us)
            change = abs(now_us - was_us)
            if change > 2 * error and change >= _MIN_SAMPLES * max(now.sample_us, before.sample_us):
                place = row or was or FunctionTime(0, 0)
                page = row.page if row else ""
                found.append([name, key[1] if has_source(key[1]) else "", place.line, page, was_us, now_us])
    return sorted(found, key=lambda each: (-abs(each[5] - each[4]), each))[:_N_SHOWN]


_Match = tuple[str, FunctionTime | None, FunctionTime | None]
"""A name to show, its time before and now."""


def _matched(name: str, before: list[FunctionTime], now: list[FunctionTime]) -> list[_Match]:
    """Match the functions of one name in one file, which may have moved.

    Several are told apart by the lines they begin at, if these are the same lines as before; else they count together.
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
    return FunctionTime(first.line, _sum_us(rows), first.page)


def _sum_us(rows: list[FunctionTime]) -> int:
    return sum(row.own_us for row in rows)
