"""Read the `.vmprof` files that PyPy's built-in profiler writes into the common form of sample logs.

The format is PyPy's (rpython/rlib/rvmprof/src/shared). A file contains one or more recordings in sequence, see
observe/sampler/pypy.py; function names from any of them apply to all. A forked process's file refers to its parent's
for the names of functions that existed before the fork.
"""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

from footfall.errors import FootfallError
from footfall.record.run.node_table import Node
from footfall.record.run.sample_log import (
    MAX_INTERVAL_NS,
    MAX_NUMBER,
    MAX_START_NS,
    Sample,
    SampledCode,
    SampledThread,
    SampleLog,
)
from footfall.record.run.untrusted_file import read_recorded_file

__all__ = ["read_vmprof"]

_START, _STACK, _NAME, _TRAILER, _HEADER, _TIME, _META, _NATIVE_NAME = 0, 1, 2, 3, 5, 6, 7, 8
_VERSION_MODE, _VERSION_DURATION, _VERSION_SAMPLE_TIME = 4, 5, 7
_MODE_MEMORY = 1
_CODE, _JITTED = 1, 3  # kinds of a stack entry that name a function
_MAX_DEPTH = 1 << 16
_MAX_TEXT = 1 << 20
_MAX_FORKS = 100  # ends a chain of files that refer to each other in a cycle
# A gap this long between two samples means a stopped process, not work.
_MAX_GAP_NS = 1_000_000_000


class _Reader:
    """Reads fields in order. Raises struct.error past the end: a killed process's last record is cut off."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.at = 0

    def is_at_end(self) -> bool:
        return self.at >= len(self._content)

    def numbers(self, layout: str) -> tuple[int, ...]:
        found = struct.unpack_from(layout, self._content, self.at)
        self.at += struct.calcsize(layout)
        return found

    def text(self) -> str:
        (size,) = self.numbers("<q")
        if not 0 <= size <= _MAX_TEXT:
            raise ValueError(f"a text of {size} bytes")
        return os.fsdecode(self.take(size))

    def take(self, size: int) -> bytes:
        found = self._content[self.at : self.at + size]
        if len(found) < size:
            raise struct.error("cut off")
        self.at += size
        return found


class _Stack:
    """One sample as it is in the file."""

    __slots__ = ("cpu_ns", "functions", "thread")

    def __init__(self, functions: list[int], thread: int, cpu_ns: int) -> None:
        self.functions = functions
        self.thread = thread
        self.cpu_ns = cpu_ns


class _Recording:
    """What has been read of the file so far."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self.stacks: list[_Stack] = []
        self.period_ns = 0
        self.version = 0
        self.has_memory = False
        self.start_ns = 0
        self.meta: dict[str, str] = {}


def read_vmprof(path: str) -> SampleLog:
    """Read a `.vmprof` file, even if its process was killed. An empty file gives an empty log.

    It has no wall clock: `wall_ns` is the CPU time. Raises FootfallError (`record-corrupt`,
    `record-refused`) if it is not such a file, OSError if it cannot be opened.
    """
    log = SampleLog(path)
    log.units_are_lines = True
    recording = _read_recording(path, _content(path), log.damage)
    recording.names = {**_names_of_parent(path, recording.meta, _MAX_FORKS), **recording.names}
    _fill(log, recording)
    return log


def _content(path: str) -> bytes:
    return bytes(memoryview(read_recorded_file(path)))


def _read_recording(path: str, content: bytes, damage: list[str]) -> _Recording:
    recording = _Recording()
    if content and content[:24] != struct.pack("<3q", 0, 3, 0):
        raise FootfallError("record-corrupt", f"{path} is not a vmprof file.", "Remove it and run again.")
    reader = _Reader(content)
    try:
        while not reader.is_at_end():
            _read_record(reader, recording)
    except struct.error:
        pass  # the process was killed
    except ValueError as error:
        damage.append(f"{path} is damaged at byte {reader.at}: {error}.")
    return recording


def _names_of_parent(path: str, meta: dict[str, str], depth: int) -> dict[int, str]:
    """Return the names that were valid in the parent when it forked; none if the parent's file is gone."""
    name, size = meta.get("footfall_parent", ""), meta.get("footfall_parent_bytes", "0")
    if not name or "/" in name or not size.isdigit() or depth == 0:
        return {}
    parent = Path(path).with_name(name)
    try:
        recording = _read_recording(str(parent), _content(str(parent))[: int(size)], [])
    except (OSError, FootfallError):
        return {}
    return {**_names_of_parent(str(parent), recording.meta, depth - 1), **recording.names}


