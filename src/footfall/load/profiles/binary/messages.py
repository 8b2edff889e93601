"""The fields of messages in protocol buffers' wire format (protobuf.dev, Encoding), without their schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from footfall.load.profiles.binary.varint import Damaged, read_varint

__all__ = ["BYTES", "VARINT", "read_fields", "read_number"]

VARINT, BYTES = 0, 2
"""Kinds of a field, besides those of a fixed length."""
_FIXED_BYTES: Final = {1: 8, 5: 4}


def read_number(content: bytes, at: int) -> tuple[int, int]:
    """Return the 64-bit number at a place, and where it ends. Raises Damaged."""
    number, end = read_varint(content, at)
    return number & ((1 << 64) - 1), end


def read_fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a message: numbers, or bytes. Raises Damaged."""
    at = 0
    while at < len(content):
        key, at = read_number(content, at)
        wire = key & 7
        if wire == VARINT:
            value, at = read_number(content, at)
            yield key >> 3, value
            continue
        if wire == BYTES:
            size, at = read_number(content, at)
        elif wire in _FIXED_BYTES:
            size = _FIXED_BYTES[wire]
        else:
            raise Damaged(f"there is no field of the kind {wire}")
        if at + size > len(content):
            raise Damaged("a field is cut off")
        yield key >> 3, content[at : at + size]
        at += size
