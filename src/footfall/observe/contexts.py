"""What runs now belongs to a context: one test, one request. Called by the pytest plugin, the API and programs.

A switch records what each engine has seen since the previous switch, and lets it be seen again. The process has a
current context; threads and tasks carry the one that they were started in, and stay in it after the process has
switched to the next. The part of a label before its last "|" names the owner: what "test|setup" started is counted for
"test|run" while that is current.
"""

import sys

from footfall.model import UNCOVERED_CONTEXT
from footfall.observe.messages import report
from footfall.observe.thread_starts import wrap_thread_functions
from footfall.own_builtins import keep_builtins
from footfall.tier import HAS_CORE

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["are_expected", "bind", "expect", "label", "switch", "switch_samples"]

_POOLS = ("concurrent.futures.thread", "multiprocessing.pool")
"""Modules whose threads work for any caller: they belong to the process's current context, not to their creator's."""

are_expected = False
"""Whether the process will switch contexts."""

have_functions = False
"""Whether functions named test* begin contexts by themselves (function_contexts.py)."""

_has_followed = False
_has_failed = False
_has_met_functions = False


def expect() -> None:
    """Announce that the process will switch contexts: on PyPy, code loaded from now on asks for its context."""
    global are_expected
    are_expected = True


def switch(label: str) -> None:
    """Put everything that runs in this process from now on, samples too, into the context `label` ("" is none).

    Does nothing when the process is not measured. Forked children stay in the context. Raises nothing.
    """
    global _has_failed
    try:
        _switch(label)
    except Exception as error:  # any failure of ours must leave the program as it is
        from footfall.observe.interruptions import pass_on  # rarely needed

        pass_on(error)
        if not _has_failed:
            _has_failed = True
            report("engine-failed", "a context was not switched to: " + repr(error) + ".", "Please report it.")


def _switch(label: str) -> None:
    if have_functions and label not in ("", UNCOVERED_CONTEXT):
        _say_of_functions()
    core = _loaded_core()
    if core is not None:
        if core.context_switch(label) and not _has_followed:
            _follow_into_threads(core)
        return
    if "footfall.observe.pure.recorder" in sys.modules:
        from footfall.observe.pure import contexts as pure_contexts

        pure_contexts.switch(label)
        if not _has_followed:
            _follow_into_threads_in_python()


def _loaded_core() -> "Any":
    """Return the C core where it measures here and is loaded, else None."""
    return sys.modules.get("footfall._core") if HAS_CORE else None


def _say_of_functions() -> None:
    global _has_met_functions
    if not _has_met_functions:
        _has_met_functions = True
        what = "contexts are named by dynamic_context or a plugin of coverage.py, and by the program or pytest as well."
        report("dynamic-conflict", what, "Leave out one of them: each ends the other's contexts.")


def label() -> str:
    """Return the current context of this process, "" when there is none."""
    core = _loaded_core()
    if core is not None:
        found: str = core.context_label()
        return found
    recorder = sys.modules.get("footfall.observe.pure.recorder")
    if recorder is not None and recorder.PureRecorder.current is not None:
        found = recorder.PureRecorder.current.label
        return found
    return ""


def switch_samples(label: str) -> None:
    """Put samples from now on into the context `label`; coverage stays in the present one. Costs next to nothing."""
    core = _loaded_core()
    if core is not None:
        core.context_switch_samples(label)
        return
    recorder = sys.modules.get("footfall.observe.pure.recorder")
    if recorder is not None and recorder.PureRecorder.current is not None:
        recorder.PureRecorder.current.label_samples(label)


def bind(label: str) -> None:
    """Bind the running thread or task, and those that it starts, to the context `label` ("": the process's).

    For event loops that outlive a test. Tasks get the context variables of the creator of the loop's runner
    (`asyncio.Runner` copies them once), which may be an earlier test: call this first in the coroutine that is the
    test. Does nothing if the process has not switched contexts.
    """
    core = _loaded_core()
    if core is not None:
        core.context_bind(label)
    elif "footfall.observe.pure.recorder" in sys.modules:
        from footfall.observe.pure import contexts as pure_contexts

        pure_contexts.bind(label)


def _follow_into_threads(core: "Any") -> None:
    """Start threads in the context of their creator. The interpreter itself does it only by a flag, from 3.14."""
    global _has_followed
    _has_followed = True

    def wrap_thread(function: "Any") -> "Any":
        if _is_of_pool(function):
            return None
        own = getattr(getattr(function, "__self__", None), "_context", None)
        if own is not None:  # from 3.14 a threading.Thread runs in a context of its own
            own.run(core.context_wrap_thread(_do_nothing))
        return core.context_wrap_thread(function)

    wrap_thread_functions(core.children_wrap, wrap_thread)


def _follow_into_threads_in_python() -> None:
    global _has_followed
    _has_followed = True
    from footfall.observe.pure import children as pure_children
    from footfall.observe.pure import contexts as pure_contexts

    def wrap_thread(function: "Any") -> "Any":
        run = None if _is_of_pool(function) else pure_contexts.wrap_thread(function)
        return None if run is None else pure_children.dress(run, function)

    wrap_thread_functions(pure_children.wrap, wrap_thread)


def _do_nothing() -> None:
    """Do nothing; called to bind a context."""


def _is_of_pool(function: "Any") -> bool:
    """Return whether the function belongs to a `threading.Thread` of a pool."""
    target = getattr(getattr(function, "__self__", None), "_target", None)
    return getattr(target, "__module__", None) in _POOLS
