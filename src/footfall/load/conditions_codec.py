"""A source's conditions as bytes and back: what the analysis cache stores of them.

JSON, mostly numbers, with a checksum that detects damage. Nothing in it is ever executed. The cache's key covers the
version of this format.
"""

from __future__ import annotations

import ast
import json
import zlib

from footfall.analyze.conditions.analysis import Conditions
from footfall.analyze.conditions.operands import Group, Operand
from footfall.load.analysis_codec import CodecError
from footfall.record.data.condition_tables import SourcePosition

__all__ = ["FORMAT", "bytes_from_conditions", "conditions_from_bytes"]

FORMAT = 1
"""Increase this with every change to what is written here."""

_CHECKSUM_BYTES = 4
_NONE_TESTS: tuple[type[ast.cmpop] | None, ...] = (None, ast.Is, ast.IsNot)


def bytes_from_conditions(conditions: Conditions) -> bytes:
    """Pack the conditions of a source. Operands are numbered, because groups and owners share them."""
    numbers: dict[Operand, int] = {}
    for group in conditions.groups:
        for operand in group.operands:
            numbers.setdefault(operand, len(numbers))
    operands = [[*each.position, int(each.is_flipped), _NONE_TESTS.index(each.none_test)] for each in numbers]
    groups = [
        [group.keys, [numbers[each] for each in group.operands], group.values, int(group.has_constants)]
        for group in conditions.groups
    ]
    owners = [[numbers[operand], *sorted(where)] for operand, where in conditions.owners.items()]
    # only ASCII, as a lone surrogate could not be encoded
    body = json.dumps([operands, groups, owners], separators=(",", ":")).encode("ascii")
    return zlib.crc32(body).to_bytes(_CHECKSUM_BYTES, "little") + body


def conditions_from_bytes(data: bytes) -> Conditions:
    """Unpack the conditions of a source. Raises CodecError for bytes that are damaged or something else."""
    body = data[_CHECKSUM_BYTES:]
    if zlib.crc32(body).to_bytes(_CHECKSUM_BYTES, "little") != data[:_CHECKSUM_BYTES]:
        raise CodecError("the checksum is wrong")
    try:
        rows, group_rows, owner_rows = json.loads(body.decode("ascii"))
        operands = [
            Operand(SourcePosition(*position), bool(is_flipped), _NONE_TESTS[none_test])
            for *position, is_flipped, none_test in rows
        ]
        groups = [
            Group(_positions(keys), [operands[each] for each in numbers], _positions(values), bool(has_constants))
            for keys, numbers, values, has_constants in group_rows
        ]
        owners = {operands[number]: frozenset(map(_code, where)) for number, *where in owner_rows}
    except (ValueError, TypeError, IndexError) as error:
        raise CodecError(str(error)) from error
    return Conditions(groups, owners)


def _positions(rows: list[list[int]]) -> list[SourcePosition]:
    return [SourcePosition(*row) for row in rows]


def _code(row: list[object]) -> tuple[str, int]:
    name, line = row
    if not isinstance(name, str) or not isinstance(line, int):
        raise TypeError("no code object")
    return name, line
