"""The engines that this interpreter has, and programs run under each: without the supervisor, to be fast.

`each_engine` parametrizes a test by `engine`, `with_default` by this interpreter's own alone; `measured` then runs
programs with it and without measuring.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from typing import NamedTuple

import pytest

from footfall.analyze.resolve import resolve
from footfall.analyze.resolved_run import RunData
from footfall.model import ENGINE_MONITORING, ENGINE_PROBES, ENGINE_SETTRACE, ENGINE_VARIABLE, RUN_VARIABLE
from footfall.record.data.coverage_tables import StoredCoverage, StoredFile
from footfall.record.run.directory import RunSettings, make_run_directory
from footfall.record.run.record_file import Record, read_record
from footfall.tier import IS_FREE_THREADED, PURE_VARIABLE
from marked import check_marks, write_program

__all__ = ["ENGINES", "IS_CPYTHON", "PYTHON", "Engine", "Measured", "each_engine", "measured", "with_default"]

IS_CPYTHON = sys.implementation.name == "cpython"

PYTHON = os.environ.get("FOOTFALL_TEST_PYTHON", sys.executable)  # read before tests remove such variables
"""Runs the measured programs: this interpreter, or one of the same version for another processor."""


class Engine(NamedTuple):
    """An engine: its name for FOOTFALL_ENGINE, its number in records, and whether it measures branches here.

    `is_pure`: in Python, without the C core.
    """

    name: str
    number: int
    branch: bool = True
    is_pure: bool = False


def _engines() -> list[Engine]:
    found = [Engine("settrace", ENGINE_SETTRACE)]
    if not IS_CPYTHON or sys.version_info < (3, 14):
        found.append(Engine("probes", ENGINE_PROBES))
    if IS_CPYTHON and sys.version_info >= (3, 12) and not IS_FREE_THREADED:
        found.append(Engine("monitoring", ENGINE_MONITORING, sys.version_info >= (3, 14)))
    return found


ENGINES = _engines()


_HAS_ALL_PURE = "FOOTFALL_TEST_PURE" in os.environ  # read before tests remove such variables


def _pure_engines() -> list[Engine]:
    """Return the engine that replaces the C core's: on all versions if FOOTFALL_TEST_PURE is set, else on two, which
    have different ones.
    """
    if not IS_CPYTHON or not (_HAS_ALL_PURE or sys.version_info[:2] in ((3, 13), (3, 14))):
        return []
    name = "monitoring" if sys.version_info >= (3, 14) else "probes"
    wanted = [engine for engine in ENGINES if engine.name == name or (_HAS_ALL_PURE and engine.name == "settrace")]
    return [engine._replace(is_pure=True) for engine in wanted]


each_engine = pytest.mark.parametrize(
    "engine", ENGINES + _pure_engines(), ids=lambda engine: f"{engine.name}{'_pure' if engine.is_pure else ''}"
)

_default = next((engine for engine in ENGINES if engine.name == "probes"), ENGINES[-1])
with_default = pytest.mark.parametrize("engine", [_default], ids=lambda engine: engine.name)


class Measured:
    """A folder of programs, the run that measures them with one engine, and what was reported and recorded."""

    def __init__(self, folder: pathlib.Path, engine: Engine) -> None:
        self.folder = folder.resolve()
        self.engine = engine
        (self.folder / "work").mkdir()
        self.work = self.folder / "work"
        settings = RunSettings(
            cwd=str(self.work), branch=engine.branch, profile=False, source_dir=[str(self.work)], engine=engine.name
        )
        self.run_directory = make_run_directory(settings).path

    def narrow_to(self, *packages: str) -> None:
        """Measure these packages, given by module name, instead of the whole folder."""
        settings = RunSettings(
            cwd=str(self.work),
            branch=self.engine.branch,
            profile=False,
            source_pkg=list(packages),
            engine=self.engine.name,
        )
        self.run_directory = make_run_directory(settings).path

    def run(self, text: str, *arguments: str, name: str = "main.py") -> subprocess.CompletedProcess[str]:
        """Write the program and run it measured, or Python with the arguments."""
        write_program(self.work / name, text)
        return self._start(
            arguments or (name,), {ENGINE_VARIABLE: self.engine.name, RUN_VARIABLE: str(self.run_directory)}
        )

    def run_bare(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python, with `main.py` or the arguments, unmeasured."""
        return self._start(arguments or ("main.py",), {})

    def _start(self, arguments: tuple[str, ...], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
        names = ("FOOTFALL", "COVERAGE", "PYTEST")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(names)}
        environment |= {"PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore::DeprecationWarning", **variables}
        if self.engine.is_pure:
            environment[PURE_VARIABLE] = "1"
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # other plugins installed here would only take time
        command = [PYTHON, *arguments]
        return subprocess.run(
            command,
            cwd=self.work,
            env=environment,
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
        )

    def records(self) -> list[Record]:
        """Return the records that the measured processes left, all by this engine."""
        found = [read_record(str(path)) for path in sorted(pathlib.Path(self.run_directory).glob("*.rec"))]
        assert {record.header.engine for record in found} <= {self.engine.number}
        return found

    def messages_of(self, slug: str) -> list[str]:
        """Return the messages with that slug that the measured processes left for the end of the run, each once."""
        return list(dict.fromkeys(text for at, text in resolve(self.run_directory).messages if at == slug))

    def data(self, *slugs: str) -> RunData:
        """Return what ran, in all processes; nothing may have gone wrong but what has these slugs."""
        data = resolve(self.run_directory)
        assert [message for message in data.messages if message[0] not in slugs] == []
        assert data.has_arcs == self.engine.branch
        return data

    def lines(self, name: str = "main.py") -> set[int]:
        """Return the lines of one program that ran."""
        return _stored(self.data()).files[str(self.work / name)].lines

    def check_marks(self, *slugs: str) -> None:
        """Compare all programs' marks with what was recorded; `slugs` as for `data`."""
        assert self.records()
        check_marks(self.work, _stored(self.data(*slugs)), self.engine.branch)


def _stored(data: RunData) -> StoredCoverage:
    files = {
        path: StoredFile(set().union(*file.lines.values()), set().union(*file.arcs.values()))
        for path, file in data.files.items()
    }
    return StoredCoverage(has_arcs=data.has_arcs, files=files)


@pytest.fixture
def measured(tmp_path: pathlib.Path, engine: Engine) -> Measured:
    """Return a folder in which to run programs with the engine of the test's parameter."""
    return Measured(tmp_path, engine)
