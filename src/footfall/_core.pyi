"""The C core: what runs inside the measured process. CPython only; a test compares this file with the module."""

from collections.abc import Callable
from types import CodeType, FrameType, FunctionType
from typing import Any, Never, TypeVar
from weakref import ReferenceType

from footfall.observe.file_tracers.files import FileTracers

_Result = TypeVar("_Result")

def is_main_interpreter() -> bool:
    """Return whether this is the process's first interpreter."""

def record_open(directory: bytes, engine: int, flags: int, cwd: bytes, executable: bytes, /) -> None:
    """Open this process's record file in the run directory. Raises OSError if it cannot be created."""

def record_after_fork() -> None:
    """Give a forked child a record file of its own."""

def record_message(slug: str, text: str, /) -> bool:
    """Write a message to the record file, if one is open; return whether it could be written."""

def record_imported(path: str, absolute_path: str, /) -> None:
    """Record a file whose module was imported before measuring began."""

def record_close() -> bytes | None:
    """Close a record file that was opened late (flag 2) and return its directory, else None.

    The engine must have stopped.
    """

def monitoring_remove_silent(code: CodeType, /) -> None:
    """Take places that never send a LINE event from code whose LINE events have just been enabled.

    It must not have executed its first line yet. Only available with sys.monitoring, like the next two functions.
    """

def monitoring_pause() -> bool:
    """Record nothing until `monitoring_resume`; the tool stays. False if measured code is running: then it goes on.

    Only available with sys.monitoring, like the next function.
    """

def monitoring_resume() -> bool:
    """Measure what begins from now on. False if measured code is running, as it would be measured too."""

def monitoring_start(tool_id: int, decide: Callable[[str], str | None], with_branches: bool, only_new: bool, /) -> None:
    """Measure every code object whose file `decide(co_filename)` gives a path for.

    If `only_new`, generators that began before are seen as well; else the caller finds them. Only available with
    sys.monitoring.
    """

def monitoring_stop() -> None:
    """Stop recording. The caller removes the tool's callbacks first."""

def captures_arm(code: CodeType, /) -> bool:
    """Let captures see the probes in a module's code; nothing is recorded. True if it has any."""

def captures_begin(news: list[Any], is_full: bool, /) -> int:
    """Begin a series of captures: what its blocks reach is appended to the list `news` as (Events, number), once."""

def captures_end(series: int, /) -> None:
    """End a series and free its number."""

def captures_forget(series: int, /) -> None:
    """Make all probes in the news of a series new for it again."""

def captures_events(code: CodeType, /) -> Any:
    """Return the Events object of the probes in code, None if it has none."""

def captures_modules(on_module: Callable[[Any, str, str], object], /) -> list[tuple[Any, str, str]]:
    """Return (Events, header, co_filename) of each module with probes; `on_module` is called for each new one."""

def captures_want(series: int, events: Any, /) -> bool:
    """Report a module's probes, including removed ones, to a series from now on. True if that is possible."""

def probes_arm(code: CodeType, where: str | Callable[[str], str | None], /) -> bool:
    """Make the probes in a module's code record. True if it has any and they record now."""

def objects_of_types(get_objects: Callable[[], list[Any]], types: tuple[type, ...], /) -> list[Any]:
    """Return what `gc.get_objects`, which is given, returns of objects whose type is in a tuple of types.

    A list of all objects also has tuples that other threads are filling, which then fail: CPython's
    _PyTuple_Resize() is for those with one reference alone. This function's list is gone before they run on.
    """

def probes_exchange(code: CodeType, inner: CodeType, with_probes: CodeType, /) -> None:
    """Make code that is running, which therefore stays, create functions of `with_probes` instead of `inner`."""

def probes_hook_main(code_for: Callable[[CodeType, dict[str, object]], object], /) -> None:
    """Run the result of `code_for(code, globals)` in place of the main script's code, if there is one."""

def probes_rearm() -> int:
    """Put all removed probes back. Return how many there were."""

def probes_record(decide: Callable[[str], str | None] | None, /) -> None:
    """Make all existing probes, those of captures too, record in the record that has just been opened.

    `decide(co_filename)` gives the path of a measured file. With None, they record no more.
    """

def probes_recode(function: FunctionType, code: CodeType, /) -> None:
    """Set a function's `__code__` to code that does the same, so that calls of it stay as quick as they were."""

def probes_wrap(
    plain_compile: Callable[..., Any],
    on_compile: Callable[..., Any],
    plain_exec: Callable[..., Any],
    plain_eval: Callable[..., Any],
    on_unarmed: Callable[[CodeType], object],
    on_plain: Callable[[CodeType, dict[str, object] | None], CodeType | bool | None],
    /,
) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    """Return wrappers of compile, exec and eval."""

