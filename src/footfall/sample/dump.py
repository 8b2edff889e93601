"""The stacks of a running process at one moment, read from outside."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from footfall import _core
from footfall.errors import FootfallError
from footfall.sample.interpreter import RemoteInterpreter, find_interpreter
from footfall.sample.process import no_such_process, not_permitted, task_states

__all__ = ["DumpedFrame", "DumpedInterpreter", "DumpedProcess", "DumpedThread", "dump_process"]

_MAX_TRIES = 20
_RETRY_SECONDS = 0.002
_STATES = {
    "R": "running",
    "S": "waiting",
    "D": "waiting for the disk",
    "T": "stopped",
    "t": "stopped by a debugger",
    "I": "idle",
}

_Frames = list[tuple[int, int, bytes, bytes, int, bytes]]


class DumpedFrame(NamedTuple):
    """One frame; `unit` is the code unit of its instruction, -1 when it is not known."""

    path: str
    qualname: str
    first_line: int
    line_table: bytes
    unit: int


class DumpedThread(NamedTuple):
    """One thread, and its frames, innermost first. Not `is_whole`: its stack kept on changing while it was read."""

    pthread: int
    """Python's threading.get_ident() there"""
    native_id: int
    """threading.get_native_id() there"""
    task: int
    """The kernel's id here, 0 when it is not known; another than native_id in another pid namespace."""
    name: str
    state: str
    holds_gil: bool
    is_whole: bool
    frames: list[DumpedFrame]


class DumpedInterpreter(NamedTuple):
    """One interpreter's threads, newest first."""

    id: int
    threads: list[DumpedThread]


class DumpedProcess(NamedTuple):
    """All that one process does now."""

    pid: int
    version: str
    command: list[str]
    cwd: str
    interpreters: list[DumpedInterpreter]


def dump_process(pid: int, *, pause: bool = False) -> DumpedProcess:
    """Read all stacks of a process; with `pause` its threads are stopped meanwhile.

    Raises FootfallError as `find_interpreter` does.
    """
    found = find_interpreter(pid)
    try:
        first = _core.RemoteSampler(pid, found.runtime, found.code_type, found.version)
        interpreters = [
            DumpedInterpreter(number, _read_threads(pid, found, address, pause))
            for address, number in first.interpreters()
        ]
    except PermissionError as error:
        raise not_permitted(pid) from error
    except (OSError, ValueError) as error:
        raise no_such_process(pid) from error
    if not interpreters:
        raise FootfallError(
            "attach-not-python",
            f"The Python of process {pid} has not begun, or has ended.",
            "Try again when the program runs.",
        )
    return DumpedProcess(pid, found.version_text(), _command_of(pid), _link(f"/proc/{pid}/cwd"), interpreters)


def _read_threads(pid: int, found: RemoteInterpreter, address: int, pause: bool) -> list[DumpedThread]:
    """Look until each thread was seen whole, or too often. A thread is taken as the first whole look has it."""
    whole: dict[tuple[int, int], DumpedThread] = {}
    order: list[tuple[int, int]] = []
    sampler = _core.RemoteSampler(
        pid, found.runtime, found.code_type, found.version, interpreter=address, pause=pause
    )
    for tries in range(_MAX_TRIES):
        looks = sampler.stacks()
        states = task_states(pid)
        order = [(pthread, native_id) for pthread, native_id, _, _, _ in looks if native_id]
        for pthread, native_id, task, holds_gil, frames in looks:
            key = (pthread, native_id)
            if native_id == 0 or (key in whole and whole[key].is_whole):
                continue
            stat = states.get(task)
            state = "" if stat is None else _STATES.get(stat.state, stat.state)
            whole[key] = DumpedThread(
                pthread,
                native_id,
                task,
                "" if stat is None else stat.name,
                state,
                bool(holds_gil),
                frames is not None,
                [_frame(*frame) for frame in frames or ()],
            )
        if all(whole[key].is_whole for key in order):
            break
        time.sleep(_RETRY_SECONDS * (tries + 1) / _MAX_TRIES)
    return [whole[key] for key in order]


def _frame(_address: int, unit: int, path: bytes, qualname: bytes, first_line: int, line_table: bytes) -> DumpedFrame:
    return DumpedFrame(
        os.fsdecode(path), qualname.decode("utf-8", "surrogateescape"), first_line, line_table, unit
    )


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
