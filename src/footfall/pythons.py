"""The Pythons that footfall knows, one row for each, and named constants for what differs between them.

Other Pythons are measured in ways that need no such knowledge, or refused. No other Python file compares versions. This
is a leaf that the start hook imports, so it imports only what every interpreter has loaded. Instruction numbers are in
python_tables.py, layouts of structures in native/walk/layouts, and what differs for C in native/compat/versions.h;
tests compare them with the rows here. docs/contributing/new-python.md explains how to add a version.
"""

import os
import sys

from footfall.model import ENGINE_MONITORING, ENGINE_PROBES, ENGINE_SETTRACE
from footfall.own_builtins import keep_builtins
from footfall.tier import HAS_CORE, IS_FREE_THREADED, IS_PURE_CPYTHON

keep_builtins(globals())

__all__ = [
    "CPYTHON",
    "FIRST_WITH_TASKS",
    "HAS_BRANCH_EVENTS",
    "HAS_CAPTURE_PROBES",
    "HAS_FUNCTION_CONTEXTS",
    "HAS_PHANTOMS_BEHIND_EXCEPT_STAR",
    "HAS_LINES_OF_NOTHING",
    "HAS_INSTRUCTION_DEBUGGER",
    "HAS_LOCAL_EXCEPTION_EVENTS",
    "HAS_MONITORING",
    "HAS_NESTED_FSTRINGS",
    "HAS_PROBES",
    "HAS_PHANTOM_LINES",
    "HAS_TYPE_STATEMENTS",
    "KNOWN_VERSIONS",
    "MARKS_ENTRIES_FROM_C",
    "NEWEST",
    "OLDEST",
    "OWN",
    "TELLS_TASKS",
    "RETURNS_ON_UNTOLD_LINES",
    "TRACES_ALL_THREADS",
    "TRACES_SINGLE_FRAMES",
    "YIELDS_STAND_AT_RESUME",
    "can_be_injected",
    "fallback_reason",
    "find_engine",
    "free_threaded_build",
    "handler_opcodes",
    "has_jit_on",
    "is_alpha",
    "is_in_range",
    "is_known",
    "is_known_build",
    "publishes_offsets",
    "publishes_tasks",
    "tells_tasks",
    "refused_build",
    "release_name",
    "traced_opcodes",
    "unknown_python",
    "version_name",
    "version_of",
]

CPYTHON = {
    # version: (magic number of its bytecode, engine for lines, engine for lines and branches)
    (3, 11): (3495, ENGINE_PROBES, ENGINE_PROBES),
    (3, 12): (3531, ENGINE_MONITORING, ENGINE_PROBES),  # DISABLE on BRANCH would disable both directions there
    (3, 13): (3571, ENGINE_MONITORING, ENGINE_PROBES),
    (3, 14): (3627, ENGINE_MONITORING, ENGINE_MONITORING),
    (3, 15): (3666, ENGINE_MONITORING, ENGINE_MONITORING),
}
OLDEST, NEWEST = min(CPYTHON), max(CPYTHON)
KNOWN_VERSIONS = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
OWN = sys.version_info[:2]
"""The Python version that this interpreter implements."""

_PYPY = ((3, 11),)
_FREE_THREADED = ((3, 13),)
"""The builds without the GIL that footfall was tried on."""
_ALPHA = 0xA  # a release level, in PY_VERSION_HEX
_IS_CPYTHON = sys.implementation.name == "cpython"

# What this interpreter has. One that is newer than all known versions counts as the newest.

HAS_MONITORING = _IS_CPYTHON and OWN >= (3, 12)
"""sys.monitoring is there (PEP 669): Doc/whatsnew/3.12.rst."""

HAS_BRANCH_EVENTS = _IS_CPYTHON and OWN >= (3, 14)
"""sys.monitoring has BRANCH_LEFT and BRANCH_RIGHT, which can be disabled separately, instead of BRANCH:
Doc/library/sys.monitoring.rst.
"""

HAS_FUNCTION_CONTEXTS = _IS_CPYTHON and HAS_CORE
"""A C function can replace frame evaluation and so see frames (PEP 523)."""

HAS_PROBES = not HAS_BRANCH_EVENTS
"""The engine `probes` exists here, because there are no branch events: native/compat/versions.h, HAS_PROBES."""

HAS_CAPTURE_PROBES = HAS_PROBES and not IS_PURE_CPYTHON
"""Blocks of `footfall.capture()` use probes, and a start in a running program adds some."""

HAS_PHANTOM_LINES = _IS_CPYTHON and OWN < (3, 12)
"""The compiler gives clean-up code the line numbers of statements, so the tracer reports lines that did not run:
Python/compile.c. probes/phantom_lines.py lists them.
"""

HAS_PHANTOMS_BEHIND_EXCEPT_STAR = HAS_PHANTOM_LINES and sys.version_info < (3, 11, 7)
"""In early patch releases, leaving the last `except*` clause may report a line behind it: probes/except_star_ends.py.
"""

