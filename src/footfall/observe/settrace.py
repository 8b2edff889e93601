"""The `settrace` engine: the interpreter's trace function, in C where there is the C core, in Python on PyPy.

Threads are traced from their start because the functions of `_thread` that start them are wrapped; `threading.settrace`
stays the program's own. A program that sets another trace function takes its thread out of measuring.
"""

import _thread
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from footfall.observe.scope import Scope
    from footfall.observe.settings import Settings

__all__ = ["start"]

_THREAD_STARTERS = ("start_new_thread", "start_new", "start_joinable_thread")


def start(settings: "Settings", scope: "Scope", is_late: bool = False) -> None:
    """Trace every thread from now on. On CPython the record file must be open.

    PyPy traces new threads and this one, and what runs in it already when the start `is_late`.
    """
    if sys.implementation.name == "cpython":
        from footfall import _core

        _core.settrace_start(scope.decide, settings.branch)
        _wrap_thread_starters(_core.settrace_wrap_thread_start)
    else:
        from footfall.observe import pypy_settrace

        _wrap_thread_starters(pypy_settrace.start(settings, scope, is_late))


def _wrap_thread_starters(wrap: "Callable[[Callable[..., Any], bool], Callable[..., Any]]") -> None:
    threading = sys.modules.get("threading")  # imported already, it has the functions under names of its own
    for name in _THREAD_STARTERS:
        plain = getattr(_thread, name, None)
        if plain is None or type(getattr(plain, "__self__", None)) is tuple:
            continue  # not in this version, or wrapped when measuring was started before
        wrapped = wrap(plain, name == "start_joinable_thread")
        setattr(_thread, name, wrapped)
        if threading is not None and getattr(threading, "_" + name, None) is plain:
            setattr(threading, "_" + name, wrapped)
