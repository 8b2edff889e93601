"""Which sample the CPU time of a thread belongs to: one that saw the thread run.

A sample has the CPU time since the one before. If the thread sleeps when it is sampled, it has spent that time
elsewhere, before it fell asleep: a loop that computes for a millisecond and then waits for two would have half of its
CPU time in the wait. So that time is kept for the thread's next sample that sees it run: such samples fall on each line
in proportion to the CPU time that it takes. Used by `calltree.py`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["CpuTimes"]

_Place = TypeVar("_Place")


@dataclass(slots=True)
class _Kept(Generic[_Place]):
    """What a thread has spent in its present context before samples in which it slept, by their places."""

    context: str
    by_place: dict[_Place, int] = field(default_factory=dict)
    ran_at: _Place | None = None
    """Where the thread was last seen running in this context."""


class CpuTimes(Generic[_Place]):
    """The CPU times of threads' samples, in the order in which these were taken.

    A place is what a sample counts for.
    """

    def __init__(self) -> None:
        self._kept: dict[int, _Kept[_Place]] = {}

    def spent(self, thread: int, context: str, place: _Place, cpu_ns: int, *, is_asleep: bool) -> int:
        """Return the CPU time that a sample counts for. Call `left` before that."""
        kept = self._kept.get(thread)
        if kept is None:
            kept = self._kept[thread] = _Kept(context)
        if is_asleep:
            if cpu_ns:
                kept.by_place[place] = kept.by_place.get(place, 0) + cpu_ns
            return 0
        kept.ran_at = place
        if kept.by_place:
            cpu_ns += sum(kept.by_place.values())
            kept.by_place.clear()
        return cpu_ns

    def left(self, thread: int, context: str | None) -> Iterator[tuple[_Place, int]]:
        """Yield places and times of what is still kept for a thread, if its context is a new one (None: it has ended).

        No sample of the context will see the thread run: the last one that did gets the time, or those that slept.
        """
        kept = self._kept.get(thread)
        if kept is None or kept.context == context:
            return
        del self._kept[thread]
        for place, cpu_ns in kept.by_place.items():
            yield (place if kept.ran_at is None else kept.ran_at), cpu_ns

    def threads(self) -> list[int]:
        """Return the threads that have had samples."""
        return list(self._kept)
