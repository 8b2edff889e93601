"""Protocol buffers' wire format, as far as our messages need it: https://protobuf.dev/programming-guides/encoding.

Written by hand: the protobuf package, installed beside a measured program, would pin that program's version of it.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["fixed64_field", "message_field", "number_field", "numbers_field", "varint"]


def varint(value: int) -> bytes:
    """Return a number of 64 bits, in two's complement."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number_field(field: int, value: int) -> bytes:
    """Return a field that is a number."""
    return varint(field << 3) + varint(value)


def fixed64_field(field: int, value: int) -> bytes:
    """Return a field that is a number of eight bytes."""
    return varint(field << 3 | 1) + value.to_bytes(8, "little")


def message_field(field: int, content: bytes) -> bytes:
    """Return a field that is a message, a text or bytes."""
    return varint(field << 3 | 2) + varint(len(content)) + content


def numbers_field(field: int, values: Iterable[int]) -> bytes:
    """Return a repeated field of numbers, packed."""
    return message_field(field, b"".join(map(varint, values)))
