"""Look-alikes of built-in functions on PyPy, in Python: hidden from tracebacks and from `sys._getframe`."""

import __pypy__  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["wrap"]


def wrap(
    plain: "Callable[..., Any]", change: "Callable[..., Any] | None", after: "Callable[..., Any] | None"
) -> "Callable[..., Any]":
    """Return a function that changes its arguments by `change(args, named)` and calls `after(args)` at its end."""

    @__pypy__.hidden_applevel
    def look_alike(*args, **named):  # type: ignore[no-untyped-def]
        pair = None
        if change is not None:
            try:
                pair = change(args, named)
            except Exception:  # arguments that it does not understand are the original's to refuse
                pair = None
        result = plain(*args, **named) if pair is None else plain(*pair[0], **pair[1])
        if after is not None:
            try:
                after(args)
            except Exception:  # as above
                pass
        return result

    look_alike.__name__ = look_alike.__qualname__ = plain.__name__
    look_alike.__doc__ = plain.__doc__
    look_alike.__module__ = plain.__module__
    return look_alike  # type: ignore[no-any-return]
