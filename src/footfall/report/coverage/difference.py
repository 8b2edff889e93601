"""`footfall diff`: what changed from one run to another in coverage and time, as text, Markdown and JSON. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from footfall.analyze.coverage_changes import FileChange
from footfall.analyze.profile.changes.machine_noise import MIN_FUNCTIONS, MachineNoise
from footfall.analyze.profile.changes.time_changes import TimeChange
from footfall.analyze.profile.clocks import CLOCK_WORDS, Clock
from footfall.analyze.results import format_lines
from footfall.analyze.totals import Numbers
from footfall.printable import printable
from footfall.report.coverage.json import Json
from footfall.report.coverage.text import list_below
from footfall.report.words import plural

__all__ = [
    "Difference",
    "TimeDifference",
    "change_report",
    "coverage_difference_report",
    "difference_report",
    "render_difference",
    "time_difference_report",
    "undecided_text",
]

_US_PER_SECOND: Final = 1_000_000
_LEAST_SHIFT: Final = 0.05  # relative


@dataclass(frozen=True, slots=True)
class TimeDifference:
    """The functions whose self time changed by more than noise, greatest change first. Totals in microseconds.

    `n_errors` is how many standard errors, which include `noise`, count as chance. If nothing tells the noise, no
    function is said to be slower or faster: `undecided` are those that changed by more than sampling explains.
    """

    clock: Clock
    before_us: int
    now_us: int
    changes: Sequence[TimeChange]
    noise: MachineNoise
    n_errors: float

    @property
    def is_decided(self) -> bool:
        """Whether changes of the code can be told from those of the machine."""
        return self.noise.information > 0

    @property
    def slower(self) -> list[TimeChange]:
        """The functions that take more time."""
        return [each for each in self.changes if self.is_decided and each.change_us > 0]

    @property
    def faster(self) -> list[TimeChange]:
        """The functions that take less time."""
        return [each for each in self.changes if self.is_decided and each.change_us < 0]

    @property
    def undecided(self) -> list[TimeChange]:
        """The functions that take more or less time, by the code or by the machine."""
        return [] if self.is_decided else list(self.changes)


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed between two data files. `files` are those that changed; totals are None without coverage.

    `left_out` are files that could not be compared, each with the reason. `times` is None if one has no profile.
    """

    before_name: str
    now_name: str
    before: Numbers | None = None
    now: Numbers | None = None
    files: Sequence[FileChange] = ()
    left_out: Sequence[tuple[str, str]] = field(default=())
    times: TimeDifference | None = None

    @property
    def n_uncovered(self) -> int:
        """The number of lines and branches of code that still exists and that ran before but not now."""
        return sum(file.n_uncovered for file in self.files)


def render_difference(difference: Difference, count: int, precision: int, format_: str) -> str:
    """Return the difference as text or markdown; `count` is how many functions each list shows, 0 for all."""
    before, now = difference.before, difference.now
    parts: list[str] = []
    if before is not None and now is not None:
        text = f"Coverage {before.pc_covered_str(precision)}% -> {now.pc_covered_str(precision)}%"
        change = now.pc_covered - before.pc_covered
        points = f"{abs(change):.{max(precision, 1)}f}"
        if float(points):
            text += f" ({'+' if change > 0 else '-'}{points} points)"
        parts.append(f"### {text}" if format_ == "markdown" else f"{text}.")
    for title, items in _coverage_lists(difference.files):
        parts.append(list_below(title, items, format_))
    times = difference.times
    if times is not None:
        seconds = f"{_seconds(times.before_us)} -> {_seconds(times.now_us)}"
        parts.append(f"{_capitalized(CLOCK_WORDS[times.clock])} in Python code {seconds}.{_common_text(times.noise)}")
        if not times.is_decided:
            parts.append(undecided_text(times))
        for title, changes in (
            ("Slower, by more than noise:", times.slower),
            ("Faster, by more than noise:", times.faster),
            ("Changed by more than sampling explains, by the code or by the machine:", times.undecided),
        ):
            if changes:
                shown = changes[: count or None]
                items = [_time_text(each) for each in shown]
                if len(shown) < len(changes):
                    items.append(f"{len(changes) - len(shown)} more; -n 0 shows all.")
                parts.append(list_below(title, items, format_))
    if difference.left_out:
        items = [f"{name}: {reason}" for name, reason in difference.left_out]
        parts.append(list_below("Not compared:", map(printable, items), format_))
    if not difference.files and (times is None or not times.changes):
        parts.append("Nothing else changed." if parts else "Nothing changed.")
    return "\n\n".join(parts) + "\n"


def undecided_text(times: TimeDifference) -> str:
    """Return why no function is said to be slower or faster, and what to do."""
    n_functions = times.noise.n_functions
    return (
        f"What the machine changes from run to run is not known: {plural(n_functions, 'function')} with enough samples"
        f" in both {'is' if n_functions == 1 else 'are'} too few to tell, {MIN_FUNCTIONS} are needed. So no function is"
        " said to be slower. Record three runs or more of each side, in turn (--before, --after), or longer ones."
    )


