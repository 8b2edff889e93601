"""Which threads of another process wait for the GIL: those that the kernel has asleep on its condition or its mutex.

CPython has no list of them. A thread that takes the GIL sleeps in a futex call (pthread_cond_timedwait) whose word is
within the GIL's structure, and the kernel reports a thread's system call and its arguments. The thread wakes up every 5
ms to ask the holder to release the GIL, so one in a few thousand looks finds it running.
"""

from __future__ import annotations

from typing import Final

__all__ = ["waits_for_gil"]

_FUTEX: Final = "202"  # the number of the call on x86-64
_COND_AT: Final = 24
"""Offsets from the word of the last holder: of `cond`, then `mutex`, in _gil_runtime_state (pycore_gil.h)."""
_MUTEX_END: Final = 112


def waits_for_gil(pid: int, task: int, gil: int) -> bool:
    """Return whether a thread (kernel id `task`) sleeps on a GIL whose last holder's word is at `gil` (0: no GIL).

    False if the kernel does not tell, as for processes of other users.
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
