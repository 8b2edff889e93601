"""Variable-length numbers (LEB128), as protocol buffers and CPython's `profiling.sampling` write them."""

from __future__ import annotations

from typing import Final

__all__ = ["Damaged", "read_varint"]

_MAX_BYTES: Final = 10


class Damaged(ValueError):
    """The bytes are not in the format, or end early."""


def read_varint(content: bytes, at: int) -> tuple[int, int]:
    """Return the number at a place, up to 70 bits, and where it ends. Raises Damaged."""
    number = shift = 0
    for end in range(at, min(at + _MAX_BYTES, len(content))):
        byte = content[end]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, end + 1
        shift += 7
    raise Damaged("a number does not end")
