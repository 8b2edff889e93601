"""The Pythons that footfall knows: one row for each. Others are measured by what needs no such knowledge, or refused.

A leaf, and the start hook imports it: nothing but what every interpreter has loaded. The numbers of instructions are in
analyze/opcodes.py, the layouts of structures in native/walk/offsets.c; tests hold them to the rows here.
"""

import os
import sys

from footfall.model import ENGINE_MONITORING, ENGINE_PROBES, ENGINE_SETTRACE

__all__ = [
    "CPYTHON",
    "KNOWN_VERSIONS",
    "NEWEST",
    "OLDEST",
    "fallback_reason",
    "find_engine",
    "is_known",
    "refused_build",
]

CPYTHON = {
    # version: (magic number of its bytecode, engine for lines, engine for lines and branches)
    (3, 11): (3495, ENGINE_PROBES, ENGINE_PROBES),
    (3, 12): (3531, ENGINE_MONITORING, ENGINE_PROBES),  # DISABLE on BRANCH would stop both directions there
    (3, 13): (3571, ENGINE_MONITORING, ENGINE_PROBES),
    (3, 14): (3627, ENGINE_MONITORING, ENGINE_MONITORING),
    (3, 15): (3666, ENGINE_MONITORING, ENGINE_MONITORING),
}
OLDEST, NEWEST = min(CPYTHON), max(CPYTHON)
KNOWN_VERSIONS = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"

_PYPY = ((3, 11),)
_JIT_CRASHES = (3, 15)
"""From here on CPython's JIT crashes in code with local JUMP and BRANCH_RIGHT events of sys.monitoring (3.15.2)."""


def is_known(hexversion: int) -> bool:
    """Tell whether records and sample logs of a Python can be read, by its sys.hexversion."""
    return (hexversion >> 24, hexversion >> 16 & 255) in CPYTHON


def find_engine(branch: bool) -> int:
    """Return the engine that is exact here and costs least: settrace where `fallback_reason` says why."""
    if fallback_reason() is not None:
        return ENGINE_SETTRACE
    if sys.implementation.name != "cpython":
        return ENGINE_PROBES
    return CPYTHON[sys.version_info[:2]][2 if branch else 1]


def fallback_reason() -> "tuple[str, str] | None":
    """Return the slug and text of why only settrace can measure this interpreter; None where it is as we know it."""
    unknown = _unknown_part()
    if unknown:
        return "python-unknown", f"this footfall does not know {unknown}: coverage uses the slower engine settrace."
    if _has_crashing_jit():
        text = "CPython's JIT is on, which crashes under sys.monitoring here: coverage uses the slower engine settrace."
        return "jit-settrace", text
    return None


def refused_build() -> str:
    """Return what this interpreter is if nothing of it can be measured, "" else."""
    flags = getattr(sys, "abiflags", "")
    return f"the free-threaded build of CPython {_version()}" if "t" in flags else ""


def _unknown_part() -> str:
    if sys.implementation.name == "pypy":
        return "" if sys.version_info[:2] in _PYPY else f"PyPy for Python {_version()}"
    row = CPYTHON.get(sys.version_info[:2]) if sys.implementation.name == "cpython" else None
    if row is None:
        return f"{sys.implementation.name} {_version()}"
    if "d" in getattr(sys, "abiflags", ""):
        return f"debug builds of CPython {_version()}"
    from _frozen_importlib_external import MAGIC_NUMBER

    magic = int.from_bytes(MAGIC_NUMBER[:2], "little")
    return "" if magic == row[0] else f"CPython {_version()} with the bytecode {magic}, as in an alpha"


def _version() -> str:
    return ".".join(map(str, sys.version_info[:2]))


def _has_crashing_jit() -> bool:
    jit = getattr(sys, "_jit", None)
    if jit is None or sys.version_info[:2] < _JIT_CRASHES or not jit.is_available():
        return False
    return jit.is_enabled() or _will_enable_jit()


def _will_enable_jit() -> bool:
    """Tell whether the interpreter switches its JIT on, which it does behind the start hooks: as its environment says,
    else as it was built."""
    asked = "" if sys.flags.ignore_environment else os.environ.get("PYTHON_JIT", "")
    if asked:
        return not asked.startswith("0")
    multiarch = getattr(sys.implementation, "_multiarch", "")
    name = f"_sysconfigdata_{sys.abiflags}_{sys.platform}_{multiarch}.py"
    try:
        with open(os.path.join(sys._stdlib_dir, name), "rb") as file:  # type: ignore[attr-defined]
            options = file.read()
    except (OSError, AttributeError, TypeError):
        return True  # not known
    return b"--enable-experimental-jit" in options and b"--enable-experimental-jit=yes-off" not in options
