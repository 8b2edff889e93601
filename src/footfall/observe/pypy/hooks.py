"""The probes engine's hooks into PyPy: arming by new code objects, and a `compile` in Python that no traceback shows.

The main script needs no hook: PyPy compiles it with the same `compile`.
"""

import builtins
import copyreg
import sys

import __pypy__  # type: ignore[import-not-found]
from _cffi_backend import FFI  # type: ignore[import-untyped]

from footfall.files import at_fork
from footfall.observe.engines.plain_code import FUTURES, ONLY_AST
from footfall.observe.interruptions import Undisturbed, pass_on
from footfall.observe.pure.children import wrap as look_alike
from footfall.observe.pure.contexts import EventsByContext
from footfall.observe.pure.probes.events import Areas, Comparable
from footfall.observe.pure.probes.marshal_hooks import hook_marshal
from footfall.observe.pure.recorder import PureRecorder
from footfall.own_builtins import keep_builtins
from footfall.probes.forms import EQUAL_MARK, HEADER, MARK, read_header

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

    from footfall.observe.engines.probes import Arm, Probes, Where
    from footfall.settings import Settings

__all__ = [
    "Comparable",
    "arm_function",
    "array_over",
    "call_with_room",
    "dummy_events",
    "exchange",
    "has_probes",
    "hook_compile",
    "hook_main",
    "look_alike",
    "note_armed",
    "recode",
    "unseen",
    "with_captures",
]

_FFI = FFI()
_CODE = type((lambda: 0).__code__)


_EVENTS_TYPES = (type(_FFI.from_buffer("unsigned char[]", bytearray(1))), EventsByContext)
"""The types that statement probes store into."""

_ARMED: "dict[int, tuple[Any, str, str]]" = {}
"""By id: the events of each module that is recorded, with its header and `co_filename`."""


def arm_function(settings: "Settings") -> "Arm":
    """Return the function that makes the probes in code record."""
    recorder = PureRecorder(settings)
    areas = Areas(recorder, array_over)
    recorder.on_switch(areas.flush)
    at_fork(after_in_child=areas.after_fork)
    # Code that is pickled by value needs an object that can be stored into as well.
    copyreg.pickle(_EVENTS_TYPES[0], _reduce_events)
    hook_marshal(_EVENTS_TYPES, Comparable)
    known: dict[tuple[str, str], tuple[Any, Comparable]] = {}

    def arm(code: "CodeType", where: "Where") -> "CodeType":
        for constant in code.co_consts:
            if type(constant) is str and constant.startswith(HEADER):
                key = (constant, code.co_filename)
                if key not in known:
                    header = read_header(constant)
                    if header is None:
                        return code  # the program's own text
                    events = areas.events_of(code.co_filename, where, constant, header[1])
                    known[key] = (events, Comparable(events, constant))
                    note_armed(events, constant, code.co_filename)
                return with_captures(with_events(code, *known[key]))
        return code

    return arm


def note_armed(events: "Any", header: str, filename: str) -> None:
    """Let captures find the events of a module that is recorded."""
    _ARMED[id(events)] = events, header, filename


def dummy_events(n_probes: int) -> "Any":
    """Return events that nobody reads."""
    return array_over(bytearray(n_probes), 0, n_probes)


def exchange(code: "CodeType", inner: "CodeType", with_probes: "CodeType") -> bool:
    """Return False: constants of code can't be exchanged here."""
    return False


def recode(function: "Any", code: "CodeType") -> None:
    """Set a function's `__code__`."""
    function.__code__ = code


def has_probes(code: "CodeType") -> bool:
    """Return whether code was armed."""
    return any(type(constant) is Comparable or type(constant) in _EVENTS_TYPES for constant in code.co_consts)


def array_over(buffer: "Any", start: int, size: int) -> "Any":
    """Return what probes store into, over a part of a buffer."""
    return _FFI.from_buffer("unsigned char[]", memoryview(buffer)[start : start + size])


def _reduce_events(events: bytearray) -> "tuple[type, tuple[int]]":
    return bytearray, (len(events),)


def with_other_events(
    code: "CodeType", other: "Callable[[Any, str, str], tuple[Any, Any] | None]"
) -> "CodeType | None":
    """Return code whose probes record with other events in place of these; None for code without probes that record.

    `other(events, header, filename)` returns the events for statements and for expressions.
    """
    for constant in code.co_consts:
        if type(constant) is Comparable:
            constant = constant.events
        if id(constant) in _ARMED:
            pair = other(*_ARMED[id(constant)])
            return None if pair is None else _exchanged(code, *pair)
    return None


