"""`CoverageData`: what ran, with coverage.py's names and meanings.

It is in memory until `write`: unlike with coverage.py, there is no data file before that.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence

from footfall.compat.data_tables import dump, lines_of_arcs, load_dump
from footfall.compat.errors import ConfigError, CoverageException, DataError, coverage_errors
from footfall.load.contents import Contents, read_contents, write_contents
from footfall.record.data.coverage_tables import FileData
from footfall.record.data.data_file import check_replaceable, remove_data_file
from footfall.record.data.parallel_files import find_parallel_files, make_parallel_name

__all__ = ["CoverageData", "mixed_kinds"]

Arc = tuple[int, int]


class CoverageData:
    """Lines or arcs by file and context; one of the two, as in a data file."""

    def __init__(
        self,
        basename: str | os.PathLike[str] | None = None,
        suffix: str | bool | None = None,
        no_disk: bool = False,
        warn: Callable[..., None] | None = None,
        debug: object = None,
        read_only: bool = False,
    ) -> None:
        """`suffix` follows the name; True stands for one of this machine and process. `debug` is not used."""
        self._no_disk = no_disk
        self._read_only = read_only
        self._basename = os.path.abspath(basename or ".coverage")
        self._warn = warn
        if no_disk:
            self._filename = f"file:coverage-{uuid.uuid4()}?mode=memory&cache=shared"
        elif suffix is True:
            self._filename = make_parallel_name(self._basename)
        else:
            self._filename = f"{self._basename}.{suffix}" if suffix else self._basename
        self._lock = threading.RLock()
        self._contents = Contents()
        self._context = ""
        self._query: set[str] | None = None
        self._before_erase: Callable[[], None] | None = None
        """Called first by `erase` and `purge_files`: it cuts what the Coverage that adds to this data has measured."""

    def __repr__(self) -> str:
        return f"<CoverageData @0x{id(self):x} _filename={self._filename!r}>"

    def __bool__(self) -> bool:
        if self._contents.files:
            return True
        if self._no_disk or not os.path.exists(self._filename) or self._contents.has_arcs is not None:
            return False
        with contextlib.suppress(CoverageException), coverage_errors():
            return bool(read_contents(self._filename).files)
        return False

    def base_filename(self) -> str:
        """Return the absolute name without the suffix."""
        return self._basename

    def data_filename(self) -> str:
        """Return the absolute name of the data file; for data without one, a name that no file has."""
        return self._filename

    def has_arcs(self) -> bool:
        """Return whether the data has arcs."""
        return bool(self._contents.has_arcs)

    def measured_files(self) -> set[str]:
        """Return the files that were measured, whether or not a line of them ran."""
        return set(self._contents.files)

    def measured_contexts(self) -> set[str]:
        """Return the labels of all contexts."""
        return set(self._contents.contexts)

    def file_tracer(self, filename: str) -> str | None:
        """Return the plugin that measured a file, "" for Python, None for a file that was not measured."""
        if filename not in self._contents.files:
            return None
        return self._contents.tracers.get(filename, "")

    def set_query_context(self, context: str) -> None:
        """Restrict queries to this context from now on."""
        self._query = {context} & self._contents.contexts

    def set_query_contexts(self, contexts: Sequence[str] | None) -> None:
        """Restrict queries to contexts in which one of these regular expressions is found; None: all."""
        if not contexts:
            self._query = None
            return
        searches = []
        for pattern in contexts:
            try:
                searches.append(re.compile(pattern).search)
            except re.error as error:
                raise ConfigError(f"Invalid context regex {pattern!r}: {error}") from error
        self._query = {label for label in self._contents.contexts if any(search(label) for search in searches)}

    def _is_wanted(self, label: str) -> bool:
        return self._query is None or label in self._query

    def lines(self, filename: str) -> list[int] | None:
        """Return the lines that ran, unordered; None for a file that was not measured."""
        found = self._contents.files.get(filename)
        if found is None:
            return None
        if self.has_arcs():
            return list(lines_of_arcs(set(self.arcs(filename) or ())))
        wanted = (lines for label, lines in found.lines.items() if self._is_wanted(label))
        return list(set().union(*wanted))

    def arcs(self, filename: str) -> list[Arc] | None:
        """Return the (from, to) lines that ran, unordered; None for a file that was not measured."""
        found = self._contents.files.get(filename)
        if found is None:
            return None
        return list(set().union(*(arcs for label, arcs in found.arcs.items() if self._is_wanted(label))))

    def contexts_by_lineno(self, filename: str) -> dict[int, list[str]]:
        """Return, for each line that ran, the contexts it ran in."""
        found = self._contents.files.get(filename)
        if found is None:
            return {}
        by_line: dict[int, list[str]] = {}
        by_label = {label: lines_of_arcs(arcs) for label, arcs in found.arcs.items()}
        for label, lines in {**found.lines, **by_label}.items():
            if self._is_wanted(label):
                for line in lines:
                    by_line.setdefault(line, []).append(label)
        return by_line

    def set_context(self, context: str | None) -> str | None:
        """Put what is added from now on into a context, and return the previous one."""
        before, self._context = self._context, context or ""
        return before or None

    def add_lines(self, line_data: Mapping[str, Collection[int]]) -> None:
        """Add lines by file. Raises DataError if there are arcs."""
        with self._lock:
            self._choose(has_arcs=False)
            for filename, lines in line_data.items():
                self._file(filename).lines.setdefault(self._context, set()).update(lines)

    def add_arcs(self, arc_data: Mapping[str, Collection[Arc]]) -> None:
        """Add arcs by file; files with none are left out. Raises DataError if there are lines."""
        with self._lock:
            self._choose(has_arcs=True)
            for filename, arcs in arc_data.items():
                if arcs:
                    self._file(filename).arcs.setdefault(self._context, set()).update(arcs)

    def _file(self, filename: str) -> FileData:
        self._contents.contexts.add(self._context)
        return self._contents.files.setdefault(filename, FileData())

    def _choose(self, *, has_arcs: bool) -> None:
        if self._contents.has_arcs is None:
            self._contents.has_arcs = has_arcs
        elif self._contents.has_arcs != has_arcs:
            new, old = ("branch", "line") if has_arcs else ("line", "branch")
            raise DataError(f"Can't add {new} measurements to existing {old} data")

    def add_file_tracers(self, file_tracers: Mapping[str, str]) -> None:
        """Record which plugin measured a file. Raises DataError if another did."""
        with self._lock:
            for filename, plugin in file_tracers.items():
                self._contents.files.setdefault(filename, FileData())
                self._add_tracer(filename, plugin)

    def _add_tracer(self, filename: str, plugin: str) -> None:
        known = self._contents.tracers.get(filename)
        if known and known != plugin:
            raise DataError(f"Conflicting file tracer name for {filename!r}: {known!r} vs {plugin!r}")
        if plugin:
            self._contents.tracers[filename] = plugin

    def touch_file(self, filename: str, plugin_name: str = "") -> None:
        """Add a file in which nothing ran."""
        self.touch_files([filename], plugin_name)

    def touch_files(self, filenames: Collection[str], plugin_name: str | None = None) -> None:
        """Add files in which nothing ran. Raises DataError if neither lines nor arcs were added before."""
        if self._contents.has_arcs is None:
            raise DataError("Can't touch files in an empty CoverageData")
        for filename in filenames:
            self._contents.files.setdefault(filename, FileData())
            if plugin_name:
                self.add_file_tracers({filename: plugin_name})

    def purge_files(self, filenames: Collection[str]) -> None:
        """Remove what ran in files; they stay measured. Raises DataError if there is no data at all."""
        if self._contents.has_arcs is None:
            raise DataError("Can't purge files in an empty CoverageData")
        self._cut()
        for filename in filenames:
            if filename in self._contents.files:
                self._contents.files[filename] = FileData()

    def update(self, other_data: CoverageData, map_path: Callable[[str], str] | None = None) -> None:
        """Add other data, with their paths mapped. Raises DataError when mixing lines and arcs."""
        if other_data._contents.has_arcs is None:
            other_data.read()
        mine, theirs = self._contents, other_data._contents
        if None not in (mine.has_arcs, theirs.has_arcs) and mine.has_arcs != theirs.has_arcs:
            raise mixed_kinds(self._filename, other_data._filename, has_arcs=bool(mine.has_arcs))
        names = {name: name if map_path is None else map_path(name) for name in theirs.files}
        for name, here in names.items():
            tracers = mine.tracers.get(here, ""), theirs.tracers.get(name, "")
            if here not in mine.files or tracers[0] == tracers[1]:
                continue
            sides = zip(tracers, (mine.files[here], theirs.files[name]), strict=True)
            if all(
                tracer or file.lines or file.arcs for tracer, file in sides
            ):  # a file that was only touched takes the other's
                raise DataError(f"Conflicting file tracer name for {here!r}: {tracers[0]!r} vs {tracers[1]!r}")
        with self._lock:
            mine.has_arcs = theirs.has_arcs if mine.has_arcs is None else mine.has_arcs
            mine.contexts |= theirs.contexts
            for name, here in names.items():
                if name in theirs.tracers:
                    mine.tracers[here] = theirs.tracers[name]
                into = mine.files.setdefault(here, FileData())
                for label, lines in theirs.files[name].lines.items():
                    into.lines.setdefault(label, set()).update(lines)
                for label, arcs in theirs.files[name].arcs.items():
                    into.arcs.setdefault(label, set()).update(arcs)

    def erase(self, parallel: bool = False) -> None:
        """Forget everything, and remove the data file; `parallel`: also files whose names begin with its name."""
        self._cut()
        self._contents = Contents()
        if self._no_disk:
            return
        with coverage_errors():
            for path in [self._filename, *(find_parallel_files(self._filename) if parallel else ())]:
                check_replaceable(path)
                remove_data_file(path)

    def _cut(self) -> None:
        if self._before_erase is not None:
            self._before_erase()

    def read(self) -> None:
        """Read the data from the file, if it exists. Raises DataError."""
        if self._no_disk:
            return
        if not os.path.exists(self._filename):
            if self._read_only:
                raise DataError(f"Couldn't use data file {self._filename!r}: it doesn't exist")
            return
        self._cut()
        with coverage_errors():
            self._contents = read_contents(self._filename)

    def write(self) -> None:
        """Write the data file, replacing an existing one. Raises DataError."""
        if self._read_only:
            raise DataError(f"Couldn't use data file {self._filename!r}: it is open for reading only")
        if not self._no_disk:
            with coverage_errors():
                check_replaceable(self._filename)
                write_contents(self._filename, self._contents)

    def dumps(self) -> bytes:
        """Return the data as coverage.py serializes it."""
        with coverage_errors():
            return dump(self._contents)

    def loads(self, data: bytes) -> None:
        """Load data that `dumps`, ours or coverage.py's, returned. Raises DataError."""
        self._cut()
        with coverage_errors():
            self._contents = load_dump(data)

    def close(self, force: bool = False) -> None:
        """Do nothing: no file is open."""

    def _write_to(self, path: str) -> None:
        """Write a data file elsewhere, for code that reads one."""
        with coverage_errors():
            write_contents(path, self._contents)


def mixed_kinds(mine: str, other: str, *, has_arcs: bool) -> DataError:
    """Return the error for data with branches and data without; `has_arcs` of `mine`."""
    if has_arcs:
        text = (
            "Can't combine statement coverage data with branch data: "
            f"data file {other!r} didn't measure branch coverage, but data file {mine!r} did"
        )
    else:
        text = (
            "Can't combine branch coverage data with statement data: "
            f"data file {other!r} measured branch coverage, but data file {mine!r} didn't"
        )
    return DataError(text, slug="cant-combine")
