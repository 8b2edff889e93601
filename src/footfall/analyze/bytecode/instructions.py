"""One code object's bytecode as a graph of instructions, for any CPython version with branch events.

Built by arcs.py from what was recorded; nothing here needs the interpreter that ran the code.
All positions are code units (2 bytes), not byte offsets.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from footfall.analyze.bytecode.opcodes import CACHE, Opcodes
from footfall.record.run.extension import decode

__all__ = [
    "Branch",
    "Graph",
    "build_graph",
    "find_steering",
    "lines_of_units",
    "read_exception_table",
    "steering_instructions",
]

_LOCATIONS = re.compile(rb"[\x80-\xff][\x00-\x7f]*")
"""One entry of a location table: only its first byte has the high bit."""
_CACHES = re.compile(re.escape(bytes([CACHE])) + b"+")


class Branch(NamedTuple):
    """Where an instruction with BRANCH events leads, and the units at which its events are recorded."""

    left: int
    right: int
    left_event: int
    right_event: int
    late_left: int
    """Where LEFT is recorded while INSTRUCTION events are on: the NOT_TAKEN after a conditional jump."""
    late_right: int
    """The same for RIGHT: the POP_ITER after the END_FOR that ends a loop."""


class Graph(NamedTuple):
    """The instructions of a code object. Sequences are indexed by unit; cache units contain CACHE."""

    opcodes: bytes
    next_unit: list[int]
    """The unit after this instruction and its caches."""
    jump_to: dict[int, int]
    """Where each unconditional jump, and each SEND, leads."""
    branches: dict[int, Branch]
    handlers: list[int]
    """The unit that handles an exception from this unit; -1 if the exception leaves the frame."""
    loop_ends: dict[int, int]
    """For each handler that starts with an END_ASYNC_FOR (after EXTENDED_ARG), that instruction."""
    restoring: frozenset[int]
    """Each RERAISE that sets the frame back to where its exception was first raised."""
    lines: list[int]
    """-1 if an instruction has no line."""
    line_starts: list[bool]
    """Where the interpreter can send a LINE event."""
    first_unit: int
    """The RESUME that starts the code."""


def build_graph(
    code: bytes,
    line_table: bytes,
    exception_table: bytes,
    first_line: int,
    branches: tuple[tuple[int, int, int], ...],
    ops: Opcodes,
) -> Graph:
    """Read the tables of a code object. Raises ValueError if they do not fit together."""
    n_units = len(code) // 2
    opcodes = code[0 : 2 * n_units : 2]
    steering = steering_instructions(code[: 2 * n_units], ops)
    lines = lines_of_units(line_table, first_line, n_units)
    next_unit = _ends_of_instructions(opcodes)
    jump_to = _jumps(steering, opcodes, next_unit, ops)
    entries = read_exception_table(exception_table)
    handlers = [-1] * n_units
    for start, end, handler in entries:
        if end > n_units or handler >= n_units:
            raise ValueError("the exception table points past the end of the code")
        handlers[start:end] = [handler] * (end - start)
    for unit, _argument in steering:
        if opcodes[unit] == ops.resume and unit > 0 and opcodes[unit - 1] == ops.yield_value:
            # An exception thrown into a generator is raised by the yield, with the frame at the RESUME.
            handlers[unit] = handlers[unit - 1]
    branch_map = dict(_branch(opcodes, source // 2, left // 2, right // 2, ops) for source, left, right in branches)
    for unit in [unit for unit in branch_map if opcodes[unit] == ops.end_send and opcodes[unit + 1] != ops.not_taken]:
        del branch_map[unit]  # an `async for` in a comprehension: LEFT is not reported, and continues like any await
    first_unit = opcodes.index(ops.resume) if ops.resume in opcodes else 0
    starts = _line_starts(opcodes, next_unit, lines, first_unit, ops)
    targets = {_after_end_marker(opcodes, unit, ops) for unit in jump_to.values()}
    targets.update(_conditional_targets(steering, opcodes, next_unit, ops))
    for unit in targets:
        if 0 <= unit < n_units and lines[unit] >= 0:
            starts[unit] = True
    for _start, _end, handler in entries:
        if lines[handler] >= 0 and opcodes[handler] != ops.end_async_for:
            starts[handler] = True
    loop_ends = {}
    for _start, _end, handler in entries:
        unit = handler
        while opcodes[unit] == ops.extended_arg:
            unit += 1
        if opcodes[unit] == ops.end_async_for:
            loop_ends[handler] = unit
    restoring = frozenset(unit for unit, argument in steering if argument and opcodes[unit] == ops.reraise)
    return Graph(opcodes, next_unit, jump_to, branch_map, handlers, loop_ends, restoring, lines, starts, first_unit)


def _branch(opcodes: bytes, source: int, left: int, right: int, ops: Opcodes) -> tuple[int, Branch]:
    """Return one entry of co_branches, by the unit that branches.

    An `async for` branches at END_SEND, reports LEFT at the NOT_TAKEN after it and RIGHT where
    END_ASYNC_FOR assumes END_SEND, which is sometimes the CLEANUP_THROW before it (3.14, 3.15).
    """
    if opcodes[source] not in (ops.end_send, ops.cleanup_throw):
        late = (source, right - 1) if opcodes[source] == ops.for_iter else (left - 1, source)
        return source, Branch(left, right, source, source, *late)
    unit = opcodes.index(ops.end_send, source)
    return unit, Branch(unit + 2, right, unit + 1, source, unit + 1, source)


def _ends_of_instructions(opcodes: bytes) -> list[int]:
    """Return where each instruction ends. Caches read as opcode 0 in co_code, so no table of sizes is needed."""
    ends = list(range(1, len(opcodes) + 1))
    for caches in _CACHES.finditer(opcodes):
        start, end = caches.span()
        first = max(start - 1, 0)
        ends[first:end] = [end] * (end - first)
    return ends


def steering_instructions(code: bytes, ops: Opcodes) -> list[tuple[int, int]]:
    """Return (unit, argument) of each instruction of `ops`, in order, with EXTENDED_ARG included in the argument."""
    return find_steering(code, ops) if decode is None else decode.steering_instructions(code, ops)


def find_steering(code: bytes, ops: Opcodes) -> list[tuple[int, int]]:
    """Return the same as `steering_instructions`, without the C extension."""
    opcodes = code[: len(code) & ~1 : 2]
    found = []
    for match in _steering_pattern(ops).finditer(opcodes):
        unit = match.start()
        argument = code[2 * unit + 1]
        before, shift = unit - 1, 8
        while before >= 0 and shift <= 24 and opcodes[before] == ops.extended_arg:  # there are three at most
            argument |= code[2 * before + 1] << shift
            before, shift = before - 1, shift + 8
        found.append((unit, argument))
    return found


@lru_cache(maxsize=8)
def _steering_pattern(ops: Opcodes) -> re.Pattern[bytes]:
    numbers = bytes(sorted({*ops} - {ops.extended_arg, ops.not_taken}))
    return re.compile(b"[" + re.escape(numbers) + b"]")


def _jumps(steering: list[tuple[int, int]], opcodes: bytes, next_unit: list[int], ops: Opcodes) -> dict[int, int]:
    forward = {ops.jump_forward, ops.send}
    backward = {ops.jump_backward, ops.jump_backward_no_interrupt}
    targets = {}
    for unit, argument in steering:
        if opcodes[unit] in forward:
            targets[unit] = next_unit[unit] + argument
        elif opcodes[unit] in backward:
            targets[unit] = next_unit[unit] - argument
    if any(not 0 <= target < len(opcodes) for target in targets.values()):
        raise ValueError("a jump leaves the code")
    return targets


def _conditional_targets(
    steering: list[tuple[int, int]], opcodes: bytes, next_unit: list[int], ops: Opcodes
) -> list[int]:
    conditional = {
        ops.pop_jump_if_false,
        ops.pop_jump_if_true,
        ops.pop_jump_if_none,
        ops.pop_jump_if_not_none,
        ops.for_iter,
    }
    return [
        _after_end_marker(opcodes, next_unit[unit] + argument, ops)
        for unit, argument in steering
        if opcodes[unit] in conditional
    ]


def _after_end_marker(opcodes: bytes, unit: int, ops: Opcodes) -> int:
    """Return where FOR_ITER or SEND really leads: over the END_FOR or END_SEND that it points at."""
    if 0 <= unit < len(opcodes) and opcodes[unit] in (ops.end_for, ops.end_send):
        return unit + 1
    return unit


def _line_starts(opcodes: bytes, next_unit: list[int], lines: list[int], first_unit: int, ops: Opcodes) -> list[bool]:
    """Return the line starts as CPython's instrumentation marks them: where the line differs from the one before."""
    never = {ops.end_async_for, ops.end_for, ops.end_send, ops.resume, ops.pop_iter}
    starts = [False] * len(opcodes)
    current = -1
    unit = first_unit
    while unit < len(opcodes):
        if opcodes[unit] not in never:
            starts[unit] = lines[unit] != current and lines[unit] >= 0
            current = lines[unit]
        unit = next_unit[unit]
    return starts


