"""The engine `monitoring` in Python, without the C core: it does what native/engines/monitoring does, event for event.

PY_START fires once for each code object of the process and decides whether it is measured. The code object's own events
each set a flag at an instruction's place in the record file and are then disabled. The interpreter fires no events for
what callbacks call.
"""

import _thread
import sys
from sys import _getframe  # as it is now: the program may replace it

from footfall.files import at_fork
from footfall.model import (
    EVENT_ASYNC_STOP,
    EVENT_LEFT,
    EVENT_LINE,
    EVENT_RAISE,
    EVENT_RESUMED,
    EVENT_RIGHT,
    EVENT_UNWIND,
)
from footfall.observe.interruptions import Undisturbed, pass_on
from footfall.observe.messages import report
from footfall.observe.pure import contexts
from footfall.observe.pure.collector import sampling_threads
from footfall.observe.pure.recorder import PureRecorder
from footfall.observe.pure.watched_places import (
    ExceptStarEnds,
    find_cold_jumps,
    find_except_star_ends,
    find_first_line,
    find_first_traced,
    is_stand_in,
)
from footfall.own_builtins import keep_builtins
from footfall.pythons import HAS_BRANCH_EVENTS, HAS_INSTRUCTION_DEBUGGER, HAS_LOCAL_EXCEPTION_EVENTS

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any

    Decide = Callable[[str], str | None]

__all__ = ["start", "stop"]

_UNKNOWN = object()
_DEBUGGER_ASKS = "Bdb.set_stepinstr"
_OF_DEBUGGER = (_DEBUGGER_ASKS, "Bdb.start_trace")
_get_ident = _thread.get_ident  # as it is now: the program may replace it
_KEPT_LINES = 64
_NONE: "list[int]" = []


class _Measured:
    """The state of a measured code object. The object is kept, so that its id is not reused."""

    __slots__ = (
        "code",
        "code_id",
        "ends",
        "events",
        "first_traced",
        "generation",
        "is_plain",
        "is_watching",
        "jumps",
        "last_lines",
        "of_others",
    )

    def __init__(self, code: "CodeType", ends: ExceptStarEnds | None, first_traced: int) -> None:
        self.code = code
        self.ends = ends
        self.is_plain = ends is None
        self.first_traced = first_traced
        self.jumps: list[int] | None = None
        self.is_watching = False
        self.last_lines: dict[int, int] = {}
        """The last unit of each frame that handles an exception group, by the frame's address."""
        self.of_others: dict[tuple[int, int], int] = {}
        """Flags of work in other contexts, by context and place."""
        self.events: Any = None
        self.code_id = 0
        self.generation = -1
        """Which record the events are in: a forked child begins one of its own."""


