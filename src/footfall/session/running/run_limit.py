"""How long `footfall run` lets a command run: a time, or a number of samples. Then it ends it, as `timeout` does.

It sends SIGTERM to the command and to every process that records, and kills what is left some seconds later. That
loses nothing that was recorded. `supervise.run_command` calls it from time to time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from footfall.errors import FootfallError
from footfall.record.run.sample_log import count_samples
from footfall.session.running.recording_processes import recording_pids

__all__ = ["RunLimit"]

_GRACE_SECONDS: Final = 10.0
_KILL: Final = getattr(signal, "SIGKILL", signal.SIGTERM)
_ENDINGS: Final = frozenset({-signal.SIGTERM, -_KILL} if hasattr(signal, "SIGKILL") else {int(signal.SIGTERM)})
"""On Windows a process that gets a signal ends with its number as the status."""


class RunLimit:
    """`seconds` and `n_samples` are None if there is no such limit. Time starts when this is created."""

    def __init__(self, directory: Path, seconds: float | None, n_samples: int | None) -> None:
        self.reached = ""
        """Why the command was ended, for readers; "" if it was not."""
        self._directory = directory
        self._seconds = seconds
        self._n_samples = n_samples
        self._begin = time.monotonic()
        self._ended_at: float | None = None

    def check_or_none(self) -> Callable[[int], None] | None:
        """Return `check`, or None if nothing limits the command and no check is needed."""
        return None if self._seconds is None and self._n_samples is None else self.check

    def check(self, pid: int) -> None:
        """End the command, whose process is `pid`, when the limit is reached. Called often; sends each signal once."""
        now = time.monotonic()
        if self._ended_at is None:
            self.reached = self._find_reason(now)
            if self.reached:
                self._ended_at = now
                self._send(pid, signal.SIGTERM)
        elif now - self._ended_at > _GRACE_SECONDS:
            self._ended_at = now
            self._send(pid, _KILL)

    def was_by_us(self, status: int) -> bool:
        """Return whether a command that ended with `status` (see `Ended`) was ended here."""
        return bool(self.reached) and status in _ENDINGS

    def _find_reason(self, now: float) -> str:
        if self._seconds is not None and now - self._begin >= self._seconds:
            return f"after {self._seconds:g} s"
        if self._n_samples is not None and self._count_samples() >= self._n_samples:
            return f"after {self._n_samples} samples"
        return ""

    def _count_samples(self) -> int:
        """Return how many samples all processes have taken."""
        found = 0
        for path in self._directory.glob("*.smp"):
            with contextlib.suppress(OSError, FootfallError):  # of an ending process, or not a log: reported at the end
                found += count_samples(str(path))
        return found

    def _send(self, pid: int, number: signal.Signals) -> None:
        for each in dict.fromkeys((pid, *recording_pids(self._directory))):
            if each != os.getpid():
                with contextlib.suppress(OSError):
                    os.kill(each, number)