HAS_LINES_OF_NOTHING = sys.implementation.name == "pypy"
"""The instructions that leave a `case` or a `finally` clause may have the line of a statement that has no instructions:
probes/lines_of_nothing.py.
"""

RETURNS_ON_UNTOLD_LINES = _IS_CPYTHON and OWN >= (3, 14)
"""A trace function may find that a frame returns on a line that had no event: native/compat/versions.h."""

TRACES_ALL_THREADS = _IS_CPYTHON and OWN >= (3, 12) and not IS_FREE_THREADED
"""sys._settraceallthreads is there: Lib/threading.py, settrace_all_threads. Frames of other threads may be touched,
which nothing makes safe without the GIL while these run: Doc/howto/free-threading-python.rst, on frame objects.
"""

_CRASHES_ON_CONSTANTS = IS_FREE_THREADED and sys.version_info < (3, 13, 3)
"""Code objects may have only such constants as the compiler makes: gh-130851, Objects/codeobject.c."""

TRACES_SINGLE_FRAMES = _IS_CPYTHON and HAS_CORE and not HAS_MONITORING
"""The trace function can be set for single frames: native/compat/versions.h, same name."""

YIELDS_STAND_AT_RESUME = _IS_CPYTHON and OWN == (3, 13)
"""A frame that yields is at the RESUME that follows: native/compat/versions.h, same name."""

HAS_LOCAL_EXCEPTION_EVENTS = _IS_CPYTHON and OWN >= (3, 15)
"""PY_UNWIND and similar events can be enabled in single code objects: native/compat/versions.h, same name."""

HAS_INSTRUCTION_DEBUGGER = _IS_CPYTHON and OWN >= (3, 13)
"""bdb may use sys.monitoring to debug: native/compat/versions.h, same name."""

HAS_NESTED_FSTRINGS = OWN >= (3, 12)
"""A replacement field of an f-string may contain any string (PEP 701): Doc/whatsnew/3.12.rst."""

HAS_TYPE_STATEMENTS = OWN >= (3, 12)
"""`type X = ...` (PEP 695), ast.TypeAlias: Doc/whatsnew/3.12.rst."""

# What a process has depending on its version, a pair such as (3, 14).

FIRST_WITH_TASKS = (3, 12)
"""From here on asyncio's tasks can be read: native/walk/older_tasks.c and, where they are published, tasks.c."""

_FIRST_WITH_PUBLISHED_TASKS = (3, 14)
"""From here on _asyncio publishes the location of its tasks: the section .AsyncioDebug, Modules/_asynciomodule.c."""

_FIRST_WITH_OFFSETS = (3, 13)
"""From here on _PyRuntime begins with _Py_DebugOffsets: Include/internal/pycore_debug_offsets.h, in 3.13
pycore_runtime.h.
"""

_FIRST_WITH_REMOTE_EXEC = (3, 14)
"""From here on sys.remote_exec runs code in another process (PEP 768): Doc/whatsnew/3.14.rst."""

_JIT_CRASHES = (3, 15)
"""From here on CPython's JIT crashes in code with local JUMP and BRANCH_RIGHT events of sys.monitoring (seen in
3.15.2).
"""

TELLS_TASKS = _IS_CPYTHON and OWN >= FIRST_WITH_TASKS

MARKS_ENTRIES_FROM_C = _IS_CPYTHON and OWN >= (3, 12)
"""Whether each entry from C code into the interpreter has a frame on the C stack, which tells where it was."""


def version_of(hexversion: int) -> tuple[int, int]:
    """Return the version in a sys.hexversion (PY_VERSION_HEX in C), such as (3, 14)."""
    return hexversion >> 24, hexversion >> 16 & 255


def version_name(version: tuple[int, int]) -> str:
    """Return a name such as `3.14`."""
    return f"{version[0]}.{version[1]}"


def release_name(hexversion: int) -> str:
    """Return a name such as `3.14.0`."""
    return f"{version_name(version_of(hexversion))}.{hexversion >> 8 & 255}"


def is_known(hexversion: int) -> bool:
    """Return whether the records and sample logs of a Python can be read, given its sys.hexversion."""
    return version_of(hexversion) in CPYTHON


def is_alpha(hexversion: int) -> bool:
    """Return whether a release is an alpha, whose structures may still change."""
    return hexversion >> 4 & 15 == _ALPHA


def is_in_range(version: tuple[int, int]) -> bool:
    """Return whether a version is neither older nor newer than all known versions."""
    return OLDEST <= version <= NEWEST


def publishes_offsets(version: tuple[int, int]) -> bool:
    """Return whether a CPython publishes its structures' field offsets; older versions' release builds are known."""
    return version >= _FIRST_WITH_OFFSETS


def tells_tasks(version: tuple[int, int]) -> bool:
    """Return whether asyncio's tasks can be read in a CPython of this version."""
    return version >= FIRST_WITH_TASKS