def _exchanged(code: "CodeType", events: "Any", comparable: Comparable) -> "CodeType":
    constants: list[object] = []
    for constant in code.co_consts:
        kind = type(constant)
        if kind is Comparable:
            constants.append(comparable)
        elif kind in _EVENTS_TYPES:
            constants.append(events)
        elif kind is _CODE:
            constants.append(_exchanged(constant, events, comparable))
        else:
            constants.append(constant)
    return code.replace(co_consts=tuple(constants))


def with_captures(code: "CodeType") -> "CodeType":
    """Return code that captures see as well, once there are any."""
    captures = sys.modules.get("footfall.observe.pypy.captures")  # not imported here: hardly any program has captures
    return code if captures is None else captures.with_captures(code) or code


def with_events(code: "CodeType", events: "Any", comparable: Comparable) -> "CodeType":
    constants: list[object] = []
    for constant in code.co_consts:
        kind = type(constant)
        if kind is str and constant == MARK:
            constants.append(events)
        elif kind is str and (constant == EQUAL_MARK or constant.startswith(HEADER)):
            constants.append(comparable)
        elif kind is type(code):
            constants.append(with_events(constant, events, comparable))
        else:
            constants.append(constant)
    return code.replace(co_consts=tuple(constants))


def hook_compile(probes: "Probes") -> None:
    """Wrap `compile`, and the functions that run code: `exec` and `eval`."""
    plain_compile = builtins.compile
    plain_exec = builtins.exec
    plain_eval = builtins.eval
    find_substitute = _Substitutes(probes).find

    # Hidden frames are not a caller's frame: the plain functions see through to the program's frame.
    @__pypy__.hidden_applevel
    def compile(source, filename, mode, flags=0, dont_inherit=False, optimize=-1, **more):  # type: ignore[no-untyped-def]
        if (
            mode == "exec"
            and type(filename) is str
            and filename[:1] != "<"
            and type(source) in (str, bytes)
            and not more
            and type(flags) is int
            and not flags & ONLY_AST
        ):
            inherited = _inherited(dont_inherit)
            code = None if inherited is None else probes.code_for_source(source, filename, flags | inherited, optimize)
            if code is not None:
                return code
        return plain_compile(source, filename, mode, flags, dont_inherit, optimize, **more)

    # But these two take the namespaces of a hidden frame.
    @__pypy__.hidden_applevel
    def exec(source, globals=None, locals=None, /, *, closure=None):  # type: ignore[no-untyped-def]
        if globals is None:
            frame = sys._getframe()
            globals = frame.f_globals
            locals = frame.f_locals if locals is None else locals
        if type(source) is _CODE:
            source = find_substitute(source, globals)
        return plain_exec(source, globals, locals, closure=closure)

    @__pypy__.hidden_applevel
    def eval(source, globals=None, locals=None, /):  # type: ignore[no-untyped-def]
        if globals is None:
            frame = sys._getframe()
            globals = frame.f_globals
            locals = frame.f_locals if locals is None else locals
        if type(source) is _CODE:
            source = find_substitute(source, globals)
        return plain_eval(source, globals, locals)

    for wrapper, plain in ((compile, plain_compile), (exec, plain_exec), (eval, plain_eval)):
        wrapper.__module__ = "builtins"
        wrapper.__qualname__ = plain.__qualname__
        wrapper.__doc__ = plain.__doc__
        setattr(builtins, plain.__name__, wrapper)


class _Substitutes:
    """What `exec` and `eval` run in place of a module's code."""

    def __init__(self, probes: "Probes") -> None:
        self._probes = probes
        self._settled: set[str] = set()

    def find(self, code: "CodeType", namespace: object) -> "CodeType":
        """Return code with probes that record, or the code itself if there is none."""
        for constant in code.co_consts:
            if type(constant) is str:
                if constant.startswith(HEADER):
                    return self._probes.arm_before_run(code)
            elif type(constant) is Comparable:
                return code
        filename = code.co_filename
        if code.co_name != "<module>" or filename[:1] == "<" or filename in self._settled:
            return code
        found = self._probes.code_in_place_of(code, namespace if type(namespace) is dict else None)
        if found is False:
            self._settled.add(filename)
        return found if type(found) is _CODE else code


def _inherited(dont_inherit: object) -> int | None:
    """Return the future features of the code that called `compile`; None if an audit hook forbids looking."""
    if dont_inherit:
        return 0
    try:
        return sys._getframe(1).f_code.co_flags & FUTURES
    except ValueError:  # called by the interpreter itself, for the main script
        return 0
    except Exception as error:
        pass_on(error)
        return None


def call_with_room(function: "Callable[[], CodeType]") -> "CodeType":
    """Call the function: PyPy's compiler recurses no deeper for a tree than for text."""
    return function()


def unseen(function: "Callable[..., Any]", *arguments: object) -> "Any":
    """Call the function while signals are held back. PyPy can't hide its frames from trace and profile functions."""
    with Undisturbed():
        return function(*arguments)


def hook_main(probes: "Probes") -> None:
    """Do nothing."""
