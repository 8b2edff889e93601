"""Which code files a plugin of coverage.py measures (by its "file tracers"), and which source their frames run for.

A plugin is asked when code of a file first runs, as coverage.py does. One that fails is named and not asked again.
"""

import sys
from sys import _getframe  # as it is now: the program may replace it

from footfall.model import PLUGIN_DATA, PLUGIN_FILES
from footfall.observe.interruptions import pass_on
from footfall.observe.messages import report
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType
    from typing import Any, Never

    from footfall.observe.module_names import Namespace
    from footfall.observe.scope import Scope
    from footfall.settings import Settings

__all__ = ["UNDECIDED", "FileTracers", "MadePlugins", "Plugin", "TracedFile"]

_UNREAL = ("<", "memory:")  # file names that begin like this are no files


class Plugin:
    """A plugin of coverage.py in this process."""

    __slots__ = ("is_on", "name", "object")

    def __init__(self, plugin: "Any") -> None:
        self.object = plugin
        self.name: str = plugin._coverage_plugin_name
        self.is_on = True


class MadePlugins:
    """Plugins that this process has made already, instead of those that the settings describe."""

    __slots__ = ("context_plugins", "file_tracers", "on_failure")

    def __init__(
        self,
        file_tracers: "Sequence[Any]",
        context_plugins: "Sequence[Any]",
        on_failure: "Callable[[str, BaseException], None] | None" = None,
    ) -> None:
        """`on_failure` is called with the name of a plugin that fails and its error, instead of a message."""
        self.file_tracers = file_tracers
        self.context_plugins = context_plugins
        self.on_failure = on_failure

    def __bool__(self) -> bool:
        return bool(self.file_tracers or self.context_plugins)


class TracedFile:
    """A code file that a plugin measures: `tracer` is what the plugin returned for it."""

    __slots__ = ("filename", "line_range", "path", "plugin", "source_of", "sources", "tracer")

    def __init__(self, filename: str, plugin: Plugin, tracer: "Any", path: str | None, is_dynamic: bool) -> None:
        self.filename = filename
        self.plugin = plugin
        self.tracer = tracer
        self.line_range = tracer.line_number_range
        self.source_of = tracer.dynamic_source_filename
        self.path = path
        """The source that all of its code runs for. None: it is not measured, or each frame has its own."""
        self.sources: dict[str, str | None] | None = {} if is_dynamic else None
        """If each frame has its own source: the path of each that is measured, by the name that the plugin gives."""


UNDECIDED = object()
"""Returned for files before the program has begun: nothing is known of them yet."""


