"""Opcode numbers of the instructions that affect control flow, per CPython version.

They are data (python_tables.py), so that any interpreter can resolve what another one recorded. Versions that do not
record branches as events have no rows.
"""

from __future__ import annotations

from typing import NamedTuple

from footfall.python_tables import CONSTANT_TEST_OPCODES, STEERING_OPCODES

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
    not_taken: int  # after branches; does not affect control flow
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


OPCODES_BY_VERSION = {version: Opcodes(**numbers) for version, numbers in STEERING_OPCODES.items()}


class ConstantTest(NamedTuple):
    """The instructions that test a constant and keep its value: a load, COPY and TO_BOOL."""

    load_common_constant: int
    load_const: int
    load_small_int: int
    copy: int
    to_bool: int


CONSTANT_TESTS_BY_VERSION = {version: ConstantTest(**numbers) for version, numbers in CONSTANT_TEST_OPCODES.items()}
