"""coverage.py's reports from data in memory, made by footfall's reports.

Those read a data file, so a temporary one is made.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from types import ModuleType

from footfall.analyze.results import FileResult, compare
from footfall.analyze.source.analysis import analyze_source, decode_source
from footfall.analyze.source.exclude import ExclusionRules
from footfall.cli.reports.annotate import write_annotated
from footfall.cli.reports.html import write_html
from footfall.cli.reports.json import json_text
from footfall.cli.reports.lcov import lcov_text
from footfall.cli.reports.report_files import write_output
from footfall.cli.reports.xml import xml_text
from footfall.compat.data import CoverageData
from footfall.compat.errors import CoverageException, NoDataError, NoSource, NotPython, PluginError
from footfall.config.configuration import Config, canonical_path, shown_path
from footfall.load.gather import Coverage as Gathered
from footfall.load.gather import UnreadableFile, gather
from footfall.load.source_files import read_source_bytes
from footfall.load.traced_files import analyze_traced
from footfall.report.coverage.text import TableOptions, render_table

__all__ = ["Morf", "Wanted", "analyze", "annotated", "html", "path_of", "table", "to_file"]

Morf = str | ModuleType
"""coverage.py's word for a module, or the name of a file."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a report is about.

    It has the data and settings, modules or file names (none: all), the directory that names are shown relative to, and
    the function that receives each (slug, text).
    """

    config: Config
    data: CoverageData
    morfs: object
    home: str
    note: Callable[[tuple[str, str]], None]


_WRITERS = {"JSON report": json_text, "XML report": xml_text, "LCOV report": lcov_text}


def path_of(morf: object) -> str:
    """Return the path of a module or a file name. Raises CoverageException for a module without a Python file."""
    path = getattr(morf, "__file__", None) or morf
    if isinstance(path, ModuleType):
        raise CoverageException(f"Module {path.__name__} has no file")
    if not isinstance(path, (str, os.PathLike)):
        raise CoverageException(f"{morf!r} is neither a module nor the name of a file")
    text = os.fspath(path)
    if text.endswith((".pyc", ".pyo")):
        text = text[:-1]
    if os.path.isabs(text) or os.path.exists(text):
        return text
    # as coverage.py finds them: the program may have changed its directory
    return next((found for found in (os.path.join(each, text) for each in sys.path) if os.path.exists(found)), text)


def _paths_of(morfs: object) -> list[str]:
    if not morfs:
        return []
    several: Iterable[object] = morfs if isinstance(morfs, (list, tuple, set)) else [morfs]
    return [path_of(morf) for morf in several]


@contextlib.contextmanager
def _gathered(
    wanted: Wanted, *, all_contexts: bool = False, may_be_empty: bool = False
) -> Iterator[tuple[Config, Gathered]]:
    """Yield the configuration, with a data file of this data, and the files of the report.

    With `may_be_empty` there is a report even if errors are ignored and no source could be read. Raises NoDataError,
    and what `gather` raises; NoSource or NotPython for files that can't be read.
    """
    config, data = wanted.config, wanted.data
    if not data.measured_files() and not wanted.morfs:
        raise NoDataError("No data to report.")
    with tempfile.TemporaryDirectory(prefix="footfall-") as directory:
        path = os.path.join(directory, "data")
        data._write_to(path)
        # what was added is in the complete lists already
        config = replace(config, data_file=path, exclude_also=[], partial_also=[])
        gathered = gather(
            config, path, contexts=() if all_contexts else config.report_contexts, paths=_paths_of(wanted.morfs)
        )
        for unreadable in gathered.unreadable:
            if unreadable.slug == "plugin-file":
                raise unreadable.cause or PluginError(unreadable.reason)
            kind = NotPython if unreadable.slug == "not-python" else NoSource
            raise kind(unreadable.reason, slug=unreadable.slug)
        for ignored in gathered.ignored:
            wanted.note(("couldnt-parse", _why_ignored(ignored)))
        if not gathered.files and not (may_be_empty and gathered.ignored):
            raise NoDataError("No data to report.")
        gathered.files = [
            replace(file, result=replace(file.result, name=_name_from(wanted.home, file.result)))
            for file in gathered.files
        ]
        yield config, gathered


def _why_ignored(file: UnreadableFile) -> str:
    """Return coverage.py's warning about a file that is left out because errors are ignored."""
    path = os.path.abspath(file.name)
    if file.slug == "not-python":
        return f"Couldn't parse Python file {path!r}"
    return f"Couldn't parse {path!r}: {file.reason}".rstrip(".")


def _name_from(home: str, result: FileResult) -> str:
    """Return a file's name as coverage.py shows it: relative to the directory where its Coverage began, not to ours."""
    return result.path.removeprefix(home.rstrip("/") + "/") if os.getcwd() != home else result.name


def table(wanted: Wanted) -> tuple[str, float]:
    """Return the text report, and the total percentage."""
    with _gathered(wanted) as (config, gathered):
        options = TableOptions(
            format=config.format or "text",
            precision=config.precision,
            show_missing=config.show_missing,
            skip_covered=config.skip_covered,
            skip_empty=config.skip_empty,
            sort=config.sort or "name",
        )
        text = render_table([file.result for file in gathered.files], options)
        return text, gathered.total.pc_covered


def _whole_total(gathered: Gathered) -> float:
    """Return the total percentage; as with coverage.py, 0 if there is nothing to cover, unlike in the table."""
    return gathered.total.pc_covered if gathered.total.n_statements else 0.0


def to_file(wanted: Wanted, kind: str, output: str) -> float:
    """Write a report that is one file, `kind` being its report name; "-" is stdout. Return the total percentage."""
    all_contexts = kind != "JSON report"
    with _gathered(wanted, all_contexts=all_contexts, may_be_empty=True) as (config, gathered):
        text = _WRITERS[kind](config, gathered)
        if output == "-":
            sys.stdout.write(text)  # whatever the program has replaced it with
        else:
            write_output(output, text, kind, is_quiet=True)
        return _whole_total(gathered)


def html(wanted: Wanted) -> tuple[str, float]:
    """Write the site; return its first page and the total percentage."""
    with _gathered(wanted) as (config, gathered):
        index = write_html(config, gathered, is_quiet=True)
        return str(index), _whole_total(gathered)


def annotated(wanted: Wanted, directory: str | None) -> None:
    """Write annotated copies of the sources."""
    with _gathered(wanted, may_be_empty=True) as (_, gathered):
        write_annotated(gathered, directory)


def analyze(config: Config, data: CoverageData, morf: object) -> FileResult:
    """Compare what ran of one file with its source, in the contexts that the data is restricted to.

    Raises FootfallError (`no-source`, `not-python`, `bad-pattern`, `plugin-file`).
    """
    path = canonical_path(path_of(morf))
    stored = shown_path(path) if config.relative_files else path
    arcs = data.arcs(stored) or [] if data.has_arcs() else None
    tracer = data.file_tracer(stored)
    traced = analyze_traced(config.made_plugins, tracer, path) if tracer else None
    if traced is not None:
        return compare(traced, data.lines(stored) or [], arcs, traced.name)
    rules = ExclusionRules.from_settings(
        exclude_lines=config.exclude_lines,
        partial_branches=config.partial_branches,
        partial_branches_always=config.partial_branches_always,
    )
    analysis = analyze_source(decode_source(read_source_bytes(path)), path, rules)
    return compare(analysis, data.lines(stored) or [], arcs, shown_path(path))
