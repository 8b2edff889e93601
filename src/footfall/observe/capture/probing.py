"""A series of blocks seen by probes (CPython 3.11 to 3.13, PyPy).

Modules that are imported while there is a series are compiled with probes; functions that exist by then get them too
(engines/recoding.py). Code that stays without probes is traced, in blocks of its own thread.
"""

import sys

from footfall.observe.capture.blocks import CaptureSeries
from footfall.observe.capture.monitoring import OldCode
from footfall.observe.capture.series import TracedSeries
from footfall.observe.engines import import_hooks
from footfall.observe.engines.probes import Probes
from footfall.observe.engines.recoding import Recoded, add_probes, is_alive
from footfall.observe.engines.traced_files import TracedFiles
from footfall.observe.interruptions import pass_on
from footfall.own_builtins import keep_builtins
from footfall.probes.forms import read_header
from footfall.probes.mode import BRANCHES
from footfall.probes.source_text import digest_source, read_source
from footfall.pythons import HAS_MONITORING
from footfall.settings import Settings

if sys.implementation.name == "cpython":
    from footfall.observe.capture import probe_backend as backend
    from footfall.observe.engines import cpython_hooks as hooks
else:
    from footfall.observe.pypy import captures as backend  # type: ignore[no-redef]
    from footfall.observe.pypy import hooks  # type: ignore[no-redef]

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType
    from typing import Any

    from footfall.observe.capture.findings import Found
    from footfall.observe.capture.series import Meanings
    from footfall.observe.engines.probes import Where
    from footfall.observe.scope import Scope

__all__ = ["ProbeSeries", "UnusableError"]


class UnusableError(Exception):
    """All series numbers for probes are taken, or another way is better."""


class ProbeSeries(TracedSeries):
    """What one series sees by probes, and of code without them."""

    _all: "tuple[ProbeSeries, ...]" = ()
    _probes: "_CaptureProbes | None" = None
    """The process's only one; it stays when the series have ended."""

    def __init__(self, scope: "Scope", meanings: "Meanings", is_full: bool, *, may_trace: bool) -> None:
        """Raises UnusableError, without `may_trace` also if code would have to be traced.

        But not if code in the scope has probes already, which can be seen in no other way.
        """
        super().__init__(scope, meanings, is_full)
        self._modules: dict[int, _Module] = {}  # by id of the object that stands for a module's probes
        self._always_traces = False
        self._old_code: OldCode | None = None
        number = backend.begin(self.findings.places, is_full)
        if number < 0:
            raise UnusableError
        self.blocks = CaptureSeries(self.findings.places, number)
        self._recoded = Recoded()
        if ProbeSeries._probes is None:
            ProbeSeries._probes = _CaptureProbes()
        ProbeSeries._all = (*ProbeSeries._all, self)
        for module in backend.modules(_note_module):
            self.note_module(*module)
        may_trace = may_trace or bool(self._modules)
        probes = ProbeSeries._probes
        self._recoded = add_probes(
            scope,
            probes.instrumenter,
            backend.arm,
            self._is_seen_otherwise,
            backend.recode,
            backend.exchange,
            backend.with_captures,
            all_or_none=not may_trace,
        )
        if self._recoded.left_out and not may_trace:
            self.stop()
            raise UnusableError
        if HAS_MONITORING and self._recoded.old_code:
            self._watch_old_code(is_full)
        for path in self._recoded.left_out:
            probes.say_of_traced(path)
        self._always_traces |= bool(self._recoded.left_out) or self._recoded.has_old_makers
        self._look_whether_simple()

    def _watch_old_code(self, is_full: bool) -> None:
        """Watch running code by events if a tool is free: a trace function costs much more there."""
        recoded = self._recoded
        try:
            self._old_code = OldCode(self._scope, is_full, self.blocks, recoded.old_code)
        except RuntimeError:
            return
        recoded.old_frames, recoded.old_generators = {}, []

    def stop(self) -> None:
        """Stop seeing anything."""
        super().stop()
        if self._old_code is not None:
            self._old_code.stop()
        if self in ProbeSeries._all:
            ProbeSeries._all = tuple(series for series in ProbeSeries._all if series is not self)
            backend.end(self.blocks.number)
            self.blocks.number = -1

    def note_module(self, events: "Any", header: str, filename: str) -> None:
        """Start seeing a module's probes, if it is in the scope."""
        read = read_header(header)
        path, is_known = self._scope.decide_before_run(filename)
        if path is None or read is None:
            return
        mode, _, digest = read
        if not mode & BRANCHES:
            self._always_traces = True
            self.blocks.is_simple = False
        elif backend.want(self.blocks.number, events):
            self._modules[id(events)] = _Module(events, filename, path, is_known, mode, digest)

    def trace_from_now_on(self, filename: str) -> None:
        """Trace a file in the scope from now on: code of it runs that has no probes."""
        if self._scope.decide_before_run(filename)[0] is not None:
            self._always_traces = True
            self.blocks.is_simple = False

    def scope_has(self, filename: str, name: str | None) -> tuple[str | None, bool]:
        """As `Scope.decide_before_run`, or `Scope.decide` if the name is known."""
        if name is None:
            return self._scope.decide_before_run(filename)
        return self._scope.decide(filename, name), True

    def decide(self, filename: str, namespace: "Any") -> str | None:
        """As in the scope."""
        return self._scope.decide(filename, namespace=namespace)

    def _look_whether_simple(self) -> None:
        """Decide whether blocks are simple: nothing needs to be traced or forgotten."""
        recoded = self._recoded
        has_old = recoded.old_generators or recoded.old_frames
        self.blocks.is_simple = not (self.findings.is_full or self._always_traces or has_old)

    def _must_trace(self) -> bool:
        return self._always_traces or self._runs_old_code()

    def _runs_old_code(self) -> bool:
        """Return whether code without probes may continue in this thread."""
        recoded = self._recoded
        if recoded.old_generators:
            recoded.old_generators = [known for known in recoded.old_generators if is_alive(known())]
        if recoded.old_generators:
            return True
        if not recoded.old_frames:
            self._look_whether_simple()
            return False
        if _is_on_stack(sys._getframe(1), recoded.old_frames):
            return True
        if not any(_is_on_stack(frame, recoded.old_frames) for frame in sys._current_frames().values()):
            recoded.old_frames.clear()
            self._look_whether_simple()
        return False

    def _is_seen_otherwise(self, code: "CodeType") -> bool:
        events = backend.probes_of(code)
        return events is not None and id(events) in self._modules

    def _forget(self) -> None:
        backend.forget(self.blocks.number)
        if self._old_code is not None:
            self._old_code.forget()
        super()._forget()

    def _translate(self, place: "tuple[Any, ...]") -> "Found | None":
        what, number = place[:2]
        if type(what) is str:
            return super()._translate(place) if type(number) is tuple else self._meanings.of_event(*place)
        module = self._modules[id(what)]
        if not module.is_known and self._scope.decide(module.filename) is None:
            return None
        probes = ProbeSeries._probes
        text = None if probes is None else probes.texts.get(module.digest)
        lines, branches = self._meanings.of_probe(module.path, module.mode, module.digest, text, number)
        return module.path, lines, branches


