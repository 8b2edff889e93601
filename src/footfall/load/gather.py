"""What every coverage report starts from: the data file's files, selected, analysed and compared with their source.

All reports and the summary call it, and only write what it finds. Analyses come from the cache or are made here, by
several processes if there are many.
"""

from __future__ import annotations

import contextlib
import functools
import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from footfall.analyze.results import FileResult, Numbers, compare
from footfall.analyze.source.analysis import SourceAnalysis, SourceError
from footfall.analyze.source.exclude import ExclusionRules
from footfall.analyze.source.traced_analysis import TracedAnalysis
from footfall.analyze.totals import FileNumbers, add_up
from footfall.config.configuration import Config, canonical_finder, canonical_path, make_patterns_absolute, shown_path
from footfall.errors import FootfallError
from footfall.load.analyses import analyze_sources
from footfall.load.known_numbers import KnownNumbers
from footfall.load.plugin_analyses import PluginAnalyses, replace_analysis
from footfall.load.source_files import looks_like_python, read_source, read_source_bytes
from footfall.load.traced_files import analyze_traced, plugin_error
from footfall.patterns import glob_matches
from footfall.record.data.aliases import PathAliases
from footfall.record.data.coverage_tables import StoredCoverage, StoredFile, read_coverage
from footfall.record.data.qualifications import read_qualifications
from footfall.record.data.source_ids import MIXED, blob_id, read_source_ids

__all__ = [
    "Coverage",
    "ReportedFile",
    "UnreadableFile",
    "absolute_path_mapper",
    "choose_paths",
    "gather",
    "name_filter",
    "path_mapper",
    "profile_alone",
    "unreadable_notes",
]


_SHOW_TIMES = (
    "Its times are shown by `footfall report`, `footfall html` and `footfall flame`;"
    " `footfall run COMMAND` records both."
)


@dataclass(frozen=True, slots=True)
class ReportedFile:
    """One file of a report. `stored_paths` are its names in the data file, several if [paths] joined them.

    `inferred` are the executed statements of which no line was seen: the file was imported before measuring started.
    """

    result: FileResult
    analysis: SourceAnalysis
    stored_paths: tuple[str, ...]
    inferred: frozenset[int] = frozenset()

    @property
    def name(self) -> str:
        """The path as reports show it."""
        return self.result.name

    def read_text(self) -> str:
        """Return the source's text. Raises as `read_source`."""
        if isinstance(self.analysis, TracedAnalysis):
            return self.analysis.read_text()
        return read_source(self.result.path)


class UnreadableFile(NamedTuple):
    """A measured file whose source can't be read; it is in no total. `name` is its path as reports show it."""

    name: str
    slug: str
    reason: str
    cause: BaseException | None = None
    """The error that a plugin raised."""


@dataclass(slots=True)
class Coverage:
    """The files of a report, sorted by path, and what could not be included, as (slug, text).

    `unreadable` are files whose text is missing or not Python; if such errors are ignored, they are in `ignored`.
    """

    has_arcs: bool = False
    has_profile: bool = False
    has_conditions: bool = False
    is_profile_alone: bool = False
    """Whether the data file has no coverage at all."""
    is_chosen: bool = False
    """Whether only some files were asked for by name."""
    changed: list[str] = field(default_factory=list)
    """Names of files whose text here differs from the measured one: their numbers belong to other lines."""
    files: list[ReportedFile] = field(default_factory=list)
    unreadable: list[UnreadableFile] = field(default_factory=list)
    ignored: list[UnreadableFile] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    counted: list[FileNumbers] = field(default_factory=list)
    """Those that are not in `files`, as only their numbers were asked for and are known."""

    @property
    def numbers(self) -> list[FileNumbers]:
        """What is counted of each file, sorted by path."""
        results = [file.result for file in self.files]
        found = [FileNumbers(each.path, each.name, each.numbers, each.has_arcs) for each in results]
        return sorted(found + self.counted, key=itemgetter(0)) if self.counted else found

    @property
    def total(self) -> Numbers:
        """All files added up."""
        numbers = [file.result.numbers for file in self.files] + [each.numbers for each in self.counted]
        return add_up(numbers)


def profile_alone(data_file: str | Path) -> str:
    """Return the message for a data file without coverage, which says how that came about."""
    how = "`footfall attach` or --no-cover recorded it, or no Python file of the project ran"
    return f"{data_file} has a profile and no coverage: {how}."


