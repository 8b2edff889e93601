"""The events of modules that have probes, without the C core: where they are, what expressions compare with."""

import sys

from footfall.observe.pure import contexts as pure_contexts
from footfall.observe.pure.contexts import EventsByContext
from footfall.observe.pure.recorder import PureRecorder
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from footfall.observe.engines.probes import Where
    from footfall.observe.pure.contexts import Begin

    ArrayOver = Callable[[Any, int, int], Any]

__all__ = ["Areas", "Comparable"]


class Comparable:
    """Stores an event when it is compared with a number, as a probe inside an expression needs it.

    Compared with a number, a first and a last line, it does so if the exception being handled comes from these lines.
    """

    __slots__ = ("_mark", "events")

    def __init__(self, events: "Any", mark: str) -> None:
        self.events = events
        self._mark = mark

    def __eq__(self, other: object) -> bool:
        if type(other) is int:
            self.events[other] = 1
            return False
        if type(other) is tuple:
            number, first, last = other
            traceback = sys.exc_info()[2]
            if traceback is not None and first <= traceback.tb_lineno <= last:
                self.events[number] = 1
            return False
        return other is self or self._mark == other

    def __hash__(self) -> int:
        return hash(self._mark)

    def __reduce__(self) -> "tuple[type, tuple[str]]":
        return str, (self._mark,)


class Areas:
    """The events of all modules, needed when a context ends.

    A forked child's events in modules that were loaded before the fork still go into the parent's file and its
    contexts. They go into the child's own file if contexts were expected when the module was loaded.
    """

    def __init__(self, recorder: PureRecorder, array_over: "ArrayOver") -> None:
        """`array_over(buffer, start, size)` returns what the events of this memory are stored into."""
        self._recorder = recorder
        self._array_over = array_over
        self._areas: list[tuple[int, memoryview]] = []
        self._asking: list[EventsByContext] = []

    def beginner(self, filename: str, where: "Where", header: str, n_probes: int) -> "Begin":
        """Return a function that makes a module's entry in the record file, and returns its number and events.

        If recording is off, the code still has its probes: they continue with `before`, the events until now. The same
        holds, without a number, for a module that turns out not to be measured.
        """

        def begin(before: "Any") -> "tuple[int | None, Any]":
            absolute_path = where(filename) if callable(where) else where
            if absolute_path is None:
                return None, self._array_over(bytearray(n_probes), 0, n_probes)
            added = self._recorder.add_probes(filename, absolute_path, header)
            if added is None:
                return 0, self._array_over(bytearray(n_probes), 0, n_probes) if before is None else before
            probes_id, segment, start = added
            size = (n_probes + 7) // 8 * 8
            self._areas.append((probes_id, memoryview(segment)[start : start + size]))
            return probes_id, self._array_over(segment, start, size)

        return begin

    def events_of(self, filename: str, where: "Where", header: str, n_probes: int) -> "Any":
        """Return what a module's probes store into: its events in the record file, as `array_over` returned them.

        If contexts are expected, it is what attributes each event when it is stored. The same is done for a module that
        only finds out when it runs whether it is measured.
        """
        begin = self.beginner(filename, where, header, n_probes)
        if not callable(where) and not _are_contexts_expected():
            return begin(None)[1]
        asking = EventsByContext(self._recorder, begin, n_probes)
        self._asking.append(asking)
        return asking if callable(where) else asking.begun()

    def adopt(self, events: EventsByContext, begin: "Begin") -> None:
        """Record in this record file what those of an earlier one get from now on."""
        events.begin_again(self._recorder, begin)
        self._asking.append(events)

    def after_fork(self) -> None:
        self._recorder.after_fork()
        self.begin_child()
        pure_contexts.after_fork()

    def begin_child(self) -> None:
        """Use the record of a forked child, which has begun."""
        self._areas.clear()
        for asking in self._asking:
            asking.after_fork()

    def flush(self, context_id: int) -> None:
        """Record the events of a context, and clear only those: another thread may set one in the meantime."""
        for probes_id, view in self._areas:
            found = _find_events(bytes(view))
            if found and self._recorder.add_probe_events(probes_id, context_id, found):
                for number in found:
                    view[number] = 0


def _find_events(events: bytes) -> list[int]:
    """Return the indexes that are not zero; an event is a 1."""
    found = []
    at = events.find(b"\1")
    while at >= 0:
        found.append(at)
        at = events.find(b"\1", at + 1)
    return found


def _are_contexts_expected() -> bool:
    contexts = sys.modules.get("footfall.observe.contexts")  # not imported here: hardly any program has contexts
    return contexts is not None and contexts.are_expected
