"""What blocks of `footfall.capture()` see by probes on PyPy; on CPython: native/engines/probes/captures/captures.c.

The JIT makes a probe nearly free if every series has seen it, or if it runs while no block is open.
"""

import __pypy__  # type: ignore[import-not-found]

from footfall.observe.pure.probes.marshal_hooks import hook_marshal
from footfall.observe.pypy import hooks
from footfall.observe.pypy.hooks import exchange, recode
from footfall.own_builtins import keep_builtins
from footfall.probes.forms import HEADER, read_header

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

    News = list[tuple[Any, Any]]
    OnModule = Callable[[Any, str, str], None]

__all__ = [
    "arm",
    "begin",
    "end",
    "exchange",
    "forget",
    "modules",
    "probes_of",
    "recode",
    "set_open",
    "want",
    "with_captures",
]


class CaptureEvents:
    """What the probes of a module store into: it passes events on to what records them, if anything does."""

    __slots__ = ("n_probes", "recorded", "seen", "wanted")

    def __init__(self, recorded: "Any", n_probes: int) -> None:
        self.recorded = recorded
        """What records events whether or not a block is open; None if nothing does."""
        self.n_probes = n_probes
        self.wanted = 0
        """A bit for each series that wants to know about this module."""
        self.seen: list[int] = [0] * n_probes
        """By probe, a bit for each series that has seen it."""

    @__pypy__.hidden_applevel  # type: ignore[untyped-decorator]
    def __setitem__(self, number: int, value: int) -> None:
        if self.recorded is not None:
            self.recorded[number] = value
        fresh = self.wanted & _CAPTURES.open & ~self.seen[number]
        if fresh:
            self.seen[number] |= fresh
            _CAPTURES.note(self, number, fresh)

    def __reduce__(self) -> "tuple[type, tuple[int]]":
        return bytearray, (self.n_probes,)


class _Captures:
    """The process's series and modules."""

    def __init__(self) -> None:
        self.open = 0
        """A bit for each series that has a block open."""
        self.news: dict[int, News] = {}
        self.modules: dict[tuple[str, str], CaptureEvents] = {}  # by header and co_filename
        self.on_module: OnModule | None = None
        self.comparables: dict[int, Any] = {}  # by id of the events: the objects for probes in expressions

    @__pypy__.hidden_applevel  # type: ignore[untyped-decorator]
    def note(self, events: CaptureEvents, number: int, fresh: int) -> None:
        """Tell series about a probe that is new to them."""
        for series, news in list(self.news.items()):
            if fresh >> series & 1:
                news.append((events, number))

    def events_of(self, header: str, filename: str, recorded: "Any" = None) -> CaptureEvents | None:
        """Return the events of a module, made if there are none; None if the header is the program's own text."""
        found = self.modules.get((header, filename))
        if found is None:
            read = read_header(header)
            if read is None:
                return None
            found = self.modules[header, filename] = CaptureEvents(recorded, read[1])
            self.comparables[id(found)] = hooks.Comparable(found, header)
            if self.on_module is not None:
                self.on_module(found, header, filename)
        return found


_CAPTURES = _Captures()


def begin(news: "News", is_full: bool) -> int:
    """Begin a series; return its number."""
    if not _CAPTURES.news:
        hook_marshal_once()
    number = 0
    while number in _CAPTURES.news:
        number += 1
    _CAPTURES.news[number] = news
    return number


def end(series: int) -> None:
    """End a series and free its number."""
    set_open(series, False)
    del _CAPTURES.news[series]
    others = ~(1 << series)
    for events in _CAPTURES.modules.values():
        events.wanted &= others
        events.seen = [bits & others for bits in events.seen]


def set_open(series: int, is_open: bool) -> None:
    """Set whether a series has a block open."""
    bit = 1 << series
    _CAPTURES.open = _CAPTURES.open | bit if is_open else _CAPTURES.open & ~bit


def forget(series: int) -> None:
    """Make all probes in the news of a series new for it again."""
    others = ~(1 << series)
    for what, number in _CAPTURES.news[series]:
        if type(what) is CaptureEvents:
            what.seen[number] &= others


def modules(on_module: "OnModule") -> "list[tuple[Any, str, str]]":
    """Return (events, header, co_filename) of each module with probes; `on_module` is called for each new one."""
    _CAPTURES.on_module = on_module
    return [(events, header, filename) for (header, filename), events in _CAPTURES.modules.items()]


def want(series: int, events: "Any") -> bool:
    """Report a module's probes to a series from now on."""
    events.wanted |= 1 << series
    return True


def arm(code: "CodeType") -> "CodeType":
    """Return code with probes that captures see."""
    for constant in code.co_consts:
        if type(constant) is str and constant.startswith(HEADER):
            events = _CAPTURES.events_of(constant, code.co_filename)
            return code if events is None else hooks.with_events(code, events, _CAPTURES.comparables[id(events)])
    return code


def with_captures(code: "CodeType") -> "CodeType | None":
    """Return code with probes that record as code whose probes captures see too; None for other code."""
    return hooks.with_other_events(code, _wrapped)


def _wrapped(recorded: "Any", header: str, filename: str) -> "tuple[Any, Any] | None":
    events = _CAPTURES.events_of(header, filename, recorded)
    return None if events is None else (events, _CAPTURES.comparables[id(events)])


def probes_of(code: "CodeType") -> "Any":
    """Return the object that stands for the probes in code, as captures see them; None if it has none."""
    for constant in code.co_consts:
        if type(constant) is hooks.Comparable:
            constant = constant.events
        if type(constant) is CaptureEvents:
            return constant
    return None


def hook_marshal_once() -> None:
    """Let code with probes be marshalled as the program intended."""
    if not _CAPTURES.modules:
        hook_marshal((CaptureEvents,), hooks.Comparable)
