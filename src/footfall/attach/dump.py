"""The stacks of a running process at one moment, read from outside."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from typing import NamedTuple

from footfall import _core
from footfall.attach.asyncio_tables import NO_TABLES, TaskTables, find_task_tables
from footfall.attach.gil import waits_for_gil
from footfall.attach.interpreter import RemoteInterpreter, find_interpreter, may_begin
from footfall.attach.permission import not_permitted
from footfall.attach.procfs import no_such_process, read_stat, task_states
from footfall.errors import FootfallError
from footfall.pythons import publishes_tasks, version_of

__all__ = ["DumpedFrame", "DumpedInterpreter", "DumpedProcess", "DumpedTask", "DumpedThread", "dump_process"]

_MAX_TRIES = 20
_RETRY_SECONDS = 0.002
_START_SECONDS = 1.0
_START_RETRY_SECONDS = 0.02
_COMM_BYTES = 15
_STATES = {
    "R": "running",
    "S": "waiting",
    "D": "waiting for the disk",
    "T": "stopped",
    "t": "stopped by a debugger",
    "I": "idle",
}

_WAITS_FOR_GIL = "waiting for the GIL"
_MAX_WAITER_TRIES = 8

_NO_TEXT = "".join(map(chr, range(0xDC80, 0xDD00)))
_TASK_STATES = ("waiting", "running", "ended")

_Frames = list[tuple[int, int, bytes, bytes, int, bytes]]
_ThreadState = tuple[int, int, int, int, _Frames | None, int, int]
_Task = tuple[int, bytes, int, int, list[int], _Frames | None, int]


class DumpedFrame(NamedTuple):
    """One frame; `unit` is the code unit of its instruction, -1 if it is not known."""

    path: str
    qualname: str
    first_line: int
    line_table: bytes
    unit: int


class DumpedThread(NamedTuple):
    """One thread and its frames, innermost first. If not `is_whole`, its stack kept changing while it was read."""

    pthread: int
    """Python's threading.get_ident() there"""
    native_id: int
    """threading.get_native_id() there"""
    task: int
    """The kernel's id here, 0 if it is not known; differs from native_id in another pid namespace."""
    name: str
    state: str
    """The kernel's state in words; or `in interpreter N` for a thread that has called into that one."""
    holds_gil: bool
    waits_for_gil: bool
    is_whole: bool
    frames: list[DumpedFrame]


class DumpedTask(NamedTuple):
    """One asyncio task and its frames, innermost first. If not `is_whole`, it ran while it was read."""

    id: int
    """id(task) there"""
    name: str
    pthread: int
    """The thread of its event loop; 0 if that has ended."""
    state: str
    awaited_by: list[int]
    """Ids of the tasks that wait for it."""
    is_whole: bool
    frames: list[DumpedFrame]
    """For a running task, down to its coroutine's frame; the event loop's frames are in its thread's stack."""


class DumpedInterpreter(NamedTuple):
    """One interpreter's threads, newest first, and its tasks: in order of creation, before 3.14 by name."""

    id: int
    threads: list[DumpedThread]
    tasks: list[DumpedTask]
    has_all_tasks: bool
    """False if they changed too quickly, or were not asked for."""


class DumpedProcess(NamedTuple):
    """Everything that one process is doing now."""

    pid: int
    version: str
    command: list[str]
    cwd: str
    interpreters: list[DumpedInterpreter]
    has_asyncio: bool
    """Whether its tasks were asked for and it has imported asyncio."""


def dump_process(pid: int, *, pause: bool = False, with_tasks: bool = False) -> DumpedProcess:
    """Read all stacks of a process, and asyncio's tasks; with `pause` its threads are stopped meanwhile.

    A process that is just starting is given a second.

    Raises FootfallError as `find_interpreter` does, and `async-unsupported` for tasks of versions before 3.12.
    """
    give_up = time.monotonic() + _START_SECONDS
    while True:
        try:
            return _dump(pid, pause=pause, with_tasks=with_tasks)
        except FootfallError as error:
            if error.slug != "attach-not-python" or not may_begin(pid) or time.monotonic() > give_up:
                raise
        time.sleep(_START_RETRY_SECONDS)


