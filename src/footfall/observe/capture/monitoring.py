"""What blocks newly execute, seen by a `sys.monitoring` tool of our own (CPython 3.12 and later).

While a block is open, each line and each direction of a branch is reported once and then disabled: code that was seen
before runs at full speed. While no block is open nothing is disabled, so what runs then is still new later. Called by
footfall.api.capture. The tool is separate from that of a measured run, whose events and data it does not touch.
"""

import sys

from footfall.observe.capture.blocks import CaptureSeries
from footfall.own_builtins import keep_builtins
from footfall.pythons import HAS_BRANCH_EVENTS
from footfall.tier import HAS_CORE

if HAS_CORE:
    from footfall import _core

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType, FrameType
    from typing import Any

    from footfall.observe.module_names import Namespace
    from footfall.observe.scope import Scope

__all__ = ["OldCode", "Series"]

# Ids that other tools are known to use come last: 3 Hypothesis, 1 coverage, 0 debuggers; footfall itself takes 4.
_TOOL_IDS = (5, 2, 4, 0, 1, 3)


class Series:
    """One tool and what it has seen. Raises RuntimeError if all tools are taken.

    `blocks.places` holds, in order, lines (path, line) and directions of branches (path, code, offset, destination).
    """

    tool_name = "footfall-capture"

    def __init__(self, scope: "Scope", is_full: bool) -> None:
        self._prepare(scope, is_full, CaptureSeries([], -1))
        self._start()
        self.blocks.hold_tool(sys.monitoring.get_tool, self._tool_id)
        self.blocks.is_simple = not is_full

    def _prepare(self, scope: "Scope", is_full: bool, blocks: CaptureSeries) -> None:
        self._scope = scope
        self._is_full = is_full
        self._codes: dict[int, tuple[CodeType, str]] = {}  # id -> the first of equal code objects, path
        self._kept: dict[int, CodeType] = {}  # keeps the ids above from being reused
        self._equal: dict[CodeType, CodeType] = {}
        self._lines: set[tuple[str, int]] = set()
        self._branches: set[tuple[int, int, int]] = set()
        self._directions: dict[tuple[int, int], int] = {}
        self._sources: dict[int, _Sources] = {}  # by the code object's id
        self.blocks = blocks
        self._places: list[Any] = blocks.places
        self._is_stopped = False
        self._tool_id = _take_tool(self.tool_name)

    def prepare(self, frame: "FrameType", thread: int) -> bool:
        """Let a block begin if the series is not simple. No thread is traced."""
        if self._is_full:
            self.forget()
        return False

    def stop_tracing(self, thread: int) -> None:
        """Do nothing: see `prepare`."""

    def forget(self) -> None:
        """See everything again, as if it were new."""
        self._lines.clear()
        self._branches.clear()
        self._directions.clear()
        if not self.blocks.n_open:
            self._places.clear()
        sys.monitoring.restart_events()

    def stop(self) -> None:
        """Stop seeing anything, and free the tool."""
        self._is_stopped = True
        self.blocks.is_simple = False
        monitoring = sys.monitoring
        if monitoring.get_tool(self._tool_id) != self.tool_name:
            return  # the program freed it
        monitoring.set_events(self._tool_id, 0)
        for code in list(self._kept.values()):  # other threads may be adding to it
            monitoring.set_local_events(self._tool_id, code, 0)
        for event in self._events:
            monitoring.register_callback(self._tool_id, event, None)
        monitoring.free_tool_id(self._tool_id)

    @property
    def is_working(self) -> bool:
        """Return whether it was not stopped and the tool is still ours."""
        return not self._is_stopped and sys.monitoring.get_tool(self._tool_id) == self.tool_name

    def _start(self) -> None:
        """Watch what begins or continues, and what is running."""
        events = sys.monitoring.events
        everywhere = {events.PY_START: self._on_start, events.PY_RESUME: self._on_resume}
        self._register(everywhere)
        sys.monitoring.set_events(self._tool_id, sum(everywhere))
        sys.monitoring.restart_events()  # events that the tool id's previous user has disabled
        for running in sys._current_frames().values():
            frame: FrameType | None = running
            while frame is not None:
                self._watch(frame.f_code, frame.f_globals)
                frame = frame.f_back

    def _register(self, everywhere: "dict[int, Callable[..., object]]") -> None:
        events = sys.monitoring.events
        local: dict[int, Callable[..., object]] = {events.LINE: self._on_line}
        if HAS_BRANCH_EVENTS:
            local |= {events.BRANCH_LEFT: self._on_left, events.BRANCH_RIGHT: self._on_right}
        else:
            local[events.BRANCH] = self._on_branch
        self._events = {**local, **everywhere}
        self._local_events = sum(local)
        for event, callback in self._events.items():
            sys.monitoring.register_callback(self._tool_id, event, callback)

    def _on_start(self, code: "CodeType", _offset: int) -> object:
        if id(code) not in self._codes:
            self._watch(code, None)
            if HAS_CORE and id(code) in self._codes:
                _core.monitoring_remove_silent(code)
        return sys.monitoring.DISABLE

    def _on_resume(self, code: "CodeType", _offset: int) -> object:
        if id(code) not in self._codes:
            self._watch(code, None)
        return sys.monitoring.DISABLE

    def _watch(self, code: "CodeType", namespace: "Namespace | None") -> None:
        """Have the lines and branches of a code object reported, if its file is in the scope."""
        path = self._scope.decide(code.co_filename, namespace=namespace)
        if path is not None:
            self._watch_code(code, path)

    def _watch_code(self, code: "CodeType", path: str) -> None:
        if id(code) not in self._codes and any(code.co_code):  # extensions make some without bytecode
            self._kept[id(code)] = code
            self._codes[id(code)] = (self._equal.setdefault(code, code), path)
            try:
                if not self._is_stopped:
                    sys.monitoring.set_local_events(self._tool_id, code, self._local_events)
                if self._is_stopped:  # meanwhile, by another thread, which did not know this code
                    sys.monitoring.set_local_events(self._tool_id, code, 0)
            except ValueError:
                if not self._is_stopped:
                    raise  # else the tool was freed, and belongs to nobody: the program goes on

    def _on_line(self, code: "CodeType", line: int) -> object:
        known = self._codes.get(id(code))
        if not self.blocks.n_open or known is None:  # a series that had this tool's number before watched the code
            return None
        path = known[1]
        if (path, line) not in self._lines:
            self._lines.add((path, line))
            self._places.append((path, line))
        return sys.monitoring.DISABLE

    def _on_left(self, code: "CodeType", offset: int, destination: int) -> object:
        if not self.blocks.n_open:
            return None
        if destination - offset != _JUMP_LENGTH:
            offset = self._sources_of(code).left.get(destination, offset)
        self._add(code, offset, destination)
        return sys.monitoring.DISABLE

    def _on_right(self, code: "CodeType", offset: int, destination: int) -> object:
        if not self.blocks.n_open:
            return None
        sources = self._sources_of(code)
        if offset not in sources.jumps:
            offset = sources.loops.get(destination, offset)
        self._add(code, offset, destination)
        return sys.monitoring.DISABLE

    def _sources_of(self, code: "CodeType") -> "_Sources":
        found = self._sources.get(id(code))
        if found is None:
            found = self._sources[id(code)] = _Sources(code.co_branches())
        return found

    def _on_branch(self, code: "CodeType", offset: int, destination: int) -> object:
        """Handle a branch. Before 3.14 an event is for both directions: it is disabled when both were seen."""
        if not self.blocks.n_open:
            return None
        self._add(code, offset, destination)
        first = self._codes.get(id(code), (code, ""))[0]
        return sys.monitoring.DISABLE if self._directions.get((id(first), offset), 0) > 1 else None

    def _add(self, code: "CodeType", offset: int, destination: int) -> None:
        known = self._codes.get(id(code))
        if known is None:
            return
        first, path = known
        key = (id(first), offset, destination)
        if key in self._branches:
            return
        self._branches.add(key)
        place = (id(first), offset)
        self._directions[place] = self._directions.get(place, 0) + 1
        self._places.append((path, first, offset, destination))


