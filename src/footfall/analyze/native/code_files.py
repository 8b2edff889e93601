"""The files whose native code ran: their functions' names, inlined ones too, and their call frame information.

A file is read when first needed, after the run. One that has changed or gone since has neither. Everything that is
read is untrusted.
"""

from __future__ import annotations

import functools
import io
import os
import re
import struct
from bisect import bisect_right
from typing import IO, Any, Final, NamedTuple

from footfall.analyze.native.cpp_names import readable_name
from footfall.analyze.native.frame_tables import FrameTableError, FrameTables, Row
from footfall.analyze.native.inlined import InlinedFunctions
from footfall.record.run.sample_log import Mappings

__all__ = ["CodeFile", "CodeFiles", "MappedCode", "mapped_code"]

KERNEL_CODE: Final = "[vdso]"
_DEBUG_FILES: Final = "/usr/lib/debug/.build-id"
_SYMBOL: Final = struct.Struct("<IBBHQQ")
_FUNCTIONS: Final = (2, 10)  # STT_FUNC, STT_GNU_IFUNC
_MAX_SYMBOLS: Final = 1 << 22
_MADE_BY_COMPILER: Final = re.compile(r"\.(?:cold|part|isra|constprop|lto_priv|llvm|localalias)(?:\.\d+)*(?=\.|$)")
_ABI_TAG: Final = re.compile(r"\.(?:cpython-[\w-]+|abi3)(?=\.so$)")


class MappedCode(NamedTuple):
    """A part of a file whose code is mapped."""

    start: int
    end: int
    offset: int
    """Where it begins in the file."""
    kind: str
    """As in Mappings."""
    path: str


def mapped_code(mappings: Mappings) -> list[MappedCode]:
    """Return the parts of files that are mapped, by ascending address. Lines that can't be read are left out."""
    found = []
    for line in mappings.lines:
        fields = line.split(None, 6)
        try:
            kind, addresses, _, offset, _, _, path = fields
            start, end = (int(each, 16) for each in addresses.split("-"))
            found.append(MappedCode(start, end, int(offset, 16), kind, path))
        except ValueError:
            continue
    return sorted(found)


class CodeFile:
    """What one file says about the code in it. Addresses are those in the file, unless a parameter says otherwise."""

    def __init__(self, path: str) -> None:
        self.name = _ABI_TAG.sub("", os.path.basename(path))
        self.is_readable = False
        self._segments: list[tuple[int, int, int]] = []
        self._tables: FrameTables | None = None
        self._starts: list[int] = []
        self._symbols: list[tuple[int, int, str]] = []
        self._inlined: InlinedFunctions | None = None
        self._path = path

    def load(self, file: IO[bytes]) -> None:
        """Read the file. Without what can't be read if it is damaged."""
        from elftools.elf.elffile import ELFFile

        try:
            elf = ELFFile(file)
            if elf.elfclass != 64 or not elf.little_endian:
                return
            self._segments = [
                (int(each["p_offset"]), int(each["p_filesz"]), int(each["p_vaddr"]))
                for each in elf.iter_segments("PT_LOAD")
            ]
            self._tables = _tables_of(elf)
            self._symbols = _find_symbols(elf)
            self._starts = [start for start, _, _ in self._symbols]
            if os.path.isabs(self._path):
                debug_file = self._path if elf.get_section_by_name(".debug_info") else _debug_file(elf)
                self._inlined = InlinedFunctions(functools.partial(_open, debug_file))
            self.is_readable = True
        except Exception:  # a damaged file makes the library fail in many ways
            return

    def address_of(self, mapped: MappedCode, address: int) -> int | None:
        """Return the address in the file of one in the process."""
        offset = address - mapped.start + mapped.offset
        for start, size, virtual in self._segments:
            if start <= offset < start + size:
                return offset - start + virtual
        return None

    def row(self, address: int) -> Row | None:
        """Return how to get to the caller; None if the file does not say."""
        try:
            return self._tables.find(address) if self._tables is not None else None
        except FrameTableError:
            return None

    def function(self, address: int, row: Row | None) -> str:
        """Return the name of the function at an address; without one, its first address, or "" if that is not known."""
        number = bisect_right(self._starts, address) - 1
        if number >= 0:
            start, size, name = self._symbols[number]
            if address < start + size:
                return readable_name(name)
        return f"{row.function:#x}" if row is not None else ""

    def inlined_at(self, address: int) -> tuple[str, ...]:
        """Return the functions that are inlined at an address in the file's function there, innermost first."""
        return self._inlined.find(address) if self._inlined is not None else ()


