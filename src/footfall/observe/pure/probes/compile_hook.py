"""`compile` on CPython without the C core: what a program compiles under the name of a measured file has probes.

No frame of ours is in the traceback of an error that the plain `compile` raises. To call the wrapper is to make an
object of a class: its `__new__` is ours and returns the code. If there is an error, it returns an object whose
initialization, in C, raises that.
"""

import sys
from _functools import partial  # type: ignore[import-not-found]  # functools may not be loaded

from footfall.observe.engines.plain_code import FUTURES, ONLY_AST
from footfall.observe.interruptions import pass_on
from footfall.observe.pure.children import StandIn
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import CodeType
    from typing import Any

    CodeForSource = Callable[[str | bytes, str, int, int], CodeType | None]
    CodeForTree = Callable[[CodeType, int], CodeType | None]

__all__ = ["wrapped_compile"]

_IMPORT_CALLER = "<frozen importlib._bootstrap>"
"""As in engines/probes.py: what the import system compiles must be plain."""
_OWN_FILE = (lambda: None).__code__.co_filename


def wrapped_compile(
    plain: "Callable[..., Any]", code_for_source: "CodeForSource", code_for_tree: "CodeForTree"
) -> "Any":
    """Return what to put in place of `compile`.

    `code_for_source(source, filename, flags, optimize)` returns code with probes; None for what is not measured.
    `code_for_tree(code, optimize)` does so for the code that a syntax tree gives.
    """

    class Compilation(partial):  # type: ignore[misc]
        """What a call makes: an object of this class only if it fails, which raises the error when it is called."""

        __slots__ = ()

        def __new__(cls, /, *args: "Any", **named: "Any") -> "Any":
            try:
                wanted = _wanted(args, named)
                if wanted is None:
                    return plain(*args, **named)  # it says what is wrong
                return _compile(plain, code_for_source, code_for_tree, *wanted)
            except BaseException as error:
                return partial.__new__(cls, _raiser(), error.with_traceback(_behind_ours(error)))

        __init__ = property(partial.__call__)

    class Wrapper(StandIn):
        __slots__ = ()
        __call__ = Compilation

    return Wrapper(plain, plain)


def _wanted(args: "tuple[Any, ...]", named: "dict[str, Any]") -> "tuple[Any, ...] | None":
    """Return all arguments in order; None if they are not those of `compile`."""
    try:
        return _arguments(*args, **named)
    except TypeError:
        return None


def _arguments(
    source: "Any",
    filename: "Any",
    mode: "Any",
    flags: "Any" = 0,
    dont_inherit: "Any" = False,
    optimize: "Any" = -1,
    *,
    _feature_version: "Any" = -1,
) -> "tuple[Any, ...]":
    return source, filename, mode, flags, dont_inherit, optimize, _feature_version


def _compile(
    plain: "Callable[..., Any]",
    code_for_source: "CodeForSource",
    code_for_tree: "CodeForTree",
    source: "Any",
    filename: "Any",
    mode: "Any",
    flags: "Any",
    dont_inherit: "Any",
    optimize: "Any",
    feature_version: "Any",
) -> "Any":
    caller = _caller()
    if caller is not None and type(flags) is int and dont_inherit is False:
        flags |= caller.co_flags & FUTURES  # the plain function would take them from our frame
    is_module = (
        type(mode) is str
        and mode == "exec"
        and type(filename) is str
        and filename[:1] != "<"
        and type(flags) is type(optimize) is type(feature_version) is int
        and not flags & ONLY_AST
        and feature_version < 0
        and (caller is None or caller.co_filename != _IMPORT_CALLER)
    )
    if is_module and type(source) in (str, bytes):
        code = _or_none(code_for_source, source, filename, flags, optimize)
        if code is not None:
            return code
    code = plain(source, filename, mode, flags, dont_inherit, optimize, _feature_version=feature_version)
    if is_module and _is_tree(source):
        return _or_none(code_for_tree, code, optimize) or code
    return code


def _is_tree(source: "Any") -> bool:
    if isinstance(source, (str, bytes, bytearray, memoryview)):
        return False
    from _ast import Module  # what made the tree has loaded it

    return isinstance(source, Module)


def _or_none(make: "Callable[..., CodeType | None]", *arguments: "Any") -> "CodeType | None":
    """Return the code with probes, if there is room on the stack; else it is decided about when the code runs."""
    try:
        return make(*arguments)
    except RecursionError:
        return None


def _caller() -> "CodeType | None":
    """Return the code that called `compile`; None if an audit hook of the program forbids looking."""
    try:
        return sys._getframe(3).f_code
    except Exception as error:
        pass_on(error)
        return None


def _behind_ours(error: BaseException) -> "Any":
    """Return the traceback of an error without the frames of this file that it begins with."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == _OWN_FILE:
        trace = trace.tb_next
    return trace


def _nothing() -> "Generator[None, None, None]":
    yield


def _raiser() -> "Callable[[BaseException], None]":
    """Return a function in C that raises an error."""
    ended = _nothing()
    ended.close()
    return ended.throw
