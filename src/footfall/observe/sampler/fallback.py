"""The sampler if the system forbids reading our own memory safely: a Python thread that reads with the GIL held.

It sees the other threads only where they release the GIL (every 5 ms at best), so a busy program gets few samples. It
writes the same log as the native thread.
"""

import _thread
import time

from footfall import _core
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

__all__ = ["start"]


def start(path: str, interval_ns: int) -> None:
    """Sample this process into `path` every `interval_ns`, or as often as the GIL allows. Raises OSError."""
    _core.sampler_open_fallback(path, interval_ns)

    def run() -> None:
        sleep = time.sleep
        while _core.sampler_take():
            sleep(interval_ns / 1e9)

    # Not threading.Thread: it would import threading, and appear in threading.enumerate().
    _thread.start_new_thread(run, ())
