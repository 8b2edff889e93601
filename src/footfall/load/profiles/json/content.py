"""The JSON of a profile: parsed as a whole, with its numbers checked."""

from __future__ import annotations

import json
import math
from typing import Any

from footfall.errors import FootfallError
from footfall.load.profiles.stack_tree import MAX_NUMBER

__all__ = ["Json", "integer", "list_of", "nanoseconds", "parse_json", "text_of"]

Json = Any
"""The contents of a file from others; each use checks what it takes."""


def parse_json(name: str, content: bytes) -> Json:
    """Return the parsed content. Raises FootfallError (`profile-damaged`)."""
    try:
        return json.loads(content)
    except RecursionError as error:
        raise _damaged(name, "it is nested too deeply") from error
    except ValueError as error:  # not JSON, not UTF-8, or numbers with thousands of digits
        raise _damaged(name, str(error)) from error


def _damaged(name: str, why: str) -> FootfallError:
    return FootfallError(
        "profile-damaged", f"{name} is not complete JSON: {why}.", "Record it again, or get a copy that is complete."
    )


def list_of(value: Json) -> list[Json]:
    """Return a list; an empty one for any other value."""
    return value if isinstance(value, list) else []


def text_of(value: Json) -> str:
    """Return a text that UTF-8 can encode; "" for any other value."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""


def integer(value: Json, default: int = 0) -> int:
    """Return a whole number, which may be written as `1.0`; the default for any other value or one below 0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value < 1 << 64 else default


def nanoseconds(value: Json, unit_ns: float) -> int | None:
    """Return a time in nanoseconds, rounded; None if the value is not a time. It may be below 0."""
    if type(value) not in (int, float) or not math.isfinite(value):
        return None
    if abs(value) * unit_ns >= MAX_NUMBER:
        return None
    return value * int(unit_ns) if type(value) is int and unit_ns >= 1 else round(value * unit_ns)
