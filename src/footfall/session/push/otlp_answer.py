"""The answer of a server of OTLP: it may have taken a request, and not all that is in it."""

from __future__ import annotations

from footfall.load.profiles.binary.messages import read_fields
from footfall.load.profiles.binary.varint import Damaged

__all__ = ["rejection"]


def rejection(body: bytes) -> str | None:
    """Return what an answer says of profiles that were rejected; None if none was, or if it is no such message."""
    try:
        partial = dict(read_fields(body)).get(1, b"")
        found = dict(read_fields(partial)) if isinstance(partial, bytes) else {}
    except Damaged:
        return None
    number, text = found.get(1, 0), found.get(2, b"")
    if not isinstance(number, int) or not number:
        return None
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else ""
    said = " ".join(said.split())[:300]
    return f"{number} of the profiles rejected" + (f" ({said})" if said and said.isprintable() else "")
