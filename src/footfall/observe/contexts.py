"""What runs now belongs to a context: one test, one request. Called by the pytest plugin, the API and programs.

A switch records what each engine has seen since the one before, and lets it be seen again. Contexts are of the
whole process. The `monitoring` engine knows better: threads and tasks carry the context that they were started in,
and go on in it after the process has switched to the next. A label up to its last "|" names their owner: what
"test|setup" started is counted for "test|run" while that lasts.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["bind", "label", "switch", "switch_samples"]

_THREAD_STARTERS = ("start_new_thread", "start_new", "start_joinable_thread")
_POOLS = ("concurrent.futures.thread", "multiprocessing.pool")
"""Modules whose threads work for whoever asks: they belong to what the process runs, not to who came first."""

_has_wrapped = False


def switch(label: str) -> None:
    """Give all that runs in this process from now on, samples too, the context `label` ("" is none).

    Does nothing when the process is not measured. Forked children go on in the context.
    """
    core = sys.modules.get("footfall._core")
    if core is not None:
        if core.context_switch(label) and not _has_wrapped:
            _carry_into_threads(core)
        return
    recorder = sys.modules.get("footfall.observe.pure_recorder")
    if recorder is not None:
        recorder.switch_context(label)


def label() -> str:
    """Return the context of what runs in this process now, "" when there is none."""
    core = sys.modules.get("footfall._core")
    if core is not None:
        found: str = core.context_label()
        return found
    recorder = sys.modules.get("footfall.observe.pure_recorder")
    if recorder is not None and recorder.PureRecorder.current is not None:
        found = recorder.PureRecorder.current.label
        return found
    return ""


def switch_samples(label: str) -> None:
    """Give samples from now on the context `label`; what runs goes on into the present one. Costs next to nothing."""
    core = sys.modules.get("footfall._core")
    if core is not None:
        core.context_switch_samples(label)


def bind(label: str) -> None:
    """Let the running thread or task, and those that it starts, belong to the context `label` ("": to what runs).

    For event loops that outlive a test. Tasks get the context variables of who made the loop's runner
    (`asyncio.Runner` copies them once), which may be an earlier test: call this first in the coroutine that is the
    test. Does nothing where no context was switched to, and but for the `monitoring` engine.
    """
    core = sys.modules.get("footfall._core")
    if core is not None:
        core.context_bind(label)


def _carry_into_threads(core: "Any") -> None:
    """Let threads begin in the context of who starts them. The interpreter does it by a flag only, from 3.14."""
    global _has_wrapped
    _has_wrapped = True
    if sys.version_info < (3, 12):
        return  # no engine there knows of threads
    import _thread

    def change(args: "tuple[Any, ...]", named: "dict[str, Any]") -> "tuple[tuple[Any, ...], dict[str, Any]] | None":
        if args:
            if _is_of_pool(args[0]):
                return None
            own = getattr(getattr(args[0], "__self__", None), "_context", None)
            if own is not None:  # from 3.14 a threading.Thread runs in one of its own
                own.run(core.context_carry(_do_nothing))
            return (core.context_carry(args[0]), *args[1:]), named
        if "function" in named:
            return args, {**named, "function": core.context_carry(named["function"])}
        return None

    threading = sys.modules.get("threading")  # imported already, it has the functions under names of its own
    for name in _THREAD_STARTERS:
        plain = getattr(_thread, name, None)
        if plain is None:
            continue
        wrapped = core.children_wrap(plain, change, None)
        setattr(_thread, name, wrapped)
        if threading is not None and getattr(threading, "_" + name, None) is plain:
            setattr(threading, "_" + name, wrapped)


def _do_nothing() -> None:
    """What is bound by the way of calling this."""


def _is_of_pool(function: "Any") -> bool:
    """Whether the function is that of a `threading.Thread` of a pool."""
    target = getattr(getattr(function, "__self__", None), "_target", None)
    return getattr(target, "__module__", None) in _POOLS
