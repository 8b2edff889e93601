"""This machine: its name, the room on its disks, its processes. What is asked in another way is so for Windows."""

from __future__ import annotations

import os

from footfall.files import IS_WINDOWS

__all__ = ["free_bytes", "host_name", "process_exists"]


def free_bytes(folder: str | os.PathLike[str]) -> int:
    """Return how much more files may hold in the file system of a folder. Raises OSError."""
    if hasattr(os, "statvfs"):
        system = os.statvfs(folder)
        return system.f_bavail * system.f_frsize
    import shutil

    return shutil.disk_usage(folder).free


def host_name() -> str:
    """Return the name of this machine in its network."""
    if hasattr(os, "uname"):
        return os.uname().nodename
    import socket  # only here: it takes longer than most commands

    return socket.gethostname()


def process_exists(pid: int) -> bool:
    """Return whether there is a process of that number, whoever owns it."""
    if IS_WINDOWS:
        return _is_open_on_windows(pid)
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _is_open_on_windows(pid: int) -> bool:
    """As `process_exists`: there `os.kill` with 0 would send Ctrl-C."""
    import _winapi as windows

    try:
        handle = windows.OpenProcess(windows.SYNCHRONIZE, False, pid)  # type: ignore[attr-defined]
    except PermissionError:
        return True
    except OSError:
        return False
    try:
        ended: int = windows.WAIT_OBJECT_0  # type: ignore[attr-defined]
        return bool(windows.WaitForSingleObject(handle, 0) != ended)  # type: ignore[attr-defined]
    finally:
        windows.CloseHandle(handle)  # type: ignore[attr-defined]
