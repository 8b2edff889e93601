"""All coverage of a data file in memory, by context, from and to coverage.py's tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from footfall.record.data.coverage_tables import FileData, numbers_from_numbits, write_coverage
from footfall.record.data.data_file import open_data_file

__all__ = ["Contents", "read_contents", "write_contents"]


@dataclass(slots=True)
class Contents:
    """The contents of a data file. `has_arcs` None: neither lines nor arcs were ever added."""

    has_arcs: bool | None = None
    files: dict[str, FileData] = field(default_factory=dict)
    tracers: dict[str, str] = field(default_factory=dict)
    contexts: set[str] = field(default_factory=set)
    """Including those in which nothing ran."""


def read_contents(path: str | Path) -> Contents:
    """Read a data file, whichever tool wrote it; footfall's own tables are skipped. Raises FootfallError."""
    contents = Contents()
    tables = "join file on file.id = file_id join context on context.id = context_id"
    with open_data_file(path) as connection:
        row = connection.execute("select value from meta where key = 'has_arcs'").fetchone()
        if row is not None:
            contents.has_arcs = row[0] not in ("0", "")
        for (name,) in connection.execute("select path from file"):
            contents.files[name] = FileData()
        for (label,) in connection.execute("select context from context"):
            contents.contexts.add(label)
        query = "select path, tracer from tracer join file on file.id = file_id"
        contents.tracers.update((name, tracer) for name, tracer in connection.execute(query) if tracer)
        for name, label, start, end in connection.execute(f"select path, context, fromno, tono from arc {tables}"):
            contents.files[name].arcs.setdefault(label, set()).add((int(start), int(end)))
        for name, label, numbits in connection.execute(f"select path, context, numbits from line_bits {tables}"):
            contents.files[name].lines.setdefault(label, set()).update(numbers_from_numbits(numbits))
    return contents


def write_contents(path: str | Path, contents: Contents) -> None:
    """Write a data file, replacing an existing one. Raises FootfallError (`data-unwritable`)."""
    with write_coverage(path, contents.files, has_arcs=bool(contents.has_arcs)) as connection:
        if contents.has_arcs is None:
            connection.execute("delete from meta where key = 'has_arcs'")
        rows = [(label,) for label in sorted(contents.contexts)]
        connection.executemany("insert or ignore into context (context) values (?)", rows)
        connection.executemany(
            "insert into tracer select id, ? from file where path = ?",
            [(tracer, name) for name, tracer in contents.tracers.items()],
        )
