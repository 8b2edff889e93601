"""Nodes of sample logs in one piece: what the C extension does with them is what Python does."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.record.run import node_table
from footfall.record.run.node_table import Node, NodeTable, number_nodes

_ids = st.integers(0, 12)
_nodes = st.lists(st.tuples(st.integers(1, 12), _ids, st.integers(0, 4), st.integers(0, 3)))


def _table(rows: list[tuple[int, int, int, int]]) -> NodeTable:
    table = NodeTable()
    for row in rows:
        table.add(memoryview(struct.pack("<4I", *row)))
    return table


def _counted(sizes: list[int]) -> list[tuple[int, int, int, int]]:
    """Nodes as a sampler writes them: ids from 1, callers first."""
    return [(number, size % number, 1 + size % 3, size % 5) for number, size in enumerate(sizes, 1)]


def _entry(kind: int, payload: bytes) -> bytes:
    return struct.pack("<II", kind, len(payload)) + payload + bytes(-len(payload) % 8)


@given(st.one_of(_nodes, st.lists(st.integers(0, 1000)).map(_counted)), st.sets(st.integers(0, 4)))
def test_nodes_without_caller_or_code_are_dropped(rows, codes) -> None:
    """A node stays if its code and its caller, of a lower id, do; with and without the extension."""
    found = []
    for decode in {node_table.decode, None}:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(node_table, "decode", decode)
            table = _table(rows)
            table.drop_dangling(codes)
            assert all((number in table) == (number in dict(table)) for number in range(14))
            found.append((dict(table), bytes(table.packed)))
    expected: dict[int, Node] = {}
    last = {number: Node(*node) for number, *node in rows}
    for number in sorted(last):
        if last[number].code in codes and (not last[number].parent or last[number].parent in expected):
            expected[number] = last[number]
    for kept, packed in found:
        assert kept == expected
        assert packed == b"".join(struct.pack("<4I", number, *node) for number, node in sorted(expected.items()))


@given(st.lists(st.lists(st.integers(0, 1000)).map(_counted), max_size=3))
def test_numbers_in_a_tree(logs) -> None:
    """Equal frames below equal callers have one number, in all logs together; each place is asked for once."""
    found = []
    for decode in {node_table.decode, None}:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(node_table, "decode", decode)
            known: dict[int, int] = {}
            tree = [(-1, -1)]
            asked: list[tuple[int, int]] = []

            def frame_of(code: int, unit: int, asked: list[tuple[int, int]] = asked) -> int:
                asked.append((code, unit))
                return 10 * code + unit % 2

            numbers = [number_nodes(_table(rows).packed, frame_of, known, tree, tuple) for rows in logs]
            found.append((numbers, known, tree, asked))
    assert all(each == found[0] for each in found)
    numbers, _, tree, _ = found[0]
    for rows, number_of in zip(logs, numbers, strict=True):
        for number, parent, code, unit in rows:
            assert tree[number_of[number]] == (number_of[parent], 10 * code + unit % 2)
    assert len(set(tree)) == len(tree)


def test_a_node_before_its_caller_is_refused() -> None:
    """What `drop_dangling` would have removed is an error, not a wrong number."""
    with pytest.raises((KeyError, ValueError)):
        number_nodes(_table([(1, 2, 1, 0)]).packed, lambda code, unit: 0, {}, [(-1, -1)], tuple)


@pytest.mark.skipif(node_table.decode is None, reason="there is no C extension for this interpreter")
@given(st.lists(st.tuples(st.sampled_from([4, 4, 4, 5, 0]), st.integers(0, 24))), st.integers(0, 30))
def test_runs_of_entries_are_taken(entries, n_cut) -> None:
    """Whole entries of nodes are taken up to the first other one, and nothing is read past the end."""
    log = b"".join(_entry(kind, bytes(range(size))) for kind, size in entries)
    log = log[: max(len(log) - n_cut, 0)]
    taken = bytearray(b"x")
    end = node_table.decode.take_nodes(log, 0, taken)
    expected, at = bytearray(b"x"), 0
    for kind, size in entries:
        if kind != 4 or size < 16 or at + 8 + size > len(log):
            break
        expected += bytes(range(16))
        at += 8 + (size + 7) // 8 * 8
    assert (taken, min(end, len(log))) == (expected, min(at, len(log)))
    assert node_table.decode.take_nodes(log, 0, None) == end
    assert node_table.decode.take_nodes(log, len(log), taken) == len(log)
