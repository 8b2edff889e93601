"""Words of reports that depend on numbers."""

from __future__ import annotations

__all__ = ["plural"]


def plural(count: int, noun: str, nouns: str = "") -> str:
    """Return the number with its noun; `nouns` is the plural if it is not formed with an s."""
    return f"{count} {noun if count == 1 else nouns or noun + 's'}"