class FileTracers:
    """The plugins, and what each code file is to them. Their errors are never raised."""

    def __init__(self, settings: "Settings", scope: "Scope", made: MadePlugins | None = None) -> None:
        self._described = settings.plugins
        self._directory = settings.cwd
        self._run_directory = settings.directory
        self._must_save = settings.plugin_saves
        self._scope = scope
        self._starting: FrameType | None = _frame_of_site()
        self._plugins: list[Plugin] | None = None if made is None else [Plugin(each) for each in made.file_tracers]
        self._context_plugins = [Plugin(each) for each in made.context_plugins] if made is not None else []
        self._tell = None if made is None else made.on_failure
        self._known: dict[str, TracedFile | None] = {}
        self.is_loading = False
        """Whether modules of plugins are being imported, or plugins end their work: what runs is not the program."""
        self.passed_over: set[str] = set()
        """Files whose code was loaded meanwhile as it is, where an engine would have changed it to measure it."""
        self.on_failure: list[Any] = []
        """Functions that are called with a plugin that has failed."""

    def find(self, filename: str, namespace: "Namespace | None") -> "TracedFile | None":
        """Return how a plugin measures code of the file; None if it is measured as Python."""
        found = self.look_up(filename, namespace)
        return None if found is UNDECIDED else found

    def look_up(self, filename: str, namespace: "Namespace | None") -> "Any":
        """As `find`; `UNDECIDED` while the interpreter starts."""
        try:
            return self._known[filename]
        except KeyError:
            pass
        if self._plugins is None:
            if not self._has_begun():
                return UNDECIDED
            self._load()
        if not filename or filename.startswith(_UNREAL):
            return None
        return self._known.setdefault(filename, self._ask(filename, namespace))

    def decide_source(self, traced: TracedFile, name: str, frame: "FrameType") -> str | None:
        """Return the absolute path of a new source, None if it is not measured. Raises for an invalid name."""
        assert traced.sources is not None
        path = traced.sources[name] = self._scope.decide_traced(name, frame.f_globals)
        return path

    def context_of(self, frame: "FrameType") -> str | None:
        """Return the context that a frame begins, from the first plugin that names one; None if none does."""
        if self._plugins is None:
            if not self._has_begun():
                return None
            self._load()
        for plugin in self._context_plugins:
            if not plugin.is_on:
                continue
            try:
                label = plugin.object.dynamic_context(frame)
                if label is None:
                    continue
                if not isinstance(label, str):
                    raise TypeError("dynamic_context returned " + repr(label)[:80])
                return str(label)
            except (Exception, SystemExit) as error:
                self.failed(plugin, error, "It names no contexts any more.")
        return None

    @staticmethod
    def refuse_lines(answer: object) -> "Never":
        """Raise an error that says what is wrong with the lines that a plugin gave."""
        raise TypeError("line_number_range must return 2-tuple of ints, not " + repr(answer)[:80])

    def failed(self, plugin: Plugin, error: BaseException, result: str = "Its files are not in the results.") -> None:
        """Switch a plugin off and report it, unless the error is the program's: a signal handler's, or a full stack."""
        pass_on(error)
        if isinstance(error, RecursionError) or not plugin.is_on:
            return
        plugin.is_on = plugin.object._coverage_enabled = False
        if self._tell is not None:
            self._tell(plugin.name, error)
        else:
            self._report(plugin, error, result)
        for tell in self.on_failure:
            tell(plugin)

    @staticmethod
    def _report(plugin: Plugin, error: BaseException, result: str) -> None:
        what = "the plugin " + plugin.name + " failed and is switched off in process: " + _description(error)
        report("plugin-failed", what, result)

    def _has_begun(self) -> bool:
        """Return whether the program runs: loading a plugin may need what `site` has not done yet."""
        if self._starting is not None:
            frame: FrameType | None = _getframe(1)
            while frame is not None:
                if frame is self._starting:
                    return False
                frame = frame.f_back
            self._starting = None
        return not _is_library_loading()

    def _load(self) -> None:
        self._plugins = []  # emptied already here: code that runs meanwhile is not theirs
        self.is_loading = True
        config: Any = None
        try:
            load: Any = __import__("footfall.config.plugins", fromlist=["load_described"]).load_described
            config = load(self._described, self._directory, self._run_directory + "/" + PLUGIN_FILES)
            messages = config.warnings
            self._plugins = [Plugin(plugin) for plugin in config.file_tracers]
            self._context_plugins = [Plugin(plugin) for plugin in config.context_plugins]
            if self._must_save:
                self._begin_saving(config)
        except (Exception, SystemExit) as error:
            pass_on(error)
            messages = [("plugin-failed", "coverage.py's plugins can't be loaded in a process: " + _description(error))]
        finally:
            self.is_loading = False
        for slug, text in messages:
            report(slug, text)
        if self.passed_over:
            self._report_passed_over(config.plugins if config is not None else [])

    def _report_passed_over(self, plugins: "Sequence[str]") -> None:
        """Report the modules of the project that plugins have imported, except the plugins' own."""
        for name, module in sys.modules.copy().items():
            filename = getattr(module, "__file__", None)
            if not isinstance(filename, str) or filename not in self.passed_over or name in plugins:
                continue
            path = self._scope.decide(filename, name)  # None also if it is a plugin's
            if path is not None:
                what = path + " was imported by a plugin of coverage.py, so it has no probes: it is not measured."
                report("plugin-imports", what, "Set FOOTFALL_ENGINE=settrace, or import it in the plugin's functions.")
        self.passed_over.clear()

    def _begin_saving(self, config: "Any") -> None:
        """Let plugins act through coverage.py's objects until the process ends."""
        try:
            start: Any = __import__("footfall.config.plugin_coverage", fromlist=["start_saving"]).start_saving
            save = start(config, self._run_directory + "/" + PLUGIN_DATA)
            # only where a plugin's own modules are imported too: this one may go through the program's finders
            from footfall.observe.file_tracers.saving import save_at_end
        except (Exception, SystemExit) as error:
            _report_unsaved(error)
        else:
            save_at_end(self._saving(save), _report_unsaved)

    def _saving(self, save: "Callable[[], None]") -> "Callable[[], None]":
        def save_unmeasured() -> None:
            self.is_loading = True
            try:
                save()
            finally:
                self.is_loading = False

        return save_unmeasured

    def _ask(self, filename: str, namespace: "Namespace | None") -> TracedFile | None:
        canonical = self._scope.canonical_name(filename, namespace)
        if not canonical:
            return None
        for plugin in self._plugins or ():
            if not plugin.is_on:
                continue
            try:
                tracer = plugin.object.file_tracer(canonical)
                if tracer is not None:
                    return self._traced(plugin, tracer, canonical, namespace)
            except (Exception, SystemExit) as error:
                self.failed(plugin, error)
        return None

    def _traced(self, plugin: Plugin, tracer: "Any", canonical: str, namespace: "Namespace | None") -> TracedFile:
        tracer._coverage_plugin = plugin.object
        if tracer.has_dynamic_source_filename():
            return TracedFile(canonical, plugin, tracer, None, True)
        source = tracer.source_filename()
        if not source or type(source) is not str:
            kind = type(source).__name__
            raise TypeError(
                "source_filename of " + canonical + ": expected str, bytes or os.PathLike object, not " + kind
            )
        return TracedFile(canonical, plugin, tracer, self._scope.decide_traced(source, namespace or {}), False)


def _is_library_loading() -> bool:
    """Return whether a module of the standard library is being imported: loading plugins would find it incomplete."""
    for name, module in sys.modules.copy().items():
        if name.partition(".")[0] in sys.stdlib_module_names:
            spec = getattr(module, "__spec__", None)
            if name != "__main__" and getattr(spec, "_initializing", False):
                return True
    return False


def _report_unsaved(error: BaseException) -> None:
    pass_on(error)
    what = "coverage.py's plugins add nothing to the data of a process, as saving it failed: " + _description(error)
    report("plugin-failed", what)


def _frame_of_site() -> "FrameType | None":
    """Return the frame of `site` that runs our start hook; None if measuring begins later."""
    frame: FrameType | None = _getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "main" and frame.f_globals.get("__name__") == "site":
            return frame
        frame = frame.f_back
    return None


def _description(error: BaseException) -> str:
    """Return the error, and the plugin's line that it comes from."""
    try:
        text = str(error)
    except Exception:  # its class can't be printed
        text = ""
    text = type(error).__name__ + (": " + text if text else "")
    trace = error.__traceback__
    if trace is None:
        return text + "."
    while trace.tb_next is not None:
        trace = trace.tb_next
    return text + " (" + trace.tb_frame.f_code.co_filename + ", line " + str(trace.tb_lineno) + ")."
