"""The record file of a process without our C core, written straight into its mapping (docs/formats.md).

On PyPy a module's events are a cffi array over the mapping: the JIT stores a byte there as quickly as into a list, and
what is stored survives any death of the process. Threads append one at a time; a signal handler may interrupt that, so
a place or a number is reserved before anything is done with it.
"""

import _thread
import os
import sys
import time
from _struct import pack_into

from footfall.files import current_directory, system
from footfall.formats import (
    ENTRY_HEAD_BYTES,
    EVENTS_HEAD_BYTES,
    IMPLEMENTATION_CPYTHON,
    IMPLEMENTATION_PYPY,
    MAGIC,
    MAX_RECORDS_PER_PID,
    PROBES_HEAD_BYTES,
    RECORD_CODE,
    RECORD_CONTEXT,
    RECORD_EVENTS,
    RECORD_FILE,
    RECORD_FORMAT,
    RECORD_HEADER,
    RECORD_HEADER_BYTES,
    RECORD_IMPORTED,
    RECORD_MESSAGE,
    RECORD_PROBE_EVENTS,
    RECORD_PROBES,
    RECORD_STOPPED_AT,
    RECORD_SWITCH,
    RECORD_TRACE,
    RECORD_TRACER,
    TRACE_HAS_ARCS,
    TRACE_HEAD_BYTES,
    TRACE_IS_FINAL,
)
from footfall.model import ENGINE_PROBES
from footfall.observe.interruptions import Undisturbed, pass_on
from footfall.observe.pure.segments import SegmentLog, sized
from footfall.own_builtins import keep_builtins
from footfall.probes.forms import read_header
from footfall.settings import record_flags

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable
    from types import CodeType

    from footfall.settings import Settings

__all__ = ["PureRecorder", "record_message"]

_IMPLEMENTATION = IMPLEMENTATION_CPYTHON if sys.implementation.name == "cpython" else IMPLEMENTATION_PYPY


