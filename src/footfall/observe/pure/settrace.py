"""The `settrace` engine in Python, for PyPy and for CPython without the C core: one closure for each measured frame.

Frames that are not measured get no local trace function, so their lines cost nothing. Pairs of lines go into the record
file when they are first seen; a set of them is kept for each file. The engine also traces single files for the probes
engine, into that engine's record.
"""

import atexit
import sys

from footfall.files import at_fork
from footfall.model import ENGINE_SETTRACE
from footfall.observe.file_tracers.files import UNDECIDED, TracedFile
from footfall.observe.interruptions import Undisturbed
from footfall.observe.messages import report
from footfall.observe.own_modules import load_own
from footfall.observe.pure import children as pure_children
from footfall.observe.pure import contexts as pure_contexts
from footfall.observe.pure.contexts import context_of_other_work, has_other_work
from footfall.observe.pure.hidden import hidden_applevel
from footfall.observe.pure.interpreter import (
    PhantomLines,
    end_recursion,
    go_on_after_raising,
    is_resumed,
    is_yield,
    stack_almost_full,
)
from footfall.observe.pure.recorder import PureRecorder
from footfall.observe.thread_starts import wrap_thread_functions
from footfall.own_builtins import keep_builtins
from footfall.pythons import RETURNS_ON_UNTOLD_LINES, TRACES_ALL_THREADS

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any

    from footfall.observe.pure.traced_frames import TracedFrames
    from footfall.observe.pypy.late_probes import LateProbes
    from footfall.observe.scope import Scope
    from footfall.settings import Settings

    Trace = Callable[[FrameType, str, object], Any]
    Add = Callable[[int, int], None]
    Decide = Callable[[str, dict[str, Any]], str | None]
    """From `co_filename` and globals to the absolute path of a file if it is traced."""
    Offsets = Callable[[CodeType], frozenset[int] | None]
    """The offsets of phantom events in a code object; None if it is not traced."""

__all__ = ["ask_again", "start", "start_for_plugins", "start_with_probes", "stop"]

_SLOTS = 256
_UNKNOWN = object()
_RUNNING = "running"
"""An event of our own: the frame began before measuring."""
_NO_LINE = 0


def start(
    settings: "Settings",
    scope: "Scope",
    is_late: bool = False,
    only_new: bool = False,
    traced_frames: "TracedFrames | None" = None,
    with_probes: bool = False,
) -> None:
    """Trace this thread and those that are started from now on.

    If the start `is_late`, also trace the frames that are running, unless `only_new`. `traced_frames` are those of the
    files that plugins measure. `with_probes`, which PyPy has, functions that exist get probes and are not traced.
    """

    def decide(filename: str, namespace: "dict[str, Any]") -> str | None:
        return scope.decide(filename, namespace=namespace)

    recorder = PureRecorder(settings, ENGINE_SETTRACE, is_late)
    offsets: Offsets = PhantomLines().offsets
    has_labels = settings.function_contexts or settings.plugin_contexts
    probes = None
    if with_probes and not (only_new or has_labels or traced_frames is not None):
        probes = load_own("pypy.late_probes").LateProbes.started(scope, recorder)
        offsets = _offsets_without_probes(offsets, probes.records)
    files = _Files(recorder, decide, settings.branch, offsets)
    files.probes = probes
    files.traced_frames = traced_frames
    if has_labels:
        from footfall.observe.function_contexts import labels_of

        label_of = labels_of(settings.function_contexts, scope.file_tracers if settings.plugin_contexts else None)
        files.trace = load_own("pure.function_contexts").following(files.trace, label_of)
    at_fork(after_in_child=lambda: _begin_child(recorder, files))
    if is_late and not only_new:
        running = list(sys._current_frames().values()) if TRACES_ALL_THREADS else [sys._getframe(1)]
        for frame in running:
            _trace_running(frame, files)
    _begin(recorder, files, all_threads=is_late)
    if sys.implementation.name == "cpython":
        atexit.register(_check_tracing, files)


