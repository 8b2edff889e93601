"""Sampling a running process from inside: sys.remote_exec (PEP 768) loads footfall's C core into it.

The process runs a script (observe/sampler/injected.py) when its main thread next runs Python. The script starts the
same sampler as `footfall run`, which writes a log. The sampler runs for a few seconds only, unless we keep extending
its lease in the log's header: it ends when we end, however that happens, and at once when it is told to, whatever the
program does.
"""

from __future__ import annotations

import os
import shutil
import stat
import struct
import sys
import tempfile
import time
from importlib import resources

from footfall import _core
from footfall.attach.asyncio_tables import NO_TABLES, find_task_tables
from footfall.attach.interpreter import RemoteInterpreter, find_interpreter
from footfall.attach.permission import not_permitted
from footfall.attach.procfs import no_such_process, read_stat
from footfall.attach.recording import SampleCounts, SampleOptions
from footfall.errors import FootfallError
from footfall.formats import (
    COUNT_CPU,
    COUNT_FULL,
    COUNT_SAMPLES,
    COUNT_TORN,
    COUNT_UNREADABLE,
    COUNTERS_AT,
    ENTRY_HEAD_BYTES,
    LEASE_AT,
    N_COUNTERS,
)
from footfall.python_tables import DEBUG_WORDS
from footfall.pythons import OWN, can_be_injected, release_name, version_name, version_of

__all__ = ["InjectedSampler", "check_can_inject"]

_ANSWER_SECONDS = 10.0
_STOP_SECONDS = 2.0
_POLL_SECONDS = 0.01
_LEASE_NS = 15_000_000_000
_HEARTBEAT_SECONDS = 1.0
_MAX_LOG_SAMPLES = 1_000_000
_MAX_ANSWER_BYTES = 2000
_COUNTERS = struct.Struct(f"<{N_COUNTERS}Q")
_COUNTERS_PLACE = ENTRY_HEAD_BYTES + COUNTERS_AT
_LEASE_PLACE = ENTRY_HEAD_BYTES + LEASE_AT


def check_can_inject() -> None:
    """Raise FootfallError (`inject-version`) if our own Python has no sys.remote_exec."""
    if not hasattr(sys, "remote_exec"):
        raise FootfallError(
            "inject-version",
            "--inject needs CPython 3.14 or later, in the process and for footfall; this is "
            f"{release_name(sys.hexversion)}.",
            "Leave out --inject: the process is then read from outside.",
        )


