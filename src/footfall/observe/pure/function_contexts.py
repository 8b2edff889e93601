"""Functions begin a context, without the C core: `following` returns a trace function that sees them begin."""

import _thread

from footfall.observe.pure.contexts import switch_unbound
from footfall.observe.pure.hidden import hidden_applevel
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

    from footfall.observe.function_contexts import LabelOf

    Trace = Callable[[FrameType, str, object], Any]

__all__ = ["following"]


def following(trace: "Trace", label_of: "LabelOf") -> "Trace":
    """Return a trace function that does what `trace` does, within the contexts that frames begin by `label_of`."""
    in_context: set[int] = set()
    """Threads with a frame that has begun a context."""

    @hidden_applevel  # type: ignore[untyped-decorator]
    def footfall_trace(frame: "FrameType", event: str, arg: object) -> "Trace | None":
        thread = _thread.get_ident()
        label = None if thread in in_context else label_of(frame)
        if label is None:
            return trace(frame, event, arg)  # type: ignore[no-any-return]
        in_context.add(thread)
        switch_unbound(label)
        trace_frame = trace(frame, event, arg)

        def trace_test(frame: "FrameType", event: str, arg: object) -> "Trace":
            if trace_frame is not None:
                trace_frame(frame, event, arg)
            if event == "return":
                in_context.discard(thread)
                switch_unbound("")
            return trace_test

        return trace_test

    return footfall_trace  # type: ignore[no-any-return]
