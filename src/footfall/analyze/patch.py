"""Coverage and time of the lines that a diff added or changed. Pure; for `footfall report --diff`.

A statement counts if any of its lines is new, along with the branches that leave it. Line numbers are those of the
measured source, so the diff's new side must be that source.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from footfall.analyze.results import FileResult, find_ranges, format_lines
from footfall.analyze.source.analysis import SourceAnalysis
from footfall.analyze.source.regions import FUNCTION, find_regions, narrow_result

__all__ = [
    "PatchedFile",
    "UntestedFunction",
    "find_untested_function",
    "lines_of_python",
    "patch_file",
    "time_of_lines",
]

Times = Mapping[int, int]
"""Nanoseconds by line, as recorded."""


@dataclass(frozen=True, slots=True)
class PatchedFile:
    """What a diff changed in one file. `git_name` is its path from the repository's top.

    `result` covers only the changed statements. `missing_ranges` are the first and last lines of runs of statements
    that did not run, with no other statement between. `untaken` are the branches not taken of those that ran, each as
    its line and a sentence.
    """

    git_name: str
    result: FileResult
    missing_text: str
    missing_ranges: tuple[tuple[int, int], ...]
    untaken: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class UntestedFunction:
    """The function with the most self time that has new lines which did not run. `is_hottest`: among all functions."""

    file_name: str
    name: str
    own_ns: int
    n_missing: int
    is_hottest: bool


def patch_file(
    result: FileResult, analysis: SourceAnalysis, new_lines: Collection[int] | None, git_name: str
) -> PatchedFile:
    """Narrow a file's result to the statements that contain new lines; None means that all lines are new."""
    lines = _find_patched_lines(analysis, new_lines)
    (patched,) = narrow_result(result, [lines])
    return PatchedFile(
        git_name,
        patched,
        format_lines(result.statements, patched.missing, patched.missing_branches),
        tuple(find_ranges(result.statements, patched.missing)),
        tuple(
            (start, analysis.missing_arc_description(start, end))
            for start, end in patched.missing_branches
            if start not in patched.missing
        ),
    )


def _find_patched_lines(analysis: SourceAnalysis, new_lines: Collection[int] | None) -> frozenset[int]:
    """Return the new lines that start a statement or are excluded, and the first lines of statements with new lines."""
    if new_lines is None:
        return frozenset(range(1, analysis.n_lines + 1))
    in_statements = analysis.translate_lines(new_lines) & analysis.statements
    return frozenset(in_statements | (analysis.excluded & frozenset(new_lines)))


def lines_of_python(source: bytes, lines: Collection[int]) -> set[int]:
    """Convert git's line numbers to Python's: for Python, but not for git, a lone carriage return ends a line."""
    pieces = source.replace(b"\r\n", b"\n").split(b"\n")
    if not any(b"\r" in piece for piece in pieces):
        return set(lines)
    found: set[int] = set()
    first = 1
    for number, piece in enumerate(pieces, start=1):
        behind = first + 1 + piece.count(b"\r")
        if number in lines:
            found.update(range(first, behind))
        first = behind
    return found


def time_of_lines(analysis: SourceAnalysis, times: Times, lines: Collection[int]) -> int:
    """Return the time, in nanoseconds, in the statements whose first lines are `lines`."""
    return sum(time_ns for line, time_ns in times.items() if analysis.first_line_of(line) in lines)


def find_untested_function(
    files: Iterable[tuple[FileResult, SourceAnalysis]],
    patched: Sequence[PatchedFile],
    times: Mapping[str, Times],
) -> UntestedFunction | None:
    """Return the hottest function with new lines that did not run; None if none of them takes time.

    `files` are all those of the report, `times` the times of their lines by path.
    """
    missing = {file.result.path: file.result.missing for file in patched}
    hottest_ns = 0
    found: tuple[int, str, str, int] | None = None
    for result, analysis in files:
        by_line: dict[int, int] = {}
        for line, time_ns in times.get(result.path, {}).items():
            first = analysis.first_line_of(line)
            by_line[first] = by_line.get(first, 0) + time_ns
        if not by_line:
            continue
        for region in find_regions(analysis):
            if region.kind != FUNCTION:
                continue
            own_ns = sum(time_ns for line, time_ns in by_line.items() if line in region.lines)
            hottest_ns = max(hottest_ns, own_ns)
            n_missing = len(missing.get(result.path, frozenset()) & region.lines)
            if n_missing and own_ns and (found is None or own_ns > found[0]):
                found = own_ns, result.name, region.name, n_missing
    if found is None:
        return None
    own_ns, file_name, name, n_missing = found
    return UntestedFunction(file_name, name, own_ns, n_missing, own_ns == hottest_ns)
