"""What a block newly executes, for property testing and fuzzing: `footfall.capture()`.

The events are seen by observe.capture; here they become lines and branches by file, when they are asked for.
"""

from __future__ import annotations

import dis
import sys
import threading
from collections.abc import Callable
from functools import lru_cache
from types import CodeType, TracebackType
from typing import Final

from footfall.analyze.source.analysis import analyze_source
from footfall.analyze.source.exclude import ExclusionRules
from footfall.config.reading import read_config
from footfall.errors import FootfallError
from footfall.load.source_files import read_source
from footfall.observe.capture.monitoring import Block, Series
from footfall.observe.capture.tracing import TraceSeries
from footfall.observe.scope import Scope
from footfall.record.run.directory import settings_from_config
from footfall.settings import Settings

__all__ = ["Capture", "Captured", "capture"]

_LOCK: Final = threading.Lock()
_Key = tuple[str, tuple[str, ...] | None]


class Captured:
    """What a block executed that no block of its series did before. True when there is anything.

    May be read while the block is open.
    """

    __slots__ = ("_block",)

    def __init__(self, block: Block) -> None:
        self._block = block

    def __bool__(self) -> bool:
        return bool(self._block.lines or self._block.branches or self._block.arcs)

    @property
    def lines(self) -> dict[str, set[int]]:
        """New lines by absolute path."""
        found: dict[str, set[int]] = {}
        for path, line in list(self._block.lines):
            found.setdefault(path, set()).add(line)
        return found

    @property
    def branches(self) -> dict[str, set[tuple[int, int]]]:
        """New directions of branches by absolute path: (line, line that follows), -first line for leaving the code.

        A line with several branches (`a and b`) may have equal pairs for several directions, and so in several
        blocks; (n, n) stays on the line.
        """
        found: dict[str, set[tuple[int, int]]] = {}
        for path, code, offset, destination in list(self._block.branches):
            pair = _lines_of_branch(code, offset, destination)
            if pair is not None:
                found.setdefault(path, set()).add(pair)
        for path, pair in list(self._block.arcs):
            found.setdefault(path, set()).add(pair)
        return found

    def __repr__(self) -> str:
        n_branches = len(self._block.branches) + len(self._block.arcs)
        return f"<Captured: {len(self._block.lines)} lines, {n_branches} branch directions>"


class Capture:
    """A context manager for the blocks of one series, to be used again and again, nested, and by several threads."""

    __slots__ = ("_key", "_open", "_series")

    _all: dict[_Key, Series | TraceSeries] = {}  # noqa: RUF012, the process's series

    def __init__(self, key: _Key, series: Series | TraceSeries) -> None:
        self._key = key
        self._series = series
        self._open: list[tuple[int, Block]] = []  # thread that opened it, block

    def __enter__(self) -> Captured:
        if Capture._all.get(self._key) is not self._series or not self._series.is_working:
            raise FootfallError(
                "capture-closed", "This series of captures was closed.", "Begin another by `footfall.capture()`."
            )
        with _LOCK:
            try:
                block = self._series.open()
            except RuntimeError as error:
                raise FootfallError(
                    "capture-traced", f"Can't capture: {error}.", "End it there, or use CPython 3.12 or later."
                ) from error
            self._open.append((threading.get_ident(), block))
        return Captured(block)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with _LOCK:
            own = threading.get_ident()
            at = len(self._open) - 1
            while at > 0 and self._open[at][0] != own:
                at -= 1
            _, block = self._open.pop(at)
            self._series.close(block)

    def close(self) -> None:
        """End the series: it sees no more, forgets what it saw, and gives its `sys.monitoring` tool back."""
        with _LOCK:
            if Capture._all.get(self._key) is self._series:
                del Capture._all[self._key]
                self._series.stop()


def capture(source: list[str] | None = None, *, series: str = "") -> Capture:
    """Return a context manager that tells what its block executes that no block of the series did before.

    `source` are directories and packages, as for `start`; calls with the same `series` and `source` share one
    series, which lasts until `close`. The first call of a series starts it, which takes milliseconds; an empty block
    takes some microseconds. On CPython 3.11 and PyPy only the thread that opens a block is seen, by a trace function,
    at its price. Raises FootfallError: `capture-no-tool` when other tools have all of `sys.monitoring`, or what a
    wrong configuration says; opening a block raises `capture-traced` where another tool has the trace function.
    """
    key = (series, None if source is None else tuple(source))
    found = Capture._all.get(key)
    if found is not None and found.is_working:
        return Capture(key, found)
    with _LOCK:
        found = Capture._all.get(key)
        if found is None or not found.is_working:
            found = Capture._all[key] = _start_series(source)
    return Capture(key, found)


def _start_series(source: list[str] | None) -> Series | TraceSeries:
    config = read_config()
    if source is not None:
        config.source = source
    wanted = settings_from_config(config)
    settings = Settings("")
    settings.source_dir, settings.source_pkg = wanted.source_dir, wanted.source_pkg
    settings.include, settings.omit = wanted.include, wanted.omit
    scope = Scope(settings)
    if not hasattr(sys, "monitoring"):
        return TraceSeries(scope, _branch_finder)
    try:
        return Series(scope)
    except RuntimeError as error:
        raise FootfallError(
            "capture-no-tool",
            f"Can't capture: {error}.",
            "Run without one of the other tools, or `close()` a series that is done.",
        ) from error


def _branch_finder(path: str) -> Callable[[tuple[int, int]], tuple[int, int] | None]:
    """Return what gives the branch that a step from line to line of a file is, in first lines of statements."""
    try:
        analysis = analyze_source(read_source(path), path, ExclusionRules((), (), ()))
    except FootfallError:
        return lambda arc: None  # nothing is known of its branches

    def branch_of(arc: tuple[int, int]) -> tuple[int, int] | None:
        for found in analysis.translate_arcs([arc]):
            if found in analysis.arcs and analysis.exit_counts.get(found[0], 0) > 1:
                return found
        return None

    return branch_of


@lru_cache(maxsize=1024)
def _instructions(code: CodeType) -> dict[int, tuple[dis.Instruction, int | None]]:
    """Return the instructions of a code object by offset, each with its line."""
    found: dict[int, tuple[dis.Instruction, int | None]] = {}
    for instruction in dis.get_instructions(code):
        line = None if instruction.positions is None else instruction.positions.lineno
        found[instruction.offset] = (instruction, line)
    return found


_JUMPS: Final = ("JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT")


def _lines_of_branch(code: CodeType, offset: int, destination: int) -> tuple[int, int] | None:
    """Return the branch's line and the line that the program is in next; None where it has no line."""
    instructions = _instructions(code)
    if offset not in instructions or instructions[offset][1] is None:
        return None
    line = instructions[offset][1]
    assert line is not None
    order = sorted(instructions)
    following = dict(zip(order, order[1:], strict=False))
    at: int | None = destination
    seen: set[int] = set()
    while at in instructions and at not in seen:
        seen.add(at)
        instruction, its_line = instructions[at]
        name = instruction.opname
        if its_line is not None and its_line != line and name != "RESUME":
            return line, its_line
        if name in ("RETURN_VALUE", "RETURN_CONST"):
            return line, -code.co_firstlineno
        if name in _JUMPS:
            at = instruction.argval
        elif name in ("RAISE_VARARGS", "RERAISE") or "JUMP_IF" in name or name in ("FOR_ITER", "SEND"):
            break
        else:
            at = following.get(at)
    return line, line