class PureMonitoring:
    """One measurement with a tool of `sys.monitoring`."""

    current: "PureMonitoring | None" = None
    """The one of this process, while it runs."""

    is_following_forks = False

    def __init__(
        self, tool_id: int, decide: "Decide", recorder: PureRecorder, with_branches: bool, only_new: bool
    ) -> None:
        self._tool_id = tool_id
        self._decide = decide
        self._recorder = recorder
        self._with_branches = with_branches and HAS_BRANCH_EVENTS
        self._decisions: dict[str, str | None] = {}
        self._measured: dict[int, _Measured] = {}
        self._generation = 0
        self._sees_others = False
        """Whether work of another context was seen in this one: then no event is disabled."""
        self._is_off = False
        self._disable = sys.monitoring.DISABLE
        events = sys.monitoring.events
        self._callbacks: dict[int, Any] = {events.PY_START: self._on_start, events.LINE: self._on_line}
        self._everywhere = events.PY_START
        self._local = events.LINE
        self._watched = 0
        self._of_contexts = 0
        self._only_new = only_new
        if only_new:
            self._callbacks |= {events.PY_RESUME: self._on_resume, events.PY_THROW: self._on_throw}
            self._everywhere |= events.PY_RESUME | events.PY_THROW
        if self._with_branches:
            self._add_branch_events(events)

    def _add_branch_events(self, events: "Any") -> None:
        left, right = self._on_left, self._on_right
        self._callbacks |= {
            events.BRANCH_LEFT: left,
            events.BRANCH_RIGHT: right,
            events.JUMP: left,
            events.PY_RETURN: left,
            events.PY_RESUME: self._on_resume,
            events.INSTRUCTION: self._on_instruction,
            events.EXCEPTION_HANDLED: self._on_handled,
            events.PY_UNWIND: self._on_unwind,
            events.PY_THROW: self._on_throw,
        }
        self._local |= events.BRANCH_LEFT | events.BRANCH_RIGHT | events.JUMP | events.PY_RETURN | events.PY_RESUME
        exceptions = events.EXCEPTION_HANDLED | events.PY_UNWIND
        if HAS_LOCAL_EXCEPTION_EVENTS:
            self._local |= exceptions | events.PY_THROW
        else:
            self._everywhere |= exceptions
            self._of_contexts = events.PY_THROW
        self._watched = self._local | events.INSTRUCTION

    def start(self) -> None:
        """Start with a tool id that is ours."""
        monitoring = sys.monitoring
        for event, callback in self._callbacks.items():
            monitoring.register_callback(self._tool_id, event, callback)
        self._recorder.on_switch(self._flush, self._begin_context)
        monitoring.set_events(self._tool_id, self._everywhere)
        monitoring.restart_events()

    def stop(self) -> None:
        """Stop recording. The caller removes the tool's callbacks first."""
        self._is_off = True
        self._measured.clear()

    def after_fork(self) -> None:
        """Record what runs from now on in the child's own record."""
        self._generation += 1

    # Code objects

    def _on_start(self, code: "CodeType", offset: int) -> object:
        if _get_ident() in sampling_threads:
            return self._disable
        path = self._decisions.get(code.co_filename, _UNKNOWN)
        if path is None and not HAS_INSTRUCTION_DEBUGGER:
            return self._disable
        if self._is_off:
            return self._disable
        if HAS_INSTRUCTION_DEBUGGER and code.co_qualname in _OF_DEBUGGER:
            self._follow_debugger(code.co_qualname == _DEBUGGER_ASKS)
            return None  # it will be called again
        try:
            if path is None or id(code) in self._measured:
                return self._disable
            with Undisturbed():
                if path is _UNKNOWN:
                    path = self._decisions[code.co_filename] = self._decide(code.co_filename)
                if path is not None:
                    self._register(code, path)  # type: ignore[arg-type]
        except RecursionError:
            return None  # decided again with more room
        except Exception as error:
            self._fail(error)
        return self._disable

    def _register(self, code: "CodeType", path: str) -> None:
        bytecode = code.co_code
        if is_stand_in(code, bytecode):
            return
        ends = find_except_star_ends(code, bytecode) if self._with_branches else None
        measured = _Measured(code, ends, find_first_traced(bytecode))
        if self._record(measured, bytecode, path):
            sys.monitoring.set_local_events(self._tool_id, code, self._local)
            self._measured[id(code)] = measured

    def _record(self, measured: _Measured, bytecode: bytes, path: str) -> bool:
        """Give a code object its places in this process's record. Return False if recording is off."""
        n_units = len(bytecode) // 2
        n_ends = 0 if measured.ends is None else len(measured.ends.ends)
        added = self._recorder.add_code(measured.code, bytecode, path, n_units * (1 + n_ends))
        if added is not None:
            measured.code_id, measured.events = added
            measured.generation = self._generation
        return added is not None

    def _has_places(self, measured: _Measured) -> bool:
        """Return whether a code object has places for events in this process's record."""
        if measured.generation == self._generation:
            return True
        if self._is_off:
            return False
        try:
            path = self._decisions.get(measured.code.co_filename)
            if path is None:
                return False
            with Undisturbed():
                return self._record(measured, measured.code.co_code, path)
        except RecursionError:
            return False
        except Exception as error:
            self._fail(error)
            return False

    def _fail(self, error: Exception) -> None:
        """Stop and report it, unless the error is the program's."""
        pass_on(error)
        if not self._is_off:
            self._is_off = True
            report("engine-failed", "coverage stopped by an internal error: " + repr(error) + ".", "Please report it.")

    # Events

    def _set_flag(self, measured: _Measured, place: int, flag: int) -> bool:
        """Record an event. Return True if it need not be seen again in this context."""
        if measured.generation != self._generation and not self._has_places(measured):
            return False
        if not 0 <= place < len(measured.events):
            return True
        if contexts.are_others_there:
            context_id = contexts.context_of_other_work(self._recorder)
            if context_id is not None:
                self._set_flag_of_other(measured, place, flag, context_id)
                return False
        measured.events[place] |= flag
        return not self._sees_others

    def _mark(self, measured: _Measured, place: int, flag: int) -> None:
        """Set a flag in the process's context, whatever the running work belongs to."""
        is_there = measured.generation == self._generation or self._has_places(measured)
        if is_there and 0 <= place < len(measured.events):
            measured.events[place] |= flag

    def _set_flag_of_other(self, measured: _Measured, place: int, flag: int, context_id: int) -> None:
        if not self._sees_others:
            self._sees_others = True
            for each in self._measured.values():
                if each.generation == self._generation and any(each.events):
                    self._arm(each)
        key = (context_id, place)
        known = measured.of_others.get(key, 0)
        if known & flag != flag:
            measured.of_others[key] = known | flag
            self._recorder.add_code_events(measured.code_id, context_id, [place], bytes((flag,)))

    def _event(self, measured: _Measured, frame: "FrameType", unit: int, flag: int) -> object:
        """Handle an event that has done its work at its place, unless the place leads to the end of an `except*`."""
        try:
            is_done = self._set_flag(measured, unit, flag)
            ends = measured.ends
            if ends is not None and ends.is_watched(unit, flag == EVENT_LINE):
                self._note_except_star(measured, ends, frame, unit, flag)
                return None
        except RecursionError:
            return None  # seen again with more room
        return self._disable if is_done else None

    def _note_except_star(
        self, measured: _Measured, ends: ExceptStarEnds, frame: "FrameType", unit: int, flag: int
    ) -> None:
        if flag == EVENT_LINE:
            if len(measured.last_lines) > _KEPT_LINES:
                measured.last_lines.clear()
            measured.last_lines[id(frame)] = unit
        else:
            self._set_flag(measured, ends.place(unit, measured.last_lines.get(id(frame), unit)), flag)

    # Nearly all events end in this callback: another call would need another frame, and the program may have none left.

    def _on_line(self, code: "CodeType", line: int) -> object:
        measured = self._measured.get(id(code))
        frame = _getframe(1)
        if measured is None or frame.f_code is not code:
            return None  # from a measurement that ended; or in code that is not Python's, which has no frame
        if measured.is_plain and measured.generation == self._generation and not contexts.are_others_there:
            measured.events[frame.f_lasti >> 1] |= EVENT_LINE
            return None if self._sees_others else self._disable
        return self._event(measured, frame, frame.f_lasti >> 1, EVENT_LINE)

    def _on_left(self, code: "CodeType", offset: int, _: object) -> object:
        measured = self._measured.get(id(code))
        if measured is None:
            return None
        if measured.is_plain and measured.generation == self._generation and not contexts.are_others_there:
            measured.events[offset >> 1] |= EVENT_LEFT
            return None if self._sees_others else self._disable
        return self._event(measured, _getframe(1), offset >> 1, EVENT_LEFT)

    def _on_right(self, code: "CodeType", offset: int, _: object) -> object:
        measured = self._measured.get(id(code))
        if measured is None:
            return None
        if measured.is_plain and measured.generation == self._generation and not contexts.are_others_there:
            measured.events[offset >> 1] |= EVENT_RIGHT
            return None if self._sees_others else self._disable
        return self._event(measured, _getframe(1), offset >> 1, EVENT_RIGHT)

    def _on_resume(self, code: "CodeType", offset: int) -> object:
        measured = self._measured.get(id(code))
        if measured is None:
            answer = self._on_start(code, offset) if self._only_new else None  # it began before measuring did
            measured = self._measured.get(id(code))
            if measured is None:
                return answer
        self._watch_handlers(measured)
        return self._event(measured, _getframe(1), offset >> 1, EVENT_RESUMED)

    def _on_instruction(self, code: "CodeType", offset: int) -> object:
        measured = self._measured.get(id(code))
        if measured is not None and measured.jumps and offset >> 1 in measured.jumps:
            return self._event(measured, _getframe(1), offset >> 1, EVENT_LEFT)
        return self._disable

    def _on_handled(self, code: "CodeType", offset: int, error: BaseException) -> None:
        measured = self._measured.get(id(code))
        if measured is None:
            return
        flag = EVENT_ASYNC_STOP if isinstance(error, StopAsyncIteration) else EVENT_RAISE
        at = _getframe(1).f_lasti >> 1
        if measured.generation == self._generation and not contexts.are_others_there:
            measured.events[at] |= flag
        else:
            self._set_flag(measured, at, flag)
        self._watch_handlers(measured)

    def _on_unwind(self, code: "CodeType", offset: int, error: BaseException) -> None:
        measured = self._measured.get(id(code))
        if measured is None:
            return
        at = _getframe(1).f_lasti >> 1
        if measured.generation == self._generation and not contexts.are_others_there:
            measured.events[at] |= EVENT_UNWIND
        else:
            self._set_flag(measured, at, EVENT_UNWIND)

    def _on_throw(self, code: "CodeType", offset: int, error: BaseException) -> None:
        measured = self._measured.get(id(code))
        if measured is None and self._only_new:  # it began before measuring did
            self._on_start(code, offset)
            measured = self._measured.get(id(code))
        if measured is not None:
            self._set_flag(measured, _getframe(1).f_lasti >> 1, EVENT_RESUMED)
            self._watch_handlers(measured)

    def _watch_handlers(self, measured: _Measured) -> None:
        """Watch how the running frame leaves the handler that it is in: it may have entered it in another context."""
        if self._with_branches and measured.jumps != _NONE:
            try:
                self._watch_cold_jumps(measured, self._set_flag)
            except RecursionError:
                pass  # there is no room for it

    def _watch_cold_jumps(self, measured: _Measured, mark: "Callable[[_Measured, int, int], object]") -> None:
        """Watch from now on, in this context, whether jumps without an event leave handlers of the code."""
        if measured.jumps is None:
            measured.jumps = find_cold_jumps(measured.code.co_code)
        for unit in measured.jumps:
            mark(measured, unit, EVENT_RIGHT)
        if measured.jumps and not measured.is_watching:
            measured.is_watching = True
            sys.monitoring.set_local_events(self._tool_id, measured.code, self._watched)

    # Contexts

    def _flush(self, context_id: int) -> None:
        """Record what was executed in a context that ends, and let it be seen again."""
        if self._is_off:
            return
        if self._of_contexts:
            self._everywhere |= self._of_contexts
            self._of_contexts = 0
            sys.monitoring.set_events(self._tool_id, self._everywhere)
        self._sees_others = False
        if self._with_branches and "greenlet" not in sys.modules:  # their waiting frames are in no thread's stack
            self._note_silent_starts()
        for measured in list(self._measured.values()):
            if measured.generation != self._generation:
                continue
            flags = bytes(measured.events)
            places = [place for place, flag in enumerate(flags) if flag]
            if not places:
                continue
            seen = bytes(flags[place] for place in places)
            if not self._recorder.add_code_events(measured.code_id, context_id, places, seen):
                return
            measured.events[:] = bytes(len(flags))
            measured.is_watching = False
            self._arm(measured)

    def _arm(self, measured: _Measured) -> None:
        """Let all places of a code object be seen again."""
        sys.monitoring.set_local_events(self._tool_id, measured.code, 0)
        wanted = self._watched if measured.is_watching else self._local
        sys.monitoring.set_local_events(self._tool_id, measured.code, wanted)

    def _begin_context(self) -> None:
        """Record where each measured frame is, so that the context's first arc there has a start."""
        if self._is_off or not self._with_branches:
            return
        for measured, unit in self._running():
            self._mark(measured, unit, EVENT_RESUMED)
            self._watch_cold_jumps(measured, self._mark)  # the frame may be in a handler

    def _note_silent_starts(self) -> None:
        """Record the line of each frame that began in this context and has sent no event, as the context ends.

        CPython sends no LINE event behind a RESUME_CHECK on the same line (a lambda, a one-line function). The C part
        makes it a RESUME again; here such a frame is known by having none of the flags that `_begin_context` sets.
        """
        for measured, _ in self._running():
            if measured.generation == self._generation and not any(measured.events):
                self._mark(measured, find_first_line(measured.code.co_code), EVENT_LINE)

    def _running(self) -> "list[tuple[_Measured, int]]":
        """Return the measured code of each frame that runs or is called from, and its unit."""
        found = []
        for running in sys._current_frames().values():
            frame: FrameType | None = running
            while frame is not None:
                measured = self._measured.get(id(frame.f_code))
                if measured is not None and frame.f_lasti // 2 >= measured.first_traced:
                    found.append((measured, frame.f_lasti // 2))
                frame = frame.f_back
        return found

    def _follow_debugger(self, asks: bool) -> None:
        """Keep events that bdb needs: native/engines/monitoring/debuggers.c says why."""
        instruction = sys.monitoring.events.INSTRUCTION
        frame: FrameType | None = _getframe(2)
        while frame is not None:
            code = frame.f_code
            measured = self._measured.get(id(code))
            local = 0 if measured is None else self._local
            set_local = sys.monitoring.set_local_events
            set_local(self._tool_id, code, local | instruction if asks else local)
            if not asks and measured is not None and measured.is_watching:
                set_local(self._tool_id, code, self._watched)
            frame = frame.f_back


def start(tool_id: int, decide: "Decide", with_branches: bool, only_new: bool) -> None:
    """Measure every code object whose file `decide(co_filename)` gives a path for. The record must be open.

    If `only_new`, generators that began before are seen as well; else the caller finds them.
    """
    recorder = PureRecorder.current
    assert recorder is not None
    engine = PureMonitoring.current = PureMonitoring(tool_id, decide, recorder, with_branches, only_new)
    if not PureMonitoring.is_following_forks:
        PureMonitoring.is_following_forks = True
        at_fork(after_in_child=_begin_child)
    engine.start()


def _begin_child() -> None:
    """Give a forked child a record of its own."""
    engine, recorder = PureMonitoring.current, PureRecorder.current
    if engine is not None and recorder is not None:
        recorder.after_fork()
        contexts.after_fork()
        engine.after_fork()


def stop() -> None:
    """Stop recording. Does nothing if the engine is not running."""
    engine, PureMonitoring.current = PureMonitoring.current, None
    if engine is not None:
        engine.stop()