def start_with_probes(decide: "Callable[[str], str | None]", with_arcs: bool) -> None:
    """Trace in the same way the files that `decide(co_filename)` gives a path for, if their code has no probes.

    What already runs is not traced. The probes engine begins the record of a forked child.
    """
    if _Files.current is not None:  # plugins' files are traced already
        _Files.current.decide_by(lambda filename, _: decide(filename))
    else:
        _begin_beside_probes(lambda filename, _: decide(filename), with_arcs)


def start_for_plugins(traced_frames: "TracedFrames", with_arcs: bool) -> None:
    """Trace the frames of files that plugins measure, beside the probes engine."""
    _begin_beside_probes(lambda _, __: None, with_arcs, traced_frames)


def _begin_beside_probes(decide: "Decide", with_arcs: bool, traced_frames: "TracedFrames | None" = None) -> None:
    recorder = PureRecorder.current
    if recorder is None:
        return
    hooks = load_own("pypy.hooks" if sys.implementation.name == "pypy" else "pure.probes.hooks")
    has_probes = hooks.has_probes
    offsets = _offsets_without_probes(PhantomLines().offsets, has_probes)
    files = _Files(recorder, decide, with_arcs, offsets)
    files.traced_frames = traced_frames
    at_fork(after_in_child=files.after_fork)
    _begin(recorder, files)


def _offsets_without_probes(offsets: "Offsets", has_probes: "Callable[[CodeType], bool]") -> "Offsets":
    """Return `offsets` for code that has no probes."""

    def of_code(code: "CodeType") -> "frozenset[int] | None":
        return None if has_probes(code) else offsets(code)

    return of_code


def ask_again(filename: str) -> None:
    """Decide anew about code of a file that begins from now on."""
    if _Files.current is not None:
        _Files.current.adders.pop(filename, None)


def _begin(recorder: PureRecorder, files: "_Files", all_threads: bool = False) -> None:
    recorder.on_switch(files.flush)
    _Files.current = files
    if all_threads and TRACES_ALL_THREADS:
        sys._settraceallthreads(files.trace)  # type: ignore[attr-defined]
    sys.settrace(files.trace)
    if not _Files.are_threads_followed:
        _Files.are_threads_followed = True
        wrap_thread_functions(pure_children.wrap, _wrap_thread)


def _check_tracing(files: "_Files") -> None:
    """Report at the end if the interpreter has removed our trace function, which it does when that raises."""
    if not files.is_stopped and sys.gettrace() is None:
        what = "Without the C core, tracing ends where a signal handler raises an error within the trace function, or"
        report(
            "tracing-ended",
            what + " the program takes the trace function away: what ran after that is not in the data.",
            "Measure with the C core, or on CPython 3.14.",
        )


def _wrap_thread(function: "Callable[..., Any]") -> "Callable[..., Any]":
    """Return a wrapper that is traced while the engine runs, to run in a new thread."""

    @hidden_applevel
    def run(*args, **named):  # type: ignore[no-untyped-def]
        if _Files.current is not None and sys.gettrace() is None:
            sys.settrace(_Files.current.trace)
        return function(*args, **named)

    return pure_children.dress(run, function)  # type: ignore[no-any-return]


def stop() -> None:
    """Stop tracing. Other threads drop the trace function when they next call something."""
    files, _Files.current = _Files.current, None
    if files is not None:
        files.is_stopped = True
        if files.probes is not None:
            files.probes.stop()
        if TRACES_ALL_THREADS:
            sys._settraceallthreads(None)  # type: ignore[attr-defined]
        sys.settrace(None)


def _begin_child(recorder: PureRecorder, files: "_Files") -> None:
    """Give a forked child a record of its own."""
    if not files.is_stopped:
        recorder.after_fork()
        if files.probes is not None:
            files.probes.begin_child()
        pure_contexts.after_fork()
        files.after_fork()


def _trace_running(frame: "FrameType | None", files: "_Files") -> None:
    """Trace what already runs in this thread; the line before the first one is not known."""
    while frame is not None:
        trace_frame = files.trace(frame, "call", None)
        if trace_frame is not None:
            trace_frame(frame, _RUNNING, None)
            frame.f_trace = trace_frame
        frame = frame.f_back


class _Files:
    """The measured files by `co_filename`, each with a function that adds a pair of lines to its record."""

    current: "_Files | None" = None
    """Those that are measured now."""

    are_threads_followed = False

    def __init__(self, recorder: PureRecorder, decide: "Decide", with_arcs: bool, offsets: "Offsets") -> None:
        self._recorder = recorder
        self._decide = decide
        self._with_arcs = with_arcs
        self._measured: list[tuple[tuple[str, str], set[tuple[int, int]], _Room]] = []
        self._of_others: set[tuple[str, int, int, int]] = set()
        self.adders: dict[str, Add | TracedFile | None] = {}
        self.traced_frames: TracedFrames | None = None
        self.probes: LateProbes | None = None
        """Which measure the code that they are in."""
        self.is_stopped = False
        self.trace = _trace_function(self, offsets)

    def adder(self, frame: "FrameType") -> "Add | TracedFile | None":
        """Decide about a file seen for the first time; if a plugin takes it, return the plugin's TracedFile."""
        filename = frame.f_code.co_filename
        if self.traced_frames is not None:
            traced = self.traced_frames.files.look_up(filename, frame.f_globals)
            if traced is UNDECIDED:
                return None
            if traced is not None:
                self.adders[filename] = traced
                return traced  # type: ignore[no-any-return]
        with Undisturbed():  # deciding handles errors, and must not take a signal handler's for one of its own
            path = self._decide(filename, frame.f_globals)
        found = self.adders[filename] = None if path is None else self._make_adder(filename, path)
        return found

    def decide_by(self, decide: "Decide") -> None:
        """Decide about files in another way from now on, except those that are measured already."""
        self._decide = decide
        for filename, found in self.adders.copy().items():
            if found is None:
                del self.adders[filename]

    def after_fork(self) -> None:
        """Start with nothing seen, in a forked child."""
        self._of_others.clear()
        for _, seen, room in self._measured:
            seen.clear()
            room.__init__()  # type: ignore[misc]

    def flush(self, context_id: int) -> None:
        """Record the pairs of a context that ends, and let them be seen again."""
        for names, seen, room in self._measured:
            ended = seen.copy()
            pairs = {_slot(*pair) for pair in ended}
            if not ended or not self._recorder.add_trace_pairs(*names, context_id, list(pairs)):
                continue
            # Only what was recorded: another thread may see more in the meantime. What it sees again until the second
            # step belongs to the context that ends.
            room.clear(pairs)
            seen.difference_update(ended)

    def _make_adder(self, filename: str, path: str) -> "Add":
        seen: set[tuple[int, int]] = set()
        room = _Room()
        self._measured.append(((filename, path), seen, room))
        recorder, with_arcs = self._recorder, self._with_arcs

        def add(start: int, end: int) -> None:
            if not with_arcs:
                if end < 0:
                    return
                start = 0 if end else -1  # (0, 0) is an empty slot
            if has_other_work() and self._add_of_other_work(filename, path, start, end):
                return
            if (start, end) in seen or self.is_stopped:
                return
            seen.add((start, end))
            while not room.put(_slot(start, end)):
                slots = recorder.add_trace(filename, path, _SLOTS)
                if slots is None:
                    return
                room.add(slots)

        return add

    def _add_of_other_work(self, filename: str, path: str, start: int, end: int) -> bool:
        """Record a pair of work that belongs to a context other than the process's. Return False if it does not."""
        context_id = context_of_other_work(self._recorder)
        if context_id is None:
            return False
        key = (filename, context_id, start, end)
        if key not in self._of_others and not self.is_stopped:
            self._of_others.add(key)
            self._recorder.add_trace_pairs(filename, path, context_id, [_slot(start, end)])
        return True


