"""The sample log of this process, without the C core (docs/formats.md); with the core it is native/sampler/log.c.

It belongs to the thread that samples, alone. A failure ends the log; the reason is in its header.
"""

import os
import sys
import time
from _struct import pack_into

from footfall.files import system
from footfall.formats import (
    COUNT_CODES,
    COUNT_FULL,
    COUNT_NODES,
    COUNTERS_AT,
    ENTRY_HEAD_BYTES,
    MAGIC,
    MAX_RECORDS_PER_PID,
    N_COUNTERS,
    NODE_BYTES,
    SAMPLE_BYTES,
    SAMPLE_CODE,
    SAMPLE_HEADER,
    SAMPLE_HEADER_BYTES,
    SAMPLE_LOG_FORMAT,
    SAMPLE_NODE,
    SAMPLE_REPEAT_AT,
    SAMPLE_SAMPLE,
    SAMPLE_THREAD,
    SAMPLE_TIME_AT,
)
from footfall.observe.pure.collector import make_room, pause, resume
from footfall.observe.pure.segments import TO_ENLARGE, SegmentLog, fill_file, sized
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    import mmap
    from types import CodeType

    Place = tuple[mmap.mmap, int]

__all__ = ["HIDDEN", "PureSampleLog"]

HIDDEN = 0
"""The number of code whose frames are left out."""
_MAX_LOG_BYTES = 4 << 30
_EIO, _EEXIST, _EFBIG = 5, 17, 27  # the module errno may not be loaded
# At either limit the table is emptied and filled again, as in native/sampler/log.h.
_MAX_CODES = 1 << 16
_MAX_NODES = 1 << 18


class PureSampleLog:
    """A new log in a run directory. Raises OSError if there is no room for its header, or no free name."""

    def __init__(self, directory: str, interval_ns: int) -> None:
        self.counters = [0] * N_COUNTERS
        self.start_ns = time.monotonic_ns()
        self._codes: dict[int, tuple[int, CodeType]] = {}
        """By id: the number, and the object itself, so that the id is not reused."""
        self._nodes: dict[int, int] = {}
        self._next_code = self._next_node = 1
        self._log = _create(directory)
        header = bytearray(SAMPLE_HEADER_BYTES)
        numbers = (SAMPLE_LOG_FORMAT, sys.hexversion, os.getpid(), time.time_ns(), self.start_ns, interval_ns)
        pack_into("<8sII4Q", header, 0, MAGIC, *numbers)
        try:
            self._log.append(SAMPLE_HEADER, header)
        except OSError:
            os.unlink(self._log.path)  # it is useless without a header
            raise

    @property
    def is_open(self) -> bool:
        """Return whether the log accepts entries."""
        return not self.counters[COUNT_FULL]

    def reserve(self, n_bytes: int) -> None:
        """Have room for that many bytes of entries, if possible."""
        try:
            self._log.reserve(n_bytes)
        except OSError:
            pass  # the next entry finds out

    def publish(self) -> None:
        """Write the counters into the header."""
        assert self._log.first_segment is not None
        pack_into(f"<{N_COUNTERS}Q", self._log.first_segment, ENTRY_HEAD_BYTES + COUNTERS_AT, *self.counters)

    def add_thread(self, index: int, native_id: int, name: bytes) -> None:
        """Log a thread, or its new name."""
        head = bytearray(16)
        pack_into("<IIQ", head, 0, index, 0, native_id)
        self._append(SAMPLE_THREAD, bytes(head) + sized(name[:63]))

    def code_id(self, code: "CodeType", hidden_folder: str) -> int:
        """Return the number of a code object, which is logged if it is new; HIDDEN if its file is in that folder."""
        known = self._codes.get(id(code))
        if known is not None:
            return known[0]
        if len(self._codes) >= _MAX_CODES:
            self._codes.clear()
        number = HIDDEN
        if not code.co_filename.startswith(hidden_folder):
            number = self._next_code
            self._next_code += 1
            head = bytearray(8)
            pack_into("<II", head, 0, number, max(code.co_firstlineno, 0))
            qualname = code.co_qualname.encode("utf-8", "backslashreplace")
            fields = (os.fsencode(code.co_filename), qualname, code.co_linetable)
            self._append(SAMPLE_CODE, bytes(head) + b"".join(map(sized, fields)))
            self.counters[COUNT_CODES] += 1
        self._codes[id(code)] = number, code
        return number

    def node_id(self, parent: int, code_id: int, unit: int) -> int:
        """Return the number of a frame at an instruction (a code unit) below the node `parent` (0: none)."""
        key = parent << 64 | code_id << 32 | unit
        number = self._nodes.get(key)
        if number is None:
            if len(self._nodes) >= _MAX_NODES:
                self._nodes.clear()
            number = self._nodes[key] = self._next_node
            self._next_node += 1
            payload = bytearray(NODE_BYTES)
            pack_into("<4I", payload, 0, number, parent, code_id, unit)
            self._append(SAMPLE_NODE, payload)
            self.counters[COUNT_NODES] += 1
        return number

    def add_sample(self, thread: int, node: int, time_ns: int, cpu_ns: int, context: int) -> "Place | None":
        """Log a sample; the time is the monotonic clock's. Return its place. None if the log has ended."""
        payload = bytearray(SAMPLE_BYTES)
        # nothing is known of the GIL: whoever looks in Python holds it at that moment
        pack_into("<IIQQIHH", payload, 0, thread, node, time_ns - self.start_ns, cpu_ns, context, 0, 1)
        return self._append(SAMPLE_SAMPLE, payload)

    def repeat_sample(self, place: "Place", time_ns: int, repeat: int) -> None:
        """Let a sample stand for one more, with the time of that."""
        segment, at = place
        pack_into("<Q", segment, at + SAMPLE_TIME_AT, time_ns - self.start_ns)
        pack_into("<H", segment, at + SAMPLE_REPEAT_AT, repeat)

    def _append(self, kind: int, payload: "bytes | bytearray") -> "Place | None":
        if not self.is_open:
            return None
        try:
            if self._log.file_bytes > _MAX_LOG_BYTES:
                raise OSError(_EFBIG, "the sample log is too long")
            return self._log.append(kind, payload)
        except OSError as error:
            self.counters[COUNT_FULL] = error.errno or _EIO
            return None


class _EnlargedLog(SegmentLog):
    """A log that is one mapping, enlarged where the system can do so (mremap of Linux).

    Making another mapping gives up the GIL and makes an object that the garbage collector counts (see collector.py).
    """

    def _map_more(self, size: int) -> None:
        segment = self._segment
        if segment is None or sys.platform != "linux":
            SegmentLog._map_more(self, size)
            return
        _fill(self.path, self.file_bytes, size)
        was_on = pause()
        try:
            segment.resize(self.file_bytes + size)
        finally:
            resume(was_on)
        self.file_bytes += size


def _fill(path: str, start: int, size: int) -> None:
    """Extend a file by zeros, by a descriptor that is not the number of a standard stream. Raises OSError."""
    make_room()
    descriptor = system.open(path, TO_ENLARGE)
    try:
        if descriptor <= 2:
            _fill(path, start, size)
        else:
            fill_file(descriptor, start, size)
    finally:
        system.close(descriptor)


def _create(directory: str) -> _EnlargedLog:
    for number in range(MAX_RECORDS_PER_PID):
        try:
            return _EnlargedLog(f"{directory}/{os.getpid()}-{number}.smp")
        except FileExistsError:
            continue
    raise OSError(_EEXIST, "too many sample logs for process " + str(os.getpid()))
