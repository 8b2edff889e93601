"""What trace functions in Python need to know about PyPy; on CPython: observe/pure/cpython.py, with the same names.

A RecursionError would end tracing for the rest of the thread: PyPy removes a trace function that raises, and at the end
of the stack the call of it raises. So the trace function checks first, and while a sixteenth of the stack is still free
it raises the error itself; then the profile function, which PyPy calls as the frame is left, restores the trace
function. The frames of both are hidden, from tracebacks too.
"""

import sys

from __pypy__ import stack_almost_full  # type: ignore[import-not-found]

from footfall.observe.messages import report
from footfall.observe.pure.hidden import hidden_applevel
from footfall.observe.pypy.phantom_lines import PhantomLines
from footfall.own_builtins import keep_builtins
from footfall.pythons import traced_opcodes

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

__all__ = ["PhantomLines", "end_recursion", "go_on_after_raising", "is_resumed", "is_yield", "stack_almost_full"]

_YIELD_FROM, _YIELD_VALUE = traced_opcodes()["yield_from"], traced_opcodes()["yield_value"]


def is_resumed(frame: "FrameType") -> bool:
    """Return whether a frame that is called continues where it was."""
    return frame.f_lasti >= 0


@hidden_applevel  # type: ignore[untyped-decorator]
def end_recursion(trace: "Callable[[FrameType, str, object], Any]") -> None:
    """Raise a RecursionError; `trace`, which must let it pass, continues tracing in the calling frame."""
    profile = sys.getprofile()

    @hidden_applevel  # type: ignore[untyped-decorator]
    def resume(frame: "FrameType", event: str, arg: object) -> None:
        sys.setprofile(profile)
        sys.settrace(trace)

    sys.setprofile(resume)
    raise RecursionError("maximum recursion depth exceeded")


@hidden_applevel  # type: ignore[untyped-decorator]
def go_on_after_raising(
    frame: "FrameType",
    local: "Callable[[FrameType, str, object], Any] | None",
    leave: "Callable[[FrameType], None]",
) -> None:
    """Let tracing go on when the trace function has raised what it is about to raise; `leave` if the frame ends so."""
    trace, profile = sys.gettrace(), sys.getprofile()

    @hidden_applevel  # type: ignore[untyped-decorator]
    def resume(now: "FrameType", event: str, arg: object) -> None:
        sys.setprofile(profile)
        sys.settrace(trace)
        if now is frame and event == "return":
            leave(frame)
            return
        frame.f_trace = local
        report(
            "tracing-ended",
            "A plugin of coverage.py raised what is not an error of its own, and code of its file handled that: lines"
            " until its next call are not in the data.",
        )

    sys.setprofile(resume)


def is_yield(frame: "FrameType", is_raising: bool) -> bool:
    """Return whether the frame will continue: it is at a yield, or before the `yield from` that it waits in.

    An exception from what it waits for leaves the frame there as well. The C tracer takes an exception that is thrown
    into a yield for a yield.
    """
    code = frame.f_code.co_code
    at = frame.f_lasti
    if code[at] == _YIELD_VALUE:
        return True
    return not is_raising and (code[at] == _YIELD_FROM or (at + 2 < len(code) and code[at + 2] == _YIELD_FROM))
