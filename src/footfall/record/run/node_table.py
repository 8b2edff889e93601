"""The nodes of a sample log as one piece of bytes: a run of some minutes has a hundred thousand.

The C extension (native/decode/nodes.c) takes the steps that are done for each node; the code here does the same where
there is none. `analyze/profile/calltree.py` numbers them in a profile.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple, TypeVar

from footfall.formats import SAMPLE_NODE
from footfall.record.run.extension import decode

__all__ = ["Node", "NodeTable", "Taker", "number_nodes", "skip_nodes"]

_LAYOUT = struct.Struct("<4I")
_TreeNode = TypeVar("_TreeNode", bound=tuple[int, int])


class Node(NamedTuple):
    """A frame in the tree: the node of its caller (0 = none), its code's id, and its position in the code."""

    parent: int
    code: int
    unit: int
    """Code unit of the instruction, UNIT_UNKNOWN, or the line if the log has `units_are_lines`."""


Taker = tuple[int, Callable[[memoryview, int], int]]
"""A kind of entry, and what is called where one begins: it takes those that follow one another, and returns where they
end, or the place itself where it takes none."""


class NodeTable(Mapping[int, Node]):
    """The nodes of a log by id. Looking for single ones makes an index of all at first."""

    def __init__(self) -> None:
        self.packed = bytearray()
        """For each node 16 bytes: its id, and the fields of Node."""
        self._by_id: dict[int, Node] | None = None
        self._counts_from_1 = False
        """Whether the ids are known to be 1, 2, 3 and so on."""

    def taker(self) -> Taker | None:
        """Return how `read_entries` hands over the entries of nodes; None without the C extension."""
        if decode is None:
            return None
        take_nodes, packed = decode.take_nodes, self.packed
        return SAMPLE_NODE, lambda log, at: take_nodes(log, at, packed)

    def add(self, payload: memoryview) -> None:
        """Add the payload of an entry. Raises struct.error if it is too short."""
        node_id, *node = _LAYOUT.unpack_from(payload)
        self[node_id] = Node._make(node)

    def __setitem__(self, node_id: int, node: Node) -> None:
        self.packed += _LAYOUT.pack(node_id, *node)
        self._counts_from_1 = False
        if self._by_id is not None:
            self._by_id[node_id] = node

    def drop_dangling(self, codes: Collection[int]) -> None:
        """Remove nodes whose code or caller is missing, and put the others in the order of their ids."""
        self._counts_from_1 = (
            decode is not None
            and (min(codes, default=1), max(codes, default=0)) == (1, len(codes))
            and decode.are_nodes_whole(self.packed, len(codes))
        )
        if self._counts_from_1:
            return
        nodes = self._index()
        kept: dict[int, Node] = {}
        for node_id in sorted(nodes):
            node = nodes[node_id]
            if node.code in codes and (node.parent == 0 or node.parent in kept):
                kept[node_id] = node
        self.packed[:] = b"".join(_LAYOUT.pack(node_id, *node) for node_id, node in kept.items())
        self._by_id = kept

    def _index(self) -> dict[int, Node]:
        if self._by_id is None:
            self._by_id = {node_id: Node(*node) for node_id, *node in _LAYOUT.iter_unpack(self.packed)}
        return self._by_id

    def __getitem__(self, node_id: int) -> Node:
        return self._index()[node_id]

    def __contains__(self, node_id: object) -> bool:
        if self._counts_from_1 and isinstance(node_id, int):
            return 0 < node_id <= len(self.packed) // _LAYOUT.size
        return node_id in self._index()

    def __iter__(self) -> Iterator[int]:
        return iter(self._index())

    def __len__(self) -> int:
        return len(self._index())


def skip_nodes() -> Taker | None:
    """Return how `read_entries` skips nodes; None without the C extension."""
    if decode is None:
        return None
    take_nodes = decode.take_nodes
    return SAMPLE_NODE, lambda log, at: take_nodes(log, at, None)


def number_nodes(
    packed: bytes | bytearray,
    frame_of: Callable[[int, int], int],
    known: dict[int, int],
    tree: list[_TreeNode],
    node_type: type[_TreeNode],
) -> dict[int, int]:
    """Return the number in a tree of each node of `NodeTable.packed`, by id; callers come before what they call.

    `known` has numbers by `parent << 32 | frame`; what is new is added to it, and to `tree`. `frame_of(code, unit)` is
    called once for each place.
    """
    if decode is not None:
        return decode.number_nodes(packed, frame_of, known, tree, node_type)
    places: dict[tuple[int, int], int] = {}
    found = {0: 0}
    for node_id, parent, code, unit in _LAYOUT.iter_unpack(packed):
        frame = places.get((code, unit))
        if frame is None:
            frame = places[code, unit] = frame_of(code, unit)
        caller = found[parent]
        key = caller << 32 | frame
        number = known.get(key)
        if number is None:
            number = known[key] = len(tree)
            tree.append(tuple.__new__(node_type, (caller, frame)))
        found[node_id] = number
    return found
