"""`footfall debug`: what to look at when something is not as expected. The topics are named as in coverage.py."""

from __future__ import annotations

import dataclasses
import os
import platform
import sqlite3
import sys
from collections.abc import Iterable
from typing import Final

import click

import footfall
from footfall._version import VERSION
from footfall.analyze.probes.listing import ListedProbe, list_probes, with_probes
from footfall.analyze.source.analysis import decode_source
from footfall.analyze.source.source_file import read_source_file
from footfall.cli.accepted import accepted_options
from footfall.cli.options import config_option, data_file_option, load_config
from footfall.config.configuration import Config
from footfall.errors import EXIT_FINDINGS, FootfallError, UsageError
from footfall.model import ENGINE_MONITORING, ENGINE_PROBES, ENGINE_SETTRACE
from footfall.observe.start import choose_engine
from footfall.printable import printable
from footfall.probes.mode import mode_here
from footfall.pythons import unknown_python
from footfall.record.data.coverage_tables import read_coverage
from footfall.record.data.data_file import open_data_file
from footfall.record.data.parallel_files import find_parallel_files
from footfall.session.output import print_message, show, warn
from footfall.settings import Settings
from footfall.tier import IS_FREE_THREADED, IS_PURE_CPYTHON, WHY_PURE

__all__ = ["command"]

_ENGINES: Final = {ENGINE_MONITORING: "monitoring", ENGINE_PROBES: "probes", ENGINE_SETTRACE: "settrace"}
_TOPICS: Final = ("sys", "config", "data", "probes")
_INSIDE_COVERAGE: Final = ("premain", "pybehave", "sqlite")
_Rows = Iterable[tuple[str, str]]

_EXAMPLES = """\b
Examples:
  footfall debug sys
  footfall debug data old/.coverage.7
  footfall debug probes app.py
"""


@click.command(
    "debug",
    epilog=_EXAMPLES,
)
@data_file_option
@config_option
@accepted_options("--debug")
@click.option("--instrumented", is_flag=True, help="With probes: show the source as it is compiled, with its probes.")
@click.argument("topic", metavar="sys|config|data|probes")
@click.argument("files", metavar="[FILE]...", nargs=-1)
def command(
    topic: str, files: tuple[str, ...], instrumented: bool, data_file: str | None, config_file: str | None
) -> int:
    """Show what footfall sees: `sys` this installation, `config` the settings, `data` the contents of data files,
    `probes` where the probes of source files are and what each reports.

    `data` describes the FILEs, or the data file and those still to be combined into it. `probes` shows below each line
    the probes that report it: number, arc, and why each is there, for the Python that footfall runs on.
    """
    if topic not in (*_TOPICS, *_INSIDE_COVERAGE) or (files and topic not in ("data", "probes")):
        raise UsageError("bad-topic", f"There is nothing to show of {topic!r}.", "Ask for sys, config, data or probes.")
    if (topic == "probes" and not files) or (instrumented and topic != "probes"):
        raise UsageError(
            "bad-topic", "`probes` needs the names of source files.", "For example: footfall debug probes app.py"
        )
    config = load_config(config_file, data_file=data_file)
    if topic in _INSIDE_COVERAGE:
        text = f"`debug {topic}` looks inside coverage.py: there is nothing to show."
        warn([("option-ignored", text)], config.disable_warnings)
        return 0
    if topic == "probes":
        return _show_probes(files, config.branch, instrumented)
    if topic == "data":
        parts = find_parallel_files(config.data_file)
        main = [config.data_file] if os.path.exists(config.data_file) or not parts else []
        return _show_files(list(files) or [*main, *parts])
    _show(topic, _system_rows(config) if topic == "sys" else _config_rows(config))
    return 0


def _show(title: str, rows: _Rows) -> None:
    found = list(rows)
    width = max(len(name) for name, _ in found)
    show(f"-- {title} {'-' * (60 - len(title))}")
    for name, value in found:
        show(f"{printable(name):>{width}}: {printable(value)}")