def lines_of_units(line_table: bytes, first_line: int, n_units: int) -> list[int]:
    """Return the line of each code unit, -1 if it has none (the format is CPython's Objects/locations.md).

    Raises ValueError if the table is longer than the code.
    """
    lines = [-1] * n_units
    unit = 0
    line = first_line
    for entry in _LOCATIONS.finditer(line_table):
        at = entry.start()
        head = line_table[at]
        kind = head >> 3 & 15
        if kind in (13, 14):
            delta, _ = _read_signed(line_table, at + 1)
            line += delta
        elif 10 <= kind <= 12:
            line += kind - 10
        end = unit + (head & 7) + 1
        if end > n_units:
            raise ValueError("the line table is longer than the code")
        if kind != 15:
            lines[unit:end] = [line] * (end - unit)
        unit = end
    return lines


def _read_signed(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data):
            raise ValueError("the line table is cut short")
        byte = data[at]
        value |= (byte & 63) << shift
        shift += 6
        at += 1
        if not byte & 64:
            break
    return (-(value >> 1) if value & 1 else value >> 1), at


def read_exception_table(table: bytes) -> list[tuple[int, int, int]]:
    """Return (start, end, handler) of each entry. Raises ValueError if the table is cut short."""
    values: list[int] = []
    value = 0
    for byte in table:
        value = value << 6 | byte & 63
        if not byte & 64:
            values.append(value)
            value = 0
    if len(values) % 4:
        raise ValueError("the exception table is cut short")
    fields = zip(values[0::4], values[1::4], values[2::4], strict=True)
    return [(start, start + size, handler) for start, size, handler in fields]
