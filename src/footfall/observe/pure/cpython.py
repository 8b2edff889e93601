"""What trace functions in Python need to know about CPython; on PyPy: observe/pypy/tracing.py, with the same names."""

import sys

from footfall.own_builtins import keep_builtins
from footfall.pythons import YIELDS_STAND_AT_RESUME

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any

__all__ = ["PhantomLines", "end_recursion", "go_on_after_raising", "is_resumed", "is_yield", "stack_almost_full"]

_RESUME = (lambda: None).__code__.co_code[0]
"""The instruction with which code begins, or continues after a yield."""
_YIELD_TO_RESUME_BYTES = 0 if YIELDS_STAND_AT_RESUME else 2
_FRAMES = 8
"""How many frames the trace function and what it calls may need, except for a decision about a file."""
_NONE: "frozenset[int]" = frozenset()


class PhantomLines:
    """Stands for PyPy's: CPython's only events of lines that did not run are those that the C tracer has too."""

    def offsets(self, code: "CodeType") -> "frozenset[int]":
        """Return the offsets of such events in the bytecode: none."""
        return _NONE


def is_resumed(frame: "FrameType") -> bool:
    """Return whether a frame that is called continues: it is at a RESUME, whose argument is 0 at the start."""
    at = frame.f_lasti
    code = frame.f_code.co_code
    return 0 <= at < len(code) - 1 and code[at + 1] != 0


def is_yield(frame: "FrameType", is_raising: bool) -> bool:
    """Return whether the frame will continue: it is at a yield, as the C tracer sees it."""
    code = frame.f_code.co_code
    at = frame.f_lasti
    if at < 0 or at == len(code) - 2:
        return False
    at += _YIELD_TO_RESUME_BYTES
    return at < len(code) and code[at] == _RESUME


def stack_almost_full() -> bool:
    """Return whether a trace function called now may run into the recursion limit."""
    try:
        _call(_FRAMES)
    except RecursionError:
        return True
    return False


def _call(depth: int) -> None:
    if depth:
        _call(depth - 1)


def end_recursion(trace: "Callable[[FrameType, str, object], Any]") -> None:
    """Raise a RecursionError, which ends tracing; `trace` continues tracing in the calling frame."""
    if sys.getprofile() is None:

        def resume(frame: "FrameType", event: str, arg: object) -> None:
            sys.setprofile(None)
            sys.settrace(trace)

        sys.setprofile(resume)
    raise RecursionError("maximum recursion depth exceeded")


class _Successor:
    """Takes tracing up again when it is dropped: the interpreter drops a frame's trace function after that has raised,
    as the last thing, when it has ended tracing.
    """

    __slots__ = ("_frame", "_local", "_trace")

    def __init__(self, frame: "FrameType", local: "Callable[..., Any] | None") -> None:
        self._frame = frame
        self._local = local
        self._trace = sys.gettrace()

    def __del__(self) -> None:
        sys.settrace(self._trace)
        self._frame.f_trace = self._local


def go_on_after_raising(
    frame: "FrameType",
    local: "Callable[[FrameType, str, object], Any] | None",
    leave: "Callable[[FrameType], None]",
) -> None:
    """Let tracing go on, in this frame by `local`, when the trace function has raised what it is about to raise.

    `leave` is for interpreters that do not trace how the frame ends then.
    """
    frame.f_trace = _Successor(frame, local)  # type: ignore[assignment] # never called, only dropped
