"""The start hook: imported by `footfall.pth` in every interpreter that inherits FOOTFALL_RUN.

Reads the run's settings, opens this process's record file, starts an engine and the sampler. Whatever goes
wrong here is reported once on stderr with a slug, and the program runs unmeasured.
"""

import atexit
import os
import sys

from footfall.files import current_directory
from footfall.model import ENGINE_MONITORING, ENGINE_PROBES, ENGINE_SETTRACE, ENGINE_VARIABLE, RUN_VARIABLE
from footfall.observe.children import propagate_run
from footfall.observe.messages import report
from footfall.observe.scope import Scope
from footfall.own_builtins import keep_builtins
from footfall.pythons import (
    HAS_FUNCTION_CONTEXTS,
    HAS_MONITORING,
    HAS_PROBES,
    MARKS_ENTRIES_FROM_C,
    TELLS_TASKS,
    TRACES_SINGLE_FRAMES,
    fallback_reason,
    find_engine,
    has_jit_on,
    refused_build,
    unknown_python,
)
from footfall.settings import Settings, read_settings, record_flags
from footfall.tier import HAS_CORE, IS_FREE_THREADED, IS_PURE_CPYTHON, WHY_PURE

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from footfall.observe.file_tracers.files import MadePlugins

__all__ = [
    "begin_contexts",
    "choose_engine",
    "choose_late_engine",
    "free_tool_id",
    "start",
    "start_monitoring",
    "start_plugin_tool",
    "watch_files",
]

_TOOL_NAME = "footfall"
# Ids that no other tool is known to use come first: 0 debuggers, 1 coverage, 2 profilers, 3 Hypothesis, 5 optimizers.
_TOOL_IDS = (4, 1, 3, 5, 2, 0)
_ENGINES = {"monitoring": ENGINE_MONITORING, "probes": ENGINE_PROBES, "settrace": ENGINE_SETTRACE}


def start(directory: str) -> None:
    """Start measuring this process for the run in `directory`. Never raises."""
    refused = refused_build()
    if refused:
        report("python-unsupported", "not measured: this is " + refused + ".", "Run the program under another Python.")
        return
    try:
        settings = read_settings(directory)
    except (OSError, ValueError) as error:
        report("run-unreadable", "not measured: " + str(error) + ".", "Start it with `footfall run`.")
        return
    try:
        propagate_run(directory)
    except Exception as error:  # any failure of ours must leave the program as it is
        report("start-failed", "programs that this one starts in another environment are not measured: " + repr(error))
    try:
        if settings.cover:
            _start_coverage(settings)
    except Exception as error:  # as above
        report("start-failed", "coverage did not start: " + repr(error) + ".")
    try:
        if settings.profile:
            _start_sampler(settings)
    except Exception as error:  # as above
        report("sampler-failed", "the profile did not start: " + repr(error) + ".")


