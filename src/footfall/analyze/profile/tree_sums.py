"""Sums over a call tree by any key of its frames, each call counted once however deep the recursion. O(nodes).

A tree may have hundreds of thousands of nodes and a report sums it several times, so costs are single numbers here: all
parts of a cost are side by side in one long integer, so that one addition sums them. Used by
analyze/profile/calltree.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ["N_PARTS", "TreeSums", "pack_cost", "unpack_cost"]

N_PARTS: Final = 6
"""Of a cost: the fields of calltree.py: Cost, in their order."""

_BITS: Final = 96  # for each number: room for the sum of 2**32 numbers that fill SQLite's 63 bits
_MASK: Final = (1 << _BITS) - 1


def pack_cost(*parts: int) -> int:
    """Return one number for N_PARTS numbers that are 0 or more; adding such numbers adds each of their parts."""
    packed = 0
    for part in reversed(parts):
        packed = packed << _BITS | part
    return packed


def unpack_cost(packed: int) -> list[int]:
    """Return the N_PARTS numbers."""
    return [packed >> at * _BITS & _MASK for at in range(N_PARTS)]


class TreeSums:
    """A tree with its nodes' self costs, packed and ready to be summed. Parents come first; node 0 is the root."""

    def __init__(self, parents: Sequence[int], own: list[int]) -> None:
        self._own = own
        n_nodes = len(parents)
        self._sizes = sizes = [1] * n_nodes
        self._totals = totals = own[:]
        for node in range(n_nodes - 1, 0, -1):
            parent = parents[node]
            sizes[parent] += sizes[node]
            totals[parent] += totals[node]
        # Positions in depth-first order: those of a node's descendants follow its own, up to its end.
        positions = [0] * n_nodes
        free = [1] * n_nodes
        for node in range(1, n_nodes):
            parent = parents[node]
            at = positions[node] = free[parent]
            free[parent] = at + sizes[node]
            free[node] = at + 1
        self._order = [0] * n_nodes
        for node, at in enumerate(positions):
            self._order[at] = node

    def by_key(self, keys: Sequence[int], n_keys: int) -> tuple[list[int], list[int]]:
        """Return self and cumulative costs by key; `keys` has each node's, 0 to `n_keys` - 1. The root is left out.

        A node's cumulative cost counts if none of its callers has the same key.
        """
        own_sums, total_sums = [0] * n_keys, [0] * n_keys
        totals = self._totals
        for node in self.outermost(keys, n_keys):
            total_sums[keys[node]] += totals[node]
        for node, cost in enumerate(self._own):
            if cost and node:
                own_sums[keys[node]] += cost
        return own_sums, total_sums

    def outermost(self, keys: Sequence[int], n_keys: int) -> Iterator[int]:
        """Yield the nodes whose key none of their callers has, callers first; the root is left out."""
        sizes = self._sizes
        ends = [0] * n_keys  # end of the subtree of each key's last outermost node: positions before it are within it
        for at, node in enumerate(self._order):
            key = keys[node]
            if node and at >= ends[key]:
                ends[key] = at + sizes[node]
                yield node
