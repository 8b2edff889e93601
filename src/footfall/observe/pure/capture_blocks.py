"""Blocks of `footfall.capture()` without the C core; with it they are in native/engines/probes/captures/blocks.c."""

import _thread
import sys

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["CaptureBlock", "CaptureGate", "CaptureSeries"]

if sys.implementation.name == "pypy":
    from footfall.observe.pypy.captures import set_open
else:

    def set_open(series: int, is_open: bool) -> None:
        """Do nothing: there are no probes."""


class CaptureSeries:
    """What the blocks of a series share. `number` is the series's number for probes, -1 without any."""

    __slots__ = ("_has_tool", "_is_simple", "n_open", "number", "places")

    def __init__(self, places: "list[Any]", number: int) -> None:
        self.places = places
        self.number = number
        self.n_open = 0
        self._has_tool = False
        self._is_simple = False

    @property
    def is_simple(self) -> bool:
        """Return whether blocks may begin without checking what sees them."""
        return self._is_simple and not self._has_tool

    @is_simple.setter
    def is_simple(self, is_simple: bool) -> None:
        self._is_simple = is_simple

    def hold_tool(self, get_tool: "Callable[[int], object]", tool_id: int) -> None:
        """Note that the series is seen by a tool that it may lose: no block is simple."""
        self._has_tool = True

    def count(self, change: int) -> None:
        """Count open blocks, and tell probes whether there are any."""
        self.n_open += change
        if self.number >= 0:
            set_open(self.number, self.n_open > 0)


class CaptureBlock:
    """The positions in its series' places where a block began and ended (-1 while it is open)."""

    __slots__ = ("_end", "_is_simple", "_known", "_series", "_start", "_thread")

    _end: int

    def _begin(self, series: CaptureSeries, known: "Any", thread: int, is_simple: bool) -> None:
        self._series = series
        self._known = known
        self._start = len(series.places)
        self._end = -1
        self._thread = thread
        self._is_simple = is_simple

    def __bool__(self) -> bool:
        series = getattr(self, "_series", None)
        if series is None:
            return False
        end = self._end
        if end == self._start or (end < 0 and len(series.places) == self._start):
            return False
        return self._has_found()

    def _has_found(self) -> bool:
        raise NotImplementedError


class CaptureGate:
    """Begins and ends blocks. If its series is not simple it calls `_enter()`, which calls `_begin()`."""

    def __init__(self, series: CaptureSeries, known: "Any", block_type: "type[Any]") -> None:
        self._series = series
        self._known = known
        self._block_type = block_type
        self._open: list[Any] = []
        self._lock = _thread.allocate_lock()

    def __enter__(self) -> "Any":
        return self._begin_as(True) if self._series.is_simple else self._enter()

    def _begin(self) -> "Any":
        return self._begin_as(False)

    def _begin_as(self, is_simple: bool) -> "Any":
        block = self._block_type()
        with self._lock:
            block._begin(self._series, self._known, _thread.get_ident(), is_simple)
            self._open.append(block)
            self._series.count(1)
        return block

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        with self._lock:
            blocks = self._open
            at = len(blocks) - 1
            if at > 0:
                thread = _thread.get_ident()
                while at > 0 and blocks[at]._thread != thread:
                    at -= 1
            block = blocks.pop(at)
            series = self._series
            block._end = len(series.places)
            series.count(-1)
        if not block._is_simple:
            self._exit(block)

    def _enter(self) -> "Any":
        raise NotImplementedError

    def _exit(self, block: "Any") -> None:
        raise NotImplementedError
