"""Wrappers of the functions of `_thread` that start threads: engines and contexts follow into the new threads.

Measuring may begin late, when something else is already in their place: a Python function (gevent, eventlet), a method
(debugpy), an object, nothing. Whatever can be called gets a wrapper, the rest is left alone.
"""

import _thread
import sys

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    WrapFunction = Callable[[Callable[..., Any]], Callable[..., Any] | None]
    """From the function that a thread is to run to a wrapper of it; None leaves it as it is."""

__all__ = ["replace_starters", "start_plain_thread", "wrap_thread_functions"]

start_plain_thread: "Callable[..., Any] | None" = getattr(_thread, "start_new_thread", None)
"""The interpreter's own, unless the program replaced it before measuring began; None if the program removed it."""

_STARTERS = ("start_new_thread", "start_new", "start_joinable_thread")


def replace_starters(look_alike_of: "Callable[[Any], Any]") -> None:
    """Replace each function that starts threads by `look_alike_of(function)`. Raises nothing."""
    replaced: list[tuple[Any, Any]] = []
    # threading, if imported already, has the functions under its own names
    for module, prefix in ((_thread, ""), (sys.modules.get("threading"), "_")):
        for name in _STARTERS:
            try:
                plain = getattr(module, prefix + name, None)
                if not callable(plain):
                    continue  # not in this version, or removed
                look_alike = next((new for old, new in replaced if old is plain), None)
                if look_alike is None:
                    look_alike = look_alike_of(plain)
                    replaced.append((plain, look_alike))
                setattr(module, prefix + name, look_alike)
            except Exception:  # an object of the program that refuses: threads that it starts are not followed
                pass


def wrap_thread_functions(wrap: "Callable[..., Any]", wrap_function: "WrapFunction") -> None:
    """Make each thread that is started from now on run `wrap_function(function)` instead of its function.

    `wrap` makes the wrappers: `_core.children_wrap`, on PyPy `pure_children.wrap`.
    """

    def change(args: "tuple[Any, ...]", named: "dict[str, Any]") -> "tuple[tuple[Any, ...], dict[str, Any]] | None":
        function = args[0] if args else named.get("function")
        wrapped = wrap_function(function) if callable(function) else None
        if wrapped is None:
            return None
        return ((wrapped, *args[1:]), named) if args else (args, {**named, "function": wrapped})

    replace_starters(lambda plain: wrap(plain, change, None))
