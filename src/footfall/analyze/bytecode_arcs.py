"""Raw hits of the monitoring engine to the lines and arcs that coverage.py's C tracer would have recorded.

Each event fires once for each instruction, so a run leaves a set of instructions, not a trace. An arc of the C
tracer joins two LINE events in one frame, one after the other. It is found again by walking from each
instruction whose LINE event fired, along what is known to have run (branches that fired, jumps,
exceptions that were raised), to the next instruction whose LINE event fired or out of the code.
Copies of a `finally` body or of a `with` exit have their own instructions, so they stay apart.

Called by resolve, after the run.
"""

from __future__ import annotations

from functools import lru_cache

from footfall.analyze.instructions import Graph, build_graph, lines_of_units
from footfall.analyze.opcodes import OPCODES_BY_VERSION, Opcodes
from footfall.model import HIT_LEFT, HIT_LINE, HIT_RIGHT
from footfall.record.recordfile import RecordedCode

__all__ = ["HIT_ASYNC_STOP", "HIT_RAISE", "HIT_UNWIND", "arcs_of_code"]

HIT_RAISE = 8
"""An exception went from this unit to a handler in the same frame (EXCEPTION_HANDLED, the frame's offset)."""
HIT_ASYNC_STOP = 16
"""The same for a StopAsyncIteration."""
HIT_UNWIND = 32
"""An exception from this unit left the frame (PY_UNWIND, the frame's offset)."""

Arc = tuple[int, int]


def arcs_of_code(code: RecordedCode, has_exits: bool = False) -> tuple[set[int], set[Arc]]:
    """Return the executed lines, and the executed arcs as coverage.py's C tracer writes them.

    An arc is (from line, to line); (-first_line, n) enters the code object and (n, -first_line) leaves it.
    Every executed line is in at least one arc. No arcs are found where the interpreter records
    no branches (before CPython 3.14). `has_exits` says that JUMP and PY_RETURN events set HIT_LEFT at their
    instruction and RAISE sets HIT_RAISE; without them jumps and returns that can be reached are taken
    to have run, and exceptions only come from `raise`. O(len(code.code)).
    """
    ops = OPCODES_BY_VERSION.get((code.version >> 24, code.version >> 16 & 255))
    if ops is None:
        lines = lines_of_units(code.line_table, code.first_line, len(code.hits))
        return {lines[unit] for unit, hit in enumerate(code.hits) if hit & HIT_LINE} - {-1}, set()
    graph = _graph_of(
        code.code, code.line_table, code.exception_table, code.first_line, code.branches, ops
    )
    walker = _Walker(graph, code.hits, code.first_line, ops, has_exits)
    for unit, hit in enumerate(code.hits):
        if hit & HIT_LINE:
            walker.lines.add(graph.lines[unit])
            walker.walk(unit, graph.lines[unit])
        if hit & HIT_UNWIND:
            walker.unwind(unit)
    walker.walk(graph.first_unit, -code.first_line)
    return walker.lines, walker.arcs


@lru_cache(maxsize=4096)
def _graph_of(
    code: bytes,
    line_table: bytes,
    exception_table: bytes,
    first_line: int,
    branches: tuple[tuple[int, int, int], ...],
    ops: Opcodes,
) -> Graph:
    """Keep graphs: with contexts, one code object comes back once for each test that ran it."""
    return build_graph(code, line_table, exception_table, first_line, branches, ops)


class _Walker:
    """Collects the arcs of one code object."""

    def __init__(self, graph: Graph, hits: bytes, first_line: int, ops: Opcodes, has_exits: bool) -> None:
        self._graph = graph
        self._hits = hits
        self._exit = -first_line
        self._ops = ops
        self._exit_flag = HIT_LEFT if has_exits else 0
        self.lines: set[int] = set()
        self.arcs: set[Arc] = set()

    def walk(self, start: int, line: int) -> None:
        """Follow what ran from `start`, when the last LINE event was for `line`."""
        graph = self._graph
        todo = [(start, line)]
        seen = set(todo)
        while todo:
            unit, last_line = todo.pop()
            if graph.opcodes[unit] == self._ops.resume and graph.lines[unit] >= 0 and unit != graph.first_unit:
                last_line = graph.lines[unit]  # the tracer starts again from the line of the yield
            for target in self._targets(unit, last_line):
                if not self._sends_line(unit, target):
                    step = (target, last_line)
                    if step not in seen:
                        seen.add(step)
                        todo.append(step)
                elif self._hits[target] & HIT_LINE:
                    self.arcs.add((last_line, graph.lines[target]))

    def _sends_line(self, unit: int, target: int) -> bool:
        """Would going from `unit` to `target` send a LINE event?"""
        graph = self._graph
        if not graph.line_starts[target]:
            return False
        return graph.lines[unit] != graph.lines[target] or graph.opcodes[unit] == self._ops.resume

    def _targets(self, unit: int, last_line: int) -> list[int]:
        """The units that ran after `unit`. Records the arc out of the code when that is where it led."""
        graph, ops, hit = self._graph, self._ops, self._hits[unit]
        opcode = graph.opcodes[unit]
        went_on = hit & self._exit_flag == self._exit_flag
        targets = []
        raises = opcode in (ops.raise_varargs, ops.reraise, ops.end_async_for)
        if raises or opcode == ops.cleanup_throw or self._lets_exception_out(unit):
            if graph.handlers[unit] >= 0:
                targets.append(graph.handlers[unit])
            elif raises and not self._exit_flag:
                self._leave(unit, last_line)
        if unit in graph.branches:
            branch = graph.branches[unit]
            if self._hits[branch.left_event] & HIT_LEFT:
                targets.append(branch.left)
            if self._hits[branch.right_event] & HIT_RIGHT:
                targets.append(branch.right)
        elif opcode in (ops.jump_forward, ops.jump_backward):
            if went_on:
                targets.append(graph.jump_to[unit])
        elif opcode == ops.return_value:
            if went_on:
                self._leave(unit, last_line)
        elif not raises:
            if unit in graph.jump_to:
                targets.append(graph.jump_to[unit])
            if opcode != ops.jump_backward_no_interrupt and graph.next_unit[unit] < len(self._hits):
                targets.append(graph.next_unit[unit])
        return targets

    def _lets_exception_out(self, unit: int) -> bool:
        """Did an exception go from this unit to its handler?"""
        handler = self._graph.handlers[unit]
        if handler >= 0 and self._graph.opcodes[handler] == self._ops.end_async_for:
            return bool(self._hits[unit] & HIT_RAISE)
        return bool(self._hits[unit] & (HIT_RAISE | HIT_ASYNC_STOP))

    def unwind(self, unit: int) -> None:
        """Record that an exception from `unit` left the code.

        The C tracer takes an exception out of an instruction before a RESUME for a yield.
        """
        opcodes = self._graph.opcodes
        line = self._graph.lines[unit]
        if line >= 0 and opcodes[unit + 1 : unit + 2] != [self._ops.resume]:
            self.lines.add(line)
            self.arcs.add((line, self._exit))

    def _leave(self, unit: int, last_line: int) -> None:
        """From 3.14 the tracer looks at the line of the frame once more when it returns."""
        line = self._graph.lines[unit]
        if line >= 0 and line != last_line:
            self.lines.add(line)
            self.arcs.add((last_line, line))
            last_line = line
        self.arcs.add((last_line, self._exit))
