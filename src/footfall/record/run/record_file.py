"""Reader of a process's record file (`.rec`): what its engine saw, still as raw offsets and probe numbers.

The writer is native/record/recorder.c (and observe/pypy/recorder.py on PyPy); docs/formats.md describes the entries.
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
    TRACE_IS_FINAL,
)
from footfall.model import RECORD_BRANCHES, RECORD_OPTIMIZE_SHIFT
from footfall.record.run.segments import read_entries

__all__ = [
    "ContextEvents",
    "ProbedModule",
    "Record",
    "RecordedCode",
    "RecordHeader",
    "TracedCode",
    "gather_events",
    "join_places",
    "read_record",
    "spread_events",
]


class RecordHeader(NamedTuple):
    """The process that wrote the record. `start_ns` is wall time since the epoch."""

    version: int
    """sys.hexversion"""
    implementation: int
    engine: int
    has_branches: bool
    stopped_errno: int
    """Not zero when recording stopped before the process ended (28 = the disk was full)."""
    pid: int
    start_ns: int
    cwd: str
    executable: str
    optimize: int
    """Of a late start: sys.flags.optimize, 2 at most."""


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
    """(source, left, right) byte offsets where the interpreter gave them, else empty."""
    context: str
    events: bytes
    """One byte of EVENT_ flags for each code unit (2 bytes of bytecode); with contexts, those of the last, `context`.
    Behind them the same number again for each end of an `except*`, in order: which way it went (EVENT_LEFT or
    EVENT_RIGHT) after the line that begins at the unit, or, where that is not known, at the unit of the end itself."""
    n_places: int = 0
    """How many bytes `events` has or had."""


class ProbedModule(NamedTuple):
    """One module that ran under the probes engine: `events[k]` is not zero when probe k fired."""

    path: str
    version: int
    mode: int
    """What else than the source decides on the probes: probes/mode.py."""
    digest: bytes
    """16 bytes that name the source text which was instrumented."""
    context: str
    events: bytes


class ContextEvents(NamedTuple):
    """What one code object or module saw while a context lasted that is over."""

    number: int
    """In `Record.codes` or `Record.modules`."""
    context: str
    places: bytes
    """n code units or probes as u32, then n bytes of flags: `spread_events` reads it."""


class TracedCode(NamedTuple):
    """What the settrace engine saw of one code object, or of a part of it."""

    path: str
    context: str
    lines: set[int]
    arcs: set[tuple[int, int]]


class Record(NamedTuple):
    """All of one record file."""

    header: RecordHeader
    codes: list[RecordedCode]
    modules: list[ProbedModule]
    messages: list[tuple[str, str]]
    traces: list[TracedCode]
    imported: list[str]
    """Files of modules that were imported before measuring began."""
    tracers: dict[str, str]
    """Files that a plugin's file tracer measured, each with the plugin's name; "" is one that failed."""
    code_events: list[ContextEvents]
    module_events: list[ContextEvents]
    has_switched: bool
    """Whether contexts were switched: then events may begin in the middle of a frame."""
    contexts: dict[int, str]
    """Labels by the ids that samples have."""


class _Cursor:
    """Takes fields from a payload in order; raises ValueError past its end."""

    def __init__(self, payload: memoryview) -> None:
        self._payload = payload
        self._at = 0

    def numbers(self, layout: str) -> tuple[int, ...]:
        size = struct.calcsize(layout)
        found = struct.unpack(layout, self.take(size))
        return found

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._payload):
            raise ValueError("an entry is shorter than its fields")
        found = bytes(self._payload[self._at : end])
        self._at = end
        return found

    def sized(self) -> bytes:
        (size,) = self.numbers("<I")
        return self.take(size)


_EVENTS_HEAD = struct.Struct("<IIII")


def _take_events(payload: memoryview) -> tuple[int, int, bytes]:
    """(number, context id, places) of an entry of events; a run with contexts has one for each test and function."""
    if len(payload) < _EVENTS_HEAD.size:
        raise ValueError("an entry is shorter than its fields")
    number, context_id, count, _ = _EVENTS_HEAD.unpack_from(payload)
    places = bytes(payload[_EVENTS_HEAD.size : _EVENTS_HEAD.size + 5 * count])
    if len(places) != 5 * count:
        raise ValueError("an entry is shorter than its fields")
    return number, context_id, places


def read_record(path: str, damage: list[str] | None = None) -> Record:
    """Read a record file, also one whose process was killed while it wrote.

    Entries that are not as they must be are left out, and said in `damage` as a sentence; without it they are an error.
    Raises FootfallError (`record-corrupt`) when it is no record file.
    """
    n_damaged = 0
    first_damage: Exception | None = None
    header: RecordHeader | None = None
    files: dict[int, str] = {}
    contexts: dict[int, str] = {0: ""}
    codes: list[RecordedCode] = []
    code_index: dict[int, int] = {}
    code_events: list[ContextEvents] = []
    module_events: list[ContextEvents] = []
    live_traces: list[int] = []
    last_context = ""
    has_switched = False
    modules: list[ProbedModule] = []
    traces: list[TracedCode] = []
    imported: list[str] = []
    tracers: dict[str, str] = {}
    messages: list[tuple[str, str]] = []
    for kind, payload in read_entries(path, damage):
        cursor = _Cursor(payload)
        try:
            if kind in (RECORD_EVENTS, RECORD_PROBE_EVENTS) and header is not None:
                number, context_id, places = _take_events(payload)
                if kind == RECORD_EVENTS:
                    code_events.append(ContextEvents(code_index[number], contexts[context_id], places))
                else:
                    module_events.append(ContextEvents(number, contexts[context_id], places))
            elif kind == RECORD_HEADER:
                header = _read_header(cursor)
            elif header is None:
                raise ValueError("it does not start with a header")
            elif kind == RECORD_FILE:
                file_id, _flags = cursor.numbers("<II")
                cursor.sized()
                files[file_id] = _path(cursor.sized())
            elif kind == RECORD_CODE:
                code_id, code = _read_code(cursor, header, files)
                code_index[code_id] = len(codes)
                codes.append(code)
            elif kind == RECORD_SWITCH:
                last_context = contexts[cursor.numbers("<II")[0]]
                has_switched = True
            elif kind == RECORD_CONTEXT:
                (context_id,) = cursor.numbers("<I")
                contexts[context_id] = _text(cursor.sized())
            elif kind == RECORD_PROBES:
                modules.append(_read_probes(cursor, header, files))
            elif kind == RECORD_MESSAGE:
                slug = cursor.sized().decode("utf-8", "replace")
                messages.append((slug, cursor.sized().decode("utf-8", "replace")))
            elif kind == RECORD_TRACE:
                trace, is_final = _read_trace(cursor, files, contexts)
                if not is_final:
                    live_traces.append(len(traces))
                traces.append(trace)
            elif kind == RECORD_IMPORTED:
                imported.append(files[cursor.numbers("<II")[0]])
            elif kind == RECORD_TRACER:
                path_of_traced = files[cursor.numbers("<II")[0]]
                tracers[path_of_traced] = _text(cursor.sized())
        except (ValueError, KeyError, struct.error) as error:
            if damage is None or header is None:
                raise _corrupt(path, error) from error
            n_damaged += 1
            first_damage = first_damage or error
    if damage is not None and first_damage is not None:
        damage.append(f"{path} has {n_damaged} damaged entries, which are left out. The first: {first_damage!r}.")
    if header is None:
        raise FootfallError("record-corrupt", f"The record file {path} is empty.", "Run again.")
    if has_switched:  # what was not recorded as a context's yet is the last one's
        codes = [code._replace(context=last_context) for code in codes]
        modules = [module._replace(context=last_context) for module in modules]
        for at in live_traces:
            traces[at] = traces[at]._replace(context=last_context)
    if any(events.number >= len(modules) for events in module_events):
        if damage is None:
            raise _corrupt(path, "events of a module that is not there")
        damage.append(f"{path} has events of modules that are not there, which are left out.")
        module_events = [events for events in module_events if events.number < len(modules)]
    return Record(
        header,
        codes,
        modules,
        messages,
        traces,
        imported,
        tracers,
        code_events,
        module_events,
        has_switched,
        contexts,
    )


def spread_events(places: bytes, n: int) -> bytes:
    """Return `n` bytes with the flags of `ContextEvents.places`. Raises ValueError for a place that is not there."""
    count = len(places) // 5
    events = bytearray(n)
    for place, flags in zip(struct.unpack(f"<{count}I", places[: 4 * count]), places[4 * count :], strict=True):
        if place >= n:
            raise ValueError(f"an event at {place} of {n}")
        events[place] = flags
    return bytes(events)


def join_places(found: list[bytes]) -> bytes:
    """Return one `ContextEvents.places` with the events of several."""
    flags: dict[int, int] = {}
    for places in found:
        count = len(places) // 5
        for place, flag in zip(struct.unpack(f"<{count}I", places[: 4 * count]), places[4 * count :], strict=True):
            flags[place] = flags.get(place, 0) | flag
    ordered = sorted(flags)
    return struct.pack(f"<{len(ordered)}I", *ordered) + bytes(flags[place] for place in ordered)


def gather_events(events: bytes) -> bytes:
    """Return `ContextEvents.places` of one byte for each place."""
    flags = events.replace(b"\0", b"")
    if not flags:
        return b""
    places = [place for place, each in enumerate(events) if each]
    return struct.pack(f"<{len(places)}I", *places) + flags


def _text(field: bytes) -> str:
    """What a data file can hold, and reports can show."""
    return field.decode("utf-8", "replace").replace("\0", "\\x00")


def _path(field: bytes) -> str:
    """A file's path. Engines record only what a data file can name (observe/scope.py)."""
    if b"\0" in field:
        raise ValueError("a NUL in a file name")
    return field.decode("utf-8")