class _Module:
    __slots__ = ("digest", "filename", "events", "is_known", "mode", "path")

    def __init__(self, events: "Any", filename: str, path: str, is_known: bool, mode: int, digest: bytes) -> None:
        self.events = events  # kept so that no other object gets its id
        self.filename = filename
        self.path = path
        self.is_known = is_known
        self.mode = mode
        self.digest = digest


def _note_module(events: "Any", header: str, filename: str) -> None:
    """Handle a module that has got probes that record, or that captures see."""
    for series in ProbeSeries._all:
        series.note_module(events, header, filename)
    probes = ProbeSeries._probes
    if probes is not None:
        probes.keep_file_text(header, filename)


class _AllScopes:
    """The scopes of all series as one."""

    def decide_before_run(self, filename: str) -> "tuple[str | None, bool]":
        """As `Scope.decide_before_run`."""
        answers = [series.scope_has(filename, None) for series in ProbeSeries._all]
        known = [answer for answer in answers if answer[0] is not None]
        return max(known, key=lambda answer: answer[1], default=(None, True))

    def decide(self, filename: str, module_name: str | None = None, namespace: "Any" = None) -> str | None:
        """As `Scope.decide`."""
        for series in ProbeSeries._all:
            path = (
                series.decide(filename, namespace)
                if module_name is None
                else series.scope_has(filename, module_name)[0]
            )
            if path is not None:
                return path
        return None


class _CaptureProbes(Probes):
    """The hooks on loading and compiling: texts are kept in memory, and code that can't have probes is traced."""

    def __init__(self) -> None:
        self.texts: dict[bytes, bytes] = {}
        """By digest: the texts that ran, because a file may have changed by the time it is needed."""
        settings = Settings("")
        scope: Any = _AllScopes()
        super().__init__(settings, scope, lambda code, where: backend.arm(code), hooks.call_with_room, _Traced())
        if Probes.running is None:
            hooks.hook_compile(self)
            import_hooks.hook_imports(self, settings.cache_dir, hooks.unseen, hooks.look_alike)
        else:  # the engine has installed its hooks
            Probes.running.captures = self
            self._compilations = Probes.running._compilations

    def keep_text(self, text: "str | bytes") -> bytes | None:
        """Keep a text that is not the file's."""
        source = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        if isinstance(text, str) and b"coding" in b"".join(source.split(b"\n", 2)[:2]):
            return None
        digest = digest_source(source)
        self.texts[digest] = source
        return digest

    def keep_file_text(self, header: str, filename: str) -> None:
        """Keep the text that a module's probes were made from, if it is the file's."""
        read = read_header(header)
        path = self._scope.decide_before_run(filename)[0]
        if read is None or path is None or read[2] in self.texts:
            return
        try:
            source = read_source(path)
        except OSError as error:
            pass_on(error)
            return
        if digest_source(source) == read[2]:
            self.texts[read[2]] = source

    def say_of_traced(self, path: str) -> None:
        """Report once for a file that its code can't have probes."""
        self._trace(path, path)

    def failed(self, path: str, error: BaseException) -> None:
        """Handle a module that has no probes because of us."""
        super().failed(path, error)
        self._traced.add(path, path)


class _Traced(TracedFiles):
    """Files that captures trace."""

    def __init__(self) -> None:
        super().__init__(True)

    def add(self, filename: str, path: "Where") -> bool:
        """Make all series trace what they have in scope of the file."""
        self._paths[filename] = path
        for series in ProbeSeries._all:
            series.trace_from_now_on(filename)
        return True


def _is_on_stack(frame: "FrameType | None", codes: "dict[int, CodeType]") -> bool:
    while frame is not None:
        if id(frame.f_code) in codes:
            return True
        frame = frame.f_back
    return False
