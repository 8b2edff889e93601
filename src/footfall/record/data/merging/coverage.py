"""Merges coverage.py's tables of many data files into a new one, in bounded memory.

Called by combine.py, file by file. Lines, arcs, files and contexts are sets, so the result does not depend on
the order, and a file merged twice changes nothing. If some data has arcs and some has only lines, a line of the
latter becomes the arc (n, n): coverage.py's reports and ours take lines from the ends of arcs, and both know that such
an arc is not a branch.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from footfall.record.data.coverage_tables import (
    LINES_ONLY_TABLE,
    MAX_NUMBITS_BYTES,
    numbers_from_numbits,
    read_inferred,
    write_inferred,
)
from footfall.record.data.data_file import has_table
from footfall.record.data.distinct_arcs import keep_distinct_arcs
from footfall.record.data.source_ids import MIXED, source_ids_of, write_source_ids

__all__ = ["CoverageMerge", "inferred_paths"]

_MAX_LINE: Final = 2**31 - 1  # as CPython's own
_MAX_HELD_BYTES: Final = 128 << 20
_MAX_STAGED_BYTES: Final = 64 << 20
# The approximate size of Python's objects on a 64-bit system.
_ARC_BYTES: Final = 110
_SET_BYTES: Final = 500

# One text for each file and context costs a third of a tuple for each row. A pair of numbers becomes one, in the order
# of the index, so that equal sets are equal texts; what is not a line number gives "x" or has a point.
_SELECT_ARCS: Final = f"""
select file_id, context_id, group_concat(
    case when fromno between -{_MAX_LINE} and {_MAX_LINE} and tono between -{_MAX_LINE} and {_MAX_LINE}
    then fromno * 4294967296 + tono else 'x' end)
from arc group by file_id, context_id"""

# Three times as fast as one row at a time.
_INSERT_ARCS: Final = """
insert or ignore into arc select ?, ?, (value + 2147483648) >> 32, ((value + 2147483648) & 4294967295) - 2147483648
from json_each(?)"""

_Key = tuple[int, int]
"""(file, context), by their numbers in the result."""


@dataclass(slots=True)
class _Source:
    """One data file as it is read: its numbers of files and contexts, and the corresponding numbers in the result."""

    connection: sqlite3.Connection
    paths: dict[int, str]
    contexts: dict[int, str]
    tracers: dict[int, str]
    has_arcs: bool
    lines_only: set[str] = field(default_factory=set)
    inferred: dict[int, set[int]] = field(default_factory=dict)
    source_ids: dict[str, str] = field(default_factory=dict)

    def lines(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield (file, context, numbits). Raises sqlite3.DatabaseError for invalid contents."""
        query = "select file_id, context_id, numbits from line_bits"
        for file_id, context_id, numbits in self.connection.execute(query):
            if file_id not in self.paths or context_id not in self.contexts:
                raise sqlite3.DatabaseError("a line is of a file or context that is not there")
            if not isinstance(numbits, bytes) or len(numbits) > MAX_NUMBITS_BYTES:
                raise sqlite3.DatabaseError("lines are no set of line numbers")
            yield file_id, context_id, numbits

    def arcs(self) -> Iterator[tuple[int, int, str]]:
        """Yield (file, context, packed arcs). Raises sqlite3.DatabaseError for invalid contents."""
        for file_id, context_id, text in self.connection.execute(_SELECT_ARCS):
            if file_id not in self.paths or context_id not in self.contexts:
                raise sqlite3.DatabaseError("an arc is of a file or context that is not there")
            if not isinstance(text, str) or "x" in text or "." in text:
                raise sqlite3.DatabaseError("an arc is not of two line numbers")
            yield file_id, context_id, text


