"""Starting and stopping in a running process: what `footfall.start` and `footfall.stop` do inside it.

`monitoring` and `settrace` can measure functions that exist already; on CPython 3.12, 3.13 and PyPy these get probes.
What ran before is not seen: the record names the modules that were imported, and the analysis infers from their source
what must have run.
"""

import os
import sys

from footfall.files import current_directory
from footfall.model import ENGINE_MONITORING, ENGINE_PROBES, ENGINE_SETTRACE, RUN_VARIABLE
from footfall.observe import function_contexts
from footfall.observe.engines import settrace
from footfall.observe.messages import report
from footfall.observe.scope import Scope
from footfall.observe.start import (
    begin_contexts,
    choose_late_engine,
    free_tool_id,
    start_monitoring,
    start_plugin_tool,
    watch_files,
)
from footfall.own_builtins import keep_builtins
from footfall.pythons import HAS_MONITORING, TRACES_ALL_THREADS
from footfall.settings import record_flags
from footfall.tier import HAS_CORE

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from footfall._core import TracedFrames
    from footfall.observe.file_tracers.files import MadePlugins
    from footfall.settings import Settings

    Note = Callable[[str, str], None]

__all__ = ["end_pause", "pause_late", "resume_late", "start_late", "stop_late"]

_is_following_forks = False
_pause: object | None = None
"""What `pause_late` returned, until something ends the pause."""
_pausing: "tuple[Callable[[], bool], Callable[[], bool]] | None" = None
"""How the engine that was started last pauses and resumes, if it can."""
_tool_id: int | None = None
"""The tool id of that engine, if it is `monitoring`."""


def start_late(
    settings: "Settings",
    *,
    only_new: bool = False,
    plugins: "MadePlugins | None" = None,
    scope: Scope | None = None,
) -> None:
    """Measure all threads from now on; on PyPy this thread and new ones. Raises RuntimeError if already measuring.

    With `only_new` it ignores, as coverage.py does, everything that began before: frames that are running stay
    unmeasured, and modules that were imported have only the lines that are seen. `plugins` are coverage.py plugins that
    this process has made. A `scope` is that of an earlier measurement with the same settings, without plugins.
    """
    end_pause()
    engine, warning = choose_late_engine(settings, plugins, only_new=only_new)
    start = _start_in_core if HAS_CORE else _start_in_python
    start(settings, scope or Scope(settings), engine, warning, only_new, plugins)


def _start_in_core(
    settings: "Settings",
    scope: Scope,
    engine: int,
    warning: "tuple[str, str] | None",
    only_new: bool,
    plugins: "MadePlugins | None",
) -> None:
    from footfall import _core

    _core.record_open(
        os.fsencode(settings.directory),
        engine,
        record_flags(settings, is_late=True),
        os.fsencode(current_directory()),
        os.fsencode(sys.executable or ""),
    )
    _follow_forks()
    try:
        _measure_in_core(settings, scope, engine, warning, only_new, plugins)
    except BaseException:
        _stop_in_core()  # a start that failed leaves nothing measuring, and nothing that would block the next one
        raise


def _measure_in_core(
    settings: "Settings",
    scope: Scope,
    engine: int,
    warning: "tuple[str, str] | None",
    only_new: bool,
    plugins: "MadePlugins | None",
) -> None:
    global _pausing, _tool_id
    from footfall import _core

    if warning is not None:
        report(*warning)
    _pausing = None
    traced_frames = watch_files(settings, scope, plugins) if plugins else None
    if not only_new:
        _record_imported(scope, _core.record_imported)
    if engine == ENGINE_MONITORING:
        _tool_id = _start_monitoring(settings, scope, traced_frames, only_new)
        _pausing = _core.monitoring_pause, _core.monitoring_resume
    elif engine == ENGINE_PROBES:
        _start_probes(settings, scope, traced_frames)
    elif engine == ENGINE_SETTRACE:
        _report_tracer()
        if not only_new:
            _core.probes_record(scope.decide)  # else the trace function follows code with probes too
        settrace.start(settings, scope, only_new=only_new, traced_frames=traced_frames)
        _tool_id = None
        _pausing = _core.settrace_pause, _core.settrace_resume
    if settings.plugin_contexts or settings.function_contexts:
        begin_contexts(settings, scope, engine)


