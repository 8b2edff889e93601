"""Where the lines of traced files go: the process's record file."""

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Sink(Protocol):
        """A record file, as far as it is needed here."""

        def context(self) -> int: ...

        def add(self, path: str, context: int, start: int, end: int) -> None: ...

        def note(self, path: str, name: str) -> None: ...


__all__ = ["CoreSink", "PureSink"]


class CoreSink:
    """The record file of the C core."""

    def __init__(self, with_arcs: bool) -> None:
        from footfall import _core

        self._record_pair = _core.record_pair
        self._with_arcs = with_arcs
        self._running_context = _core.running_context
        self._record_tracer = _core.record_tracer

    def context(self) -> int:
        """The number of the context that what runs belongs to; 0 is none."""
        return self._running_context()

    def note(self, path: str, name: str) -> None:
        """By which plugin a file is measured; "": by none any more."""
        self._record_tracer(path, name)

    def add(self, path: str, context: int, start: int, end: int) -> None:
        """Line `end` ran, after line `start`; 0 is no line."""
        self._record_pair(path, context, start, end, self._with_arcs)


class PureSink:
    """The record file of PyPy's recorder, which is there by the time that code is traced."""

    def __init__(self) -> None:
        from footfall.observe.pypy import contexts, recorder

        self._recorder = recorder.PureRecorder
        self._context_of_other_work = contexts.context_of_other_work

    def context(self) -> int:
        """The number of the context that what runs belongs to; 0 is none."""
        current = self._recorder.current
        if current is None:
            return 0
        other = self._context_of_other_work(current)
        return current.context_id if other is None else other

    def note(self, path: str, name: str) -> None:
        """As `_core.record_tracer`."""
        if self._recorder.current is not None:
            self._recorder.current.add_tracer(path, name)

    def add(self, path: str, context: int, start: int, end: int) -> None:
        """Line `end` ran, after line `start`; 0 is no line."""
        if self._recorder.current is not None:
            self._recorder.current.add_trace_pairs(path, path, context, [end << 32 | start & 0xFFFFFFFF])
