"""Methods about what ran: the files, one file's lines, code that no test runs, files that changed since."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from footfall.analyze.source.analysis import SourceAnalysis
from footfall.analyze.source.traced_analysis import TracedAnalysis
from footfall.analyze.test_costs import name_of_test
from footfall.config.configuration import Config, canonical_path, shown_path
from footfall.errors import FootfallError
from footfall.load.gather import Coverage, ReportedFile, absolute_path_mapper, gather
from footfall.load.measured_sources import MeasuredSources
from footfall.record.data.coverage_tables import read_lines_by_context, read_paths
from footfall.record.data.source_ids import MIXED, blob_id, read_source_ids
from footfall.report.coverage.compared_runs import compare_runs, read_run
from footfall.report.coverage.conditions import conditions_of_file, load_conditions
from footfall.report.coverage.difference import coverage_difference_report
from footfall.report.coverage.json import Json, file_report, summary_report
from footfall.report.gaps import gaps_report, rank_gaps
from footfall.report.site.source_page import branches_of_lines, tests_by_line
from footfall.service.measured_coverage import measured_coverage
from footfall.service.measured_text import gone_text, state_of_source, state_of_text, text_now
from footfall.service.named_tests import need_contexts_of
from footfall.service.parameters import Parameters
from footfall.service.qualifying import warnings_entry
from footfall.service.unmeasured import measured_elsewhere, not_measured
from footfall.service.workspace import Workspace

__all__ = [
    "MeasuredFile",
    "changed_files",
    "coverage_of_file",
    "coverage_of_files",
    "difference",
    "gaps",
    "measured_file",
]


class MeasuredFile:
    """One file of the data, with the text that was measured; None for a plugin's, which is seen as it is now."""

    def __init__(self, coverage: Coverage, sources: MeasuredSources) -> None:
        (self.file,) = coverage.files
        self.coverage = coverage
        self.path = canonical_path(self.file.result.path)
        self.text = sources.texts.get(self.file.result.path)
        if isinstance(self.file.analysis, TracedAnalysis):
            self.text = None
        self._sources = sources

    def need_unchanged(self) -> None:
        """Raise FootfallError (`source-unknown`) unless the file is still as it was measured."""
        self._sources.need_unchanged(self.file.result.path, self.file.stored_paths)


def measured_file(workspace: Workspace, config: Config, given: str, contexts: Sequence[str]) -> MeasuredFile:
    """Return the file that a client names, analysed as it was measured; of what ran, what `contexts` select.

    Raises as `gather` and `MeasuredSources.read`, and UsageError (`outside-project`, `file-not-measured`).
    """
    path = workspace.source_path(config, given)
    sources = MeasuredSources(config.data_file, workspace.measured_text)
    known = frozenset(read_paths(config.data_file))

    def read(path: str, stored_paths: tuple[str, ...]) -> bytes:
        if known.isdisjoint(stored_paths):
            raise not_measured(config, path)
        return sources.read(path, stored_paths)

    stored = workspace.stored(config, contexts, [path])
    coverage = gather(config, config.data_file, contexts=contexts, paths=[path], read_source=read, stored=stored)
    return MeasuredFile(coverage, sources)


class _Asked(NamedTuple):
    """What a client wants to know of a file."""

    path: str
    with_tests: bool
    with_conditions: bool
    test: str | None
    """The one whose coverage it is; None for that of all."""


def coverage_of_file(workspace: Workspace, parameters: Parameters) -> Json:
    """`coverage/file`: what ran in a file, what did not, and where branches did not go."""
    config = workspace.config()
    path = workspace.source_path(config, parameters.path("path"))
    asked = _Asked(
        path,
        with_tests=parameters.flag("tests"),
        with_conditions=not parameters.flag("without_conditions"),
        test=parameters.optional_text("test"),
    )
    found = workspace.kept(asked, config, path, lambda: _coverage_of_file(workspace, config, asked))
    if not parameters.flag("only_lines"):
        return found
    whole = found["coverage"]
    assert isinstance(whole, dict)
    return {**found, "coverage": {name: each for name, each in whole.items() if name not in ("functions", "classes")}}


def _coverage_of_file(workspace: Workspace, config: Config, asked: _Asked) -> Json:
    contexts = config.report_contexts if asked.test is None else need_contexts_of(config, asked.test)
    found = measured_file(workspace, config, asked.path, contexts)
    file = found.file
    if found.text is None:
        state = state_of_source(config, found.path, file.stored_paths, lambda _: None)
    else:
        is_changed = found.text != text_now(found.path)
        state = state_of_text(found.path, found.text, is_changed)
        if not is_changed:
            workspace.keep_text(found.text)
    warnings = list(found.coverage.warnings)
    if state["is_stale"] and text_now(found.path) is None:
        warnings.append(("source-newer", gone_text(found.path)))
    answer: Json = {
        "path": found.path,
        "name": file.name,
        **state,
        "coverage": file_report(file, config.precision),
        "branches": {
            line: [{"to": to, "taken": bool(taken), "text": text} for to, taken, text in ways]
            for line, ways in sorted(branches_of_lines(file).items())
        },
        "statements": _long_statements(file.analysis),
        "inferred_lines": sorted(file.inferred),
        "conditions": _conditions(config, found, contexts) if asked.with_conditions and not state["is_stale"] else None,
        "warnings": warnings_entry(warnings),
    }
    if asked.with_tests:
        answer["tests"] = _tests(config, file, contexts)
    return answer