def _start_monitoring(settings: "Settings", scope: Scope, traced_frames: "TracedFrames | None", only_new: bool) -> int:
    tool_id = start_monitoring(scope, settings.branch, only_new)
    if not only_new:
        _watch_running(tool_id, scope)
    if traced_frames is not None:
        start_plugin_tool(traced_frames, settings.branch)
    sys.monitoring.restart_events()  # places that an earlier measurement has seen
    return tool_id


def _start_probes(settings: "Settings", scope: Scope, traced_frames: "TracedFrames | None") -> None:
    from footfall.observe.engines.late_probes import LateProbes

    tool_id = free_tool_id()
    assert tool_id is not None  # or there would be another engine
    LateProbes.started(settings, scope, tool_id)
    if traced_frames is not None:
        start_plugin_tool(traced_frames, settings.branch)


def _follow_forks() -> None:
    """Give forked children records of their own; registered once, however often measuring starts."""
    from footfall import _core

    global _is_following_forks
    if not _is_following_forks:
        _is_following_forks = True
        os.register_at_fork(after_in_child=_core.record_after_fork)


def _report_tracer() -> None:
    """Report that ours replaces another tool's trace function, if there is one."""
    if sys.gettrace() is not None:
        report(
            "tracer-replaced",
            "This thread had a trace function, a debugger's for example, and footfall measures by one in its place:"
            " breakpoints don't stop the program any more, and threads that the other tool traces are not measured.",
            "Debug without coverage (pytest --no-cov), or on CPython 3.14 or later.",
        )


def _watch_running(tool_id: int, scope: Scope) -> None:
    """Measure the code of running frames and of generators that have begun: these do not start again."""
    from footfall.observe.engines.recoding import find_running

    monitoring = sys.monitoring
    on_start: Any = monitoring.register_callback(tool_id, monitoring.events.PY_START, None)
    monitoring.register_callback(tool_id, monitoring.events.PY_START, on_start)
    for code, _, _ in find_running(scope):
        on_start(code, 0)


def _start_in_python(
    settings: "Settings",
    scope: Scope,
    engine: int,
    warning: "tuple[str, str] | None",
    only_new: bool,
    plugins: "MadePlugins | None",
) -> None:
    """Start without the core. Later modules are also measured by settrace: a process has one record with one engine."""
    from footfall.observe.pure.recorder import PureRecorder

    if PureRecorder.current is not None:
        raise RuntimeError("the record file is open already")
    is_monitoring = engine == ENGINE_MONITORING
    if is_monitoring:
        PureRecorder(settings, engine, is_late=True)
    else:
        _report_tracer()
    traced_frames = watch_files(settings, scope, plugins) if plugins else None
    if is_monitoring:
        _start_monitoring(settings, scope, traced_frames, only_new)
    else:
        settrace.start(
            settings,
            scope,
            is_late=True,
            only_new=only_new,
            traced_frames=traced_frames,
            with_probes=engine == ENGINE_PROBES,
        )
    recorder = PureRecorder.current
    assert recorder is not None
    if warning is not None:
        report(*warning)
    if not only_new:
        _record_imported(scope, recorder.add_imported)
    n_others = len(sys._current_frames()) - 1
    if n_others and not is_monitoring and not TRACES_ALL_THREADS:
        # reported when measuring ends, with the other messages of the record
        what = f"Not measured, or only in part: {n_others} threads that ran already."
        message = ("threads-unmeasured", what + " Traced are the present thread and later ones here.")
        recorder.add_message(*message)


