"""Files that plugins of coverage.py measure, as the plugins see them. Used by `gather` and at the end of a run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from footfall.analyze.source.definitions import CodeRegion
from footfall.analyze.source.traced_analysis import TracedAnalysis
from footfall.config.configuration import canonical_path
from footfall.errors import FootfallError, describe_error
from footfall.patterns import glob_matches

__all__ = ["analysis_of_reporter", "analyze_traced", "find_unexecuted_traced", "plugin_error"]

_T = TypeVar("_T")


def analyze_traced(plugins: Sequence[Any], tracer: str, path: str) -> TracedAnalysis | None:
    """Return the analysis of a file by the plugin `tracer`; None if the plugin wants it treated as Python.

    Raises FootfallError: `no-source` if the plugin finds no source, `plugin-file` if it is not loaded or fails.
    """
    plugin = next((each for each in plugins if each._coverage_plugin_name == tracer), None)
    if plugin is None:
        raise FootfallError(
            "plugin-file",
            f"{path} was measured by the plugin {tracer}, which is not loaded.",
            "Name its module in [run] plugins, and install it with coverage.py where footfall is.",
        )
    try:
        _let_names_be_relative()
        reporter = plugin.file_reporter(path)
        if isinstance(reporter, str) and reporter == "python":
            return None
        if reporter is None:
            raise TypeError("it has no file reporter for it")  # noqa: TRY301 - as what it raises itself
        return analysis_of_reporter(reporter, tracer, path)
    except (Exception, SystemExit) as error:
        raise _failure(tracer, path, error) from error


def _failure(tracer: str, path: str, error: BaseException) -> FootfallError:
    if type(error).__name__ == "NoSource" or isinstance(error, OSError):
        return FootfallError(
            "no-source",
            f"Can't read the source {path}: {error}.",
            "Leave it out with --omit, map its directory in [paths], or use --ignore-errors.",
        )
    return plugin_error(tracer, path, error)


def plugin_error(tracer: str, path: str, error: BaseException) -> FootfallError:
    """Return the error for a plugin that fails on a file that it measured."""
    return FootfallError(
        "plugin-file",
        f"The plugin {tracer}, which measured {path}, can't report it: {describe_error(error)}.",
        "Tell its authors; leave the file out with --omit, or use --ignore-errors.",
    )


def _let_names_be_relative() -> None:
    """Tell coverage.py's own classes the directory of the report, as coverage.py's reports do."""
    files = sys.modules.get("coverage.files")
    if files is not None:
        files.set_relative_directory()


def analysis_of_reporter(reporter: Any, tracer: str, path: str) -> TracedAnalysis:
    """Return the analysis that a coverage.py `FileReporter` gives. Raises whatever it raises."""
    lines = frozenset(reporter.lines())

    def describe_missing(start: int, end: int) -> str:
        return str(reporter.missing_arc_description(start, end, None))

    def read_text() -> str:
        try:
            return str(reporter.source())
        except (Exception, SystemExit) as error:
            raise _failure(tracer, path, error) from error

    return TracedAnalysis(
        path=path,
        n_lines=max(lines, default=0),
        statements=lines,
        excluded=frozenset(reporter.excluded_lines()),
        raw_statements=lines,
        first_line={},
        arcs=frozenset(reporter.arcs()),
        exit_counts=dict(reporter.exit_counts()),
        no_branch=frozenset(reporter.no_branch_lines()),
        with_exits={},
        definitions=(),
        notes={},
        name=reporter.relative_filename(),
        read_text=read_text,
        kinds=tuple((kind, plural) for kind, plural in reporter.code_region_kinds()),
        regions=tuple(
            CodeRegion(region.kind, region.name, region.start, frozenset(region.lines))
            for region in sorted(reporter.code_regions(), key=lambda region: int(region.start))
        ),
        translated_lines=lambda recorded: set(reporter.translate_lines(recorded)),
        translated_arcs=lambda recorded: set(reporter.translate_arcs(recorded)),
        describe_arc=_never_failing(reporter.arc_description, lambda _, end: f"jump to line {end}"),
        describe_missing_arc=_never_failing(
            describe_missing, lambda start, end: f"line {start} didn't jump to line {end}"
        ),
    )


def _never_failing(describe: Callable[[int, int], _T], otherwise: Callable[[int, int], _T]) -> Callable[[int, int], _T]:
    def described(start: int, end: int) -> _T:
        try:
            return describe(start, end)
        except (Exception, SystemExit):  # descriptions are not worth losing the report
            return otherwise(start, end)

    return described


def find_unexecuted_traced(
    plugins: Iterable[Any], directories: Iterable[str], omit: Iterable[str], warnings: list[tuple[str, str]]
) -> dict[str, str]:
    """Return the files in `directories` that a plugin could have measured, each with the plugin's name.

    `omit` are absolute glob patterns. A plugin that fails is reported in `warnings`.
    """
    patterns = list(omit)
    found: dict[str, str] = {}
    for plugin in plugins:
        try:
            for directory in directories:
                for path in plugin.find_executable_files(directory):
                    canonical = canonical_path(os.fspath(path))
                    if not any(glob_matches(pattern, canonical) for pattern in patterns):
                        found.setdefault(canonical, plugin._coverage_plugin_name)
        except (Exception, SystemExit) as error:
            what = f"the plugin {plugin._coverage_plugin_name} failed to find files that did not run"
            warnings.append(("plugin-failed", f"{what}: {describe_error(error)}."))
    return found
