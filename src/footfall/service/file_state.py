"""Whether a file is still the one that was read, for what the service keeps."""

from __future__ import annotations

import os

__all__ = ["FileState", "file_state"]

FileState = tuple[int, int, int, int]


def file_state(path: str) -> FileState | None:
    """Return what changes when a file is written or replaced; None if there is none."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev
