"""Probes for what is loaded already: functions get the code of the same text with probes in it.

Frames that are running, and generators that have begun, keep their code. Code is exchanged only if the file's text
gives the same code, byte for byte.
"""

import gc
import sys
from _weakref import ref

from footfall.observe.engines.compiler_warnings import Silence
from footfall.observe.engines.loaders import is_same_code
from footfall.observe.engines.plain_code import NoRoomForProbesError, compile_plainly
from footfall.own_builtins import keep_builtins
from footfall.probes.source_text import digest_source, read_source
from footfall.tier import HAS_CORE

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import CodeType, FrameType
    from typing import Any

    from footfall.observe.engines.instrument import Instrumenter
    from footfall.observe.scope import Scope

if HAS_CORE:
    from footfall._core import objects_of_types as _objects_of_types
else:

    def _objects_of_types(get_objects: "Callable[[], list[Any]]", types: "tuple[type, ...]", /) -> "list[Any]":
        """Return the objects of these types."""
        return [each for each in get_objects() if type(each) in types]


__all__ = ["Recoded", "add_probes", "find_running", "is_alive"]

_FUNCTION: "Any" = type(lambda: None)
_CODE = type((lambda: None).__code__)


def _generator_types() -> "dict[type, tuple[str, str]]":
    """Return the attribute names of the frame and the code of each kind of generator."""

    async def coroutine() -> None:
        pass

    async def generator() -> "AsyncIterator[None]":
        yield

    made: Any = coroutine()
    made.close()
    return {
        type(_ for _ in ()): ("gi_frame", "gi_code"),
        type(made): ("cr_frame", "cr_code"),
        type(generator()): ("ag_frame", "ag_code"),
    }


class Recoded:
    """What could not be exchanged.

    `old_frames` (their code) and `old_generators` run code without probes, and `old_code` is the code of both with its
    path. `left_out` are the paths of files whose code differs from their text's. `has_old_makers` tells that functions
    without probes may still be made.
    """

    __slots__ = ("has_old_makers", "left_out", "old_code", "old_frames", "old_generators")

    def __init__(self) -> None:
        self.old_frames: dict[int, CodeType] = {}  # by id
        self.old_generators: list[Callable[[], Any]] = []  # weak references
        self.old_code: list[tuple[CodeType, str]] = []
        self.left_out: set[str] = set()
        self.has_old_makers = False


def add_probes(
    scope: "Scope",
    instrumenter: "Instrumenter",
    arm: "Callable[[CodeType], CodeType]",
    has_probes: "Callable[[CodeType], bool]",
    recode: "Callable[[Any, CodeType], None]",
    exchange: "Callable[[CodeType, CodeType, CodeType], bool]",
    with_captures: "Callable[[CodeType], CodeType | None]",
    *,
    all_or_none: bool,
) -> Recoded:
    """Exchange the code of all functions in the scope. `arm`, `recode`, `exchange` and `with_captures` are
    the backend's.

    With `all_or_none`, nothing is exchanged if there is code that does not run and can't have probes.
    """
    done = Recoded()
    files: dict[str, _Counterparts | None] = {}

    def counterparts(code: "CodeType", path: str) -> "_Counterparts | None":
        filename = code.co_filename
        if filename not in files:
            files[filename] = _counterparts_of(filename, path, instrumenter, arm)
        return files[filename]

    def with_probes(code: "CodeType", path: str) -> "CodeType | None":
        """Return the counterpart of code; None if it has probes, or can't have any, which is recorded."""
        found = counterparts(code, path)
        other = None if found is None else found.find(code)
        if other is None:
            done.left_out.add(path)
        return other

    exchanges = []
    for function, path in _find_functions(scope):
        code = function.__code__
        other = None if has_probes(code) else with_captures(code) or with_probes(code, path)
        if other is not None:
            exchanges.append((function, other, path))
    inner_exchanges = []  # for functions that running code makes from now on
    for code, path, generator in find_running(scope):
        if has_probes(code):
            continue
        if generator is None:
            done.old_frames[id(code)] = code
        else:
            done.old_generators.append(ref(generator))
        done.old_code.append((code, path))
        for inner in [each for each in code.co_consts if type(each) is _CODE and not has_probes(each)]:
            other = with_probes(inner, path)
            if other is None:
                done.has_old_makers = True
            else:
                inner_exchanges.append((code, inner, other))
    if all_or_none and done.left_out:
        return done
    _give_code(exchanges, recode, done)
    for code, inner, other in inner_exchanges:
        if not exchange(code, inner, other):
            done.has_old_makers = True
    return done