def _read_record(reader: _Reader, recording: _Recording) -> None:
    (marker,) = reader.numbers("<B")
    if marker == _START:
        reader.at -= 1
        recording.period_ns = reader.numbers("<5q")[3] * 1000
    elif marker == _HEADER:
        _read_header(reader, recording)
    elif marker == _STACK:
        recording.stacks.append(_read_stack(reader, recording))
    elif marker in (_NAME, _NATIVE_NAME):
        (address,) = reader.numbers("<q")
        recording.names[address] = reader.text()
    elif marker == _META:
        key = reader.text()
        recording.meta[key] = reader.text()
    elif marker == _TIME:
        seconds, microseconds, _ = reader.numbers("<3q")
        recording.start_ns = recording.start_ns or seconds * 1_000_000_000 + microseconds * 1000
    elif marker == _TRAILER:
        if recording.version >= _VERSION_DURATION:
            reader.take(24)
    else:
        raise ValueError(f"no record has the marker {marker}")


def _read_header(reader: _Reader, recording: _Recording) -> None:
    (recording.version,) = reader.numbers(">H")
    if not _VERSION_MODE <= recording.version <= _VERSION_SAMPLE_TIME:
        raise ValueError(f"its version is {recording.version}, and this footfall reads 4 to 7")
    mode, name_size = reader.numbers("<BB")
    recording.has_memory = bool(mode & _MODE_MEMORY)
    reader.take(name_size)


def _read_stack(reader: _Reader, recording: _Recording) -> _Stack:
    _, depth = reader.numbers("<2q")
    if not 0 <= depth <= _MAX_DEPTH or depth % 2:
        raise ValueError(f"a stack of {depth} entries")
    entries = reader.numbers(f"<{depth}q")
    (thread,) = reader.numbers("<q")
    if recording.has_memory:
        reader.take(8)
    (cpu_ns,) = reader.numbers("<q") if recording.version >= _VERSION_SAMPLE_TIME else (-1,)
    functions: list[int] = []
    before = (0, 0)
    for entry in zip(entries[::2], entries[1::2], strict=True):
        kind, function = entry
        if kind not in (_CODE, _JITTED):
            continue
        # A function's machine code runs on behalf of the function's interpreter frame: one call, two entries.
        if not (kind == _CODE and before == (_JITTED, function)):
            functions.append(function)
        before = entry
    functions.reverse()
    return _Stack(functions, thread, cpu_ns)


def _fill(log: SampleLog, recording: _Recording) -> None:
    """Assign ids to functions and stacks; `functions` are root first."""
    log.interval_ns = recording.period_ns
    log.start_ns = recording.start_ns
    if not (0 <= log.interval_ns <= MAX_INTERVAL_NS and 0 <= log.start_ns <= MAX_START_NS):
        raise FootfallError("record-corrupt", f"{log.path} has times that can't be.", "Remove it and run again.")
    stem = Path(log.path).stem.partition("-")[0]
    log.pid = int(stem) if stem.isdigit() else 0
    code_ids: dict[int, int] = {}
    node_ids: dict[Node, int] = {}
    threads: dict[int, int] = {}
    samples: list[Sample] = []
    cpu_before = -1
    whole = [stack for stack in recording.stacks if 0 <= stack.thread <= MAX_NUMBER and stack.cpu_ns <= MAX_NUMBER]
    n_left_out = len(recording.stacks) - len(whole)
    if n_left_out:
        log.damage.append(f"{log.path} is damaged: {n_left_out} stacks have numbers that can't be.")
    first_cpu = next((stack.cpu_ns for stack in whole if stack.cpu_ns >= 0), 0)
    for stack in whole:
        parent = 0
        for function in stack.functions:
            code_id = code_ids.get(function)
            if code_id is None:
                code_id = code_ids[function] = len(code_ids) + 1
                log.codes[code_id] = _code_from_name(recording.names.get(function, ""))
            node = Node(parent, code_id, log.codes[code_id].first_line)
            node_id = node_ids.get(node)
            if node_id is None:
                node_id = node_ids[node] = len(node_ids) + 1
                log.nodes[node_id] = node
            parent = node_id
        thread = threads.setdefault(stack.thread, len(threads))
        log.threads[thread] = SampledThread(stack.thread, "")
        cpu_ns = log.interval_ns
        if stack.cpu_ns >= 0 and cpu_before >= 0:
            cpu_ns = min(max(stack.cpu_ns - cpu_before, 0), _MAX_GAP_NS)
        cpu_before = max(cpu_before, stack.cpu_ns)
        time_ns = max(stack.cpu_ns - first_cpu, 0)
        samples.append(Sample(thread, parent, time_ns, cpu_ns, cpu_ns, 0, False, 1))
    log.samples = samples
    log.n_ticks = len(samples)


def _code_from_name(name: str) -> SampledCode:
    """Parse `py:function:first line:path`; a function whose name was not written in time has the path "?"."""
    match = re.fullmatch(r"py:(.*?):(\d{1,9}):(.*)", name, re.DOTALL)
    if match is None:
        return SampledCode("?", name or "?", 0, b"")
    return SampledCode(match[3], match[1], int(match[2]), b"")