def choose_engine(settings: Settings, made: "MadePlugins | None" = None) -> "tuple[int, tuple[str, str] | None]":
    """Return the engine, and the arguments of a `report` to make once it can be recorded.

    `made` are plugins that this process has made, besides those that the settings describe.
    """
    default = find_engine(settings.branch)
    reason = fallback_reason()
    if reason is not None:
        return default, reason
    name = os.environ.get(ENGINE_VARIABLE) or settings.engine
    engine = _ENGINES.get(name, default)
    warning = None
    if settings.function_contexts and not HAS_FUNCTION_CONTEXTS:
        engine = ENGINE_SETTRACE
        what = "contexts of test functions are seen by the slow engine settrace here. "
        warning = ("function-contexts-settrace", what + "pytest --footfall-context=test costs less.")
    elif name and name not in _ENGINES:
        what = "there is no engine " + repr(name) + ": the default is used. Choose monitoring, probes or settrace."
        warning = ("engine-unusable", what)
    elif engine == ENGINE_MONITORING and default != ENGINE_MONITORING:
        what = "the engine monitoring needs CPython 3.14, or 3.12 without branches: the default is used."
        warning = ("engine-unusable", what)
        engine = default
    elif engine == ENGINE_PROBES and not HAS_PROBES:
        warning = ("engine-unusable", "probes are for CPython 3.11 to 3.13 and PyPy: the default engine is used.")
        engine = default
    if settings.plugin_contexts and engine != ENGINE_SETTRACE:
        what = (
            "a plugin of coverage.py is asked of each function's context, for which the slower engine settrace is used."
        )
        warning = ("plugins-settrace", what)
        engine = ENGINE_SETTRACE
    needs_trace = settings.trace_plugins or not _can_trace_alone(engine)
    if (settings.plugin_files or made) and engine != ENGINE_SETTRACE and needs_trace:
        who = "Cython's modules need" if settings.trace_plugins else "the files of coverage.py's plugins need here"
        warning = ("plugins-settrace", who + " the engine settrace, which makes the program slower.")
        engine = ENGINE_SETTRACE
    if engine == ENGINE_MONITORING and free_tool_id() is None:
        what = "all six sys.monitoring tools are taken: coverage uses the slower engine settrace."
        warning = ("no-tool-id", what)
        engine = ENGINE_SETTRACE
    return engine, warning


def _can_trace_alone(engine: int) -> bool:
    """Return whether frames of plugins' files can be seen without tracing the lines of the whole program."""
    if not HAS_CORE:
        # CPython's main script gets its probes by a trace function of its own
        return engine == ENGINE_PROBES and not IS_PURE_CPYTHON
    if not TRACES_SINGLE_FRAMES:
        return HAS_MONITORING
    from footfall import _core

    return _core.is_main_interpreter()


def choose_late_engine(
    settings: Settings, made: "MadePlugins | None", *, only_new: bool = False
) -> "tuple[int, tuple[str, str] | None]":
    """Return the same for a running program, whose functions have no probes but may get some.

    On CPython, those of a measurement that is `only_new` get none: it is footfall.compat's, whose data have all
    pairs of lines, as coverage.py's. Nor do any there without the core.
    """
    engine, warning = choose_engine(settings, made)
    if find_engine(settings.branch) == ENGINE_PROBES and warning is not None and warning[0] == "plugins-settrace":
        warning = None  # the plugins make nothing slower than it already is
    if engine == ENGINE_PROBES and IS_PURE_CPYTHON:
        engine = ENGINE_SETTRACE
    if engine == ENGINE_PROBES and HAS_CORE and (only_new or not _can_add_probes(settings, made)):
        engine = ENGINE_SETTRACE
    return engine, warning


def _can_add_probes(settings: Settings, made: "MadePlugins | None") -> bool:
    """Return whether functions of a running program can get probes on CPython, beside a tool for all other code.

    A debugger would see them. Greenlets that wait are in no thread's frames.
    """
    if not HAS_MONITORING or settings.function_contexts:
        return False
    n_tools = 2 if made else 1
    return sys.gettrace() is None and "greenlet" not in sys.modules and len(_free_tool_ids()) >= n_tools


def free_tool_id() -> int | None:
    """Return an id of `sys.monitoring` that no tool uses, None if there is none."""
    free = _free_tool_ids()
    return free[0] if free else None


def _free_tool_ids() -> list[int]:
    return [tool_id for tool_id in _TOOL_IDS if sys.monitoring.get_tool(tool_id) is None]


