"""Find the CPython interpreter in another process: the symbols of its executable or libpython, at run time.

The file is opened as the process sees it (/proc/PID/root, /proc/PID/map_files), so that containers and files that
were deleted since work too. `_PyRuntime`, `Py_Version` and `PyCode_Type` are exported data, hence in `.dynsym`, which
stripping leaves. Everything that is read there is untrusted.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Sequence
from typing import IO, Any, NamedTuple

from footfall.errors import FootfallError
from footfall.sample.process import no_such_process, not_permitted, read_stat

__all__ = ["RemoteInterpreter", "find_interpreter"]

_NEWEST = (3, 15)
_NAMES = ("_PyRuntime", "Py_Version", "PyCode_Type")
_DEBUG_BUILD = "_Py_NegativeRefcount"
_CPU_ID_OFFSET = 4  # in struct rseq (linux/rseq.h)
_PYPY = re.compile(r"(?:lib)?pypy[0-9.]*(?:-c)?(?:\.so.*)?")
_PYTHON = re.compile(r"(?:lib)?python([0-9]+\.[0-9]+)?.*")
_DELETED = " (deleted)"


class RemoteInterpreter(NamedTuple):
    """Where a process's interpreter is. Addresses are the process's."""

    runtime: int
    """_PyRuntime"""
    code_type: int
    """PyCode_Type"""
    version: int
    """PY_VERSION_HEX"""
    rseq_offset: int
    """From a thread's pthread_t to the number of the CPU it runs on; 0 where the C library has none."""

    def version_text(self) -> str:
        """As in `3.14.0`."""
        return f"{self.version >> 24}.{self.version >> 16 & 255}.{self.version >> 8 & 255}"


class _Mapping(NamedTuple):
    """The first mapping of a file: where the file begins in memory."""

    start: int
    range: str
    path: str


def find_interpreter(pid: int) -> RemoteInterpreter:
    """Find the interpreter of a process.

    Raises FootfallError: `no-such-process`, `attach-forbidden`, `not-python`, `attach-unsupported`.
    """
    from footfall import _core

    mappings = _read_mappings(pid)
    for mapping in _candidates(pid, mappings):
        symbols = _find_symbols(pid, mapping, (*_NAMES, _DEBUG_BUILD))
        if "_PyRuntime" not in symbols:
            continue
        if "Py_Version" not in symbols or "PyCode_Type" not in symbols:
            raise _unsupported(pid, f"{mapping.path} is older than CPython 3.11, or lacks its symbols")
        try:
            version = int.from_bytes(_core.read_memory(pid, symbols["Py_Version"], 4), "little")
            _check_version(pid, version, symbols)
        except PermissionError as error:
            raise not_permitted(pid) from error
        except OSError as error:
            raise _gone_or_not_python(pid) from error
        return RemoteInterpreter(
            symbols["_PyRuntime"], symbols["PyCode_Type"], version, _find_rseq_offset(pid, mappings)
        )
    raise _gone_or_not_python(pid, mappings)


def _check_version(pid: int, version: int, symbols: dict[str, int]) -> None:
    from footfall import _core

    minor = (version >> 24, version >> 16 & 255)
    name = f"CPython {minor[0]}.{minor[1]}"
    if not (3, 11) <= minor <= _NEWEST:
        raise _unsupported(pid, f"it is {name}, and this footfall knows 3.11 to {_NEWEST[0]}.{_NEWEST[1]}")
    if minor <= (3, 12):
        if _DEBUG_BUILD in symbols:
            raise _unsupported(pid, f"it is a debug build of {name}, whose structures differ")
        return
    cookie, _, free_threaded = struct.unpack("<8sQQ", _core.read_memory(pid, symbols["_PyRuntime"], 24))
    if cookie != b"xdebugpy":
        raise _unsupported(pid, f"its {name} does not say where its structures are")
    if free_threaded:
        raise _unsupported(pid, f"it is the free-threaded build of {name}")


def _unsupported(pid: int, why: str) -> FootfallError:
    return FootfallError(
        "attach-unsupported",
        f"Can't read the stacks of process {pid}: {why}.",
        "Where that Python has footfall, start the program with `footfall run`.",
    )


