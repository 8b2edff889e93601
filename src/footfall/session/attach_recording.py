"""Record processes from outside: the loop that follows them and merges finished logs into the profile.

Logs go to a run directory. Each is merged when it is finished, and removed once it is in the data file, which is
written about once a minute. So a recording of hours keeps little at any time, and loses nothing when it is killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NamedTuple

from footfall.analyze.profile.calltree import ProfileBuilder
from footfall.attach.inject import InjectedSampler
from footfall.attach.procfs import descendants, read_stat, used_cpu_ns, waited_cpu_ns
from footfall.attach.recording import OutsideSampler, SampleCounts, SampleOptions
from footfall.config.configuration import Config
from footfall.errors import EXIT_ENVIRONMENT, FootfallError
from footfall.record.run.directory import RunDirectory, make_run_directory, remove_run_directory, settings_from_config
from footfall.record.run.sample_log import SampleLog, read_sample_log
from footfall.report.words import plural
from footfall.session.output import print_message

__all__ = ["AttachLimits", "record"]

_POLL_SECONDS = 0.05
_CHILDREN_SECONDS = 0.01
_MAX_CHILDREN_SHARE = 0.05
"""The share of the time that looking for children may take."""
_FIRST_RETRY_SECONDS = 0.02
_MAX_RETRY_SECONDS = 1.0
_MISSED_NS = 100_000_000
_MISSED_SHARE = 0.1
"""CPU time of children that was not sampled is mentioned if it exceeds both _MISSED_NS and this share of theirs."""
_SHOW_SECONDS = 0.5
_WRITE_SECONDS = 60.0
_ENDING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


class AttachLimits(NamedTuple):
    """What to record, and until when. `until` is a time of time.monotonic()."""

    until: float | None
    max_samples: int | None
    interval_ns: int
    max_cpu_ppm: int
    children: bool
    pause: bool
    with_tasks: bool = False
    inject: bool = False


def record(pid: int, limits: AttachLimits, config: Config, data_file: str, *, is_quiet: bool) -> int:
    """Record until a limit, a signal or the end of the last process; write the data file. Returns the exit status.

    Raises FootfallError if the process can't be read or the results can't be written.
    """
    directory = make_run_directory(settings_from_config(config, cover=False))
    recording = _Recording(pid, limits, directory, data_file)
    try:
        with _ending_signals() as signals:
            recording.start()
            recording.run(signals, is_quiet=is_quiet)
            recording.stop()
            status = recording.finish(config, is_quiet=is_quiet)
    except BaseException:
        recording.abandon()
        if not directory.has_records():
            remove_run_directory(directory)
        raise
    finally:
        recording.clean_up()
    remove_run_directory(directory)
    return status


@contextlib.contextmanager
def _ending_signals() -> Iterator[list[int]]:
    """Collect the signals that end a recording, instead of being killed by them."""
    received: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    before = {number: signal.signal(number, note) for number in _ENDING}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


class _Refusal(NamedTuple):
    """A process that could not be sampled (yet). `until` is a time of time.monotonic()."""

    until: float
    seconds: float


def _start_ticks(pid: int) -> int:
    """Return when a process started; -1 if it does not exist."""
    stat = read_stat(f"/proc/{pid}/stat")
    return -1 if stat is None or stat.state in "ZX" else stat.start_ticks


class _Recording:
    """Samplers by pid, and the profile so far."""

    def __init__(self, pid: int, limits: AttachLimits, directory: RunDirectory, data_file: str) -> None:
        self._pid = pid
        self._limits = limits
        self._directory = directory
        self._data_file = data_file
        self._options = SampleOptions(limits.interval_ns, limits.max_cpu_ppm, limits.pause, limits.with_tasks)
        self._samplers: dict[int, OutsideSampler | InjectedSampler] = {}
        self._injected: list[InjectedSampler] = []
        self._refused: dict[int, _Refusal] = {}
        self._root_ticks = _start_ticks(pid)
        self._seen: set[int] = set()
        self._ended: set[int] = set()
        self._cpu_before: dict[int, int] = {}
        self._waited_before = self._waited_now = waited_cpu_ns(pid)
        self._builder = ProfileBuilder(self._path_of)
        self._cwds: dict[int, str] = {}
        self._known_pids: set[int] = set()
        self._before = SampleCounts(0, 0, 0)
        self._started = time.monotonic()
        self._next_children = 0.0
        self._next_write = self._started + _WRITE_SECONDS
        self._worked_in: list[str] = []
        self._messages: list[str] = []

    def start(self) -> None:
        """Start sampling the process, and with `children` its descendants."""
        try:
            self._add(self._pid)
        except FootfallError as error:
            if not self._limits.children or error.slug != "attach-not-python":
                raise
        if self._limits.children:
            self._cpu_before = {pid: used_cpu_ns(pid) for pid in descendants(self._pid)}
            self._add_children()

    def run(self, signals: list[int], *, is_quiet: bool) -> None:
        """Follow the processes until there is a reason to stop."""
        if not is_quiet and not self._samplers:
            print_message(
                f"footfall: Process {self._pid} runs no Python yet, nor does what it started: waiting for that;"
                " Ctrl-C ends it."
            )
        is_announced = is_quiet
        with _status_line(is_quiet=is_quiet) as show:
            next_show = 0.0
            while not signals and self._keep_up():
                if not is_announced and self._samplers:
                    is_announced = True
                    print_message(f"footfall: sampling {self._describe()}; Ctrl-C ends it.")
                now = time.monotonic()
                counts = self._counts()
                if self._limits.until is not None and now >= self._limits.until:
                    return
                if self._limits.max_samples is not None and counts.samples >= self._limits.max_samples:
                    return
                if show is not None and now >= next_show:
                    next_show = now + _SHOW_SECONDS
                    show(f"{counts.samples} samples, {counts.dropped} dropped, {now - self._started:.0f} s")
                time.sleep(_POLL_SECONDS if not self._limits.children else max(self._next_children - now, 0.001))

    def stop(self) -> None:
        """Stop all samplers; `finish` merges their logs."""
        for sampler in self._samplers.values():
            sampler.stop()

    def finish(self, config: Config, *, is_quiet: bool) -> int:
        """Write the data file and show the summary. Returns the exit status."""
        from footfall.analyze.resolved_run import RunData
        from footfall.session.summary import show_summary

        for sampler in self._samplers.values():
            self._fold(sampler)
        profile = self._builder.profile
        if self._limits.children:
            self._messages += self._children_messages()
        if not is_quiet:
            for message in self._messages:
                print_message(f"footfall: {message}.")
        if not profile.n_samples:
            dropped = self._counts().dropped
            why = "it ended, or was not looked at long enough."
            if dropped:
                why = f"no stack could be read whole in {dropped} looks. Try --pause."
            elif not self._cwds:
                why = "it ran no Python, nor did what it started."
            print_message(f"footfall: No samples of process {self._pid} were taken: {why} [nothing-sampled]")
            return EXIT_ENVIRONMENT
        self._write()
        if not is_quiet:
            show_summary(RunData(profile=profile), config, self._data_file)
        return 0

    def abandon(self) -> None:
        """Release all processes. Logs that were not merged stay, except those of `inject`."""
        self.stop()

    def clean_up(self) -> None:
        """Remove what was made for `inject` outside the run directory."""
        for sampler in self._injected:
            with contextlib.suppress(OSError):
                sampler.close()

    def _describe(self) -> str:
        texts = []
        for sampler in self._samplers.values():
            assert sampler.interpreter is not None
            texts.append(f"process {sampler.pid} (CPython {sampler.interpreter.version_text()})")
        more = f" and {len(texts) - 3} more" if len(texts) > 3 else ""
        return ", ".join(texts[:3]) + more

    def _children_messages(self) -> list[str]:
        """Return messages that say how much was seen of the process's descendants."""
        if not self._seen:
            return ["it was not seen to start a process"]
        costs = self._builder.profile.costs
        threads = self._builder.profile.threads
        sampled = {threads[thread].pid for _, thread, _ in costs} & self._seen
        found = [f"{len(sampled)} of {plural(len(self._seen), 'child process', 'child processes')} gave samples"]
        cpu_ns = sum(cost.cpu_ns for (_, thread, _), cost in costs.items() if threads[thread].pid in self._ended)
        before_ns = sum(self._cpu_before.get(pid, 0) for pid in self._ended)
        waited_ns = self._waited_now - self._waited_before - before_ns
        if waited_ns - cpu_ns > max(_MISSED_NS, waited_ns * _MISSED_SHARE):
            found.append(
                f"the children that ended used {waited_ns / 1e9:.2f} s of CPU time, of which {cpu_ns / 1e9:.2f} s were"
                " sampled: a process that ends soon is found late, or not at all."
                " `footfall run` records all of it"
            )
        return found

    def _add(self, pid: int) -> None:
        sampler: OutsideSampler | InjectedSampler
        if self._limits.inject:
            sampler = InjectedSampler(pid, self._options)
            self._injected.append(sampler)
        else:
            sampler = OutsideSampler(pid, str(self._directory.path), self._options)
        if pid == self._pid:
            sampler.start(needs_tasks=True)
        else:
            assert isinstance(sampler, OutsideSampler)
            sampler.start(waits=False)
        self._samplers[pid] = sampler
        if sampler.lacks_tasks:
            self._messages.append(f"process {pid} is sampled without its tasks, which only CPython 3.12+ tells")
        with contextlib.suppress(OSError):
            self._cwds[pid] = os.readlink(f"/proc/{pid}/cwd")

    def _add_children(self) -> None:
        """Start sampling new descendants; those that are not Python (yet) are tried again later."""
        now = time.monotonic()
        cpu_before = time.thread_time()
        found = descendants(self._pid, self._samplers)
        taken = time.thread_time() - cpu_before
        self._next_children = now + max(_CHILDREN_SECONDS, taken / _MAX_CHILDREN_SHARE)
        if self._pid not in self._samplers and self._is_root_there():
            found.append(self._pid)  # it may still exec a Python
        for pid in found:
            refusal = self._refused.get(pid)
            if pid in self._samplers or pid == os.getpid() or (refusal is not None and now < refusal.until):
                continue
            if pid != self._pid:
                self._seen.add(pid)
            try:
                self._add(pid)
                self._refused.pop(pid, None)
            except FootfallError as error:
                if error.slug in ("attach-forbidden", "attach-unsupported") and refusal is None:
                    self._messages.append(str(error).partition(" [")[0].rstrip("."))
                seconds = _FIRST_RETRY_SECONDS if refusal is None else min(2 * refusal.seconds, _MAX_RETRY_SECONDS)
                self._refused[pid] = _Refusal(now + seconds, seconds)
        self._waited_now = max(self._waited_now, waited_cpu_ns(self._pid))

    def _is_root_there(self) -> bool:
        return self._root_ticks >= 0 and _start_ticks(self._pid) == self._root_ticks

    def _keep_up(self) -> bool:
        """Update each process. Returns False when the last has ended."""
        for pid, sampler in list(self._samplers.items()):
            goes_on = sampler.poll()
            self._fold(sampler)
            if not goes_on:
                self._before = SampleCounts(*map(sum, zip(self._before, sampler.counts(), strict=True)))
                if pid == self._pid or not sampler.ended.endswith("has ended"):
                    self._messages.append(sampler.ended)
                self._ended.add(pid)
                del self._samplers[pid]
        if self._limits.children and time.monotonic() >= self._next_children:
            self._add_children()
        return bool(self._samplers) or (self._limits.children and self._is_root_there())

    def _counts(self) -> SampleCounts:
        found = self._before
        for sampler in self._samplers.values():
            found = SampleCounts(*map(sum, zip(found, sampler.counts(), strict=True)))
        return found

    def _fold(self, sampler: OutsideSampler | InjectedSampler) -> None:
        """Merge finished logs into the profile."""
        while sampler.finished:
            path = sampler.finished.pop(0)
            log = read_sample_log(path)
            self._builder.add(log, {}, is_continued=log.pid in self._known_pids)
            self._known_pids.add(log.pid)
            self._worked_in.append(path)
        if self._worked_in and time.monotonic() >= self._next_write:
            self._write()

    def _write(self) -> None:
        from footfall.analyze.profile.rows import rows_from_profile
        from footfall.record.data.coverage_tables import write_coverage
        from footfall.record.data.profile_tables import write_profile

        with write_coverage(self._data_file, {}, has_arcs=False, touched=set()) as connection:
            write_profile(connection, rows_from_profile(self._builder.profile), self._directory.identity())
        for path in self._worked_in:
            os.unlink(path)
        self._worked_in.clear()
        self._next_write = time.monotonic() + _WRITE_SECONDS

    def _path_of(self, log: SampleLog, filename: str) -> str:
        if not filename or filename.startswith("<") or log.pid not in self._cwds:
            return filename
        return os.path.normpath(os.path.join(self._cwds[log.pid], filename))


@contextlib.contextmanager
def _status_line(*, is_quiet: bool) -> Iterator[Callable[[str], None] | None]:
    """Yield a function that redraws one line of text; None if nobody would see it."""
    if is_quiet or sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM", "") == "dumb":
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield status.update
