"""From data files to what a site is made from. Called by the command."""

from __future__ import annotations

from pathlib import Path

from footfall.config.configuration import Config
from footfall.errors import FootfallError
from footfall.load.gather import Coverage, gather
from footfall.record.data.coverage_tables import read_lines_by_context
from footfall.record.data.qualifications import Message
from footfall.record.data.test_times import read_test_times
from footfall.report.coverage.conditions import load_conditions
from footfall.report.site.build import SiteData
from footfall.report.times import load_profile, named_as_coverage, need_profile, profile_warnings

__all__ = ["gather_site", "lines_by_context"]


def gather_site(
    config: Config, coverage: Coverage, *, before_file: str | Path | None = None, gaps_file: str | Path | None = None
) -> SiteData:
    """Read what the data file contains besides coverage, and the profiles of two others.

    Raises FootfallError: as reading a data file does, and `no-profile` for a named file without one.
    """
    contexts = config.report_contexts
    before = coverage_before = None
    warnings: list[Message] = []
    if before_file is not None:
        before, coverage_before = (
            load_profile(config, before_file, has_native=True),
            _coverage_before(config, before_file),
        )
        if coverage_before is None:
            before = need_profile(config, before_file, has_native=True)
        if before is not None:
            warnings += profile_warnings(before_file, before)
    profile = None
    if coverage.has_profile:
        profile = load_profile(config, config.data_file, contexts, has_timelines=True, has_native=True)
    gaps_profile = None
    if gaps_file is not None:
        gaps_profile = need_profile(config, gaps_file)
        warnings += profile_warnings(gaps_file, gaps_profile)
    paths = [file.result.path for file in coverage.files]
    return SiteData(
        coverage=coverage,
        title=config.html_title,
        precision=config.precision,
        profile=profile and named_as_coverage(profile, paths),
        before=before and named_as_coverage(before, paths),
        coverage_before=coverage_before,
        gaps_profile=gaps_profile and named_as_coverage(gaps_profile, paths),
        conditions=(load_conditions(coverage, config.data_file, contexts) or {}) if coverage.has_conditions else {},
        lines_by_context=lines_by_context(config, coverage),
        test_times=read_test_times(config.data_file, contexts),
        warnings=warnings,
    )


def _coverage_before(config: Config, data_file: str | Path) -> Coverage | None:
    """Return the coverage of the data file to compare with; None if it has none, like a recording by `attach`."""
    try:
        return gather(config, data_file, ignore_errors=True)
    except FootfallError as error:
        if error.slug not in ("no-report-data", "no-coverage"):
            raise
        return None


def lines_by_context(config: Config, coverage: Coverage) -> dict[str, dict[str, set[int]]]:
    """Return the statements that ran, as first lines, by reported path and context label."""
    stored = read_lines_by_context(config.data_file, config.report_contexts)
    found: dict[str, dict[str, set[int]]] = {}
    for file in coverage.files:
        by_label: dict[str, set[int]] = {}
        for path in file.stored_paths:
            for label, lines in stored.get(path, {}).items():
                by_label.setdefault(label, set()).update(file.analysis.translate_lines(lines))
        executed = file.result.executed
        found[file.result.path] = {label: lines & executed for label, lines in by_label.items()}
    return found
