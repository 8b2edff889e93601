"""Sample logs in one common form: `.smp` files of CPython's inside sampler (docs/formats.md) and, through
record/run/vmprof.py, `.vmprof` files of PyPy. The writer is native/sampler/log.c.

Read once when a run is resolved, and again whenever a stored run is viewed as a call tree.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Collection, Iterator
from typing import NamedTuple

from footfall.errors import FootfallError
from footfall.formats import (
    C_STACK_HEAD_BYTES,
    COUNT_CPU,
    COUNT_FULL,
    COUNT_LATE,
    COUNT_SAMPLES,
    COUNT_TICKS,
    COUNT_TORN,
    COUNT_UNREADABLE,
    ENTRY_HEAD_BYTES,
    N_COUNTERS,
    N_REGISTERS,
    SAMPLE_C_STACK,
    SAMPLE_CALLS,
    SAMPLE_CODE,
    SAMPLE_HAS_C_STACK,
    SAMPLE_HEADER,
    SAMPLE_HOLDS_GIL,
    SAMPLE_IS_ASLEEP,
    SAMPLE_LOG_FORMAT,
    SAMPLE_MAPPINGS,
    SAMPLE_NODE,
    SAMPLE_SAMPLE,
    SAMPLE_TELLS_WAITING,
    SAMPLE_THREAD,
    SAMPLE_WAITING,
    SAMPLE_WAITS_FOR_GIL,
)
from footfall.record.run.node_table import NodeTable, skip_nodes
from footfall.record.run.segments import follow_entries, read_at, read_entries
from footfall.record.run.untrusted_file import open_recorded_file

__all__ = [
    "MAX_INTERVAL_NS",
    "MAX_NUMBER",
    "MAX_START_NS",
    "CStack",
    "CStackEntry",
    "Mappings",
    "Sample",
    "SampleLog",
    "SampleLogFollower",
    "SampledCode",
    "SampledThread",
    "count_samples",
    "read_sample_log",
]

_HEADER_LAYOUT = struct.Struct(f"<8sII4Q{N_COUNTERS}Q")
_SAMPLE_LAYOUT = struct.Struct("<IIQQIHH")
_WAITING_LAYOUT = struct.Struct("<IIQQII")
_C_STACK_HEAD = struct.Struct("<4I8x")
_C_STACK_ENTRY = struct.Struct("<QI4x")
_REGISTERS = struct.Struct(f"<{N_REGISTERS}Q")
_SAMPLE_KINDS = (SAMPLE_SAMPLE, SAMPLE_WAITING)
_C_STACK_KINDS = (SAMPLE_MAPPINGS, SAMPLE_C_STACK)
_MAX_C_STACK_BYTES = 1 << 16
_MAX_MAPPINGS = 100_000  # lines
MAX_START_NS = 1 << 61  # the year 2043
MAX_NUMBER = 1 << 55  # a year of nanoseconds; sums of a few still fit into a data file
_MAX_LINE = (1 << 31) - 1
_MAX_HELD = 20_000  # 6 MB; each process has a log
MAX_INTERVAL_NS = 1 << 36  # over a minute; it is multiplied by a sample's repeat count


class SampledCode(NamedTuple):
    """A code object that was seen on a stack."""

    path: str
    qualname: str
    first_line: int
    line_table: bytes


class SampledThread(NamedTuple):
    """A thread of the process; `name` is the kernel's, not Python's."""

    native_id: int
    name: str


class CStackEntry(NamedTuple):
    """An evaluation loop on a C stack: its place, and the node of the Python frame whose call entered it (0 = none)."""

    address: int
    node: int


class Mappings(NamedTuple):
    """The files whose code was mapped into the process from one moment on."""

    time_ns: int
    """Since the epoch."""
    lines: tuple[str, ...]
    """What the file is (`i` the interpreter's, `s` the system's, `p` the program's own), a space, and its line of
    /proc/self/maps."""


class CStack(NamedTuple):
    """A thread's registers, in DWARF's order, and its C stack from the stack pointer on, when a sample was taken."""

    mappings: Mappings
    registers: tuple[int, ...]
    entries: tuple[CStackEntry, ...]
    """Youngest first: their addresses ascend."""
    content: bytes


class Sample(NamedTuple):
    """What one thread did at one moment, and the time that this represents; or the sum of its waiting tasks."""

    thread: int
    node: int
    """The leaf; 0 if the thread ran no Python code."""
    time_ns: int
    """Since the log's start."""
    wall_ns: int
    """Since the thread's previous sample; one interval for its first."""
    cpu_ns: int
    """CPU time that the thread used in `wall_ns`."""
    context: int
    holds_gil: bool
    repeat: int
    """How many samples this represents: those of an idle thread are stored as one."""
    waits_for_gil: bool | None = None
    """None if it is not known."""
    c_stack: CStack | None = None
    """With `--native`, if code of the program's own files was on it."""
    is_asleep: bool = False
    """The thread did not want a CPU then: its `cpu_ns` are of before it fell asleep."""


class SampleLog:
    """The whole log of one process. Ids index the dicts; a node's parent always has the lower id."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.version = 0
        """sys.hexversion of the process"""
        self.pid = 0
        self.start_ns = 0
        """Wall clock, since the epoch."""
        self.interval_ns = 0
        self.units_are_lines = False
        self.cpu_ns = 0
        """CPU time that the sampler itself used."""
        self.n_ticks = 0
        self.n_dropped = 0
        """Number of samples of a thread that did not give a complete stack."""
        self.n_late = 0
        self.stopped_errno = 0
        """Not zero if the log ended before the process (28 = the disk was full, 27 = the log got too long)."""
        self.codes: dict[int, SampledCode] = {}
        self.nodes = NodeTable()
        self.threads: dict[int, SampledThread] = {}
        self.samples: Collection[Sample] = []
        """In the order in which they were taken. Samples of a long log are read again on each iteration: an hour of one
        busy thread has 3.6 million. Iterating then raises as reading the log does."""
        self.native_calls: set[tuple[int, int]] = set()
        """(code id, unit) of instructions that call C functions: a leaf there was in such a function."""
        self.damage: list[str] = []


class _ThreadClock:
    """Time and CPU time at a thread's previous sample."""

    __slots__ = ("cpu_ns", "time_ns")

    def __init__(self, time_ns: int, cpu_ns: int) -> None:
        self.time_ns = time_ns
        self.cpu_ns = cpu_ns


class _SampleReader:
    """Reads the entries of samples, in order: each also depends on earlier ones of its thread."""

    def __init__(self, log: SampleLog) -> None:
        self.has_c_stacks = False
        self._log = log
        self.clocks: dict[int, _ThreadClock] = {}
        self._mappings = Mappings(0, ())
        self._c_stacks: dict[int, CStack] = {}

    def read(self, kind: int, payload: memoryview) -> Sample:
        """Return the sample of an entry of `_SAMPLE_KINDS`. Raises ValueError or struct.error for a damaged one."""
        sample, has_c_stack = _read_sample(self._log, self.clocks, kind, payload)
        if not has_c_stack:
            return sample
        return sample._replace(c_stack=self._c_stacks.get(sample.thread))

    def note(self, kind: int, payload: memoryview) -> None:
        """Read an entry of `_C_STACK_KINDS`. Raises ValueError or struct.error for a damaged one."""
        if kind == SAMPLE_MAPPINGS:
            (time_ns,) = struct.unpack_from("<Q", payload)
            (text,) = _sized_fields(payload, 8, 1)
            lines = os.fsdecode(text).split("\n")
            if len(lines) > _MAX_MAPPINGS:
                raise ValueError("too many files are mapped")
            self._mappings = Mappings(time_ns, tuple(lines))
            return
        self.has_c_stacks = True
        (thread,) = struct.unpack_from("<I", payload)
        before = self._c_stacks.pop(thread, None)  # without a whole stack, the next can't be read either
        self._c_stacks[thread] = _read_c_stack(payload, self._mappings, before.content if before is not None else b"")


def _read_c_stack(payload: memoryview, mappings: Mappings, before: bytes) -> CStack:
    _, n_entries, n_bytes, n_same = _C_STACK_HEAD.unpack_from(payload)
    at = C_STACK_HEAD_BYTES
    registers = _REGISTERS.unpack_from(payload, at)
    at += _REGISTERS.size
    end = at + n_entries * _C_STACK_ENTRY.size
    if n_bytes > _MAX_C_STACK_BYTES or n_same > min(n_bytes, len(before)) or end + n_bytes - n_same > len(payload):
        raise ValueError("a C stack is not whole")
    entries = tuple(map(CStackEntry._make, _C_STACK_ENTRY.iter_unpack(payload[at:end])))
    content = bytes(payload[end : end + n_bytes - n_same]) + before[len(before) - n_same :]
    return CStack(mappings, registers, entries, content)


def read_sample_log(path: str) -> SampleLog:
    """Read a `.smp` file, even if its process was killed. A log without a header is empty.

    Raises FootfallError (`record-corrupt`) if it is not a sample log, OSError if it cannot be opened.
    """
    log = SampleLog(path)
    found = _FoundSamples()
    reader = _SampleReader(log)
    n_damaged = 0
    first_damage: Exception | None = None
    for kind, payload in read_entries(path, log.damage, log.nodes.taker()):
        try:
            if kind in _SAMPLE_KINDS:
                found.add(reader.read(kind, payload))
            elif kind in _C_STACK_KINDS:
                reader.note(kind, payload)
                found.held = None if reader.has_c_stacks else found.held
            else:
                _add_entry(log, kind, payload)
        except (struct.error, ValueError) as error:
            n_damaged += 1
            first_damage = first_damage or error
    if first_damage is not None:
        log.damage.append(f"{path} has {n_damaged} damaged entries, which are left out. The first: {first_damage!r}.")
    _drop_dangling(log, found)
    return log


class _FoundSamples:
    """The samples of a log that is being read: all of them for a short log, only counts per place for a longer one."""

    def __init__(self) -> None:
        self.held: list[Sample] | None = []
        self.n_found = 0
        self.n_by_place: dict[tuple[int, int], int] = {}
        """By thread and node."""

    def add(self, sample: Sample) -> None:
        self.n_found += 1
        place = (sample.thread, sample.node)
        self.n_by_place[place] = self.n_by_place.get(place, 0) + 1
        if self.held is not None:
            self.held.append(sample)
            if len(self.held) > _MAX_HELD:
                self.held = None


class _SamplesInFile(Collection[Sample]):
    """The samples of a log whose references are valid, read when iterated over.

    The process may still be writing: there are as many samples as when the log was read.
    """

    def __init__(self, log: SampleLog, n_found: int, n_dangling: int) -> None:
        self._log = log
        self._n_found = n_found
        self._n_dangling = n_dangling

    def __len__(self) -> int:
        return self._n_found - self._n_dangling

    def __contains__(self, sample: object) -> bool:
        return any(sample == found for found in self)

    def __iter__(self) -> Iterator[Sample]:
        log = self._log
        reader = _SampleReader(log)
        n_found = 0
        for kind, payload in read_entries(log.path, None, skip_nodes()):
            if n_found == self._n_found:
                return
            try:
                if kind in _C_STACK_KINDS:
                    reader.note(kind, payload)
                if kind not in _SAMPLE_KINDS:
                    continue
                sample = reader.read(kind, payload)
            except (struct.error, ValueError):
                continue
            n_found += 1
            if not self._n_dangling or _is_whole(log, sample.thread, sample.node):
                yield sample


def _add_entry(log: SampleLog, kind: int, payload: memoryview) -> None:
    """Add an entry that is not a sample."""
    if kind == SAMPLE_NODE:
        log.nodes.add(payload)
    elif kind == SAMPLE_CODE:
        code_id, first_line = struct.unpack_from("<II", payload)
        if first_line > _MAX_LINE:
            raise ValueError(f"line {first_line}, which no file has")
        filename, qualname, line_table = _sized_fields(payload, 8, 3)
        log.codes[code_id] = SampledCode(os.fsdecode(filename), _text(qualname), first_line, line_table)
    elif kind == SAMPLE_THREAD:
        index, _, native_id = struct.unpack_from("<IIQ", payload)
        if native_id > MAX_NUMBER:
            raise ValueError("a thread has a number that can't be")
        (name,) = _sized_fields(payload, 16, 1)
        log.threads[index] = SampledThread(native_id, _text(name))
    elif kind == SAMPLE_CALLS:
        code_id, count = struct.unpack_from("<II", payload)
        log.native_calls.update((code_id, unit) for unit in struct.unpack_from(f"<{count}I", payload, 8))
    elif kind == SAMPLE_HEADER:
        _read_header(log, payload)


class SampleLogFollower:
    """Reads a sample log while it is being written. `log.samples` are those that the last `read` found."""

    def __init__(self, path: str) -> None:
        self.log = SampleLog(path)
        self._samples: list[Sample] = []
        self.log.samples = self._samples
        self._reader = _SampleReader(self.log)
        self._at = 0
        self._last: dict[int, tuple[int, int]] = {}
        """Place and count of each thread's last sample; the count keeps increasing while the thread is idle."""

    def read(self) -> None:
        """Read what is new. Raises OSError, FootfallError (`record-corrupt`)."""
        log = self.log
        self._samples.clear()
        with open_recorded_file(log.path) as file:
            self._read_idle(file.fileno())
            for place, kind, payload in follow_entries(file.fileno(), self._at):
                if kind is None:
                    self._at = place
                    break
                try:
                    if kind not in _SAMPLE_KINDS:
                        _add_entry(log, kind, payload)
                        continue
                    sample = self._reader.read(kind, payload)
                except (struct.error, ValueError):
                    continue  # a damaged entry; the others are intact
                self._samples.append(sample)
                if kind == SAMPLE_SAMPLE:
                    self._last[sample.thread] = (place, sample.repeat)
            header = read_at(file.fileno(), _HEADER_LAYOUT.size, ENTRY_HEAD_BYTES)
        if self._at:
            _read_header(log, memoryview(header))

    def _read_idle(self, descriptor: int) -> None:
        """Add what the last sample of each thread has counted since."""
        for thread, (place, counted) in self._last.items():
            payload = read_at(descriptor, _SAMPLE_LAYOUT.size, place + ENTRY_HEAD_BYTES)
            _, node, time_ns, cpu_ns, context, flags, repeat = _SAMPLE_LAYOUT.unpack(payload)
            if repeat > counted:
                clock = self._reader.clocks[thread]
                wall = max(time_ns - clock.time_ns, 0)
                clock.time_ns = time_ns
                gil = _read_gil(flags)
                more = Sample(thread, node, time_ns, wall, 0, context, gil[0], repeat - counted, gil[1], is_asleep=True)
                self._samples.append(more)
                self._last[thread] = (place, repeat)


def count_samples(path: str) -> int:
    """Return how many samples a process has taken so far: 0 if the log is just beginning or is not one.

    Raises OSError, FootfallError (`record-refused`).
    """
    with open_recorded_file(path) as file:
        header = read_at(file.fileno(), _HEADER_LAYOUT.size, ENTRY_HEAD_BYTES)
    return int(_HEADER_LAYOUT.unpack(header)[7 + COUNT_SAMPLES]) if len(header) == _HEADER_LAYOUT.size else 0


def _read_header(log: SampleLog, payload: memoryview) -> None:
    if len(payload) < _HEADER_LAYOUT.size:
        raise _corrupt(log.path, "its header is too short")
    fields = _HEADER_LAYOUT.unpack_from(payload)
    if fields[1] != SAMPLE_LOG_FORMAT:
        raise _corrupt(log.path, f"its format is {fields[1]}, and this footfall reads {SAMPLE_LOG_FORMAT}")
    start_ns, numbers = fields[4:6], (*fields[2:4], *fields[7:16])
    if max(start_ns) > MAX_START_NS or fields[6] > MAX_INTERVAL_NS or max(numbers) > MAX_NUMBER:
        raise _corrupt(log.path, "its header has a number that can't be")
    log.version, log.pid, log.start_ns, _, log.interval_ns = fields[2:7]
    counters = fields[7:]
    log.n_ticks = counters[COUNT_TICKS]
    log.n_dropped = counters[COUNT_TORN] + counters[COUNT_UNREADABLE]
    log.n_late = counters[COUNT_LATE]
    log.stopped_errno = counters[COUNT_FULL]
    log.cpu_ns = counters[COUNT_CPU]


def _corrupt(path: str, why: str) -> FootfallError:
    return FootfallError("record-corrupt", f"Can't read the sample log {path}: {why}.", "Remove it and run again.")


def _read_sample(
    log: SampleLog, clocks: dict[int, _ThreadClock], kind: int, payload: memoryview
) -> tuple[Sample, bool]:
    """Return the sample of an entry of `_SAMPLE_KINDS`, and whether its thread's last C stack is its own.

    Raises ValueError or struct.error for a damaged one.
    """
    if kind == SAMPLE_WAITING:
        thread, node, time_ns, wall_ns, n_samples, _ = _WAITING_LAYOUT.unpack_from(payload)
        if max(time_ns, wall_ns) > MAX_NUMBER:
            raise ValueError("a task has waited for a time that can't be")
        sample = Sample(thread, node, time_ns, wall_ns, 0, 0, False, n_samples, waits_for_gil=False, is_asleep=True)
        return sample, False
    thread, node, time_ns, cpu_ns, context, flags, repeat = _SAMPLE_LAYOUT.unpack_from(payload)
    if max(time_ns, cpu_ns) > MAX_NUMBER:
        raise ValueError("a sample is of a time that can't be")
    before = clocks.get(thread)
    if before is None:
        clocks[thread] = _ThreadClock(time_ns, cpu_ns)
        wall, cpu = log.interval_ns * repeat, 0
    else:
        wall, cpu = time_ns - before.time_ns, cpu_ns - before.cpu_ns
        before.time_ns, before.cpu_ns = time_ns, cpu_ns
    holds_gil, waits_for_gil = _read_gil(flags)
    asleep = bool(flags & SAMPLE_IS_ASLEEP)
    wall, cpu = max(wall, 0), max(cpu, 0)
    sample = Sample(thread, node, time_ns, wall, cpu, context, holds_gil, repeat, waits_for_gil, None, asleep)
    return sample, bool(flags & SAMPLE_HAS_C_STACK)


def _read_gil(flags: int) -> tuple[bool, bool | None]:
    """Return whether the thread held the GIL, and whether it waited for it."""
    waits = bool(flags & SAMPLE_WAITS_FOR_GIL) if flags & SAMPLE_TELLS_WAITING else None
    return bool(flags & SAMPLE_HOLDS_GIL), waits


def _sized_fields(payload: memoryview, at: int, count: int) -> Iterator[bytes]:
    """Yield `count` fields of `u32 length, bytes` from `at` on. Raises ValueError past the end."""
    for _ in range(count):
        (size,) = struct.unpack_from("<I", payload, at)
        at += 4
        if at + size > len(payload):
            raise ValueError("a field is longer than its entry")
        yield bytes(payload[at : at + size])
        at += size


def _text(field: bytes) -> str:
    """Decode to text that can be stored: a name was read while the program was running, and may be garbage."""
    return field.decode("utf-8", "replace").replace("\0", "\\x00")


def _drop_dangling(log: SampleLog, found: _FoundSamples) -> None:
    """Remove entries with invalid references: damage may hide an entry or change a number without being detected."""
    log.nodes.drop_dangling(log.codes)
    n_dangling = sum(count for place, count in found.n_by_place.items() if not _is_whole(log, *place))
    if found.held is None:
        log.samples = _SamplesInFile(log, found.n_found, n_dangling)
    elif n_dangling:
        log.samples = [sample for sample in found.held if _is_whole(log, sample.thread, sample.node)]
    else:
        log.samples = found.held
    if n_dangling and not log.damage:
        log.damage.append(f"{log.path} is damaged: {n_dangling} samples refer to nothing.")


def _is_whole(log: SampleLog, thread: int, node: int) -> bool:
    return thread in log.threads and (node == 0 or node in log.nodes)