def _give_code(
    exchanges: "list[tuple[Any, CodeType, str]]", recode: "Callable[[Any, CodeType], None]", done: Recoded
) -> None:
    """Give each function its new code; if that fails, record its path."""
    for function, other, path in exchanges:
        try:
            recode(function, other)
        except Exception:  # an audit hook may forbid it
            done.left_out.add(path)


def _find_functions(scope: "Scope") -> "Iterator[tuple[Any, str]]":
    """Yield each function of the process whose file is in the scope, with the file's path."""
    for found in _all_functions():
        if type(found.__code__) is _CODE:  # PyPy's own functions have another type of code
            path = scope.decide(found.__code__.co_filename, namespace=found.__globals__)
            if path is not None:
                yield found, path


def _all_functions() -> "list[Any]":
    found = _objects_of_types(gc.get_objects, (_FUNCTION,))
    if getattr(gc, "get_freeze_count", int)():  # frozen objects are not among them
        found += _reachable_functions()
    return found


def _reachable_functions() -> "list[Any]":
    """Return functions reachable from modules."""
    containers = (type(sys), type, dict, list, tuple, set, staticmethod, classmethod, property, _FUNCTION)
    seen: set[int] = set()
    todo: list[Any] = list(sys.modules.values())
    found = []
    while todo:
        each = todo.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if type(each) is _FUNCTION:
            found.append(each)
        todo += [other for other in gc.get_referents(each) if gc.is_tracked(other) or isinstance(other, containers)]
    return found


def find_running(scope: "Scope") -> "Iterator[tuple[CodeType, str, Any]]":
    """Yield the code in scope of frames, and of generators that have begun, with its path and the generator."""
    for running in list(sys._current_frames().values()):
        frame: FrameType | None = running
        while frame is not None:
            path = scope.decide(frame.f_code.co_filename, namespace=frame.f_globals)
            if path is not None:
                yield frame.f_code, path, None
            frame = frame.f_back
    kinds = _generator_types()
    for each in _objects_of_types(gc.get_objects, (*kinds,)):
        names = kinds[type(each)]
        frame = getattr(each, names[0])
        if frame is not None:
            code: CodeType = getattr(each, names[1])
            path = scope.decide(code.co_filename, namespace=frame.f_globals)
            if path is not None:
                yield code, path, each


def is_alive(generator: "Any") -> bool:
    """Return whether a generator, or None, may continue."""
    return any(getattr(generator, name, None) is not None for name in ("gi_frame", "cr_frame", "ag_frame"))


class _Counterparts:
    """The code objects of one text, without probes and with them."""

    __slots__ = ("_pairs",)

    def __init__(self, plain: "CodeType", probed: "CodeType") -> None:
        self._pairs: dict[tuple[str, int], list[tuple[CodeType, CodeType]]] = {}
        self._add(plain, probed)

    def find(self, code: "CodeType") -> "CodeType | None":
        """Return the code with probes that does and reports the same, None if there is none."""
        for plain, probed in self._pairs.get((code.co_name, code.co_firstlineno), ()):
            if is_same_code(code, plain) and code.co_freevars == probed.co_freevars:
                return probed
        return None

    def _add(self, plain: "CodeType", probed: "CodeType") -> None:
        self._pairs.setdefault((plain.co_name, plain.co_firstlineno), []).append((plain, probed))
        groups = _inner_by_place(probed)
        for place, codes in _inner_by_place(plain).items():
            others = groups.get(place, [])
            if len(others) == len(codes):  # else it is not known which belongs to which
                for code, other in zip(codes, others, strict=True):
                    self._add(code, other)


def _inner_by_place(code: "CodeType") -> "dict[tuple[str, int], list[CodeType]]":
    found: dict[tuple[str, int], list[CodeType]] = {}
    for constant in code.co_consts:
        if type(constant) is _CODE:
            found.setdefault((constant.co_name, constant.co_firstlineno), []).append(constant)
    return found


def _counterparts_of(
    filename: str, path: str, instrumenter: "Instrumenter", arm: "Callable[[CodeType], CodeType]"
) -> _Counterparts | None:
    """Return the code of a file's text with and without probes; None if it has none."""
    try:
        source = read_source(path)
        with Silence():
            plain = compile_plainly(source, filename, "exec", dont_inherit=True)
            probed = instrumenter.code_of_source(source, filename, digest_source(source))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError, NoRoomForProbesError):
        return None
    return _Counterparts(plain, arm(probed))
