"""Instrumented bytecode kept between runs, as `.pyc` files keep plain bytecode; never in the user's __pycache__.

An entry is found by the source's path, and used only while the file's inode, size, mtime and ctime are those it was
made from. Failing to read or write an entry is never an error: the module is instrumented anew.
"""

import os
import sys
from _md5 import md5  # type: ignore[import-not-found]
from marshal import dumps, loads

from footfall.files import (
    absolute_path,
    file_name,
    file_state,
    list_directory,
    make_directory,
    now_ns,
    read_file,
    write_file,
)
from footfall.own_builtins import keep_builtins
from footfall.tier import HAS_CORE

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

__all__ = ["ProbeCache", "code_state"]

_MAGIC = b"ffprobe1"
_SETTLED_NS = 100_000_000
"""A file changed this recently might change again unnoticed within one tick of its clock: not cached yet."""


class ProbeCache:
    """The entries of one interpreter version, optimization level and mode in `directory`."""

    def __init__(self, directory: str, mode: int) -> None:
        python = sys.implementation.cache_tag or sys.implementation.name
        self.code_state = code_state()
        tag = f"{python}-{sys.hexversion:x}-{sys.flags.optimize}-{self.code_state}-{mode}"
        self._directory = f"{directory}/{tag}" if directory else ""

    def load(self, path: str) -> "CodeType | None":
        """Return the instrumented, unarmed code of the file, if there is a current entry."""
        if not self._directory:
            return None
        try:
            data = read_file(self._entry(path))
            key = _state(path)
            if key is None or data[: len(key)] != key:
                return None
            code: CodeType = loads(memoryview(data)[len(key) :])
            return code
        except (OSError, ValueError, EOFError, TypeError):
            return None

    def key(self, path: str) -> bytes | None:
        """Return the file state that must still hold when an entry is used; call it before reading the file."""
        return _state(path) if self._directory else None

    def store(self, path: str, key: bytes | None, code: "CodeType") -> None:
        """Keep the code made from the file in the state `key`."""
        if key is None or _was_just_changed(path):
            return
        try:
            make_directory(self._directory)
            write_file(self._entry(path), key + dumps(code))
        except (OSError, ValueError):
            pass  # it will be made anew the next time

    def _entry(self, path: str) -> str:
        name = md5(os.fsencode(path), usedforsecurity=False).hexdigest()
        return f"{self._directory}/{name}"


def code_state() -> str:
    """Return 8 characters that change whenever footfall's own instrumenting code changes.

    After the run, the footfall that is then installed numbers the probes anew: it must never use an entry that another
    version made, or the same version before an edit.
    """
    state = []
    engines = absolute_path(__file__ + "/..")
    compiler = absolute_path(engines + "/../../probes")
    folders = (compiler, f"{compiler}/plan")
    state.append("without the core" if not HAS_CORE else "")  # probes have another form
    paths = [f"{folder}/{name}" for folder in folders for name in list_directory(folder) if name.endswith(".py")]
    for path in (f"{engines}/instrument.py", *paths):
        info = file_state(path)
        state.append(f"{file_name(path)} {info.st_size} {info.st_mtime_ns}")
    digest: str = md5("\n".join(sorted(state)).encode(), usedforsecurity=False).hexdigest()
    return digest[:8]


def _state(path: str) -> bytes | None:
    try:
        info = file_state(path)
    except (OSError, ValueError):
        return None
    text = f"{info.st_ino} {info.st_size} {info.st_mtime_ns} {info.st_ctime_ns} "
    return _MAGIC + text.encode().ljust(88)


def _was_just_changed(path: str) -> bool:
    try:
        info = file_state(path)
    except OSError:
        return True
    return abs(now_ns() - info.st_ctime_ns) < _SETTLED_NS
