"""The bytes of a measured source, a file or a member of an archive. By now there may be anything in its place.

Called after the run, by `resolve` and the reports.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Final

__all__ = ["has_source", "read_source_file"]

_MAX_BYTES: Final = 64 << 20  # compiling this much takes about 10 GB of memory
_TOO_LARGE: Final = "it has more than 64 MB"


def read_source_file(path: str) -> bytes:
    """Return a source's content. Raises OSError if it does not exist, is not a regular file, or exceeds 64 MB."""
    try:
        return _read_file(path)
    except NotADirectoryError:
        content = _read_member(path)
        if content is None:
            raise
        return content
    except ValueError as error:  # a null byte in the name, or a character that the system's encoding lacks
        raise OSError(errno.EINVAL, str(error)) from error


def has_source(path: str) -> bool:
    """Return whether there is a regular file of that name, or an archive that may have it. Costs a few `stat` calls."""
    return os.path.isfile(path) or _find_archive(path) is not None


def _read_file(path: str) -> bytes:
    found = os.stat(path)  # before opening: a device may react to that, a pipe may block
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    if found.st_size > _MAX_BYTES:
        raise OSError(errno.EFBIG, _TOO_LARGE)
    with open(path, "rb") as file:
        content = file.read(found.st_size + 1)  # not the most at once: PyPy takes the memory before it reads
        if len(content) > found.st_size:
            content += file.read(_MAX_BYTES - len(content))
    return content


def _find_archive(path: str) -> str | None:
    """Return the first of the directories in a path that is really a file; None if there is none."""
    archive = os.path.dirname(path)
    while len(archive) > 1 and not os.path.exists(archive):
        archive = os.path.dirname(archive)
    return archive if os.path.isfile(archive) else None


def _read_member(path: str) -> bytes | None:
    """Return what a zip file, whatever its name, has at a path that continues inside it; None if it has nothing."""
    archive = _find_archive(path)
    if archive is None:
        return None
    import zipfile  # needed only here

    try:
        with zipfile.ZipFile(archive) as members:
            member = members.getinfo(path[len(archive) + 1 :])
            if member.file_size > _MAX_BYTES:
                raise OSError(errno.EFBIG, _TOO_LARGE)
            return members.read(member)
    except (KeyError, ValueError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile):
        return None  # damaged, encrypted, or compressed in an unknown way
