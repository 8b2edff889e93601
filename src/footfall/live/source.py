"""What the live screen follows: a running process, or a command that is started for it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from typing import IO

from footfall.attach.procfs import descendants, nothing_runs_python
from footfall.attach.recording import OutsideSampler, SampleOptions
from footfall.errors import FootfallError
from footfall.live.model import LiveModel

__all__ = ["CommandSource", "ProcessSource"]

_GRACE_SECONDS = 5.0


class ProcessSource:
    """Processes sampled from outside, into logs of `directory`."""

    def __init__(self, pid: int, directory: str, options: SampleOptions, model: LiveModel, *, children: bool) -> None:
        self._pid = pid
        self._directory = directory
        self._options = options
        self._model = model
        self._children = children
        self._samplers: dict[int, OutsideSampler] = {}
        try:
            self._add(pid)
        except FootfallError as error:
            if not children or error.slug != "attach-not-python":
                raise
            self._add_children()
            if not self._samplers:
                raise nothing_runs_python(pid) from error

    def poll(self) -> bool:
        """Update the model. Return False when all processes have ended."""
        if self._children:
            self._add_children()
        ended = [pid for pid, sampler in self._samplers.items() if not sampler.poll()]
        self._model.read(LiveModel.logs_of(self._directory))
        for sampler in self._samplers.values():
            for path in sampler.finished:
                with contextlib.suppress(OSError):
                    os.unlink(path)
            sampler.finished.clear()
        for pid in ended:
            del self._samplers[pid]
        return bool(self._samplers)

    def pids(self) -> list[int]:
        """Return the processes that are sampled."""
        return list(self._samplers)

    def close(self) -> None:
        """Stop sampling."""
        for sampler in self._samplers.values():
            sampler.stop()

    def _add(self, pid: int) -> None:
        sampler = OutsideSampler(pid, self._directory, self._options)
        sampler.start()
        self._samplers[pid] = sampler

    def _add_children(self) -> None:
        for pid in descendants(self._pid):
            if pid not in self._samplers and pid != os.getpid():
                with contextlib.suppress(FootfallError):
                    self._add(pid)


class CommandSource:
    """A command that measures itself into a run directory; its output goes to a file, because the screen is in use."""

    def __init__(
        self, program: list[str], environment: Mapping[str, str], directory: str, output: IO[bytes], model: LiveModel
    ) -> None:
        self._directory = directory
        self._model = model
        try:
            self.process = subprocess.Popen(
                program,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise FootfallError(
                "cant-start", f"Can't start {program[0]}: {error.strerror}.", "Check that it runs without footfall."
            ) from error

    def poll(self) -> bool:
        """Update the model. Return False when the command has ended."""
        has_ended = self.process.poll() is not None
        self._model.read(LiveModel.logs_of(self._directory))
        return not has_ended

    def pids(self) -> list[int]:
        """Return the command's process, and those that it has started."""
        pid = self.process.pid
        return [pid, *descendants(pid)] if self.process.poll() is None else []

    def close(self) -> None:
        """End the command, and all processes that it started in its session."""
        if self.process.poll() is None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(_GRACE_SECONDS)
                    return
