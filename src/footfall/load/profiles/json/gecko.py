"""Profiles of the Firefox Profiler, as it receives them (Gecko's) and as it stores them ("processed").

https://github.com/firefox-devtools/profiler/blob/main/docs-developer/gecko-profile-format.md. Gecko's tables are rows
with a schema, the processed ones columns; here both become columns. Samples are counted, along with their CPU time if
they have it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from footfall.analyze.profile.calltree import Profile
from footfall.analyze.profile.clocks import Clock
from footfall.errors import FootfallError
from footfall.load.profiles.json.content import Json, integer, list_of, nanoseconds, text_of
from footfall.load.profiles.stack_tree import StackTree, Weight
from footfall.load.profiles.text.frame_names import parse_frame

__all__ = ["is_gecko", "read_gecko"]

_FORMAT: Final = "Firefox Profiler"
_CPU_UNITS_NS: Final = {"ns": 1.0, "µs": 1e3, "us": 1e3}
_MS_NS: Final = 1e6


def is_gecko(content: Json) -> bool:
    """Return whether parsed JSON is in this format."""
    return isinstance(content, dict) and isinstance(content.get("meta"), dict) and "threads" in content


def read_gecko(content: Json) -> Profile:
    """Read the samples of all processes and threads. Raises FootfallError: `profile-empty`, `profile-without-time`."""
    reader = _Reader(content)
    todo = [content]
    while todo:
        process = todo.pop(0)
        if not isinstance(process, dict):
            continue
        for thread in list_of(process.get("threads")):
            if isinstance(thread, dict):
                reader.read(thread)
        todo += list_of(process.get("processes"))
    reader.tree.note_unread(reader.n_unread, "sample")
    return reader.tree.finish(_FORMAT, {Clock.CPU, Clock.SAMPLES} if reader.has_cpu else {Clock.SAMPLES})


class _Table:
    """A table as columns, whichever way it was written."""

    def __init__(self, entry: Json) -> None:
        entry = entry if isinstance(entry, dict) else {}
        self._entry = entry
        schema, rows = entry.get("schema"), entry.get("data")
        self._schema = schema if isinstance(schema, dict) else None
        self._rows = list_of(rows)

    def column(self, name: str) -> list[Json]:
        """Return the column; an empty one if there is none."""
        if self._schema is None:
            return list_of(self._entry.get(name))
        at = self._schema.get(name)
        if type(at) is not int or at < 0:
            return []
        return [row[at] if isinstance(row, list) and at < len(row) else None for row in self._rows]


class _Reader:
    def __init__(self, content: dict[str, Json]) -> None:
        self.tree = StackTree()
        self.n_unread = 0
        self.has_cpu = False
        meta = content["meta"]
        units = meta.get("sampleUnits")
        self._cpu_unit_ns = _CPU_UNITS_NS.get(str(units.get("threadCPUDelta"))) if isinstance(units, dict) else None
        self.tree.profile.interval_ns = max(nanoseconds(meta.get("interval"), _MS_NS) or 0, 0)
        shared = content.get("shared")
        self._shared: dict[str, Json] = shared if isinstance(shared, dict) else {}

    def read(self, thread: dict[str, Json]) -> None:
        """Add a thread's samples."""
        samples = thread.get("samples")
        kind = samples.get("weightType") if isinstance(samples, dict) else None
        if kind == "bytes":
            text = "The file is a profile of memory: it has bytes, and no times."
            raise FootfallError("profile-without-time", text, "Record times.")
        table = _Table(samples)
        number = self.tree.thread(
            integer(_whole(thread.get("pid"))), integer(_whole(thread.get("tid"))), text_of(thread.get("name"))
        )
        nodes = self._nodes(thread)
        weights, cpu = table.column("weight"), table.column("threadCPUDelta")
        for at, stack in enumerate(table.column("stack")):
            if stack is None:
                continue  # nothing ran
            node = nodes[stack] if type(stack) is int and 0 <= stack < len(nodes) else None
            if node is None:
                self.n_unread += 1
                continue
            weight = integer(weights[at], 1) if at < len(weights) and weights[at] is not None else 1
            spent = nanoseconds(cpu[at], self._cpu_unit_ns) if self._cpu_unit_ns and at < len(cpu) else None
            self.has_cpu |= bool(spent)
            self.n_unread += not self.tree.add(node, number, Weight(samples=weight, cpu_ns=max(spent or 0, 0)))

    def _table(self, thread: dict[str, Json], name: str) -> _Table:
        return _Table(thread.get(name) or self._shared.get(name))

    def _nodes(self, thread: dict[str, Json]) -> list[int | None]:
        """Return the node of each stack; None for stacks that refer to nothing."""
        frames = list(self._frames(thread))
        table = self._table(thread, "stackTable")
        found: list[int | None] = []
        for prefix, frame in zip(table.column("prefix"), table.column("frame"), strict=False):
            is_inside = type(frame) is int and 0 <= frame < len(frames)
            parent: int | None = 0
            if prefix is not None:
                parent = found[prefix] if type(prefix) is int and 0 <= prefix < len(found) else None
            found.append(self.tree.node(parent, frames[frame]) if is_inside and parent is not None else None)
        return found

    def _frames(self, thread: dict[str, Json]) -> Iterator[int]:
        texts = thread.get("stringTable") or thread.get("stringArray") or self._shared.get("stringArray")
        strings = list(map(text_of, list_of(texts)))

        def string(number: Json) -> str:
            return strings[number] if type(number) is int and 0 <= number < len(strings) else ""

        table = self._table(thread, "frameTable")
        lines, columns = table.column("line"), table.column("column")
        locations = table.column("location")
        for at, location in enumerate(locations):
            named = parse_frame(string(location))
            line = integer(lines[at]) if at < len(lines) else 0
            column = integer(columns[at]) if at < len(columns) else 0
            yield self.tree.frame(named.name, named.path, line or named.line, column=column - 1 if column else None)
        if locations:
            return
        functions = self._table(thread, "funcTable")
        names, files = functions.column("name"), functions.column("fileName")
        first_lines = functions.column("lineNumber")
        for at, function in enumerate(table.column("func")):
            inside = function if type(function) is int and 0 <= function < len(names) else -1
            name = string(names[inside]) if inside >= 0 else ""
            path = string(files[inside]) if 0 <= inside < len(files) else ""
            first_line = integer(first_lines[inside]) if 0 <= inside < len(first_lines) else 0
            line = integer(lines[at]) if at < len(lines) else 0
            yield self.tree.frame(name, path, line, first_line=first_line)


def _whole(value: Json) -> Json:
    """Return a process id as a number: processed profiles have them as texts."""
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 20 else value
