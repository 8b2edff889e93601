"""How long each phase of each test takes: by the wall clock and the CPU clock of the thread that runs it.

The hook wrappers are those closest to the phase itself, so its time does not include what other plugins do around it.
For a test function it is read around the call of the function: from the phase to there and back takes pytest 20 us, and
50 when caches are cold after a test of some milliseconds. A process appends to a file of its own in the run directory
(docs/formats.md), one write for each test; `record/run/phase_times.py` reads it.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator

import pytest

from footfall.model import TEST_TIMES_ENDING
from footfall.observe.messages import report
from footfall.settings import escape

__all__ = ["PLUGIN_NAME", "register"]

PLUGIN_NAME = "footfall_phase_times"

_MAX_FILES = 100_000
_CALLS_THE_FUNCTION = pytest.Function.runtest
"""By the hook pytest_pyfunc_call; other kinds of tests, or a plugin that has replaced it, may never get there."""


def register(config: pytest.Config, run_directory: str) -> None:
    """Time the tests of this session."""
    config.pluginmanager.register(_PhaseTimes(run_directory), PLUGIN_NAME)


class _PhaseTimes:
    def __init__(self, run_directory: str) -> None:
        self._run_directory = run_directory
        self._pid = 0
        self._fd = -1
        self._taken: list[tuple[str, str, int, int]] = []  # of this test: name, phase, nanoseconds of CPU and wall
        self._is_call_timed = False
        """Whether the whole phase `run` of the current test is timed, instead of the call of its function."""
        # Kept here, where tools that replace the clocks in modules (freezegun) do not find them.
        self._read_wall: Callable[[], int] = time.perf_counter_ns
        self._read_cpu: Callable[[], int] = time.thread_time_ns
        self._write: Callable[[int, bytes], int] = os.write

    # Old-style wrappers: no exception passes through their frames, so no traceback shows them.

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        wall, cpu = self._read_wall(), self._read_cpu()
        yield
        self._add(item, "setup", self._read_cpu() - cpu, self._read_wall() - wall)

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        self._is_call_timed = getattr(item.runtest, "__func__", None) is not _CALLS_THE_FUNCTION
        if not self._is_call_timed:
            yield
            return
        wall, cpu = self._read_wall(), self._read_cpu()
        yield
        self._add(item, "run", self._read_cpu() - cpu, self._read_wall() - wall)

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, None, None]:
        if self._is_call_timed:
            yield
            return
        wall, cpu = self._read_wall(), self._read_cpu()
        yield
        self._add(pyfuncitem, "run", self._read_cpu() - cpu, self._read_wall() - wall)

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        wall, cpu = self._read_wall(), self._read_cpu()
        yield
        self._add(item, "teardown", self._read_cpu() - cpu, self._read_wall() - wall)
        self._write_lines()

    def pytest_sessionfinish(self) -> None:
        """Write what is left when a session ended in the middle of a test."""
        self._write_lines()

    def _add(self, item: pytest.Item, phase: str, cpu: int, wall: int) -> None:
        self._taken.append((item.nodeid, phase, cpu, wall))

    def _write_lines(self) -> None:
        lines = _lines(self._taken)
        self._taken.clear()
        if not lines:
            return  # no test began: then there is no file either
        try:
            if self._pid != os.getpid():  # or in a child that continues the test (pytest-forked)
                self._open()
            if self._fd >= 0:
                self._write(self._fd, lines)
        except Exception as error:  # the disk is full, or the program has replaced something that we use
            self._fd = -1
            report("test-times-lost", f"the times of tests can't be kept: {error!r}.", "Those of samples are shown.")

    def _open(self) -> None:
        self._pid = os.getpid()
        self._fd = -1
        for n in range(_MAX_FILES):
            path = os.path.join(self._run_directory, f"{self._pid}-{n}{TEST_TIMES_ENDING}")
            try:
                self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o666)
            except FileExistsError:
                continue
            return


def _lines(taken: list[tuple[str, str, int, int]]) -> bytes:
    """Return phases as lines of the file. They are mostly of one test, so each name is escaped once."""
    text = name = escaped = ""
    for nodeid, phase, cpu, wall in taken:
        if nodeid != name:
            name, escaped = nodeid, escape(nodeid)
        text += f"{wall}\t{cpu}\t{escaped}|{phase}\n"
    return text.encode("utf-8", "backslashreplace")
