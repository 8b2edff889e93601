"""The JSON report: coverage.py's format 3, with footfall's times beside it under the key "footfall".

It is made as text, file by file, because with contexts it may be larger than memory. `cli/reports/json.py` writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime

from footfall._version import WRITER
from footfall.analyze.results import FileResult, Numbers
from footfall.analyze.source.regions import CLASS, FUNCTION, find_outside_lines, find_regions, narrow_result
from footfall.analyze.source.traced_analysis import TracedAnalysis
from footfall.load.gather import Coverage, ReportedFile
from footfall.report.jsontext import render_json

__all__ = ["Json", "LineContexts", "coverage_report", "file_report", "summary_report"]

Json = dict[str, object]
LineContexts = Callable[[str], Mapping[int, Iterable[str]]]
"""From a stored path to each line's context labels."""

_FORMAT = 3
_KINDS = ((FUNCTION, "functions"), (CLASS, "classes"))


def coverage_report(
    coverage: Coverage, precision: int, contexts: LineContexts | None = None, ours: Json | None = None, indent: int = 0
) -> Iterator[str]:
    """Yield the whole report's text; `contexts` adds the contexts of its lines to each file and region.

    `ours` contains footfall's own values. Without `indent` the report is one line.
    """
    meta: Json = {
        "format": _FORMAT,
        "version": WRITER,
        "timestamp": datetime.now().isoformat(),
        "branch_coverage": coverage.has_arcs,
        "show_contexts": contexts is not None,
    }
    layout = _Layout(indent)
    yield "{" + layout.line_end + layout.member("meta", meta, 1) + layout.comma + layout.margin + '"files": {'
    separator = layout.line_end
    for name, file in {file.name: file for file in coverage.files}.items():
        yield separator + layout.member(name, file_report(file, precision, contexts), 2)
        separator = layout.comma
    yield (layout.line_end + layout.margin if coverage.files else "") + "}" + layout.comma
    yield layout.member("totals", summary_report(coverage.total, precision, coverage.has_arcs), 1)
    if ours:
        yield layout.comma + layout.member("footfall", ours, 1)
    yield layout.line_end + "}"


class _Layout:
    """The json module's layout: one line, or `indent` more blanks for each level."""

    def __init__(self, indent: int) -> None:
        self._indent = indent or None
        self.margin = " " * indent
        self.line_end = "\n" if indent else ""
        self.comma = ",\n" if indent else ", "

    def member(self, name: str, value: Json, level: int) -> str:
        """Return a member of an object at some level, without its separator."""
        text = render_json({name: value}, indent=self._indent)
        if self._indent is None:
            return text[1:-1]
        more = self.margin * (level - 1)
        return more + text[2:-2].replace("\n", f"\n{more}")  # strings contain no line ends


def file_report(file: ReportedFile, precision: int, contexts: LineContexts | None = None) -> Json:
    """Return a file's part of the report, as coverage.py has it."""
    by_line = None if contexts is None else _contexts_of(file, contexts)
    report = _result_report(file.result, precision, by_line)
    regions = find_regions(file.analysis)
    kinds = file.analysis.kinds if isinstance(file.analysis, TracedAnalysis) else _KINDS
    for kind, key in kinds:
        of_kind = [region for region in regions if region.kind == kind]
        outside = find_outside_lines(file.analysis, of_kind)
        *narrowed, rest = narrow_result(file.result, [*(region.lines for region in of_kind), outside])
        # among regions with one name, the first with statements has the plain name; the others add their line
        with_statements = {
            region.name for region, result in zip(of_kind, narrowed, strict=True) if result.numbers.n_statements
        }
        reports: Json = {}
        for region, result in zip(of_kind, narrowed, strict=True):
            name = region.name
            if name in reports or (name in with_statements and not result.numbers.n_statements):
                name = f"{name}@{region.start}"
            reports[name] = _region_report(result, precision, region.start, _within(by_line, region.lines))
        reports[""] = _region_report(rest, precision, min(outside, default=1), _within(by_line, outside))
        report[key] = reports
    return report


def _within(by_line: Mapping[int, list[str]] | None, lines: Collection[int]) -> Mapping[int, list[str]] | None:
    return None if by_line is None else {line: labels for line, labels in by_line.items() if line in lines}


def _region_report(result: FileResult, precision: int, start: int, by_line: Mapping[int, list[str]] | None) -> Json:
    return _result_report(result, precision, by_line, {"start_line": start})


def _result_report(
    result: FileResult, precision: int, by_line: Mapping[int, list[str]] | None, more: Json | None = None
) -> Json:
    """Return the report of one file or region, keys in coverage.py's order, with `more` in the middle."""
    report: Json = {
        "executed_lines": sorted(result.executed),
        "summary": summary_report(result.numbers, precision, result.has_arcs),
        "missing_lines": sorted(result.missing),
        "excluded_lines": sorted(result.excluded),
        **(more or {}),
    }
    if by_line is not None:
        report["contexts"] = by_line
    if result.has_arcs:
        report["executed_branches"] = [list(arc) for arc in result.executed_branches]
        report["missing_branches"] = [list(arc) for arc in result.missing_branches]
    return report


def _contexts_of(file: ReportedFile, contexts: LineContexts) -> dict[int, list[str]]:
    found: dict[int, set[str]] = {}
    for path in file.stored_paths:
        for line, labels in contexts(path).items():
            found.setdefault(line, set()).update(labels)
    return {line: sorted(labels) for line, labels in sorted(found.items())}


def summary_report(numbers: Numbers, precision: int, has_arcs: bool) -> Json:
    """Return the counts and percentages of a file, of a region or of all files, as coverage.py has them."""
    summary: Json = {
        "covered_lines": numbers.n_executed,
        "num_statements": numbers.n_statements,
        "percent_covered": numbers.pc_covered,
        "percent_covered_display": numbers.pc_covered_str(precision),
        "missing_lines": numbers.n_missing,
        "excluded_lines": numbers.n_excluded,
        "percent_statements_covered": numbers.pc_statements,
        "percent_statements_covered_display": numbers.pc_statements_str(precision),
    }
    if has_arcs:
        summary |= {
            "num_branches": numbers.n_branches,
            "num_partial_branches": numbers.n_partial_branches,
            "covered_branches": numbers.n_executed_branches,
            "missing_branches": numbers.n_missing_branches,
            "percent_branches_covered": numbers.pc_branches,
            "percent_branches_covered_display": numbers.pc_branches_str(precision),
        }
    return summary
