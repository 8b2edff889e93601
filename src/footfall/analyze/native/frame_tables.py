"""How to get from a C function to its caller: call frame information (`.eh_frame`, the DWARF standard's chapter 6.4).

Compilers write it for each function, with and without frame pointers: where the caller's registers are, for each
instruction. Pure. Everything that is read is untrusted: whatever damage raises is a `FrameTableError`.
"""

from __future__ import annotations

import operator
import struct
from bisect import bisect_right
from collections.abc import Callable
from typing import Final, NamedTuple

__all__ = ["FrameTableError", "FrameTables", "Rule", "Row", "evaluate"]

RETURN_ADDRESS: Final = 16
"""The column of x86-64's return address."""

_DAMAGE: Final = (struct.error, IndexError, KeyError, ValueError, OverflowError, MemoryError)

Rule = tuple[str, int | bytes]
"""Where a register of the caller is: at `("offset", n)` from the frame's address, it is `("value", n)` from it,
`("register", n)`, at the address that `("expression", code)` gives, or what `("value_expression", code)` gives.
`("undefined", 0)`: nowhere."""


class FrameTableError(Exception):
    """The tables are damaged, or use what no compiler for x86-64 writes."""


class Row(NamedTuple):
    """How to get to the caller from one instruction."""

    function: int
    """The function's first address in the file."""
    base: int
    """The register from which the frame's address is `offset` away, or -1: `expression` gives the address."""
    offset: int
    expression: bytes
    rules: tuple[tuple[int, Rule], ...]
    """By register; one without a rule is the same in the caller."""


class _Common(NamedTuple):
    """What descriptions of functions share (CIE)."""

    code_align: int
    data_align: int
    return_column: int
    encoding: int
    has_augmentation: bool
    instructions: tuple[int, int]