def _common_text(noise: MachineNoise) -> str:
    """Return the shift that the functions have in common, as a following sentence; "" if it is below 5 per cent."""
    if abs(math.log(noise.factor)) < _LEAST_SHIFT:
        return ""
    return (
        f" The middle one of {noise.n_functions} functions changed by {100 * (noise.factor - 1):+.0f} %: by the"
        " machine, or by what they have in common. Listed is what that does not explain."
    )


def _coverage_lists(files: Sequence[FileChange]) -> Iterable[tuple[str, list[str]]]:
    """Yield each heading that has lines, with its lines."""
    both = [file for file in files if file.before is not None and file.now is not None]
    worse = [(file, _places(file, file.uncovered, file.uncovered_branches)) for file in both]
    better = [(file, _places(file, file.covered, file.covered_branches)) for file in both]
    added = [file for file in files if file.added]
    alone = [file for file in files if file.now is None]
    lists = (
        ("No longer covered:", [f"{file.name}: {text}" for file, text in worse if text]),
        ("No longer measured, as nothing of them ran:", [file.name for file in alone if not file.is_gone]),
        ("Newly covered:", [f"{file.name}: {text}" for file, text in better if text]),
        ("New code:", [_added_text(file) for file in added]),
        ("No longer there:", [file.name for file in alone if file.is_gone]),
    )
    return ((title, list(map(printable, items))) for title, items in lists if items)


def _places(file: FileChange, lines: Sequence[int], arcs: Sequence[tuple[int, int]]) -> str:
    return format_lines(file.statements, frozenset(lines), arcs)


def _added_text(file: FileChange) -> str:
    text = f"{file.name}: {plural(len(file.added), 'statement')}"
    if not file.added_missing:
        return f"{text}, all run"
    return f"{text}, {len(file.added_missing)} not run: {_places(file, file.added_missing, ())}"


def _time_text(change: TimeChange) -> str:
    part = f"{100 * change.change_us / change.before_us:+.0f} %" if change.before_us else "new"
    if not change.now_us:
        part = "gone"
    place = f"{change.file}:{change.line}" if change.line else ""
    times = f"{_seconds(change.before_us)} -> {_seconds(change.now_us)}"
    return printable(f"{times} ({part})  {change.name}  {place}".rstrip())


def _seconds(time_us: int) -> str:
    return f"{time_us / _US_PER_SECOND:.3f} s"


def _capitalized(text: str) -> str:
    return text[0].upper() + text[1:]


def difference_report(difference: Difference, precision: int) -> Json:
    """Return the difference for machines; times in seconds."""
    times = difference.times
    return {
        "format": 1,
        "before": difference.before_name,
        "now": difference.now_name,
        "coverage": None
        if difference.before is None or difference.now is None
        else coverage_difference_report(
            difference.before, difference.now, difference.files, difference.left_out, precision
        ),
        "times": None if times is None else time_difference_report(times),
    }


def coverage_difference_report(
    before: Numbers, now: Numbers, files: Iterable[FileChange], left_out: Iterable[tuple[str, str]], precision: int
) -> Json:
    """Return the change of coverage for machines."""
    return {
        "before": _numbers(before, precision),
        "now": _numbers(now, precision),
        "files": {file.name: _file_report(file, precision) for file in files},
        "not_compared": dict(left_out),
    }


def time_difference_report(times: TimeDifference) -> Json:
    """Return the change of times for machines, in seconds."""
    return {
        "clock": times.clock,
        "before_seconds": times.before_us / _US_PER_SECOND,
        "now_seconds": times.now_us / _US_PER_SECOND,
        "is_decided": times.is_decided,
        "common_factor": times.noise.factor,
        "spread": math.sqrt(times.noise.variance),
        "standard_errors": times.n_errors,
        "slower": [change_report(each) for each in times.slower],
        "faster": [change_report(each) for each in times.faster],
        "undecided": [change_report(each) for each in times.undecided],
    }


def _file_report(file: FileChange, precision: int) -> Json:
    return {
        "before": None if file.before is None else _numbers(file.before, precision),
        "now": None if file.now is None else _numbers(file.now, precision),
        "uncovered_lines": list(file.uncovered),
        "covered_lines": list(file.covered),
        "uncovered_branches": [list(arc) for arc in file.uncovered_branches],
        "covered_branches": [list(arc) for arc in file.covered_branches],
        "added_lines": list(file.added),
        "added_missing_lines": list(file.added_missing),
        "removed_statements": file.n_removed,
    }


def _numbers(numbers: Numbers, precision: int) -> Json:
    return {
        "num_statements": numbers.n_statements,
        "covered_lines": numbers.n_executed,
        "num_branches": numbers.n_branches,
        "covered_branches": numbers.n_executed_branches,
        "percent_covered": numbers.pc_covered,
        "percent_covered_display": numbers.pc_covered_str(precision),
    }


def change_report(change: TimeChange) -> Json:
    """Return one function's change for machines, in seconds."""
    return {
        "function": change.name,
        "file": change.file,
        "line": change.line,
        "before_seconds": change.before_us / _US_PER_SECOND,
        "now_seconds": change.now_us / _US_PER_SECOND,
        "error_seconds": change.error_us / _US_PER_SECOND,
    }
