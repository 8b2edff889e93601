"""Open the files that measured processes left in a run directory.

The directory may be open to other users, who may put anything there (observe/children.py): a FIFO that would block the
reader forever, a device, a link to a file that only the reader may read. Called by the readers of this package.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from footfall.errors import FootfallError
from footfall.files import open_flags, own_user

__all__ = ["open_recorded_file", "opened_record", "read_recorded_file"]

_FLAGS = open_flags("O_RDONLY", "O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY")
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a directory",
}
_WHY_UNOPENED = {errno.ELOOP: "a symbolic link", errno.ENXIO: "a socket or a device"}
_MAX_READ_BYTES = 5 << 30  # the longest sample log and its last entry (native/sampler/log.h)


def open_recorded_file(path: str) -> BinaryIO:
    """Open a regular file that a process of this run can have made; never blocks.

    Raises FootfallError (`record-refused`) for any other kind of file, one with a second name, and one of a user who
    has no business there; OSError if it cannot be opened.
    """
    descriptor = _open(path)
    try:
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


@contextmanager
def opened_record(path: str) -> Iterator[int]:
    """Open the same as a descriptor, until the block ends: in a quarter of the time. Raises as above."""
    descriptor = _open(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open(path: str) -> int:
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno in _WHY_UNOPENED:
            raise _refused(path, _WHY_UNOPENED[error.errno]) from error
        raise
    try:
        why = _why_foreign(path, os.fstat(descriptor))
        if why:
            raise _refused(path, why)
        return descriptor
    except BaseException:
        os.close(descriptor)
        raise


def read_recorded_file(path: str) -> bytes | mmap.mmap:
    """Return the file's current contents, mapped if nobody else can truncate it meanwhile; raises as above."""
    with open_recorded_file(path) as file:
        found = os.fstat(file.fileno())
        if found.st_size == 0:
            return b""
        # reading a mapped part of a file that has become shorter causes a SIGBUS
        is_ours = found.st_uid in (0, own_user()) and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if is_ours:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if found.st_size > _MAX_READ_BYTES:
            raise _refused(path, f"{found.st_size} bytes long")
        return file.read(found.st_size)


def _why_foreign(path: str, found: os.stat_result) -> str:
    if not stat.S_ISREG(found.st_mode):
        return _KINDS.get(stat.S_IFMT(found.st_mode), "no regular file")
    if found.st_nlink > 1:
        return "a hard link"  # to a file about which the name here says nothing
    directory = os.stat(os.path.dirname(path) or ".")
    is_shared = directory.st_mode & (stat.S_IWGRP | stat.S_IWOTH)  # if so, a process may have become any user
    if not is_shared and found.st_uid not in (directory.st_uid, own_user(), 0):
        return f"a file of user {found.st_uid}"
    return ""


def _refused(path: str, what: str) -> FootfallError:
    return FootfallError(
        "record-refused",
        f"Left out {path}: it is {what}, which no measured process made.",
        "Remove it, and ask who put it there; the other processes' records are not affected.",
    )
