"""Frames of traced files on `sys.monitoring`: a tool of its own, whose events are those that sys.settrace gives.

Every code object is looked at once, when it first begins; those of other files never again. Line events are on in the
code objects of which a frame counted, and they stay on: what lines a frame runs is up to the plugin each time.
"""

import sys
from sys import _getframe  # as it is now: the program may put another there

from footfall.observe.file_tracers.files import UNDECIDED
from footfall.observe.file_tracers.frames import TracedFrames
from footfall.own_builtins import keep_builtins
from footfall.pythons import HAS_LOCAL_EXCEPTION_EVENTS, YIELDS_STAND_AT_RESUME

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType
    from typing import Any

__all__ = ["start_tool"]

TOOL_NAME = "footfall-plugins"
_RESUME = (lambda: None).__code__.co_code[0]
"""The instruction with which code begins, or goes on behind a yield."""
_UNKNOWN = object()


class _Lines:
    """The line of each place in a code object."""

    def __init__(self, code: "CodeType") -> None:
        self._ranges = [each for each in code.co_lines()]

    def at(self, offset: int) -> int | None:
        for start, end, line in self._ranges:
            if start <= offset < end:
                return line
        return None


def start_tool(tool_id: int, frames: TracedFrames) -> None:
    """Begin with a tool id that is ours."""
    monitoring = sys.monitoring
    files = frames.files
    events = monitoring.events
    disable = monitoring.DISABLE
    get_local, set_local = monitoring.get_local_events, monitoring.set_local_events
    wanted = events.LINE | events.JUMP | events.PY_RESUME | events.PY_RETURN | events.PY_YIELD
    everywhere = events.PY_START
    exceptions = events.PY_UNWIND | events.PY_THROW
    if HAS_LOCAL_EXCEPTION_EVENTS:
        wanted |= exceptions
    known: dict[str, Any] = {}
    begin, line, end = frames.begin, frames.line, frames.end
    has_exceptions = HAS_LOCAL_EXCEPTION_EVENTS

    def traced_of(code: "CodeType") -> "Any":
        filename = code.co_filename
        traced = known.get(filename, _UNKNOWN)
        if traced is _UNKNOWN:
            traced = files.look_up(filename, _getframe(2).f_globals)
            if traced is not UNDECIDED:
                known[filename] = traced
        return traced

    def arm(code: "CodeType") -> None:
        nonlocal has_exceptions
        set_local(tool_id, code, wanted)
        if not has_exceptions:
            has_exceptions = True
            monitoring.set_events(tool_id, everywhere | exceptions)

    def on_start(code: "CodeType", offset: int) -> object:
        traced = known.get(code.co_filename, _UNKNOWN)
        if traced is _UNKNOWN:
            traced = traced_of(code)
        if traced is None:
            return disable
        if traced is UNDECIDED:
            return None
        frame = _getframe(1)
        if frame.f_code is not code:
            return disable  # code that is not Python's, which has no frame
        if begin(frame, traced, -code.co_firstlineno) and get_local(tool_id, code) != wanted:
            arm(code)
        return None

    def on_resume(code: "CodeType", offset: int) -> None:
        frame = _getframe(1)
        begin(frame, traced_of(code), frame.f_lineno)

    def on_throw(code: "CodeType", offset: int, error: BaseException) -> None:
        traced = traced_of(code)
        if traced is None or traced is UNDECIDED:
            return
        frame = _getframe(1)
        begins = code.co_code[frame.f_lasti + 1] == 0
        begin(frame, traced, -code.co_firstlineno if begins else frame.f_lineno)

    def on_line(code: "CodeType", number: int) -> None:
        line(_getframe(1))

    def on_jump(code: "CodeType", start: int, end: int) -> object:
        """A jump back to the line that it is on is a line event as well, as for sys.settrace."""
        if end >= start:
            return disable
        lines = _Lines(code)
        if lines.at(start) != lines.at(end):
            return disable
        line(_getframe(1))
        return None

    def on_return(code: "CodeType", offset: int, value: object) -> None:
        end(_getframe(1))

    def on_yield(code: "CodeType", offset: int, value: object) -> None:
        end(_getframe(1), is_left=False)

    def on_unwind(code: "CodeType", offset: int, error: BaseException) -> None:
        if known.get(code.co_filename) is not None:
            frame = _getframe(1)
            end(frame, is_left=not _stands_at_yield(frame))

    callbacks: dict[int, Any] = {
        events.PY_START: on_start,
        events.PY_RESUME: on_resume,
        events.PY_THROW: on_throw,
        events.LINE: on_line,
        events.JUMP: on_jump,
        events.PY_RETURN: on_return,
        events.PY_YIELD: on_yield,
        events.PY_UNWIND: on_unwind,
    }
    for event, callback in callbacks.items():
        monitoring.register_callback(tool_id, event, callback)
    monitoring.set_events(tool_id, everywhere)


def _stands_at_yield(frame: "FrameType") -> bool:
    """Whether sys.settrace's reader would take a frame that ends for one that yields, as the C tracer does."""
    code = frame.f_code.co_code
    at = frame.f_lasti
    if at == len(code) - 2:
        return False
    if not YIELDS_STAND_AT_RESUME:
        at += 2
    return 0 <= at < len(code) and code[at] == _RESUME
