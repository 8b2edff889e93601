"""The events of one context in one code object or module: the places that have events, and the flags of each.

Entries of record files store them like this (docs/formats.md); a full field of events has a byte for each place.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

__all__ = ["ContextEvents", "gather_events", "join_places", "spread_events", "take_events"]


class ContextEvents(NamedTuple):
    """The events of one code object or module during a context that has ended."""

    number: int
    """Its number in `Record.codes` or `Record.modules`."""
    context: str
    places: bytes
    """n code units or probes as u32, then n bytes of flags: `spread_events` reads it."""


_HEAD = struct.Struct("<IIII")


def take_events(payload: memoryview) -> tuple[int, int, bytes]:
    """Return (number, context id, places) of an entry. A run with contexts has one for each test and function.

    Raises ValueError if it is too short.
    """
    if len(payload) < _HEAD.size:
        raise ValueError("an entry is shorter than its fields")
    number, context_id, count, _ = _HEAD.unpack_from(payload)
    places = bytes(payload[_HEAD.size : _HEAD.size + 5 * count])
    if len(places) != 5 * count:
        raise ValueError("an entry is shorter than its fields")
    return number, context_id, places


def spread_events(places: bytes, n: int) -> bytes:
    """Return `n` bytes with the flags of `ContextEvents.places`. Raises ValueError for a place that does not exist."""
    count = len(places) // 5
    events = bytearray(n)
    for place, flags in zip(struct.unpack(f"<{count}I", places[: 4 * count]), places[4 * count :], strict=True):
        if place >= n:
            raise ValueError(f"an event at {place} of {n}")
        events[place] = flags
    return bytes(events)


def join_places(found: list[bytes]) -> bytes:
    """Return one `ContextEvents.places` that combines the events of several."""
    flags: dict[int, int] = {}
    for places in found:
        count = len(places) // 5
        for place, flag in zip(struct.unpack(f"<{count}I", places[: 4 * count]), places[4 * count :], strict=True):
            flags[place] = flags.get(place, 0) | flag
    ordered = sorted(flags)
    return struct.pack(f"<{len(ordered)}I", *ordered) + bytes(flags[place] for place in ordered)


def gather_events(events: bytes) -> bytes:
    """Return `ContextEvents.places` from one byte for each place."""
    flags = events.replace(b"\0", b"")
    if not flags:
        return b""
    places = [place for place, each in enumerate(events) if each]
    return struct.pack(f"<{len(places)}I", *places) + flags