class _Reader:
    """Reads numbers from a section that begins at an address."""

    def __init__(self, section: bytes, address: int, at: int) -> None:
        self.section = section
        self.at = at
        self._address = address

    def number(self, code: str) -> int:
        (value,) = struct.unpack_from("<" + code, self.section, self.at)
        self.at += struct.calcsize("<" + code)
        return int(value)

    def uleb(self) -> int:
        value = shift = 0
        while True:
            byte = self.section[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
            if shift > 63:
                raise FrameTableError("a number is too long")

    def sleb(self) -> int:
        start = self.at
        value = self.uleb()
        bits = 7 * (self.at - start)
        return value - (1 << bits) if value >> (bits - 1) else value

    def block(self) -> bytes:
        size = self.uleb()
        self.at += size
        return self.section[self.at - size : self.at]

    def pointer(self, encoding: int) -> int:
        """Read a pointer as the exception tables encode it (DW_EH_PE_*)."""
        place = self._address + self.at
        kind = encoding & 0x0F
        if kind == 1:
            value = self.uleb()
        elif kind == 9:
            value = self.sleb()
        else:
            codes = {0: "Q", 2: "H", 3: "I", 4: "Q", 10: "h", 11: "i", 12: "q"}
            if kind not in codes:
                raise FrameTableError(f"pointers are encoded as {encoding:#x}")
            value = self.number(codes[kind])
        if encoding & 0x70 == 0x10:
            value += place
        elif encoding & 0x70:
            raise FrameTableError(f"pointers are encoded as {encoding:#x}")
        return value & 0xFFFFFFFFFFFFFFFF


class FrameTables:
    """The call frame information of one file, by address in the file."""

    def __init__(self, section: bytes, address: int, index: bytes, index_address: int) -> None:
        """`section` is `.eh_frame`, `index` is `.eh_frame_hdr`. Raises FrameTableError."""
        self._section = section
        self._address = address
        self._commons: dict[int, _Common] = {}
        if index[:1] != b"\1" or index[3:4] != b"\x3b":
            raise FrameTableError("there is no sorted index")
        try:
            reader = _Reader(index, index_address, 4)
            reader.pointer(index[1])
            n_entries = reader.pointer(index[2])
            numbers = struct.unpack_from(f"<{2 * n_entries}i", index, reader.at)
        except _DAMAGE as error:
            raise FrameTableError(str(error)) from error
        self._starts = [index_address + each for each in numbers[::2]]
        self._places = [index_address + each - address for each in numbers[1::2]]

    def find(self, address: int) -> Row | None:
        """Return how to get to the caller from the instruction at an address; None if no function is there."""
        number = bisect_right(self._starts, address) - 1
        if number < 0:
            return None
        try:
            return self._find_row(self._places[number], address)
        except _DAMAGE as error:
            raise FrameTableError(str(error)) from error

    def _open_entry(self, place: int) -> tuple[_Reader, int]:
        reader = _Reader(self._section, self._address, place)
        size = reader.number("I")
        if size == 0xFFFFFFFF:
            size = reader.number("Q")
        return reader, reader.at + size

    def _common(self, place: int) -> _Common:
        found = self._commons.get(place)
        if found is None:
            found = self._commons[place] = self._read_common(place)
        return found

    def _read_common(self, place: int) -> _Common:
        reader, end = self._open_entry(place)
        if reader.number("I") != 0:
            raise FrameTableError("a function's description has no common part")
        version = reader.number("B")
        stop = self._section.index(0, reader.at)
        augmentation = self._section[reader.at : stop].decode("ascii", "replace")
        reader.at = stop + 1
        code_align, data_align = reader.uleb(), reader.sleb()
        return_column = reader.number("B") if version == 1 else reader.uleb()
        encoding = 0
        if augmentation.startswith("z"):
            instructions = reader.uleb() + reader.at
            for letter in augmentation[1:]:
                if letter == "R":
                    encoding = reader.number("B")
                elif letter == "P":
                    reader.pointer(reader.number("B") & 0x7F)
                elif letter == "L":
                    reader.number("B")
                elif letter not in "SB":
                    break
            reader.at = instructions
        elif augmentation:
            raise FrameTableError(f"the augmentation {augmentation!r} is not known")
        return _Common(code_align, data_align, return_column, encoding, augmentation.startswith("z"), (reader.at, end))

    def _find_row(self, place: int, address: int) -> Row | None:
        reader, end = self._open_entry(place)
        pointer_at = reader.at
        common = self._common(pointer_at - reader.number("I"))
        if common.return_column != RETURN_ADDRESS:
            raise FrameTableError("these are not tables of x86-64")
        start = reader.pointer(common.encoding)
        size = reader.pointer(common.encoding & 0x0F)
        if not start <= address < start + size:
            return None
        if common.has_augmentation:
            reader.block()
        rows = _Rows(common, start, address)
        first = _Reader(self._section, self._address, common.instructions[0])
        rows.run(first, common.instructions[1])
        rows.initial = dict(rows.rules)
        rows.run(reader, end)
        return Row(start, rows.base, rows.offset, rows.expression, tuple(rows.rules.items()))


class _Rows:
    """Executes call frame instructions up to the row of an address."""

    def __init__(self, common: _Common, start: int, address: int) -> None:
        self.base = 7
        self.offset = 8
        self.expression = b""
        self.rules: dict[int, Rule] = {}
        self.initial: dict[int, Rule] = {}
        self._common = common
        self._at = start
        self._address = address
        self._kept: list[tuple[int, int, bytes, dict[int, Rule]]] = []

    def run(self, reader: _Reader, end: int) -> None:
        while reader.at < end:
            code = reader.number("B")
            kind, low = code & 0xC0, code & 0x3F
            if kind == 0x40:
                if self._advance(low):
                    return
            elif kind == 0x80:
                self.rules[low] = ("offset", reader.uleb() * self._common.data_align)
            elif kind == 0xC0:
                self._restore(low)
            elif code in (0x01, 0x02, 0x03, 0x04):
                if self._move(code, reader):
                    return
            else:
                self._set(code, reader)

    def _advance(self, delta: int) -> bool:
        """Go on to the next row; return whether that is behind the address."""
        self._at += delta * self._common.code_align
        return self._at > self._address

    def _move(self, code: int, reader: _Reader) -> bool:
        if code == 0x01:
            self._at = reader.pointer(self._common.encoding)
            return self._at > self._address
        return self._advance(reader.number({0x02: "B", 0x03: "H", 0x04: "I"}[code]))

    def _restore(self, register: int) -> None:
        if register in self.initial:
            self.rules[register] = self.initial[register]
        else:
            self.rules.pop(register, None)

    def _set(self, code: int, reader: _Reader) -> None:
        align = self._common.data_align
        if code == 0x00:  # nop
            return
        if code == 0x0A:  # remember_state
            self._kept.append((self.base, self.offset, self.expression, dict(self.rules)))
        elif code == 0x0B:  # restore_state
            self.base, self.offset, self.expression, self.rules = self._kept.pop()
        elif code == 0x0C:  # def_cfa
            self.base, self.offset = reader.uleb(), reader.uleb()
        elif code == 0x12:  # def_cfa_sf
            self.base, self.offset = reader.uleb(), reader.sleb() * align
        elif code == 0x0D:  # def_cfa_register
            self.base = reader.uleb()
        elif code == 0x0E:  # def_cfa_offset
            self.offset = reader.uleb()
        elif code == 0x13:  # def_cfa_offset_sf
            self.offset = reader.sleb() * align
        elif code == 0x0F:  # def_cfa_expression
            self.base, self.expression = -1, reader.block()
        elif code == 0x2E:  # GNU_args_size
            reader.uleb()
        else:
            self._set_rule(code, reader)

    def _set_rule(self, code: int, reader: _Reader) -> None:
        align = self._common.data_align
        register = reader.uleb()
        if code == 0x05:  # offset_extended
            self.rules[register] = ("offset", reader.uleb() * align)
        elif code == 0x11:  # offset_extended_sf
            self.rules[register] = ("offset", reader.sleb() * align)
        elif code == 0x06:  # restore_extended
            self._restore(register)
        elif code == 0x07:  # undefined
            self.rules[register] = ("undefined", 0)
        elif code == 0x08:  # same_value
            self.rules.pop(register, None)
        elif code == 0x09:  # register
            self.rules[register] = ("register", reader.uleb())
        elif code == 0x10:  # expression
            self.rules[register] = ("expression", reader.block())
        elif code == 0x14:  # val_offset
            self.rules[register] = ("value", reader.uleb() * align)
        elif code == 0x15:  # val_offset_sf
            self.rules[register] = ("value", reader.sleb() * align)
        elif code == 0x16:  # val_expression
            self.rules[register] = ("value_expression", reader.block())
        else:
            raise FrameTableError(f"the instruction {code:#x} is not known")


def evaluate(expression: bytes, registers: list[int], load: Callable[[int], int], first: int | None = None) -> int:
    """Return what a DWARF expression gives; `load` reads 8 bytes of the stack, `first` is on the stack at the start.

    Only the operations that linkers and compilers use in call frame information. Raises FrameTableError.
    """
    stack = [] if first is None else [first]
    reader = _Reader(expression, 0, 0)
    try:
        while reader.at < len(expression):
            _operate(reader, stack, registers, load)
        return stack[-1]
    except _DAMAGE as error:
        raise FrameTableError(str(error)) from error


def _operate(reader: _Reader, stack: list[int], registers: list[int], load: Callable[[int], int]) -> None:
    code = reader.number("B")
    constants = {0x08: "B", 0x09: "b", 0x0A: "H", 0x0B: "h", 0x0C: "I", 0x0D: "i", 0x0E: "Q", 0x0F: "q"}
    if 0x30 <= code < 0x50:
        stack.append(code - 0x30)
    elif 0x70 <= code < 0x90:
        stack.append(registers[code - 0x70] + reader.sleb() & _MASK)
    elif code in constants:
        stack.append(reader.number(constants[code]))
    elif code == 0x06:
        stack.append(load(stack.pop()))
    elif code == 0x12:
        stack.append(stack[-1])
    elif code == 0x23:
        stack.append(stack.pop() + reader.uleb() & _MASK)
    elif code in _BINARY:
        second = stack.pop()
        stack.append(_BINARY[code](stack.pop(), second) & _MASK)
    else:
        raise FrameTableError(f"the operation {code:#x} is not known")


_MASK: Final = 0xFFFFFFFFFFFFFFFF
_BINARY: Final[dict[int, Callable[[int, int], int]]] = {
    0x1A: operator.and_,
    0x1C: operator.sub,
    0x21: operator.or_,
    0x22: operator.add,
    0x24: lambda value, bits: value << min(bits, 64),
    0x25: lambda value, bits: value >> bits,
    0x29: operator.eq,
    0x2A: operator.ge,
    0x2B: operator.gt,
    0x2C: operator.le,
    0x2D: operator.lt,
    0x2E: operator.ne,
}