def gather(
    config: Config,
    data_file: str | Path,
    *,
    ignore_errors: bool = False,
    contexts: Sequence[str] = (),
    paths: Sequence[str] = (),
    needs_coverage: bool = True,
    read_source: Callable[[str, tuple[str, ...]], bytes] | None = None,
    with_qualifications: bool = True,
    stored: StoredCoverage | None = None,
    known: KnownNumbers | None = None,
) -> Coverage:
    """Read the data file and compare each file that the configuration includes with its source.

    `contexts` are regular expressions: only what ran in a context that matches one of them counts. `paths`, if any,
    are the files to report, measured or not, instead of all measured ones. The warnings name each file that can't be
    read or is not Python. Without `ignore_errors` (or the setting) it is also `unreadable`, and it is an error if it
    was requested by name or no other file can be read.
    `read_source(path, stored_paths)` returns a source's text instead of reading the file, or raises FootfallError.
    Without `with_qualifications` the messages of the data file's runs, which were just printed, are not repeated as
    warnings, and files are not checked for changes since.
    Without `needs_coverage` a data file that has only a profile gives no files.
    `stored` is what the data file contains, if the caller has it. With `known`, files whose numbers it has are only
    counted, for a caller that shows nothing but numbers.
    Raises FootfallError: what reading the data raises, `no-report-data`, `no-coverage`, `no-source`, `not-python`.
    """
    with _paused_collector():
        wanted = [_stored_path(config, path) for path in paths]
        path_here = path_mapper(config)
        if stored is None:
            is_wanted = name_filter(config, paths, path_here) if wanted else None
            stored = read_coverage(data_file, contexts, is_wanted)
        stored, names = _apply_paths(path_here, stored)
        coverage = _empty_coverage(stored, is_chosen=bool(paths))
        if with_qualifications:
            coverage.warnings += read_qualifications(data_file, coverage=True, profile=stored.has_profile)
        if coverage.is_profile_alone:
            if needs_coverage:
                raise FootfallError("no-coverage", profile_alone(data_file), _SHOW_TIMES)
            return coverage
        chosen = choose_paths(config, wanted or stored.files)
        if not chosen:
            raise FootfallError(
                "no-report-data",
                f"No data to report in {data_file}.",
                "Check --include and --omit, and that the command ran Python code of the project.",
            )
        failed: list[tuple[str, FootfallError]] = []
        source_ids = read_source_ids(data_file) if with_qualifications and read_source is None else {}
        sources = _Sources(names, source_ids, read_source)
        rules = _exclusion_rules(config)
        counting = None if replace_analysis(config) else known  # what it has was counted by our own analysis
        if counting is not None:
            coverage.counted = _count_known(counting, chosen, stored, sources, rules)
            counted = {each.path for each in coverage.counted}
            chosen = [path for path in chosen if path not in counted]
        read = sources.read if counting is None else lambda path: counting.check(path, sources.read(path))
        by_coverage = PluginAnalyses(config) if replace_analysis(config) else None
        for path, analysis in _analyze_all(config, rules, data_file, chosen, stored, failed, read, by_coverage):
            try:
                coverage.files.append(_reported_file(path, analysis, stored, names.get(path, (path,))))
            except FootfallError as error:
                failed.append((path, error))
        if by_coverage is not None:
            coverage.warnings += by_coverage.warnings
        if counting is not None:
            for file in coverage.files:
                counting.note(file.result.path, file.result.numbers)
        analyzed = [each.path for each in coverage.numbers] if sources.changed else []
        coverage.changed = [shown_path(path) for path in analyzed if path in sources.changed]
        _note_unknown_branches(coverage, stored)
        _note_failures(coverage, failed, is_ignored=config.ignore_errors or ignore_errors, were_named=bool(wanted))
    return coverage


def _empty_coverage(stored: StoredCoverage, *, is_chosen: bool) -> Coverage:
    """Return a Coverage with what is known before any file is looked at."""
    return Coverage(
        has_arcs=stored.has_arcs,
        has_profile=stored.has_profile,
        has_conditions=stored.has_conditions,
        is_profile_alone=stored.has_profile and not stored.files and not stored.has_arcs,
        is_chosen=is_chosen,
    )