def _slot(start: int, end: int) -> int:
    return end << 32 | start & 0xFFFFFFFF


class _Room:
    """The slots of one file's TRACE entries. Threads may switch between any two steps here."""

    def __init__(self) -> None:
        self._all: list[memoryview] = []
        self._free: list[tuple[memoryview, int]] = []

    def add(self, slots: memoryview) -> None:
        self._all.append(slots)
        self._free += [(slots, at) for at in range(len(slots))]

    def put(self, pair: int) -> bool:
        """Write a pair; return False if no slot is free."""
        try:
            slots, at = self._free.pop()
        except IndexError:
            return False
        slots[at] = pair
        return True

    def clear(self, pairs: set[int]) -> None:
        """Empty the slots of these pairs."""
        for slots in self._all:
            for at in range(len(slots)):
                if slots[at] in pairs:
                    slots[at] = 0
                    self._free.append((slots, at))


def _trace_function(files: _Files, phantom_offsets: "Offsets") -> "Trace":
    adders = files.adders

    @hidden_applevel  # type: ignore[untyped-decorator]
    def footfall_trace(frame: "FrameType", event: str, arg: object) -> "Trace | None":
        if files.is_stopped:
            sys.settrace(None)
            return None
        if stack_almost_full is None:
            return None  # the interpreter ends, and has emptied this module
        if stack_almost_full():
            end_recursion(footfall_trace)
        code = frame.f_code
        add: Any = adders.get(code.co_filename, _UNKNOWN)
        if add is _UNKNOWN:
            try:
                add = files.adder(frame)
            except RecursionError:
                end_recursion(footfall_trace)
        if add is None:
            return None
        first = -code.co_firstlineno
        last = frame.f_lineno if is_resumed(frame) else first
        phantoms = phantom_offsets(code)
        if phantoms is None:
            return None
        if type(add) is TracedFile:
            frames = files.traced_frames
            assert frames is not None
            try:
                counts = frames.begin(frame, add, last)
            except BaseException:  # not the plugin's own error, but the program's
                go_on_after_raising(frame, None, frames.end)
                raise
            return _function_for_plugin(frames, phantoms) if counts else None
        is_raising = False

        def trace_frame(frame: "FrameType", event: str, arg: object) -> "Trace":
            nonlocal last, is_raising
            if event == "line":
                is_raising = False
                if frame.f_lasti not in phantoms:
                    line = frame.f_lineno
                    add(last, line)
                    last = line
            elif event == "return":
                if last != _NO_LINE and not is_yield(frame, is_raising and arg is None):
                    if RETURNS_ON_UNTOLD_LINES and frame.f_lineno != last:
                        add(last, frame.f_lineno)
                        last = frame.f_lineno
                    add(last, first)
            elif event == "exception":
                is_raising = True
            elif event == _RUNNING:
                last = _NO_LINE
            return trace_frame

        return trace_frame

    return footfall_trace  # type: ignore[no-any-return]


def _function_for_plugin(frames: "TracedFrames", phantoms: "frozenset[int]") -> "Trace":
    """Return the function that traces a frame of a plugin's file."""
    is_raising = False

    def trace_frame(frame: "FrameType", event: str, arg: object) -> "Trace":
        nonlocal is_raising
        if event == "line":
            is_raising = False
            if frame.f_lasti not in phantoms:
                try:
                    frames.line(frame)
                except BaseException:  # not the plugin's own error, but the program's
                    go_on_after_raising(frame, trace_frame, frames.end)
                    raise
        elif event == "return":
            frames.end(frame, is_left=not is_yield(frame, is_raising and arg is None))
        elif event == "exception":
            is_raising = True
        return trace_frame

    return trace_frame
