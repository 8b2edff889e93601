"""`marshal.dumps` and `marshal.dump` on PyPy of code with probes, whose constants can't be marshalled.

What is written is code without probes, which any PyPy runs as the program meant it; what a copy of it does is not
recorded, nor is it on CPython. Values that can be marshalled as they are never come here.
"""

import marshal

from __pypy__ import hidden_applevel  # type: ignore[import-not-found]

from footfall.own_builtins import keep_builtins
from footfall.pythons import traced_opcodes

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

__all__ = ["hook_marshal"]

_NOP, _STORE_SUBSCR, _LOAD_CONST, _EXTENDED_ARG = (
    traced_opcodes()[name] for name in ("nop", "store_subscr", "load_const", "extended_arg")
)


def hook_marshal(hits_types: tuple[type, ...], comparable_type: type) -> None:
    """Wrap what marshals, for code whose constants are of `hits_types` (stored into) and `comparable_type`."""
    plain_dumps, plain_dump = marshal.dumps, marshal.dump
    without_probes = _Copier(hits_types, comparable_type).copy

    @hidden_applevel
    def dumps(value, version=marshal.version, /):  # type: ignore[no-untyped-def]
        try:
            return plain_dumps(value, version)
        except ValueError:
            copy: Any = without_probes(value)
            if copy is value:
                raise
        return plain_dumps(copy, version)

    @hidden_applevel
    def dump(value, file, version=marshal.version, /):  # type: ignore[no-untyped-def]
        return file.write(dumps(value, version))

    _pose_as(dumps, plain_dumps)
    _pose_as(dump, plain_dump)
    marshal.dumps = dumps
    marshal.dump = dump


def _pose_as(function: "Any", original: "Callable[..., object]") -> None:
    function.__module__ = "marshal"
    function.__qualname__ = original.__qualname__
    function.__doc__ = original.__doc__


class _Copier:
    """Copies what can be marshalled, code in it without probes; what holds none stays the same object."""

    def __init__(self, hits_types: tuple[type, ...], comparable_type: type) -> None:
        self._hits_types = hits_types
        self._comparable_type = comparable_type

    def copy(self, value: object) -> object:
        return self._copy(value, set())

    def _copy(self, value: "Any", around: set[int]) -> "Any":
        kind = type(value)
        if kind is type(_Copier.copy.__code__):
            return self._copy_code(value, around)
        if kind not in (tuple, list, set, frozenset, dict) or id(value) in around:
            return value  # a container inside itself can't be marshalled
        around.add(id(value))
        items = [*value, *value.values()] if kind is dict else list(value)
        copies = [self._copy(item, around) for item in items]
        around.discard(id(value))
        if all(copy is item for copy, item in zip(copies, items, strict=True)):
            return value
        if kind is dict:
            return dict(zip(copies[: len(value)], copies[len(value) :], strict=True))
        return kind(copies)

    def _copy_code(self, code: "CodeType", around: set[int]) -> "CodeType":
        constants = code.co_consts
        copies = tuple(
            None if type(constant) in (*self._hits_types, self._comparable_type) else self._copy(constant, around)
            for constant in constants
        )
        if all(copy is constant for copy, constant in zip(copies, constants, strict=True)):
            return code
        hits = [at for at, constant in enumerate(constants) if type(constant) in self._hits_types]
        bytecode = _without_stores(code.co_code, hits[0]) if hits else code.co_code
        return code.replace(co_consts=copies, co_code=bytecode)


def _without_stores(bytecode: bytes, hits: int) -> bytes:
    """Return bytecode that stores nothing into the constant number `hits`.

    A store is LOAD_CONST three times (the value, the constant, the probe's number) and STORE_SUBSCR.
    """
    changed = bytearray(bytecode)
    loads: list[tuple[int, int]] = []  # the last instructions, if they load constants: where each begins, its argument
    argument = begin = 0
    for at in range(0, len(bytecode), 2):
        opcode = bytecode[at]
        argument = argument << 8 | bytecode[at + 1]
        if opcode == _EXTENDED_ARG:
            continue
        if opcode == _LOAD_CONST:
            loads.append((begin, argument))
        else:
            if opcode == _STORE_SUBSCR and len(loads) >= 3 and loads[-2][1] == hits:
                start = loads[-3][0]
                changed[start : at + 2] = bytes((_NOP, 0)) * ((at + 2 - start) // 2)
            loads.clear()
        argument = 0
        begin = at + 2
    return bytes(changed)