def _gone_or_not_python(pid: int, mappings: Sequence[_Mapping] = ()) -> FootfallError:
    stat = read_stat(f"/proc/{pid}/stat")
    if stat is None or stat.state in "ZX":
        return no_such_process(pid)
    if any(_PYPY.fullmatch(os.path.basename(mapping.path)) for mapping in mappings):
        return FootfallError(
            "attach-unsupported",
            f"Process {pid} runs PyPy, whose stacks can't be read from outside.",
            "Start the program with `footfall run`, which uses PyPy's own sampler.",
        )
    for mapping in mappings:
        found = _PYTHON.fullmatch(os.path.basename(mapping.path))
        if found is not None and found.group(1) not in (None, "3"):
            return _unsupported(pid, f"{mapping.path} has not the symbols of CPython 3.11 to 3.15")
    return FootfallError(
        "attach-not-python",
        f"Process {pid} ({stat.name}) does not run Python.",
        "Name the Python process itself, which may be a child of it: `footfall attach --children` finds those.",
    )


def _read_mappings(pid: int) -> list[_Mapping]:
    """Return the first mapping of each file that the process has mapped from its beginning."""
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
            found.append(_Mapping(int(fields[0].partition("-")[0], 16), fields[0], fields[5]))
    return found


def _candidates(pid: int, mappings: Sequence[_Mapping]) -> Iterator[_Mapping]:
    """Yield what may hold an interpreter, the likeliest first: libpython, the executable."""
    seen = set()
    try:
        executable = os.readlink(f"/proc/{pid}/exe")
    except PermissionError as error:
        raise not_permitted(pid) from error
    except OSError as error:
        raise no_such_process(pid) from error
    for is_wanted in (
        lambda path: os.path.basename(path).startswith("libpython"),
        lambda path: path == executable,
        lambda path: "python" in os.path.basename(path),
    ):
        for mapping in mappings:
            if mapping.path not in seen and is_wanted(mapping.path):
                seen.add(mapping.path)
                yield mapping


def _open_mapped(pid: int, mapping: _Mapping) -> IO[bytes] | None:
    """Open a mapped file as the process sees it; None when there is no way to it."""
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
    return None


def _find_symbols(pid: int, mapping: _Mapping, names: Sequence[str]) -> dict[str, int]:
    """Return the addresses in the process of those symbols that the file has; none when it can't be read."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    file = _open_mapped(pid, mapping)
    if file is None:
        return {}
    with file:
        try:
            elf = ELFFile(file)
            if elf.elfclass != 64 or not elf.little_endian:
                return {}
            return _symbols_of(elf, mapping.start, names)
        # a damaged file makes the library fail in many ways
        except (ELFError, ValueError, KeyError, IndexError, AttributeError, TypeError, AssertionError, OSError):
            return {}


def _symbols_of(elf: Any, start: int, names: Sequence[str]) -> dict[str, int]:
    bias = 0
    if elf["e_type"] == "ET_DYN":
        for segment in elf.iter_segments("PT_LOAD"):
            if segment["p_offset"] == 0:
                bias = start - segment["p_vaddr"]
                break
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
    """Look through whole symbol tables: an executable that embeds Python without exporting its symbols."""
    found: dict[str, int] = {}
    for section in (elf.get_section_by_name(".dynsym"), elf.get_section_by_name(".symtab")):
        if section is None:
            continue
        for name in names:
            for symbol in section.get_symbol_by_name(name) or ():
                if symbol["st_shndx"] != "SHN_UNDEF":
                    found.setdefault(name, bias + symbol["st_value"])
    return found


def _find_rseq_offset(pid: int, mappings: Sequence[_Mapping]) -> int:
    """Read where the C library (glibc 2.35 and later) keeps each thread's CPU number; 0 without."""
    from footfall import _core

    for mapping in mappings:
        if not os.path.basename(mapping.path).startswith(("ld-linux", "ld-", "libc.so")):
            continue
        symbols = _find_symbols(pid, mapping, ("__rseq_offset", "__rseq_size"))
        if len(symbols) < 2:
            continue
        try:
            offset = int.from_bytes(_core.read_memory(pid, symbols["__rseq_offset"], 8), "little", signed=True)
            size = int.from_bytes(_core.read_memory(pid, symbols["__rseq_size"], 4), "little")
        except OSError:
            return 0
        return offset + _CPU_ID_OFFSET if size else 0
    return 0
