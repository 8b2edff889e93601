"""The coverage of two data files, line by line, each with the sources that it measured. For `diff` and the service."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass

from footfall.analyze.coverage_changes import FileChange, MeasuredFile, compare_files
from footfall.analyze.source.source_file import has_source
from footfall.analyze.source.traced_analysis import TracedAnalysis
from footfall.analyze.totals import Numbers
from footfall.config.configuration import Config
from footfall.errors import FootfallError
from footfall.load.gather import Coverage, gather
from footfall.load.measured_sources import MeasuredSources

__all__ = ["ComparedCoverage", "MeasuredRun", "compare_runs", "read_run"]


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """One data file. `texts` are the sources as measured, by path; `left_out` has why files have none, by name."""

    coverage: Coverage
    texts: Mapping[str, bytes]
    left_out: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ComparedCoverage:
    """What changed. `left_out` are the files that could not be compared, each with the reason; they are in no total."""

    before: Numbers
    now: Numbers
    files: list[FileChange]
    left_out: list[tuple[str, str]]


def read_run(config: Config, data_file: str, find_blob: Callable[[str], bytes | None]) -> MeasuredRun:
    """Read a data file with each source as it was when measured. Raises as `gather`."""
    sources = MeasuredSources(data_file, find_blob)
    coverage = gather(config, data_file, ignore_errors=True, needs_coverage=False, read_source=sources.read)
    left_out = {each.name: each.reason for each in coverage.ignored}
    texts = dict(sources.texts)
    for file in coverage.files:
        if isinstance(file.analysis, TracedAnalysis):
            try:
                sources.need_unchanged(file.result.path, file.stored_paths)
                texts[file.result.path] = file.read_text().encode("utf-8", "surrogatepass")
            except FootfallError as error:
                left_out[file.name] = error.message
    return MeasuredRun(coverage, texts, left_out)


def compare_runs(was: MeasuredRun, now: MeasuredRun) -> ComparedCoverage:
    """Compare the coverage of two runs that both have some."""
    left_out = {**was.left_out, **now.left_out}
    files_before = _measured_files(was, left_out)
    files_now = _measured_files(now, left_out)
    changes = [
        compare_files(
            name,
            files_before.get(name),
            files_now.get(name),
            is_gone=name not in files_now and not has_source(files_before[name].result.path),
        )
        for name in sorted(files_before.keys() | files_now.keys())
    ]
    return ComparedCoverage(
        _total(files_before),
        _total(files_now),
        [change for change in changes if change.is_changed],
        sorted(left_out.items()),
    )


def _measured_files(run: MeasuredRun, left_out: Container[str]) -> dict[str, MeasuredFile]:
    """Return the files that can be compared, by name. One that can't, in either data file, counts in no total."""
    return {
        file.name: MeasuredFile(file.result, run.texts[file.result.path])
        for file in run.coverage.files
        if file.name not in left_out
    }


def _total(files: Mapping[str, MeasuredFile]) -> Numbers:
    return sum((file.result.numbers for file in files.values()), Numbers())
