"""Decodes records of CPython 3.14 and later, in C. CPython only; a test compares this file with the module."""

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