def publishes_tasks(version: tuple[int, int]) -> bool:
    """Return whether a CPython publishes where asyncio's tasks are; of older ones it is known."""
    return version >= _FIRST_WITH_PUBLISHED_TASKS


def can_be_injected(version: tuple[int, int]) -> bool:
    """Return whether code can be injected into a CPython process of this version."""
    return version >= _FIRST_WITH_REMOTE_EXEC


def traced_opcodes() -> dict[str, int]:
    """Return the numbers of the instructions that trace functions need on PyPy."""
    from footfall.python_tables import TRACED_OPCODES

    rows = TRACED_OPCODES[sys.implementation.name]
    return rows.get(OWN) or rows[max(rows)]


def handler_opcodes() -> dict[str, int]:
    """Return the numbers of the instructions that identify exception handlers here; for versions with branch events."""
    from footfall.python_tables import CONSTANT_TEST_OPCODES, HANDLER_OPCODES, STEERING_OPCODES

    return {**CONSTANT_TEST_OPCODES[OWN], **STEERING_OPCODES[OWN], **HANDLER_OPCODES[OWN]}


def find_engine(branch: bool) -> int:
    """Return the cheapest engine that is exact here: settrace where `fallback_reason` gives a reason."""
    if fallback_reason() is not None:
        return ENGINE_SETTRACE
    if not _IS_CPYTHON:
        return ENGINE_PROBES
    return CPYTHON[OWN][2 if branch or IS_FREE_THREADED else 1]


def fallback_reason() -> "tuple[str, str] | None":
    """Return a slug and a text that say why only settrace can measure this interpreter; None if another engine can."""
    unknown = unknown_python()
    if unknown:
        return "python-unknown", f"this footfall does not know {unknown}: coverage uses the slower engine settrace."
    if _CRASHES_ON_CONSTANTS:
        text = "this release without the GIL crashes on probes: coverage uses the slower engine settrace."
        return "free-threaded", text + " CPython 3.13.3 and later do not."
    if OWN >= _JIT_CRASHES and has_jit_on():
        text = "CPython's JIT is on, which crashes under sys.monitoring here: coverage uses the slower engine settrace."
        return "jit-settrace", text
    if IS_PURE_CPYTHON and HAS_BRANCH_EVENTS and has_jit_on():
        what = "CPython's JIT is on, and without the C core its branches can't be told apart: "
        return "jit-settrace", what + "coverage uses the slower engine settrace."
    return None


def refused_build() -> str:
    """Return the name of this interpreter if nothing in it can be measured, else ""."""
    return "" if is_known_build(OWN, not IS_FREE_THREADED) else free_threaded_build()


def free_threaded_build() -> str:
    """Return the name of this interpreter if it is a build without the GIL, else ""."""
    return f"the free-threaded build of CPython {version_name(OWN)}" if IS_FREE_THREADED else ""


def is_known_build(version: tuple[int, int], has_gil: bool) -> bool:
    """Return whether builds of a known version, with the GIL or without, can be measured."""
    return has_gil or version in _FREE_THREADED


def unknown_python() -> str:
    """Return the name of this interpreter, or of its part that footfall does not know; "" if it knows everything."""
    if sys.implementation.name == "pypy":
        return "" if OWN in _PYPY else f"PyPy for Python {version_name(OWN)}"
    row = CPYTHON.get(OWN) if _IS_CPYTHON else None
    if row is None:
        return f"{'CPython' if _IS_CPYTHON else sys.implementation.name} {version_name(OWN)}"
    if "d" in getattr(sys, "abiflags", ""):
        return f"debug builds of CPython {version_name(OWN)}"
    from _frozen_importlib_external import MAGIC_NUMBER

    magic = int.from_bytes(MAGIC_NUMBER[:2], "little")
    return "" if magic == row[0] else f"CPython {version_name(OWN)} with the bytecode {magic}, as in an alpha"


def has_jit_on() -> bool:
    """Return whether CPython's JIT is on, or will be once the start hooks have run."""
    jit = getattr(sys, "_jit", None)
    return jit is not None and jit.is_available() and (jit.is_enabled() or _will_enable_jit())


def _will_enable_jit() -> bool:
    """Return whether the interpreter will enable its JIT, which it does after the start hooks.

    Its environment decides, else how it was built.
    """
    asked = "" if sys.flags.ignore_environment else os.environ.get("PYTHON_JIT", "")
    if asked:
        return not asked.startswith("0")
    multiarch = getattr(sys.implementation, "_multiarch", "")
    name = f"_sysconfigdata_{sys.abiflags}_{sys.platform}_{multiarch}.py"
    try:
        with open(os.path.join(sys._stdlib_dir, name), "rb") as file:  # type: ignore[attr-defined]
            options = file.read()
    except (OSError, AttributeError, TypeError):
        return True  # unknown
    return b"--enable-experimental-jit" in options and b"--enable-experimental-jit=yes-off" not in options
