"""Which outcomes each conditional jump of a code object had, and its place in the source.

`resolve` calls it after the run, without the program's source; analysis.py uses it to find which operand of which
condition each jump tested.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from footfall.analyze.bytecode.instructions import steering_instructions
from footfall.analyze.bytecode.linetable import positions
from footfall.analyze.bytecode.opcodes import (
    CACHE,
    CONSTANT_TESTS_BY_VERSION,
    OPCODES_BY_VERSION,
    ConstantTest,
    Opcodes,
)
from footfall.model import EVENT_LEFT, EVENT_RIGHT
from footfall.pythons import version_of
from footfall.record.data.condition_tables import (
    IS_FALSE,
    IS_NONE,
    IS_NOT_NONE,
    IS_TRUE,
    BranchedCode,
    Conditions,
    Place,
    SourcePosition,
    places_of_text,
    text_of_places,
)
from footfall.record.run.extension import decode
from footfall.record.run.record_file import RecordedCode

__all__ = ["OutcomeCollector", "find_condition_jumps", "find_outcomes", "find_places"]


class OutcomeCollector:
    """Collects the outcomes of a run's code objects by file. The same code in many contexts is kept once."""

    def __init__(self) -> None:
        self._found: dict[str, dict[tuple[str, int, bytes], BranchedCode]] = {}

    def add(self, code: RecordedCode, contexts: Iterable[str]) -> None:
        """Add the outcomes of one code object, for each of the contexts."""
        places, outcomes = find_outcomes(code)
        if places:
            key = (code.qualname, code.first_line, places)
            found = self._found.setdefault(code.path, {}).setdefault(key, BranchedCode(*key))
            for context in contexts:
                found.add(context, outcomes)

    def conditions(self) -> Conditions:
        """Return everything that was added."""
        return {path: list(codes.values()) for path, codes in self._found.items()}


def find_outcomes(code: RecordedCode) -> tuple[bytes, bytes]:
    """Return the conditional jumps in order, as text, and for each one byte of IS_... flags: the outcomes it had.

    Both are empty if the interpreter records no branches (before CPython 3.14). O(len(code.code)).
    """
    version = version_of(code.version)
    if version not in OPCODES_BY_VERSION:
        return b"", b""
    places, jumps = _find_jumps(code.code, code.line_table, code.first_line, version)
    events, meaning = code.events, _meanings(version)
    flags = bytearray()
    for unit, opcode in jumps:
        if unit + 2 < len(events):
            fell_through, jumped = meaning[opcode]
            # While INSTRUCTION events are on, LEFT is recorded at the NOT_TAKEN, after the jump and its one cache.
            left = fell_through if (events[unit] | events[unit + 2]) & EVENT_LEFT else 0
            flags.append(left | (jumped if events[unit] & EVENT_RIGHT else 0))
    return places, bytes(flags)


def find_places(code: bytes, line_table: bytes, first_line: int, version: tuple[int, int]) -> tuple[Place, ...]:
    """Return the conditional jumps of a code object in order, without those of `with` exits and constants."""
    return places_of_text(_find_jumps(code, line_table, first_line, version)[0])


@lru_cache(maxsize=4)
def _meanings(version: tuple[int, int]) -> dict[int, tuple[int, int]]:
    """Return by opcode the flag of a jump that fell through, and that of one that jumped."""
    ops = OPCODES_BY_VERSION[version]
    return {
        ops.pop_jump_if_false: (IS_TRUE, IS_FALSE),
        ops.pop_jump_if_true: (IS_FALSE, IS_TRUE),
        ops.pop_jump_if_none: (IS_NOT_NONE, IS_NONE),
        ops.pop_jump_if_not_none: (IS_NONE, IS_NOT_NONE),
    }


@lru_cache(maxsize=4096)  # with contexts, one code object comes back once for each test that ran it
def _find_jumps(
    code: bytes, line_table: bytes, first_line: int, version: tuple[int, int]
) -> tuple[bytes, list[tuple[int, int]]]:
    """Return the places as text, and (unit, opcode) of each jump."""
    if decode is None:
        return find_condition_jumps(code, line_table, first_line, version)
    return decode.condition_jumps(
        code, line_table, first_line, OPCODES_BY_VERSION[version], CONSTANT_TESTS_BY_VERSION[version]
    )


def find_condition_jumps(
    code: bytes, line_table: bytes, first_line: int, version: tuple[int, int]
) -> tuple[bytes, list[tuple[int, int]]]:
    """Return the same as `_find_jumps`, without the C extension."""
    ops = OPCODES_BY_VERSION[version]
    meaning = _meanings(version)
    opcodes = code[::2]
    steering = steering_instructions(code, ops)
    found = [(unit, opcodes[unit]) for unit, _ in steering if opcodes[unit] in meaning]
    if not found:
        return b"", []
    targets = _targets(opcodes, steering, ops)
    where = positions(line_table, first_line)
    jumps, places = [], []
    for jump in found:
        unit = jump[0]
        tester = _unit_before(opcodes, unit, ops)
        # the jump of a `with` exit has the place of the context manager; a RERAISE with 2 follows only there
        is_exit = code[2 * unit + 6 : 2 * unit + 8] == bytes([ops.reraise, 2])
        if not is_exit and not _tests_constant(opcodes, tester, targets, ops, CONSTANT_TESTS_BY_VERSION[version]):
            jumps.append(jump)
            places.append(Place(_position(where, tester), _position(where, unit)))
    return text_of_places(places), jumps


def _targets(opcodes: bytes, steering: list[tuple[int, int]], ops: Opcodes) -> set[int]:
    """Return where forward jumps lead."""
    forward = {
        ops.jump_forward,
        ops.pop_jump_if_false,
        ops.pop_jump_if_true,
        ops.pop_jump_if_none,
        ops.pop_jump_if_not_none,
    }
    # one cache unit follows each conditional jump; unconditional ones have none
    return {
        unit + argument + (1 if opcodes[unit] == ops.jump_forward else 2)
        for unit, argument in steering
        if opcodes[unit] in forward
    }


def _unit_before(opcodes: bytes, unit: int, ops: Opcodes) -> int:
    unit -= 1
    while unit > 0 and opcodes[unit] in (CACHE, ops.extended_arg):
        unit -= 1
    return max(unit, 0)


def _tests_constant(opcodes: bytes, tester: int, targets: set[int], ops: Opcodes, test: ConstantTest) -> bool:
    """Return whether a jump tests only a constant loaded right before it: the compiler leaves some such tests."""
    if opcodes[tester] == test.to_bool:
        copy = _unit_before(opcodes, tester, ops)
        if opcodes[copy] == test.copy and copy not in targets:
            loads = (test.load_common_constant, test.load_const, test.load_small_int)
            return opcodes[_unit_before(opcodes, copy, ops)] in loads
    return False


def _position(where: list[tuple[int | None, int | None, int | None, int | None]], unit: int) -> SourcePosition:
    if unit >= len(where):
        return SourcePosition(0, 0, 0, 0)
    line, end_line, column, end_column = where[unit]
    if line is None or end_line is None or column is None or end_column is None:
        return SourcePosition(0, 0, 0, 0)
    return SourcePosition(line, column, end_line, end_column)
