"""A `sys.monitoring` tool for plugins' files, with callbacks in C (native/engines/file_tracers/monitoring.c)."""

import sys

from footfall.own_builtins import keep_builtins
from footfall.pythons import HAS_LOCAL_EXCEPTION_EVENTS

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from footfall._core import TracedFrames

__all__ = ["TOOL_NAME", "start_tool"]

TOOL_NAME = "footfall-plugins"


def start_tool(tool_id: int, frames: "TracedFrames") -> None:
    """Start with a tool id that is ours."""
    from footfall import _core

    monitoring = sys.monitoring
    events = monitoring.events
    wanted = events.LINE | events.JUMP | events.PY_RESUME | events.PY_RETURN | events.PY_YIELD
    everywhere = events.PY_START
    exceptions = events.PY_UNWIND | events.PY_THROW
    if HAS_LOCAL_EXCEPTION_EVENTS:
        wanted |= exceptions
    else:
        everywhere |= exceptions
    for name, callback in _core.traced_frames_monitor(frames, tool_id, wanted, everywhere).items():
        monitoring.register_callback(tool_id, getattr(events, name), callback)
    monitoring.set_events(tool_id, events.PY_START)
