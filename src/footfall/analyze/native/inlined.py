"""Functions that the compiler has put into others (inlined), from a file's debug information (DWARF).

A file without debug information (`-g`) has none. It is read when first needed, one compilation unit at a time.
Everything that is read is untrusted: from a damaged file there are no inlined functions.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import IO, Any, Final, NamedTuple

from footfall.analyze.native.cpp_names import readable_name

__all__ = ["InlinedFunctions"]

_MAX_BYTES: Final = 1 << 28
"""Of debug information: a file with more is not read."""
_MAX_UNIT_BYTES: Final = 1 << 25
_OF_INTERPRETER: Final = re.compile(r"_?Py(?:[A-Z]|_|$)")
"""Names in the headers of CPython (`Py_DECREF`): they count as part of the function that uses them."""


class _Range(NamedTuple):
    """A part of the code of an inlined function. Inner ones come after outer ones."""

    start: int
    end: int
    depth: int
    name: str


class InlinedFunctions:
    """The inlined functions of one file, by address in the file."""

    def __init__(self, open_file: Callable[[], IO[bytes] | None]) -> None:
        """`open_file` opens the file that has the debug information; None if it can't."""
        self._open = open_file
        self._units: list[tuple[int, int, Any]] | None = None
        self._dwarf: Any = None
        self._functions: dict[int, list[tuple[int, int, list[_Range]]]] = {}

    def find(self, address: int) -> tuple[str, ...]:
        """Return the names of the functions that are inlined at an address, innermost first."""
        try:
            if self._units is None:
                self._read_units()
            for start, end, unit in self._units or ():
                if start <= address < end:
                    return self._find_in(unit, address)
        except Exception:  # a damaged file makes the library fail in many ways
            self._units = []
        return ()

    def _read_units(self) -> None:
        from elftools.elf.elffile import ELFFile

        self._units = []
        file = self._open()
        if file is None:
            return
        with file:
            elf = ELFFile(file)
            sections = [each for each in elf.iter_sections() if each.name.startswith((".debug_", ".zdebug_"))]
            if not sections or sum(each.data_size for each in sections) > _MAX_BYTES:
                return
            self._dwarf = elf.get_dwarf_info(follow_links=False)
        for unit in self._dwarf.iter_CUs():
            self._units += [(start, end, unit) for start, end in self._ranges(unit, unit.get_top_DIE())]

    def _find_in(self, unit: Any, address: int) -> tuple[str, ...]:
        functions = self._functions.get(unit.cu_offset)
        if functions is None:
            functions = self._functions[unit.cu_offset] = []
            if unit["unit_length"] <= _MAX_UNIT_BYTES:
                functions.extend(self._read_functions(unit))
                functions.sort(key=lambda each: each[0])
        number = bisect_right(functions, address, key=lambda each: each[0]) - 1
        if number < 0 or address >= functions[number][1]:
            return ()
        found = [each for each in functions[number][2] if each.start <= address < each.end]
        names = (each.name for each in sorted(found, key=lambda each: -each.depth))
        return tuple(name for name in names if name and not _OF_INTERPRETER.match(name))

    def _read_functions(self, unit: Any) -> Iterator[tuple[int, int, list[_Range]]]:
        """Yield the start and end of each part of a function, with what is inlined in the function."""
        within: list[tuple[int, list[_Range]]] = []  # the functions that the entry is in: depth, what is inlined
        for entry, depth in _entries_of(unit):
            while within and within[-1][0] >= depth:
                within.pop()
            if entry.tag == "DW_TAG_subprogram":
                within.append((depth, []))
                yield from ((start, end, within[-1][1]) for start, end in self._ranges(unit, entry))
            elif entry.tag == "DW_TAG_inlined_subroutine" and within:
                name = _name_of(entry)
                within[-1][1].extend(_Range(start, end, depth, name) for start, end in self._ranges(unit, entry))

    def _ranges(self, unit: Any, entry: Any) -> list[tuple[int, int]]:
        """Return the starts and ends of an entry's code."""
        attributes = entry.attributes
        if "DW_AT_ranges" in attributes:
            return self._listed_ranges(unit, attributes["DW_AT_ranges"])
        if "DW_AT_low_pc" not in attributes or "DW_AT_high_pc" not in attributes:
            return []
        start, end = attributes["DW_AT_low_pc"].value, attributes["DW_AT_high_pc"]
        return [(start, end.value if end.form == "DW_FORM_addr" else start + end.value)]

    def _listed_ranges(self, unit: Any, attribute: Any) -> list[tuple[int, int]]:
        lists = self._dwarf.range_lists()
        if lists is None:
            return []
        base = unit.get_top_DIE().attributes.get("DW_AT_low_pc")
        base_address = base.value if base is not None else 0
        found = []
        for each in lists.get_range_list_at_offset(attribute.value, unit):
            if hasattr(each, "base_address"):
                base_address = each.base_address
            else:
                shift = 0 if each.is_absolute else base_address
                found.append((each.begin_offset + shift, each.end_offset + shift))
        return found


def _entries_of(unit: Any) -> Iterator[tuple[Any, int]]:
    """Yield all entries of a unit with their depth, in the order of the file: whatever they contain, it ends."""
    at = unit.cu_die_offset
    end = unit.cu_offset + unit["unit_length"] + unit.structs.initial_length_field_size()
    depth = 0
    while at < end:
        entry = unit.get_DIE_from_refaddr(at)
        at += entry.size
        if entry.is_null():
            depth -= 1
            continue
        yield entry, depth
        depth += entry.has_children


def _name_of(entry: Any) -> str:
    """Return the name of an inlined function, C++ names written out; "" if there is none."""
    for _ in range(4):
        for attribute in ("DW_AT_linkage_name", "DW_AT_MIPS_linkage_name"):
            if attribute in entry.attributes:
                return readable_name(entry.attributes[attribute].value.decode("utf-8", "replace"))
        for attribute in ("DW_AT_abstract_origin", "DW_AT_specification"):
            if attribute in entry.attributes:
                entry = entry.get_DIE_from_attribute(attribute)
                break
        else:
            name = entry.attributes.get("DW_AT_name")
            return str(name.value.decode("utf-8", "replace")) if name is not None else ""
    return ""
