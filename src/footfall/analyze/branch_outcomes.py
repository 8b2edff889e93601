"""Which outcomes each conditional jump of a code object had, with its places in the source.

`resolve` calls it after the run, without the program's source; `conditions` finds there which operand of which
condition each jump tested.
"""

from __future__ import annotations

from functools import lru_cache

from footfall.analyze.instructions import steering_instructions
from footfall.analyze.linetable import positions
from footfall.analyze.opcodes import CACHE, OPCODES_BY_VERSION, Opcodes
from footfall.model import HIT_LEFT, HIT_RIGHT
from footfall.record.conditionsdb import IS_FALSE, IS_NONE, IS_NOT_NONE, IS_TRUE, BranchedCode, Conditions, Place, SourcePosition
from footfall.record.recordfile import RecordedCode

__all__ = ["OutcomeCollector", "find_outcomes", "find_places"]


class OutcomeCollector:
    """Gathers the outcomes of a run's code objects by file. The same code in many contexts is kept once."""

    def __init__(self) -> None:
        self._found: dict[str, dict[tuple[str, int, tuple[Place, ...]], BranchedCode]] = {}

    def add(self, code: RecordedCode, context: str) -> None:
        """Add what one code object saw in one context."""
        places, outcomes = find_outcomes(code)
        if places:
            key = (code.qualname, code.first_line, places)
            self._found.setdefault(code.path, {}).setdefault(key, BranchedCode(*key)).add(context, outcomes)

    def conditions(self) -> Conditions:
        """Return all that was added."""
        return {path: list(codes.values()) for path, codes in self._found.items()}


def find_outcomes(code: RecordedCode) -> tuple[tuple[Place, ...], bytes]:
    """Return the conditional jumps in order, and one byte of IS_... flags for each: what it saw.

    Both are empty where the interpreter records no branches (before CPython 3.14). O(len(code.code)).
    """
    ops = OPCODES_BY_VERSION.get((code.version >> 24, code.version >> 16 & 255))
    if ops is None:
        return (), b""
    places, jumps = _find_jumps(code.code, code.line_table, code.first_line, ops)
    hits = code.hits
    return places, bytes(
        (left if hits[unit] & HIT_LEFT else 0) | (right if hits[unit] & HIT_RIGHT else 0)
        for unit, left, right in jumps
        if unit < len(hits)
    )


def find_places(code: bytes, line_table: bytes, first_line: int, ops: Opcodes) -> tuple[Place, ...]:
    """Return the conditional jumps of a code object in their order."""
    return _find_jumps(code, line_table, first_line, ops)[0]


@lru_cache(maxsize=4096)  # with contexts, one code object comes back once for each test that ran it
def _find_jumps(
    code: bytes, line_table: bytes, first_line: int, ops: Opcodes
) -> tuple[tuple[Place, ...], tuple[tuple[int, int, int], ...]]:
    """Places, and for each (unit, flag when it fell through, flag when it jumped)."""
    meaning = {
        ops.pop_jump_if_false: (IS_TRUE, IS_FALSE),
        ops.pop_jump_if_true: (IS_FALSE, IS_TRUE),
        ops.pop_jump_if_none: (IS_NOT_NONE, IS_NONE),
        ops.pop_jump_if_not_none: (IS_NONE, IS_NOT_NONE),
    }
    found = [(unit, *meaning[code[2 * unit]]) for unit, _ in steering_instructions(code, ops) if code[2 * unit] in meaning]
    # what follows the jump of a `with` exit when the exception goes on; its place is the context manager's
    jumps = tuple(jump for jump in found if code[2 * (jump[0] + 3) : 2 * (jump[0] + 3) + 1] != bytes([ops.reraise]))
    if not jumps:
        return (), ()
    where = positions(line_table, first_line)
    places = []
    for unit, _, _ in jumps:
        tester = unit - 1
        while tester > 0 and code[2 * tester] in (CACHE, ops.extended_arg):
            tester -= 1
        places.append(Place(_position(where, tester), _position(where, unit)))
    return tuple(places), jumps


def _position(where: list[tuple[int | None, int | None, int | None, int | None]], unit: int) -> SourcePosition:
    if unit >= len(where):
        return SourcePosition(0, 0, 0, 0)
    line, end_line, column, end_column = where[unit]
    if line is None or end_line is None or column is None or end_column is None:
        return SourcePosition(0, 0, 0, 0)
    return SourcePosition(line, column, end_line, end_column)
