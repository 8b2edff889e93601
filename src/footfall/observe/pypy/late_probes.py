"""Probes for a start in a running program on PyPy, where the JIT makes them nearly free and tracing costs fifty times.

Functions that exist get the code of the same text with probes (engines/recoding.py), and modules that are loaded later
are compiled with probes. Everything else is traced: frames that are running, generators that have begun, code that
differs from its text.
"""

from footfall.observe.engines.late_modules import LateModules
from footfall.observe.engines.recoding import add_probes
from footfall.observe.interruptions import Undisturbed, pass_on
from footfall.observe.pure.contexts import EventsByContext
from footfall.observe.pure.probes.events import Areas
from footfall.observe.pure.probes.marshal_hooks import hook_marshal
from footfall.observe.pypy import hooks
from footfall.own_builtins import keep_builtins
from footfall.probes.forms import HEADER, read_header

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

    from footfall.observe.pure.contexts import Begin
    from footfall.observe.pure.recorder import PureRecorder
    from footfall.observe.scope import Scope

__all__ = ["LateProbes"]


_MAX_ANSWERS = 20_000
"""A program may make new code without end."""


class LateProbes:
    """The modules whose functions have got probes, which stay; they record while a measurement runs."""

    current: "LateProbes | None" = None
    """The process's only one, once there is one."""

    def __init__(self) -> None:
        self._later = LateModules(lambda code, where: hooks.with_captures(self._arm(code)), hooks)
        self._modules: dict[tuple[str, str], tuple[EventsByContext, hooks.Comparable, int]] = {}
        self._own: set[int] = set()  # ids of the events
        self._answers: dict[int, tuple[CodeType, bool]] = {}  # by id of the code, kept so that no other gets its id
        self._areas: Areas | None = None
        self._scope: Scope | None = None
        self._recorder: PureRecorder | None = None
        hook_marshal((EventsByContext,), hooks.Comparable)

    @classmethod
    def started(cls, scope: "Scope", recorder: "PureRecorder") -> "LateProbes":
        """Start the process's only one, and return it."""
        if cls.current is None:
            cls.current = cls()
        cls.current.start(scope, recorder)
        return cls.current

    def start(self, scope: "Scope", recorder: "PureRecorder") -> None:
        """Give probes to all functions that can have them, and record in a record file that has just been begun."""
        self._scope, self._recorder = scope, recorder
        self._later.current_scope.scope = scope
        self._areas = Areas(recorder, hooks.array_over)
        recorder.on_switch(self._areas.flush)
        for (header, filename), (events, _, n_probes) in list(self._modules.items()):
            self._areas.adopt(events, self._areas.beginner(filename, scope.decide, header, n_probes))
        try:
            with Undisturbed():
                add_probes(
                    scope,
                    self._later.instrumenter,
                    self._arm,
                    self.records,
                    hooks.recode,
                    hooks.exchange,
                    _find_no_other,
                    all_or_none=False,
                )
        except Exception as error:  # ours, or an audit hook's: what has no probes is traced
            pass_on(error)

    def stop(self) -> None:
        """Record nothing more."""
        recorder = self._recorder
        self._areas = self._scope = self._recorder = None
        self._later.current_scope.scope = None
        if recorder is not None:
            for events, _, n_probes in list(self._modules.values()):  # another thread may be importing
                events.begin_again(recorder, _begin_nowhere(n_probes))

    def begin_child(self) -> None:
        """Use the record of a forked child, which has begun."""
        if self._areas is not None:
            self._areas.begin_child()

    def records(self, code: "CodeType") -> bool:
        """Return whether probes record what the code runs, so that it need not be traced."""
        known = self._answers.get(id(code))
        if known is None:
            if len(self._answers) > _MAX_ANSWERS:
                self._answers.clear()
            known = self._answers[id(code)] = code, any(id(_events_in(each)) in self._own for each in code.co_consts)
        return known[1]

    def _arm(self, code: "CodeType") -> "CodeType":
        """Return a module's code with probes that record."""
        for constant in code.co_consts:
            if type(constant) is str and constant.startswith(HEADER):
                module = self._module_of(constant, code.co_filename)
                return code if module is None else hooks.with_events(code, *module[:2])
        return code

    def _module_of(self, header: str, filename: str) -> "tuple[EventsByContext, hooks.Comparable, int] | None":
        found = self._modules.get((header, filename))
        read = read_header(header)
        areas, scope = self._areas, self._scope  # another thread may stop the measurement
        if found is None and read is not None and areas is not None and scope is not None:
            n_probes = read[1]
            events = areas.events_of(filename, scope.decide, header, n_probes)
            found = self._modules[header, filename] = events, hooks.Comparable(events, header), n_probes
            self._own.add(id(events))
            hooks.note_armed(events, header, filename)
        return found


def _begin_nowhere(n_probes: int) -> "Begin":
    nowhere = hooks.dummy_events(n_probes)
    return lambda before: (None, nowhere)


def _events_in(constant: object) -> object:
    """Return the object that events are stored into, if a constant of code leads to one."""
    events: Any = constant.events if type(constant) is hooks.Comparable else constant
    return getattr(events, "recorded", events) if type(events).__name__ == "CaptureEvents" else events


def _find_no_other(code: "CodeType") -> None:
    """Return None: code with probes that record elsewhere is traced."""
