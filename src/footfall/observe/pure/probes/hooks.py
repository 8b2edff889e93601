"""The probes engine's hooks into CPython without the C core.

A statement's probe is a store into the mapping of the record file: `segment[number] = 1`, which calls no Python. The
import system, `compile` and pytest give code with probes, and an audit hook runs it in place of the main script.
Everything else that runs a measured file's code is traced: what `exec` gets from other sources, whose wrapper would be
a frame more in the program's tracebacks. The audit hook tells of such code before it runs.
"""

import _thread
import builtins
import sys
from marshal import loads

from footfall.files import at_fork, is_file, read_file
from footfall.observe.engines.plain_code import NoRoomForProbesError
from footfall.observe.interruptions import Undisturbed, pass_on
from footfall.observe.pure.contexts import EventsByContext
from footfall.observe.pure.probes.changes import Changes, Number
from footfall.observe.pure.probes.compile_hook import wrapped_compile
from footfall.observe.pure.probes.events import Areas, Comparable
from footfall.observe.pure.probes.main_script import MainScript
from footfall.observe.pure.probes.marshal_hooks import hook_marshal
from footfall.observe.pure.recorder import PureRecorder
from footfall.observe.pure.segments import Segment
from footfall.own_builtins import keep_builtins
from footfall.probes.forms import EQUAL_MARK, EVENT_MARK, HEADER, MARK, read_header

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

    from footfall.observe.engines.probes import Arm, Probes, Where
    from footfall.settings import Settings

__all__ = ["arm_function", "call_with_room", "has_probes", "hook_compile", "hook_main", "look_alike", "unseen"]

_CODE = type((lambda: 0).__code__)
_start_new_thread = _thread.start_new_thread  # the program's threads may be traced
_STACK_BYTES = 256 << 20
_ROOM = 50_000
_IMPORTING = ("<frozen importlib._bootstrap>", "_call_with_frames_removed")
_RUNNING = ("<frozen runpy>", "_run_code")
_PYC_HEAD_BYTES = 16
_FRAMES = 100
"""How many frames what hooks do takes at most, where it is not instrumenting itself."""


_EVENT = Number(1)


class Mark(Comparable):
    """As `Comparable`, with numbers of their own type, and no others."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is Number:
            self.events[other] = 1
            return False
        if type(other) is tuple and (not other or type(other[0]) is not Number):
            return False
        return type(other) is not int and Comparable.__eq__(self, other)

    __hash__ = Comparable.__hash__


class _Places:
    """Where events are, by the views that an `EventsByContext` stores into."""

    def __init__(self) -> None:
        self._starts: dict[int, tuple[memoryview, Segment, int]] = {}

    def array_over(self, buffer: "Any", start: int, size: int) -> memoryview:
        """Return a view of these events; memory that is not the record's gets a mapping of its own."""
        if type(buffer) is not Segment:
            buffer, start = Segment(-1, max(size, 1)), 0
        view = memoryview(buffer)[start : start + size]
        self._starts[id(view)] = view, buffer, start
        return view

    def of(self, view: memoryview) -> "tuple[Segment, int]":
        """Return the mapping, and where the events begin in it."""
        return self._starts[id(view)][1:]


def arm_function(settings: "Settings") -> "Arm":
    """Return the function that makes the probes in code record: it returns a copy that does."""
    recorder = PureRecorder(settings)
    places = _Places()
    areas = Areas(recorder, places.array_over)
    recorder.on_switch(areas.flush)
    at_fork(after_in_child=areas.after_fork)
    hook_marshal((Segment, EventsByContext), Mark, Number)
    changes = Changes.current = Changes((Segment, EventsByContext, Mark))
    known: dict[tuple[str, str], tuple[Any, Mark, int]] = {}

    def arm(code: "CodeType", where: "Where") -> "CodeType":
        for constant in code.co_consts:
            if type(constant) is str and constant.startswith(HEADER):
                key = (constant, code.co_filename)
                if key not in known:
                    header = read_header(constant)
                    if header is None:
                        return code  # the program's own text
                    events = areas.events_of(code.co_filename, where, constant, header[1])
                    start = 0
                    if type(events) is memoryview:
                        events, start = places.of(events)
                    known[key] = events, Mark(events, constant), start
                armed = _armed(code, *known[key])
                changes.expect(armed)
                return armed
        return code

    return arm


def _armed(code: "CodeType", events: "Any", mark: Mark, start: int) -> "CodeType":
    constants: list[object] = []
    for constant in code.co_consts:
        kind = type(constant)
        if kind is _CODE:
            constants.append(_armed(constant, events, mark, start))
        elif kind is not str or constant[:1] != "\0":
            constants.append(constant)
        elif constant == MARK:
            constants.append(events)
        elif constant == EVENT_MARK:
            constants.append(_EVENT)
        elif constant == EQUAL_MARK or constant.startswith(HEADER):
            constants.append(mark)
        else:
            constants.append(_number(constant, start))
    return code.replace(co_consts=tuple(constants))


