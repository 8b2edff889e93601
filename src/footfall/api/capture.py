"""What a block executes, for property testing and fuzzing: `footfall.capture()`.

observe.capture sees it; this module turns it into lines and branches by file, when they are asked for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from hashlib import blake2b
from threading import Lock, get_ident
from typing import Any, Final

from footfall.api.capture_meanings import SourceMeanings, lines_of_branch
from footfall.config.reading import read_config_for
from footfall.errors import FootfallError
from footfall.observe.capture.blocks import CaptureBlock, CaptureGate
from footfall.observe.capture.findings import Findings
from footfall.observe.capture.monitoring import OldCode, Series
from footfall.observe.capture.series import TracedSeries
from footfall.observe.scope import Scope
from footfall.pythons import (
    HAS_BRANCH_EVENTS,
    HAS_CAPTURE_PROBES,
    HAS_MONITORING,
    free_threaded_build,
    unknown_python,
)
from footfall.record.run.directory import settings_from_config
from footfall.settings import Settings

__all__ = ["Capture", "Captured", "capture"]

_LOCK: Final = Lock()
_Key = tuple[str, tuple[str, ...] | None, bool]
_Arc = tuple[int, int]
_Found = tuple[str, Collection[int], Collection[tuple[Any, ...]]]
"""A path, lines, and branches: from line to line, and what tells branches with equal lines apart."""


class Captured(CaptureBlock):
    """What a block executed; in a series that looks for what is new, only what no earlier block executed.

    True if there is anything. May be read while the block is open.
    """

    __slots__ = ("_is_traced", "_kept")

    _is_traced: bool
    _kept: list[Any]

    @property
    def lines(self) -> dict[str, set[int]]:
        """The first lines of the executed statements, by absolute path."""
        found: dict[str, set[int]] = {}
        for path, lines, _ in self._found():
            if lines:
                found.setdefault(path, set()).update(lines)
        return found

    @property
    def branches(self) -> dict[str, set[_Arc]]:
        """Directions of branches by absolute path: (line, next line); leaving the code has minus its first line.

        A line with several branches (`a and b`) may have equal pairs for several directions, so a pair may appear in
        several blocks; (n, n) stays on the line.
        """
        found: dict[str, set[_Arc]] = {}
        for path, _, branches in self._found():
            for start, end, *_ in branches:
                found.setdefault(path, set()).add((start, end))
        return found

    @property
    def ids(self) -> set[int]:
        """A number from 0 to 2**63 - 1 for each line and direction of a branch, the same in every process.

        It is computed from the file's path, relative to the program's directory when the series began, and the place
        in the file. `number % size` is an index into a bitmap. The ids of branches are the same for one Python version.
        """
        return {
            self._known.id_of(path, *place)
            for path, lines, branches in self._found()
            for place in (*((line,) for line in lines), *branches)
        }

    def _found(self) -> Iterable[_Found]:
        known: _Known | None = getattr(self, "_known", None)
        return () if known is None else known.found(self._start, self._end, getattr(self, "_kept", None))

    def _has_found(self) -> bool:
        known: _Known = self._known
        return known.is_exact or any(lines or branches for _, lines, branches in self._found())

    def __repr__(self) -> str:
        n_lines = sum(len(lines) for lines in self.lines.values())
        n_branches = len([branch for _, _, branches in self._found() for branch in branches])
        return f"<Captured: {n_lines} lines, {n_branches} branch directions>"


class _Known:
    """What a series needs to tell what its places mean."""

    def __init__(self) -> None:
        self.meanings = SourceMeanings()
        self.is_exact = False
        """Whether every place that the series notes counts."""
        self._directory = os.path.join(os.getcwd(), "")
        self._ids: dict[tuple[str, tuple[object, ...]], int] = {}
        self._find: Callable[[int, int, Any], Iterable[_Found]]

    def use_findings(self, findings: Findings) -> None:
        """Report what reports have, whatever the places are: first lines of statements, and pairs of them."""
        self._find = findings.found

    def use_events(self, series: Series) -> None:
        """Report events of `sys.monitoring`."""
        self.is_exact = True
        places = series.blocks.places
        statement = self.meanings.statement

        def find(start: int, end: int, kept: list[Any] | None) -> Iterator[_Found]:
            for place in (places[start:] if end < 0 else places[start:end]) if kept is None else kept:
                path = place[0]
                if len(place) == 2:
                    line = statement(path, place[1])
                    yield path, () if line is None else (line,), ()
                else:
                    _, code, offset, destination = place
                    pair = lines_of_branch(code, offset, destination)
                    branches = () if pair is None else ((*pair, code.co_qualname, offset, destination),)
                    yield path, (), branches

        self._find = find

    def found(self, start: int, end: int, kept: list[Any] | None) -> Iterable[_Found]:
        """Return what a block found: the kept places, or those from `start` to before `end`, which is negative while
        the block is open."""
        return self._find(start, end, kept)

    def id_of(self, path: str, *place: object) -> int:
        """Return the number of a line or branch."""
        key = path, place
        found = self._ids.get(key)
        if found is None:
            text = repr((path.removeprefix(self._directory), *place))
            digest = blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).digest()
            found = self._ids[key] = int.from_bytes(digest, "little") >> 1
        return found


class Capture(CaptureGate):
    """A context manager for the blocks of one series. It can be reused, nested, and used by several threads."""

    __slots__ = ("_engine", "_key")

    _all: dict[_Key, tuple[Series | TracedSeries, _Known]] = {}  # noqa: RUF012, the process's series

    def __init__(self, key: _Key, engine: Series | TracedSeries, known: _Known) -> None:
        super().__init__(engine.blocks, known, Captured)
        self._key = key
        self._engine = engine

    def _enter(self) -> Captured:
        """Begin a block if the series is closed, or if more must be done than to note where the block begins."""
        engine = self._engine
        with _LOCK:
            if not engine.is_working:
                raise FootfallError(
                    "capture-closed", "This series of captures was closed.", "Begin another by `footfall.capture()`."
                )
            try:
                is_traced = engine.prepare(sys._getframe(1), get_ident())
            except RuntimeError as error:
                tracer, next_step = error.args
                raise FootfallError("capture-traced", f"Can't capture: {tracer}.", next_step) from error
        block: Captured = self._begin()
        block._is_traced = is_traced
        return block

    def _exit(self, block: Captured) -> None:
        """End a block that `_enter` began."""
        with _LOCK:
            if self._key[2]:
                block._kept = block._series.places[block._start : block._end]
            if block._is_traced:
                self._engine.stop_tracing(block._thread)

    def close(self) -> None:
        """End the series: it stops observing, forgets what it saw, and gives its `sys.monitoring` tool back."""
        with _LOCK:
            if Capture._all.get(self._key, (None,))[0] is self._engine:
                del Capture._all[self._key]
                self._engine.stop()


def capture(source: list[str] | None = None, *, series: str = "", full: bool = False) -> Capture:
    """Return a context manager that tells what its block executes that no earlier block of the series executed.

    With `full`, it tells everything that the block executes. `source` lists directories and packages, as for `start`.
    Calls with the same `series`, `source` and `full` share one series, which lasts until `close`. The first call of a
    series starts it. That takes milliseconds, and longer on CPython 3.11 to 3.13 and PyPy, where functions in `source`
    are recompiled. An empty block takes less than a microsecond. Raises FootfallError: `capture-no-tool` if other tools
    have all of `sys.monitoring`, or the error of a wrong configuration. Opening a block raises `capture-traced` if the
    trace function is needed and another tool has it.
    """
    key = (series, None if source is None else tuple(source), full)
    found = Capture._all.get(key)
    if found is not None and found[0].is_working:
        return Capture(key, *found)
    with _LOCK:
        found = Capture._all.get(key)
        if found is None or not found[0].is_working:
            found = Capture._all[key] = _start_series(source, full)
    return Capture(key, *found)


def _check_python() -> None:
    unknown, refused = unknown_python(), free_threaded_build()
    if refused:
        raise FootfallError("python-unsupported", f"Can't capture: this is {refused}.", "Use another Python.")
    if unknown:
        raise FootfallError(
            "python-unknown", f"Can't capture: this footfall does not know {unknown}.", "Update footfall."
        )


def _start_series(source: list[str] | None, is_full: bool) -> tuple[Series | TracedSeries, _Known]:
    _check_python()
    wanted = settings_from_config(read_config_for(source))
    settings = Settings("")
    settings.source_dir, settings.source_pkg = wanted.source_dir, wanted.source_pkg
    settings.include, settings.omit = wanted.include, wanted.omit
    scope = Scope(settings)
    known = _Known()
    series = _start_on_probes(scope, known, is_full) if HAS_CAPTURE_PROBES else None
    if series is None and not HAS_MONITORING:
        series = TracedSeries(scope, known.meanings, is_full)
    if series is not None:
        known.use_findings(series.findings)
        return series, known
    try:
        engine = Series(scope, is_full)
    except RuntimeError as error:
        raise FootfallError(
            "capture-no-tool",
            f"Can't capture: {error}.",
            "Run without one of the other tools, or `close()` a series that is done.",
        ) from error
    if HAS_BRANCH_EVENTS:
        known.use_events(engine)
    else:
        translate = known.meanings.of_event
        known.use_findings(Findings(lambda place: translate(*place), is_full, engine.blocks.places))
    return engine, known


def _start_on_probes(scope: Scope, known: _Known, is_full: bool) -> TracedSeries | None:
    """Return a series that uses probes; None if other tools would see the probes, or another way is better."""
    if sys.gettrace() is not None or _has_watching_tools():
        return None
    from footfall.observe.capture.probing import ProbeSeries, UnusableError  # the probe compiler, needed only here

    try:
        return ProbeSeries(scope, known.meanings, is_full, may_trace=not HAS_MONITORING)
    except UnusableError:
        return None


def _has_watching_tools() -> bool:
    """Return whether other tools of `sys.monitoring` may see code that has probes."""
    names = set(map(sys.monitoring.get_tool, range(6))) if HAS_MONITORING else set()
    return bool(names - {None, OldCode.tool_name})
