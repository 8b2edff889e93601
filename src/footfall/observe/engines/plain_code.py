"""The original `compile`, before anything replaced it, its flags, and the error for text with no room for probes."""

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

__all__ = ["FUTURES", "ONLY_AST", "NoRoomForProbesError", "compile_plainly"]

compile_plainly = compile

ONLY_AST = 0x400
"""The flag for a syntax tree in place of code: PyCF_ONLY_AST, Include/cpython/compile.h."""

FUTURES = 0x1FE0000
"""The flags of code that `from __future__ import ...` sets."""


class NoRoomForProbesError(Exception):
    """The text compiles, but not with probes: its blocks are nested as deeply as the compiler allows."""
