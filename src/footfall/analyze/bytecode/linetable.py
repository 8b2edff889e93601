"""Decode `co_linetable`, the location table of a code object (CPython 3.11 and later, one format).

Samples and event bytes are stored as code units (2 bytes of bytecode). This module turns them into source positions
after the program has ended, without its code objects.
"""

from __future__ import annotations

from functools import lru_cache

from footfall.record.run.extension import decode

__all__ = ["Position", "position", "positions", "read_positions"]

Position = tuple[int | None, int | None, int | None, int | None]
"""(start line, end line, start column, end column); columns are UTF-8 byte offsets from 0."""

_NO_POSITION: Position = (None, None, None, None)

# Kinds of a location entry (CPython: Objects/locations.md). 0-9 are the short forms.
_ONE_LINE_0 = 10  # 11 and 12 mean one and two lines further
_NO_COLUMNS, _LONG, _NO_LOCATION = 13, 14, 15
_MAX_SHIFT = 30  # lines are C ints


def positions(linetable: bytes, first_line: int) -> list[Position]:
    """Return one position for each code unit, caches included, as `code.co_positions()` does.

    If the table ends within an entry, only the positions before it are returned; callers treat units past the
    end as unknown. Never raises on damaged input.
    """
    return read_positions(linetable, first_line) if decode is None else decode.positions(linetable, first_line)


def position(linetable: bytes, first_line: int, unit: int) -> Position | None:
    """Return what `positions` has for one code unit; None past its end."""
    if decode is not None:
        return decode.position(linetable, first_line, unit)
    found = _positions_of_last(linetable, first_line)
    return found[unit] if unit < len(found) else None


def read_positions(linetable: bytes, first_line: int) -> list[Position]:
    """Return the same as `positions`, without the C extension."""
    found: list[Position] = []
    line = first_line
    at = 0
    size = len(linetable)
    try:
        while at < size:
            head = linetable[at]
            at += 1
            kind = (head >> 3) & 15
            units = (head & 7) + 1
            if kind == _NO_LOCATION:
                position = _NO_POSITION
            elif kind == _LONG:
                delta, at = _signed(linetable, at)
                end_delta, at = _varint(linetable, at)
                column, at = _varint(linetable, at)
                end_column, at = _varint(linetable, at)
                line += delta
                # Columns are stored plus one; 0 means no column.
                position = (
                    line,
                    line + end_delta,
                    column - 1 if column else None,
                    end_column - 1 if end_column else None,
                )
            elif kind == _NO_COLUMNS:
                delta, at = _signed(linetable, at)
                line += delta
                position = (line, line, None, None)
            elif kind >= _ONE_LINE_0:
                line += kind - _ONE_LINE_0
                position = (line, line, linetable[at], linetable[at + 1])
                at += 2
            else:
                second = linetable[at]
                at += 1
                column = kind << 3 | second >> 4
                position = (line, line, column, column + (second & 15))
            found += [position] * units
    except IndexError:
        pass
    return found


def _varint(table: bytes, at: int) -> tuple[int, int]:
    """Read 6 bits a byte, low bits first; bit 6 says that more follow. Returns (value, next place).

    A number that no compiler writes is damage too: it raises IndexError, like a table that ends too early.
    """
    byte = table[at]
    at += 1
    value = byte & 63
    shift = 0
    while byte & 64:
        byte = table[at]
        at += 1
        shift += 6
        if shift > _MAX_SHIFT:
            raise IndexError("no line or column is that large")
        value |= (byte & 63) << shift
    return value, at


def _signed(table: bytes, at: int) -> tuple[int, int]:
    """Read a varint whose lowest bit is the sign."""
    value, at = _varint(table, at)
    return (-(value >> 1) if value & 1 else value >> 1), at


_positions_of_last = lru_cache(maxsize=4096)(read_positions)
