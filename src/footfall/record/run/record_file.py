"""Reader of a process's record file (`.rec`): what its engine saw, as raw offsets and probe numbers.

The writer is native/record/recorder.c (and observe/pure/recorder.py on PyPy); docs/formats.md describes the entries.
"""

from __future__ import annotations

import os
import struct
from typing import NamedTuple

from footfall.errors import FootfallError
from footfall.formats import (
    MAGIC,
    RECORD_CODE,
    RECORD_CONTEXT,
    RECORD_EVENTS,
    RECORD_FILE,
    RECORD_FORMAT,
    RECORD_HEADER,
    RECORD_IMPORTED,
    RECORD_MESSAGE,
    RECORD_PROBE_EVENTS,
    RECORD_PROBES,
    RECORD_SWITCH,
    RECORD_TRACE,
    RECORD_TRACER,
    TRACE_HAS_ARCS,
    TRACE_IS_FINAL,
)
from footfall.model import RECORD_BRANCHES, RECORD_LATE, RECORD_OPTIMIZE_SHIFT
from footfall.record.run.event_places import ContextEvents, take_events
from footfall.record.run.segments import read_entries

__all__ = [
    "Cursor",
    "ProbedModule",
    "Record",
    "RecordHeader",
    "RecordReader",
    "RecordedCode",
    "TracedCode",
    "read_header",
    "read_record",
    "read_trace",
]


class RecordHeader(NamedTuple):
    """The process that wrote the record. `start_ns` is wall time since the epoch."""

    version: int
    """sys.hexversion"""
    implementation: int
    engine: int
    has_branches: bool
    stopped_errno: int
    """Not zero if recording stopped before the process ended (28 = the disk was full)."""
    pid: int
    start_ns: int
    cwd: str
    executable: str
    optimize: int
    """For a late start: sys.flags.optimize, at most 2."""
    is_late: bool
    """Whether the program was running already: events may begin in the middle of a frame."""


class RecordedCode(NamedTuple):
    """One code object that ran under the monitoring engine, with the events that fired in it."""

    path: str
    version: int
    first_line: int
    co_flags: int
    qualname: str
    line_table: bytes
    code: bytes
    exception_table: bytes
    branches: tuple[tuple[int, int, int], ...]
    """(source, left, right) byte offsets if the interpreter provided them, else empty."""
    context: str
    events: bytes
    """One byte of EVENT_ flags for each code unit (2 bytes of bytecode); with contexts, those of the last, `context`.
    After them the same number again for each end of an `except*`, in order: which way it went (EVENT_LEFT or
    EVENT_RIGHT) after the line that begins at the unit or, if that is not known, at the unit of the end itself."""
    n_places: int = 0
    """How many bytes `events` has or had."""


class ProbedModule(NamedTuple):
    """One module that ran under the probes engine: `events[k]` is not zero if probe k fired."""

    path: str
    version: int
    mode: int
    """What determines the probes besides the source: probes/mode.py."""
    digest: bytes
    """16 bytes that identify the instrumented source text."""
    context: str
    events: bytes


class TracedCode(NamedTuple):
    """What the settrace engine saw of one code object, or of a part of it."""

    path: str
    context: str
    lines: set[int]
    arcs: set[tuple[int, int]]


class Record(NamedTuple):
    """The contents of one record file."""

    header: RecordHeader
    codes: list[RecordedCode]
    modules: list[ProbedModule]
    messages: list[tuple[str, str]]
    traces: list[TracedCode]
    imported: list[str]
    """Files of modules that were imported before measuring started."""
    tracers: dict[str, str]
    """Files that a plugin's file tracer measured, each with the plugin's name; "" for a plugin that failed."""
    code_events: list[ContextEvents]
    module_events: list[ContextEvents]
    has_switched: bool
    """Whether contexts were switched: if so, events may begin in the middle of a frame."""
    contexts: dict[int, str]
    """Context labels by the ids in samples."""


_SIZE = struct.Struct("<I")
_CODE_HEAD = struct.Struct("<6I")
_N_CODE_FIELDS = 5
_SHORTER = "an entry is shorter than its fields"


class Cursor:
    """Takes fields from a payload in order; raises ValueError past its end."""

    def __init__(self, payload: memoryview) -> None:
        self._payload = payload
        self._at = 0

    def numbers(self, layout: str) -> tuple[int, ...]:
        try:
            found = struct.unpack_from(layout, self._payload, self._at)
        except struct.error:
            raise ValueError(_SHORTER) from None
        self._at += struct.calcsize(layout)
        return found

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._payload):
            raise ValueError(_SHORTER)
        found = bytes(self._payload[self._at : end])
        self._at = end
        return found

    def sized(self) -> bytes:
        start = self._at + _SIZE.size
        if start > len(self._payload):
            raise ValueError(_SHORTER)
        end = start + _SIZE.unpack_from(self._payload, self._at)[0]
        if end > len(self._payload):
            raise ValueError(_SHORTER)
        self._at = end
        return bytes(self._payload[start:end])


