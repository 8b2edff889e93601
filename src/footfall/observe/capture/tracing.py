"""What blocks execute in code without probes (CPython 3.11 to 3.13, PyPy), seen by a trace function.

It is set in the thread that opens a block, while a block is open there: other threads are not seen. Every line that
runs meanwhile in a file of the scope costs a call.
"""

import _thread
import sys

from footfall.own_builtins import keep_builtins
from footfall.pythons import YIELDS_STAND_AT_RESUME

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any

    from footfall.observe.capture.findings import Places
    from footfall.observe.module_names import Namespace
    from footfall.observe.scope import Scope

    Arc = tuple[int, int]

__all__ = ["NO_LINE", "Tracing"]

_UNKNOWN = object()
NO_LINE = 0
"""The start of an arc in a frame whose previous line is not known."""
_OURS = "footfall_capture_frame"
_FUNCTIONS = type(len), type(lambda: None)
"""Whose `__name__` runs no code of the program."""
_RUNNING = "running"
"""An event of our own: the frame was running untraced."""
_TRACED_BY_OTHERS = (
    "a debugger or another tool traces this thread",
    "End it there, or use CPython 3.14 or later.",
)
_TRACED_BY_FOOTFALL = (
    "footfall's own engine traces this thread, as after `footfall.start()` on this Python",
    "End that by `footfall.stop()`, measure with `footfall run` instead, or use CPython 3.14 or later.",
)


class Tracing:
    """What one series sees of files in its scope; it appends each (path, arc) to `places` once.

    `leaves_out` tells which code is seen in another way.
    """

    _watching: "tuple[Tracing, ...]" = ()
    """All series that have a block open, for the trace function."""
    _n_open: "dict[int, int]" = {}  # noqa: RUF012, the process's: open blocks by thread

    def __init__(self, scope: "Scope", places: "Places", leaves_out: "Callable[[CodeType], bool]") -> None:
        self._scope = scope
        self._places = places
        self._leaves_out = leaves_out
        self._files: dict[str, _File | None] = {}
        self._threads: list[int] = []  # the threads that have a block open, once for each open block

    def open(self, frame: "FrameType | None", thread: int) -> None:
        """Begin a block in this thread; `frame` is the innermost frame of the program.

        Raises RuntimeError(what traces the thread, what to do) if that is not a block.
        """
        n_open = Tracing._n_open.get(thread, 0)
        tracer = sys.gettrace()
        if not n_open and tracer not in (None, _trace):
            raise RuntimeError(*(_TRACED_BY_FOOTFALL if _is_engine(tracer) else _TRACED_BY_OTHERS))
        self._threads.append(thread)
        Tracing._n_open[thread] = n_open + 1
        if self not in Tracing._watching:
            Tracing._watching = (*Tracing._watching, self)
        sys.settrace(_trace)
        _trace_running(frame, is_first=not n_open)

    def close(self, thread: int) -> None:
        """End a block that the thread opened."""
        if thread not in self._threads:
            return  # by `stop`
        self._threads.remove(thread)
        if not self._threads:
            Tracing._watching = tuple(series for series in Tracing._watching if series is not self)
        Tracing._n_open[thread] -= 1
        if Tracing._n_open[thread]:
            return
        del Tracing._n_open[thread]
        if thread == _thread.get_ident() and sys.gettrace() is _trace:
            sys.settrace(None)

    def stop(self) -> None:
        """Stop seeing anything."""
        for thread in list(self._threads):
            self.close(thread)

    def forget(self) -> None:
        """See everything again, as if it were new."""
        for file in self._files.values():
            if file is not None:
                file.arcs.clear()

    def file(self, code: "CodeType", namespace: "Namespace") -> "_File | None":
        """Return what was seen of a file; None if this code of it is not seen here."""
        found: Any = self._files.get(code.co_filename, _UNKNOWN)
        if found is _UNKNOWN:
            path = self._scope.decide(code.co_filename, namespace=namespace)
            found = self._files[code.co_filename] = None if path is None else _File(path)
        return None if found is None or self._leaves_out(code) else found

    def add(self, file: "_File", start: int, end: int) -> None:
        """Record that the program went from one line to another, or (end < 0) out of a code object."""
        if self._threads and (start, end) not in file.arcs:
            file.arcs.add((start, end))
            self._places.append((file.path, (start, end)))


