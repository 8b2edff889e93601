"""What every coverage report starts from: the data file's files, chosen, analysed and compared with their source.

The text and JSON reports and the summary call it; they only write what it found.
"""

from __future__ import annotations

import os
import zipimport
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from footfall.analyze.exclude import ExclusionRules
from footfall.analyze.results import FileResult, Numbers, compare
from footfall.analyze.source import SourceAnalysis, SourceError, analyze_source, decode_source
from footfall.config import Config, canonical_path, make_patterns_absolute
from footfall.errors import FootfallError
from footfall.observe.scope import glob_matches
from footfall.record.aliases import PathAliases
from footfall.record.coveragedb import StoredCoverage, StoredFile, read_coverage

__all__ = ["Coverage", "ReportedFile", "gather", "read_source", "shown_path"]


@dataclass(frozen=True, slots=True)
class ReportedFile:
    """One file of a report. `stored_paths` are its names in the data file, several where [paths] joined them."""

    result: FileResult
    analysis: SourceAnalysis
    stored_paths: tuple[str, ...]

    @property
    def name(self) -> str:
        """The path as reports show it."""
        return self.result.name


@dataclass(slots=True)
class Coverage:
    """The files of a report in the order of their paths, and what could not be in it as (slug, text)."""

    has_arcs: bool = False
    files: list[ReportedFile] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)

    @property
    def total(self) -> Numbers:
        """All files added up."""
        return sum((file.result.numbers for file in self.files), Numbers())


def gather(config: Config, data_file: str | Path, *, ignore_errors: bool = False) -> Coverage:
    """Read the data file and compare each file that the configuration includes with its source.

    With `ignore_errors` (or the setting) a file that can't be read or is no Python is named in the warnings instead.
    Raises FootfallError: what reading the data raises, `no-report-data`, `no-source`, `not-python`.
    """
    stored, names = _apply_paths(config, read_coverage(data_file))
    rules = ExclusionRules.from_settings(
        exclude_lines=config.exclude_lines,
        exclude_also=config.exclude_also,
        partial_branches=config.partial_branches,
        partial_also=config.partial_also,
        partial_branches_always=config.partial_branches_always,
    )
    coverage = Coverage(has_arcs=stored.has_arcs)
    chosen = _choose(config, stored.files)
    if not chosen:
        raise FootfallError(
            "no-report-data",
            f"No data to report in {data_file}.",
            "Check --include and --omit, and that the command ran Python code of the project.",
        )
    for path in chosen:
        found = stored.files[path]
        if found.tracer:
            coverage.warnings.append(("plugin-file", f"{path} was measured by the plugin {found.tracer}."))
            continue
        try:
            analysis = analyze_source(read_source(path), path, rules)
        except SourceError as error:
            if _looks_like_python(path):
                _raise_or_note(error, config.ignore_errors or ignore_errors, coverage)
        except FootfallError as error:
            _raise_or_note(error, config.ignore_errors or ignore_errors, coverage)
        else:
            arcs = found.arcs if stored.has_arcs else None
            result = compare(analysis, found.lines, arcs, shown_path(path))
            coverage.files.append(ReportedFile(result, analysis, names[path]))
    return coverage


def _raise_or_note(error: FootfallError, is_ignored: bool, coverage: Coverage) -> None:
    if not is_ignored:
        raise error
    coverage.warnings.append((error.slug, error.message))


def _apply_paths(config: Config, stored: StoredCoverage) -> tuple[StoredCoverage, dict[str, tuple[str, ...]]]:
    """Map stored paths to those here; also return for each of these the names it had."""
    aliases = PathAliases(config.paths.values(), relative=config.relative_files) if config.paths else None
    mapped = StoredCoverage(has_arcs=stored.has_arcs)
    names: dict[str, tuple[str, ...]] = {}
    for path, found in stored.files.items():
        here = path if aliases is None else aliases.map(path)
        if not config.relative_files:
            here = canonical_path(here)
        into = mapped.files.setdefault(here, StoredFile(tracer=found.tracer))
        into.lines |= found.lines
        into.arcs |= found.arcs
        names[here] = (*names.get(here, ()), path)
    return mapped, names


def _choose(config: Config, paths: Iterable[str]) -> list[str]:
    include = make_patterns_absolute(config.report_include)
    omit = make_patterns_absolute(config.report_omit)
    return [
        path
        for path in sorted(paths)
        if (not include or any(glob_matches(pattern, path) for pattern in include))
        and not any(glob_matches(pattern, path) for pattern in omit)
    ]


def shown_path(path: str) -> str:
    """Return a path as reports show it: relative when it is below the current directory."""
    return path.removeprefix(os.path.abspath(os.curdir).rstrip("/") + "/")


def _looks_like_python(path: str) -> bool:
    """A template or the like may be measured under its own name; that is nothing to fail a report for."""
    extension = os.path.splitext(path)[1]
    return not extension or extension.startswith(".py")


def read_source(path: str) -> str:
    """Return the text of a source file, also of one inside a zip file on the path.

    Raises FootfallError (`no-source`), SourceError (`not-python`).
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        in_zip = _read_from_zip(path)
        if in_zip is None:
            raise FootfallError(
                "no-source",
                f"Can't read the source {path}: {error.strerror or error}.",
                "Leave it out with --omit, map its directory in [paths], or use --ignore-errors.",
            ) from error
        content = in_zip
    return decode_source(content)


def _read_from_zip(path: str) -> bytes | None:
    for extension in (".zip", ".whl", ".egg", ".pex", ".par"):
        base, separator, inner = path.partition(extension + "/")
        if separator and os.path.exists(base + extension):
            try:
                return zipimport.zipimporter(base + extension).get_data(inner)
            except (OSError, zipimport.ZipImportError):
                return None
    return None