class OldCode(Series):
    """What a series on probes sees of running code without probes: in frames, and in generators that have begun.

    `blocks` are the series'. Raises RuntimeError if all tools are taken.
    """

    tool_name = "footfall-capture-old"  # it does not see the probes of other code

    def __init__(
        self, scope: "Scope", is_full: bool, blocks: CaptureSeries, codes: "Iterable[tuple[CodeType, str]]"
    ) -> None:
        self._prepare(scope, is_full, blocks)
        self._register({})
        sys.monitoring.restart_events()
        for code, path in codes:
            self._watch_code(code, path)


_JUMP_LENGTH = 6
"""Bytes from a conditional jump over its cache and NOT_TAKEN; less for a loop's FOR_ITER."""


class _Sources:
    """Where the branches of a code object are.

    An event says so too, but it names the instruction at which the frame was last; that is another one when CPython's
    JIT has left its compiled code, or when others watch instructions.
    """

    __slots__ = ("jumps", "left", "loops")

    def __init__(self, branches: "Iterable[tuple[int, int, int]]") -> None:
        self.left: dict[int, int] = {}
        self.jumps: set[int] = set()
        self.loops: dict[int, int] = {}
        for source, left, right in branches:
            self.left[left] = source
            if left - source == _JUMP_LENGTH:
                self.jumps.add(source)
            else:
                self.loops[right] = source


def _take_tool(name: str) -> int:
    for tool_id in _TOOL_IDS:
        if sys.monitoring.get_tool(tool_id) is None:
            sys.monitoring.use_tool_id(tool_id, name)
            return tool_id
    raise RuntimeError("all six sys.monitoring tools are taken")
