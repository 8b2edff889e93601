"""The answer of a server of OTLP: it may have taken a request, and not all that is in it."""

from __future__ import annotations

__all__ = ["rejection"]

_NUMBER, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def rejection(body: bytes) -> str | None:
    """Return what an answer says of profiles that were rejected; None if none was, or if it is no such message."""
    try:
        partial = _fields(body).get(1, b"")
        found = _fields(partial) if isinstance(partial, bytes) else {}
    except (IndexError, ValueError):
        return None
    number, text = found.get(1, 0), found.get(2, b"")
    if not isinstance(number, int) or not number:
        return None
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else ""
    said = " ".join(said.split())[:300]
    return f"{number} of the profiles rejected" + (f" ({said})" if said and said.isprintable() else "")


def _fields(message: bytes) -> dict[int, int | bytes]:
    """Return the last value of each field. Raises IndexError or ValueError for what is no message."""
    found: dict[int, int | bytes] = {}
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _NUMBER:
            found[tag >> 3], at = _varint(message, at)
            continue
        size = {_FIXED64: 8, _FIXED32: 4}.get(kind, 0)
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif not size:
            raise ValueError("no kind of field")
        if at + size > len(message):
            raise ValueError("a field is cut")
        found[tag >> 3] = message[at : at + size]
        at += size
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number is too long")