def _system_rows(config: Config) -> _Rows:
    yield "footfall", f"{VERSION} in {os.path.dirname(footfall.__file__)}"
    python = f"{platform.python_implementation()} {sys.version.split()[0]} ({sys.version.splitlines()[0]})"
    yield "Python", python
    yield "executable", sys.executable
    yield "platform", platform.platform()
    yield "SQLite", sqlite3.sqlite_version
    yield "measured by", f"Python alone: {WHY_PURE}" if WHY_PURE else "the C core"
    settings = Settings("")
    settings.branch = config.branch
    engine, warning = choose_engine(settings)
    branches = "with branches" if config.branch else "lines only"
    yield "engine", f"{_ENGINES[engine]}, {branches}" + (f" ({warning[1]})" if warning else "")
    rate = "the default rate" if config.rate_hz is None else f"{config.rate_hz} Hz"
    yield "sampler", _sampler(rate) if config.profile else "off"
    yield "start hook", _start_hook()
    yield "current directory", os.getcwd()
    yield "configuration", config.config_file or "none"
    yield "data file", os.path.abspath(config.data_file)
    for name in sorted(os.environ):
        if name.startswith(("FOOTFALL_", "COVERAGE_", "PYTHON")):
            yield name, os.environ[name]


def _sampler(rate: str) -> str:
    if IS_FREE_THREADED or unknown_python():
        return "none for this Python"
    return f"a Python thread, {rate} at most" if IS_PURE_CPYTHON else rate


def _start_hook() -> str:
    """Name the file that makes this Python measure itself when `footfall run` starts it."""
    for folder in sys.path:
        path = os.path.join(folder, "footfall.pth")
        if os.path.isfile(path):
            return path
    return "not found: this Python would not be measured"


def _config_rows(config: Config) -> _Rows:
    for each in dataclasses.fields(config):
        value = getattr(config, each.name)
        yield each.name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _show_files(paths: list[str]) -> int:
    """Show each file. Returns exit status 1 if one can't be read."""
    status = 0
    for path in paths:
        try:
            rows = [*_data_rows(path)]
        except FootfallError as error:
            print_message(f"footfall: {error}")
            status = EXIT_FINDINGS
        else:
            _show("data", rows)
    return status


def _show_probes(paths: Iterable[str], with_branches: bool, instrumented: bool) -> int:
    """Show the probes of each source. Returns exit status 1 if one can't be read."""
    mode = mode_here(with_branches)
    status = 0
    for path in paths:
        try:
            source = _read_source(path)
            lines = with_probes(source, mode).split("\n") if instrumented else [*_probe_lines(source, mode)]
        except FootfallError as error:
            print_message(f"footfall: {path}: {error}")
            status = EXIT_FINDINGS
        else:
            show("\n".join([f"-- {path} {'-' * (60 - len(path))}", *map(printable, lines)]))
    return status


def _read_source(path: str) -> bytes:
    try:
        return read_source_file(path)
    except OSError as error:
        raise FootfallError("source-unreadable", f"Can't read it: {error.strerror or error}.") from error


def _probe_lines(source: bytes, mode: int) -> Iterable[str]:
    """Return each line of the source, followed by the probes that report it."""
    by_line: dict[int, list[ListedProbe]] = {}
    for probe in list_probes(source, mode):
        by_line.setdefault(probe.line, []).append(probe)
    for number, text in enumerate(decode_source(source).splitlines(), start=1):
        yield f"{number:>5}  {text}".rstrip()
        for probe in by_line.get(number, ()):
            arc = "" if probe.arc is None else f" {probe.arc[0]} -> {'exit' if probe.arc[1] < 0 else probe.arc[1]}"
            yield f"         #{probe.number}{arc} ({probe.kind})"


def _data_rows(path: str) -> _Rows:
    coverage = read_coverage(path)
    with open_data_file(path) as connection:
        yield "path", os.path.abspath(path)
        yield "size", f"{os.path.getsize(path)} bytes"
        row = connection.execute("select value from meta where key = 'version'").fetchone()
        yield "written by", "not known" if row is None else str(row[0])
        yield "branches", "yes" if coverage.has_arcs else "no"
        yield "contexts", str(_count_rows(connection, "context"))
        for (name,) in connection.execute(
            "select name from sqlite_master where type = 'table' order by name"
        ).fetchall():
            yield f"table {name}", f"{_count_rows(connection, name)} rows"
        yield "files", str(len(coverage.files))
    for name, found in sorted(coverage.files.items()):
        detail = f"{len(found.lines)} lines" + (f", {len(found.arcs)} arcs" if coverage.has_arcs else "")
        yield name, detail + (f" [{found.tracer}]" if found.tracer else "")


def _count_rows(connection: sqlite3.Connection, table: str) -> int:
    quoted = table.replace('"', '""')
    (count,) = connection.execute(f'select count(*) from "{quoted}"').fetchone()
    return int(count)
