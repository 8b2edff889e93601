"""Functions that begin a context: those named test* (coverage.py's `dynamic_context = test_function`), or a plugin's.

As with coverage.py, the context covers everything that the process runs until the function returns, yields or is left
by an exception; a test within a test begins none. `_core` sees the functions begin
(native/engines/function_contexts.c). On PyPy, and for plugins, which need frames, the engine `settrace` does.
"""

from footfall.model import UNCOVERED_CONTEXT
from footfall.observe import contexts
from footfall.observe.thread_starts import wrap_thread_functions
from footfall.own_builtins import keep_builtins
from footfall.tier import HAS_CORE

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any

    from footfall.observe.file_tracers.files import FileTracers

    LabelOf = Callable[[FrameType], str | None]
    """From a frame that begins or continues to the context that it begins."""

__all__ = ["are_on", "label_of_frame", "labels_of", "start", "start_traced", "stop"]

_OPTIMIZED = 1  # inspect.CO_OPTIMIZED: the code is a function's

are_on = False
"""Whether functions begin contexts in this process."""

_has_followed = False


def start(is_main_awaited: bool = False) -> None:
    """Make functions named test* begin contexts from now on. On CPython the record file must be open.

    `is_main_awaited`: the probes engine evaluates frames until the main script starts.
    """
    global are_on, _has_followed
    contexts.have_functions = True
    if not HAS_CORE:
        are_on = True
        return
    from footfall import _core

    if not _core.is_main_interpreter():
        return  # coverage.py does not look into further ones either
    _core.function_contexts_start(_label, is_main_awaited)
    are_on = True
    if not _has_followed:
        _has_followed = True

        def look(_function: "Any") -> None:
            if are_on:
                _core.function_contexts_look()

        wrap_thread_functions(_core.children_wrap, look)


def start_traced(label_of: "LabelOf") -> None:
    """Make frames begin the contexts that `label_of` gives, as the engine `settrace`, which starts later, sees them."""
    global are_on
    are_on = contexts.have_functions = True
    if HAS_CORE:
        from footfall import _core

        _core.function_contexts_trace(label_of)


def labels_of(names_tests: bool, file_tracers: "FileTracers | None") -> "LabelOf":
    """Return the function that gives a frame's label: by its name, if test functions begin contexts, or by plugins."""

    def label_of(frame: "FrameType") -> str | None:
        label = None
        if names_tests:
            try:
                label = label_of_frame(frame)
            except Exception as error:  # the program's attributes may raise anything
                from footfall.observe.interruptions import pass_on  # rarely needed

                pass_on(error)
                label = None
        if label is None and file_tracers is not None and contexts.label() != UNCOVERED_CONTEXT:
            label = file_tracers.context_of(frame)
        return label

    return label_of


def stop() -> None:
    """Make functions stop beginning contexts."""
    global are_on
    if are_on and HAS_CORE:
        from footfall import _core

        _core.function_contexts_stop()
    are_on = contexts.have_functions = False


def label_of_frame(frame: "FrameType") -> str | None:
    """Return the context that the function of a frame begins, None when it begins none. May raise anything."""
    code = frame.f_code
    name = code.co_name
    if not name.startswith("test") and name != "runTest":
        return None
    if code.co_argcount and code.co_varnames[0] == "self":
        return _label(code, frame.f_globals, frame.f_locals.get("self"))
    return _label(code, frame.f_globals)


def _label(code: "CodeType", namespace: "dict[str, Any]", *bound: object) -> str | None:
    """Return the name that coverage.py gives the function; `bound` is its `self`, if that is its first argument."""
    if contexts.label() == UNCOVERED_CONTEXT:
        return None
    name = code.co_name
    method = getattr(bound[0], name, None) if bound else None
    if method is None:
        function = namespace.get(name)
        if function is not None:
            return str(function.__module__) + "." + name
        if code.co_flags & _OPTIMIZED and "<locals>" not in code.co_qualname:  # a static or class method
            return str(namespace.get("__name__")) + "." + code.co_qualname
        return None
    function = getattr(method, "__func__", None)
    if function is None:
        owner = bound[0].__class__
        return owner.__module__ + "." + owner.__name__ + "." + name
    return str(function.__module__) + "." + str(function.__qualname__)
