"""Starts the inside sampler: called by the start hook in each measured CPython process.

The sampling is in C (native/sampler/loop.c): a native thread that reads this process's own stacks. Where the kernel
forbids that, observe/sampler/fallback.py replaces it.
"""

import atexit
import os

from footfall import _core
from footfall.observe.messages import report
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

__all__ = ["start"]

_MAX_LOGS_PER_PID = 100000


def start(
    directory: str,
    rate_hz: int,
    max_cpu_ppm: int = 0,
    precise: bool = False,
    with_tasks: bool = False,
    native: bool = False,
) -> None:
    """Sample this process `rate_hz` times a second into `<directory>/<pid>-<n>.smp`, and its forks likewise.

    With `max_cpu_ppm`, it samples less often (down to 100 times a second) if it would use more than this many
    millionths of the CPU time. With `precise`, each thread walks its own stack in a signal handler. `with_tasks` joins
    the stacks of asyncio's tasks with those of the tasks that wait for them, and counts waiting tasks (CPython 3.14 and
    later). With `native`, C stacks are recorded too; it needs `precise`. Raises OSError or RuntimeError if it can't
    start.
    """
    interval_ns = 1_000_000_000 // rate_hz
    _start_here(directory, interval_ns, max_cpu_ppm, precise, with_tasks, native)

    def start_in_child() -> None:
        _core.sampler_after_fork_child()
        try:
            _start_here(directory, interval_ns, max_cpu_ppm, precise, with_tasks, native)
        except (OSError, RuntimeError) as error:  # the child must continue, unsampled
            report("sampler-failed", "the profile did not start in a forked process: " + str(error) + ".")

    # os.fork() warns in a program with threads: ours must not exist when it counts them.
    os.register_at_fork(
        before=_core.sampler_before_fork,
        after_in_parent=_core.sampler_after_fork_parent,
        after_in_child=start_in_child,
    )
    # Registered before all functions of the program, so called after them; the core's function itself, so that no frame
    # of ours is sampled.
    atexit.register(_core.sampler_stop)


def _start_here(
    directory: str, interval_ns: int, max_cpu_ppm: int, precise: bool, with_tasks: bool, native: bool
) -> None:
    stem = directory + "/" + str(os.getpid()) + "-"
    for number in range(_MAX_LOGS_PER_PID):
        path = stem + str(number) + ".smp"
        if os.path.exists(path):
            continue
        try:
            _start_core(path, interval_ns, max_cpu_ppm, precise, with_tasks, native)
        except FileExistsError:
            continue
        except PermissionError as error:
            if error.filename is not None:
                raise  # from the log itself: a process of another user can't write there
            from footfall.observe.sampler import fallback

            report(
                "sampler-fallback",
                "reading memory is not permitted ("
                + str(error)
                + "): a Python thread samples instead, which sees less.",
                "Allow process_vm_readv or /proc/self/mem for this process.",
            )
            fallback.start(path, interval_ns)
        return
    raise OSError("too many sample logs for process " + str(os.getpid()))


def _start_core(path: str, interval_ns: int, max_cpu_ppm: int, precise: bool, with_tasks: bool, native: bool) -> None:
    """Start the native sampler; if no signal is free for `precise`, report that and start it without."""
    try:
        _core.sampler_start(path, interval_ns, 0, True, max_cpu_ppm, precise, 0, with_tasks or None, native)
    except OSError as error:
        if error.errno != 16:  # EBUSY; the module errno may not be loaded
            raise
        report("precise-signal-taken", "every real-time signal is in use: the profile is without --precise.")
        os.unlink(path)
        _core.sampler_start(path, interval_ns, 0, True, max_cpu_ppm)