def _record_imported(scope: Scope, note: "Note") -> None:
    main = sys.modules.get("__main__")  # may have further names (multiprocessing's)
    for name, module in list(sys.modules.items()):
        if module is main or name == "__main__" or _is_waiting(module):
            continue
        try:
            spec = getattr(module, "__spec__", None)
            filename = getattr(module, "__file__", None)
        except Exception:  # any object may be there
            continue
        if not isinstance(filename, str) or not filename.endswith(".py"):
            continue
        if getattr(spec, "_initializing", False):
            continue  # its import has not finished
        own_name = getattr(module, "__name__", None)  # the one in its functions' frames
        path = scope.decide(filename, own_name if isinstance(own_name, str) else name)
        if path is not None:
            note(filename, path)


def _is_waiting(module: object) -> bool:
    """Return whether a module of `importlib.util.LazyLoader` has not run yet: any attribute access would run it."""
    lazy_type = getattr(sys.modules.get("importlib.util"), "_LazyModule", None)
    return lazy_type is not None and type(module) is lazy_type


def stop_late() -> str | None:
    """Stop measuring and close the record. Return the run directory; None if this process is not measured."""
    if os.environ.get(RUN_VARIABLE) or _pause is not None:
        return None  # what `footfall run` started is not ours to stop
    if not HAS_CORE:
        return _stop_in_python()
    return _stop_in_core()


def pause_late() -> object | None:
    """Stop measuring new calls so that `resume_late` can go on in the same record; return what that needs.

    That takes microseconds. Returns None, and measuring goes on, if it can't be done. A later start ends the pause.
    """
    global _pause
    if _pausing is not None and _pausing[0]():
        _pause = object()
    return _pause


def resume_late(pause: object) -> bool:
    """Measure new calls again. Returns False if that needs another start: the pause has ended then."""
    global _pause
    if pause is not _pause or _pausing is None:
        return False
    if _is_still_ours() and _pausing[1]():
        _pause = None
        return True
    end_pause()
    return False


def _is_still_ours() -> bool:
    """Return whether events would come: a program may have freed the tool, or have set a trace function meanwhile."""
    if _tool_id is None:
        return sys.gettrace() is None  # a start reports that ours replaces it
    return sys.monitoring.get_tool(_tool_id) == "footfall"


def end_pause() -> None:
    """Stop what is paused, if anything is."""
    global _pause
    if _pause is not None:
        _pause = None
        _stop_in_core()


def _stop_in_core() -> str | None:
    from footfall import _core

    function_contexts.stop()
    _core.settrace_stop()  # first: another thread would go on to enable events of code that it runs
    late_probes = sys.modules.get("footfall.observe.engines.late_probes")
    if late_probes is not None and late_probes.LateProbes.current is not None:
        late_probes.LateProbes.current.stop()
    _core.probes_record(None)
    if HAS_MONITORING:
        _free_tools()
        _core.monitoring_stop()
    directory = _core.record_close()
    return None if directory is None else os.fsdecode(directory)


def _free_tools() -> None:
    monitoring = sys.monitoring
    for tool_id in range(6):
        if monitoring.get_tool(tool_id) in ("footfall", "footfall-plugins", "footfall-late"):
            monitoring.set_events(tool_id, 0)
            for shift in range(20):
                try:
                    monitoring.register_callback(tool_id, 1 << shift, None)
                except ValueError:
                    continue  # this version has no such event
            monitoring.free_tool_id(tool_id)


def _stop_in_python() -> str | None:
    from footfall.observe.pure import settrace as pure_settrace
    from footfall.observe.pure.recorder import PureRecorder

    recorder = PureRecorder.current
    if recorder is None:
        return None
    function_contexts.stop()
    pure_settrace.stop()
    if HAS_MONITORING:
        from footfall.observe.pure import monitoring as pure_monitoring

        _free_tools()
        pure_monitoring.stop()
    return recorder.close()