def _open(path: str) -> IO[bytes] | None:
    try:
        return open(path, "rb")
    except OSError:
        return None


def _section(elf: Any, name: str) -> tuple[bytes, int]:
    section = elf.get_section_by_name(name)
    return (b"", 0) if section is None else (section.data(), int(section["sh_addr"]))


def _tables_of(elf: Any) -> FrameTables | None:
    try:
        return FrameTables(*_section(elf, ".eh_frame"), *_section(elf, ".eh_frame_hdr"))
    except FrameTableError:
        return None


def _find_symbols(elf: Any) -> list[tuple[int, int, str]]:
    """Return (address, size, name) of the functions, ascending: of the whole table, where that is installed."""
    found = _read_symbols(elf, ".symtab")
    if not found:
        found = _symbols_of_debug_file(elf) or _read_symbols(elf, ".dynsym")
    # of several names of one function, the first by alphabet, so that it is always the same one
    by_place: dict[int, tuple[int, int, str]] = {}
    for symbol in sorted(found, key=lambda symbol: (symbol[0], -symbol[1], symbol[2])):
        by_place.setdefault(symbol[0], symbol)
    return list(by_place.values())


def _read_symbols(elf: Any, name: str) -> list[tuple[int, int, str]]:
    section = elf.get_section_by_name(name)
    if section is None or section["sh_type"] == "SHT_NOBITS":
        return []
    content = section.data()
    strings = elf.get_section(section["sh_link"]).data()
    found = []
    for at, info, _, index, address, size in _SYMBOL.iter_unpack(
        content[: len(content) // 24 * 24][: 24 * _MAX_SYMBOLS]
    ):
        if info & 0xF in _FUNCTIONS and index and size:
            text = strings[at : strings.index(b"\0", at)].decode("utf-8", "replace")
            found.append((address, size, _MADE_BY_COMPILER.sub("", text)))
    return found


def _debug_file(elf: Any) -> str:
    """Return the path of the file that would have its debug information; "" if that is not known."""
    note = elf.get_section_by_name(".note.gnu.build-id")
    if note is None:
        return ""
    identity = note.data()[16:].hex()
    return f"{_DEBUG_FILES}/{identity[:2]}/{identity[2:]}.debug"


def _symbols_of_debug_file(elf: Any) -> list[tuple[int, int, str]]:
    from elftools.elf.elffile import ELFFile

    file = _open(_debug_file(elf))
    if file is None:
        return []
    with file:
        return _read_symbols(ELFFile(file), ".symtab")


class CodeFiles:
    """All files of a run, each read once."""

    def __init__(self) -> None:
        self.changed: set[str] = set()
        """Paths of files that have gone or were changed after they were mapped."""
        self._files: dict[tuple[str, bool], CodeFile] = {}

    def find(self, path: str, mapped_ns: int) -> CodeFile:
        """Return what a file says that was mapped at a moment (since the epoch)."""
        is_same = path == KERNEL_CODE or _is_unchanged(path, mapped_ns)
        file = self._files.get((path, is_same))
        if file is None:
            file = self._files[path, is_same] = CodeFile(path)
            if not is_same:
                self.changed.add(path)
            else:
                self._load(file, path)
        return file

    def _load(self, file: CodeFile, path: str) -> None:
        try:
            if path == KERNEL_CODE:
                file.load(io.BytesIO(_own_kernel_code()))
                return
            with open(path, "rb") as opened:
                file.load(opened)
        except OSError:
            self.changed.add(path)


def _is_unchanged(path: str, mapped_ns: int) -> bool:
    try:
        return os.stat(path).st_ctime_ns <= mapped_ns  # unlike st_mtime, the time when it was put there
    except (OSError, ValueError):
        return False


def _own_kernel_code() -> bytes:
    """Return the code that the kernel maps into every process, which is the same as in that of the run."""
    with (
        open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps,
        open("/proc/self/mem", "rb") as mem,
    ):
        for line in maps:
            if line.rstrip().endswith(KERNEL_CODE):
                start, end = (int(each, 16) for each in line.split(None, 1)[0].split("-"))
                mem.seek(start)
                return mem.read(end - start)
    return b""
