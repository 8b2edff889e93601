"""Decodes records of CPython 3.14 and later, in C. CPython only; a test compares this file with the module."""

from collections.abc import Callable
from typing import TypeVar

_Node = TypeVar("_Node", bound=tuple[int, int])

class CodeGraph:
    """One code object's bytecode as a graph of instructions."""

    def __new__(
        cls,
        code: bytes,
        line_table: bytes,
        exception_table: bytes,
        first_line: int,
        branches: tuple[tuple[int, int, int], ...],
        ops: tuple[int, ...],
    ) -> CodeGraph:
        """Read the tables of a code object. Raises ValueError if they are inconsistent."""

    def arcs(self, events: bytes, has_exits: bool, is_partial: bool, /) -> tuple[set[int], set[tuple[int, int]]]:
        """Return the lines and arcs of these events, as arcs_of_code in analyze/bytecode/arcs.py does."""

def find_branches(code: bytes, ops: tuple[int, ...], /) -> tuple[tuple[int, int, int], ...]:
    """Return (source, left, right) byte offsets in order of their source."""

def steering_instructions(code: bytes, ops: tuple[int, ...], /) -> list[tuple[int, int]]:
    """Return (unit, argument) of each instruction of `ops` except EXTENDED_ARG and NOT_TAKEN."""

def positions(linetable: bytes, first_line: int, /) -> list[tuple[int | None, int | None, int | None, int | None]]:
    """Return (line, end line, column, end column) of each code unit; of a damaged table, those before the damage."""

def position(
    linetable: bytes, first_line: int, unit: int, /
) -> tuple[int | None, int | None, int | None, int | None] | None:
    """Return what `positions` has for one code unit; None past its end."""

def condition_jumps(
    code: bytes, line_table: bytes, first_line: int, ops: tuple[int, ...], test: tuple[int, ...], /
) -> tuple[bytes, list[tuple[int, int]]]:
    """Return the places of a code object's conditional jumps as text, and (unit, opcode) of each."""

def take_nodes(log: bytes | memoryview, at: int, nodes: bytearray | None, /) -> int:
    """Add the NODE entries that begin at `at` and follow one another to `nodes`; return where they end."""

def are_nodes_whole(nodes: bytes | bytearray, n_codes: int, /) -> bool:
    """Return whether ids count from 1, callers come before what they call, and codes are from 1 to `n_codes`."""

def number_nodes(
    nodes: bytes | bytearray,
    frame_of: Callable[[int, int], int],
    known: dict[int, int],
    tree: list[_Node],
    node_type: type[_Node],
    /,
) -> dict[int, int]:
    """Return the numbers of nodes in a tree, by id; new nodes are added to `known` and `tree`.

    `known` has numbers by `parent << 32 | frame`. `frame_of(code, unit)` is called once for each place.
    Raises ValueError for a node that comes before its caller.
    """
