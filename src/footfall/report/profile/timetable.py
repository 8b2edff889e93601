"""`footfall report --by`: a profile's times by test, phase, function and so on, as text and as JSON.

Each share is shown with its standard error: how far it would be off if another run sampled the same program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from footfall.analyze.profile.calltree import Cost, Profile
from footfall.analyze.profile.clocks import CLOCK_WORDS, Clock, default_clock, has_cpu_time_alone, known_clocks, reader
from footfall.analyze.profile.time_views import TimeRow, View, standard_error, view_profile
from footfall.config.configuration import shown_path
from footfall.errors import UsageError
from footfall.printable import printable
from footfall.record.run.phase_times import PhaseTime
from footfall.report.coverage.json import Json
from footfall.report.coverage.table import human_key
from footfall.report.places import SOURCES, is_library, short_path, shown_place
from footfall.report.summary import Line

__all__ = ["SORTS", "TimeTableOptions", "render_times", "times_by_report", "times_by_rows"]

SORTS: Final = ("self", "total", "samples", "name")
_OF_THREADS: Final = ("thread", "process")
_NS_PER_SECOND: Final = 1_000_000_000
_OTHER_PART: Final = 3
_LEAST_SHARE: Final = 0.0005  # a smaller share would be shown as 0.0 %
_WAITS: Final = ("Waits", "Waits%", "+-", "Unknown%")
_OTHER_CODE: Final = "In libraries and the interpreter:"
_LEFT_OUT: Final = {
    "gc": "garbage collection",
    "import": "finding and loading modules",
    "asyncio": "tasks",
    "footfall": "footfall itself",
    "no line": "functions of which no line is known",
    "unknown": "functions of which no file is known",
    "not read": "stacks that could not be read",
    "frames left out": "frames left out of deep stacks",
}
"""Words for what has no row, by its name in `View.left_out`."""


@dataclass(frozen=True, slots=True)
class TimeTableOptions:
    """`by` is one of VIEWS in time_views.py; without a `clock` the usual one is used; a `count` of 0 means all rows."""

    by: str
    clock: Clock | None = None
    sort: str = "self"
    count: int = 0


@dataclass(frozen=True, slots=True)
class _Shown:
    view: View
    ranked: list[TimeRow]
    read: Callable[[Cost], int]
    clock: Clock
    shows_waiting: bool
    """Whether threads that hold the GIL are shown with how long they waited for it."""

    def text(self, cost: Cost, *, is_measured: bool = False) -> str:
        """Return the cost by the clock."""
        value = self.read(cost)
        return str(value) if self.clock is Clock.SAMPLES else f"{value / _NS_PER_SECOND:.{4 if is_measured else 3}f} s"

    def number(self, cost: Cost) -> float:
        """Return the same for machines: seconds, or samples."""
        value = self.read(cost)
        return value if self.clock is Clock.SAMPLES else value / _NS_PER_SECOND


def _choose(profile: Profile, options: TimeTableOptions, test_times: Mapping[str, PhaseTime]) -> _Shown:
    clock = options.clock or default_clock(profile)
    read = reader(clock)
    view = view_profile(profile, options.by, read, SOURCES, test_times)
    column = options.sort.lstrip("-+")
    keys: dict[str, Callable[[TimeRow], float]] = {
        "self": lambda row: -read(row.times.own),
        "total": lambda row: -read(row.times.total),
        "samples": lambda row: -row.times.total.samples,
    }
    if column == "name":
        rows = sorted(view.rows, key=lambda row: (human_key(row.name), row.path, row.line))
    elif column in keys:
        rows = sorted(view.rows, key=lambda row: (keys[column](row), row.path, row.line, row.name))
    else:
        raise UsageError("bad-sort", f"Can't sort times by {options.sort!r}.", f"Sort by one of: {', '.join(SORTS)}.")
    if options.sort.startswith("+" if column != "name" else "-"):
        rows.reverse()
    shows_waiting = clock is Clock.GIL and options.by in _OF_THREADS and Clock.GIL_WAIT in known_clocks(profile)
    return _Shown(view, rows, read, clock, shows_waiting)


def _parts(shown: _Shown, options: TimeTableOptions) -> list[tuple[str, list[TimeRow]]]:
    """Return the rows to show in parts with their headings ("" for none): the project's code, then other code.

    If the number of rows is limited, other code gets a third of them, or those that the project leaves free.
    """
    if not shown.view.has_calls:
        return [("", shown.ranked[: options.count or None])]
    project = [row for row in shown.ranked if not is_library(row.path)]
    other = [row for row in shown.ranked if is_library(row.path)]
    if options.count:
        n_other = max(min(len(other), options.count // _OTHER_PART), options.count - len(project))
        project, other = project[: options.count - min(n_other, len(other))], other[:n_other]
    return [(heading, rows) for heading, rows in (("", project), (_OTHER_CODE, other)) if rows]


def render_times(
    profile: Profile, options: TimeTableOptions, test_times: Mapping[str, PhaseTime] | None = None
) -> list[Line]:
    """Return the table as styled lines, with times by the chosen clock. Raises UsageError (`bad-sort`).

    `test_times` are the measured times of tests by context, for the table by test.
    """
    shown = _choose(profile, options, test_times or {})
    view = shown.view
    heads = ["Self", "Self%", "+-", "Total", "Total%", "+-"] if view.has_calls else ["Time", "Time%", "+-"]
    heads += _WAITS if shown.shows_waiting else ()
    parts = _parts(shown, options)
    all_rows = [row for _, rows in parts for row in rows]
    cells = [_cells(row, shown) for row in all_rows]
    widths = [max(len(head), *(len(row[at]) for row in cells)) if cells else len(head) for at, head in enumerate(heads)]
    widths_of_samples = max([len("Samples"), *(len(str(row.times.total.samples)) for row in all_rows)])

    def join(texts: list[str], samples: str) -> str:
        columns = [f"{text:>{width}}" for text, width in zip(texts, widths, strict=True)]
        return "  ".join([*columns, f"{samples:>{widths_of_samples}}"])

    lines: list[Line] = [[(join(heads, "Samples") + f"  {options.by.capitalize()}", "bold")]]
    texts_of = iter(cells)
    for heading, rows in parts:
        if heading:
            lines.append([(heading, "bold")])
        for row in rows:
            texts = next(texts_of)
            name, place = _name_and_place(row, options.by)
            line: Line = [(join(texts, str(row.times.total.samples)), ""), (f"  {name}", "bold")]
            lines.append([*line, (f"  {place}" if place else "", "dim")])
            lines += _slowest_lines(row, shown, len(join(texts, "")) + 2)
    return [*lines, [], *_notes(profile, shown, options, len(all_rows))]


def _slowest_lines(row: TimeRow, shown: _Shown, indent: int) -> list[Line]:
    """Return a line for each, with its time unless that of the test was measured: samples of that say only where."""
    lines: list[Line] = []
    has_times = row.sampled is None or shown.clock is Clock.SAMPLES
    for at, cost in row.slowest:
        time = f"  {shown.text(cost):>7}" if has_times else ""
        share = _share_within(cost, row, shown)
        text = f"{100 * share:5.1f}%{time}  {shown_place(at.path, at.line)}  {at.name}".rstrip()
        lines.append([(" " * (indent + 2) + printable(text), "dim")])
    return lines


def _cells(row: TimeRow, shown: _Shown) -> list[str]:
    found = []
    for cost in (row.times.own, row.times.total) if shown.view.has_calls else (row.times.total,):
        share = _share(cost, shown)
        error = standard_error(share, shown.view.n_samples)
        is_measured = row.sampled is not None
        text = shown.text(cost, is_measured=is_measured)
        has_error = not is_measured and shown.view.n_samples > 0
        found += [text, f"{100 * share:.1f}", f"{100 * error:.1f}" if has_error else ""]
    return found + _waiting_cells(row.times.total) if shown.shows_waiting else found


def _waiting_cells(cost: Cost) -> list[str]:
    """Return the time of waiting for the GIL, its share of wall time, the error, and the share not known."""
    waits, unknown = (min(each / (cost.wall_ns or 1), 1.0) for each in (cost.gil_wait_ns, cost.gil_untold_ns))
    error = standard_error(waits, cost.samples)
    return [f"{cost.gil_wait_ns / _NS_PER_SECOND:.3f} s", *(f"{100 * each:.1f}" for each in (waits, error, unknown))]


def _share(cost: Cost, shown: _Shown) -> float:
    return min(shown.read(cost) / shown.view.total, 1.0) if shown.view.total else 0.0


def _share_within(cost: Cost, row: TimeRow, shown: _Shown) -> float:
    """Return the share of a line in what was sampled in a row."""
    return shown.read(cost) / (shown.read(row.sampled or row.times.total) or 1)


def _name_and_place(row: TimeRow, by: str) -> tuple[str, str]:
    if by == "file":
        return printable(short_path(row.path)), ""
    place = shown_place(row.path, row.line)
    if by == "line":
        return printable(place or row.path), printable(row.name)
    return printable(row.name), printable(place)


def _notes(profile: Profile, shown: _Shown, options: TimeTableOptions, n_shown: int) -> list[Line]:
    n_left = len(shown.ranked) - n_shown
    text = "Looks at the threads" if shown.clock is Clock.SAMPLES else CLOCK_WORDS[shown.clock]
    text = text[0].upper() + text[1:]
    if shown.clock is not Clock.SAMPLES:
        text += f", {shown.view.total / _NS_PER_SECOND:.3f} s in all"
    if shown.view.n_samples or profile.origin is None:
        text += f"; {profile.n_samples} samples"
        if profile.interval_ns:
            text += f", {_NS_PER_SECOND / profile.interval_ns:.0f} a second"
        text += f"; {profile.n_dropped} dropped. +- is one standard error, in points."
    else:
        text += "; of how many samples is not known."
    notes = [f"{n_left} more; -n 0 shows all."] if n_left else []
    if any(row.sampled is not None for row in shown.view.rows):
        notes.append("Times without +- were measured, at start and end of each phase of the test, in its thread.")
    if options.clock is None and shown.clock is Clock.WALL and profile.origin is None:
        notes.append("No thread was seen to use CPU time, so these are wall times.")
    if shown.shows_waiting:
        notes.append(
            "Waits: wall time of waiting for the GIL, and its share of the row's own wall time."
            " Unknown: the share of which it is not known."
        )
    elif shown.clock is Clock.GIL_WAIT:
        notes += _untold(profile.total())
    elif shown.clock is Clock.GIL and options.by in _OF_THREADS:
        notes.append("No sample could tell which threads waited for the GIL.")
    if options.by == "line" and has_cpu_time_alone(profile):
        notes.append("PyPy's sampler tells functions, not lines: each line is a function's first.")
    parts = [
        f"{_LEFT_OUT.get(name, name)} {shown.text(cost)}"
        for name, cost in shown.view.left_out.items()
        if shown.read(cost) > _LEAST_SHARE * shown.view.total
    ]
    if parts:
        notes.append(f"In no row: {', '.join(parts)}.")
    return [[(note, "dim")] for note in (*notes, text)]


def _untold(cost: Cost) -> list[str]:
    """Return a note on the time of which it is not known whether threads waited for the GIL, if there is any."""
    untold, wall = (each / _NS_PER_SECOND for each in (cost.gil_untold_ns, cost.wall_ns))
    if cost.gil_untold_ns <= _LEAST_SHARE * cost.wall_ns:
        return []
    return [f"Not counted: {untold:.3f} s of {wall:.3f} s, of which it is not known whether the thread waited."]


def times_by_report(
    profile: Profile, options: TimeTableOptions, test_times: Mapping[str, PhaseTime] | None = None
) -> Json:
    """Return the same for machines: seconds (or samples, if that is the clock), shares and errors from 0 to 1."""
    whole, rows = times_by_rows(profile, options, test_times)
    return {"format": 1, **whole, "rows": rows[: options.count or None]}


def times_by_rows(
    profile: Profile, options: TimeTableOptions, test_times: Mapping[str, PhaseTime] | None = None
) -> tuple[Json, list[Json]]:
    """Return the same as what is said of the whole, and all of the rows."""
    shown = _choose(profile, options, test_times or {})
    whole: Json = {
        "by": options.by,
        "clock": shown.clock,
        "interval_seconds": profile.interval_ns / _NS_PER_SECOND,
        "samples": profile.n_samples,
        "dropped_samples": profile.n_dropped,
        "total": shown.view.total if shown.clock is Clock.SAMPLES else shown.view.total / _NS_PER_SECOND,
        "without_row": {name: shown.number(cost) for name, cost in shown.view.left_out.items()},
    }
    return whole, [_row_report(row, shown, options.by) for row in shown.ranked]


def _row_report(row: TimeRow, shown: _Shown, by: str) -> Json:
    found: Json = {"name": shown_path(row.path) if by == "file" else row.name}
    if row.path and by != "file":
        found |= {"file": shown_path(row.path), "line": row.line}
    if row.thread is not None:
        found["thread"] = row.thread
    for key, cost in (("self", row.times.own), ("total", row.times.total)):
        share = _share(cost, shown)
        found[key] = {
            "time": shown.number(cost),
            "share": share,
            "error": standard_error(share, shown.view.n_samples) if row.sampled is None else 0.0,
            "samples": cost.samples,
        }
    if by in _OF_THREADS:
        total = row.times.total
        found["gil"] = {
            "held_seconds": total.gil_ns / _NS_PER_SECOND,
            "waited_seconds": total.gil_wait_ns / _NS_PER_SECOND,
            "untold_seconds": total.gil_untold_ns / _NS_PER_SECOND,
            "wall_seconds": total.wall_ns / _NS_PER_SECOND,
        }
    if by == "test":
        found["phases"] = {
            name: {
                "count": phase.n_times,
                "cpu_seconds": phase.cpu_ns / _NS_PER_SECOND,
                "wall_seconds": phase.wall_ns / _NS_PER_SECOND,
            }
            for name, phase in sorted(row.phases.items())
        }
        found["slowest_lines"] = [
            {
                "file": shown_path(at.path),
                "line": at.line,
                "time": shown.number(cost),
                "share": _share_within(cost, row, shown),
            }
            | ({"name": at.name} if at.name else {})
            for at, cost in row.slowest
        ]
    return found
