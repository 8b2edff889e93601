"""What blocks newly execute where there is no `sys.monitoring` (CPython 3.11, PyPy): by a trace function.

It is set in the thread that opens a block, while one is open there: other threads do not count. Every line that runs
meanwhile in a file of the scope costs a call. Called by footfall.api.capture.
"""

import _thread
import sys

from footfall.observe.capture.monitoring import Block
from footfall.own_builtins import keep_builtins
from footfall.pythons import traced_opcodes

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any

    from footfall.observe.module_names import Namespace
    from footfall.observe.scope import Scope

    Arc = tuple[int, int]
    BranchOf = Callable[[Arc], Arc | None]

__all__ = ["TraceSeries"]

_UNKNOWN = object()
_NO_LINE = 0  # where a frame was before tracing
_OURS = "footfall_capture_frame"
_RUNNING = "running"
"""An event of our own: the frame ran untraced."""


class TraceSeries:
    """What one series has seen. `open` raises RuntimeError when another tool traces the thread."""

    is_working = True
    _watching: "tuple[TraceSeries, ...]" = ()
    """All that have a block open, for the trace function."""
    _n_open: "dict[int, int]" = {}  # noqa: RUF012, the process's: open blocks by thread

    def __init__(self, scope: "Scope", branch_finder: "Callable[[str], BranchOf]") -> None:
        self._scope = scope
        self._branch_finder = branch_finder
        self._files: dict[str, _File | None] = {}
        self._open: tuple[Block, ...] = ()
        self._threads: dict[int, int] = {}  # id of a block -> thread that opened it

    def open(self) -> Block:
        """Begin a block. Blocks may overlap: what is new belongs to all that are open."""
        thread = _thread.get_ident()
        n_open = TraceSeries._n_open.get(thread, 0)
        if not n_open and sys.gettrace() not in (None, _trace):
            raise RuntimeError("a debugger or another tool traces this thread")
        block = Block()
        self._threads[id(block)] = thread
        TraceSeries._n_open[thread] = n_open + 1
        self._open = (*self._open, block)
        if self not in TraceSeries._watching:
            TraceSeries._watching = (*TraceSeries._watching, self)
        sys.settrace(_trace)
        _trace_running(sys._getframe(1), is_first=not n_open)
        return block

    def close(self, block: Block) -> None:
        """End a block."""
        self._open = tuple(other for other in self._open if other is not block)
        if not self._open:
            TraceSeries._watching = tuple(series for series in TraceSeries._watching if series is not self)
        thread = self._threads.pop(id(block), None)
        if thread is None:
            return  # by `stop`
        TraceSeries._n_open[thread] -= 1
        if TraceSeries._n_open[thread]:
            return
        del TraceSeries._n_open[thread]
        if thread == _thread.get_ident() and sys.gettrace() is _trace:
            sys.settrace(None)

    def stop(self) -> None:
        """See no more."""
        for block in self._open:
            self.close(block)

    def file(self, filename: str, namespace: "Namespace") -> "_File | None":
        """What was seen of a file; None when it is not in the scope."""
        found: Any = self._files.get(filename, _UNKNOWN)
        if found is _UNKNOWN:
            path = self._scope.decide(filename, namespace=namespace)
            found = self._files[filename] = None if path is None else _File(path, self._branch_finder(path))
        return found  # type: ignore[no-any-return]

    def add(self, file: "_File", start: int, end: int) -> None:
        """The program went from one line to another, or (end < 0) out of a code object."""
        blocks = self._open
        if not blocks or (start, end) in file.arcs:
            return
        file.arcs.add((start, end))
        if end > 0 and end not in file.lines:
            file.lines.add(end)
            for block in blocks:
                block.lines.append((file.path, end))
        branch = file.branch_of((start, end)) if start != _NO_LINE else None
        if branch is not None and branch not in file.branches:
            file.branches.add(branch)
            for block in blocks:
                block.arcs.append((file.path, branch))


class _File:
    """What a series has seen of one file."""

    __slots__ = ("arcs", "branch_of", "branches", "lines", "path")

    def __init__(self, path: str, branch_of: "BranchOf") -> None:
        self.path = path
        self.branch_of = branch_of
        self.lines: set[int] = set()
        self.arcs: set[Arc] = set()
        self.branches: set[Arc] = set()


def _trace(frame: "FrameType", event: str, arg: object) -> "Any":
    """The trace function of threads with an open block."""
    if event != "call" or not TraceSeries._watching:
        return None
    code = frame.f_code
    return _trace_frame(frame, frame.f_lineno if _is_resumed(frame) else -code.co_firstlineno)


def _trace_running(frame: "FrameType | None", *, is_first: bool) -> None:
    """Trace what runs already in this thread. In its first block it is not known from where the next line comes."""
    while frame is not None:
        local = frame.f_trace
        if getattr(local, "__name__", "") != _OURS:
            local = _trace_frame(frame, _NO_LINE)
            if local is not None:
                frame.f_trace = local
        elif is_first and local is not None:
            local(frame, _RUNNING, None)
        frame = frame.f_back


def _trace_frame(frame: "FrameType", last: int) -> "Any":
    filename = frame.f_code.co_filename
    namespace = frame.f_globals
    watching = TraceSeries._watching
    if all(series.file(filename, namespace) is None for series in watching):
        return None
    first = -frame.f_code.co_firstlineno
    is_raising = False

    def add(start: int, end: int) -> None:
        for series in TraceSeries._watching:
            file = series.file(filename, namespace)
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
        elif event == "return" and last != _NO_LINE and not _is_yield(frame, is_raising and arg is None):
            add(last, first)
        elif event == _RUNNING:
            last = _NO_LINE
        return footfall_capture_frame

    return footfall_capture_frame


if sys.implementation.name == "cpython":
    _YIELD_VALUE = traced_opcodes()["yield_value"]

    def _is_resumed(frame: "FrameType") -> bool:
        """Whether a frame that is called goes on: its RESUME says so by its argument."""
        at = frame.f_lasti
        return at >= 0 and frame.f_code.co_code[at + 1] != 0

    def _is_yield(frame: "FrameType", is_raising: bool) -> bool:
        return frame.f_code.co_code[frame.f_lasti] == _YIELD_VALUE

    def _is_phantom(frame: "FrameType") -> bool:
        return False

else:
    from footfall.observe.pypy.phantom_lines import PhantomLines
    from footfall.observe.pypy.settrace import is_yield as _is_yield

    _phantoms: "Callable[[CodeType], Any]" = PhantomLines().offsets

    def _is_resumed(frame: "FrameType") -> bool:
        """Whether a frame that is called goes on."""
        return frame.f_lasti >= 0

    def _is_phantom(frame: "FrameType") -> bool:
        return frame.f_lasti in _phantoms(frame.f_code)