class CoverageMerge:
    """Merges into `target`, the connection of a data file that `create_data_file` makes."""

    def __init__(
        self,
        target: sqlite3.Connection,
        map_path: Callable[[str], str],
        max_held_bytes: int = _MAX_HELD_BYTES,
        has_inferred: Collection[str] = (),
    ) -> None:
        """`has_inferred` are the paths for which some data file to be added has inferred lines (`inferred_paths`)."""
        self._target = target
        self._map_path = map_path
        self._inferred: dict[str, set[int]] = {path: set() for path in has_inferred}
        self._seen_lines: dict[str, set[int]] = {path: set() for path in has_inferred}
        self._max_held_bytes = max_held_bytes
        self._held_bytes = 0
        self._has_arcs = False
        self._files: dict[str, int] = {}
        self._contexts: dict[str, int] = {}
        self._tracers: dict[str, str] = {}
        self._lines_only: set[str] = set()
        self._source_ids: dict[str, str] = {}
        self._has_source_ids = False
        self._arcs: dict[_Key, str | set[str]] = {}
        self._seen: set[tuple[_Key, bytes]] = set()
        self._lines: dict[_Key, int] = {}
        self.tracer_conflicts: set[str] = set()
        """Paths for which two data files name different plugins."""

    def add(self, connection: sqlite3.Connection, size_bytes: int) -> None:
        """Merge an open data file of that size, entirely or not at all. Raises sqlite3.DatabaseError if damaged."""
        source = _open_source(connection, self._map_path)
        if size_bytes > _MAX_STAGED_BYTES:
            for _ in chain(source.lines(), source.arcs()):  # read it twice rather than keep it in memory
                pass
            self._take(source, source.lines(), source.arcs())
        else:
            self._take(source, list(source.lines()), list(source.arcs()))

    def _take(
        self, source: _Source, lines: Iterable[tuple[int, int, bytes]], arcs: Iterable[tuple[int, int, str]]
    ) -> None:
        files = {number: self._files.setdefault(path, len(self._files) + 1) for number, path in source.paths.items()}
        contexts = {
            number: self._contexts.setdefault(label, len(self._contexts) + 1)
            for number, label in source.contexts.items()
        }
        self._has_arcs |= source.has_arcs
        self._lines_only |= source.lines_only
        for number, tracer in source.tracers.items():
            self._take_tracer(source.paths[number], tracer)
        self._has_source_ids |= bool(source.source_ids)
        for path in source.paths.values():
            blob = source.source_ids.get(path, MIXED)  # an unknown text may be any
            if self._source_ids.setdefault(path, blob) != blob:
                self._source_ids[path] = MIXED
        for number, inferred in source.inferred.items():
            self._inferred.setdefault(source.paths[number], set()).update(inferred)
        for file_id, context_id, text in arcs:
            if (path := source.paths[file_id]) in self._seen_lines:
                self._seen_lines[path] |= _lines_of_arcs(text) - source.inferred.get(file_id, set())
            self._take_arcs((files[file_id], contexts[context_id]), text)
        for file_id, context_id, numbits in lines:
            key = (files[file_id], contexts[context_id])
            if (path := source.paths[file_id]) in self._seen_lines:
                self._seen_lines[path] |= numbers_from_numbits(numbits) - source.inferred.get(file_id, set())
            self._held_bytes += _SET_BYTES + len(numbits) if key not in self._lines else 0
            self._lines[key] = self._lines.get(key, 0) | int.from_bytes(numbits, "little")
            self._flush_when_full()

    def _take_tracer(self, path: str, tracer: str) -> None:
        """Keep the plugin's name; of two, the alphabetically first, whatever the order of the files."""
        known = self._tracers.get(path)
        if known is not None and known != tracer:
            self.tracer_conflicts.add(path)
            tracer = min(known, tracer)
        self._tracers[path] = tracer

    def _take_arcs(self, key: _Key, text: str) -> None:
        """Merge packed arcs with the known ones; a text is only unpacked if there is another one to merge with."""
        known = self._arcs.setdefault(key, text)
        if known is text:
            self._held_bytes += len(text) + _SET_BYTES
        elif known == text:
            return
        else:
            # most files of one project contain much of what others do: don't unpack the same text again
            mark = (key, hashlib.blake2b(text.encode(), digest_size=16).digest())
            if mark in self._seen:
                return
            self._seen.add(mark)
            if isinstance(known, str):
                known = self._arcs[key] = set(known.split(","))
                self._held_bytes += len(known) * _ARC_BYTES
            size = len(known)
            known.update(text.split(","))
            self._held_bytes += (len(known) - size) * _ARC_BYTES + _SET_BYTES
        self._flush_when_full()

    def _flush_when_full(self) -> None:
        if self._held_bytes > self._max_held_bytes:
            self._flush()

    def _flush(self) -> None:
        """Write what is in memory, merged with what was written before.

        Raises OSError, so that the file being read, in whose block this may run, is not taken for damaged.
        """
        try:
            self._write_held()
        except sqlite3.Error as error:
            raise OSError(str(error)) from error

    def _write_held(self) -> None:
        for key in sorted(self._arcs):
            packed = self._arcs.pop(key)
            text = packed if isinstance(packed, str) else ",".join(sorted(packed))
            self._target.execute(_INSERT_ARCS, (*key, f"[{text}]"))
        while self._lines:
            key, bits = self._lines.popitem()
            query = "select numbits from line_bits where file_id = ? and context_id = ?"
            for (known,) in self._target.execute(query, key).fetchall():
                bits |= int.from_bytes(known, "little")
            numbits = bits.to_bytes((bits.bit_length() + 7) // 8, "little")
            self._target.execute("insert or replace into line_bits values (?, ?, ?)", (*key, numbits))
        self._seen.clear()
        self._held_bytes = 0

    def finish(self) -> None:
        """Write the remaining rows. Call it once, after the last `add`."""
        self._flush()
        has_lines, has_arcs = (
            self._target.execute(f"select exists (select 1 from {condition})").fetchone()[0]
            for condition in ("line_bits where length(numbits) > 0", "arc")
        )
        # a run with branches in which nothing ran does not make the lines of other runs partly known
        self._has_arcs = bool(has_arcs or (self._has_arcs and not has_lines))
        if self._has_arcs:
            self._turn_lines_into_arcs()
        self._target.execute("insert into meta values ('has_arcs', ?)", (str(int(self._has_arcs)),))
        self._target.executemany("insert into file values (?, ?)", [(n, path) for path, n in self._files.items()])
        self._target.executemany("insert into context values (?, ?)", [(n, name) for name, n in self._contexts.items()])
        tracers = [(self._files[path], tracer) for path, tracer in self._tracers.items()]
        self._target.executemany("insert into tracer values (?, ?)", tracers)
        keep_distinct_arcs(self._target)
        if self._lines_only and self._has_arcs:
            self._target.execute(f"create table {LINES_ONLY_TABLE} (path text primary key)")
            rows = [(path,) for path in sorted(self._lines_only)]
            self._target.executemany(f"insert into {LINES_ONLY_TABLE} values (?)", rows)
        if self._has_source_ids:
            write_source_ids(self._target, self._source_ids)
        seen = self._seen_lines
        write_inferred(self._target, {path: lines - seen.get(path, set()) for path, lines in self._inferred.items()})

    def _turn_lines_into_arcs(self) -> None:
        paths = {number: path for path, number in self._files.items()}
        keys = self._target.execute("select rowid from line_bits").fetchall()
        for (rowid,) in keys:
            query = "select file_id, context_id, numbits from line_bits where rowid = ?"
            file_id, context_id, numbits = self._target.execute(query, (rowid,)).fetchone()
            rows = [(file_id, context_id, line, line) for line in sorted(numbers_from_numbits(numbits))]
            self._target.executemany("insert or ignore into arc values (?, ?, ?, ?)", rows)
            if rows:
                self._lines_only.add(paths[file_id])
        self._target.execute("delete from line_bits")


def _open_source(connection: sqlite3.Connection, map_path: Callable[[str], str]) -> _Source:
    """Read everything except the arcs. Raises sqlite3.DatabaseError for invalid contents."""
    row = connection.execute("select value from meta where key = 'has_arcs'").fetchone()
    source = _Source(
        connection,
        _texts(connection, "select id, path from file"),
        _texts(connection, "select id, context from context"),
        {},
        has_arcs=row is not None and row[0] not in ("0", ""),
    )
    numbers = {path: number for number, path in source.paths.items()}
    source.paths = {number: map_path(path) for number, path in source.paths.items()}
    for file_id, tracer in _texts(connection, "select file_id, coalesce(tracer, '') from tracer").items():
        if file_id not in source.paths:
            raise sqlite3.DatabaseError("a plugin is named for a file that is not there")
        if tracer:
            source.tracers[file_id] = tracer
    if has_table(connection, LINES_ONLY_TABLE):
        query = f"select rowid, path from {LINES_ONLY_TABLE}"
        source.lines_only = {map_path(path) for path in _texts(connection, query).values()}
    for path, blob in source_ids_of(connection).items():
        path = map_path(path)
        source.source_ids[path] = blob if source.source_ids.get(path, blob) == blob else MIXED
    source.inferred = {numbers[path]: lines for path, lines in read_inferred(connection).items() if path in numbers}
    return source


def inferred_paths(connection: sqlite3.Connection, map_path: Callable[[str], str]) -> set[str]:
    """Return the files for which an open data file has inferred lines. Raises sqlite3.DatabaseError."""
    return set(map(map_path, read_inferred(connection)))


def _lines_of_arcs(packed: str) -> set[int]:
    """Return the lines at the ends of packed arcs (`_SELECT_ARCS`), as coverage.py takes them."""
    found: set[int] = set()
    for number in map(int, packed.split(",")):
        start = (number + 2147483648) >> 32
        found.update((start, number - (start << 32)))
    return {line for line in found if line > 0}


def _texts(connection: sqlite3.Connection, query: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for number, text in connection.execute(query):
        if not isinstance(number, int) or not isinstance(text, str) or "\0" in text:
            raise sqlite3.DatabaseError(f"{text!r:.80} is no name")
        found[number] = text
    return found
