"""Dynamic symbols of a mapped ELF image, read from the process's own memory.

Exported symbols are mapped, so this is quick, needs no file, and is right for what the process runs: its library may
have been replaced on disk, or be invisible to us in another root directory. All that is read is untrusted.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from footfall import _core

__all__ = ["find_exported"]

_HEADER = struct.Struct("<4sBB10xHHIQQQIHHH")
_ELF_64_LITTLE = (b"\x7fELF", 2, 1)
_SEGMENT = struct.Struct("<IIQQQQQQ")
_DYNAMIC = struct.Struct("<qQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_GNU_HASH_HEAD = struct.Struct("<4I")
_PT_LOAD, _PT_DYNAMIC = 1, 2
_ET_DYN = 3
_DT_STRTAB, _DT_SYMTAB, _DT_GNU_HASH = 5, 6, 0x6FFFFEF5
_MAX_SEGMENTS = 256
_MAX_DYNAMIC_BYTES = 1 << 15
_MAX_CHAIN = 4096
_CHAIN_AT_ONCE = 16


class _Tables(NamedTuple):
    """Addresses in the process."""

    bias: int
    strings: int
    symbols: int
    hashes: int


def find_exported(pid: int, start: int, names: Sequence[str]) -> dict[str, int] | None:
    """Return the addresses in the process of those symbols that the image mapped at `start` exports.

    Returns None if that can't be known: it has no hash table, or is not an ELF image. Raises PermissionError if the
    process's memory may not be read.
    """
    try:
        tables = _find_tables(pid, start)
        if tables is None:
            return None
        found = {name: _find_symbol(pid, tables, name.encode()) for name in names}
    except PermissionError:
        raise
    except (OSError, struct.error, ValueError, OverflowError):
        return None
    return {name: address for name, address in found.items() if address}


def _find_tables(pid: int, start: int) -> _Tables | None:
    magic, width, order, kind, _, _, _, at, _, _, _, size, count = _HEADER.unpack(
        _core.read_memory(pid, start, _HEADER.size)
    )
    if (magic, width, order) != _ELF_64_LITTLE or size != _SEGMENT.size or count > _MAX_SEGMENTS:
        return None
    bias = 0
    dynamic = (0, 0)
    for segment in _SEGMENT.iter_unpack(_core.read_memory(pid, start + at, size * count)):
        if segment[0] == _PT_LOAD and segment[2] == 0 and kind == _ET_DYN:
            bias = start - segment[3]
        elif segment[0] == _PT_DYNAMIC:
            dynamic = (segment[3], min(segment[6], _MAX_DYNAMIC_BYTES) // _DYNAMIC.size * _DYNAMIC.size)
    if not dynamic[1]:
        return None
    places: dict[int, int] = {}
    for tag, value in _DYNAMIC.iter_unpack(_core.read_memory(pid, bias + dynamic[0], dynamic[1])):
        # glibc replaces the file's addresses in memory, musl does not
        places.setdefault(tag, value if value >= start else value + bias)
    if not {_DT_STRTAB, _DT_SYMTAB, _DT_GNU_HASH} <= places.keys():
        return None
    return _Tables(bias, places[_DT_STRTAB], places[_DT_SYMTAB], places[_DT_GNU_HASH])


def _find_symbol(pid: int, tables: _Tables, name: bytes) -> int:
    """Return the address of a symbol; 0 if it is not exported."""
    n_buckets, first_symbol, n_bloom, _ = _GNU_HASH_HEAD.unpack(
        _core.read_memory(pid, tables.hashes, _GNU_HASH_HEAD.size)
    )
    if not n_buckets:
        return 0
    digest = _gnu_hash(name)
    buckets = tables.hashes + _GNU_HASH_HEAD.size + 8 * n_bloom
    (number,) = struct.unpack("<I", _core.read_memory(pid, buckets + 4 * (digest % n_buckets), 4))
    if number < first_symbol:
        return 0
    chain = buckets + 4 * n_buckets
    for _ in range(_MAX_CHAIN // _CHAIN_AT_ONCE):
        content = _core.read_memory(pid, chain + 4 * (number - first_symbol), 4 * _CHAIN_AT_ONCE)
        for (found,) in struct.iter_unpack("<I", content):
            if found | 1 == digest | 1:
                address = _address_if_named(pid, tables, number, name)
                if address:
                    return address
            if found & 1:
                return 0
            number += 1
    return 0


def _address_if_named(pid: int, tables: _Tables, number: int, name: bytes) -> int:
    text, _, _, section, value, _ = _SYMBOL.unpack(
        _core.read_memory(pid, tables.symbols + _SYMBOL.size * number, _SYMBOL.size)
    )
    if not section or _core.read_memory(pid, tables.strings + text, len(name) + 1) != name + b"\0":
        return 0
    return tables.bias + int(value)


def _gnu_hash(name: bytes) -> int:
    digest = 5381
    for byte in name:
        digest = (digest * 33 + byte) & 0xFFFFFFFF
    return digest
