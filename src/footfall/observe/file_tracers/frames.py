"""What frames of traced files run, as pairs of lines of their sources: the same pairs as coverage.py's C tracer.

An engine tells of each frame that it begins, comes to a line, ends; lines are asked of the plugin then.
"""

from footfall.observe.file_tracers.files import FileTracers, Plugin, TracedFile
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from footfall.observe.file_tracers.sinks import Sink

__all__ = ["TracedFrames"]


class _Running:
    """A frame that runs for a source: the line that it was at last there."""

    __slots__ = ("last", "path", "traced")

    def __init__(self, traced: TracedFile, path: str, last: int) -> None:
        self.traced = traced
        self.path = path
        self.last = last


class TracedFrames:
    """The frames of traced files that run now, by their addresses. Those that end in an untold way are written over."""

    def __init__(self, files: FileTracers, sink: "Sink", with_arcs: bool) -> None:
        self.files = files
        self._sink = sink
        self._with_arcs = with_arcs
        self._running: dict[int, _Running] = {}
        self._seen: set[tuple[str, int, int, int]] = set()
        self._noted: dict[str, Plugin] = {}
        files.on_failure.append(self._forget)

    def begin(self, frame: "FrameType", traced: TracedFile, last: int) -> bool:
        """A frame begins or goes on: `last` is the line that its first one will have come from. True when it counts."""
        path = self.files.path_of(traced, frame)
        if path is None:
            self._running.pop(id(frame), None)
            return False
        if path not in self._noted:
            self._noted[path] = traced.plugin
            self._sink.note(path, traced.plugin.name)
        self._running[id(frame)] = _Running(traced, path, last)
        return True

    def line(self, frame: "FrameType") -> None:
        """A frame comes to a line."""
        running = self._running.get(id(frame))
        if running is None or not running.traced.plugin.is_on:
            return
        first, last = self.files.lines_of(running.traced, frame)
        if first == -1:
            return
        for line in range(first, last + 1):
            self._add(running, line)
            running.last = line

    def end(self, frame: "FrameType", *, is_left: bool = True) -> None:
        """A frame ends; or, when it is not `is_left`, waits at a yield."""
        running = self._running.pop(id(frame), None)
        if running is not None and is_left and self._with_arcs and running.traced.plugin.is_on:
            self._add(running, -frame.f_code.co_firstlineno)

    def after_fork(self) -> None:
        """The child of a fork has a record of its own."""
        self._seen.clear()
        for path, plugin in self._noted.items():
            if plugin.is_on:
                self._sink.note(path, plugin.name)

    def _add(self, running: _Running, line: int) -> None:
        start = running.last if self._with_arcs else 0
        context = self._sink.context()
        key = (running.path, context, start, line)
        if key not in self._seen:
            self._sink.add(running.path, context, start, line)
            self._seen.add(key)

    def _forget(self, plugin: Plugin) -> None:
        """What a plugin that has failed told of is no result of it any more."""
        for path, noted in self._noted.items():
            if noted is plugin:
                self._sink.note(path, "")
