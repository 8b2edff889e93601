"""The subset of Python's marshal format that profiles use: dicts, tuples, numbers and texts.

`marshal.loads` creates code objects and is not safe for bytes from others. This reader creates plain values of bounded
number and depth. It reads versions 0 to 4; version 5 adds something only to other types.
"""

from __future__ import annotations

import struct
from typing import Final

__all__ = ["MarshalError", "Value", "load_marshal"]

Value = None | bool | int | float | str | bytes | tuple["Value", ...] | dict["Value", "Value"]
"""Dict keys are hashable values: numbers, texts and tuples of them."""

_MAX_DEPTH: Final = 20
_MAX_VALUES: Final = 20_000_000
_MAX_TUPLE: Final = 16
_MAX_DIGITS: Final = 30
_REF_FLAG: Final = 0x80
_SIMPLE: Final[dict[int, Value]] = {ord("N"): None, ord("T"): True, ord("F"): False}
_TEXTS_OF_LONG_SIZE: Final = {ord("u"): "utf-8", ord("t"): "utf-8", ord("a"): "latin-1", ord("A"): "latin-1"}
_TEXTS_OF_SHORT_SIZE: Final = {ord("z"): "latin-1", ord("Z"): "latin-1"}


class MarshalError(ValueError):
    """The bytes are damaged, cut off, or contain something that no profile has."""


class _End:
    """The marker that ends a dict."""


_END: Final = _End()


def load_marshal(content: bytes) -> Value:
    """Return the value. Raises MarshalError."""
    return _Loader(content).load(0)


class _Loader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0
        self._refs: list[Value | _End] = []
        self._n_values = 0

    def load(self, depth: int) -> Value:
        found = self._load(depth)
        if isinstance(found, _End):
            raise MarshalError("a dict ends that has not begun")
        return found

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if not 0 <= size or end > len(self._content):
            raise MarshalError("it ends early")
        found = self._content[self._at : end]
        self._at = end
        return found

    def _size(self) -> int:
        return int.from_bytes(self._take(4), "little", signed=True)

    def _load(self, depth: int) -> Value | _End:
        if depth > _MAX_DEPTH:
            raise MarshalError("it is nested too deeply")
        self._n_values += 1
        if self._n_values > _MAX_VALUES:
            raise MarshalError("it has too many values")
        code = self._take(1)[0]
        kind = code & ~_REF_FLAG
        if kind == ord("0"):
            return _END
        if kind == ord("r"):
            return self._referred(self._size())
        place = len(self._refs)
        if code & _REF_FLAG:
            self._refs.append(_END)  # its number comes before those of its contents
        found = self._value(kind, depth)
        if code & _REF_FLAG:
            self._refs[place] = found
        return found

    def _referred(self, number: int) -> Value:
        found = self._refs[number] if 0 <= number < len(self._refs) else _END
        if isinstance(found, _End):
            raise MarshalError("a reference leads nowhere")
        # values that contain others many times over would take forever to hash
        held = found if isinstance(found, tuple) else ()
        if isinstance(found, dict) or any(isinstance(each, (tuple, dict)) for each in held):
            raise MarshalError("a reference leads to what holds others")
        return found

    def _value(self, kind: int, depth: int) -> Value:
        if kind in _SIMPLE:
            return _SIMPLE[kind]
        if kind == ord("i"):
            return self._size()
        if kind == ord("l"):
            return self._long()
        if kind == ord("g"):
            return float(struct.unpack("<d", self._take(8))[0])
        if kind == ord("f"):
            return self._float_of_text()
        if kind == ord("s"):
            return self._take(self._size())
        if kind in _TEXTS_OF_LONG_SIZE:
            return self._take(self._size()).decode(_TEXTS_OF_LONG_SIZE[kind], "replace")
        if kind in _TEXTS_OF_SHORT_SIZE:
            return self._take(self._take(1)[0]).decode(_TEXTS_OF_SHORT_SIZE[kind])
        if kind == ord(")"):
            return self._tuple(self._take(1)[0], depth)
        if kind == ord("("):
            return self._tuple(self._size(), depth)
        if kind == ord("{"):
            return self._dict(depth)
        raise MarshalError(f"it holds a value of the kind {chr(kind)!r}, which no profile has")

    def _long(self) -> int:
        size = self._size()
        if abs(size) > _MAX_DIGITS:
            raise MarshalError("a number is too long")
        number = 0
        for at in range(abs(size)):
            number |= int.from_bytes(self._take(2), "little") << 15 * at
        return -number if size < 0 else number

    def _float_of_text(self) -> float:
        try:
            return float(self._take(self._take(1)[0]))
        except ValueError as error:
            raise MarshalError("a number is none") from error

    def _tuple(self, size: int, depth: int) -> tuple[Value, ...]:
        if not 0 <= size <= _MAX_TUPLE:
            raise MarshalError("a tuple is too long")
        return tuple([self.load(depth + 1) for _ in range(size)])

    def _dict(self, depth: int) -> dict[Value, Value]:
        found: dict[Value, Value] = {}
        while not isinstance(key := self._load(depth + 1), _End):
            value = self.load(depth + 1)
            try:
                found[key] = value
            except TypeError as error:
                raise MarshalError("a key can't be") from error
        return found
