"""What /proc tells about a process that footfall did not start."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable
from typing import NamedTuple

from footfall.errors import FootfallError, UsageError

__all__ = [
    "ProcessStat",
    "descendants",
    "no_such_process",
    "nothing_runs_python",
    "read_stat",
    "task_states",
    "used_cpu_ns",
    "waited_cpu_ns",
]


class ProcessStat(NamedTuple):
    """Fields of /proc/PID/stat (proc_pid_stat(5))."""

    name: str
    state: str
    """R running, S sleeping, D waiting for the disk, T stopped, t traced, Z ended but not yet waited for, X dead"""
    parent: int
    start_ticks: int
    """When it started; together with the pid it identifies the process even after another one got the same pid."""


def read_stat(path: str) -> ProcessStat | None:
    """Read the `stat` file of a process or thread; None if it is not there."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    except OSError:
        return None
    # the name is in parentheses and may contain any character, parentheses too
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


def used_cpu_ns(pid: int) -> int:
    """Return the CPU time of a process and of the children that it has waited for; 0 if it is not there."""
    return _stat_ticks_ns(pid, 11, 4)


def waited_cpu_ns(pid: int) -> int:
    """Return the CPU time of the children that a process has waited for, and of those that they waited for; 0 if it is
    gone.
    """
    return _stat_ticks_ns(pid, 13, 2)


def _stat_ticks_ns(pid: int, first: int, count: int) -> int:
    """Return the sum of `count` CPU time fields of /proc/PID/stat, counted from the state on."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        ticks = sum(map(int, fields[first : first + count]))
    except (OSError, ValueError):
        return 0
    return ticks * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))


def descendants(pid: int, known: Iterable[int] = ()) -> list[int]:
    """Return a process's descendants, parents before their children.

    The processes in `known` count as descendants: they remain so when a process in between has ended.
    """
    if not os.path.exists(f"/proc/self/task/{threading.get_native_id()}/children"):  # the kernel is built without it
        return _descendants_by_parent(pid)
    found = {pid: None} | dict.fromkeys(known)
    todo = list(found)
    for parent in todo:
        for child in sorted(_children_of(parent)):
            if child not in found:
                found[child] = None
                todo.append(child)
    del found[pid]
    stats = {child: read_stat(f"/proc/{child}/stat") for child in found}
    return [child for child, stat in stats.items() if stat is not None and stat.state not in "ZX"]


def _children_of(pid: int) -> set[int]:
    """Return the processes that a process's threads have started. O(its threads): cheap enough to call often."""
    found: set[int] = set()
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                    found.update(map(int, file.read().split()))
    except OSError:
        return found
    return found


def _descendants_by_parent(pid: int) -> list[int]:
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
    """Return the error that there is no process with this pid (any longer), or no more than its exit status."""
    stat = read_stat(f"/proc/{pid}/stat")
    what = f"No process {pid}." if stat is None else f"Process {pid} ({stat.name}) has ended."
    return UsageError("no-such-process", what, "Find its number with `pgrep -a python` or `ps`.")


def nothing_runs_python(pid: int) -> FootfallError:
    """Return the error that neither a process nor its descendants run Python."""
    return FootfallError(
        "attach-not-python",
        f"Neither process {pid} nor what it started runs Python (yet).",
        "Try again when it does; `footfall attach --children` waits for it.",
    )
