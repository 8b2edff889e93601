"""The records of a run's processes, merged, so that what many processes recorded of the same code is resolved once.

Called by `resolve.py`. With contexts, each set of events of a code object is kept with the contexts that recorded it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from footfall.analyze.bytecode.opcodes import OPCODES_BY_VERSION
from footfall.errors import FootfallError
from footfall.model import EVENT_RESUMED, UNCOVERED_CONTEXT
from footfall.pythons import is_known, version_name, version_of
from footfall.record.run.event_places import ContextEvents, gather_events, join_places
from footfall.record.run.record_file import ProbedModule, Record, RecordedCode, TracedCode, read_record
from footfall.record.run.sample_log import SampleLog
from footfall.record.run.segments import sentence_of_stop

__all__ = ["MergedRecords", "ReadRecord", "merge_records", "unknown_python"]

_T = TypeVar("_T", RecordedCode, ProbedModule)
ReadRecord = Callable[[str, list[str]], Record]
"""Reads a record file: `read_record`, or `RecordChanges.read` to be told only what is new."""
Visits = dict[_T, dict[bytes, set[str]]]
"""By code object or module, without events and context: each set of events (`ContextEvents.places`), and the contexts
that recorded it. If tests take the same path through a function, it is resolved once for all of them."""


class MergedRecords:
    """The records of all processes. `codes` and `modules` come from processes that never switched contexts.

    Visits are also what resumed generators ran after a late start: in both, events may begin in the middle of a frame.
    """

    def __init__(self) -> None:
        self.codes: dict[RecordedCode, RecordedCode] = {}
        self.modules: dict[ProbedModule, ProbedModule] = {}
        self.code_visits: Visits[RecordedCode] = {}
        self.module_visits: Visits[ProbedModule] = {}
        self.traces: list[TracedCode] = []
        self.imported: dict[str, int] = {}
        self.tracers: dict[str, str] = {}
        self.messages: list[tuple[str, str]] = []
        self.has_branches = False
        self.processes: dict[int, list[_Process]] = {}
        """By process id: several processes share one if the system reused it, or after `exec`."""

    def cwd_by_pid(self) -> dict[int, str]:
        """The directory in which each process started: relative file names refer to it."""
        return {pid: records[-1].cwd for pid, records in self.processes.items()}

    def contexts_of(self, log: SampleLog) -> dict[int, str]:
        """Return the labels of a sample log's context ids, from the record that the process had open at the time."""
        found: dict[int, str] = {}
        latest = -1
        for process in self.processes.get(log.pid, ()):
            if latest < process.start_ns <= log.start_ns:
                latest, found = process.start_ns, process.contexts
        return found


class _Process(NamedTuple):
    """One record's process. `start_ns` is wall time since the epoch."""

    start_ns: int
    cwd: str
    contexts: dict[int, str]


def merge_records(paths: Iterable[str], read: ReadRecord = read_record) -> MergedRecords:
    """Read and merge record files. What can't be read is left out, with a message."""
    merged = MergedRecords()
    for path in paths:
        damage: list[str] = []
        try:
            record = read(path, damage)
        except FootfallError as error:
            merged.messages.append((error.slug, str(error)))
            continue
        except OSError as error:
            merged.messages.append(("record-unreadable", f"Can't read {path}: {error.strerror}."))
            continue
        merged.messages += [("record-damaged", sentence) for sentence in damage]
        header = record.header
        process = _Process(header.start_ns, header.cwd, record.contexts)
        merged.processes.setdefault(header.pid, []).append(process)
        merged.has_branches = merged.has_branches or header.has_branches
        merged.messages += record.messages
        merged.traces += record.traces
        for traced, tracer in record.tracers.items():
            merged.tracers[traced] = tracer or merged.tracers.get(traced, "")
        for imported in record.imported:
            merged.imported[imported] = min(header.optimize, merged.imported.get(imported, header.optimize))
        if header.stopped_errno:
            what = f"Coverage recording of process {header.pid}, or of one that it forked, stopped"
            merged.messages.append(("record-full", sentence_of_stop(what, header.stopped_errno)))
        if record.codes and not _can_read_codes(record):
            merged.messages.append(unknown_python("Coverage", header.pid, header.version))
            continue
        if record.has_switched:
            _merge_visits(merged, record)
            continue
        for code in record.codes:
            if header.is_late and _has_resumed(code):
                visits = merged.code_visits.setdefault(code._replace(events=b""), {})
                visits.setdefault(gather_events(code.events), set()).add("")
            else:
                _merge(merged.codes, code._replace(events=b""), code)
        for module in record.modules:
            _merge(merged.modules, module._replace(events=b""), module)
    return merged


def _has_resumed(code: RecordedCode) -> bool:
    """Return whether a generator's frame went on, which may have begun before a late start."""
    return any(flags & EVENT_RESUMED for flags in code.events)


def _can_read_codes(record: Record) -> bool:
    header = record.header
    return is_known(header.version) and (not header.has_branches or version_of(header.version) in OPCODES_BY_VERSION)


def unknown_python(what: str, pid: int, version: int) -> tuple[str, str]:
    """Return the message for a process with a Python that this footfall does not know; its `what` is left out."""
    name = version_name(version_of(version))
    text = f"{what} of process {pid} is left out: it ran Python {name}, which this footfall does not know."
    return "python-unknown", text + " Update footfall."


def _merge_visits(merged: MergedRecords, record: Record) -> None:
    by_code = [merged.code_visits.setdefault(code._replace(events=b"", context=""), {}) for code in record.codes]
    by_module = [
        merged.module_visits.setdefault(module._replace(events=bytes(len(module.events)), context=""), {})
        for module in record.modules
    ]
    last_code_events = [
        ContextEvents(at, code.context, gather_events(code.events)) for at, code in enumerate(record.codes)
    ]
    last_module_events = [
        ContextEvents(at, module.context, gather_events(module.events)) for at, module in enumerate(record.modules)
    ]
    for events in _join_visits([*record.code_events, *last_code_events]):
        by_code[events.number].setdefault(events.places, set()).add(events.context)
    for events in _join_visits([*record.module_events, *last_module_events]):
        by_module[events.number].setdefault(events.places, set()).add(events.context)


def _join_visits(found: list[ContextEvents]) -> Iterator[ContextEvents]:
    """Yield one for each item and context: a context may come back, and a thread of it may continue after it."""
    by_key: dict[tuple[int, str], list[bytes]] = {}
    for events in found:
        if events.places and events.context != UNCOVERED_CONTEXT:
            by_key.setdefault((events.number, events.context), []).append(events.places)
    for (number, context), all_places in by_key.items():
        places = all_places[0] if len(all_places) == 1 else join_places(all_places)
        yield ContextEvents(number, context, places)


def _merge(known: dict[_T, _T], key: _T, found: _T) -> None:
    if key in known:
        found = found._replace(events=_either(known[key].events, found.events))
    known[key] = found


def _either(a: bytes, b: bytes) -> bytes:
    """Bitwise or of two event fields of one length."""
    return (int.from_bytes(a, "little") | int.from_bytes(b, "little")).to_bytes(max(len(a), len(b)), "little")
