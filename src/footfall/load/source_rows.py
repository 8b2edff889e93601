"""What a lake stores of the sources: their statements and branches, and which of them ran. For `footfall lake add`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from footfall.analyze.source.regions import FUNCTION, find_regions
from footfall.load.gather import Coverage, ReportedFile
from footfall.record.lake.parquet import Row
from footfall.record.lake.shard_rows import SourceRows

__all__ = ["rows_of_sources"]


def rows_of_sources(coverage: Coverage, file_of_path: Callable[[str], str]) -> SourceRows:
    """Return the rows of all files that are as they were measured. `file_of_path` is the lake's name of a file."""
    changed = frozenset(coverage.changed)
    named = [(file_of_path(file.stored_paths[0]), file) for file in coverage.files if file.name not in changed]
    named.sort(key=lambda each: each[0])
    return SourceRows(
        analyzed=frozenset(path for _, file in named for path in file.stored_paths),
        tables={
            "statements": lambda: (row for name, file in named for row in _statements(name, file)),
            "source_branches": lambda: (row for name, file in named for row in _branches(name, file)),
        },
    )


def _statements(name: str, file: ReportedFile) -> Iterator[Row]:
    result, first_line = file.result, file.analysis.first_line
    lines_of: dict[int, list[int]] = {}
    for line, first in sorted(first_line.items()):
        lines_of.setdefault(first, []).append(line)
    function_of = {
        line: (region.name, region.start)
        for region in find_regions(file.analysis)
        if region.kind == FUNCTION
        for line in region.lines
    }
    for line in sorted(result.statements | result.excluded):
        is_executed, is_excluded = line in result.executed, line in result.excluded
        n_branches, _ = result.branch_stats.get(line, (0, 0))
        lines = sorted({line, *lines_of.get(line, ())})
        yield name, line, lines, *function_of.get(line, ("", 1)), is_executed, is_excluded, n_branches


def _branches(name: str, file: ReportedFile) -> Iterator[Row]:
    for arcs, is_executed in ((file.result.executed_branches, True), (file.result.missing_branches, False)):
        for line, to_line in arcs:
            yield name, line, to_line, is_executed
