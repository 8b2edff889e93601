"""What /proc tells of a process that footfall did not start."""

from __future__ import annotations

import os
from typing import NamedTuple

from footfall.errors import FootfallError, UsageError

__all__ = [
    "ProcessStat",
    "descendants",
    "no_such_process",
    "not_permitted",
    "read_stat",
    "task_states",
]

_PTRACE_SCOPE = "/proc/sys/kernel/yama/ptrace_scope"


class ProcessStat(NamedTuple):
    """Of /proc/PID/stat (proc_pid_stat(5))."""

    name: str
    state: str
    """R running, S sleeping, D waiting for the disk, T stopped, t traced, Z ended and not yet waited for, X dead"""
    parent: int
    start_ticks: int
    """When it started; together with the pid it tells one process from another that got the same pid."""


def read_stat(path: str) -> ProcessStat | None:
    """Read the `stat` file of a process or thread; None when it is not there."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    except OSError:
        return None
    # the name is in parentheses and may hold any character, parentheses too
    name, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    try:
        return ProcessStat(name, fields[0], int(fields[1]), int(fields[19]))
    except (IndexError, ValueError):
        return None


def task_states(pid: int) -> dict[int, ProcessStat]:
    """Return the stat of each thread of a process, by its id."""
    found = {}
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return {}
    for task in tasks:
        stat = read_stat(f"/proc/{pid}/task/{task}/stat")
        if stat is not None:
            found[int(task)] = stat
    return found


def descendants(pid: int) -> list[int]:
    """Return the processes that stem from one, itself not included; parents before their children."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            stat = read_stat(f"/proc/{entry}/stat")
            if stat is not None and stat.state not in "ZX":
                children.setdefault(stat.parent, []).append(int(entry))
    found = []
    todo = [pid]
    for parent in todo:
        for child in sorted(children.get(parent, ())):
            if child not in found and child != pid:
                found.append(child)
                todo.append(child)
    return found


def no_such_process(pid: int) -> UsageError:
    """Say that a pid is nobody's (any longer)."""
    return UsageError("no-such-process", f"No process {pid}.", "Find its number with `pgrep -a python` or `ps`.")


def not_permitted(pid: int) -> FootfallError:
    """Say why a process may not be read, and what would help here."""
    what = f"Not permitted to read process {pid}"
    try:
        owner = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return no_such_process(pid)
    hint = f"Run as root: sudo footfall attach {pid}. In a container start it with --cap-add=SYS_PTRACE."
    if owner != os.geteuid():
        whose = f"it belongs to user {owner}, and we are {os.geteuid()}"
        return FootfallError("attach-forbidden", f"{what}: {whose}.", hint)
    try:
        with open(_PTRACE_SCOPE, encoding="ascii") as file:
            scope = int(file.read())
    except (OSError, ValueError):
        scope = 0
    if scope == 1:
        return FootfallError(
            "attach-forbidden",
            f"{what}: {_PTRACE_SCOPE} is 1, so only its own parents may.",
            f"{hint} Or allow it to all of a user's processes: sudo sysctl kernel.yama.ptrace_scope=0.",
        )
    if scope >= 2:
        return FootfallError(
            "attach-forbidden",
            f"{what}: {_PTRACE_SCOPE} is {scope}.",
            hint if scope == 2 else "With 3 nobody may until the machine is started anew with less.",
        )
    return FootfallError("attach-forbidden", f"{what}, though it is of the same user.", hint)
