"""Which tests together run every line that all of them run: few, if not always the fewest. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

__all__ = ["Ran", "choose_tests"]

Ran = Mapping[str, int]
"""By file, the set of lines that ran, as a number's bits."""


def choose_tests(ran: Mapping[str, Ran], elsewhere: Ran) -> list[tuple[str, int]]:
    """Return tests with the number of lines that each adds to those before it, most first; by name among equals.

    Lines in `elsewhere` need no test. Each step takes the test that adds most: to find the smallest set of all would
    take exponential time.
    """
    covered = dict(elsewhere)

    def adds(name: str) -> int:
        return sum((bits & ~covered.get(file, 0)).bit_count() for file, bits in ran[name].items())

    # what a test adds only shrinks, so a former count is a limit: a test is counted again only when it is at the top
    waiting = [(-adds(name), name) for name in ran]
    heapq.heapify(waiting)
    chosen = []
    while waiting and waiting[0][0]:
        former, name = heapq.heappop(waiting)
        now = adds(name)
        if now < -former:
            heapq.heappush(waiting, (-now, name))
            continue
        chosen.append((name, now))
        for file, bits in ran[name].items():
            covered[file] = covered.get(file, 0) | bits
    return chosen
