"""Which tier measures here: the C core, or Python alone without it. A leaf that the start hook imports.

Python alone records the same files and gives the same coverage, at a higher cost; a Python thread takes its profile.
`footfall debug sys` shows the tier and why.
"""

import os
import sys

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

__all__ = ["HAS_CORE", "IS_FREE_THREADED", "IS_PURE_CPYTHON", "PURE_VARIABLE", "WHY_PURE"]

PURE_VARIABLE = "FOOTFALL_PURE"
"""The environment variable that selects Python alone."""

IS_FREE_THREADED = "free-threading" in sys.version  # sys.abiflags is not there on every platform
"""Builds without the GIL (PEP 703): importing an extension that does not support them enables the GIL."""


def _why_pure() -> str:
    """Return why the C core does not measure here; "" if it does."""
    if sys.implementation.name != "cpython":
        return "the C core is for CPython"
    if os.environ.get(PURE_VARIABLE, "0") not in ("", "0"):
        return PURE_VARIABLE + " is set"
    if IS_FREE_THREADED:
        return "the C core would switch the GIL on"  # by being imported
    try:
        from footfall import _core  # noqa: F401 - whether it loads
    except ImportError as error:
        is_there = error.name != "footfall"
        return "the C core does not load (" + str(error) + ")" if is_there else "it was not built for this Python"
    return ""


WHY_PURE = _why_pure()
HAS_CORE = not WHY_PURE
IS_PURE_CPYTHON = not HAS_CORE and sys.implementation.name == "cpython"