class _Sources:
    """The sources' texts. `changed` are the paths of sources read that are not as they were measured."""

    def __init__(
        self,
        names: dict[str, tuple[str, ...]],
        source_ids: dict[str, str],
        read_source: Callable[[str, tuple[str, ...]], bytes] | None,
    ) -> None:
        self.changed: set[str] = set()
        self._texts: dict[str, bytes] = {}
        self._ids: dict[str, str] = {}
        self._names = names
        self._source_ids = source_ids
        self._read_source = read_source

    def read(self, path: str) -> bytes:
        """Return a source's text, by `gather`'s `read_source` or else from its file. Raises FootfallError."""
        if path in self._texts:
            return self._texts.pop(path)
        if self._read_source is not None:
            return self._read_source(path, self._names.get(path, (path,)))
        text = read_source_bytes(path)
        if self._source_ids:
            self._note_id(path, blob_id(text))
        return text

    def _note_id(self, path: str, blob: str) -> None:
        """Note the id of a text that was read, and whether it is another than that which was measured."""
        self._ids[path] = blob
        measured = {self._source_ids.get(each, MIXED) for each in self._names.get(path, ())}
        measured.discard(MIXED)
        if measured and measured != {blob}:
            self.changed.add(path)

    def ids(self, paths: Iterable[str]) -> dict[str, str]:
        """Return the ids of the texts of those files that can be read. The texts are kept for `read`."""
        found: dict[str, str] = {}
        for path in paths:
            with contextlib.suppress(FootfallError):  # raised again by `read`
                text = self._texts[path] = self.read(path)
                found[path] = self._ids.get(path) or blob_id(text)
        return found

    def forget(self, paths: Iterable[str]) -> None:
        """Drop the texts of these files, which are not needed."""
        for path in paths:
            self._texts.pop(path, None)


def _count_known(
    known: KnownNumbers, chosen: Sequence[str], stored: StoredCoverage, sources: _Sources, rules: ExclusionRules
) -> list[FileNumbers]:
    """Return what is counted of those files whose numbers are known."""
    files = [(path, stored.files.get(path) or StoredFile()) for path in chosen]
    ids = known.measured_ids
    if ids is None:
        ids = sources.ids(path for path, found in files if not found.tracer)
    numbers = known.find(files, ids, rules, has_arcs=stored.has_arcs)
    sources.forget(numbers)
    return [FileNumbers(path, shown_path(path), numbers[path], stored.has_arcs) for path in chosen if path in numbers]


def _reported_file(path: str, analysis: SourceAnalysis, stored: StoredCoverage, names: tuple[str, ...]) -> ReportedFile:
    """Compare what is stored for a file, under one or several names, with its source.

    Raises FootfallError if a plugin fails.
    """
    found = stored.files.get(path) or StoredFile()
    result = _compare(analysis, found, found.arcs if stored.has_arcs else None, path)
    seen = analysis.translate_lines(found.lines - found.inferred) if found.inferred else ()
    inferred = result.executed & analysis.translate_lines(found.inferred) - frozenset(seen)
    return ReportedFile(result, analysis, names, inferred)


def _compare(analysis: SourceAnalysis, found: StoredFile, arcs: set[tuple[int, int]] | None, path: str) -> FileResult:
    """Return the file's result. Raises FootfallError if a plugin fails."""
    if not isinstance(analysis, TracedAnalysis):
        return compare(analysis, found.lines, arcs, shown_path(path))
    try:
        return compare(analysis, found.lines, arcs, analysis.name)
    except Exception as error:  # a plugin's translations may raise or return anything
        raise plugin_error(found.tracer, path, error) from error


def _note_failures(
    coverage: Coverage, failed: list[tuple[str, FootfallError]], *, is_ignored: bool, were_named: bool
) -> None:
    """Put the files that can't be reported into the result. Raises the first error if they can't be left out."""
    failures = [UnreadableFile(shown_path(path), error.slug, error.message, error.__cause__) for path, error in failed]
    if is_ignored:
        coverage.ignored = failures
    elif failures:
        if were_named or not (coverage.files or coverage.counted):
            raise failed[0][1]
        coverage.unreadable = failures
    coverage.warnings += [(error.slug, f"{error.message} It is not in the total.") for _, error in failed]


def _stored_path(config: Config, path: str) -> str:
    """Return the name that the data has for a file that the command line names."""
    path = canonical_path(path)
    return shown_path(path) if config.relative_files else path


def unreadable_notes(coverage: Coverage) -> list[str]:
    """Return the notes to print below a table about files that can't be read."""
    if not coverage.unreadable:
        return []
    return ["\n".join(["Not in the total:", *(f"{each.name}: {each.reason}" for each in coverage.unreadable)])]


def _note_unknown_branches(coverage: Coverage, stored: StoredCoverage) -> None:
    """Warn if branches count as missing that runs without branches may have taken."""
    unknown = [each for each in coverage.numbers if each.path in stored.lines_only and each.numbers.n_missing_branches]
    if unknown:
        others = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        text = (
            f"Some data for {unknown[0].name}{others} was recorded without branches: its lines count as run, branches"
            " that only it took count as missing."
        )
        coverage.warnings.append(("branches-partly-known", text))


