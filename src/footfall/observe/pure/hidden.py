"""Decorates our frames so that tracebacks and `sys._getframe` omit them, where the interpreter can do that: on PyPy."""

import sys

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["hidden_applevel"]

if sys.implementation.name == "pypy":
    from __pypy__ import hidden_applevel  # type: ignore[import-not-found]
else:

    def hidden_applevel(function: "Any") -> "Any":
        """Return the function as it is: on CPython its frames are visible."""
        return function
