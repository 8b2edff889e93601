"""Leaving a `with`: control passes the `with` line again on its way out, and a report should not show that.

In `with a: (2) body; (4) next` the interpreter goes 1, 2, 1, 4. The arc 2 -> 1 must become 2 -> 4, and 1 -> 4 must be
removed. This applies to possible arcs and to recorded ones. Called by analysis.py; analysis phase.
"""

from collections.abc import Iterable, Mapping

from footfall.analyze.source.arcs import Flow

__all__ = ["WithExits", "apply_with_exits", "find_with_exits"]

Arc = tuple[int, int]
WithExits = Mapping[Arc, Arc | None]
"""What to replace an arc with; None means that it is left out."""


def find_with_exits(flow: Flow) -> dict[Arc, Arc | None]:
    """Return the replacements for all `with` statements that `flow` met."""
    following: dict[int, int] = {}
    if not flow.with_starts:
        return {}
    for start, end in flow.arcs - flow.with_entries:
        # A body without bytecode (only `global x`, say) seems to go from the line to itself.
        if start in flow.with_starts and start != end:
            # There is only one; if there were several, the least would at least not vary between runs.
            following[start] = min(end, following.get(start, end))
    replacements: dict[Arc, Arc | None] = {}
    for end, start in flow.with_ends:
        if start in following:
            replacements[end, start] = (end, _find_landing(flow, following, start))
    for start, after in following.items():
        # A body on the line of its `with` never jumps back to it, so there the outgoing arc is the real one.
        if (start, start) not in flow.with_ends:
            replacements[start, after] = None
    return replacements


def _find_landing(flow: Flow, following: Mapping[int, int], start: int) -> int:
    """Return where leaving the `with` on line `start` ends: an outer `with` that ends there too is left with it."""
    after = following[start]
    while (start, after) in flow.with_ends and after in following:
        start, after = after, following[after]
    return after


def apply_with_exits(replacements: WithExits, arcs: Iterable[Arc]) -> set[Arc]:
    """Return `arcs` with those that leave a `with` replaced or left out."""
    replaced = {replacements.get(arc, arc) for arc in arcs}
    replaced.discard(None)
    return replaced  # type: ignore[return-value]