@contextlib.contextmanager
def _paused_collector() -> Iterator[None]:
    """Pause the garbage collector, which would walk all gathered data again and again and find nothing to free."""
    is_paused = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_paused:
            gc.enable()


def _exclusion_rules(config: Config) -> ExclusionRules:
    return ExclusionRules.from_settings(
        exclude_lines=config.exclude_lines,
        exclude_also=config.exclude_also,
        partial_branches=config.partial_branches,
        partial_also=config.partial_also,
        partial_branches_always=config.partial_branches_always,
    )


def _analyze_all(
    config: Config,
    rules: ExclusionRules,
    data_file: str | Path,
    chosen: Sequence[str],
    stored: StoredCoverage,
    failed: list[tuple[str, FootfallError]],
    read: Callable[[str], bytes],
    by_coverage: PluginAnalyses | None,
) -> Iterator[tuple[str, SourceAnalysis]]:
    """Yield the files that can be analysed, in order; add the others, each with its error, to `failed`."""
    sources: dict[str, bytes] = {}
    errors: dict[str, FootfallError] = {}
    traced: dict[str, TracedAnalysis] = {}
    for path in dict.fromkeys(chosen):
        found = stored.files.get(path)
        try:
            if found is not None and found.tracer:
                analysis = analyze_traced(config.made_plugins, found.tracer, path)
                if analysis is not None:
                    traced[path] = analysis
                    continue
            text = read(path)
            analysis = by_coverage.analyze(path) if by_coverage is not None else None
            if analysis is not None:
                traced[path] = analysis
            else:
                sources[path] = text
        except FootfallError as error:
            errors[path] = error
    results = analyze_sources(sources, rules, data_file)
    for path in chosen:
        result = errors.get(path) or traced.get(path) or results[path]
        if isinstance(result, SourceAnalysis):
            yield path, result
        elif not isinstance(result, SourceError) or looks_like_python(path):
            failed.append((path, result))


def name_filter(config: Config, paths: Iterable[str], path_here: Callable[[str], str]) -> Callable[[str], bool]:
    """Return a function that says whether the data's name of a file means one of these local paths.

    `path_here` is the configuration's `path_mapper`.
    """
    wanted = {_stored_path(config, path) for path in paths}
    return lambda name: path_here(name) in wanted


def path_mapper(config: Config) -> Callable[[str], str]:
    """Return a function from stored paths to local ones, which remembers its results."""
    aliases = PathAliases(config.paths.values(), relative=config.relative_files) if config.paths else None
    find = canonical_finder()

    @functools.cache
    def path_here(path: str) -> str:
        here = path if aliases is None else aliases.map(path)
        return here if config.relative_files else find(here)

    return path_here


def absolute_path_mapper(config: Config) -> Callable[[str], str]:
    """Return a function from stored paths to absolute local ones, also where the names of files stay relative."""
    path_here = path_mapper(config)
    if not config.relative_files:
        return path_here
    return lambda path: canonical_path(path_here(path))


def _apply_paths(
    path_here: Callable[[str], str], stored: StoredCoverage
) -> tuple[StoredCoverage, dict[str, tuple[str, ...]]]:
    """Map stored paths to local ones; also return the stored names of each."""
    mapped = StoredCoverage(
        has_arcs=stored.has_arcs, has_profile=stored.has_profile, has_conditions=stored.has_conditions
    )
    names: dict[str, tuple[str, ...]] = {}
    for path, found in stored.files.items():
        here = path_here(path)
        if path in stored.lines_only:
            mapped.lines_only.add(here)
        known = mapped.files.get(here)
        mapped.files[here] = found if known is None else _joined(known, found)
        names[here] = (*names.get(here, ()), path)
    return mapped, names


def _joined(one: StoredFile, other: StoredFile) -> StoredFile:
    """Return what is stored of a file under two names. A line is inferred if neither has seen it."""
    seen = (one.lines - one.inferred) | (other.lines - other.inferred)
    return StoredFile(
        lines=one.lines | other.lines,
        arcs=one.arcs | other.arcs,
        tracer=one.tracer,
        inferred=(one.inferred | other.inferred) - seen,
    )


def choose_paths(config: Config, paths: Iterable[str]) -> list[str]:
    """Return the paths that the report includes, sorted."""
    include = make_patterns_absolute(config.report_include)
    omit = make_patterns_absolute(config.report_omit)
    return [
        path
        for path in sorted(paths)
        if (not include or any(glob_matches(pattern, path) for pattern in include))
        and not any(glob_matches(pattern, path) for pattern in omit)
    ]
