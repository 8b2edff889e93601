"""What one `Coverage` measures: periods from a start to a stop, resolved when the data is needed.

A period is recorded in a temporary run directory, which is removed once it is resolved. Where nothing is against it, a
stop only pauses, and the next start of the same instance goes on in the same record: programs start and stop in loops.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Final

from footfall.analyze.resolve import join_context, resolve_lines
from footfall.api.measuring import Place, find_place, start_new_calls, stop_recording
from footfall.api.pausing import end_pause, pause_recording, resume_recording
from footfall.compat.options import measures_children
from footfall.config.configuration import Config
from footfall.files import at_fork
from footfall.model import RUN_VARIABLE
from footfall.observe import contexts
from footfall.record.data.coverage_tables import Arc, FileData
from footfall.record.run.directory import empty_run_directory, remove_run_directory
from footfall.record.run.record_changes import RecordChanges
from footfall.record.run.record_file import read_record

__all__ = ["Measured", "Measuring", "joined_label"]

_MANY_CODES: Final = 64
"""From here on, finding what is new in a record that goes on takes longer than starting another."""


@dataclass(slots=True)
class Measured:
    """What was measured since the last `collect`. Keys of `files` are absolute paths; `messages` are (slug, text)."""

    files: dict[str, FileData] = field(default_factory=dict)
    earlier: set[str] = field(default_factory=set)
    """The files of which something was returned before, of a period that goes on."""
    messages: list[tuple[str, str]] = field(default_factory=list)
    is_empty: bool = True
    """Whether nothing was measured meanwhile, not even a file without lines."""


@dataclass(slots=True)
class _Stretch:
    place: Place
    static_context: str
    n_forks: int
    """How often the process had forked before."""
    is_shared: bool
    """Whether processes that are started meanwhile record there too; one that starts slowly may begin to later."""
    changes: RecordChanges = field(default_factory=RecordChanges)
    reported_files: set[str] = field(default_factory=set)
    reported_lines: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    """By path and context, what was returned already."""
    reported_arcs: dict[tuple[str, str], set[Arc]] = field(default_factory=dict)
    reported_messages: set[tuple[str, str]] = field(default_factory=set)
    pause: object | None = None
    """What continues it, while it is paused."""
    has_news: bool = True
    """Whether it may have something that was not returned."""
    has_switched: bool = True
    """Whether it has something new for certain: a context has begun."""


class Measuring:
    """Starts, stops and resolves. In a forked child there is nothing to resolve: the parent has its data too."""

    _active: ClassVar[list[Measuring]] = []
    """Those that were started: the last one measures, the others wait until it stops."""

    _free_places: ClassVar[list[tuple[Measuring, Place]]] = []
    """At most one, in which nothing is recorded at present: for the next period of its instance."""
    _n_forks: ClassVar[int] = -1
    """How often this process has forked since an instance was first started; -1 before that."""

    def __init__(self, on_plugin_failure: Callable[[str, BaseException], None]) -> None:
        self._config = Config()
        self._on_plugin_failure = on_plugin_failure
        self._pid = os.getpid()
        self._stopped: list[_Stretch] = []
        self._running: _Stretch | None = None
        self._paused: _Stretch | None = None
        self._can_pause = False
        """Whether nothing in the settings is against going on in the same period after a stop."""
        self._label = ""
        self._kept = Measured()

    @property
    def is_of_parent(self) -> bool:
        """Return whether this process was forked after measuring began."""
        return self._pid != os.getpid()

    @property
    def _measures_children(self) -> bool:
        """Return whether processes that are started meanwhile are measured, by the start hook, into the same period."""
        return measures_children(self._config)

    @property
    def label(self) -> str:
        """Return the dynamic context, "" for none."""
        return self._label

    def start(self, config: Config) -> None:
        """Measure calls that begin from now on; the instance that measures until now waits.

        The settings don't change from then on: others are another object. Raises as `footfall.start`.
        """
        if self in self._active:
            return
        if self.is_of_parent:
            self._stopped.clear()
            self._paused = None
            self._kept = Measured()
            self._pid = os.getpid()
        if config is not self._config:
            self._end_pause()
            self._config = config
            self._can_pause = _can_pause(config)
        if self._active:
            self._active[-1]._pause()
        try:
            if not self._continue():
                self._resume()
        except BaseException:
            if self._active:
                self._active[-1]._resume()
            raise
        self._active.append(self)

    def stop(self) -> None:
        """Stop measuring, and let the instance that waits continue; does nothing if nothing was started."""
        if self not in self._active:
            return
        was_last = self._active[-1] is self
        self._active.remove(self)
        if self._active or not self._rest():
            self._pause()
        if was_last and self._active:
            self._active[-1]._resume()

    def _rest(self) -> bool:
        """Stop so that `_continue` can go on in the same period. Returns False if that can't be."""
        if self._running is None or not self._can_pause:
            return False
        pause = pause_recording()
        if pause is None:
            return False
        self._paused, self._running = self._running, None
        self._paused.pause = pause
        return True

    def _continue(self) -> bool:
        """Go on with a period that is paused. Returns False if there is none, or if another one must begin."""
        paused = self._paused
        if paused is None:
            return False
        if resume_recording(paused.pause):
            self._paused, self._running = None, paused
            paused.has_news = True
            contexts.switch(self._label)
            return True
        self._end_pause()
        return False

    def _end_pause(self) -> None:
        """Let nothing more be recorded in a period that is paused."""
        if self._paused is not None:
            end_pause()
            self._stopped.append(self._paused)
            self._paused = None

    def _resume(self) -> None:
        contexts.expect()
        self._count_forks()
        place = self._find_place()
        start_new_calls(place, self._config, self._on_plugin_failure)
        self._running = _Stretch(place, self._config.context, self._n_forks, self._measures_children)
        if self._measures_children:
            os.environ[RUN_VARIABLE] = str(self._running.place.directory.path)
        contexts.switch(self._label)

    @classmethod
    def _count_forks(cls) -> None:
        """Begin to count: a child may go on recording, or begin to, where its parent has finished."""
        if cls._n_forks < 0:
            cls._n_forks = 0
            at_fork(after_in_parent=cls._add_fork)

    @classmethod
    def _add_fork(cls) -> None:
        cls._n_forks += 1

    def _find_place(self) -> Place:
        """Return where to record: where an earlier period was, if there is such a place and it fits."""
        owner, earlier = self._free_places.pop() if self._free_places else (self, None)
        place = find_place(self._config, earlier if owner is self else None)
        if earlier is not None and place is not earlier:
            _remove_place(earlier)
        return place

    def _pause(self) -> None:
        if self._running is not None:
            if self._measures_children:
                os.environ.pop(RUN_VARIABLE, None)
            stop_recording()
            self._stopped.append(self._running)
            self._running = None

    def switch_context(self, label: str) -> None:
        """Put what runs from now on, and in later periods, into a dynamic context."""
        self._label = label
        if self._running is not None:
            contexts.switch(label)
            self._running.has_switched = True

    def cut(self) -> None:
        """Keep what was measured for the next `collect`, and let what runs again be seen again."""
        if self._running is not None:
            self._pause()
            self._kept = self.collect()
            self._resume()
        self._end_pause()

    def discard(self) -> None:
        """Forget what was measured and not collected, and the context."""
        self.stop()
        self._end_pause()
        for stretch in self._stopped:
            self._remove(stretch)
        self._stopped.clear()
        self._kept = Measured()
        self._label = ""

    @classmethod
    def remove_free_places(cls) -> None:
        """Remove the directories that are kept for the next period."""
        while cls._free_places:
            _remove_place(cls._free_places.pop()[1])

    def discard_collected(self) -> None:
        """Forget what was measured until now, and let it be measured again; measuring continues."""
        self.cut()
        self.collect()

    def collect(self) -> Measured:
        """Return what was measured and not returned before; measuring continues."""
        collected, self._kept = self._kept, Measured()
        if self.is_of_parent:
            return collected
        for stretch in self._stopped:
            collected.is_empty = False
            _add_new(collected, stretch, *self._resolve(stretch))
            self._remove(stretch)
        self._stopped.clear()
        current = self._running or self._paused
        if current is not None and current.has_news:
            collected.is_empty = False
            if not current.has_switched and current.changes.are_none(str(current.place.directory.path)):
                collected.earlier |= current.reported_files
            else:
                _add_new(collected, current, *self._resolve(current))
                current.has_switched = False
            if current is self._paused:
                current.has_news = False
                if current.changes.n_codes > _MANY_CODES:
                    self._end_pause()
                    self._remove(self._stopped.pop())
        return collected

    def _resolve(self, stretch: _Stretch) -> tuple[dict[str, FileData], list[tuple[str, str]]]:
        """Return what is new in a period that was resolved before or goes on, everything in another."""
        goes_on = stretch is self._running or stretch is self._paused
        read = stretch.changes.read if goes_on or stretch.reported_files else read_record
        return resolve_lines(str(stretch.place.directory.path), stretch.static_context, read)

    def _remove(self, stretch: _Stretch) -> None:
        if self.is_of_parent:
            return
        is_alone = stretch.n_forks == self._n_forks and not stretch.is_shared
        if not self._free_places and is_alone and empty_run_directory(stretch.place.directory):
            self._free_places.append((self, stretch.place))
        else:
            _remove_place(stretch.place)


