"""The branches of a code object, computed from its bytecode: the same that `co_branches()` lists (CPython 3.14+).

The measured process does not list them itself: that would cost time there, and nothing is lost by doing it later.
"""

from __future__ import annotations

from functools import lru_cache

from footfall.analyze.bytecode.instructions import find_steering
from footfall.analyze.bytecode.opcodes import Opcodes
from footfall.record.run.extension import decode

__all__ = ["find_branches", "list_branches"]


@lru_cache(maxsize=4096)
def find_branches(code: bytes, ops: Opcodes) -> tuple[tuple[int, int, int], ...]:
    """Return (source, left, right) byte offsets in order of their source. O(len(code))."""
    return list_branches(code, ops) if decode is None else decode.find_branches(code, ops)


def list_branches(code: bytes, ops: Opcodes) -> tuple[tuple[int, int, int], ...]:
    """Return the same as `find_branches`, without the C extension."""
    conditional = {
        ops.pop_jump_if_false,
        ops.pop_jump_if_none,
        ops.pop_jump_if_not_none,
        ops.pop_jump_if_true,
    }
    found: list[tuple[int, int, int]] = []
    for unit, argument in find_steering(code, ops):
        opcode = code[2 * unit]
        if opcode in conditional or opcode == ops.for_iter:
            after = unit + 2  # one cache unit follows
            # left skips the NOT_TAKEN, right the END_FOR and POP_ITER
            left, right = (after, after + argument + 2) if opcode == ops.for_iter else (after + 1, after + argument)
            found.append((2 * unit, 2 * left, 2 * right))
        elif opcode == ops.end_async_for:
            # 3.14 and 3.15 count back from after the instruction and its cache, if it has one
            source = _async_source(code, unit, argument, ops)
            found.append((2 * source, 2 * (source + 2), 2 * (unit + 1)))
    return tuple(sorted(found))


def _async_source(code: bytes, unit: int, argument: int, ops: Opcodes) -> int:
    """Return the END_SEND (or the CLEANUP_THROW before it) at which an `async for` branches."""
    for behind in (0, 1):
        source = unit + behind - argument
        if 0 <= source < unit and code[2 * source] in (ops.end_send, ops.cleanup_throw):
            return source
    return max(unit - argument, 0)