def _corrupt(path: str, why: object) -> FootfallError:
    return FootfallError(
        "record-corrupt",
        f"Can't read the record file {path}: {why}.",
        "Remove it and run again; the other processes' records are not affected.",
    )


def _read_header(cursor: _Cursor) -> RecordHeader:
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
    return RecordHeader(
        version, implementation, engine, has_branches, stopped, pid, start_ns, cwd, executable, optimize
    )


def _read_code(cursor: _Cursor, header: RecordHeader, files: dict[int, str]) -> tuple[int, RecordedCode]:
    code_id, file_id, first_line, co_flags, _, n_places = cursor.numbers("<6I")
    qualname = _text(cursor.sized())
    line_table, code, exception_table, branches = (cursor.sized() for _ in range(4))
    triples = tuple(struct.iter_unpack("<III", branches))
    if n_places < len(code) // 2:
        raise ValueError("a code object has fewer events than instructions")
    return code_id, RecordedCode(
        files[file_id],
        header.version,
        first_line,
        co_flags,
        qualname,
        line_table,
        code,
        exception_table,
        triples,
        "",
        cursor.take(n_places),
        n_places,
    )


def _read_probes(cursor: _Cursor, header: RecordHeader, files: dict[int, str]) -> ProbedModule:
    file_id, _, n_probes, mode = cursor.numbers("<IIII")
    digest = cursor.take(16)
    return ProbedModule(files[file_id], header.version, mode, digest, "", cursor.take(n_probes))


def _read_trace(cursor: _Cursor, files: dict[int, str], contexts: dict[int, str]) -> tuple[TracedCode, bool]:
    """Return the entry, and whether its context is its own for good."""
    file_id, context_id, n_slots, mode = cursor.numbers("<IIII")
    pairs = set(struct.iter_unpack("<ii", cursor.take(8 * n_slots)))
    lines = {line for pair in pairs for line in pair if line > 0}
    arcs = {(start, end) for start, end in pairs if start and end}  # 0 is no line, and an empty slot has two
    is_final = bool(mode & TRACE_IS_FINAL)
    return TracedCode(files[file_id], contexts[context_id] if is_final else "", lines, arcs), is_final
