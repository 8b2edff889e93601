"""Find asyncio's tables of tasks in another process: CPython 3.14 and later publish where they are."""

from __future__ import annotations

import os
from typing import NamedTuple

from footfall.attach.elf import find_section, find_symbols, read_mappings
from footfall.attach.interpreter import RemoteInterpreter, candidates
from footfall.errors import FootfallError
from footfall.pythons import FIRST_WITH_TASKS, publishes_tasks, version_name, version_of

__all__ = ["NO_TABLES", "TaskTables", "check_has_tables", "find_task_tables"]

_SECTION = ".AsyncioDebug"
_TYPES = ("PyCoro_Type", "PyGen_Type", "PyAsyncGen_Type", "_PyAsyncGenASend_Type")


class TaskTables(NamedTuple):
    """Addresses in the process; the address of an unknown type is 0, and coroutines of it are not followed."""

    debug: int
    """The address of the section that says where the fields are; 0: no tables."""
    coroutine_type: int
    generator_type: int
    async_generator_type: int
    asend_type: int


NO_TABLES = TaskTables(0, 0, 0, 0, 0)


def check_has_tables(pid: int, interpreter: RemoteInterpreter) -> None:
    """Raise FootfallError (`async-unsupported`) for a version that does not publish its tasks."""
    if not publishes_tasks(version_of(interpreter.version)):
        raise FootfallError(
            "async-unsupported",
            f"The tasks of process {pid} can't be read: it runs CPython {interpreter.version_text()}, and only "
            f"{version_name(FIRST_WITH_TASKS)} and later publish where they are.",
            "Leave out --async: the stacks are then those of threads.",
        )


def find_task_tables(pid: int, interpreter: RemoteInterpreter) -> TaskTables:
    """Find the tables; NO_TABLES while the process has not imported asyncio.

    Raises FootfallError: `async-unsupported`, `no-such-process`, `attach-forbidden`.
    """
    check_has_tables(pid, interpreter)
    mappings = read_mappings(pid)
    debug = 0
    interpreters = list(candidates(pid, mappings))
    # a separate library in most builds, else built in
    modules = [mapping for mapping in mappings if os.path.basename(mapping.path).startswith("_asyncio.")]
    for mapping in (*modules, *interpreters):
        debug = find_section(pid, mapping, _SECTION)
        if debug:
            break
    if not debug:
        return NO_TABLES
    for mapping in interpreters:
        found = find_symbols(pid, mapping, _TYPES)
        if _TYPES[0] in found:
            return TaskTables(debug, *(found.get(name, 0) for name in _TYPES))
    return NO_TABLES
