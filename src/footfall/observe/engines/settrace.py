"""The `settrace` engine: the interpreter's trace function, in C with the C core, else in Python.

Threads are traced from their start, because the functions of `_thread` that start them are wrapped;
`threading.settrace` stays the program's own. When a program sets another trace function in a thread, that thread is no
longer measured.
"""

import sys

from footfall.observe.module_names import find_running_namespace
from footfall.observe.own_modules import load_own
from footfall.observe.thread_starts import wrap_thread_functions
from footfall.own_builtins import keep_builtins
from footfall.tier import HAS_CORE

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from footfall._core import TracedFrames
    from footfall.observe.file_tracers.files import FileTracers
    from footfall.observe.pure.traced_frames import TracedFrames as PureFrames
    from footfall.observe.scope import Scope
    from footfall.settings import Settings

    Decide = Callable[[str], Any]
    """The path of a measured file, the TracedFile of a plugin's file, or None."""

__all__ = ["ask_again", "follow_threads", "start", "start_for_plugins", "start_with_probes"]

_has_followed = False


def start(
    settings: "Settings",
    scope: "Scope",
    is_late: bool = False,
    only_new: bool = False,
    traced_frames: "TracedFrames | PureFrames | None" = None,
    with_probes: bool = False,
) -> None:
    """Trace every thread from now on. On CPython the record file must be open.

    Without the core, it traces this thread and new ones, and if the start `is_late` also what already runs in this
    thread, and `with_probes` (PyPy) gives probes to functions that exist. `only_new` leaves out what already runs.
    `traced_frames` are those of the files that plugins measure.
    """
    if not HAS_CORE:
        from footfall.observe.pure import settrace as pure_settrace

        frames: Any = traced_frames
        pure_settrace.start(settings, scope, is_late, only_new, frames, with_probes)
        return
    decide: Decide = scope.decide
    if scope.file_tracers is not None and traced_frames is not None:
        decide = _deciding(scope.decide, scope.file_tracers)
    _start_in_core(decide, settings.branch, only_new, traced_frames)


def _deciding(decide: "Callable[[str], str | None]", files: "FileTracers") -> "Decide":
    """Return `decide`, extended to return the TracedFile of a file that a plugin measures."""

    def decide_or_find(filename: str) -> "Any":
        traced = files.find(filename, find_running_namespace(filename))
        return decide(filename) if traced is None else traced

    return decide_or_find


def start_with_probes(decide: "Callable[[str], str | None]", branch: bool) -> None:
    """Trace the files that `decide(co_filename)` gives a path for, beside the probes engine and in its record."""
    if not HAS_CORE:
        _settrace_in_python().start_with_probes(decide, branch)
    else:
        _start_in_core(decide, branch)


def start_for_plugins(traced_frames: "PureFrames", branch: bool) -> None:
    """Trace the frames of files that plugins measure, beside the probes engine without the core."""
    _settrace_in_python().start_for_plugins(traced_frames, branch)


def _start_in_core(decide: "Decide", branch: bool, only_new: bool = False, traced_frames: "Any" = None) -> None:
    from footfall import _core

    _core.settrace_start(decide, branch, only_new, traced_frames)
    follow_threads()


def follow_threads() -> None:
    """Trace threads from their start, as long as something is traced."""
    global _has_followed
    from footfall import _core

    if not _has_followed:
        _has_followed = True
        wrap_thread_functions(_core.children_wrap, _core.settrace_wrap_thread)


def ask_again(filename: str) -> None:
    """Decide anew about code of a file that begins from now on."""
    if not HAS_CORE:
        _settrace_in_python().ask_again(filename)
        return
    from footfall import _core

    _core.settrace_ask_again(filename)


def _settrace_in_python() -> "Any":
    own = ("pypy.phantom_lines", "pypy.tracing") if sys.implementation.name == "pypy" else ("pure.cpython",)
    for name in ("file_tracers", "file_tracers.files", *own, "pure.interpreter"):  # the next module imports it
        load_own(name)
    return load_own("pure.settrace")
