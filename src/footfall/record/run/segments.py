"""Read the entries of a segment log, the container of record files and sample logs (docs/formats.md).

The writer is native/record/maplog.c. A log whose writer was killed, or is still writing, ends at its last complete
entry; a log with a damaged entry is read up to that entry. The typed readers know what the entries mean.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
from collections.abc import Iterator

from footfall.errors import FootfallError
from footfall.formats import ENTRY_END, ENTRY_PADDING, MAGIC, RECORD_HEADER
from footfall.record.run.node_table import Taker
from footfall.record.run.untrusted_file import read_recorded_file

__all__ = ["follow_entries", "read_at", "read_entries", "sentence_of_stop"]

_ENTRY = struct.Struct("<II")
_CHUNK_BYTES = 1 << 18  # no entry of a sample log is longer, except one with a line table of that size
_RELEASED_BYTES = 16 << 20
_MAX_ERRNO = 4096
_OUT_OF_REACH = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS)
"""Errors of a process that may no longer write where it did: the reason is not a full disk."""
_MAX_KIND = 255  # a higher kind is damage, not a newer format: the header has the format's version


def read_entries(
    path: str, damage: list[str] | None = None, taker: Taker | None = None
) -> Iterator[tuple[int, memoryview]]:
    """Yield (kind, payload) in the order of the log; nothing if its writer died before writing the header.

    Payloads are views of the file and stay valid while they are referenced. What `taker` takes is not yielded. If
    something stops the reading before the end, a sentence about it is appended to `damage`. Raises FootfallError
    (`record-corrupt`) if the file is not a segment log, (`record-refused`) if no measured process made it, and OSError
    if it cannot be opened.
    """
    data = read_recorded_file(path)
    view = memoryview(data)
    _check_header(path, view)
    at = 0
    next_release = _RELEASED_BYTES
    n_bytes, head_bytes, unpack = len(view), _ENTRY.size, _ENTRY.unpack_from  # there may be millions of entries
    taken, take = taker or (None, None)
    while at + head_bytes <= n_bytes:
        if at >= next_release:
            _release(data, next_release)
            next_release = at // _RELEASED_BYTES * _RELEASED_BYTES + _RELEASED_BYTES
        kind, size = unpack(view, at)
        if kind == ENTRY_END:
            return
        if kind == taken and take is not None and (end := take(view, at)) > at:
            at = end
            continue
        start = at + head_bytes
        if start + size > n_bytes:
            _note(damage, f"{path} is cut off within its entry at byte {at}.")
            return
        if kind != ENTRY_PADDING:
            if kind > _MAX_KIND:
                _note(damage, f"{path} is damaged at byte {at}: no entry has the kind {kind}.")
                return
            yield kind, view[start : start + size]
        at = start + (size + 7) // 8 * 8
    if at < n_bytes:
        _note(damage, f"{path} is cut off at byte {at}.")


def follow_entries(descriptor: int, at: int) -> Iterator[tuple[int, int | None, memoryview]]:
    """Yield (place, kind, payload) of the complete entries from `at` on; last (place to continue from, None, b"").

    For a log that is being written; a log with damage ends there.
    """
    nothing = memoryview(b"")
    wanted = _CHUNK_BYTES
    while True:
        chunk = memoryview(read_at(descriptor, wanted, at))
        here = 0
        while here + _ENTRY.size <= len(chunk):
            kind, size = _ENTRY.unpack_from(chunk, here)
            if kind == ENTRY_END or (kind > _MAX_KIND and kind != ENTRY_PADDING):
                yield at + here, None, nothing
                return
            start = here + _ENTRY.size
            if kind != ENTRY_PADDING and start + size > len(chunk):
                break
            if kind != ENTRY_PADDING:
                yield at + here, kind, chunk[start : start + size]
            here = start + (size + 7) // 8 * 8
        if len(chunk) < wanted or here == 0:
            if len(chunk) == wanted and wanted < 1 << 26:
                wanted *= 4  # the entry is longer than the chunk
                continue
            yield at + here, None, nothing
            return
        wanted = _CHUNK_BYTES
        at += here


def read_at(descriptor: int, n_bytes: int, place: int) -> bytes:
    """Return that many bytes at a place in a file, fewer at its end. Other reads must give their place, too."""
    if hasattr(os, "pread"):
        return os.pread(descriptor, n_bytes, place)
    os.lseek(descriptor, place, os.SEEK_SET)
    return os.read(descriptor, n_bytes)


def sentence_of_stop(what: str, stopped_errno: int) -> str:
    """Say why recording stopped, from the errno in a header (which damage may have changed), and what to do."""
    reason = os.strerror(stopped_errno) if stopped_errno < _MAX_ERRNO else f"error {stopped_errno}"
    next_step = "" if stopped_errno in _OUT_OF_REACH else "; free space there and run again"
    return f"{what}: {reason}. What it recorded before is kept{next_step}."


def _release(data: bytes | mmap.mmap, end: int) -> None:
    """Release the memory of what was read of a mapped file; parts that are accessed again are read again."""
    if isinstance(data, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        data.madvise(mmap.MADV_DONTNEED, end - _RELEASED_BYTES, _RELEASED_BYTES)


def _check_header(path: str, view: memoryview) -> None:
    if len(view) < _ENTRY.size or _ENTRY.unpack_from(view)[0] == ENTRY_END:
        return
    kind, size = _ENTRY.unpack_from(view)
    if kind != RECORD_HEADER or size < len(MAGIC) or bytes(view[8 : 8 + len(MAGIC)]) != MAGIC:
        raise FootfallError(
            "record-corrupt",
            f"{path} is not a file that footfall recorded.",
            "Remove it, and run again where its data is needed.",
        )


def _note(damage: list[str] | None, sentence: str) -> None:
    if damage is not None:
        damage.append(sentence)