def read_record(path: str, damage: list[str] | None = None) -> Record:
    """Read a record file, even if its process was killed while writing.

    Damaged entries are left out and reported in `damage`, as sentences; without `damage` they are an error.
    Raises FootfallError (`record-corrupt`) if it is not a record file.
    """
    n_damaged = 0
    first_damage: Exception | None = None
    reader = RecordReader()
    for kind, payload in read_entries(path, damage):
        try:
            reader.add(kind, payload)
        except (ValueError, KeyError, struct.error) as error:
            if damage is None or reader.header is None:
                raise _corrupt(path, error) from error
            n_damaged += 1
            first_damage = first_damage or error
    if damage is not None and first_damage is not None:
        damage.append(f"{path} has {n_damaged} damaged entries, which are left out. The first: {first_damage!r}.")
    if reader.header is None:
        raise FootfallError("record-corrupt", f"The record file {path} is empty.", "Run again.")
    if reader.leave_out_unknown_modules():
        if damage is None:
            raise _corrupt(path, "events of a module that is not there")
        damage.append(f"{path} has events of modules that are not there, which are left out.")
    return reader.record(reader.header)


class RecordReader:
    """Processes the entries of one record file in order."""

    def __init__(self) -> None:
        self.header: RecordHeader | None = None
        self._files: dict[int, str] = {}
        self._contexts: dict[int, str] = {0: ""}
        self._last_context: str | None = None
        """None until contexts are switched."""
        self._codes: list[RecordedCode] = []
        self._code_index: dict[int, int] = {}
        self._modules: list[ProbedModule] = []
        self._traces: list[TracedCode] = []
        self._live_traces: list[int] = []
        """The numbers of entries in `_traces` that belong to the last context."""
        self._code_events: list[ContextEvents] = []
        self._module_events: list[ContextEvents] = []
        self._imported: list[str] = []
        self._tracers: dict[str, str] = {}
        self._messages: list[tuple[str, str]] = []

    def add(self, kind: int, payload: memoryview) -> None:
        """Add an entry; unknown kinds are skipped. Raises ValueError, KeyError or struct.error for damage."""
        if self.header is None:
            if kind != RECORD_HEADER:
                raise ValueError("it does not start with a header")
            self.header = read_header(Cursor(payload))
        elif kind == RECORD_EVENTS:  # first: with contexts, nearly all entries are events
            number, context_id, places = take_events(payload)
            self._code_events.append(ContextEvents(self._code_index[number], self._contexts[context_id], places))
        elif kind == RECORD_PROBE_EVENTS:
            number, context_id, places = take_events(payload)
            self._module_events.append(ContextEvents(number, self._contexts[context_id], places))
        elif kind in (RECORD_CODE, RECORD_PROBES, RECORD_TRACE):
            self._add_measured(kind, payload, self.header)
        else:
            self._add_named(kind, Cursor(payload))

    def _add_measured(self, kind: int, payload: memoryview, header: RecordHeader) -> None:
        """Add an entry of measured code."""
        if kind == RECORD_CODE:
            code_id, code = _read_code(payload, header, self._files)
            self._code_index[code_id] = len(self._codes)
            self._codes.append(code)
        elif kind == RECORD_PROBES:
            self._modules.append(_read_probes(Cursor(payload), header, self._files))
        else:
            trace, is_final = read_trace(Cursor(payload), self._files, self._contexts)
            if not is_final:
                self._live_traces.append(len(self._traces))
            self._traces.append(trace)

    def _add_named(self, kind: int, cursor: Cursor) -> None:
        """Add an entry of names and messages, or a new header."""
        if kind == RECORD_FILE:
            file_id, _flags = cursor.numbers("<II")
            cursor.sized()
            self._files[file_id] = _path(cursor.sized())
        elif kind == RECORD_SWITCH:
            self._last_context = self._contexts[cursor.numbers("<II")[0]]
        elif kind == RECORD_CONTEXT:
            (context_id,) = cursor.numbers("<I")
            self._contexts[context_id] = _text(cursor.sized())
        elif kind == RECORD_MESSAGE:
            slug = cursor.sized().decode("utf-8", "replace")
            self._messages.append((slug, cursor.sized().decode("utf-8", "replace")))
        elif kind == RECORD_IMPORTED:
            self._imported.append(self._files[cursor.numbers("<II")[0]])
        elif kind == RECORD_TRACER:
            traced = self._files[cursor.numbers("<II")[0]]
            self._tracers[traced] = _text(cursor.sized())
        elif kind == RECORD_HEADER:
            self.header = read_header(cursor)

    def leave_out_unknown_modules(self) -> bool:
        """Remove events of modules that are missing; return False if there are none."""
        known = [events for events in self._module_events if events.number < len(self._modules)]
        has_unknown = len(known) < len(self._module_events)
        self._module_events = known
        return has_unknown

    def record(self, header: RecordHeader) -> Record:
        """Return what was read. Events without their own context belong to the last one."""
        codes, modules, traces = self._codes, self._modules, self._traces
        if self._last_context is not None:
            codes = [code._replace(context=self._last_context) for code in codes]
            modules = [module._replace(context=self._last_context) for module in modules]
            for at in self._live_traces:
                traces[at] = traces[at]._replace(context=self._last_context)
        return Record(
            header=header,
            codes=codes,
            modules=modules,
            messages=self._messages,
            traces=traces,
            imported=self._imported,
            tracers=self._tracers,
            code_events=self._code_events,
            module_events=self._module_events,
            has_switched=self._last_context is not None,
            contexts=self._contexts,
        )


