"""Sampling a running process from outside: finding its interpreter, following what it does, its sample logs.

The sampling is in C (native/remote). A process may execute another program, which is then found anew. Logs that get
long are replaced by new ones, so that they can be made into a profile while sampling continues.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from footfall import _core
from footfall.attach.asyncio_tables import NO_TABLES, find_task_tables
from footfall.attach.interpreter import RemoteInterpreter, find_interpreter, may_begin
from footfall.attach.permission import not_permitted
from footfall.attach.procfs import no_such_process, read_stat
from footfall.errors import FootfallError

__all__ = ["OutsideSampler", "SampleCounts", "SampleOptions"]

_MAX_LOG_SAMPLES = 200_000
_SEARCH_SECONDS = 3.0
_START_SECONDS = 1.0
_RETRY_SECONDS = 0.02
_TABLES_SECONDS = 1.0
_GONE, _LOST, _FORBIDDEN = 1, 2, 3


class SampleOptions(NamedTuple):
    """How to sample."""

    interval_ns: int
    max_cpu_ppm: int = 0
    """The share of the process's CPU time, in millionths, that a sampler may use; 0: no limit."""
    pause: bool = False
    """Stop the process's threads while they are read."""
    with_tasks: bool = False
    """Join the stacks of asyncio's tasks with those of the tasks that wait for them, and count waiting tasks."""


class SampleCounts(NamedTuple):
    """The counts so far."""

    samples: int
    dropped: int
    cpu_ns: int


class _Running(NamedTuple):
    """A running sampler and its log."""

    sampler: _core.RemoteSampler
    path: str


