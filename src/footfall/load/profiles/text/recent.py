"""Numbers of texts that were seen lately: in profiles as text, the same frames and stacks recur all the time.

What is forgotten is only parsed again.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Final, Generic, TypeVar

__all__ = ["RecentFrames", "RecentStacks"]

_MAX_FRAMES: Final = 1 << 16
_MAX_STACKS: Final = 1 << 17
"""20 MB, whatever the length of the stacks."""
_SHORT: Final = 64

_Text = TypeVar("_Text", str, bytes)
_Found = TypeVar("_Found")


class RecentFrames(Generic[_Text]):
    """The numbers of frames, by their texts."""

    def __init__(self) -> None:
        self._numbers: dict[_Text, int] = {}
        self.get: Callable[[_Text], int | None] = self._numbers.get
        """Return a frame's number, if it is still there."""

    def put(self, text: _Text, number: int) -> None:
        """Store a frame's number; if there is no room, forget all others."""
        if len(self._numbers) >= _MAX_FRAMES:
            self._numbers.clear()
        self._numbers[text] = number


class RecentStacks(Generic[_Found]):
    """What was found for the texts of stacks. A long text is represented by a digest, which takes less memory."""

    def __init__(self) -> None:
        self._found: dict[bytes, _Found] = {}

    @staticmethod
    def key(text: bytes) -> bytes:
        """Return what stands for a text."""
        return text if len(text) <= _SHORT else blake2b(text, digest_size=16).digest()

    def get(self, key: bytes) -> _Found | None:
        """Return what was stored, if it is still there."""
        return self._found.get(key)

    def put(self, key: bytes, found: _Found) -> None:
        """Store it; if there is no room, forget all others."""
        if len(self._found) >= _MAX_STACKS:
            self._found.clear()
        self._found[key] = found
