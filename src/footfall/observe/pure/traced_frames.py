"""What frames of plugins' files run, without the C core, as pairs of lines: the same as coverage.py's C tracer records.

The engine reports when each frame begins, comes to a line and ends; the plugin is then asked for lines.
native/engines/file_tracers/frames.c is the same for the core.
"""

from footfall.files import at_fork
from footfall.observe.file_tracers.files import FileTracers, Plugin, TracedFile
from footfall.observe.pure import contexts, recorder
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any, Protocol

    _Running = list[Any]
    """The traced file, the path of the frame's source, what was seen of that source, and the line that the frame was
    at.
    """

    Begin = Callable[[FrameType, TracedFile, int], bool]
    Line = Callable[[FrameType], None]

    class End(Protocol):
        def __call__(self, frame: FrameType, *, is_left: bool = True) -> None: ...


__all__ = ["TracedFrames"]

_END_OF_LINES = 1 << 24  # no source is this long


class TracedFrames:
    """The running frames of traced files, by address. Entries of frames whose end was not reported are overwritten.

    `begin`, `line` and `end` run for each event: they are closures that look up few attributes, and call functions of
    ours only if something is new.
    """

    def __init__(self, files: FileTracers, with_arcs: bool) -> None:
        self.files = files
        self._seen: dict[str, set[tuple[int, int, int]]] = {}
        self._noted: dict[str, Plugin] = {}
        running: dict[int, _Running] = {}
        self.begin = self._make_begin(running)
        self.line = self._make_line(running, with_arcs)
        self.end = self._make_end(running, with_arcs)
        files.on_failure.append(self._forget)
        at_fork(after_in_child=self._after_fork)

    def _make_begin(self, running: "dict[int, _Running]") -> "Begin":
        seen_of = self._seen
        files = self.files

        def begin(frame: "FrameType", traced: TracedFile, last: int) -> bool:
            """Handle a frame that begins or continues: its first pair starts at `last`. Return whether it counts."""
            path: str | None = traced.path
            sources = traced.sources
            if not traced.plugin.is_on:
                path = None
            elif sources is not None:
                try:
                    name = traced.source_of(traced.filename, frame)
                    if name is not None:
                        path = sources[name] if name in sources else files.decide_source(traced, name, frame)
                except (Exception, SystemExit) as error:
                    files.failed(traced.plugin, error)
            if path is None:
                running.pop(id(frame), None)
                return False
            seen = seen_of.get(path)
            if seen is None:
                seen = self._note(path, traced.plugin)
            running[id(frame)] = [traced, path, seen, last]
            return True

        return begin

    def _make_line(self, running: "dict[int, _Running]", with_arcs: bool) -> "Line":
        files = self.files

        def line(frame: "FrameType") -> None:
            """Handle a frame that comes to a line."""
            state = running.get(id(frame))
            if state is None:
                return
            traced, path, seen, before = state
            if not traced.plugin.is_on:
                return
            try:
                pair = traced.line_range(frame)
                first, last = pair if type(pair) is tuple else files.refuse_lines(pair)
                if (
                    type(first) is not int
                    or type(last) is not int
                    or not -_END_OF_LINES < first
                    or last > _END_OF_LINES
                ):
                    files.refuse_lines(pair)
            except (Exception, SystemExit) as error:
                files.failed(traced.plugin, error)
                return
            if first == -1 or first > last:
                return
            number = _context()
            for each in (first,) if first == last else range(first, last + 1):
                key = (number, before if with_arcs else 0, each)
                if key not in seen:
                    _record(path, *key)
                    seen.add(key)
                before = each
            state[3] = before

        return line

    @staticmethod
    def _make_end(running: "dict[int, _Running]", with_arcs: bool) -> "End":
        def end(frame: "FrameType", *, is_left: bool = True) -> None:
            """Handle a frame that ends; or, if not `is_left`, that waits at a yield."""
            state = running.pop(id(frame), None)
            if state is None or not with_arcs or not is_left or not state[0].plugin.is_on:
                return
            key = (_context(), state[3], -frame.f_code.co_firstlineno)
            if key not in state[2]:
                _record(state[1], *key)
                state[2].add(key)

        return end

    def _note(self, path: str, plugin: Plugin) -> set[tuple[int, int, int]]:
        """Record a source when a frame first runs for it; return the set of what will be seen of it."""
        self._noted[path] = plugin
        _note_plugin(path, plugin.name)
        return self._seen.setdefault(path, set())

    def _after_fork(self) -> None:
        """Start with nothing seen, in a forked child: sources are recorded again when a frame begins for them."""
        for seen in self._seen.values():
            seen.clear()
        self._seen.clear()  # the child may have no record of its own yet

    def _forget(self, plugin: Plugin) -> None:
        """Drop the results of a plugin that has failed."""
        for path, noted in self._noted.items():
            if noted is plugin:
                _note_plugin(path, "")


def _context() -> int:
    """Return the number of the context that the running code belongs to; 0 is none."""
    current = recorder.PureRecorder.current
    if current is None:
        return 0
    other = contexts.context_of_other_work(current)
    return current.context_id if other is None else other


def _note_plugin(path: str, name: str) -> None:
    """Record which plugin measures a file; "" means none any more."""
    if recorder.PureRecorder.current is not None:
        recorder.PureRecorder.current.add_tracer(path, name)


def _record(path: str, context: int, start: int, end: int) -> None:
    """Record that line `end` ran, after line `start`; 0 is no line."""
    if recorder.PureRecorder.current is not None:
        recorder.PureRecorder.current.add_trace_pairs(path, path, context, [end << 32 | start & 0xFFFFFFFF])