def _text(field: bytes) -> str:
    """Decode a field to text that a data file can store and reports can show."""
    return field.decode("utf-8", "replace").replace("\0", "\\x00")


def _path(field: bytes) -> str:
    """Decode a file's path. Engines record only paths that a data file can contain (observe/scope.py)."""
    if b"\0" in field:
        raise ValueError("a NUL in a file name")
    return field.decode("utf-8")


def _corrupt(path: str, why: object) -> FootfallError:
    return FootfallError(
        "record-corrupt",
        f"Can't read the record file {path}: {why}.",
        "Remove it and run again; the other processes' records are not affected.",
    )


def read_header(cursor: Cursor) -> RecordHeader:
    """Take the fields of a HEADER entry. Raises ValueError."""
    if cursor.take(8) != MAGIC:
        raise ValueError("it is not a record file of footfall")
    format_version, version, implementation, engine, flags, stopped = cursor.numbers("<6I")
    if format_version != RECORD_FORMAT:
        raise ValueError(f"its format is {format_version}, and this footfall reads {RECORD_FORMAT}")
    pid, start_ns, _monotonic_ns = cursor.numbers("<3Q")
    cwd = os.fsdecode(cursor.sized())
    executable = os.fsdecode(cursor.sized())
    optimize = flags >> RECORD_OPTIMIZE_SHIFT & 3
    has_branches = bool(flags & RECORD_BRANCHES)
    is_late = bool(flags & RECORD_LATE)
    return RecordHeader(
        version, implementation, engine, has_branches, stopped, pid, start_ns, cwd, executable, optimize, is_late
    )


def _read_code(payload: memoryview, header: RecordHeader, files: dict[int, str]) -> tuple[int, RecordedCode]:
    """Take the fields of a CODE entry; there are thousands. Raises ValueError, KeyError or struct.error."""
    content = bytes(payload)
    code_id, file_id, first_line, co_flags, _, n_places = _CODE_HEAD.unpack_from(content)
    fields: list[bytes] = []
    end, n_bytes, size_of = _CODE_HEAD.size, len(content), _SIZE.unpack_from
    for _ in range(_N_CODE_FIELDS):
        start = end + _SIZE.size
        end = start + size_of(content, end)[0]
        if end > n_bytes:
            raise ValueError(_SHORTER)
        fields.append(content[start:end])
    qualname, line_table, code, exception_table, branches = fields
    if n_places < len(code) // 2:
        raise ValueError("a code object has fewer events than instructions")
    if end + n_places > n_bytes:
        raise ValueError(_SHORTER)
    return code_id, RecordedCode(
        files[file_id],
        header.version,
        first_line,
        co_flags,
        _text(qualname),
        line_table,
        code,
        exception_table,
        tuple(struct.iter_unpack("<III", branches)) if branches else (),
        "",
        content[end : end + n_places],
        n_places,
    )


def _read_probes(cursor: Cursor, header: RecordHeader, files: dict[int, str]) -> ProbedModule:
    file_id, _, n_probes, mode = cursor.numbers("<IIII")
    digest = cursor.take(16)
    return ProbedModule(files[file_id], header.version, mode, digest, "", cursor.take(n_probes))


def read_trace(cursor: Cursor, files: dict[int, str], contexts: dict[int, str]) -> tuple[TracedCode, bool]:
    """Take the fields of a TRACE entry; return it, and whether its context is final. Raises ValueError, KeyError."""
    file_id, context_id, n_slots, mode = cursor.numbers("<IIII")
    pairs = set(struct.iter_unpack("<ii", cursor.take(8 * n_slots)))
    lines = {line for pair in pairs for line in pair if line > 0}
    # 0 is no line, except that of an empty file, to which an entry leads and from which an exit
    arcs = {(start, end) for start, end in pairs if (start and end) or start < 0 or end < 0}
    if arcs and not mode & TRACE_HAS_ARCS:
        lines.add(0)
        arcs.clear()
    is_final = bool(mode & TRACE_IS_FINAL)
    return TracedCode(files[file_id], contexts[context_id] if is_final else "", lines, arcs), is_final
