"""The summary that `footfall run` ends with: coverage total, hottest lines and functions, where the data is.

Pure: returns lines of styled pieces; `session/terminal.py` prints them, in colour on a terminal.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from footfall.analyze.profile.clocks import CLOCK_WORDS, Clock
from footfall.analyze.results import Numbers
from footfall.printable import printable
from footfall.report.words import plural

__all__ = ["HotSpot", "Line", "Piece", "Summary", "Times", "plain_text", "render_summary"]

Piece = tuple[str, str]
"""(text, style): a style is "", "bold", "dim", "good", "fair" or "bad"."""
Line = list[Piece]

_NS_PER_SECOND = 1_000_000_000
_GOOD_PERCENT = 90
_FAIR_PERCENT = 70


@dataclass(frozen=True, slots=True)
class HotSpot:
    """A line or function with its self time, which excludes what it called."""

    name: str
    place: str
    """path:line, as reports show paths"""
    self_ns: int
    percent: float


@dataclass(frozen=True, slots=True)
class Times:
    """The profile's part, hottest first."""

    sampled_ns: int
    n_samples: int
    n_dropped: int
    n_processes: int
    interval_ns: int
    """The mean time between two samples of a process; 0 if not known."""
    hot_lines: Sequence[HotSpot]
    hot_functions: Sequence[HotSpot]
    other_lines: Sequence[HotSpot] = ()
    """Lines of libraries and the interpreter; `hot_lines` has those of the project."""
    other_functions: Sequence[HotSpot] = ()
    clock: Clock = Clock.CPU


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that is shown. `coverage` is None if no file of the project ran or coverage was off."""

    coverage: Numbers | None
    has_arcs: bool
    precision: int
    data_file: str
    is_default_data_file: bool
    times: Times | None = None
    parallel_base: str = ""
    """The data file that this one is to be combined into; "" for none."""


def render_summary(summary: Summary) -> list[Line]:
    """Return the lines to show, without line ends."""
    lines: list[Line] = [[]]
    lines += _coverage_lines(summary)
    if summary.times is not None:
        times = summary.times
        lines += _hot_lines("Hottest lines", times.hot_lines, times.other_lines, times.clock)
        lines += _hot_lines("Hottest functions", times.hot_functions, times.other_functions, times.clock)
        lines.append(
            _samples_line(times) if times.n_samples else [("No samples: it ended too soon for a profile.", "dim")]
        )
        if times.clock is Clock.WALL and times.sampled_ns:
            lines.append([("No thread was seen to use CPU time, so these are wall times.", "dim")])
    lines += _next_lines(summary)
    return lines


def _coverage_lines(summary: Summary) -> list[Line]:
    numbers = summary.coverage
    if numbers is None:
        return []
    percent = numbers.pc_covered
    style = "good" if percent >= _GOOD_PERCENT else "fair" if percent >= _FAIR_PERCENT else "bad"
    counts = f"{numbers.n_missing} of {plural(numbers.n_statements, 'statement')} missing"
    if summary.has_arcs:
        counts += f", {numbers.n_missing_branches} of {plural(numbers.n_branches, 'branch', 'branches')} not taken"
    return [
        [
            ("Coverage ", "bold"),
            (f"{numbers.pc_covered_str(summary.precision)}%", style),
            (f"  ({counts}; {plural(numbers.n_files, 'file')})", ""),
        ]
    ]


def _hot_lines(title: str, spots: Sequence[HotSpot], others: Sequence[HotSpot], clock: Clock) -> list[Line]:
    width = max((len(printable(spot.place)) for spot in (*spots, *others)), default=0)
    lines: list[Line] = []
    for rows, whose in ((spots, ""), (others, " in libraries and the interpreter")):
        if rows:
            lines.append([(f"{title}{whose}, own {CLOCK_WORDS[clock]}", "bold")])
        lines += [_hot_line(spot, width) for spot in rows]
    return lines


def _hot_line(spot: HotSpot, width: int) -> Line:
    return [
        (f"  {spot.percent:5.1f}%  {_seconds(spot.self_ns):>9}  ", ""),
        (f"{printable(spot.place):{width}}", ""),
        (f"  {printable(spot.name)}".rstrip(), "dim"),
    ]


def _samples_line(times: Times) -> Line:
    total = times.n_samples + times.n_dropped
    share = 100 * times.n_dropped / total if total else 0.0
    text = f"{plural(times.n_samples, 'sample')} of {plural(times.n_processes, 'process', 'processes')}"
    if times.interval_ns:
        text += f", {_NS_PER_SECOND / times.interval_ns:.0f} a second"
    text += f", {_seconds(times.sampled_ns)} of {CLOCK_WORDS[times.clock]} in all"
    text += f"; {times.n_dropped} dropped ({share:.1f}%)"
    return [(text, "dim")]


def _next_lines(summary: Summary) -> list[Line]:
    lines: list[Line] = [[("Data ", "bold"), (summary.data_file, "")]]
    if summary.parallel_base:
        option = "" if summary.is_default_data_file else f" --data-file={shlex.quote(summary.parallel_base)}"
        return [*lines, [("Next ", "bold"), (f"footfall combine{option}", "")]]
    option = "" if summary.is_default_data_file else f" --data-file={shlex.quote(summary.data_file)}"
    if summary.coverage is not None:
        commands = [f"footfall report -m{option}", f"footfall html{option}"]
    elif summary.times is not None and summary.times.n_samples:
        commands = [f"footfall flame{option}", f"footfall report --by function{option}"]
    else:
        commands = []
    if commands:
        lines.append([("Next ", "bold"), ("   ".join(commands), "")])
    return lines


def plain_text(lines: Iterable[Line]) -> str:
    """Return the lines without styles, and without characters that control a terminal."""
    return "".join(printable("".join(text for text, _style in line)).rstrip() + "\n" for line in lines)


def _seconds(duration_ns: int) -> str:
    seconds = duration_ns / _NS_PER_SECOND
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