class PureRecorder:
    """Appends entries to a segment log of this process.

    After a failure it accepts nothing more, and reports that once.
    """

    current: "PureRecorder | None" = None
    """The one of this process, once it exists."""

    def __init__(self, settings: "Settings", engine: int = ENGINE_PROBES, is_late: bool = False) -> None:
        self._settings = settings
        self._engine = engine
        self._flags = record_flags(settings, is_late=is_late)
        self._flushers: list[Callable[[int], None]] = []
        self._starters: list[Callable[[], None]] = []
        self._lock = _thread.RLock()
        self._next_context_id = 1
        self.context_id = 0
        self.label = ""
        self.sample_context_id = 0
        """The context of samples: may change alone (`label_samples`)."""
        self._sample_label = ""
        self._open()
        PureRecorder.current = self

    def _open(self) -> None:
        """Create this process's file. Raises OSError if it can't be created, or has no room for its header."""
        directory = self._settings.directory
        self._log: SegmentLog | None = None
        self._file_ids: dict[str, int] = {}
        self._context_ids: dict[str, int] = {"": 0}
        self._n_probes_entries = 0
        self._n_files = self._n_codes = 0
        self.is_off = False
        for n in range(MAX_RECORDS_PER_PID):
            try:
                log = SegmentLog(f"{directory}/{os.getpid()}-{n}.rec")
                break
            except FileExistsError:
                continue
        cwd = os.fsencode(current_directory())
        executable = os.fsencode(sys.executable or "")
        head = bytearray(RECORD_HEADER_BYTES)
        pack_into(
            "<8s6I3Q",
            head,
            0,
            MAGIC,
            RECORD_FORMAT,
            sys.hexversion,
            _IMPLEMENTATION,
            self._engine,
            self._flags,
            0,
            os.getpid(),
            time.time_ns(),
            time.monotonic_ns(),
        )
        try:
            log.append(RECORD_HEADER, bytes(head) + sized(cwd) + sized(executable))
        except OSError:
            self.is_off = True
            system.unlink(log.path)  # it is useless without a header
            raise
        self._log = log

    def after_fork(self) -> None:
        """Begin a file for the child; modules that the parent loaded still record into the parent's, which is also
        read.
        """
        self._lock = _thread.RLock()  # another thread of the parent may have held it
        first_of_parent = None if self._log is None else self._log.first_segment
        try:
            self._open()
        except OSError as error:
            self._stop(error, first_of_parent)
            return
        if self._next_context_id > 1:
            sample_label = self._sample_label
            self._begin_context(self.label)
            self.label_samples(sample_label)

    def on_switch(self, flush: "Callable[[int], None]", begin: "Callable[[], None] | None" = None) -> None:
        """Call `flush(context id)` whenever a context ends: it records what was executed in it, and clears that.

        `begin()` is called when the next one has begun.
        """
        self._flushers.append(flush)
        if begin is not None:
            self._starters.append(begin)

    def switch_context(self, label: str) -> None:
        """Put everything that runs from now on into the context."""
        with Undisturbed(), self._lock:
            if label != self.label:
                for flush in self._flushers:
                    flush(self.context_id)
                self._begin_context(label)
                for begin in self._starters:
                    begin()

    def _begin_context(self, label: str) -> None:
        context_id = self.context_id_of(label)
        self.context_id = self.sample_context_id = context_id
        self.label = self._sample_label = label
        self._append(RECORD_SWITCH, context_id.to_bytes(8, "little"))

    def label_samples(self, label: str) -> None:
        """Put samples from now on, and nothing else, into the context."""
        with self._lock:
            self.sample_context_id = self.context_id_of(label)
            self._sample_label = label

    def known_context_id(self, label: str) -> int | None:
        """Return the number of a context if it has one. Takes no lock."""
        return self._context_ids.get(label)

    def context_id_of(self, label: str) -> int:
        """Return the number of a context, which may be new."""
        context_id = self._context_ids.get(label)
        if context_id is not None:
            return context_id
        with self._lock:
            context_id = self._context_ids.get(label)  # another thread may have begun it
            if context_id is None:
                context_id = self._next_context_id
                self._next_context_id += 1
                encoded = label.encode("utf-8", "backslashreplace")
                self._append(RECORD_CONTEXT, context_id.to_bytes(4, "little") + sized(encoded))
                self._context_ids[label] = context_id
        return context_id

    def add_probe_events(self, probes_id: int, context_id: int, numbers: list[int]) -> bool:
        """Record which probes of a PROBES entry were executed in a context that ends.

        Return False if recording is off.
        """
        return self._add_events(RECORD_PROBE_EVENTS, probes_id, context_id, numbers, b"\1" * len(numbers))

    def add_code_events(self, code_id: int, context_id: int, places: list[int], flags: bytes) -> bool:
        """Record the flags that places of a CODE entry got in a context that ends. Return False if recording is off."""
        return self._add_events(RECORD_EVENTS, code_id, context_id, places, flags)

    def _add_events(self, kind: int, number: int, context_id: int, places: list[int], flags: bytes) -> bool:
        count = len(places)
        payload = bytearray(EVENTS_HEAD_BYTES + 5 * count)
        pack_into("<4I", payload, 0, number, context_id, count, 0)
        pack_into(f"<{count}I", payload, EVENTS_HEAD_BYTES, *places)
        payload[EVENTS_HEAD_BYTES + 4 * count :] = flags
        return self._append(kind, payload) is not None

    def add_trace_pairs(self, path: str, absolute_path: str, context_id: int, pairs: list[int]) -> bool:
        """Record pairs (as in a TRACE entry's slots) of a context that ends. Return False if recording is off."""
        file_id = self._file_id(path, absolute_path)
        if file_id is None:
            return False
        payload = bytearray(TRACE_HEAD_BYTES + 8 * len(pairs))
        mode = TRACE_IS_FINAL | (TRACE_HAS_ARCS if self._settings.branch else 0)
        pack_into("<4I", payload, 0, file_id, context_id, len(pairs), mode)
        pack_into(f"<{len(pairs)}q", payload, TRACE_HEAD_BYTES, *pairs)
        return self._append(RECORD_TRACE, payload) is not None

    def add_probes(self, path: str, absolute_path: str, header_mark: str) -> "tuple[int, mmap.mmap, int] | None":
        """Return the number of a module's entry, and where its events begin in a mapping; None if recording is off.

        That is an address divisible by 8, and they are padded to a multiple of 8 bytes.
        """
        header = read_header(header_mark)
        file_id = None if header is None else self._file_id(path, absolute_path)
        if header is None or file_id is None:
            return None
        mode, n_probes, digest = header
        payload = bytearray(PROBES_HEAD_BYTES + n_probes)
        pack_into("<4I16s", payload, 0, file_id, 0, n_probes, mode, digest)
        with self._lock:
            number = self._n_probes_entries
            self._n_probes_entries += 1
            place = self._append(RECORD_PROBES, payload)
        if place is None:
            return None
        segment, at = place
        return number, segment, at + PROBES_HEAD_BYTES

    def add_code(self, code: "CodeType", bytecode: bytes, path: str, n_places: int) -> "tuple[int, memoryview] | None":
        """Return the number of a CODE entry and its places in the mapping, a byte each; None if recording is off."""
        file_id = self._file_id(code.co_filename, path)
        if file_id is None:
            return None
        head = bytearray(24)
        with self._lock:
            self._n_codes += 1
            code_id = self._n_codes
        pack_into("<6I", head, 0, code_id, file_id, code.co_firstlineno, code.co_flags, self.context_id, n_places)
        qualname = code.co_qualname.encode("utf-8", "backslashreplace")
        fields = (qualname, code.co_linetable, bytecode, code.co_exceptiontable, b"")
        payload = bytes(head) + b"".join(map(sized, fields))
        place = self._append(RECORD_CODE, payload + bytes(n_places))
        if place is None:
            return None
        segment, at = place
        start = at + len(payload)
        return code_id, memoryview(segment)[start : start + n_places]

    def add_trace(self, path: str, absolute_path: str, n_slots: int) -> memoryview | None:
        """Return the slots of a TRACE entry as 64-bit numbers, in the mapping; None if recording is off."""
        file_id = self._file_id(path, absolute_path)
        if file_id is None:
            return None
        payload = bytearray(TRACE_HEAD_BYTES + 8 * n_slots)
        pack_into("<4I", payload, 0, file_id, 0, n_slots, TRACE_HAS_ARCS if self._settings.branch else 0)
        place = self._append(RECORD_TRACE, payload)
        if place is None:
            return None
        segment, at = place
        start = at + TRACE_HEAD_BYTES
        return memoryview(segment)[start : start + 8 * n_slots].cast("q")

    def add_imported(self, path: str, absolute_path: str) -> None:
        """Record a file whose module was imported before measuring began."""
        file_id = self._file_id(path, absolute_path)
        if file_id is not None:
            self._append(RECORD_IMPORTED, file_id.to_bytes(8, "little"))

    def add_tracer(self, path: str, tracer: str) -> None:
        """Record which plugin's file tracer measures a file; "" means none any more."""
        file_id = self._file_id(path, path)
        if file_id is not None:
            self._append(RECORD_TRACER, file_id.to_bytes(8, "little") + sized(tracer.encode("utf-8", "replace")))

    def close(self) -> str:
        """Stop recording. Return the run directory."""
        self.is_off = True
        PureRecorder.current = None
        if self._log is not None:
            self._log.flush()
        return self._settings.directory

    def add_message(self, slug: str, text: str) -> bool:
        """Record a message with its slug. Return False if there is no room for it."""
        entry = self._append(RECORD_MESSAGE, sized(slug.encode()) + sized(text.encode("utf-8", "replace")))
        return entry is not None

    def _file_id(self, path: str, absolute_path: str) -> int | None:
        with self._lock:
            file_id = self._file_ids.get(path)
            if file_id is None:
                file_id = self._n_files = self._n_files + 1
                head = bytearray(8)
                pack_into("<2I", head, 0, file_id, 1)
                entry = bytes(head) + sized(os.fsencode(path)) + sized(os.fsencode(absolute_path))
                self._append(RECORD_FILE, entry)
                self._file_ids[path] = file_id
            return None if self.is_off else file_id

    def _append(self, kind: int, payload: "bytes | bytearray") -> "tuple[mmap.mmap, int] | None":
        """Write an entry; return the segment and the offset of the payload in it. None if recording is off."""
        with self._lock:
            log = self._log
            if self.is_off or log is None:
                return None
            try:
                if log.has_room_for(payload):
                    return log.append(kind, payload)
                with Undisturbed():  # the file grows
                    return log.append(kind, payload)
            except OSError as error:
                pass_on(error)  # a TimeoutError is one
                self._stop(error, log.first_segment)
                return None

    def _stop(self, error: OSError, first_segment: "mmap.mmap | None") -> None:
        """Write the reason into a header, to be reported at the end: the parent's header if this process has none."""
        self.is_off = True
        if first_segment is not None:
            pack_into("<I", first_segment, ENTRY_HEAD_BYTES + RECORD_STOPPED_AT, error.errno or 0)


def record_message(slug: str, text: str) -> bool:
    """Record a message of this process. Return False if it has no record file, or no room in it."""
    return PureRecorder.current is not None and PureRecorder.current.add_message(slug, text)