class OutsideSampler:
    """Samples one process into logs `<pid>-<n>.smp` of a directory.

    Call `start` and then `poll`, several times a second, until that returns False; `stop` at any time. `finished` are
    the logs that nothing is added to any longer. `ended` says why it ended by itself.
    """

    def __init__(self, pid: int, directory: str, options: SampleOptions) -> None:
        self.pid = pid
        self.finished: list[str] = []
        self.ended = ""
        self.interpreter: RemoteInterpreter | None = None
        self.lacks_tasks = False
        """Whether tasks were asked for and this process's Python does not publish them."""
        self._tables = NO_TABLES
        self._next_tables = 0.0
        self._directory = directory
        self._options = options
        self._running: _Running | None = None
        self._before = SampleCounts(0, 0, 0)
        self._searched_since: float | None = None
        stat = read_stat(f"/proc/{pid}/stat")
        if stat is None or stat.state in "ZX":
            raise no_such_process(pid)
        self._started_at = stat.start_ticks

    def start(self, *, needs_tasks: bool = False, waits: bool = True) -> None:
        """Find the interpreter and start sampling. With `waits`, one that is just starting is given a second.

        Raises FootfallError: `no-such-process`, `attach-forbidden`, `not-python`, `attach-unsupported`,
        `run-unwritable`, and `async-unsupported` if tasks are needed and can't be read.
        """
        give_up = time.monotonic() + _START_SECONDS * waits
        while True:
            try:
                self._find(needs_tasks=needs_tasks)
                if self._running is not None:
                    return
                raise FootfallError(
                    "attach-not-python",
                    f"The Python of process {self.pid} has not begun, or has ended.",
                    "Try again when the program runs.",
                )
            except FootfallError as error:
                # a process that is just starting has not yet mapped its libraries, or created its first interpreter
                if error.slug != "attach-not-python" or not may_begin(self.pid) or time.monotonic() > give_up:
                    raise
            time.sleep(_RETRY_SECONDS)

    def poll(self) -> bool:
        """Follow the process. Return False once it has ended or is no longer Python."""
        if self._searched_since is not None:
            return self._search()
        assert self._running is not None
        stats = self._running.sampler.stats()
        if stats["end"] == _LOST:
            self.stop()
            self._searched_since = time.monotonic()
            return self._search()
        if stats["end"] == _GONE:
            self.ended = f"process {self.pid} has ended"
        elif stats["end"] == _FORBIDDEN:
            # which is also true of one that is just ending
            may_end_until = time.monotonic() + _START_SECONDS
            while self._is_same_process() and time.monotonic() < may_end_until:
                time.sleep(_RETRY_SECONDS)
            why = "may no longer be read" if self._is_same_process() else "has ended"
            self.ended = f"process {self.pid} {why}"
        elif stats["full"]:
            self.ended = f"the log can't be written: {os.strerror(stats['full'])}"
        elif stats["samples"] > _MAX_LOG_SAMPLES:
            self._renew()
        if self.ended:
            self.stop()
            return False
        if self._options.with_tasks and not self._tables.debug and time.monotonic() >= self._next_tables:
            self._find_tables(needs_tasks=False)
            if self._tables.debug:  # it has imported asyncio in the meantime
                self._renew()
        return True

    def counts(self) -> SampleCounts:
        """Return the counts so far."""
        return self._before if self._running is None else _plus(self._before, self._running.sampler.stats())

    def stop(self) -> None:
        """Stop sampling; all logs are finished."""
        if self._running is not None:
            running, self._running = self._running, None
            self._finish(running)

    def _is_same_process(self) -> bool:
        stat = read_stat(f"/proc/{self.pid}/stat")
        return stat is not None and stat.state not in "ZX" and stat.start_ticks == self._started_at

    def _search(self) -> bool:
        """Wait for another program to start in the same process: the interpreter is not where it was."""
        assert self._searched_since is not None
        if not self._is_same_process():
            self.ended = f"process {self.pid} has ended"
            return False
        try:
            self._find()
        except FootfallError as error:
            if time.monotonic() - self._searched_since > _SEARCH_SECONDS:
                self.ended = error.message.rstrip(".")
                return False
            return True
        if self._running is not None:
            self._searched_since = None
        elif time.monotonic() - self._searched_since > _SEARCH_SECONDS:
            self.ended = f"the Python of process {self.pid} has ended"
            return False
        return True

    def _find(self, *, needs_tasks: bool = False) -> None:
        self.interpreter = find_interpreter(self.pid)
        self._find_tables(needs_tasks=needs_tasks)
        if self._open(None).interpreters():
            self._run()

    def _find_tables(self, *, needs_tasks: bool) -> None:
        assert self.interpreter is not None
        self._tables = NO_TABLES
        self._next_tables = time.monotonic() + _TABLES_SECONDS
        if not self._options.with_tasks:
            return
        try:
            self._tables = find_task_tables(self.pid, self.interpreter)
        except FootfallError as error:
            if needs_tasks or error.slug != "async-unsupported":
                raise
            self.lacks_tasks = True
            self._next_tables = float("inf")

    def _run(self) -> None:
        path = self._free_path()
        sampler = self._open(path)
        sampler.start()
        self._running = _Running(sampler, path)

    def _renew(self) -> None:
        """Continue in a new log; the old sampler stops when the new one runs."""
        old = self._running
        self._run()
        if old is not None:
            self._finish(old)

    def _finish(self, running: _Running) -> None:
        running.sampler.stop()
        self._before = _plus(self._before, running.sampler.stats())
        self.finished.append(running.path)

    def _open(self, path: str | None) -> _core.RemoteSampler:
        found = self.interpreter
        assert found is not None
        try:
            return _core.RemoteSampler(
                self.pid,
                found.runtime,
                found.code_type,
                found.version,
                path,
                interval_ns=self._options.interval_ns,
                rseq_offset=found.rseq_offset,
                max_cpu_ppm=self._options.max_cpu_ppm,
                pause=self._options.pause,
                tasks=self._tables,
            )
        except PermissionError as error:
            raise not_permitted(self.pid) from error
        except ValueError as error:
            raise FootfallError(
                "attach-unsupported",
                f"Can't read the stacks of process {self.pid}: {error}.",
                "Where that Python has footfall, start the program with `footfall run`.",
            ) from error
        except OSError as error:
            if error.filename is not None:
                raise FootfallError(
                    "run-unwritable",
                    f"Can't write to {self._directory}: {error.strerror}.",
                    "Run in a directory that you can write to.",
                ) from error
            raise no_such_process(self.pid) from error

    def _free_path(self) -> str:
        number = 0
        while os.path.exists(path := f"{self._directory}/{self.pid}-{number}.smp"):
            number += 1
        return path


def _plus(counts: SampleCounts, stats: dict[str, int]) -> SampleCounts:
    return SampleCounts(
        counts.samples + stats["samples"],
        counts.dropped + stats["torn"] + stats["unreadable"],
        counts.cpu_ns + stats["cpu_ns"],
    )
