"""JSON that every reader accepts.

Names of files and functions may contain bytes that are not text, which Python keeps as lone surrogates. `json.dumps`
writes these as escapes that strict readers reject.
"""

from __future__ import annotations

import json
import re

__all__ = ["readable_text", "render_json"]

_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_ASCII = re.compile("[^\x00-\x7f]")


def render_json(value: object, *, indent: int | None = None, separators: tuple[str, str] | None = None) -> str:
    """Return a value as JSON in ASCII, with U+FFFD for each byte that is not text."""
    text = json.dumps(value, indent=indent, separators=separators)
    if "\\ud" not in text:
        return text
    readable = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False)
    return _NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], readable_text(readable))


def readable_text(text: str) -> str:
    """Return a text with U+FFFD for each byte that is not text, so that every encoder accepts it."""
    return _SURROGATE.sub("\ufffd", text)
