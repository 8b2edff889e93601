"""The JSON of a profile: parsed whole, and its numbers checked."""

from __future__ import annotations

import json
import math
from typing import Any

from footfall.errors import FootfallError
from footfall.load.profiles.stack_tree import MAX_NUMBER

__all__ = ["Json", "integer", "list_of", "nanoseconds", "parse_json", "text_of"]

Json = Any
"""What a file of somebody else's holds; each use checks what it takes."""


def parse_json(name: str, content: bytes) -> Json:
    """Return what the text says. Raises FootfallError (`profile-damaged`)."""
    try:
        return json.loads(content)
    except RecursionError as error:
        raise _damaged(name, "it is nested too deeply") from error
    except ValueError as error:  # what is no JSON, no UTF-8, or has numbers of thousands of digits
        raise _damaged(name, str(error)) from error


def _damaged(name: str, why: str) -> FootfallError:
    return FootfallError(
        "profile-damaged", f"{name} is not complete JSON: {why}.", "Record it again, or get a copy that is complete."
    )


def list_of(value: Json) -> list[Json]:
    """Return a list, empty for anything else."""
    return value if isinstance(value, list) else []


def text_of(value: Json) -> str:
    """Return a text as UTF-8 can have it, "" for anything else."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""


def integer(value: Json, default: int = 0) -> int:
    """Return a whole number that may be written as `1.0`, the default for anything else or below 0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value < 1 << 64 else default


def nanoseconds(value: Json, unit_ns: float) -> int | None:
    """Return a time in nanoseconds, rounded; None for what is no time. It may be below 0."""
    if type(value) not in (int, float) or not math.isfinite(value):
        return None
    if abs(value) * unit_ns >= MAX_NUMBER:
        return None
    return value * int(unit_ns) if type(value) is int and unit_ns >= 1 else round(value * unit_ns)