class _File:
    """What a series has seen of one file."""

    __slots__ = ("arcs", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self.arcs: set[Arc] = set()


def _trace(frame: "FrameType", event: str, arg: object) -> "Any":
    """The trace function of threads with an open block."""
    if event != "call" or not Tracing._watching:
        return None
    code = frame.f_code
    if not code.co_consts:  # an extension's stand-in: all code that the compiler makes has a constant
        return _pass_over
    return _trace_frame(frame, frame.f_lineno if _is_resumed(frame) else -code.co_firstlineno)


def _is_engine(tracer: object) -> bool:
    """Return whether a trace function is that of the engine `settrace`."""
    return type(tracer) in _FUNCTIONS and tracer.__name__ == "footfall_trace"  # type: ignore[attr-defined]


def _pass_over(frame: "FrameType", event: str, arg: object) -> None:
    """Trace a frame that is not ours: Cython's line tracing calls a frame's trace function, even if it is None."""


def _trace_running(frame: "FrameType | None", *, is_first: bool) -> None:
    """Trace the frames that run already in this thread.

    In its first block the line before the next one is not known.
    """
    while frame is not None:
        local = frame.f_trace
        if getattr(local, "__name__", "") != _OURS:
            local = _trace_frame(frame, NO_LINE)
            if local is not None:
                frame.f_trace = local
        elif is_first and local is not None:
            local(frame, _RUNNING, None)
        frame = frame.f_back


def _trace_frame(frame: "FrameType", last: int) -> "Any":
    code = frame.f_code
    namespace = frame.f_globals
    if all(series.file(code, namespace) is None for series in Tracing._watching):
        return None
    first = -code.co_firstlineno
    is_raising = False

    def add(start: int, end: int) -> None:
        for series in Tracing._watching:
            file = series.file(code, namespace)
            if file is not None:
                series.add(file, start, end)

    def footfall_capture_frame(frame: "FrameType", event: str, arg: object) -> "Any":
        nonlocal last, is_raising
        if event == "line":
            is_raising = False
            if not _is_phantom(frame):
                line = frame.f_lineno
                add(last, line)
                last = line
        elif event == "exception":
            is_raising = True
        elif event == "return" and last != NO_LINE and not _is_yield(frame, is_raising and arg is None):
            add(last, first)
        elif event == _RUNNING:
            last = NO_LINE
        return footfall_capture_frame

    return footfall_capture_frame


if sys.implementation.name == "cpython":
    _RESUME = (lambda: None).__code__.co_code[:1]  # the first instruction of a function
    _YIELD_TO_RESUME = 0 if YIELDS_STAND_AT_RESUME else 2

    def _is_resumed(frame: "FrameType") -> bool:
        """Return whether a frame that is called continues: the argument of its RESUME says so."""
        at = frame.f_lasti
        return at >= 0 and frame.f_code.co_code[at + 1] != 0

    def _is_yield(frame: "FrameType", is_raising: bool) -> bool:
        at = frame.f_lasti + _YIELD_TO_RESUME
        return frame.f_code.co_code[at : at + 1] == _RESUME

    def _is_phantom(frame: "FrameType") -> bool:
        return False

else:
    from footfall.observe.pypy.phantom_lines import PhantomLines
    from footfall.observe.pypy.tracing import is_yield as _is_yield

    _phantoms: "Callable[[CodeType], Any]" = PhantomLines().offsets

    def _is_resumed(frame: "FrameType") -> bool:
        """Return whether a frame that is called continues."""
        return frame.f_lasti >= 0

    def _is_phantom(frame: "FrameType") -> bool:
        return frame.f_lasti in _phantoms(frame.f_code)
