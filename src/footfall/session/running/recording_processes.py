"""Which processes record into a run directory now: those that have it mapped. Used while a command runs and after."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["is_recording", "recording_pids"]


def recording_pids(directory: Path) -> list[int]:
    """Return the ids of the processes that record into a run directory, lowest first."""
    names = (entry.name.partition("-")[0] for entry in directory.glob("*.rec"))
    return [pid for pid in sorted({int(name) for name in names if name.isdecimal()}) if is_recording(pid, directory)]


def is_recording(pid: int, directory: Path) -> bool:
    """Return whether a process has a file of the run directory mapped; False if it has ended."""
    try:
        return os.fsencode(directory) in Path(f"/proc/{pid}/maps").read_bytes()
    except OSError:
        return False
