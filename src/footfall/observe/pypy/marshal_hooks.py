"""`marshal` on PyPy and code with probes, whose constants can't be marshalled.

What is written is code without probes, which any PyPy runs as the program intended. This process, and those forked from
it, get the code with probes when they read it back. Values that can be marshalled as they are cost nothing.
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

_CODE = type((lambda: 0).__code__)
_NOP, _STORE_SUBSCR, _LOAD_CONST, _EXTENDED_ARG = (
    traced_opcodes()[name] for name in ("nop", "store_subscr", "load_const", "extended_arg")
)


def hook_marshal(events_types: tuple[type, ...], comparable_type: type) -> None:
    """Wrap `marshal`, for code whose constants are of `events_types` (stored into) and `comparable_type`."""
    plain_dumps, plain_loads, plain_load = marshal.dumps, marshal.loads, marshal.load
    probes = _Probes(events_types, comparable_type)

    @hidden_applevel
    def dumps(value, version=marshal.version, /):  # type: ignore[no-untyped-def]
        try:
            return plain_dumps(value, version)
        except ValueError:
            copy: Any = _with_codes(value, probes.take_out)
            if copy is value:
                raise
        return plain_dumps(copy, version)

    @hidden_applevel
    def dump(value, file, version=marshal.version, /):  # type: ignore[no-untyped-def]
        return file.write(dumps(value, version))

    @hidden_applevel
    def loads(data, /):  # type: ignore[no-untyped-def]
        value = plain_loads(data)
        return _with_codes(value, probes.put_back) if probes.are_taken_out else value

    @hidden_applevel
    def load(file, /):  # type: ignore[no-untyped-def]
        value = plain_load(file)
        return _with_codes(value, probes.put_back) if probes.are_taken_out else value

    for look_alike in (dumps, dump, loads, load):
        name = look_alike.__name__
        _pose_as(look_alike, getattr(marshal, name))
        setattr(marshal, name, look_alike)


def _pose_as(function: "Any", original: "Callable[..., object]") -> None:
    function.__module__ = "marshal"
    function.__qualname__ = original.__qualname__
    function.__doc__ = original.__doc__


def _with_codes(value: "Any", change: "Callable[[CodeType], CodeType]", around: frozenset[int] = frozenset()) -> "Any":
    """Return a value that can be marshalled with its code objects changed; the value itself if it contains none."""
    kind = type(value)
    if kind is _CODE:
        return change(value)
    if kind not in (tuple, list, set, frozenset, dict) or id(value) in around:
        return value  # a container that contains itself can't be marshalled
    items = [*value, *value.values()] if kind is dict else list(value)
    inside = around | {id(value)}
    copies = [_with_codes(item, change, inside) for item in items]
    if all(copy is item for copy, item in zip(copies, items, strict=True)):
        return value
    if kind is dict:
        return dict(zip(copies[: len(value)], copies[len(value) :], strict=True))
    return kind(copies)


class _Probes:
    """Removes probes from code, and restores them in code that it removed them from."""

    def __init__(self, events_types: tuple[type, ...], comparable_type: type) -> None:
        self._events_types = events_types
        self._comparable_type = comparable_type
        # By file, since equal code may come from several files.
        self._originals: dict[tuple[str, CodeType], CodeType] = {}
        self._files: set[str] = set()

    @property
    def are_taken_out(self) -> bool:
        return bool(self._originals)

    def take_out(self, code: "CodeType") -> "CodeType":
        """Return code without probes; if it has none, the code itself."""
        constants = code.co_consts
        copies = tuple(self._taken_out_of(constant) for constant in constants)
        if all(copy is constant for copy, constant in zip(copies, constants, strict=True)):
            return code
        events = [at for at, constant in enumerate(constants) if type(constant) in self._events_types]
        bytecode = _without_stores(code.co_code, events[0]) if events else code.co_code
        copy = code.replace(co_consts=copies, co_code=bytecode)
        self._originals[code.co_filename, copy] = code
        self._files.add(code.co_filename)
        return copy

    def _taken_out_of(self, constant: object) -> object:
        if type(constant) is _CODE:
            return self.take_out(constant)
        return None if type(constant) in (*self._events_types, self._comparable_type) else constant

    def put_back(self, code: "CodeType") -> "CodeType":
        """Return the code that this is a copy of without probes, else the code itself."""
        if code.co_filename not in self._files:
            return code
        return self._originals.get((code.co_filename, code), code)


def _without_stores(bytecode: bytes, events: int) -> bytes:
    """Return bytecode that stores nothing into the constant number `events`.

    A store is three LOAD_CONST (the value, the constant, the probe's number) and STORE_SUBSCR.
    """
    changed = bytearray(bytecode)
    loads: list[tuple[int, int]] = []  # the last instructions, if they load constants: the offset of each, its argument
    argument = begin = 0
    for at in range(0, len(bytecode), 2):
        opcode = bytecode[at]
        argument = argument << 8 | bytecode[at + 1]
        if opcode == _EXTENDED_ARG:
            continue
        if opcode == _LOAD_CONST:
            loads.append((begin, argument))
        else:
            if opcode == _STORE_SUBSCR and len(loads) >= 3 and loads[-2][1] == events:
                start = loads[-3][0]
                changed[start : at + 2] = bytes((_NOP, 0)) * ((at + 2 - start) // 2)
            loads.clear()
        argument = 0
        begin = at + 2
    return bytes(changed)
