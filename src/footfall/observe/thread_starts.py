"""Look-alikes of the functions of `_thread` that start threads: engines and contexts follow into what they start.

Measuring may begin late, when something else has long been put in their place: a function in Python (gevent, eventlet),
a method (debugpy), an object, nothing. What can be called gets a look-alike, the rest is left.
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
    """From what a thread is to run to a look-alike of it; None leaves it as it is."""

__all__ = ["wrap_thread_functions", "replace_starters"]

_STARTERS = ("start_new_thread", "start_new", "start_joinable_thread")


def replace_starters(look_alike_of: "Callable[[Any], Any]") -> None:
    """Put `look_alike_of(function)` where each function is that starts threads. Raises nothing."""
    replaced: list[tuple[Any, Any]] = []
    # imported already, threading has the functions under names of its own
    for module, prefix in ((_thread, ""), (sys.modules.get("threading"), "_")):
        for name in _STARTERS:
            try:
                plain = getattr(module, prefix + name, None)
                if not callable(plain):
                    continue  # not in this version, or taken away
                look_alike = next((new for old, new in replaced if old is plain), None)
                if look_alike is None:
                    look_alike = look_alike_of(plain)
                    replaced.append((plain, look_alike))
                setattr(module, prefix + name, look_alike)
            except Exception:  # an object of the program's that refuses: what it starts is not followed
                pass


def wrap_thread_functions(wrap: "Callable[..., Any]", wrap_function: "WrapFunction") -> None:
    """Let each thread that is started from now on run `wrap_function(function)` in the place of its function.

    `wrap` makes look-alikes: `_core.children_wrap`, on PyPy `pure_children.wrap`.
    """

    def change(args: "tuple[Any, ...]", named: "dict[str, Any]") -> "tuple[tuple[Any, ...], dict[str, Any]] | None":
        function = args[0] if args else named.get("function")
        wrapped = wrap_function(function) if callable(function) else None
        if wrapped is None:
            return None
        return ((wrapped, *args[1:]), named) if args else (args, {**named, "function": wrapped})

    replace_starters(lambda plain: wrap(plain, change, None))
