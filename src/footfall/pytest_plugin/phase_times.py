"""How long each phase of each test takes: by the wall clock and the CPU clock of the thread that runs it.

The hook wrappers are those closest to the phase itself, so its time does not include what other plugins do around it.
For a test function it is read around the call of the function: from the phase to there and back takes pytest 20 us, and
50 when caches are cold after a test of some milliseconds. A process appends to a file of its own in the run directory
(docs/formats.md), one write for each test; `record/run/phase_times.py` reads it.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator

import pytest

from footfall.model import TEST_TIMES_ENDING
from footfall.observe.messages import report
from footfall.tier import HAS_CORE

if HAS_CORE:
    from footfall._core import PhaseTimes
else:
    from footfall.observe.pure.phase_times import PhaseTimes  # type: ignore[assignment]

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
        self._is_call_timed = False
        """Whether the whole phase `run` of the current test is timed, instead of the call of its function."""
        times = PhaseTimes()
        self._begin, self._end, self._take = times.begin, times.end, times.take
        self._write: Callable[[int, bytes], int] = os.write

    # Old-style wrappers: no exception passes through their frames, so no traceback shows them.

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        start = self._begin()
        yield
        self._end(start, item.nodeid, "setup")

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        self._is_call_timed = getattr(item.runtest, "__func__", None) is not _CALLS_THE_FUNCTION
        if not self._is_call_timed:
            yield
            return
        start = self._begin()
        yield
        self._end(start, item.nodeid, "run")

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, None, None]:
        if self._is_call_timed:
            yield
            return
        start = self._begin()
        yield
        self._end(start, pyfuncitem.nodeid, "run")

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        start = self._begin()
        yield
        self._end(start, item.nodeid, "teardown")
        self._write_lines()

    def pytest_sessionfinish(self) -> None:
        """Write what is left when a session ended in the middle of a test."""
        self._write_lines()

    def _write_lines(self) -> None:
        lines = self._take()
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
