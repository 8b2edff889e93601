"""Wrappers of built-in functions, in Python: on PyPy hidden from tracebacks and from `sys._getframe`."""

from footfall.observe.interruptions import Undisturbed, pass_on
from footfall.observe.pure.hidden import hidden_applevel
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["StandIn", "dress", "wrap"]

_FUNCTION_TYPES = (type(len), type(lambda: None))


class StandIn:
    """The wrapper of an object that is no function: passes everything but calls on to it."""

    __slots__ = ("_call", "_plain")

    def __init__(self, plain: "Any", call: "Callable[..., Any]") -> None:
        object.__setattr__(self, "_plain", plain)
        object.__setattr__(self, "_call", call)

    @hidden_applevel  # type: ignore[untyped-decorator]
    def __call__(self, *args: object, **named: object) -> object:
        return object.__getattribute__(self, "_call")(*args, **named)

    @hidden_applevel  # type: ignore[untyped-decorator]
    def __getattribute__(self, name: str) -> object:
        return getattr(object.__getattribute__(self, "_plain"), name)

    @hidden_applevel  # type: ignore[untyped-decorator]
    def __setattr__(self, name: str, value: object) -> None:
        setattr(object.__getattribute__(self, "_plain"), name, value)

    @hidden_applevel  # type: ignore[untyped-decorator]
    def __repr__(self) -> str:
        return repr(object.__getattribute__(self, "_plain"))


def wrap(
    plain: "Callable[..., Any]", change: "Callable[..., Any] | None", after: "Callable[..., Any] | None"
) -> "Callable[..., Any]":
    """Return a wrapper that changes its arguments by `change(args, named)` and calls `after(args)` at its end.

    `change` may also give (result,) instead of a call, or `finish`, as for CPython's `children_wrap`. Signals
    wait while those run. An Exception in them is ours and is dropped, unless a signal handler of the program raised it.
    """

    @hidden_applevel
    def look_alike(*args, **named):  # type: ignore[no-untyped-def]
        answer = None
        if change is not None:
            try:
                with Undisturbed():
                    answer = change(args, named)
            except Exception as error:  # the original rejects arguments that it does not understand
                pass_on(error)
                answer = None
        if answer is None:
            result = plain(*args, **named)
        elif callable(answer):
            result = _finish(answer, plain, args, named)
        elif len(answer) == 1:
            result = answer[0]
        else:
            result = plain(*answer[0], **answer[1])
        if after is not None:
            try:
                with Undisturbed():
                    after(args)
            except Exception as error:  # as above
                pass_on(error)
        return result

    return dress(look_alike, plain)  # type: ignore[no-any-return]


@hidden_applevel  # type: ignore[untyped-decorator]
def _finish(
    finish: "Callable[[Any], Any]", plain: "Callable[..., Any]", args: "tuple[Any, ...]", named: "dict[str, Any]"
) -> "Any":
    try:
        result = plain(*args, **named)
    except BaseException:
        finish(None)
        raise
    return finish(result)


def dress(wrapper: "Any", plain: "Any") -> "Any":
    """Give a wrapper the attributes of the wrapped function; for another object, return one with its attributes."""
    if type(plain) not in _FUNCTION_TYPES:
        return StandIn(plain, wrapper)
    wrapper.__name__ = plain.__name__
    wrapper.__qualname__ = plain.__qualname__
    wrapper.__doc__ = plain.__doc__
    wrapper.__module__ = plain.__module__
    wrapper.__dict__.update(getattr(plain, "__dict__", {}))
    wrapper.__wrapped__ = plain  # for its signature
    return wrapper
