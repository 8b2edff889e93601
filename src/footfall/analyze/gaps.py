"""Untested code by the time it takes: which functions have lines that no test ran, and what they cost in a profile.

The profile may be the run's own, or one of production. A sample counts for the innermost frame that is in one of the
reported files, so time that a line spends in libraries is the line's, and all shares add up to at most one. Imports and
garbage collection belong to no line: their time, and that of code below them, does not count for the line where they
started.
Pure: results and a profile in, gaps out. Called by `footfall gaps` and the HTML report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from footfall.analyze.profile.calltree import IMPORT_PATH, Cost, Profile
from footfall.analyze.results import FileResult, format_lines
from footfall.analyze.source.analysis import SourceAnalysis
from footfall.analyze.source.regions import FUNCTION, find_outside_lines, find_regions
from footfall.formats import COLLECTOR_PATH

__all__ = ["Gap", "find_gaps", "times_in_files"]


@dataclass(frozen=True, slots=True)
class Gap:
    """A function with lines or branches that no test ran. Times in nanoseconds.

    `name` is "" for a file's top level. `untested_ns` is the time in its missing lines, `own_ns` all its self time.
    """

    path: str
    file_name: str
    name: str
    start: int
    n_statements: int
    n_missing: int
    n_missing_branches: int
    missing_text: str
    untested_ns: int
    own_ns: int

    @property
    def is_untested(self) -> bool:
        """Whether none of its lines ran."""
        return self.n_missing == self.n_statements


def times_in_files(profile: Profile, paths: Iterable[str], clock: Callable[[Cost], int]) -> dict[str, dict[int, int]]:
    """Return nanoseconds by path and line: a sample counts at its innermost frame that is in one of `paths`.

    It counts nowhere if an import or the garbage collector is further in.
    """
    wanted = frozenset(paths)
    is_wanted = [frame.function.path in wanted for frame in profile.frames]
    ends_ownership = [frame.function.path in (IMPORT_PATH, COLLECTOR_PATH) for frame in profile.frames]
    owners = [-1] * len(profile.nodes)
    for number, node in enumerate(profile.nodes):
        if not number or ends_ownership[node.frame]:
            continue
        owners[number] = node.frame if is_wanted[node.frame] else owners[node.parent]
    found: dict[str, dict[int, int]] = {}
    for (node_id, _, _), cost in profile.costs.items():
        frame_id = owners[node_id]
        if frame_id >= 0:
            frame = profile.frames[frame_id]
            lines = found.setdefault(frame.function.path, {})
            lines[frame.line] = lines.get(frame.line, 0) + clock(cost)
    return found


def find_gaps(files: Sequence[tuple[FileResult, SourceAnalysis]], times: Mapping[str, Mapping[int, int]]) -> list[Gap]:
    """Return all gaps, sorted by the time of their untested code, then by self time, most first.

    `times` as `times_in_files` returns them, by the paths of `files`; empty without a profile.
    """
    gaps: list[Gap] = []
    for result, analysis in files:
        if not result.missing and not result.missing_branches:
            continue
        gaps += _gaps_of_file(result, analysis, times.get(result.path, {}))
    return sorted(gaps, key=_rank)


def _rank(gap: Gap) -> tuple[int, int, int, int, str, int]:
    return -gap.untested_ns, -gap.own_ns, -gap.n_missing, -gap.n_missing_branches, gap.path, gap.start


def _gaps_of_file(result: FileResult, analysis: SourceAnalysis, times: Mapping[int, int]) -> Iterable[Gap]:
    regions = [region for region in find_regions(analysis) if region.kind == FUNCTION]
    outside = find_outside_lines(analysis, regions)
    by_line: dict[int, int] = {}
    for line, time_ns in times.items():
        first = analysis.first_line_of(line)
        by_line[first] = by_line.get(first, 0) + time_ns
    for name, start, lines in [*((region.name, region.start, region.lines) for region in regions), ("", 1, outside)]:
        missing = result.missing & lines
        branches = [arc for arc in result.missing_branches if arc[0] in lines]
        if not missing and not branches:
            continue
        statements = result.statements & lines
        yield Gap(
            path=result.path,
            file_name=result.name,
            name=name,
            start=start,
            n_statements=len(statements),
            n_missing=len(missing),
            n_missing_branches=len(branches),
            missing_text=format_lines(statements, missing, branches),
            untested_ns=sum(by_line.get(line, 0) for line in missing),
            own_ns=sum(time_ns for line, time_ns in by_line.items() if line in lines),
        )
