"""What measuring a command costs: it is run bare and in each mode of measuring, by turns, and timed.

Nothing is left behind: run directories, caches and data files are in a temporary directory, and the command's own
output is dropped. Its results are computed afterwards in a forked process, and timed separately.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from footfall.config.configuration import Config
from footfall.errors import EXIT_ENVIRONMENT, FootfallError
from footfall.model import RUN_VARIABLE
from footfall.record.run.directory import (
    make_temporary_run_directory,
    open_run_directory,
    remove_run_directory,
    settings_from_config,
)
from footfall.session.measure import STARTS_COVERAGE
from footfall.session.output import print_message
from footfall.session.target import find_interpreter

__all__ = ["BARE", "Overhead", "Sample", "Spent", "measure_overhead"]

BARE: Final = "bare"
_COVERAGE_PY: Final = "coverage.py"
_NS_PER_SECOND: Final = 1_000_000_000
_SHOWN_LINES: Final = 20
_ASK_SECONDS: Final = 20.0

Progress = Callable[[int, int], None]


class Spent(NamedTuple):
    """Nanoseconds: CPU time (user and system) of a process and of the children that it waited for, and wall time."""

    cpu_ns: int = 0
    wall_ns: int = 0


class Sample(NamedTuple):
    """One run of a command. `results` is the cost of its results; coverage.py makes them in the command itself."""

    command: Spent
    results: Spent


@dataclass(slots=True)
class Overhead:
    """Samples by mode, BARE first; samples of one round have the same index. `notes` say what was left out and why."""

    samples: dict[str, list[Sample]] = field(default_factory=dict)
    cpu: int | None = None
    """The core that everything ran on; None if it was not pinned."""
    coverage_version: str = ""
    notes: list[str] = field(default_factory=list)


class _Mode(NamedTuple):
    name: str
    cover: bool = False
    branch: bool = False
    profile: bool = False


_MODES: Final = (
    _Mode("lines", cover=True),
    _Mode("branches", cover=True, branch=True),
    _Mode("profile", profile=True),
    _Mode("all", cover=True, branch=True, profile=True),
)


def measure_overhead(
    program: list[str],
    config: Config,
    *,
    rounds: int,
    is_pinned: bool = True,
    may_fail: bool = False,
    progress: Progress | None = None,
) -> Overhead:
    """Run the program once in each mode to fill caches, then `rounds` times, each round in another order.

    With `is_pinned` everything runs on one core if the system lets us choose. `may_fail` accepts any exit status that
    is the same in all modes. Raises FootfallError: `command-failed`, `overhead-differs`, `cant-start`, or what
    measuring raises.
    """
    found = Overhead()
    coverage = _coverage_command(program, found)
    names = [BARE, *(mode.name for mode in _MODES), *([_COVERAGE_PY] if coverage else [])]
    with tempfile.TemporaryDirectory(prefix="footfall-overhead-") as directory, _pinned(is_pinned) as found.cpu:
        runner = _Runner(program, config, Path(directory), coverage, may_fail)
        total = len(names) * (rounds + 1)
        for number in range(rounds + 1):
            turn = number % len(names)
            for name in [*names[turn:], *names[:turn]]:
                sample = runner.run(name)
                if number:
                    found.samples.setdefault(name, []).append(sample)
                runner.n_done += 1
                if progress is not None:
                    progress(runner.n_done, total)
    found.samples = {name: found.samples[name] for name in names}
    return found


class _Runner:
    def __init__(
        self, program: list[str], config: Config, directory: Path, coverage: list[str] | None, may_fail: bool
    ) -> None:
        self._program = program
        self._config = config
        self._directory = directory
        self._coverage = coverage
        self._may_fail = may_fail
        self._status: int | None = None
        self.n_done = 0

    def run(self, name: str) -> Sample:
        """Run the program in one mode."""
        if name == BARE:
            return Sample(self._timed(name, self._program), Spent())
        folder = self._directory / name  # for its caches and its data file
        folder.mkdir(exist_ok=True)
        if self._coverage is not None and name == _COVERAGE_PY:
            data_file = f"--data-file={folder / 'data'}"
            interpreter, *arguments = self._coverage
            command = [interpreter, "-m", "coverage", "run", "--branch", data_file, *arguments]
            return Sample(self._timed(name, command), Spent())
        return self._measured(next(mode for mode in _MODES if mode.name == name), folder)

    def _measured(self, mode: _Mode, folder: Path) -> Sample:
        config = replace(self._config, branch=mode.branch, profile=mode.profile, parallel=False)
        settings = settings_from_config(config, cover=mode.cover)
        directory = make_temporary_run_directory(settings, cache=folder / "cache")
        try:
            command = self._timed(mode.name, self._program, str(directory.path))
            if not directory.has_records():
                text = f"No process of it was measured with {mode.name}."
                raise FootfallError("overhead-differs", text, "Look at what `footfall run COMMAND` says of it.")
            return Sample(command, self._results(directory.path, config, folder))
        finally:
            remove_run_directory(directory)

    def _timed(self, name: str, command: Sequence[str], run_directory: str = "") -> Spent:
        # "" keeps a pytest with --footfall from measuring itself
        environment = {**os.environ, RUN_VARIABLE: run_directory}
        for variable in STARTS_COVERAGE:
            environment.pop(variable, None)
        with open(self._directory / "output", "w+b") as output:
            status, spent = _run_timed(command, environment, output)
            if status and not self._may_fail:
                what = f"The command ended with status {status} ({name})."
                _show_last_lines(output)
                raise FootfallError("command-failed", what, "--ignore-status measures it all the same.")
            if self._status is None:
                self._status = status
            if status != self._status:
                what = f"The command ended with status {status} with {name}, and with {self._status} {BARE}."
                _show_last_lines(output)
                raise FootfallError("overhead-differs", what, "Compare commands that end alike.")
        return spent

    def _results(self, run_directory: Path, config: Config, folder: Path) -> Spent:
        """Compute the results as `footfall run` does, in a process that has loaded no more than that has by then."""
        start_ns = time.perf_counter_ns()
        pid = os.fork()
        if pid == 0:
            _finish_and_exit(run_directory, config, str(folder / "data"))
        _, status, usage = os.wait4(pid, 0)
        wall_ns = time.perf_counter_ns() - start_ns
        if status:
            what = "The results of a measured run could not be worked out."
            raise FootfallError("overhead-differs", what, "Look at what `footfall run COMMAND` says of it.")
        return Spent(_cpu_ns(usage.ru_utime + usage.ru_stime), wall_ns)


def _finish_and_exit(run_directory: Path, config: Config, data_file: str) -> None:
    """Make the data file and the summary, in a forked child; never returns."""
    status = EXIT_ENVIRONMENT
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        from footfall.session.finish import finish_run  # imported after the command has ended, as in `footfall run`

        directory, settings = open_run_directory(run_directory)
        finish_run(directory, settings, config, data_file, is_quiet=False)
        status = 0
    finally:
        os._exit(status)


def _run_timed(command: Sequence[str], environment: dict[str, str], output: BinaryIO) -> tuple[int, Spent]:
    """Run a command to its end; return its exit status, or minus its signal, and its times."""
    start_ns = time.perf_counter_ns()
    try:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    except OSError as error:
        raise FootfallError(
            "cant-start",
            f"Can't start {command[0]}: {error.strerror or error}.",
            "Check that it runs without footfall.",
        ) from error
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.kill()
        process.wait()
        raise
    wall_ns = time.perf_counter_ns() - start_ns
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, Spent(_cpu_ns(usage.ru_utime + usage.ru_stime), wall_ns)


def _cpu_ns(seconds: float) -> int:
    return round(seconds * _NS_PER_SECOND)


def _show_last_lines(output: BinaryIO) -> None:
    """Show what a command wrote last, ahead of a message about it."""
    output.seek(0)
    lines = output.read().decode("utf-8", "replace").splitlines()[-_SHOWN_LINES:]
    if lines:
        print_message("footfall: The command's last lines:")
    for line in lines:
        print_message(f"  {line}")


@contextlib.contextmanager
def _pinned(is_wanted: bool) -> Iterator[int | None]:
    """Keep this process, and those that it starts, on one core: the last one, if the system lets us choose."""
    if not is_wanted or not hasattr(os, "sched_setaffinity"):
        yield None
        return
    allowed = os.sched_getaffinity(0)
    cpu = max(allowed)
    try:
        os.sched_setaffinity(0, {cpu})
    except OSError:
        yield None
        return
    try:
        yield cpu
    finally:
        os.sched_setaffinity(0, allowed)


def _coverage_command(program: list[str], found: Overhead) -> list[str] | None:
    """Return the interpreter and arguments with which coverage.py runs the program; None, with a note, if it can't."""
    interpreter = find_interpreter(program)
    if interpreter is None:
        found.notes.append("Without coverage.py, which runs Python programs only.")
        return None
    path = shutil.which(program[0]) or program[0]
    is_interpreter = os.path.basename(path).startswith(("python", "pypy"))
    arguments = program[1:] if is_interpreter else [path, *program[1:]]
    if not arguments or (arguments[0].startswith("-") and arguments[0] != "-m"):
        found.notes.append("Without coverage.py, which takes a script or -m and a module.")
        return None
    ask = "import coverage; print(coverage.__version__)"
    environment = {**os.environ, RUN_VARIABLE: ""}
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            [interpreter, "-c", ask], env=environment, capture_output=True, text=True, timeout=_ASK_SECONDS, check=False
        )
        if done.returncode == 0:
            found.coverage_version = done.stdout.strip()
            return [interpreter, *arguments]
    found.notes.append(f"Without coverage.py, which {interpreter} does not have.")
    return None
