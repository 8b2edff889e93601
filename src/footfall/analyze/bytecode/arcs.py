"""Raw events of the monitoring engine to the lines and arcs that coverage.py's C tracer would have recorded.

Each event fires once for each instruction, so a run leaves a set of instructions, not a trace. An arc of the C
tracer joins two consecutive LINE events in one frame. It is reconstructed by walking from each
instruction whose LINE event fired, along what is known to have run (branches that fired, jumps,
exceptions that were raised), to the next instruction whose LINE event fired or out of the code.
Copies of a `finally` body or of a `with` exit have their own instructions, so they stay separate.

Called by resolve, after the run. The C extension `_decode` (native/decode/arcs.c) takes the same steps in a twentieth
of the time. The code here runs where there is no extension, on PyPy, and is what a test compares the extension with.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from footfall.analyze.bytecode.instructions import Graph, build_graph, lines_of_units
from footfall.analyze.bytecode.opcodes import OPCODES_BY_VERSION, Opcodes
from footfall.model import (
    EVENT_ASYNC_STOP,
    EVENT_LEFT,
    EVENT_LINE,
    EVENT_RAISE,
    EVENT_RESUMED,
    EVENT_RIGHT,
    EVENT_UNWIND,
)
from footfall.pythons import version_of
from footfall.record.run.extension import decode
from footfall.record.run.record_file import RecordedCode

__all__ = ["arcs_of_code", "walk_arcs"]

Arc = tuple[int, int]
_EVENTS = re.compile(rb"[^\0]", re.DOTALL)


def arcs_of_code(code: RecordedCode, has_exits: bool = False, is_partial: bool = False) -> tuple[set[int], set[Arc]]:
    """Return the executed lines, and the executed arcs as coverage.py's C tracer writes them.

    An arc is (from line, to line); (-first_line, n) enters the code object and (n, -first_line) leaves it.
    Every executed line is in at least one arc. No arcs are found if the interpreter records
    no branches (before CPython 3.14). `has_exits` says that JUMP and PY_RETURN events set EVENT_LEFT at their
    instruction and RAISE sets EVENT_RAISE; without them, reachable jumps and returns are assumed
    to have run, and exceptions only come from `raise`. `is_partial` says that these are the events of one context:
    frames may already have been running when it began; EVENT_RESUMED is set where. O(len(code.code)).
    """
    ops = OPCODES_BY_VERSION.get(version_of(code.version))
    if ops is None:
        lines = lines_of_units(code.line_table, code.first_line, len(code.code) // 2)
        return {lines[unit] for unit, flags in enumerate(code.events) if flags & EVENT_LINE} - {-1}, set()
    if decode is None:
        return walk_arcs(code, ops, has_exits, is_partial)
    graph = _native_graph_of(*_tables_of(code), ops)
    return graph.arcs(code.events, has_exits, is_partial)


def walk_arcs(code: RecordedCode, ops: Opcodes, has_exits: bool, is_partial: bool) -> tuple[set[int], set[Arc]]:
    """Return the same as `arcs_of_code`, for a version that records branches, without the C extension."""
    try:
        return _walk_all(code, ops, has_exits, is_partial)
    except IndexError as error:
        raise ValueError("the tables lead out of the code") from error


def _walk_all(code: RecordedCode, ops: Opcodes, has_exits: bool, is_partial: bool) -> tuple[set[int], set[Arc]]:
    graph = _graph_of(*_tables_of(code), ops)
    events = code.events[: len(graph.lines)]
    if is_partial:
        events = _with_first_line(events, graph, ops)
    star_ways = _star_ways(code.events, graph, ops)
    walker = _Walker(graph, events, code.first_line, ops, has_exits, star_ways)
    has_resumed = False
    for found in _EVENTS.finditer(events):
        unit, flags = found.start(), found[0][0]
        has_resumed = has_resumed or bool(flags & EVENT_RESUMED)
        if flags & EVENT_LINE:
            walker.lines.add(graph.lines[unit])
            walker.walk(unit, graph.lines[unit])
        if flags & EVENT_UNWIND and graph.lines[unit] >= 0:
            walker.unwind(unit, graph.lines[unit])
        if is_partial and flags & EVENT_RESUMED and graph.lines[unit] >= 0:
            walker.walk(unit, graph.lines[unit])
    if is_partial and has_resumed:
        # Resumed frames may have reached the first line too. Only events not reached otherwise show that a frame began.
        start = _Walker(graph, events, code.first_line, ops, has_exits, star_ways)
        start.walk(graph.first_unit, -code.first_line)
        if start.reached - walker.reached:
            walker.arcs |= start.arcs
    else:
        walker.walk(graph.first_unit, -code.first_line)
    return walker.lines, walker.arcs


def _with_first_line(events: bytes, graph: Graph, ops: Opcodes) -> bytes:
    """Return the events with the LINE event that CPython omits where code begins on the line of its RESUME.

    CPython sends that event after RESUME and INSTRUMENTED_RESUME (Python/instrumentation.c,
    _Py_call_instrumentation_line), but not after the RESUME_CHECK that RESUME has become by the second call: in
    lambdas, one-line functions and those with only a docstring. Code that ran without being resumed has begun.
    """
    unit = graph.next_unit[graph.first_unit]
    if (
        graph.opcodes[graph.first_unit] != ops.resume
        or unit >= len(events)
        or graph.lines[unit] != graph.lines[graph.first_unit]
        or not graph.line_starts[unit]
        or events[unit] & EVENT_LINE
        or any(flags[0][0] & EVENT_RESUMED for flags in _EVENTS.finditer(events))
    ):
        return events
    return events[:unit] + bytes([events[unit] | EVENT_LINE]) + events[unit + 1 :]


def _tables_of(code: RecordedCode) -> tuple[bytes, bytes, bytes, int, tuple[tuple[int, int, int], ...]]:
    return code.code, code.line_table, code.exception_table, code.first_line, code.branches


# Graphs are cached: with contexts, one code object comes back once for each test that ran it.
_graph_of = lru_cache(maxsize=4096)(build_graph)
if decode is not None:
    _native_graph_of = lru_cache(maxsize=4096)(decode.CodeGraph)


_StarWays = dict[int, dict[int, int]]
"""For the unit of each end of an `except*`: EVENT_LEFT and EVENT_RIGHT, by the line that came before it."""


def _star_ways(events: bytes, graph: Graph, ops: Opcodes) -> _StarWays:
    """Read what `RecordedCode.events` has after the events of the code itself.

    The clauses of an `except*` join in instructions without a line, one of which branches. It is the only kind of
    branch without a line.
    """
    n_units = len(graph.lines)
    if len(events) == n_units:
        return {}
    ends = [
        unit
        for unit in sorted(graph.branches)
        if graph.opcodes[unit] == ops.pop_jump_if_not_none and graph.lines[unit] < 0
    ]
    if len(events) != n_units * (1 + len(ends)):
        raise ValueError("the events do not fit the code")
    found: _StarWays = {}
    for number, end in enumerate(ends, start=1):
        ways = found.setdefault(end, {})
        for place in _EVENTS.finditer(events, number * n_units, (number + 1) * n_units):
            line = graph.lines[place.start() % n_units]
            ways[line] = ways.get(line, 0) | place[0][0]
    return found


_UNKNOWN = -1


class _Step(NamedTuple):
    """Where a walk is: at `unit`, after a LINE event for `last_line`."""

    unit: int
    last_line: int
    origin: int
    """The unit that raised the current exception, if the walk saw it."""


class _Walker:
    """Collects the arcs of one code object."""

    def __init__(
        self, graph: Graph, events: bytes, first_line: int, ops: Opcodes, has_exits: bool, star_ways: _StarWays
    ) -> None:
        self._graph = graph
        self._star_ways = star_ways
        self._events = events
        self._exit = -first_line
        self._ops = ops
        self._steering = frozenset(ops) - {ops.not_taken}
        self._exit_flag = EVENT_LEFT if has_exits else 0
        self.lines: set[int] = set()
        self.arcs: set[Arc] = set()
        self.reached: set[int] = set()
        """The units at which a walk ended: by their LINE event, or where the code was left."""

    def walk(self, start: int, line: int) -> None:
        """Follow what ran from `start`, when the last LINE event was for `line`."""
        graph, ops = self._graph, self._ops
        first = _Step(start, line, _UNKNOWN)
        todo = [first]
        seen = {first}
        while todo:
            step = todo.pop()
            unit, last_line, origin = step
            unit = self._skip_plain(unit)
            if graph.opcodes[unit] == ops.resume and graph.lines[unit] >= 0 and unit != graph.first_unit:
                # The tracer starts again from the line of the yield.
                step = step._replace(last_line=graph.lines[unit])
            following = [self._go(step, target, unit) for target in self._targets(unit, last_line)]
            handler = graph.handlers[unit]
            if handler >= 0 and self._raised(unit):
                if unit not in graph.restoring:
                    origin = unit
                following.append(self._go(step._replace(origin=origin), handler, origin))
            if handler in graph.loop_ends and self._events[unit] & EVENT_ASYNC_STOP:
                end = graph.loop_ends[handler]
                following.append(self._go(step, end + 1, end))
            for next_step in following:
                if next_step is not None and next_step not in seen:
                    seen.add(next_step)
                    todo.append(next_step)

    def _skip_plain(self, unit: int) -> int:
        """Return the last instruction reached from `unit` before there is anything to look at."""
        graph, events, steering = self._graph, self._events, self._steering
        while graph.opcodes[unit] not in steering and not events[unit] & ~EVENT_LINE:
            target = graph.next_unit[unit]
            if target >= len(events) or graph.line_starts[target]:
                break
            unit = target
        return unit

    def _go(self, step: _Step, target: int, previous: int) -> _Step | None:
        """Return the next step of the walk, or None (and record an arc) if a LINE event ended it.

        CPython sends no LINE event if the instruction that the frame was at has the same line. The frame was at
        `previous`; if that is unknown, an event that never fired was not sent.
        """
        graph = self._graph
        is_sent = graph.line_starts[target]
        has_fired = self._events[target] & EVENT_LINE
        if is_sent and previous == _UNKNOWN:
            is_sent = bool(has_fired)
        elif is_sent and graph.opcodes[previous] != self._ops.resume:
            is_sent = graph.lines[previous] != graph.lines[target]
        if not is_sent:
            return step._replace(unit=target)
        if has_fired:
            self.arcs.add((step.last_line, graph.lines[target]))
            self.reached.add(target)
        return None

    def _targets(self, unit: int, last_line: int) -> list[int]:
        """Return the units that ran after `unit` without an exception. Records the arc if the code ended there."""
        graph, ops, flags = self._graph, self._ops, self._events[unit]
        opcode = graph.opcodes[unit]
        went_on = flags & self._exit_flag == self._exit_flag
        targets = []
        if flags & EVENT_UNWIND and graph.lines[unit] != last_line:
            self.unwind(unit, last_line)
        if unit in graph.branches:
            branch = graph.branches[unit]
            ways = self._ways(unit, last_line)
            if (self._events[branch.left_event] | self._events[branch.late_left]) & EVENT_LEFT & ways:
                targets.append(branch.left)
            # RIGHT of an `async for` also fires for exceptions that do not end the loop.
            is_known = opcode == ops.end_send and self._exit_flag
            went_right = (self._events[branch.right_event] | self._events[branch.late_right]) & EVENT_RIGHT
            if went_right & ways and not is_known:
                targets.append(branch.right)
        elif opcode in (ops.jump_forward, ops.jump_backward):
            if went_on:
                targets.append(graph.jump_to[unit])
                self._repeat_line(unit, last_line)
        elif opcode == ops.return_value:
            if went_on:
                self._leave(unit, last_line)
        elif opcode in (ops.raise_varargs, ops.reraise):
            if not self._exit_flag and graph.handlers[unit] < 0:
                self._leave(unit, last_line)
        elif opcode == ops.jump_backward_no_interrupt:
            # It has no event. Where handlers leave through it: EVENT_RIGHT if it was watched, EVENT_LEFT if taken.
            if flags & (EVENT_LEFT | EVENT_RIGHT) != EVENT_RIGHT:
                targets.append(graph.jump_to[unit])
        elif opcode != ops.end_async_for:  # what follows it is the right side of the branch at END_SEND
            if unit in graph.jump_to:
                targets.append(graph.jump_to[unit])
            if graph.next_unit[unit] < len(self._events):
                targets.append(graph.next_unit[unit])
        return targets

    def _ways(self, unit: int, last_line: int) -> int:
        """Return the ways that a branch can have gone if `last_line` came before it."""
        ways = self._star_ways.get(unit)
        if ways is None:
            return EVENT_LEFT | EVENT_RIGHT
        return ways.get(last_line, 0) | ways.get(_UNKNOWN, 0)

    def _repeat_line(self, unit: int, last_line: int) -> None:
        """Repeat the line, as sys.settrace does where a loop jumps back within one line."""
        graph = self._graph
        line = graph.lines[unit]
        if graph.opcodes[unit] == self._ops.jump_backward and graph.lines[graph.jump_to[unit]] == line >= 0:
            self.arcs.add((last_line, line))

    def _raised(self, unit: int) -> bool:
        """Return whether an exception went from this unit to its handler. For instructions that only raise, always."""
        graph, ops = self._graph, self._ops
        if graph.opcodes[unit] in (ops.raise_varargs, ops.reraise, ops.end_async_for, ops.cleanup_throw):
            return True
        if graph.handlers[unit] in graph.loop_ends:
            return bool(self._events[unit] & EVENT_RAISE)
        return bool(self._events[unit] & (EVENT_RAISE | EVENT_ASYNC_STOP))

    def unwind(self, unit: int, last_line: int) -> None:
        """Record that an exception from `unit` left the code, when the last LINE event was for `last_line`.

        CPython sends no LINE event for an instruction after a loop's END_FOR if the code before the END_FOR has the
        same line: a `raise`, when every path through the loop ends in `break`. The C tracer takes an exception from an
        instruction before a RESUME for a yield.
        """
        is_yield = self._graph.opcodes[unit + 1 : unit + 2] == bytes([self._ops.resume])
        if self._graph.lines[unit] < 0 or not is_yield:
            self._leave(unit, last_line)

    def _leave(self, unit: int, last_line: int) -> None:
        """Record the arc out of the code. From 3.14 the tracer rereads the frame's line on return, with -1 for none."""
        self.reached.add(unit)
        line = self._graph.lines[unit]
        if line != last_line:
            self.arcs.add((last_line, line))
        if line >= 0:
            self.lines.add(line)
        self.arcs.add((line, self._exit))
