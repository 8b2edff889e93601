"""C++ names as people write them, from those in symbol tables, by the C++ library itself (`__cxa_demangle`).

Without that library names stay as they are. It is loaded when the first such name was sampled.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

__all__ = ["readable_name"]

_PREFIX: Final = "_Z"
_LIBRARIES: Final = ("libstdc++.so.6", "libc++abi.so.1")
_MAX_CHARACTERS: Final = 4096  # the library's memory and time grow with the length


@functools.lru_cache(maxsize=4096)
def readable_name(name: str) -> str:
    """Return a function's C++ name with its parameters; what is no such name as it is."""
    if not name.startswith(_PREFIX) or len(name) > _MAX_CHARACTERS:
        return name
    demangle = _demangler()
    return name if demangle is None else demangle(name) or name


@functools.cache
def _demangler() -> Callable[[str], str] | None:
    """Return a function whose result is "" for other names; None if no library is here."""
    import ctypes  # slow to load, and most profiles have no such name

    for library in _LIBRARIES:
        try:
            demangle = ctypes.CDLL(library).__cxa_demangle
            free = ctypes.CDLL(None).free
        except (OSError, AttributeError):
            continue
        demangle.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
        demangle.restype = ctypes.c_void_p
        free.argtypes = [ctypes.c_void_p]
        free.restype = None
        return functools.partial(_demangled, demangle, ctypes.string_at, free)
    return None


def _demangled(
    demangle: Callable[[bytes, None, None, None], int | None],
    string_at: Callable[[int], bytes],
    free: Callable[[int], None],
    name: str,
) -> str:
    text = demangle(name.encode("utf-8", "replace"), None, None, None)
    if not text:
        return ""
    try:
        return string_at(text).decode("utf-8", "replace")
    finally:
        free(text)