def _start_coverage(settings: Settings) -> None:
    engine, warning = choose_engine(settings)
    scope = Scope(settings)
    if HAS_CORE or engine == ENGINE_MONITORING:
        _open_record(settings, engine)  # the other engines open it themselves
    traced_frames = None
    if settings.plugin_files or settings.plugin_contexts:
        traced_frames = watch_files(settings, scope)
    elif settings.plugins:
        load_with_program(settings, scope)
    if engine == ENGINE_MONITORING:
        atexit.register(_check_tool, start_monitoring(scope, settings.branch))
    elif engine == ENGINE_SETTRACE:
        from footfall.observe.engines import settrace

        settrace.start(settings, scope, traced_frames=traced_frames)
    else:
        from footfall.observe.engines import probes

        probes.start(settings, scope)
    if traced_frames is not None and engine != ENGINE_SETTRACE:
        start_plugin_tool(traced_frames, settings.branch)
    if settings.plugin_contexts or settings.function_contexts:
        begin_contexts(settings, scope, engine)
    if warning is not None:
        report(*warning)  # PyPy's record is open by now, too


def begin_contexts(settings: Settings, scope: Scope, engine: int) -> None:
    """Make functions begin contexts."""
    from footfall.observe import function_contexts

    if settings.plugin_contexts:
        function_contexts.start_traced(function_contexts.labels_of(settings.function_contexts, scope.file_tracers))
    else:
        function_contexts.start(is_main_awaited=engine == ENGINE_PROBES)


def watch_files(settings: Settings, scope: Scope, made: "MadePlugins | None" = None) -> "Any":
    """Let coverage.py's plugins, described by the settings or `made`, take files before they are measured as Python.

    Returns the frames of these files: `_core.TracedFrames`, or without the core the class of the same name. With the
    core, a record must be open.
    """
    from footfall.observe.file_tracers.files import UNDECIDED, FileTracers

    files = scope.file_tracers = FileTracers(settings, scope, made)
    if not HAS_CORE:
        from footfall.observe.pure.traced_frames import TracedFrames

        return TracedFrames(files, settings.branch)
    from footfall import _core

    frames = _core.traced_frames(files, UNDECIDED, settings.branch)
    files.on_failure.append(frames.switch_off)
    return frames


def load_with_program(settings: Settings, scope: Scope) -> None:
    """Load coverage.py's plugins, of which none measures files, when the program begins."""
    from footfall.observe.file_tracers.files import FileTracers

    scope.file_tracers = FileTracers(settings, scope)


def start_plugin_tool(frames: "Any", branch: bool) -> None:
    """See the frames of plugins' files, which `watch_files` returned, beside an engine other than `settrace`.

    With a tool id of sys.monitoring where there is one.
    """
    if not HAS_CORE:
        from footfall.observe.own_modules import load_own

        load_own("thread_starts")  # the next module imports it
        load_own("engines.settrace").start_for_plugins(frames, branch)
        return
    if TRACES_SINGLE_FRAMES:
        from footfall import _core
        from footfall.observe.engines import settrace

        _core.traced_frames_evaluate(frames)
        settrace.follow_threads()
        return
    from footfall.observe.file_tracers.monitoring import TOOL_NAME, start_tool

    tool_id = free_tool_id()
    if tool_id is None:
        what = "all six sys.monitoring tools are taken: the files of coverage.py's plugins are not measured."
        report("no-tool-id", what, "Set FOOTFALL_ENGINE=settrace.")
        return
    sys.monitoring.use_tool_id(tool_id, TOOL_NAME)
    start_tool(tool_id, frames)


def _open_record(settings: Settings, engine: int) -> None:
    if not HAS_CORE:
        from footfall.observe.pure.recorder import PureRecorder

        PureRecorder(settings, engine)
        return
    from footfall import _core

    _core.record_open(
        os.fsencode(settings.directory),
        engine,
        record_flags(settings),
        os.fsencode(current_directory()),
        os.fsencode(sys.executable or ""),
    )
    os.register_at_fork(after_in_child=_core.record_after_fork)


def start_monitoring(scope: Scope, with_branches: bool, only_new: bool = False) -> int:
    """Start measuring with a sys.monitoring tool id, one of which must be free; return the id.

    The record file must be open. With `only_new` generators that began before are seen when they continue.
    """
    tool_id = free_tool_id()
    assert tool_id is not None  # checked a moment ago
    sys.monitoring.use_tool_id(tool_id, _TOOL_NAME)
    if HAS_CORE:
        from footfall import _core

        _core.monitoring_start(tool_id, scope.decide, with_branches, only_new)
    else:
        from footfall.observe.pure import monitoring as pure_monitoring

        pure_monitoring.start(tool_id, scope.decide, with_branches, only_new)
    return tool_id