def _long_statements(analysis: SourceAnalysis) -> list[list[int]]:
    """Return [first line, last line] of each statement that has several."""
    last: dict[int, int] = {}
    for line, first in analysis.first_line.items():
        last[first] = max(last.get(first, first), line)
    return [[first, line] for first, line in sorted(last.items()) if line > first]


def _conditions(config: Config, found: MeasuredFile, contexts: Sequence[str]) -> Json | None:
    if not found.coverage.has_conditions:
        return None
    results = load_conditions(found.coverage, config.data_file, contexts)
    return None if results is None else conditions_of_file(results[found.file.result.path])


def _tests(config: Config, file: ReportedFile, contexts: Sequence[str]) -> Json:
    """Return the tests that ran lines of a file: names, distinct sets of them, and the number of each line's set."""
    by_test: dict[str, set[int]] = {}
    stored = read_lines_by_context(config.data_file, contexts, file.stored_paths)
    for by_label in stored.values():
        for label, lines in by_label.items():
            by_test.setdefault(name_of_test(label), set()).update(lines)
    executed, translate = file.result.executed, file.analysis.translate_lines
    by_test = {name: translate(lines) & executed for name, lines in by_test.items()}
    names, sets, set_of_line = tests_by_line(by_test)
    return {"names": names, "sets": sets, "set_of_line": set_of_line}


def coverage_of_files(workspace: Workspace, parameters: Parameters) -> Json:
    """`coverage/files`: the numbers of each file, `count` of them from number `first` on, and of all."""
    config = workspace.config()
    first, count = parameters.number("first", 0), parameters.number("count", 0)
    found = measured_coverage(workspace, config)
    coverage = found.coverage
    shares: dict[str, float] = {}
    if coverage.has_profile:
        times = workspace.times(config, None)
        shares = {
            path: sum(times.shares(row.times)["own_share"] for row in rows.values())
            for path, rows in times.by_path.items()
        }
    return {
        "has_branches": coverage.has_arcs,
        "has_profile": coverage.has_profile,
        "files": [
            {
                "path": canonical_path(file.result.path),
                "name": file.name,
                "is_stale": found.is_stale(file),
                "summary": summary_report(file.result.numbers, config.precision, coverage.has_arcs),
                "own_share": shares.get(canonical_path(file.result.path), 0.0),
            }
            for file in coverage.files[first : first + count if count else None]
        ],
        "n_files": len(coverage.files),
        "totals": summary_report(coverage.total, config.precision, coverage.has_arcs),
        "unreadable": found.left_out_entry(),
        "warnings": warnings_entry(found.warnings),
    }


def gaps(workspace: Workspace, parameters: Parameters) -> Json:
    """`coverage/gaps`: functions with code that no test runs, those that take the most time first."""
    config = workspace.config()
    count = parameters.number("count", 20)
    given = parameters.optional_path("profile")
    profile_file = None if given is None else workspace.profile_path(given)
    found = measured_coverage(workspace, config)
    ranking = rank_gaps(config, found.coverage, profile_file)
    return {
        **gaps_report(ranking, count),
        "n_gaps": len(ranking.gaps),
        "stale_files": found.stale_names,
        "unchanged": found.unchanged(gap.file_name for gap in ranking.gaps[: count or None]),
        "unreadable": found.left_out_entry(),
        "warnings": warnings_entry([*found.warnings, *ranking.warnings]),
    }


def difference(workspace: Workspace, parameters: Parameters) -> Json:
    """`coverage/difference`: what became covered and uncovered since another run, each as its sources were."""
    config = workspace.config()
    paths = (workspace.profile_path(parameters.path("before")), workspace.data_path(config))
    was, now = (read_run(config, path, workspace.measured_text) for path in paths)
    for path, run in zip(paths, (was, now), strict=True):
        if run.coverage.is_profile_alone:
            what = f"{shown_path(path)} has a profile and no coverage."
            raise FootfallError("nothing-to-compare", what, "Record both with `footfall run COMMAND`.")
    found = compare_runs(was, now)
    report = coverage_difference_report(found.before, found.now, found.files, found.left_out, config.precision)
    warnings = warnings_entry([*was.coverage.warnings, *now.coverage.warnings])
    return {**report, "warnings": [each for at, each in enumerate(warnings) if each not in warnings[:at]]}


def changed_files(workspace: Workspace, parameters: Parameters) -> Json:
    """`coverage/stale`: the measured files whose text changed since, or that are gone; of `paths` those unmeasured."""
    config = workspace.config()
    given = parameters.optional_paths("paths")
    wanted = None if given is None else {workspace.source_path(config, path) for path in given}
    ids = read_source_ids(config.data_file)
    path_here = absolute_path_mapper(config)
    found: dict[str, set[str]] = {"changed": set(), "gone": set(), "unknown": set()}
    measured = {name: path_here(name) for name in read_paths(config.data_file)}
    for name, path in measured.items():
        if wanted is None or path in wanted:
            state = _state(path, ids.get(name, MIXED))
            if state:
                found[state].add(path)
    found["not_measured"] = (wanted or set()).difference(measured.values())
    warnings = warnings_entry(measured_elsewhere(set(measured.values()), workspace.root))
    return {**{key: sorted(paths) for key, paths in found.items()}, "warnings": warnings}


def _state(path: str, measured_id: str) -> str:
    text = text_now(path)
    if text is None:
        return "gone"
    if measured_id == MIXED:
        return "unknown"
    return "" if blob_id(text) == measured_id else "changed"
