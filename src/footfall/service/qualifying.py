"""The `warnings` of an answer: what qualifies its numbers."""

from __future__ import annotations

from collections.abc import Iterable

from footfall.record.data.qualifications import Message
from footfall.report.coverage.json import Json

__all__ = ["warnings_entry"]


def warnings_entry(messages: Iterable[Message]) -> list[Json]:
    """Return messages as answers have them, each once."""
    return [{"slug": slug, "text": text} for slug, text in dict.fromkeys(messages)]