def probes_wrap_loads(
    plain_loads: Callable[..., Any],
    plain_load: Callable[..., Any],
    token: bytes,
    decide: Callable[[str], str | None],
    /,
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return wrappers of marshal.loads and marshal.load that make probes record in copies of code."""

def settrace_ask_again(filename: str, /) -> None:
    """Forget the decision about a file, for code of it that has not run yet."""

def settrace_pass_over(code: CodeType, /) -> None:
    """Never measure those code objects of a module with probes that need none: a generator expression, for example."""

def settrace_pause() -> bool:
    """Trace no thread until `settrace_resume`. False if this engine does not run, or not for new calls only."""

def settrace_resume() -> bool:
    """Trace all threads again, in what begins from now on. False if there is no pause."""

def settrace_start(
    decide: Callable[[str], Any],
    with_arcs: bool,
    only_new: bool,
    traced_frames: TracedFrames | None,
    has_tool: bool = False,
    /,
) -> None:
    """Trace all threads; measure files for which `decide(co_filename)` gives a path.

    If it gives a TracedFile, `traced_frames` record it. If it `has_tool`, no thread is traced: events come from the
    callbacks of `settrace_tool`.
    """

def settrace_tool(tool_id: int, events: int, watched: list[ReferenceType[CodeType]], /) -> dict[str, Any]:
    """Return the callbacks of a tool of sys.monitoring by the names of their events.

    They enable the local `events` in code that the engine measures, and append weak references to it to `watched`. The
    further function `watch(code)` does so for code that runs already.
    """

class TracedFrames:
    """The frames of files that plugins of coverage.py measure; created by `traced_frames`."""

    def __new__(cls) -> Never:
        """Raise TypeError: there is no other way to create one."""

    def switch_off(self, plugin: object, /) -> None:
        """Drop the results of a plugin that has failed, and do not ask it again."""

def traced_frames_monitor(
    frames: TracedFrames, tool_id: int, local_events: int, global_events: int, /
) -> dict[str, Callable[..., Any]]:
    """Return the callbacks of a sys.monitoring tool, by the names of their events.

    PY_START must be enabled everywhere. The other events are enabled when the first frame of a file is measured, the
    local ones in each code object of which one is.
    """

def traced_frames_evaluate(frames: TracedFrames, /) -> None:
    """Trace only the frames that run code of the plugins' files, until the process ends.

    Raises RuntimeError in a further interpreter, if this was done before, and from CPython 3.12 on.
    """

def traced_frames(files: FileTracers, undecided: object, with_arcs: bool, /) -> TracedFrames:
    """Return the frames of the files that `files` finds; it knows none yet.

    `undecided` is what its `look_up` returns if it can't tell. A record file must be open.
    """

def settrace_stop() -> None:
    """Stop tracing all threads. Does nothing if the engine is not running."""

def settrace_wrap_thread(function: Callable[..., Any], /) -> Callable[..., Any]:
    """Return a wrapper of `function` that, when run by a thread, is traced while the engine runs."""

def children_wrap(
    plain: Callable[..., Any], change: Callable[..., Any] | None, after: Callable[..., Any] | None, /
) -> Callable[..., Any]:
    """Return a wrapper of a function, or of another callable, that passes its arguments through `change`."""

def context_bind(label: str, /) -> None:
    """Bind the running thread or task, and those that it starts from now on, to the context `label`."""

def context_wrap_thread(function: Callable[..., Any], /) -> Callable[..., Any]:
    """Return a wrapper of `function` that runs in the context that the caller is bound to now."""

def function_contexts_start(label_of: Callable[..., str | None], is_waiting: bool, /) -> None:
    """Let functions named test* and runTest begin the context `label_of(code, globals[, self])`; None begins none.

    `is_waiting`: what evaluates frames now will give way by itself. Raises RuntimeError in a further interpreter.
    """

def function_contexts_trace(label_of: Callable[[FrameType], str | None], /) -> None:
    """Let frames begin the context `label_of(frame)`, as the engine settrace reports them; None begins none."""

def function_contexts_look() -> None:
    """Prepare for a thread that is about to start: see its frames, even if the present one is in a test."""

def function_contexts_stop() -> None:
    """Stop functions from beginning contexts. Does nothing if none do."""

def context_label() -> str:
    """Return the process's present context; "" is none, also if no record file is open."""

def context_switch(label: str, /) -> bool:
    """Put everything that runs from now on into the context, samples too. False if no record file is open."""

def context_switch_samples(label: str, /) -> bool:
    """Do the same for samples only."""

def sampler_start(
    path: str,
    interval_ns: int,
    seed: int = 0,
    follow: bool = True,
    max_cpu_ppm: int = 0,
    precise: bool = False,
    lease_ns: int = 0,
    tasks: tuple[int, int, int, int, int] | bool | None = None,
    native: bool = False,
) -> None:
    """Sample all threads into a new file from a native thread. Raises OSError, PermissionError."""

def sampler_open_fallback(path: str, interval_ns: int, seed: int = 0) -> None:
    """Do the same as sampler_start, but the caller's own thread takes the samples by sampler_take()."""

def sampler_take() -> bool:
    """Take one sample of every thread except the caller's. False if the log has ended."""

def sampler_stop() -> None:
    """Stop sampling and close the log. Does nothing if no sampler is running."""

def sampler_stats() -> dict[str, int]:
    """Return what the running sampler has counted; empty if none is running. Times are in nanoseconds."""

def sampler_set_context(context_id: int) -> None:
    """Put samples from now on into this context (an id of the record file)."""

def sampler_before_fork() -> None:
    """End the native thread for the duration of a fork."""

def sampler_after_fork_parent() -> None:
    """Continue sampling after sampler_before_fork()."""

def sampler_after_fork_child() -> None:
    """Forget the parent's sampler without touching its log."""

_Frames = list[tuple[int, int, bytes, bytes, int, bytes]]
_Look = tuple[int, int, int, int, _Frames | None, int, int]
_Task = tuple[int, bytes, int, int, list[int], _Frames | None, int]

class PhaseTimes:
    """The wall time and the thread's CPU time of phases of tests, as lines of their file (docs/formats.md)."""

    def __new__(cls) -> PhaseTimes: ...
    def begin(self) -> bytes:
        """Read the clocks, for `end`."""

    def end(self, start: bytes, name: str, phase: str, /) -> None:
        """Add a line with the time since `begin` returned `start`, in this thread."""

    def take(self) -> bytes:
        """Return the lines and forget them."""

class CaptureSeries:
    """What the blocks of a series share. `number` is that of captures_begin, -1 without probes."""

    places: list[Any]
    n_open: int
    number: int
    is_simple: bool
    def __new__(cls, places: list[Any], number: int) -> CaptureSeries: ...
    def hold_tool(self, get_tool: Callable[[int], object], tool_id: int, /) -> None:
        """Let blocks be simple only while `get_tool(tool_id)` returns the very object that it returns now."""

class CaptureBlock:
    """Where in its series' places a block began and ended (-1 while it is open). Its truth value calls `_has_found`."""

    _series: CaptureSeries
    _known: Any
    _start: int
    _end: int
    _thread: int
    _is_simple: bool
    def __new__(cls) -> CaptureBlock: ...

class CaptureGate:
    """Begins and ends blocks. If its series is not simple it calls `_enter()`, which calls `_begin()`."""

    _series: CaptureSeries
    _known: Any
    def __new__(cls, series: CaptureSeries, known: object, block_type: type[CaptureBlock]) -> CaptureGate: ...
    def __init__(self, series: CaptureSeries, known: object, block_type: type[CaptureBlock]) -> None: ...
    def __enter__(self) -> Any: ...
    def __exit__(self, kind: object, error: object, traceback: object, /) -> None: ...
    def _begin(self) -> Any:
        """Begin a block; at its end, `_exit` is called with it."""

class RemoteSampler:
    """Samples the threads of all interpreters of another process. Raises OSError and its subclasses, ValueError."""

    def __new__(
        cls,
        pid: int,
        runtime: int,
        code_type: int,
        version: int,
        path: str | None = None,
        interval_ns: int = 1000000,
        rseq_offset: int = 0,
        max_cpu_ppm: int = 0,
        pause: bool = False,
        seed: int = 0,
        tasks: tuple[int, int, int, int, int] | None = None,
    ) -> RemoteSampler: ...
    def start(self) -> None:
        """Start the native thread that samples."""

    def stop(self) -> None:
        """Stop sampling and close the log."""

    def stats(self) -> dict[str, int]:
        """Return the counts so far; `end` says why sampling ended by itself: 1 process gone, 2 lost, 3 forbidden."""

    def interpreters(self) -> list[tuple[int, int, int]]:
        """Return the interpreters' addresses and ids, and where the GIL of each has its last holder."""

    def stacks(self) -> list[_Look]:
        """Return (pthread_t, native id there, thread id here, holds the GIL, frames, interpreter, entered) of all
        threads.
        """

    def stacks_and_tasks(self) -> tuple[list[_Look], list[tuple[int, list[_Task] | None]]]:
        """Also return each interpreter's asyncio tasks: (address, name, pthread_t or 0, state, awaiters, frames, n)."""

def call_with_room(function: Callable[[], _Result], /) -> _Result:
    """Call the function in a native thread where it may recurse 50,000 levels further.

    Raises RecursionError if no such thread can be created.
    """

def unseen(function: Callable[..., _Result], /, *arguments: object) -> _Result:
    """Call the function while signals are held back; trace and profile functions see none of its frames."""

def read_memory(pid: int, address: int, size: int, /) -> bytes:
    """Read another process's memory. Raises PermissionError, ProcessLookupError, OSError."""
