"""What changed since an earlier report: coverage by file, and functions whose self time differs by more than chance.

The numbers to compare with are those that the earlier site left in its folder, or another data file's. The folder's are
not trusted: anything invalid is ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from footfall.analyze.profile.calltree import Function, Profile, Times, has_source
from footfall.analyze.profile.changes.time_changes import FunctionTime, FunctionTimes, changed_times, sum_us
from footfall.load.gather import Coverage
from footfall.report.times import clock_of, function_times

__all__ = [
    "ReportNumbers",
    "changes_payload",
    "numbers_from_json",
    "numbers_of_report",
    "numbers_to_json",
]

_N_FUNCTIONS: Final = 300  # kept in the folder: those with the most self time
_N_SHOWN: Final = 10
_MIN_POINTS: Final = 0.005
_MAX_US: Final = 2**53


@dataclass(slots=True)
class ReportNumbers:
    """Percentages, by file as shown and in total, and self times of functions by the usual clock."""

    total: float | None = None
    files: dict[str, float] = field(default_factory=dict)
    times: FunctionTimes = field(default_factory=FunctionTimes)


def numbers_of_report(
    coverage: Coverage | None,
    profile: Profile | None,
    times_by_function: Mapping[Function, Times],
    pages: Mapping[str, str],
) -> ReportNumbers:
    """Return the numbers of a data file; `times_by_function` is of its profile, `pages` (by path) of the site."""
    found = ReportNumbers()
    if coverage is not None:
        found.total = coverage.total.pc_covered
        found.files = {file.name: file.result.numbers.pc_covered for file in coverage.files}
    if profile is not None:
        found.times = function_times(profile, times_by_function, clock_of(profile), pages)
    return found


def numbers_to_json(numbers: ReportNumbers) -> dict[str, Any]:
    """Return what a site stores in its folder."""
    ranked = sorted(numbers.times.functions.items(), key=lambda item: (-sum_us(item[1]), item[0]))
    return {
        "total": numbers.total,
        "files": numbers.files,
        "sample_us": numbers.times.sample_us,
        "functions": [
            [*key, row.line, row.own_us, round(row.error_us)] for key, rows in ranked[:_N_FUNCTIONS] for row in rows
        ],
    }


def numbers_from_json(content: Mapping[str, Any]) -> ReportNumbers:
    """Return the numbers that an earlier site left, ignoring what is not a number."""
    found = ReportNumbers()
    found.total = _number(content.get("total"))
    files = content.get("files")
    for name, value in files.items() if isinstance(files, dict) else ():
        if (part := _number(value)) is not None:
            found.files[name] = part
    found.times.sample_us = _number(content.get("sample_us")) or 0.0
    for row in _lists(content.get("functions")):
        if len(row) == 5 and isinstance(row[0], str) and isinstance(row[1], str):
            line, own_us, error_us = map(_number, row[2:])
            if line is not None and own_us is not None and error_us is not None:
                time = FunctionTime(int(line), int(own_us), error_us)
                found.times.functions.setdefault((row[0], row[1]), []).append(time)
    if not found.times.functions:
        found.times.sample_us = 0.0  # else all current functions would be new
    if len(found.times.functions) >= _N_FUNCTIONS:
        found.times.least_us = min(map(sum_us, found.times.functions.values()))
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
    """Return what the overview says about the changes; None if nothing changed. `pages` by file as shown."""
    files = _changed_files(before, now, pages)
    found = changed_times(before.times, now.times)
    functions = [
        [each.name, each.file if has_source(each.file) else "", *each[2:6]]
        for each in (found.changes[:_N_SHOWN] if found.is_decided else ())
    ]
    if not files and not functions:
        return None
    return {"since": since, "fileCount": len(files), "files": files[:_N_SHOWN], "functions": functions}


def _changed_files(before: ReportNumbers, now: ReportNumbers, pages: Mapping[str, str]) -> list[list[Any]]:
    """Return [file, page, per cent before, now], None where the file was or is missing, greatest change first."""
    changed: list[tuple[float, str]] = []
    for name in sorted(before.files.keys() | now.files.keys()) if before.files else ():
        was, part = before.files.get(name), now.files.get(name)
        change = abs((part or 0.0) - (was or 0.0))
        if was is None or part is None or change >= _MIN_POINTS:
            changed.append((-change, name))
    return [[name, pages.get(name, ""), before.files.get(name), now.files.get(name)] for _, name in sorted(changed)]
