"""Numbers of the instructions that steer control, per CPython version.

They are data, so that any interpreter can resolve what another one recorded. The rows are written by
tools/gen_opcodes.py; a test compares the row of the interpreter that runs it. There are no rows before
3.14, where branches are not recorded as events.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CACHE", "CONSTANT_TESTS_BY_VERSION", "OPCODES_BY_VERSION", "ConstantTest", "Opcodes"]

CACHE = 0
"""The number that fills inline caches in co_code, in every version."""


class Opcodes(NamedTuple):
    """The opcode numbers of one version; each field is the instruction's name in lower case."""

    cleanup_throw: int
    end_async_for: int
    end_for: int
    end_send: int
    extended_arg: int
    for_iter: int
    jump_backward: int
    jump_backward_no_interrupt: int
    jump_forward: int
    not_taken: int  # behind branches; steers nothing
    pop_iter: int
    pop_jump_if_false: int
    pop_jump_if_none: int
    pop_jump_if_not_none: int
    pop_jump_if_true: int
    raise_varargs: int
    reraise: int
    resume: int
    return_value: int
    send: int
    yield_value: int


OPCODES_BY_VERSION: dict[tuple[int, int], Opcodes] = {
    (3, 14): Opcodes(
        cleanup_throw=7,
        end_async_for=68,
        end_for=9,
        end_send=10,
        extended_arg=69,
        for_iter=70,
        jump_backward=75,
        jump_backward_no_interrupt=76,
        jump_forward=77,
        not_taken=28,
        pop_iter=30,
        pop_jump_if_false=100,
        pop_jump_if_none=101,
        pop_jump_if_not_none=102,
        pop_jump_if_true=103,
        raise_varargs=104,
        reraise=105,
        resume=128,
        return_value=35,
        send=106,
        yield_value=120,
    ),
    (3, 15): Opcodes(
        cleanup_throw=7,
        end_async_for=66,
        end_for=9,
        end_send=10,
        extended_arg=67,
        for_iter=68,
        jump_backward=74,
        jump_backward_no_interrupt=75,
        jump_forward=76,
        not_taken=26,
        pop_iter=28,
        pop_jump_if_false=99,
        pop_jump_if_none=100,
        pop_jump_if_not_none=101,
        pop_jump_if_true=102,
        raise_varargs=103,
        reraise=104,
        resume=128,
        return_value=33,
        send=105,
        yield_value=119,
    ),
}


class ConstantTest(NamedTuple):
    """The instructions of a test of a constant whose value is kept: a load, COPY and TO_BOOL."""

    load_common_constant: int
    load_const: int
    load_small_int: int
    copy: int
    to_bool: int


CONSTANT_TESTS_BY_VERSION: dict[tuple[int, int], ConstantTest] = {
    (3, 14): ConstantTest(load_common_constant=81, load_const=82, load_small_int=94, copy=59, to_bool=39),
    (3, 15): ConstantTest(load_common_constant=80, load_const=81, load_small_int=93, copy=57, to_bool=37),
}
