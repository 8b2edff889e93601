"""Find the CPython interpreter in another process, by the symbols of its executable or libpython, at run time.

`_PyRuntime`, `Py_Version` and `PyCode_Type` are exported data, so they are in `.dynsym`, which survives stripping.
Everything that is read from the process is untrusted.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from footfall.attach.elf import Mapping, can_open, find_exported_symbols, find_symbols, read_mappings
from footfall.attach.permission import as_root, not_permitted
from footfall.attach.procfs import no_such_process, read_stat
from footfall.errors import FootfallError
from footfall.pythons import (
    KNOWN_VERSIONS,
    OLDEST,
    is_alpha,
    is_in_range,
    publishes_offsets,
    release_name,
    version_name,
    version_of,
)

__all__ = ["RemoteInterpreter", "candidates", "find_interpreter", "may_begin"]

_NAMES = ("_PyRuntime", "Py_Version", "PyCode_Type")
_DEBUG_BUILD = "_Py_NegativeRefcount"
_CPU_ID_OFFSET = 4  # in struct rseq (linux/rseq.h)
_PYPY = re.compile(r"(?:lib)?pypy[0-9.]*(?:-c)?(?:\.so.*)?")
_PYTHON = re.compile(r"(?:lib)?python([0-9]+\.[0-9]+)?.*")


class RemoteInterpreter(NamedTuple):
    """Where a process's interpreter is. Addresses are the process's."""

    runtime: int
    """_PyRuntime"""
    code_type: int
    """PyCode_Type"""
    version: int
    """PY_VERSION_HEX"""
    rseq_offset: int
    """From a thread's pthread_t to the number of the CPU it runs on; 0 if the C library has none."""

    def version_text(self) -> str:
        """Return a text such as `3.14.0`."""
        return release_name(self.version)


def find_interpreter(pid: int) -> RemoteInterpreter:
    """Find the interpreter of a process.

    Raises FootfallError: `no-such-process`, `attach-forbidden`, `not-python`, `attach-unsupported`.
    """
    from footfall import _core

    mappings = read_mappings(pid)
    for mapping, symbols in _symbols_of_images(pid, mappings):
        if "_PyRuntime" not in symbols:
            continue
        if "Py_Version" not in symbols or "PyCode_Type" not in symbols:
            what = f"{mapping.path} is older than CPython {version_name(OLDEST)}, or lacks its symbols"
            raise _unsupported(pid, what)
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


def _symbols_of_images(pid: int, mappings: Sequence[Mapping]) -> Iterator[tuple[Mapping, dict[str, int]]]:
    """Search the likely images first, then all others that export symbols: an interpreter may have any file name."""
    names = (*_NAMES, _DEBUG_BUILD)
    likely = set()
    for mapping in candidates(pid, mappings):
        likely.add(mapping)
        yield mapping, find_symbols(pid, mapping, names)
    for mapping in mappings:
        if mapping not in likely:
            yield mapping, find_exported_symbols(pid, mapping, names)


def _check_version(pid: int, version: int, symbols: dict[str, int]) -> None:
    from footfall import _core

    minor = version_of(version)
    name = f"CPython {version_name(minor)}"
    if not is_in_range(minor):
        raise _unsupported(pid, f"it is {name}, and this footfall knows {KNOWN_VERSIONS}")
    if is_alpha(version):
        raise _unsupported(pid, f"it is an alpha of {name}, and this footfall knows what was released")
    if not publishes_offsets(minor):
        if _DEBUG_BUILD in symbols:
            raise _unsupported(pid, f"it is a debug build of {name}, whose structures differ")
        return
    cookie, _, free_threaded = struct.unpack("<8sQQ", _core.read_memory(pid, symbols["_PyRuntime"], 24))
    if cookie != b"xdebugpy":
        raise _unsupported(pid, f"its {name} does not say where its structures are")
    if free_threaded:
        raise FootfallError(
            "attach-unsupported",
            f"Can't read the stacks of process {pid}: it is the free-threaded build of {name}.",
            "Run the program under the build with the GIL.",
        )


def _unsupported(pid: int, why: str) -> FootfallError:
    return FootfallError(
        "attach-unsupported",
        f"Can't read the stacks of process {pid}: {why}.",
        "Where that Python has footfall, start the program with `footfall run`.",
    )


def _gone_or_not_python(pid: int, mappings: Sequence[Mapping] = ()) -> FootfallError:
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
        if found is None or found.group(1) in (None, "3"):
            continue
        if not can_open(pid, mapping):
            return FootfallError(
                "attach-unsupported",
                f"Can't read {mapping.path}, which process {pid} runs: it was replaced or removed since.",
                "Start the program again." if os.geteuid() == 0 else f"{as_root()} Or start the program again.",
            )
        return _unsupported(pid, f"{mapping.path} has not the symbols of CPython {KNOWN_VERSIONS}")
    return FootfallError(
        "attach-not-python",
        f"Process {pid} ({stat.name}) does not run Python.",
        "Name the Python process itself, which may be a child of it: `footfall attach --children` finds those.",
    )


def may_begin(pid: int) -> bool:
    """Return whether a process without Python is likely to start it: its executable or a library has the name."""
    try:
        files = {os.readlink(f"/proc/{pid}/exe"), *(mapping.path for mapping in read_mappings(pid))}
    except (OSError, FootfallError):
        return False
    return any("python" in os.path.basename(file) for file in files)


def candidates(pid: int, mappings: Sequence[Mapping]) -> Iterator[Mapping]:
    """Yield the files that may contain an interpreter, the likeliest first: libpython, the executable."""
    seen = set()
    try:
        executable = os.readlink(f"/proc/{pid}/exe")
    except PermissionError as error:
        raise not_permitted(pid) from error
    except OSError as error:
        raise _gone_or_not_python(pid) from error  # a thread of the kernel has no executable
    for is_wanted in (
        lambda path: os.path.basename(path).startswith("libpython"),
        lambda path: path == executable,
        lambda path: "python" in os.path.basename(path),
    ):
        for mapping in mappings:
            if mapping.path not in seen and is_wanted(mapping.path):
                seen.add(mapping.path)
                yield mapping


def _find_rseq_offset(pid: int, mappings: Sequence[Mapping]) -> int:
    """Read where the C library (glibc 2.35 and later) keeps each thread's CPU number; 0 if it does not."""
    from footfall import _core

    for mapping in mappings:
        if not os.path.basename(mapping.path).startswith(("ld-linux", "ld-", "libc.so")):
            continue
        symbols = find_symbols(pid, mapping, ("__rseq_offset", "__rseq_size"))
        if len(symbols) < 2:
            continue
        try:
            offset = int.from_bytes(_core.read_memory(pid, symbols["__rseq_offset"], 8), "little", signed=True)
            size = int.from_bytes(_core.read_memory(pid, symbols["__rseq_size"], 4), "little")
        except OSError:
            return 0
        return offset + _CPU_ID_OFFSET if size else 0
    return 0
