"""Which threads of another process wait for the GIL: those that the kernel has asleep on its condition or its mutex.

CPython has no list of them. A thread that takes the GIL sleeps in a futex call (pthread_cond_timedwait) whose word is
within the GIL's structure, and the kernel tells a thread's call and its arguments. It wakes up every 5 ms to ask the
holder to let go, so that one in a few thousand looks finds it running.
"""

from __future__ import annotations

from typing import Final

__all__ = ["waits_for_gil"]

_FUTEX: Final = "202"  # x86-64's number of the call
_COND_AT: Final = 24
"""From the word of the last holder on, as are these: `cond`, then `mutex`, of _gil_runtime_state (pycore_gil.h)."""
_MUTEX_END: Final = 112


def waits_for_gil(pid: int, task: int, gil: int) -> bool:
    """Tell whether a thread, by the kernel's id, sleeps on a GIL whose last holder's word is at `gil` (0: no GIL).

    False where the kernel does not tell, as of processes of others.
    """
    if not task or not gil:
        return False
    try:
        with open(f"/proc/{pid}/task/{task}/syscall", encoding="ascii") as file:
            number, _, arguments = file.read().partition(" ")
    except OSError:
        return False
    if number != _FUTEX:
        return False
    word = int(arguments.split()[0], 16)
    return gil + _COND_AT <= word < gil + _MUTEX_END
