"""Probes for a start in a running program on CPython 3.12 and 3.13: everything that can have them runs at their speed.

Functions that exist get the code of the same text with probes (recoding.py), and modules that are loaded from now on
are compiled with them. All other code in the scope (frames that are running, generators that have begun, code that
differs from its text) is seen by a tool of `sys.monitoring`, which enables its events in that code only
(native/engines/settrace/tool.c) and records by the rules of the engine `settrace`.
"""

import sys

from footfall import _core
from footfall.observe.engines import cpython_hooks as hooks
from footfall.observe.engines.late_modules import LateModules
from footfall.observe.engines.recoding import add_probes
from footfall.observe.interruptions import Undisturbed, pass_on
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _weakref import ReferenceType
    from types import CodeType
    from typing import Any

    from footfall.observe.engines.probes import Where
    from footfall.observe.scope import Scope
    from footfall.settings import Settings

__all__ = ["TOOL_NAME", "LateProbes"]

TOOL_NAME = "footfall-late"


class LateProbes(LateModules):
    """What records while a measurement runs."""

    current: "LateProbes | None" = None
    """The process's only one, once there is one."""

    def __init__(self) -> None:
        self._tool_id = -1
        self._watched: list[ReferenceType[CodeType]] = []
        super().__init__(_arm_in_scope, hooks)

    @classmethod
    def started(cls, settings: "Settings", scope: "Scope", tool_id: int) -> None:
        """Measure in a record that has just been opened, with a free tool id. The process's only one does so."""
        if cls.current is None:
            cls.current = cls()
        cls.current.start(settings, scope, tool_id)

    def start(self, settings: "Settings", scope: "Scope", tool_id: int) -> None:
        """See `started`."""
        self.current_scope.scope = scope
        self._tool_id = tool_id
        _core.probes_record(scope.decide)
        _core.settrace_start(scope.decide, settings.branch, False, None, True)
        watch = self._start_tool()
        try:
            with Undisturbed():
                recoded = add_probes(
                    scope,
                    self.instrumenter,
                    _arm,
                    _has_probes,
                    _core.probes_recode,
                    _exchange,
                    _find_no_other,
                    all_or_none=False,
                )
                old_code = [code for code, _ in recoded.old_code]
        except Exception as error:  # ours, or an audit hook's: what has no probes is seen by the tool
            pass_on(error)
            old_code = _running_code(scope)
        for code in old_code:
            watch(code)

    def stop(self) -> None:
        """Record nothing more. The tool's id is free afterwards."""
        self.current_scope.scope = None
        monitoring = sys.monitoring
        if self._tool_id >= 0 and monitoring.get_tool(self._tool_id) == TOOL_NAME:
            for reference in self._watched:
                code = reference()
                if code is not None:
                    monitoring.set_local_events(self._tool_id, code, 0)
        self._watched = []
        self._tool_id = -1

    def _start_tool(self) -> "Any":
        """Look at all code that begins or resumes; return what does so for the code of a running frame."""
        monitoring = sys.monitoring
        events = monitoring.events
        monitoring.use_tool_id(self._tool_id, TOOL_NAME)
        local = events.PY_START | events.PY_RESUME | events.LINE | events.JUMP | events.PY_RETURN | events.PY_YIELD
        callbacks = _core.settrace_tool(self._tool_id, local, self._watched)
        watch = callbacks.pop("watch")
        for name, callback in callbacks.items():
            monitoring.register_callback(self._tool_id, getattr(events, name), callback)
        everywhere = events.PY_START | events.PY_RESUME | events.PY_THROW | events.PY_UNWIND
        monitoring.set_events(self._tool_id, everywhere)
        monitoring.restart_events()  # places that an earlier measurement has seen
        return watch


def _running_code(scope: "Scope") -> "list[CodeType]":
    """Return the code in scope of the running frames."""
    found = []
    for running in sys._current_frames().values():
        frame: Any = running
        while frame is not None:
            if scope.decide(frame.f_code.co_filename, namespace=frame.f_globals) is not None:
                found.append(frame.f_code)
            frame = frame.f_back
    return found


def _arm(code: "CodeType") -> "CodeType":
    """Return a module's code with probes that record as long as something does."""
    if _core.captures_arm(code):
        _core.settrace_pass_over(code)
    return code


def _arm_in_scope(code: "CodeType", where: "Where") -> "CodeType":
    """Return the code of a module that is loaded, with probes that record."""
    if _core.probes_arm(code, where):
        _core.settrace_pass_over(code)
    return code


def _has_probes(code: "CodeType") -> bool:
    return _core.captures_events(code) is not None


def _exchange(code: "CodeType", inner: "CodeType", with_probes: "CodeType") -> bool:
    _core.probes_exchange(code, inner, with_probes)
    return True


def _find_no_other(code: "CodeType") -> None:
    """Return None: code with probes for captures records as it is."""
