"""A note of where a run put its data because it could not write them where they belong, for those who look there later.

It is a file in the user's own cache, or where that can't be written, below the directory of temporary files. Only notes
in directories that nobody else can write to are read.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator

from footfall.files import own_user

__all__ = ["latest_data_file", "note_elsewhere"]

_MOST_BYTES = 1 << 16


def note_elsewhere(data_file: str, where: str) -> None:
    """Note that the data that belong into `data_file` are in the file `where`. Never raises: then there is no note."""
    path = os.path.abspath(data_file)
    for folder in _folders():
        with contextlib.suppress(OSError):
            os.makedirs(folder, mode=0o700, exist_ok=True)
            if not _is_ours(folder):
                continue
            note = os.path.join(folder, _name(path))
            made = f"{note}.{os.getpid()}"
            with open(made, "xb") as file:
                file.write(os.fsencode(os.path.abspath(where)))
            os.replace(made, note)
            return


def latest_data_file(data_file: str) -> str:
    """Return where the latest data are that belong into a file: there, or if they are later, where a note says."""
    found = data_file
    latest = _modified_ns(data_file)
    for folder in _folders():
        with contextlib.suppress(OSError):
            if not _is_ours(folder):
                continue
            with open(os.path.join(folder, _name(os.path.abspath(data_file))), "rb") as file:
                where = os.fsdecode(file.read(_MOST_BYTES))
            if _modified_ns(where) > latest:
                found, latest = where, _modified_ns(where)
    return found


def _folders() -> Iterator[str]:
    """Yield where notes are, best first."""
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if os.path.isabs(caches):
        yield os.path.join(caches, "footfall", "elsewhere")
    temporary = os.environ.get("TMPDIR") or "/tmp"
    yield os.path.join(temporary, f"footfall-{own_user()}")


def _name(path: str) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:32]


def _is_ours(folder: str) -> bool:
    """Return whether others can't put a note there, which would show us data of theirs."""
    status = os.lstat(folder)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == own_user() and not status.st_mode & 0o022


def _modified_ns(path: str) -> int:
    """Return when a file was written; -1 if there is none."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return -1
    return found.st_mtime_ns if stat.S_ISREG(found.st_mode) else -1
