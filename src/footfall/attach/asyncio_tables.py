"""Find asyncio's tables of tasks in another process: CPython 3.14 and later publish where they are.

Of 3.12 and 3.13 that is known.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from footfall.attach.elf import Mapping, find_section, find_symbols, read_mappings
from footfall.attach.interpreter import RemoteInterpreter, candidates
from footfall.errors import FootfallError
from footfall.pythons import FIRST_WITH_TASKS, publishes_tasks, tells_tasks, version_name, version_of

__all__ = ["NO_TABLES", "TaskTables", "check_has_tables", "find_task_tables"]

_SECTION = ".AsyncioDebug"
_TYPES = ("PyCoro_Type", "PyGen_Type", "PyAsyncGen_Type", "_PyAsyncGenASend_Type")


class TaskTables(NamedTuple):
    """Addresses in the process; the address of an unknown type is 0, and coroutines of it are not followed."""

    debug: int
    """The address of the section that says where the fields are; 0: no tables; `_KNOWN`: the version has none."""
    coroutine_type: int
    generator_type: int
    async_generator_type: int
    asend_type: int


_KNOWN = 1
NO_TABLES = TaskTables(0, 0, 0, 0, 0)


def check_has_tables(pid: int, interpreter: RemoteInterpreter) -> None:
    """Raise FootfallError (`async-unsupported`) for a version whose tasks can't be read."""
    if not tells_tasks(version_of(interpreter.version)):
        raise FootfallError(
            "async-unsupported",
            f"The tasks of process {pid} can't be read: it runs CPython {interpreter.version_text()}, and only "
            f"of {version_name(FIRST_WITH_TASKS)} and later it is known where they are.",
            "Leave out --async: the stacks are then those of threads.",
        )


def find_task_tables(pid: int, interpreter: RemoteInterpreter) -> TaskTables:
    """Find the tables; NO_TABLES while the process has not imported asyncio.

    Raises FootfallError: `async-unsupported`, `no-such-process`, `attach-forbidden`.
    """
    check_has_tables(pid, interpreter)
    mappings = read_mappings(pid)
    interpreters = list(candidates(pid, mappings))
    is_published = publishes_tasks(version_of(interpreter.version))
    debug = _find_published(pid, mappings, interpreters) if is_published else _KNOWN
    if not debug:
        return NO_TABLES
    for mapping in interpreters:
        found = find_symbols(pid, mapping, _TYPES)
        if _TYPES[0] in found:
            return TaskTables(debug, *(found.get(name, 0) for name in _TYPES))
    return NO_TABLES


def _find_published(pid: int, mappings: Sequence[Mapping], interpreters: Sequence[Mapping]) -> int:
    """Return the address of the section; 0 if it is in none of the files."""
    # a separate library in most builds, else built in
    modules = [mapping for mapping in mappings if os.path.basename(mapping.path).startswith("_asyncio.")]
    return next(filter(None, (find_section(pid, each, _SECTION) for each in (*modules, *interpreters))), 0)
