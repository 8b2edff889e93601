"""Compares what ran with what could run: one file's result, as every report shows it. Called by the reports; analysis
phase.

`compare` takes lines and arcs as recorded (any line of a statement; an arc (n, n) says only that line n ran) and
returns first lines of statements, like coverage.py's `Analysis`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from footfall.analyze.source.analysis import SourceAnalysis
from footfall.analyze.totals import Numbers, fail_under_message, format_percent, should_fail_under

__all__ = [
    "FileResult",
    "Numbers",
    "compare",
    "fail_under_message",
    "find_ranges",
    "format_lines",
    "format_percent",
    "should_fail_under",
    "tally",
]

Arc = tuple[int, int]


@dataclass(frozen=True, slots=True)
class FileResult:
    """The coverage of one file or region. Arc lists are sorted; an arc with an end < 0 leaves its code object.

    Without branch measurement `has_arcs` is false and everything about branches is empty.
    """

    path: str
    name: str
    """The path as reports show it."""
    statements: frozenset[int]
    excluded: frozenset[int]
    executed: frozenset[int]
    missing: frozenset[int]
    has_arcs: bool
    executed_branches: tuple[Arc, ...]
    missing_branches: tuple[Arc, ...]
    branch_stats: Mapping[int, tuple[int, int]]
    """For each branch line: the number of (possible, taken) exits."""
    numbers: Numbers
    possible_arcs: frozenset[Arc]
    executed_arcs: frozenset[Arc]
    """Translated; may contain arcs that the analysis considered impossible."""
    exit_counts: Mapping[int, int]
    no_branch: frozenset[int]

    def missing_text(self, branches: bool = True) -> str:
        """Return the report's Missing column, such as "3-5, 8->exit, 10"; `branches=False` leaves arcs out."""
        return format_lines(self.statements, self.missing, self.missing_branches if branches else ())


def compare(
    analysis: SourceAnalysis,
    executed_lines: Iterable[int],
    executed_arcs: Iterable[Arc] | None,
    name: str | None = None,
) -> FileResult:
    """Compare what was recorded with what is possible; if `executed_arcs` is None, only lines. `name` is the path
    that reports show."""
    has_arcs = executed_arcs is not None
    return tally(
        path=analysis.path,
        name=analysis.path if name is None else name,
        statements=analysis.statements,
        excluded=analysis.excluded,
        executed=analysis.statements & analysis.translate_lines(executed_lines),
        has_arcs=has_arcs,
        possible_arcs=analysis.arcs if has_arcs else frozenset(),
        executed_arcs=frozenset(_translate_recorded(analysis, executed_arcs or ())),
        exit_counts=analysis.exit_counts if has_arcs else {},
        no_branch=analysis.no_branch if has_arcs else frozenset(),
    )


def tally(
    *,
    path: str,
    name: str,
    statements: frozenset[int],
    excluded: frozenset[int],
    executed: frozenset[int],
    has_arcs: bool,
    possible_arcs: frozenset[Arc],
    executed_arcs: frozenset[Arc],
    exit_counts: Mapping[int, int],
    no_branch: frozenset[int],
) -> FileResult:
    """Count the result of one file or region; every line here is a first line."""
    missing = statements - executed
    exits_of = dict(sorted([(line, count) for line, count in exit_counts.items() if count > 1]))
    missing_branches = [
        arc
        for arc in possible_arcs - executed_arcs
        if arc[0] in exits_of and arc[0] not in no_branch and arc[1] not in excluded
    ]
    executed_branches = [arc for arc in possible_arcs & executed_arcs if arc[0] in exits_of]
    n_missing_from = dict.fromkeys(exits_of, 0)
    for start, _ in missing_branches:
        n_missing_from[start] += 1
    return FileResult(
        path=path,
        name=name,
        statements=statements,
        excluded=excluded,
        executed=executed,
        missing=missing,
        has_arcs=has_arcs,
        executed_branches=tuple(sorted(executed_branches)),
        missing_branches=tuple(sorted(missing_branches)),
        branch_stats={line: (count, count - n_missing_from[line]) for line, count in exits_of.items()},
        numbers=Numbers(
            n_files=1,
            n_statements=len(statements),
            n_excluded=len(excluded),
            n_missing=len(missing),
            n_branches=sum(exits_of.values()),
            n_partial_branches=sum([n for line, n in n_missing_from.items() if line not in missing]),
            n_missing_branches=len(missing_branches),
        ),
        possible_arcs=possible_arcs,
        executed_arcs=executed_arcs,
        exit_counts=exit_counts,
        no_branch=no_branch,
    )


def _translate_recorded(analysis: SourceAnalysis, arcs: Iterable[Arc]) -> set[Arc]:
    """Translate recorded arcs; an arc from a line to itself means that line's only exit, if it has just one."""
    translated = analysis.translate_arcs(arcs)
    alone = {start: (start, end) for start, end in translated if start == end}
    if alone:
        translated.difference_update(alone.values())
        ends: dict[int, int | None] = {}
        for start, end in analysis.arcs:
            if start in alone:
                ends[start] = None if start in ends else end
        translated.update([(start, end) for start, end in ends.items() if end is not None])
    # Again: now that lines are first lines, arcs that leave a `with` of several lines are recognized too.
    return analysis.translate_arcs(translated)


def format_lines(statements: Iterable[int], lines: Collection[int], arcs: Iterable[Arc] = ()) -> str:
    """Write line numbers as ranges that span gaps without statements; `lines` are some of `statements`.

    `arcs` are added as "8->10" or "8->exit" if neither end is in `lines`.
    """
    items = [
        (first, f"{first}" if first == last else f"{first}-{last}") for first, last in find_ranges(statements, lines)
    ]
    for start, end in arcs:
        if start not in lines and end not in lines:
            items.append((start, f"{start}->{end if end > 0 else 'exit'}"))
    return ", ".join(text for _, text in sorted(items))


def find_ranges(statements: Iterable[int], lines: Collection[int]) -> list[tuple[int, int]]:
    """Return `lines`, some of `statements`, as (first, last) ranges; a range spans lines without statements."""
    ranges: list[tuple[int, int]] = []
    is_open = False
    for line in sorted(statements):
        if line not in lines:
            is_open = False
        elif is_open:
            ranges[-1] = (ranges[-1][0], line)
        else:
            ranges.append((line, line))
            is_open = True
    return ranges
