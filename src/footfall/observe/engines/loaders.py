"""What a module's loader runs, if that is not simply the text of its file.

It may translate what it reads, take bytecode as it is, or make code of its own.

The program must run exactly the code that it runs unmeasured. So the loader makes that code, and code with probes
replaces it only if the text it was compiled from is known (seen when the loader compiled it) and gives the same code
again. Called by the probes engine's hooks.
"""

import _imp
import builtins
import sys
from _thread import get_ident

from footfall.files import open_flags, system
from footfall.observe.interruptions import pass_on
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

    Text = tuple[str | bytes, int, int]
    """Source, and the flags and optimization level that it was compiled with."""

__all__ = ["Compilations", "PlainLoaders", "is_same_code"]

_OVERRIDES = frozenset(("get_data", "path_stats", "source_to_code", "set_data", "_cache_bytecode"))
_LINES = "co_linetable" if sys.implementation.name == "cpython" else "co_lnotab"
_TO_READ = open_flags("O_RDONLY")
_IS_HASH_BASED, _CHECKS_SOURCE = 1, 2  # flags of a `.pyc` file (PEP 552)


class PlainLoaders:
    """Tells which loaders run the text of the file: those of the import system, with none of their functions replaced.

    Must be created when our wrapper of `compile` is in place: loaders call what a program replaces it with.
    """

    def __init__(self, external: "Any") -> None:
        loader = external.SourceFileLoader
        self._external = external
        self._compile = builtins.compile
        self._own = loader.get_data, loader.path_stats, loader.source_to_code

    def runs_file_text(self, loader: "Any", filename: str) -> bool:
        """Return whether the loader compiles the source file `filename`, or takes bytecode made from it."""
        kind = type(loader)
        try:
            is_plain = (kind.get_data, kind.path_stats, kind.source_to_code) == self._own
            is_plain = is_plain and builtins.compile is self._compile and _OVERRIDES.isdisjoint(loader.__dict__)
            return is_plain and not self._takes_bytecode_unseen(filename)
        except Exception as error:  # a loader may be any object
            pass_on(error)
            return False

    def _takes_bytecode_unseen(self, filename: str) -> bool:
        """Return whether the source file has bytecode that is used without checking the source (PEP 552)."""
        try:
            file = system.open(self._external.cache_from_source(filename), _TO_READ)
        except (OSError, NotImplementedError) as error:
            pass_on(error)
            return False
        try:
            head = system.read(file, 8)
        finally:
            system.close(file)
        flags = int.from_bytes(head[4:], "little")
        if head[:4] != self._external.MAGIC_NUMBER or not flags & _IS_HASH_BASED:
            return False
        when: str = _imp.check_hash_based_pycs
        return when == "never" or (not flags & _CHECKS_SOURCE and when != "always")


class Compilations:
    """The texts that loaders are compiling at the moment, by thread and file."""

    def __init__(self) -> None:
        self._open: dict[int, list[tuple[str, list[Text]]]] = {}

    def begin(self, filename: str) -> "list[Text]":
        """Collect what this thread compiles under the name of the file, until `end`."""
        texts: list[Text] = []
        self._open.setdefault(get_ident(), []).append((filename, texts))
        return texts

    def end(self) -> None:
        """Stop collecting what the last `begin` started."""
        thread = get_ident()
        self._open[thread].pop()
        if not self._open[thread]:
            del self._open[thread]

    def note(self, filename: str, text: "Text") -> bool:
        """Return whether a loader compiles this text: its code must then be plain, as it may go into a `.pyc`."""
        for name, texts in self._open.get(get_ident(), ()):
            if name == filename:
                texts.append(text)
                return True
        return False


def is_same_code(first: "CodeType", second: "CodeType") -> bool:
    """Return whether both do the same on the same lines."""
    if first != second or getattr(first, _LINES) != getattr(second, _LINES):
        return False
    kind = type(first)
    inner = zip(first.co_consts, second.co_consts, strict=True)
    return all(is_same_code(one, other) for one, other in inner if type(one) is kind)
