"""Reads the records of a run while its processes write them: each time only what has changed since the last time.

For a measurement that is read again and again while it goes on. With a context for each test, most of a record are
events of contexts that have ended, which never change. Called by `footfall.compat`, by way of `resolve`.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import Final, TypeVar

from footfall.errors import FootfallError
from footfall.formats import ENTRY_HEAD_BYTES, RECORD_TRACE
from footfall.record.run.event_places import ContextEvents
from footfall.record.run.record_file import (
    Cursor,
    ProbedModule,
    Record,
    RecordedCode,
    RecordReader,
    TracedCode,
    read_header,
    read_trace,
)
from footfall.record.run.segments import follow_entries, read_at
from footfall.record.run.untrusted_file import opened_record

__all__ = ["RecordChanges"]

_T = TypeVar("_T", RecordedCode, ProbedModule)

_COPIED_BYTES: Final = 1 << 16
"""Of a longer record no copy is kept to compare it with."""


class RecordChanges:
    """How far the records of one run were read, by one reader, whom `read` tells what is new."""

    def __init__(self) -> None:
        self._records: dict[str, _GrowingRecord] = {}

    @property
    def n_codes(self) -> int:
        """How many code objects and sets of pairs the records have, as far as they were read."""
        return sum(record.n_fields for record in self._records.values())

    def read(self, path: str, damage: list[str]) -> Record:
        """Return what a record file has that it had not the last time, and all of its messages and names.

        Code objects and modules in which nothing is new are left out. Raises as `read_record`.
        """
        if path not in self._records:
            self._records[path] = _GrowingRecord(path)
        return self._records[path].read(damage)

    def are_none(self, directory: str) -> bool:
        """Return whether the records in a directory are as they were when they were read; False if that is not known.

        Most reads of a program that reads again and again find nothing new, and this takes a quarter of their time.
        """
        names = [name for name in os.listdir(directory) if name.endswith(".rec")]
        if not names or len(names) != len(self._records):
            return False
        records = [self._records.get(f"{directory}/{name}") for name in names]
        return all(record is not None and record.is_unchanged() for record in records)


@dataclass(slots=True)
class _Field:
    """The events or pairs in an entry: they are updated in place, and cleared when a context ends."""

    place: int
    n_bytes: int
    contents: bytes | None = None
    """What was returned last."""
    context: str | None = None

    def has_changed(self, contents: bytes, context: str | None) -> bool:
        """Return whether what is there now is new. Without any event it does not matter in which context."""
        if contents.count(0) == len(contents):
            context = None
        if (contents, context) == (self.contents, self.context):
            return False
        self.contents, self.context = contents, context
        return True


class _GrowingRecord(RecordReader):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._end = 0
        self._head_bytes = 0
        """How many the first entry has, without its own head."""
        self._copy: bytes | None = None
        """What the record was when it was read last, and the place of the next entry; None for a long one."""
        self._code_fields: list[_Field] = []
        self._module_fields: list[_Field] = []
        self._trace_fields: list[_Field] = []
        """Of the whole entries: their heads say which file and how many pairs."""

    @property
    def n_fields(self) -> int:
        """How many places each `read` looks at."""
        return len(self._code_fields) + len(self._module_fields) + len(self._trace_fields)

    def read(self, damage: list[str]) -> Record:
        with opened_record(self._path) as descriptor:
            self._code_events, self._module_events, self._traces = [], [], []
            self._read_entries(descriptor, damage)
            if self.header is None:
                raise FootfallError("record-corrupt", f"The record file {self._path} is empty.", "Run again.")
            self._copy = self._copied(descriptor)
            # what the header says of a failure is updated in place
            self.header = read_header(
                Cursor(memoryview(self._contents(descriptor, ENTRY_HEAD_BYTES, self._head_bytes)))
            )
            if self.leave_out_unknown_modules():
                damage.append(f"{self._path} has events of modules that are not there, which are left out.")
            codes, code_events = self._changed(descriptor, self._codes, self._code_fields, self._code_events)
            modules, module_events = self._changed(descriptor, self._modules, self._module_fields, self._module_events)
            return self.record(self.header)._replace(
                codes=codes,
                code_events=code_events,
                modules=modules,
                module_events=module_events,
                traces=[*self._traces, *self._changed_traces(descriptor)],
            )

    def is_unchanged(self) -> bool:
        """Return whether `read` would find what it found the last time; False if that is not known."""
        if self._copy is None:
            return False
        try:
            with opened_record(self._path) as descriptor:
                return self._copied(descriptor) == self._copy
        except (FootfallError, OSError):
            return False  # `read` says what is wrong

    def _copied(self, descriptor: int) -> bytes | None:
        n_bytes = self._end + ENTRY_HEAD_BYTES
        return read_at(descriptor, n_bytes, 0) if n_bytes <= _COPIED_BYTES else None

    def _contents(self, descriptor: int, place: int, n_bytes: int) -> bytes:
        if self._copy is not None:
            return self._copy[place : place + n_bytes]
        return read_at(descriptor, n_bytes, place)

    def _read_entries(self, descriptor: int, damage: list[str]) -> None:
        for place, kind, payload in follow_entries(descriptor, self._end):
            if kind is None:
                self._end = place
                return
            try:
                self._add_entry(kind, place + ENTRY_HEAD_BYTES, payload)
            except (ValueError, KeyError, struct.error) as error:
                damage.append(f"{self._path} has a damaged entry at byte {place}, which is left out: {error!r}.")

    def _add_entry(self, kind: int, start: int, payload: memoryview) -> None:
        if self.header is None:
            self._head_bytes = len(payload)
        if kind == RECORD_TRACE and self.header is not None:
            trace, is_final = read_trace(Cursor(payload), self._files, self._contexts)
            if is_final:
                self._traces.append(trace)
            else:
                self._trace_fields.append(_Field(start, len(payload)))
            return
        self.add(kind, payload)
        end = start + len(payload)
        if len(self._codes) > len(self._code_fields):
            n_places = self._codes[-1].n_places
            self._code_fields.append(_Field(end - n_places, n_places))
        elif len(self._modules) > len(self._module_fields):
            n_probes = len(self._modules[-1].events)
            self._module_fields.append(_Field(end - n_probes, n_probes))

    def _changed(
        self, descriptor: int, measured: list[_T], fields: list[_Field], ended: list[ContextEvents]
    ) -> tuple[list[_T], list[ContextEvents]]:
        """Return what has new events, now or in contexts that have ended, and the latter with their numbers there."""
        context = self._last_context
        with_ended = {events.number for events in ended}
        changed: list[_T] = []
        numbers: dict[int, int] = {}
        for number, field in enumerate(fields):
            now = self._contents(descriptor, field.place, field.n_bytes)
            if field.has_changed(now, context) or number in with_ended:
                numbers[number] = len(changed)
                changed.append(measured[number]._replace(events=field.contents or b"", context=context or ""))
        return changed, [events._replace(number=numbers[events.number]) for events in ended]

    def _changed_traces(self, descriptor: int) -> list[TracedCode]:
        found: list[TracedCode] = []
        for field in self._trace_fields:
            now = self._contents(descriptor, field.place, field.n_bytes)
            if field.has_changed(now, self._last_context) and field.contents:
                trace, _ = read_trace(Cursor(memoryview(field.contents)), self._files, self._contexts)
                found.append(trace._replace(context=self._last_context or ""))
        return found
