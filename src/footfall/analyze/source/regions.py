"""Functions and classes of a file as regions of lines, and the file's result for each. For JSON and LCOV reports.

As in coverage.py: no line is in two functions or in two classes. A function's region is its body without the bodies of
functions inside; a class's region is the bodies of its methods, without those of classes inside.
"""

from collections.abc import Iterable, Sequence

from footfall.analyze.results import FileResult, tally
from footfall.analyze.source.analysis import SourceAnalysis
from footfall.analyze.source.definitions import CLASS, FUNCTION, CodeRegion
from footfall.analyze.source.traced_analysis import TracedAnalysis

__all__ = ["CLASS", "FUNCTION", "CodeRegion", "find_outside_lines", "find_regions", "narrow_result"]

Arc = tuple[int, int]


def find_regions(analysis: SourceAnalysis) -> list[CodeRegion]:
    """Return a file's functions and classes by first line; for a plugin's file, the regions that the plugin names."""
    if isinstance(analysis, TracedAnalysis):
        return list(analysis.regions)
    definitions = analysis.definitions
    lines_of: list[set[int]] = []
    for definition in definitions:
        if definition.kind == CLASS:
            lines_of.append(set())
            continue
        lines = set(range(definition.first, definition.last + 1))
        lines_of.append(lines)
        parent = definition.parent
        if parent >= 0 and definitions[parent].kind == CLASS:
            lines_of[parent] |= lines
        while parent >= 0 and definitions[parent].kind == CLASS:
            parent = definitions[parent].parent
        if parent >= 0:
            lines_of[parent] -= lines
    _take_inner_classes_out(analysis, lines_of)
    regions = [
        CodeRegion(definition.kind, definition.name, definition.start, frozenset(lines))
        for definition, lines in zip(definitions, lines_of, strict=True)
    ]
    return sorted(regions, key=lambda region: region.start)


def _take_inner_classes_out(analysis: SourceAnalysis, lines_of: list[set[int]]) -> None:
    definitions = analysis.definitions
    # Inner classes come after outer ones; go backwards, so that each is complete before it is removed.
    for index in range(len(definitions) - 1, -1, -1):
        if definitions[index].kind == CLASS:
            parent = definitions[index].parent
            while parent >= 0:
                if definitions[parent].kind == CLASS:
                    lines_of[parent] -= lines_of[index]
                parent = definitions[parent].parent


def find_outside_lines(analysis: SourceAnalysis, regions: Iterable[CodeRegion]) -> frozenset[int]:
    """Return the file's lines that are in none of `regions`, including blank ones."""
    return frozenset(range(1, analysis.n_lines + 1)).difference(*(region.lines for region in regions))


def narrow_result(result: FileResult, line_sets: Sequence[frozenset[int]]) -> list[FileResult]:
    """Return a separate result for each set of lines, in one pass over the file's arcs.

    An arc belongs to the set that contains its start; a line that is in several sets belongs to the last of them.
    """
    set_of: dict[int, frozenset[int]] = {}
    for lines in line_sets:
        set_of.update(dict.fromkeys(lines, lines))
    possible = _group_arcs(result.possible_arcs, set_of)
    executed = _group_arcs(result.executed_arcs, set_of)
    exit_counts: dict[frozenset[int], dict[int, int]] = {}
    for line, count in result.exit_counts.items():
        if line in set_of:
            exit_counts.setdefault(set_of[line], {})[line] = count
    return [
        tally(
            path=result.path,
            name=result.name,
            statements=result.statements & lines,
            excluded=result.excluded & lines,
            executed=result.executed & lines,
            has_arcs=result.has_arcs,
            possible_arcs=frozenset(possible.get(lines, ())),
            executed_arcs=frozenset(executed.get(lines, ())),
            exit_counts=exit_counts.get(lines, {}),
            no_branch=result.no_branch & lines,
        )
        for lines in line_sets
    ]


def _group_arcs(arcs: Iterable[Arc], set_of: dict[int, frozenset[int]]) -> dict[frozenset[int], set[Arc]]:
    grouped: dict[frozenset[int], set[Arc]] = {}
    for arc in arcs:
        if arc[0] in set_of:
            grouped.setdefault(set_of[arc[0]], set()).add(arc)
    return grouped
