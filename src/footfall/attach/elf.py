"""The files that a process has mapped, and where their symbols and sections are in it: ELF, as the process sees them.

Exported symbols are read from the process's memory (image.py), the others and sections from the file. The file is
opened through /proc/PID/root or /proc/PID/map_files, so this also works for containers and, as root, for files that
have been deleted since. Everything that is read is untrusted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import IO, Any, NamedTuple, TypeVar

from footfall.attach.image import find_exported
from footfall.attach.permission import not_permitted
from footfall.attach.procfs import no_such_process

__all__ = ["Mapping", "can_open", "find_exported_symbols", "find_section", "find_symbols", "read_mappings"]

_DELETED = " (deleted)"
_T = TypeVar("_T")


class Mapping(NamedTuple):
    """The first mapping of a file: where the file begins in memory."""

    start: int
    range: str
    path: str
    """The path as we would see it, including the prefix of another root directory."""
    inode: int = 0


def read_mappings(pid: int) -> list[Mapping]:
    """Return the first mapping of each file that the process has mapped from the file's beginning."""
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except PermissionError as error:
        raise not_permitted(pid) from error
    except OSError as error:
        raise no_such_process(pid) from error
    found = []
    for line in lines:
        fields = line.split(None, 5)
        if len(fields) == 6 and fields[5].startswith("/") and int(fields[2], 16) == 0:
            found.append(Mapping(int(fields[0].partition("-")[0], 16), fields[0], fields[5], int(fields[4])))
    return found


def _open_mapped(pid: int, mapping: Mapping) -> IO[bytes] | None:
    """Open a mapped file as the process sees it; None if that is impossible."""
    places = [f"/proc/{pid}/map_files/{mapping.range}"]
    if not mapping.path.endswith(_DELETED):
        places.insert(0, f"/proc/{pid}/root{mapping.path}")
    places.append(f"/proc/{pid}/exe")
    for place in places:
        try:
            if place.endswith("/exe") and os.readlink(place) != mapping.path:
                continue
            return open(place, "rb")
        except OSError:
            continue
    return _open_as_we_see_it(mapping)


def _open_as_we_see_it(mapping: Mapping) -> IO[bytes] | None:
    """Open a file by the path that we see, if it is still the file that was mapped."""
    try:
        if os.stat(mapping.path).st_ino == mapping.inode:
            return open(mapping.path, "rb")
    except OSError:
        return None
    return None


def can_open(pid: int, mapping: Mapping) -> bool:
    """Return whether we can open a mapped file."""
    file = _open_mapped(pid, mapping)
    if file is not None:
        file.close()
    return file is not None


def find_symbols(pid: int, mapping: Mapping, names: Sequence[str]) -> dict[str, int]:
    """Return the addresses in the process of those symbols that the file has.

    Empty if it exports none of them and can't be read. An executable that embeds Python need not export its symbols: if
    `_PyRuntime` is among the names, all symbol tables are searched. Raises FootfallError (`attach-forbidden`).
    """
    found = _find_exported(pid, mapping, names)
    if found or (found is not None and "_PyRuntime" not in names):
        return found
    return _read_elf(pid, mapping, lambda elf: _symbols_of(elf, _bias_of(elf, mapping.start), names)) or {}


def find_exported_symbols(pid: int, mapping: Mapping, names: Sequence[str]) -> dict[str, int]:
    """As find_symbols, without reading the file."""
    return _find_exported(pid, mapping, names) or {}


def _find_exported(pid: int, mapping: Mapping, names: Sequence[str]) -> dict[str, int] | None:
    try:
        return find_exported(pid, mapping.start, names)
    except PermissionError as error:
        raise not_permitted(pid) from error


def find_section(pid: int, mapping: Mapping, name: str) -> int:
    """Return the address in the process of a section of the file; 0 if it has none, or can't be read."""

    def address_of(elf: Any) -> int:
        section = elf.get_section_by_name(name)
        return 0 if section is None else _bias_of(elf, mapping.start) + int(section["sh_addr"])

    return _read_elf(pid, mapping, address_of) or 0


def _read_elf(pid: int, mapping: Mapping, read: Callable[[Any], _T]) -> _T | None:
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    file = _open_mapped(pid, mapping)
    if file is None:
        return None
    with file:
        try:
            elf = ELFFile(file)
            if elf.elfclass != 64 or not elf.little_endian:
                return None
            return read(elf)
        # a damaged file makes the library fail in many ways
        except (ELFError, ValueError, KeyError, IndexError, AttributeError, TypeError, AssertionError, OSError):
            return None


def _bias_of(elf: Any, start: int) -> int:
    """Return the offset from the addresses in the file to those in the process."""
    if elf["e_type"] == "ET_DYN":
        for segment in elf.iter_segments("PT_LOAD"):
            if segment["p_offset"] == 0:
                return start - int(segment["p_vaddr"])
    return 0


def _symbols_of(elf: Any, bias: int, names: Sequence[str]) -> dict[str, int]:
    hashed = elf.get_section_by_name(".gnu.hash") or elf.get_section_by_name(".hash")
    found = {}
    for name in names:
        symbol = hashed.get_symbol(name) if hashed is not None else None
        if symbol is None and name == "_PyRuntime":
            found.update(_search_tables(elf, names, bias))
            break
        if symbol is not None and symbol["st_shndx"] != "SHN_UNDEF":
            found[name] = bias + symbol["st_value"]
    return found


def _search_tables(elf: Any, names: Sequence[str], bias: int) -> dict[str, int]:
    """Search whole symbol tables: for an executable that embeds Python without exporting its symbols."""
    found: dict[str, int] = {}
    for section in (elf.get_section_by_name(".dynsym"), elf.get_section_by_name(".symtab")):
        if section is None:
            continue
        for name in names:
            for symbol in section.get_symbol_by_name(name) or ():
                if symbol["st_shndx"] != "SHN_UNDEF":
                    found.setdefault(name, bias + symbol["st_value"])
    return found
