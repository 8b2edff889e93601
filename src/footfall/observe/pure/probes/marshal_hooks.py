"""`marshal` without the C core and code with probes, whose constants can't be marshalled.

What is written is code without probes, which any such interpreter runs as the program intended. This process, and those
forked from it, get the code with probes when they read it back. Values that can be marshalled as they are cost nothing.
"""

import marshal

from footfall.observe.pure.hidden import hidden_applevel
from footfall.observe.pure.probes.bytecode import Opcodes, runs_of_constants
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

__all__ = ["hook_marshal"]

_CODE = type((lambda: 0).__code__)
_CACHE = 0
"""Follows instructions on CPython; never the number of one that is executed."""


def hook_marshal(events_types: tuple[type, ...], comparable_type: type, number_type: type | None = None) -> None:
    """Wrap `marshal`, for code whose constants are of `events_types` (stored into) and `comparable_type`.

    Numbers of probes may have a type of their own. Values of at least one of the types can't be marshalled.
    """
    plain_dumps, plain_loads, plain_load = marshal.dumps, marshal.loads, marshal.load
    probes = _Probes(events_types, comparable_type, number_type)

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

    def __init__(self, events_types: tuple[type, ...], comparable_type: type, number_type: type | None) -> None:
        self._events_types = events_types
        self._comparable_type = comparable_type
        self._number_type = number_type
        self._opcodes: Opcodes | None = None
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
        if self._opcodes is None:
            self._opcodes = Opcodes()
        events = [at for at, constant in enumerate(constants) if type(constant) in self._events_types]
        bytecode = _without_stores(code.co_code, events[0], self._opcodes) if events else code.co_code
        copy = code.replace(co_consts=copies, co_code=bytecode)
        self._originals[code.co_filename, copy] = code
        self._files.add(code.co_filename)
        return copy

    def _taken_out_of(self, constant: object) -> object:
        if type(constant) is _CODE:
            return self.take_out(constant)
        kind = type(constant)
        if kind is self._number_type or (kind is tuple and constant and type(constant[0]) is self._number_type):  # type: ignore[index]
            return -1
        return None if kind in (*self._events_types, self._comparable_type) else constant

    def put_back(self, code: "CodeType") -> "CodeType":
        """Return the code that this is a copy of without probes, else the code itself."""
        if code.co_filename not in self._files:
            return code
        return self._originals.get((code.co_filename, code), code)


def _without_stores(bytecode: bytes, events: int, opcodes: Opcodes) -> bytes:
    """Return bytecode that stores nothing into the constant number `events`.

    A store is three LOAD_CONST (the value, the constant, the probe's number) and STORE_SUBSCR.
    """
    changed = bytearray(bytecode)
    for loads, follows, at in runs_of_constants(bytecode, opcodes):
        if follows == opcodes.store and len(loads) >= 3 and loads[-2][1] == events:
            start, end = loads[-3][0], at + 2
            while end < len(bytecode) and bytecode[end] == _CACHE:
                end += 2
            changed[start:end] = bytes((opcodes.nop, 0)) * ((end - start) // 2)
    return bytes(changed)
