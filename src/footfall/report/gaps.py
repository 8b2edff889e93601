"""`footfall gaps` as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from footfall.analyze.gaps import Gap, find_gaps, times_in_files
from footfall.analyze.profile.calltree import Profile
from footfall.analyze.profile.clocks import Clock, default_clock, reader, sampled_ns
from footfall.config.configuration import Config
from footfall.load.gather import Coverage
from footfall.printable import printable
from footfall.record.data.qualifications import Message
from footfall.report.coverage.json import Json
from footfall.report.times import load_profile, named_as_coverage, need_profile, profile_warnings
from footfall.report.words import plural

__all__ = ["Ranking", "gaps_report", "rank_gaps", "render_gaps"]

_NS_PER_SECOND = 1_000_000_000
_MIN_SHARE = 0.0005  # a smaller share would be shown as 0.0 %


@dataclass(frozen=True, slots=True)
class Ranking:
    """All gaps, and the time that shares refer to (0 without a profile); numbers of samples, if that is the `clock`.

    `is_other`: it is another run's profile, which `warnings` qualify.
    """

    gaps: list[Gap]
    total_ns: int
    is_other: bool
    clock: Clock = Clock.CPU
    warnings: tuple[Message, ...] = ()

    @property
    def untested_ns(self) -> int:
        """The time spent in lines that no test ran."""
        return sum(gap.untested_ns for gap in self.gaps)


def rank_gaps(config: Config, coverage: Coverage, gaps_file: str | Path | None) -> Ranking:
    """Find the gaps and rank them by the named profile, or the data file's own. Raises as `need_profile`."""
    profile: Profile | None = None
    warnings: list[Message] = []
    if gaps_file is not None:
        profile = need_profile(config, gaps_file)
        warnings = profile_warnings(gaps_file, profile)
    elif coverage.has_profile:
        profile = load_profile(config, config.data_file, config.report_contexts, by_thread=False)
    pairs = [(file.result, file.analysis) for file in coverage.files]
    if profile is None:
        return Ranking(find_gaps(pairs, {}), 0, False)
    clock = default_clock(profile)
    paths = [result.path for result, _ in pairs]
    times = times_in_files(named_as_coverage(profile, paths), paths, reader(clock))
    total_ns = sampled_ns(profile, reader(clock))
    return Ranking(find_gaps(pairs, times), total_ns, gaps_file is not None, clock, tuple(warnings))


def render_gaps(ranking: Ranking, count: int = 0) -> str:
    """Return a sentence for each gap, such as "no test runs Invoice.retry (11.2 % of the time, 14 lines)"."""
    if not ranking.gaps:
        return "No gaps: every line and branch ran.\n"
    shown = ranking.gaps[:count] if count else ranking.gaps
    lines = [line for gap in shown for line in _lines(gap, ranking)]
    if len(shown) < len(ranking.gaps):
        lines.append(f"... and {len(ranking.gaps) - len(shown)} more (-n 0 shows all)")
    if ranking.is_other:
        share = ranking.untested_ns / (ranking.total_ns or 1)
        lines.append(f"Untested code took {100 * share:.1f} % of the {_kind(ranking)} of the other profile.")
    return "".join(line + "\n" for line in lines)


def _lines(gap: Gap, ranking: Ranking) -> Iterable[str]:
    place = f"{printable(gap.file_name)}:{gap.start}"
    name = printable(gap.name) or "the top level"
    if gap.is_untested:
        text = f"no test runs {name} ({_details(gap, ranking, plural(gap.n_statements, 'line'))})"
    elif gap.n_missing:
        part = f"{gap.n_missing} of {plural(gap.n_statements, 'line')}"
        text = f"no test runs {part} of {name} ({_details(gap, ranking, f'missing {gap.missing_text}')})"
    else:
        branches = plural(gap.n_missing_branches, "branch", "branches")
        text = f"no test takes {branches} of {name} ({_details(gap, ranking, gap.missing_text)})"
    yield f"{place}: {text}"


def _details(gap: Gap, ranking: Ranking, what: str) -> str:
    parts = [what]
    if ranking.total_ns:
        untested, own = gap.untested_ns / ranking.total_ns, gap.own_ns / ranking.total_ns
        whose = f"production {_kind(ranking)}" if ranking.is_other else f"the {_kind(ranking)}"
        if untested >= _MIN_SHARE:
            parts.insert(0, f"{100 * untested:.1f} % of {whose}")
        elif own >= _MIN_SHARE:
            parts.insert(0, f"the function takes {100 * own:.1f} % of {whose}")
    return ", ".join(parts)


def _kind(ranking: Ranking) -> str:
    """Return what shares are of, in words."""
    return {Clock.WALL: "wall time", Clock.SAMPLES: "samples"}.get(ranking.clock, "time")


def gaps_report(ranking: Ranking, count: int = 0) -> Json:
    """Return the gaps for machines, or the first `count` of them; times in seconds, of a profile of counts null."""
    return {
        "format": 1,
        "clock": ranking.clock,
        **_times(ranking.clock, total=ranking.total_ns, untested=ranking.untested_ns),
        "gaps": [
            {
                "file": gap.file_name,
                "function": gap.name,
                "start_line": gap.start,
                "statements": gap.n_statements,
                "missing_lines": gap.n_missing,
                "missing_branches": gap.n_missing_branches,
                "missing": gap.missing_text,
                **_times(ranking.clock, untested=gap.untested_ns, own=gap.own_ns),
            }
            for gap in (ranking.gaps[:count] if count else ranking.gaps)
        ],
    }


def _times(clock: Clock, **spent: int) -> Json:
    """Return times in seconds or, by a clock that counts samples, their numbers, which are of unknown length."""
    if clock is Clock.SAMPLES:
        return {
            **{f"{name}_seconds": None for name in spent},
            **{f"{name}_samples": value for name, value in spent.items()},
        }
    return {f"{name}_seconds": value / _NS_PER_SECOND for name, value in spent.items()}
