"""Attribute events to contexts, without the C core: threads and tasks keep the context they were started in.

As long as there is no work in other contexts, which is nearly always, an event costs one check of a flag.
"""

import _thread
import sys

from footfall.observe.pure.hidden import hidden_applevel
from footfall.observe.pure.recorder import PureRecorder
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import ContextVar
    from typing import Any

    Begin = Callable[[Any], tuple[int | None, Any]]

__all__ = [
    "EventsByContext",
    "after_fork",
    "bind",
    "context_of_other_work",
    "context_of_thread",
    "has_other_work",
    "switch",
    "switch_unbound",
    "wrap_thread",
]

_variable: "ContextVar[str] | None" = None
"""The label of a thread or task; made at the first switch."""

_labels_of_threads: dict[int, str] = {}
"""The labels of threads that were started in a context, by thread identity."""

are_others_there = False
"""What `has_other_work` returns, for callers that must avoid the call."""

_looking = _thread.RLock()
"""Held while the flag is found and set: what another thread finds later must not be overwritten."""


class EventsByContext:
    """The events of a module: what a probe stores is recorded in the context of the running thread or task.

    `begin(events)` returns the number of a new PROBES entry in this process's record file, and the events in it. In a
    process that can't record, it returns the events it was given: the parent's, if there are any. The first event calls
    it, or `begun`. Without a number the module is not measured.
    """

    __slots__ = ("_begin", "_events", "_n_probes", "_parents", "_probes_id", "_recorder", "_seen")

    def __init__(self, recorder: PureRecorder, begin: "Begin", n_probes: int) -> None:
        self._recorder = recorder
        self._begin = begin
        self._n_probes = n_probes
        self._seen: dict[int, set[int]] = {}
        self._parents: Any = None
        self._probes_id: int | None = None
        self._events: Any = None

    def begun(self) -> "EventsByContext":
        """Return itself, with its entry in the record file."""
        self._probes_id, self._events = self._begin(None)
        return self

    def begin_again(self, recorder: PureRecorder, begin: "Begin") -> None:
        """Record in another record file from now on; the next event calls `begin`."""
        self._recorder, self._begin = recorder, begin
        self._parents = self._probes_id = self._events = None
        self._seen.clear()

    @hidden_applevel  # type: ignore[untyped-decorator]
    def __setitem__(self, number: int, value: int) -> None:
        if self._events is None:
            self._probes_id, self._events = self._begin(self._parents)
        if are_others_there:
            context_id = context_of_other_work(self._recorder)
            if context_id is not None:
                self._record(context_id, number)
                return
        self._events[number] = value

    def _record(self, context_id: int, number: int) -> None:
        if self._probes_id is None:
            return
        seen = self._seen.setdefault(context_id, set())
        if number not in seen:
            seen.add(number)
            self._recorder.add_probe_events(self._probes_id, context_id, [number])

    def after_fork(self) -> None:
        """Put the child's events into a file of its own."""
        self._parents, self._events = self._events or self._parents, None
        self._seen.clear()

    def __reduce__(self) -> "tuple[type, tuple[int]]":
        return bytearray, (self._n_probes,)


def has_other_work() -> bool:
    """Return whether there may be work in another context than the process's: `context_of_other_work` then tells."""
    return are_others_there


def context_of_other_work(recorder: PureRecorder) -> int | None:
    """Return the context that the running thread or task belongs to; None if it is the process's."""
    label = None if _variable is None else _variable.get(None)
    if not label or recorder.is_off or _owner(label) == _owner(recorder.label):
        return None
    return recorder.context_id_of(label)


def context_of_thread(recorder: PureRecorder, identity: int) -> int | None:
    """Return the context that a thread was started in; None if it is the process's. Takes no lock."""
    label = _labels_of_threads.get(identity)
    if not label or _owner(label) == _owner(recorder.label):
        return None
    return recorder.known_context_id(label)


def _owner(label: str) -> str:
    """Return what phases of a label share: "test|setup" and "test|run" have one owner, "test"."""
    owner, bar, _ = label.rpartition("|")
    return owner if bar else label


def switch(label: str) -> None:
    """Switch the process to the context, and bind the running thread or task to it."""
    global are_others_there
    recorder = PureRecorder.current
    if recorder is None:
        return
    are_others_there = True  # until it is known: concurrent work must not be counted for the new context
    recorder.switch_context(label)
    bind(label)


def switch_unbound(label: str) -> None:
    """Switch the process to the context; the running thread or task belongs to the process's current context."""
    recorder = PureRecorder.current
    if recorder is not None:
        recorder.switch_context(label)
        if _variable is not None:
            bind("")


def bind(label: str) -> None:
    """Bind the running thread or task, and those that it starts, to the context."""
    global _variable
    if PureRecorder.current is None:
        return
    if _variable is None:
        from contextvars import ContextVar

        _variable = ContextVar("footfall_context")
    _variable.set(label)
    _look_for_other_work(label)


def _look_for_other_work(running: str = "") -> None:
    """Set the flag, according to other running work and `running`, the caller's label."""
    global are_others_there
    recorder = PureRecorder.current
    if recorder is None:
        return
    with _looking:
        owner = _owner(recorder.label)
        labels = [running, *list(_labels_of_threads.values()), *_labels_of_tasks()]
        are_others_there = any(label and _owner(label) != owner for label in labels)


def after_fork() -> None:
    """Forget the parent's other threads."""
    global _looking
    _looking = _thread.RLock()  # one of them may have held it
    running = _thread.get_ident()
    for identity in list(_labels_of_threads):
        if identity != running:
            del _labels_of_threads[identity]
    _look_for_other_work("" if _variable is None else _variable.get(""))


def _labels_of_tasks() -> "list[str]":
    tasks: Any = sys.modules.get("asyncio.tasks")
    known = getattr(tasks, "_all_tasks", None)
    if not known or _variable is None:
        return []
    contexts = [getattr(task, "_context", None) for task in list(known) if not task.done()]
    return [context.get(_variable, "") for context in contexts if context is not None]


def wrap_thread(function: "Callable[..., Any]") -> "Callable[..., Any] | None":
    """Return a wrapper that runs in a new thread with the caller's present label; None if there is none."""
    label = None if _variable is None else _variable.get(None)
    if not label:
        return None

    @hidden_applevel  # type: ignore[untyped-decorator]
    def run(*args: object, **named: object) -> object:
        identity = _thread.get_ident()
        _labels_of_threads[identity] = label
        bind(label)
        try:
            return function(*args, **named)
        finally:
            _labels_of_threads.pop(identity, None)
            _look_for_other_work()

    return run  # type: ignore[no-any-return]
