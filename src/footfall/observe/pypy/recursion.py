"""RecursionErrors under a trace function of PyPy, which would end tracing for the rest of the thread.

PyPy takes a trace function away when it raises, and where the stack ends its call does. So the trace function asks
first, and while a sixteenth of the stack is left raises the error itself: then the profile function, which PyPy calls
as the frame is left, puts the trace function back. The frames of both are hidden, from tracebacks too.
"""

import sys

from __pypy__ import hidden_applevel, stack_almost_full  # type: ignore[import-not-found]

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

__all__ = ["end_recursion", "hidden_applevel", "stack_almost_full"]


@hidden_applevel  # type: ignore[untyped-decorator]
def end_recursion(trace: "Callable[[FrameType, str, object], Any]") -> None:
    """Raise a RecursionError; `trace`, which must let it pass, traces on in the calling frame."""
    profile = sys.getprofile()

    @hidden_applevel  # type: ignore[untyped-decorator]
    def resume(frame: "FrameType", event: str, arg: object) -> None:
        sys.setprofile(profile)
        sys.settrace(trace)

    sys.setprofile(resume)
    raise RecursionError("maximum recursion depth exceeded")
