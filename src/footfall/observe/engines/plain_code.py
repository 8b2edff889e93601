"""The original `compile`, before anything replaced it, and the error for text that has no room for probes."""

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

__all__ = ["NoRoomForProbesError", "compile_plainly"]

compile_plainly = compile


class NoRoomForProbesError(Exception):
    """The text compiles, but not with probes: its blocks are nested as deeply as the compiler allows."""