def _check_tool(tool_id: int) -> None:
    """Report at the end if the program has freed our tool id."""
    if sys.monitoring.get_tool(tool_id) != _TOOL_NAME:
        report(
            "tool-freed",
            "the program freed footfall's sys.monitoring tool: what ran after that is not in the data.",
            "Let it free only its own, or set FOOTFALL_ENGINE=settrace.",
        )


def _start_sampler(settings: Settings) -> None:
    unknown = unknown_python()
    if unknown:
        what = "this footfall does not know " + unknown + ": there is no profile. Update footfall."
        _report_at_end("python-unknown", what, settings)
        return
    if IS_FREE_THREADED:
        what = "there is no profile: without the GIL, no thread can read what others run while they run."
        _report_at_end("free-threaded", what, settings)
        return
    if settings.with_tasks and not (TELLS_TASKS and HAS_CORE):
        what = "the profile is without asyncio's tasks: only CPython 3.12+ with footfall's C core tells of them."
        _report_at_end("async-unsupported", what, settings)
    native = settings.native and _can_see_native(settings)
    if IS_PURE_CPYTHON:
        _start_python_sampler(settings)
        return
    if HAS_CORE:
        from footfall import _core
        from footfall.observe.sampler import inside

        if not _core.is_main_interpreter():
            what = "code run in further interpreters of a process is not in the profile."
            _report_at_end("interpreter-unsampled", what, settings)
            return
        if has_jit_on():
            what = "CPython's JIT is on: the profile's functions are right, its lines only about so."
            _report_at_end("jit-lines", what, settings)
        with_tasks = settings.with_tasks and TELLS_TASKS
        precise = settings.precise or native
        inside.start(settings.directory, settings.rate_hz, settings.max_cpu_ppm, precise, with_tasks, native)
    else:
        from footfall.observe.sampler import pypy

        pypy.start(settings.directory, settings.rate_hz)


def _start_python_sampler(settings: Settings) -> None:
    """Start the sampler of CPython without the C core."""
    from footfall.observe.sampler import python_thread

    if not python_thread.is_main_interpreter():
        what = "code run in further interpreters of a process is not in the profile."
        _report_at_end("interpreter-unsampled", what, settings)
        return
    what = "there is no C core (" + WHY_PURE + "): a Python thread samples instead, which sees less."
    if settings.precise:
        what += " It can't do so with --precise."
    _report_at_end("sampler-fallback", what, settings)
    python_thread.start(settings.directory, settings.rate_hz, settings.max_cpu_ppm)


def _can_see_native(settings: Settings) -> bool:
    """Return whether C functions can be seen in this process; report why not."""
    if not HAS_CORE:
        why = "only CPython with footfall's C core tells of them"
    elif not MARKS_ENTRIES_FROM_C:
        why = "CPython 3.11 does not say where C code called Python; 3.12 and later do"
    elif os.uname().machine != "x86_64":
        why = "footfall can't yet read the C stacks of " + os.uname().machine
    else:
        return True
    _report_at_end("native-unavailable", "the profile is without C functions: " + why + ".", settings)
    return False


def _report_at_end(slug: str, what: str, settings: Settings) -> None:
    """Report a message about the profile.

    Without coverage a record is made for it: otherwise each process would write to stderr.
    """
    try:
        if not settings.cover:
            _open_record(settings, ENGINE_SETTRACE if sys.implementation.name == "cpython" else ENGINE_PROBES)
    except OSError:
        pass  # then it is reported at once
    report(slug, what)


def _start_from_environment() -> None:
    directory = os.environ.get(RUN_VARIABLE)
    if directory:
        start(directory)


_start_from_environment()