def _can_pause(config: Config) -> bool:
    if measures_children(config) or config.file_tracers or config.context_plugins:
        return False
    return config.dynamic_context in ("", "none")


def _remove_place(place: Place) -> None:
    if place.pid == os.getpid():  # else it is this process's parent's
        remove_run_directory(place.directory)


def _add_new(
    collected: Measured, stretch: _Stretch, files: dict[str, FileData], messages: list[tuple[str, str]]
) -> None:
    # as in coverage.py, a frame that only ends, thrown out of a generator that began before, leaves no file
    files = {path: found for path, found in files.items() if found.tracer or _has_rows(found)}
    collected.earlier |= stretch.reported_files
    stretch.reported_files |= files.keys()
    for path, found in files.items():
        into = collected.files.setdefault(path, FileData(tracer=found.tracer))
        for label, lines in found.lines.items():
            reported_lines = stretch.reported_lines.setdefault((path, label), set())
            into.lines.setdefault(label, set()).update(lines - reported_lines)
            reported_lines |= lines
        for label, arcs in found.arcs.items():
            reported_arcs = stretch.reported_arcs.setdefault((path, label), set())
            into.arcs.setdefault(label, set()).update(arcs - reported_arcs)
            reported_arcs |= arcs
    new = [message for message in messages if message not in stretch.reported_messages]
    collected.messages += new
    stretch.reported_messages.update(new)


def _has_rows(found: FileData) -> bool:
    return any(found.lines.values()) or any(found.arcs.values())


def joined_label(static_context: str, label: str) -> str:
    """Return a dynamic context as the data names it."""
    return join_context(static_context, label)
