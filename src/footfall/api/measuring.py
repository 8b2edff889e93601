"""Measuring a part of a program from inside: `footfall.start()` and `stop()`, `measure()`, and contexts.

For programs that can't be started with `footfall run`. Coverage only. What was imported before counts as imported, and
a message marks it as inferred (`lines-inferred`). `footfall.capture()` is in api/capture.py.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from footfall.api.capture import Capture, Captured, capture
from footfall.config.configuration import Config
from footfall.config.reading import read_config, read_config_for
from footfall.errors import FootfallError
from footfall.observe import contexts
from footfall.observe.file_tracers.files import MadePlugins
from footfall.observe.scope import Scope
from footfall.pythons import refused_build
from footfall.record.run.directory import (
    RunDirectory,
    RunSettings,
    is_unused,
    make_run_directory,
    make_temporary_run_directory,
    open_run_directory,
    remove_run_directory,
    settings_from_config,
)
from footfall.settings import Settings

__all__ = [
    "LOCK",
    "Capture",
    "Captured",
    "Measurement",
    "Place",
    "capture",
    "context",
    "find_place",
    "measure",
    "start",
    "start_configured",
    "start_new_calls",
    "stop",
    "stop_configured",
    "stop_recording",
    "switch_context",
]

contexts.expect()  # whoever imports this module may use contexts

_MEMORY: Final = "/dev/shm"
_ENOUGH_BYTES: Final = 1 << 30
LOCK: Final = threading.RLock()
"""Held by the thread that starts or stops: one at a time."""


class Measurement:
    """A measurement by `measure`. `data_file` says where the result is; it is None while measuring goes on."""

    def __init__(self) -> None:
        self.data_file: Path | None = None


@contextmanager
def measure(
    data_file: str | os.PathLike[str] | None = None,
    *,
    source: list[str] | None = None,
    branch: bool | None = None,
    context: str | None = None,
) -> Iterator[Measurement]:
    """Measure this process while the block runs, then write the data file, even if the block raises.

    Settings that are not given come from the configuration; `context` names the run in the data. All threads are
    measured; on PyPy, only the current one and those started in the block. Raises FootfallError as `start` and `stop`.
    """
    config = _configured(source, branch)
    if context is not None:
        config = replace(config, context=context)
    wanted = os.path.abspath(config.data_file if data_file is None else data_file)
    start_configured(config)
    measurement = Measurement()
    try:
        yield measurement
    finally:
        measurement.data_file = stop_configured(config, wanted)


def switch_context(label: str) -> None:
    """Give everything that runs in this process from now on the context `label`: a test, a request. "" means none.

    Does nothing in a process that is not measured. A context applies to the whole process; docs/engines.md says which
    context threads and tasks that were started earlier have.
    """
    if not isinstance(label, str):
        raise TypeError(f"a context label is a str, not {type(label).__name__}")
    contexts.switch(label)


@contextmanager
def context(label: str) -> Iterator[None]:
    """Give what the block runs the context `label`; afterwards the previous context applies again."""
    before = contexts.label()
    switch_context(label)
    try:
        yield
    finally:
        contexts.switch(before)


def start(source: list[str] | None = None, *, branch: bool | None = None) -> None:
    """Measure this process from now on; settings that are not given come from the configuration.

    Any thread may start and any may stop; if several start at once, one succeeds. `source` lists directories and
    packages. Raises FootfallError: `already-measured`, `python-unsupported`, or the error of a wrong configuration.
    """
    start_configured(_configured(source, branch))


def _configured(source: list[str] | None, branch: bool | None) -> Config:
    config = read_config_for(source)
    return config if branch is None else replace(config, branch=branch)


def start_configured(config: Config) -> RunDirectory:
    """Measure this process from now on as a configuration says, and return where the record is; for footfall's own
    use. Raises as `start`."""
    _check_build()
    directory = make_run_directory(replace(settings_from_config(config), profile=False))
    _, settings = open_run_directory(directory.path)
    _start_in(directory, settings, MadePlugins(config.file_tracers, config.context_plugins))
    return directory


@dataclass(frozen=True, slots=True)
class Place:
    """Where a measurement of this process that is not to outlive it is recorded, and others with the same settings.

    Making the directory, and deciding which files are measured, takes longer than a short measurement.
    """

    directory: RunDirectory
    wanted: RunSettings
    settings: Settings
    scope: Scope
    pid: int

    def is_free_for(self, wanted: RunSettings) -> bool:
        """Return whether a measurement with these settings would be the only one that is recorded here."""
        return self.pid == os.getpid() and self.wanted == wanted and is_unused(self.directory)


def find_place(config: Config, earlier: Place | None = None) -> Place:
    """Return where `start_new_calls` can record with a configuration: `earlier` if that is free for it, or a new place.

    The caller removes the directory. Raises as `start`.
    """
    _check_build()
    wanted = replace(settings_from_config(config), profile=False, context="")
    if earlier is not None and earlier.is_free_for(wanted):
        return earlier
    directory = make_temporary_run_directory(wanted, parent=_find_memory())
    _, settings = open_run_directory(directory.path)
    return Place(directory, wanted, settings, Scope(settings), os.getpid())


def _find_memory() -> str | None:
    """Return where files are kept in memory, if there is plenty of room and nobody said where temporary ones are to be.

    Making and removing a record there takes a fifth of the time that it takes on a disk.
    """
    if tempfile.tempdir is not None or any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")):
        return None
    try:
        found = os.statvfs(_MEMORY)
    except OSError:
        return None
    has_room = found.f_bavail * found.f_frsize >= _ENOUGH_BYTES
    return _MEMORY if has_room and os.access(_MEMORY, os.W_OK | os.X_OK) else None


def start_new_calls(
    place: Place, config: Config, on_plugin_failure: Callable[[str, BaseException], None] | None = None
) -> None:
    """Measure what begins in this process from now on, for `footfall.compat`.

    Ignores frames that are already running and modules already imported, and keeps no context. As in coverage.py, which
    files are measured is decided once for all measurements in a place. If a plugin of coverage.py fails,
    `on_plugin_failure` is called with its name. Raises as `start`, and the directory is removed then.
    """
    plugins = MadePlugins(config.file_tracers, config.context_plugins, on_plugin_failure)
    scope = None if plugins else place.scope  # what belongs to a plugin may have changed
    _start_in(place.directory, place.settings, plugins, only_new=True, scope=scope)


def stop_recording() -> Path | None:
    """Stop measuring, and return the run directory with the records; None if nothing was measured."""
    from footfall.observe.late import stop_late

    with LOCK:
        stopped = stop_late()
    return None if stopped is None else Path(stopped)


def _check_build() -> None:
    refused = refused_build()
    if refused:
        what = f"Can't measure this process: it is {refused}."
        raise FootfallError("python-unsupported", what, "Use another Python.")


def _start_in(
    directory: RunDirectory,
    settings: Settings,
    plugins: MadePlugins,
    *,
    only_new: bool = False,
    scope: Scope | None = None,
) -> None:
    from footfall.observe.late import start_late

    try:
        with LOCK:
            start_late(settings, only_new=only_new, plugins=plugins, scope=scope)
    except RuntimeError as error:
        remove_run_directory(directory)
        raise FootfallError(
            "already-measured", f"This process is measured already: {error}.", "Stop that first."
        ) from error
    except BaseException:
        remove_run_directory(directory)
        raise


def stop(data_file: str | os.PathLike[str] | None = None) -> Path:
    """Stop measuring, write the data file (default: the configured one) and return its path.

    Raises FootfallError: `not-measured` without a `start`, or an error that says why the data file can't be written;
    the run directory is then kept, and the error names it.
    """
    config = read_config()
    return stop_configured(config, os.path.abspath(config.data_file if data_file is None else data_file))


def stop_configured(config: Config, data_file: str, *, append: bool = False) -> Path:
    """Stop measuring and write the data file, or add to it, as a configuration says; for footfall's own use.

    Raises as `stop`.
    """
    from footfall.session.finish import finish_run

    stopped = stop_recording()
    if stopped is None:
        raise FootfallError("not-measured", "There is no measuring to stop.", "Call `footfall.start()` first.")
    directory, settings = open_run_directory(stopped)
    finish_run(directory, settings, config, data_file, append=append, is_quiet=True)
    return Path(data_file)