class InjectedSampler:
    """Samples the main interpreter of one process from inside.

    Call `start` and then `poll`, several times a second, until that returns False; `stop` at any time, and `close` when
    the logs in `finished` were read. `ended` says why it ended by itself.
    """

    def __init__(self, pid: int, options: SampleOptions) -> None:
        self.pid = pid
        self.finished: list[str] = []
        self.ended = ""
        self.interpreter: RemoteInterpreter | None = None
        self.lacks_tasks = False
        self._options = options
        self._tables = NO_TABLES
        self._log: _Log | None = None
        self._renewal: tuple[_Log, str] | None = None
        """A log to continue in, and the answer that we are waiting for."""
        self._before = SampleCounts(0, 0, 0)
        self._next_heartbeat = 0.0
        self._n_scripts = 0
        self._is_pending = False
        stat_found = read_stat(f"/proc/{pid}/stat")
        if stat_found is None or stat_found.state in "ZX":
            raise no_such_process(pid)
        self._started_at = stat_found.start_ticks
        self._directory = ""
        self._out = ""

    def start(self, *, needs_tasks: bool = False) -> None:
        """Inject the sampler and wait until it runs.

        Raises FootfallError: those of `find_interpreter`, `inject-version`, `inject-disabled`, `inject-container`,
        `inject-unanswered`, `inject-failed`, `async-unsupported`.
        """
        check_can_inject()
        self.interpreter = find_interpreter(self.pid)
        self._check_version(self.interpreter)
        self._check_namespace()
        self._check_enabled(self.interpreter)
        if self._options.with_tasks:
            self._tables = find_task_tables(self.pid, self.interpreter)
        self._make_directory()
        path, answer = self._send_start()
        give_up = time.monotonic() + _ANSWER_SECONDS
        while (text := self._read_answer(answer)) is None:
            if not self._is_same_process():
                raise no_such_process(self.pid)
            if time.monotonic() > give_up:
                raise FootfallError(
                    "inject-unanswered",
                    f"Process {self.pid} did not start the sampler: its main thread has run no Python for "
                    f"{_ANSWER_SECONDS:.0f} s. It waits in C code (a sleep, a lock, a read), or is stopped.",
                    "Try again when it works, or leave out --inject: the process is then read from outside.",
                )
            time.sleep(_POLL_SECONDS)
        self._is_pending = False
        if text != "ok":
            raise FootfallError(
                "inject-failed",
                f"The sampler could not be started in process {self.pid}: {text}.",
                "Leave out --inject: the process is then read from outside.",
            )
        self._log = _Log(path)

    def poll(self) -> bool:
        """Follow the process. Return False once it has ended or no longer samples."""
        log = self._log
        assert log is not None
        now = time.monotonic()
        if self._renewal is not None and self._read_answer(self._renewal[1]) == "ok":
            self._finish_log()
            log = self._log = self._renewal[0]
            self._renewal = None
            self._is_pending = False
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + _HEARTBEAT_SECONDS
            log.extend_lease()
            if not self._is_same_process():
                self.ended = f"process {self.pid} has ended"
            elif not log.is_mapped_by(self.pid) and self._renewal is None:
                self.ended = f"process {self.pid} executed another program, or its Python has ended"
            elif log.has_ended():
                self.ended = f"process {self.pid} samples no longer"
        counters = log.counters()
        if counters[COUNT_FULL]:
            self.ended = f"the log can't be written: {os.strerror(counters[COUNT_FULL])}"
        elif counters[COUNT_SAMPLES] > _MAX_LOG_SAMPLES and self._renewal is None and not self.ended:
            try:
                path, answer = self._send_start()
            except FootfallError as error:  # it is ending, or we may no longer access it
                self.ended = error.message.rstrip(".")
            else:
                self._renewal = (_Log(path), answer)
        if self.ended:
            self.stop()
            return False
        return True

    def counts(self) -> SampleCounts:
        """Return the counts so far."""
        return _plus(self._before, self._log.counters()) if self._log is not None else self._before

    def stop(self) -> None:
        """End sampling; the logs are finished.

        What is left of the sampler in the process is freed if that is possible soon.
        """
        if self._log is None:
            return
        logs = [self._log] if self._renewal is None else [self._log, self._renewal[0]]
        give_up = time.monotonic() + _STOP_SECONDS
        for log in logs:
            log.end_lease()
        while self._is_same_process() and not self._log.has_ended() and time.monotonic() < give_up:
            time.sleep(_POLL_SECONDS)
        if self._renewal is not None and self._renewal[0].exists():
            self._finish_log()
            self._log = self._renewal[0]
        self._renewal = None
        self._finish_log()
        self._log = None
        if self._is_same_process() and not self.ended:
            answer = self._send("stop")
            give_up = time.monotonic() + _STOP_SECONDS
            while self._is_same_process() and time.monotonic() < give_up:
                if self._read_answer(answer) is not None:
                    self._is_pending = False
                    break
                time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """Remove what was made for the process; a script that it has not run yet removes its own files."""
        if not self._directory:
            return
        for name in os.listdir(self._out):
            os.unlink(os.path.join(self._out, name))
        if self._is_pending and self._is_same_process():
            last = self._write_script("forget", self._out)
            try:
                sys.remote_exec(self.pid, last)
                return
            except (OSError, RuntimeError):
                pass  # it has ended
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory = ""

    def _check_version(self, found: RemoteInterpreter) -> None:
        version = version_of(found.version)
        is_old = not can_be_injected(version)
        if version != OWN or is_old:
            name = f"python{version_name(version)}"
            raise FootfallError(
                "inject-version",
                f"Process {self.pid} runs CPython {found.version_text()}, and this footfall "
                f"{release_name(sys.hexversion)}: --inject needs the same minor version on both sides, from 3.14 on.",
                "Leave out --inject: the process is then read from outside."
                if is_old
                else f"Run a footfall that is installed under it: {name} -m footfall attach --inject {self.pid}. "
                "Or leave out --inject.",
            )

    def _check_namespace(self) -> None:
        try:
            is_other = os.readlink(f"/proc/{self.pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt")
        except PermissionError as error:
            raise not_permitted(self.pid) from error
        except OSError as error:
            raise no_such_process(self.pid) from error
        if is_other:
            raise FootfallError(
                "inject-container",
                f"Process {self.pid} is in a container, or has mounts of its own: it does not see our files.",
                "Run a footfall that is installed there, or leave out --inject: the process is then read from outside.",
            )

    def _check_enabled(self, found: RemoteInterpreter) -> None:
        """Read config.remote_debug of the main interpreter."""
        words = DEBUG_WORDS[version_of(found.version)]
        try:
            heads = self._word(found.runtime + 8 * words["runtime_state.interpreters_head"])
            interpreter = self._word(found.runtime + heads)
            place = interpreter + self._word(found.runtime + 8 * words["debugger_support.remote_debugging_enabled"])
            is_enabled = int.from_bytes(_core.read_memory(self.pid, place, 4), "little")
        except PermissionError as error:
            raise not_permitted(self.pid) from error
        except (OSError, OverflowError) as error:
            raise no_such_process(self.pid) from error
        if not is_enabled:
            raise FootfallError(
                "inject-disabled",
                f"Process {self.pid} does not allow remote debugging: its Python was started with "
                "PYTHON_DISABLE_REMOTE_DEBUG or -X disable-remote-debug.",
                "Leave out --inject: the process is then read from outside. Or start it without that setting.",
            )

    def _word(self, address: int) -> int:
        return int.from_bytes(_core.read_memory(self.pid, address, 8), "little")

    def _make_directory(self) -> None:
        """Make the directory for scripts, logs and answers.

        Only we can write scripts; the process writes its log and answers in a subdirectory, as its own user.
        """
        self._directory = tempfile.mkdtemp(prefix="footfall-")
        self._out = os.path.join(self._directory, "out")
        os.mkdir(self._out, 0o700)
        owner = os.stat(f"/proc/{self.pid}")
        if owner.st_uid != os.geteuid():  # we are root, or could not have read the process
            os.chmod(self._directory, 0o711)
            os.chown(self._out, owner.st_uid, owner.st_gid)

    def _send_start(self) -> tuple[str, str]:
        """Start a sampler with a new log; return the log's path, and that of the answer."""
        log = os.path.join(self._out, f"{self.pid}-{self._n_scripts}.smp")
        answer = self._send(
            "start",
            str(_core.__file__),
            log,
            self._options.interval_ns,
            self._options.max_cpu_ppm,
            _LEASE_NS,
            tuple(self._tables) if self._tables.debug else None,
        )
        return log, answer

    def _send(self, action: str, *options: object) -> str:
        """Make the process run a script; return where its answer will be."""
        answer = os.path.join(self._out, f"answer-{self._n_scripts}")
        script = self._write_script(action, answer, *options)
        try:
            sys.remote_exec(self.pid, script)
        except PermissionError as error:
            raise not_permitted(self.pid) from error
        except ProcessLookupError as error:
            raise no_such_process(self.pid) from error
        except (OSError, RuntimeError) as error:
            if not self._is_same_process():
                raise no_such_process(self.pid) from error
            raise FootfallError(
                "inject-failed",
                f"The sampler could not be put into process {self.pid}: {error}.",
                "Leave out --inject: the process is then read from outside.",
            ) from error
        self._is_pending = True
        return answer

    def _write_script(self, action: str, answer: str, *options: object) -> str:
        text = resources.files("footfall.observe.sampler").joinpath("injected.py").read_text(encoding="utf-8")
        script = os.path.join(self._directory, f"{self._n_scripts}.py")
        self._n_scripts += 1
        if action == "forget":
            call = f"run('forget', {answer + '/answer'!r}, {answer!r})"
        else:
            call = f"run({action!r}, {answer!r}, {', '.join(map(repr, options))})"
        with open(script, "x", encoding="utf-8") as file:
            file.write(f"{text}\n\n{call}\n")
        os.chmod(script, 0o644)
        return script

    @staticmethod
    def _read_answer(path: str) -> str | None:
        """Return what the process wrote; None before it has."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            return os.read(descriptor, _MAX_ANSWER_BYTES).decode("utf-8", "replace")
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def _finish_log(self) -> None:
        assert self._log is not None
        self._before = self.counts()
        self._log.close()
        self.finished.append(self._log.path)
        self._log = None

    def _is_same_process(self) -> bool:
        found = read_stat(f"/proc/{self.pid}/stat")
        return found is not None and found.state not in "ZX" and found.start_ticks == self._started_at


class _Log:
    """The header of a log that the process writes: the counters, and until when the sampler runs."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = -1

    def exists(self) -> bool:
        """Return whether the process has created it."""
        return self._open() >= 0

    def counters(self) -> tuple[int, ...]:
        """Return the counters in its header, all 0 before it exists."""
        file = self._open()
        found = os.pread(file, _COUNTERS.size, _COUNTERS_PLACE) if file >= 0 else b""
        return _COUNTERS.unpack(found) if len(found) == _COUNTERS.size else (0,) * N_COUNTERS

    def has_ended(self) -> bool:
        """Return whether the sampling thread has reported that it has ended."""
        file = self._open()
        return file >= 0 and os.pread(file, 8, _LEASE_PLACE) == bytes(8)

    def extend_lease(self) -> None:
        """Extend the sampler's lease; does nothing if it has ended."""
        if not self.has_ended():
            self._write_lease(time.clock_gettime_ns(time.CLOCK_MONOTONIC) + _LEASE_NS)

    def end_lease(self) -> None:
        """Make the sampler end at its next tick."""
        if not self.has_ended():
            self._write_lease(1)

    def is_mapped_by(self, pid: int) -> bool:
        """Return whether the process still has it open."""
        try:
            with open(f"/proc/{pid}/maps", "rb") as file:
                return os.fsencode(self.path) in file.read()
        except OSError:
            return False

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write_lease(self, moment_ns: int) -> None:
        file = self._open()
        if file >= 0:
            os.pwrite(file, moment_ns.to_bytes(8, "little"), _LEASE_PLACE)

    def _open(self) -> int:
        """Open the log; its directory belongs to the process's user, who may put anything in its place."""
        if self._file < 0:
            try:
                file = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            except OSError:
                return -1
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1 or found.st_size < _LEASE_PLACE + 8:
                os.close(file)
                return -1
            self._file = file
        return self._file


def _plus(counts: SampleCounts, counters: tuple[int, ...]) -> SampleCounts:
    return SampleCounts(
        counts.samples + counters[COUNT_SAMPLES],
        counts.dropped + counters[COUNT_TORN] + counters[COUNT_UNREADABLE],
        counts.cpu_ns + counters[COUNT_CPU],
    )