def _number(text: str, start: int) -> object:
    """Return what stands for the text of a probe's number, or of a number and two lines; another text as it is."""
    words = text[1:-1].split(" ")
    if text[-1:] != "\0" or len(words) not in (1, 3) or not all(word.isdecimal() for word in words):
        return text
    number = Number(start + int(words[0]))
    return number if len(words) == 1 else (number, int(words[1]), int(words[2]))


def has_probes(code: "CodeType") -> bool:
    """Return whether code was armed."""
    return any(type(constant) in (Mark, Number) for constant in code.co_consts)


def call_with_room(function: "Callable[..., Any]", *arguments: object) -> "Any":
    """Call the function in a thread of its own with a large stack and a higher recursion limit, and wait for it.

    Raises NoRoomForProbesError if that is not enough: C code of some versions has a limit of its own.
    """
    outcome: list[Any] = []
    ended = _thread.allocate_lock()
    ended.acquire()

    def call() -> None:
        try:
            outcome.append((function(*arguments), None))
        except BaseException as error:
            outcome.append((None, error))
        finally:
            ended.release()

    limit, stack_bytes = sys.getrecursionlimit(), _thread.stack_size(_STACK_BYTES)
    sys.setrecursionlimit(limit + _ROOM)
    try:
        _start_new_thread(call, ())
        ended.acquire()
    finally:
        _thread.stack_size(stack_bytes)
        sys.setrecursionlimit(limit)
    result, error = outcome[0]
    if isinstance(error, (RecursionError, MemoryError)):
        raise NoRoomForProbesError(str(error))
    if error is not None:
        raise error
    return result


def unseen(function: "Callable[..., Any]", *arguments: object) -> "Any":
    """Call the function while signals are held back, where there is room for it.

    The program's trace and profile functions see it.
    """
    with Undisturbed():
        try:
            _descend(_FRAMES)
        except RecursionError:
            return call_with_room(function, *arguments)
        return function(*arguments)


def _descend(depth: int) -> None:
    if depth:
        _descend(depth - 1)


look_alike = None
"""No wrapper in Python would be unseen."""


def _namespace() -> "dict[str, Any] | None":
    """Return the globals of the code that is about to run; None if an unknown caller passes them to `exec`."""
    try:
        frame = sys._getframe(3)
    except ValueError:  # the interpreter runs the main script
        return sys.modules["__main__"].__dict__
    name = frame.f_code.co_filename, frame.f_code.co_name
    if name == _IMPORTING:
        return frame.f_locals["args"][1]  # type: ignore[no-any-return]
    return frame.f_locals["run_globals"] if name == _RUNNING else None


def hook_compile(probes: "Probes") -> None:
    """Wrap `compile`."""

    def code_for_source(*arguments: "Any") -> "CodeType | None":
        return unseen(probes.code_for_source, *arguments)  # type: ignore[no-any-return]

    def code_for_tree(code: "CodeType", optimize: int) -> "CodeType | None":
        return None if has_probes(code) else unseen(probes.code_for_tree, code, optimize)

    builtins.compile = wrapped_compile(builtins.compile, code_for_source, code_for_tree)


def hook_main(probes: "Probes") -> None:
    """Give the main script probes, and trace what else runs without."""
    settled: set[str] = set()
    main = MainScript(probes.code_for_main)
    changes = Changes.current
    assert changes is not None

    def has_other_code(code: "CodeType") -> bool:
        """Return whether other code will run in place of this; otherwise trace it if it is a measured module's."""
        filename = code.co_filename
        if code.co_name != "<module>" or filename[:1] == "<" or filename in settled or has_probes(code):
            return False
        if unseen(main.prepare, code):
            return True
        settled.add(filename)
        unseen(probes.trace_plain_code, filename, _namespace())
        return False

    def footfall_audit(event: str, arguments: "tuple[Any, ...]") -> None:
        try:
            if event == "exec":
                if type(arguments[0]) is _CODE and not has_other_code(arguments[0]):
                    changes.look_at(arguments[0])
            elif event == "function.__new__":
                changes.look_at(arguments[0])
            elif event == "object.__setattr__" and arguments[1] == "__code__":
                changes.look_at(arguments[2])
            elif event == "cpython.run_file":
                main.expect(arguments[0])
        except Exception as error:  # ours: an error here would keep the program from running the code
            pass_on(error)

    sys.addaudithook(footfall_audit)
    script = sys.argv[0] if sys.argv else ""
    if script.endswith(".pyc") and is_file(script):  # the interpreter runs its code without an event
        try:
            code = loads(memoryview(read_file(script))[_PYC_HEAD_BYTES:])
        except (OSError, ValueError, EOFError, TypeError):
            return  # as it will find, too
        probes.trace_plain_code(code.co_filename, {"__name__": "__main__", "__file__": script})
