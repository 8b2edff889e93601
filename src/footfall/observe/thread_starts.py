"""Look-alikes of the functions of `_thread` that start threads: engines and contexts follow into what they start."""

import _thread
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Carry = Callable[[Callable[..., Any]], Callable[..., Any] | None]
    """From what a thread is to run to a look-alike of it; None leaves it as it is."""

__all__ = ["carry_into_threads", "replace_starters"]

_STARTERS = ("start_new_thread", "start_new", "start_joinable_thread")


def replace_starters(look_alike_of: "Callable[[Any], Any]") -> None:
    """Put `look_alike_of(function)` where each function is that starts threads."""
    threading = sys.modules.get("threading")  # imported already, it has the functions under names of its own
    for name in _STARTERS:
        plain = getattr(_thread, name, None)
        if plain is None:
            continue  # not in this version
        look_alike = look_alike_of(plain)
        setattr(_thread, name, look_alike)
        if threading is not None and getattr(threading, "_" + name, None) is plain:
            setattr(threading, "_" + name, look_alike)


def carry_into_threads(wrap: "Callable[..., Any]", carry: "Carry") -> None:
    """Let each thread that is started from now on run `carry(function)` in the place of its function.

    `wrap` makes look-alikes: `_core.children_wrap`, on PyPy `pypy_children.wrap`.
    """

    def change(args: "tuple[Any, ...]", named: "dict[str, Any]") -> "tuple[tuple[Any, ...], dict[str, Any]] | None":
        function = args[0] if args else named.get("function")
        carried = carry(function) if callable(function) else None
        if carried is None:
            return None
        return ((carried, *args[1:]), named) if args else (args, {**named, "function": carried})

    replace_starters(lambda plain: wrap(plain, change, None))
