"""Sums over a tree of calls by any key of its frames, each call counted once however deep the recursion. O(nodes).

A tree may have hundreds of thousands of nodes and a report sums it several times, so costs are single numbers here: all
that a cost has, side by side in one long integer, is added up by one addition. Called by analyze/profile/calltree.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ["TreeSums", "pack_cost", "unpack_cost"]

_BITS: Final = 96  # for each number: 2**32 of them that fill SQLite's 63 bits
_MASK: Final = (1 << _BITS) - 1


def pack_cost(wall_ns: int, cpu_ns: int, gil_ns: int, samples: int) -> int:
    """Return one number for four that are 0 or more; sums of it are those of the four."""
    return ((((wall_ns << _BITS) | cpu_ns) << _BITS | gil_ns) << _BITS) | samples


def unpack_cost(packed: int) -> tuple[int, int, int, int]:
    """Return the four numbers."""
    return packed >> 3 * _BITS, packed >> 2 * _BITS & _MASK, packed >> _BITS & _MASK, packed & _MASK


class TreeSums:
    """A tree with its nodes' own costs, packed, ready to be summed. `parents` come first; node 0 is the root."""

    def __init__(self, parents: Sequence[int], own: list[int]) -> None:
        self._own = own
        n_nodes = len(parents)
        self._sizes = sizes = [1] * n_nodes
        self._totals = totals = own[:]
        for node in range(n_nodes - 1, 0, -1):
            parent = parents[node]
            sizes[parent] += sizes[node]
            totals[parent] += totals[node]
        # Positions depth first: those of a node's descendants follow its own, up to its end.
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
        """Return own and whole costs by key; `keys` are of each node, 0 to `n_keys` - 1. The root is left out.

        A node's whole cost counts where none of its callers has the same key.
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
        """Yield the nodes that none of their callers has the key of, callers first; the root is left out."""
        sizes = self._sizes
        ends = [0] * n_keys  # of the subtree of the last outermost node with a key: what comes before is within it
        for at, node in enumerate(self._order):
            key = keys[node]
            if node and at >= ends[key]:
                ends[key] = at + sizes[node]
                yield node
