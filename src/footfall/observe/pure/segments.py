"""A log of entries in mapped segments, without the C core: the container of record files and sample logs
(docs/formats.md). With the core it is native/record/maplog.c.

The mapping is the file, so what was stored survives any death of the process. A signal handler may interrupt an append,
and raise: a place is reserved before anything is done with it, and one that stays empty is marked as such: readers
stop at an entry without a kind. Callers that several threads may enter have a lock of their own.
"""

import mmap
import os
import sys
from _struct import pack_into

from footfall.files import open_flags, system
from footfall.formats import ENTRY_HEAD_BYTES, ENTRY_PADDING, FIRST_SEGMENT_BYTES, SEGMENT_BYTES
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

__all__ = ["TO_ENLARGE", "Segment", "SegmentLog", "fill_file", "sized"]

_MAPS_COPIES = sys.platform == "emscripten"
"""There, a mapping is a copy, which goes into the file when it is flushed, by the descriptor it was made from."""
_LEAST_GROWTH_BYTES = max(FIRST_SEGMENT_BYTES, mmap.ALLOCATIONGRANULARITY)  # of Windows 64 KiB, elsewhere a page
_ZEROS = bytes(FIRST_SEGMENT_BYTES)
TO_ENLARGE = open_flags("O_RDWR", "O_NOFOLLOW")
"""How a log's file is opened, which exists and is no link."""


class Segment(mmap.mmap):
    """A part of a file in memory. Code whose probes store into it has it as a constant, and may be pickled by value."""

    def __reduce__(self) -> "tuple[type, tuple[()]]":
        return dict, ()


class SegmentLog:
    """A new file that grows by segments. Raises FileExistsError if there is one of that name, OSError otherwise."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.file_bytes = 0
        self.first_segment: mmap.mmap | None = None
        self._segment: mmap.mmap | None = None
        self._copies: list[mmap.mmap] = []
        self._used = 0
        system.close(system.open(path, open_flags("O_RDWR", "O_CREAT", "O_EXCL"), 0o666))

    def append(self, kind: int, payload: "bytes | bytearray") -> "tuple[mmap.mmap, int]":
        """Write an entry, its kind last; return the segment and the offset of the payload in it. Raises OSError."""
        needed = _entry_bytes(payload)
        self.reserve(needed)
        segment, at = self._segment, self._used
        self._used = at + needed
        assert segment is not None
        start = at + ENTRY_HEAD_BYTES
        try:
            segment[start : start + len(payload)] = bytes(payload)
            pack_into("<I", segment, at + 4, len(payload))
            pack_into("<I", segment, at, kind)
        except BaseException:
            pack_into("<2I", segment, at, ENTRY_PADDING, needed - ENTRY_HEAD_BYTES)
            raise
        return segment, start

    def has_room_for(self, payload: "bytes | bytearray") -> bool:
        """Return whether the entry can be appended without a call of the system."""
        return self._has_room(_entry_bytes(payload))

    def reserve(self, n_bytes: int) -> None:
        """Have room for that much without a call of the system. Raises OSError."""
        if not self._has_room(n_bytes):
            self._map_more(self._growth_bytes(n_bytes))

    def _has_room(self, n_bytes: int) -> bool:
        return self._segment is not None and self._used + n_bytes <= len(self._segment)

    def flush(self) -> None:
        """Let readers of the file see what was stored until now, also where a mapping is a copy."""
        for segment in self._copies:
            segment.flush()

    def _growth_bytes(self, needed: int) -> int:
        """Return how much the file grows, as in native/record/maplog.c.

        Makes nothing that the garbage collector counts, such as arguments of `max` (see collector.py).
        """
        step = self.file_bytes if self.file_bytes < SEGMENT_BYTES else SEGMENT_BYTES
        if step < _LEAST_GROWTH_BYTES:
            step = _LEAST_GROWTH_BYTES
        return (needed + step - 1) // step * step

    def _map_more(self, size: int) -> None:
        fd = system.open(self.path, TO_ENLARGE)
        taken = [fd]
        try:
            while taken[-1] <= 2:  # numbers of standard streams that are closed: the program may write there
                taken.append(system.dup(taken[-1]))
            # Reserve the space first: a store into a sparse mapping on a full disk would cause a SIGBUS.
            fill_file(fd, self.file_bytes, size)
            segment = Segment(fd, size, offset=self.file_bytes)
        finally:
            for each in () if _MAPS_COPIES else taken:
                system.close(each)
        if self._segment is not None and self._used + ENTRY_HEAD_BYTES <= len(self._segment):
            pack_into("<I", self._segment, self._used + 4, len(self._segment) - self._used - ENTRY_HEAD_BYTES)
            pack_into("<I", self._segment, self._used, ENTRY_PADDING)
        if self.file_bytes == 0:
            self.first_segment = segment
        if _MAPS_COPIES:
            self._copies.append(segment)
        self._segment, self._used, self.file_bytes = segment, 0, self.file_bytes + size


def _entry_bytes(payload: "bytes | bytearray") -> int:
    return ENTRY_HEAD_BYTES + (len(payload) + 7) // 8 * 8


def fill_file(descriptor: int, start: int, size: int) -> None:
    """Extend a file by zeros. Raises OSError."""
    reserve = getattr(system, "posix_fallocate", None)
    if reserve is not None:
        errno = reserve(descriptor, start, size)
        if errno:  # PyPy returns the error number and does not raise
            raise OSError(errno, os.strerror(errno))
        return
    system.lseek(descriptor, start, 0)
    for at in range(start, start + size, len(_ZEROS)):
        system.write(descriptor, _ZEROS[: start + size - at])


def sized(data: bytes) -> bytes:
    """Return a field of an entry: its length, then the bytes."""
    return len(data).to_bytes(4, "little") + data