def _dump(pid: int, *, pause: bool, with_tasks: bool) -> DumpedProcess:
    found = find_interpreter(pid)
    tables = find_task_tables(pid, found) if with_tasks else NO_TABLES
    try:
        interpreters = _ProcessReader(pid, found, tables, pause).read()
    except PermissionError as error:
        raise not_permitted(pid) from error
    except (OSError, ValueError) as error:
        stat = read_stat(f"/proc/{pid}/stat")
        if stat is None or stat.state in "ZX":
            raise no_such_process(pid) from error
        raise _not_begun(pid) from error
    if not interpreters:
        raise _not_begun(pid)
    cwd = _link(f"/proc/{pid}/cwd")
    return DumpedProcess(pid, found.version_text(), _command_of(pid), cwd, interpreters, bool(tables.debug))


def _not_begun(pid: int) -> FootfallError:
    return FootfallError(
        "attach-not-python",
        f"The Python of process {pid} has not begun, or has ended.",
        "Try again when the program runs.",
    )


_ThreadKey = tuple[int, int, int, int]
"""Interpreter, pthread_t, native id, and an index among those with the same"""


class _ProcessReader:
    """Reads a process until everything was seen whole, or it has tried too often."""

    def __init__(self, pid: int, found: RemoteInterpreter, tables: TaskTables, pause: bool) -> None:
        self._pid = pid
        self._has_tasks = bool(tables.debug)
        self._are_tasks_ordered = publishes_tasks(version_of(found.version))
        self._sampler = _core.RemoteSampler(
            pid, found.runtime, found.code_type, found.version, pause=pause, tasks=tables
        )
        self._threads: dict[_ThreadKey, DumpedThread] = {}
        self._entered: dict[_ThreadKey, int] = {}
        self._tasks: dict[int, list[DumpedTask]] = {}

    def read(self) -> list[DumpedInterpreter]:
        """Return threads as the first read that saw them whole has them, and tasks as the most complete read
        has them.
        """
        order: list[_ThreadKey] = []
        gils: dict[int, int] = {}
        for tries in range(_MAX_TRIES):
            tasks: list[tuple[int, list[_Task] | None]] = []
            if self._has_tasks:
                walked, tasks = self._sampler.stacks_and_tasks()
            else:
                walked = self._sampler.stacks()
            gils = {number: gil for _, number, gil in self._sampler.interpreters()}
            for number, listed in tasks:
                self._take_tasks(number, [each for each in walked if each[5] == number], listed)
            order = self._take_threads(walked, gils)
            if all(self._threads[key].is_whole for key in order) and self._are_tasks_whole(tasks):
                break
            time.sleep(_RETRY_SECONDS * (tries + 1) / _MAX_TRIES)
        self._find_waiters(order, gils)
        self._distinguish_states(order)
        return [
            DumpedInterpreter(
                number,
                [self._threads[key] for key in order if key[0] == number],
                self._tasks.get(number, []),
                number in self._tasks,
            )
            for number in gils
        ]

    def _take_threads(self, walked: list[_ThreadState], gils: Mapping[int, int]) -> list[_ThreadKey]:
        states = task_states(self._pid)
        order: list[_ThreadKey] = []
        for pthread, native_id, task, holds_gil, frames, interpreter, entered in walked:
            if native_id == 0:
                continue
            same = sum(key[:3] == (interpreter, pthread, native_id) for key in order)
            key = (interpreter, pthread, native_id, same)
            order.append(key)
            if key in self._threads and self._threads[key].is_whole:
                continue
            stat = states.get(task)
            state = "" if stat is None else _STATES.get(stat.state, stat.state)
            is_waiting = not holds_gil and waits_for_gil(self._pid, task, gils.get(interpreter, 0))
            if is_waiting:
                state = _WAITS_FOR_GIL
            self._entered[key] = entered
            self._threads[key] = DumpedThread(
                pthread,
                native_id,
                task,
                "" if stat is None else _without_half_character(stat.name),
                state,
                bool(holds_gil),
                is_waiting,
                frames is not None,
                [_frame(*frame) for frame in frames or ()],
            )
        return order

    def _find_waiters(self, order: list[_ThreadKey], gils: Mapping[int, int]) -> None:
        """Look again at threads that run without the GIL: those that wait for it wake up now and then to request it."""
        held = {key[0] for key in order if self._threads[key].holds_gil}
        for _ in range(_MAX_WAITER_TRIES):
            unclear = [
                key
                for key in order
                if key[0] in held and self._threads[key].state == _STATES["R"] and not self._threads[key].holds_gil
            ]
            if not unclear:
                return
            time.sleep(_RETRY_SECONDS)
            for key in unclear:
                if waits_for_gil(self._pid, self._threads[key].task, gils.get(key[0], 0)):
                    self._threads[key] = self._threads[key]._replace(state=_WAITS_FOR_GIL, waits_for_gil=True)

    def _distinguish_states(self, order: list[_ThreadKey]) -> None:
        """Say for a thread that has called into another interpreter where it runs: in the one entered last."""
        threads: dict[int, list[_ThreadKey]] = {}
        for key in order:
            threads.setdefault(key[2], []).append(key)
        for keys in threads.values():
            entered = [key for key in keys if self._entered[key]]
            if len(keys) < 2 or not entered:
                continue
            runs = min(entered, key=self._entered.__getitem__)
            for key in keys:
                if key != runs:
                    self._threads[key] = self._threads[key]._replace(state=f"in interpreter {runs[0]}")

    def _are_tasks_whole(self, tasks: list[tuple[int, list[_Task] | None]]) -> bool:
        return all(number in self._tasks and all(task.is_whole for task in self._tasks[number]) for number, _ in tasks)

    def _take_tasks(self, interpreter: int, walked: list[_ThreadState], tasks: list[_Task] | None) -> None:
        if tasks is None:
            return
        stacks = {each[0]: each[4] for each in walked}
        seen = []
        for address, name, pthread, state, awaited_by, frames, n_on_thread in tasks:
            if n_on_thread:
                stack = stacks.get(pthread)
                frames = None if stack is None else stack[:n_on_thread]
            seen.append(
                DumpedTask(
                    address,
                    _text(name),
                    pthread,
                    _TASK_STATES[state],
                    awaited_by,
                    frames is not None,
                    [_frame(*frame) for frame in frames or ()],
                )
            )
        if not self._are_tasks_ordered:
            seen.sort(key=lambda task: (_numbers_by_value(task.name), task.id))
        known = self._tasks.get(interpreter)
        if known is None or _count_torn(seen) <= _count_torn(known):
            self._tasks[interpreter] = seen


def _without_half_character(name: str) -> str:
    """Drop a partial character: the kernel cuts a thread's name at 15 bytes, which may be within a character."""
    return name.rstrip(_NO_TEXT) if len(os.fsencode(name)) >= _COMM_BYTES else name


def _count_torn(tasks: list[DumpedTask]) -> int:
    return sum(not task.is_whole for task in tasks)


def _numbers_by_value(name: str) -> list[tuple[int, str]]:
    """Return a key by which `Task-2` is before `Task-10`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _frame(_address: int, unit: int, path: bytes, qualname: bytes, first_line: int, line_table: bytes) -> DumpedFrame:
    return DumpedFrame(os.fsdecode(path), _text(qualname), first_line, line_table, unit)


def _command_of(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return [os.fsdecode(word) for word in file.read().split(b"\0")[:-1]]
    except OSError:
        return []


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
