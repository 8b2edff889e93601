"""The run directory `.footfall/runs/<id>/`: made and removed by the supervisor, filled by the measured processes.

Its `settings` file says what to measure (docs/formats.md); settings.py is the reader.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from footfall.config.acting_plugins import acts_in_processes
from footfall.config.configuration import (
    DEFAULT_RATE_HZ,
    Config,
    canonical_path,
    check_patches,
    make_patterns_absolute,
    names_test_functions,
)
from footfall.errors import FootfallError, UsageError
from footfall.model import ENGINE_VARIABLE, TEST_TIMES_ENDING
from footfall.record.run.untrusted_file import open_recorded_file
from footfall.settings import Settings, escape, read_settings

__all__ = [
    "RunDirectory",
    "RunSettings",
    "empty_run_directory",
    "find_unresolved_runs",
    "is_running",
    "is_unused",
    "make_run_directory",
    "make_temporary_run_directory",
    "open_run_directory",
    "remove_caches",
    "remove_run_directory",
    "settings_from_config",
]

_HOME = ".footfall"
_MAX_IDS = 1000
_UNUSED = ["cache", "settings"]
"""What is in a temporary run directory from its beginning."""
_MAX_CPU_PPM = 10_000


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The settings for measured processes. Directories and patterns are absolute; the rate is samples per second."""

    cwd: str
    branch: bool = True
    cover: bool = True
    profile: bool = True
    rate_hz: int = DEFAULT_RATE_HZ
    max_cpu_ppm: int = 0
    """The share of a process's CPU time, in millionths, that its sampler may use; beyond that it samples less often.
    0: no limit."""
    precise: bool = False
    native: bool = False
    """Each thread walks its own stack, in a signal handler."""
    with_tasks: bool = False
    engine: str = ""
    """Empty: the interpreter's default."""
    context: str = ""
    function_contexts: bool = False
    """Whether functions named test* begin contexts (coverage.py's `dynamic_context = test_function`)."""
    plugin_contexts: bool = False
    """Whether any of `plugins` names contexts."""
    source_dir: list[str] = field(default_factory=list)
    source_pkg: list[str] = field(default_factory=list)
    include: list[str] = field(default_factory=list)
    omit: list[str] = field(default_factory=list)
    plugins: str = ""
    """What measured processes need to load coverage.py's plugins (config/plugins.py); empty: none acts there."""
    plugin_files: bool = False
    """Whether any of them measures files."""
    plugin_saves: bool = False
    """Whether any acts through coverage.py's objects."""
    trace_plugins: bool = False
    """Whether one of them measures code that only a trace function can see."""


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """One run's directory. `is_temporary`: the working directory was not writable, so it is elsewhere."""

    path: Path
    is_temporary: bool = False
    why_temporary: str = ""

    @property
    def earlier_data(self) -> Path:
        """Where an earlier run's data file is kept until it is known whether this run has any data."""
        return self.path / "earlier.coverage"

    def has_times_of_tests(self) -> bool:
        """Return whether a pytest session has started a test."""
        return any(entry.name.endswith(TEST_TIMES_ENDING) for entry in self.path.iterdir())

    def identity(self) -> str:
        """Return an id that no other run has, on any machine; it is the same however often this run is resolved."""
        from footfall.record.machine import host_name  # as in `is_running`

        started_ns = (self.path / "settings").stat().st_mtime_ns
        text = f"{host_name()}\n{self.path.name}\n{started_ns}"
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()

    def is_there(self) -> bool:
        """Return whether the directory still exists: the supervisor of a run in progress removes it at the end."""
        return (self.path / "settings").exists()

    def has_records(self, pid: int | None = None) -> bool:
        """Return whether any process, or the one named, was measured for coverage or time."""
        start = "" if pid is None else f"{pid}-"
        return any(
            entry.suffix in (".rec", ".smp", ".vmprof") and entry.name.startswith(start) and _was_begun(entry)
            for entry in self.path.iterdir()
        )


def _was_begun(record: Path) -> bool:
    """Return whether a process got further than creating its file: on a full disk it stays empty or is only zeros."""
    try:
        with open_recorded_file(str(record)) as file:
            first = file.read(4)
    except (FootfallError, OSError):
        return True  # its reader reports why it can't be read
    return bool(first) and (any(first) or record.suffix == ".vmprof")


def settings_from_config(config: Config, *, cover: bool = True) -> RunSettings:
    """Return what to measure, as coverage.py would with the same settings; names are relative to the current directory.

    Raises UsageError (`config-value`, `source-not-directory`, `source-is-root`, `bad-glob`).
    """
    check_patches(config.patch)
    directories = list(config.source_dirs)
    packages = list(config.source_pkgs)
    for source in config.source:
        (directories if os.path.isdir(source) else packages).append(source)
    return RunSettings(
        cwd=os.getcwd(),
        branch=config.branch,
        cover=cover,
        profile=config.profile,
        rate_hz=DEFAULT_RATE_HZ if config.rate_hz is None else config.rate_hz,
        max_cpu_ppm=_MAX_CPU_PPM if config.rate_hz is None else 0,
        precise=config.precise,
        native=config.native,
        with_tasks=config.with_tasks,
        # from this environment, so that it also applies to processes started with another one
        engine=os.environ.get(ENGINE_VARIABLE) or config.engine,
        context=config.context,
        function_contexts=names_test_functions(config),
        plugin_contexts=bool(config.context_plugins),
        source_dir=[_checked_directory(directory) for directory in directories],
        source_pkg=packages,
        include=make_patterns_absolute(config.run_include),
        omit=make_patterns_absolute(config.run_omit),
        plugins=_describe_plugins(config),
        plugin_files=bool(config.file_tracers),
        plugin_saves=any(map(acts_in_processes, config.acting_plugins.values())),
        trace_plugins=_must_trace(config),
    )


def _describe_plugins(config: Config) -> str:
    if not config.plugins:
        return ""
    from footfall.config.plugins import describe_plugins  # needed only with plugins

    return describe_plugins(config)


def _must_trace(config: Config) -> bool:
    if not config.file_tracers:
        return False
    from footfall.config.plugins import traces_frames  # as above

    return any(traces_frames(plugin) for plugin in config.file_tracers)


def _checked_directory(source: str) -> str:
    if not os.path.isdir(source):
        raise UsageError(
            "source-not-directory",
            f"Source dir is not a directory: {source!r}.",
            "Correct source_dirs in the configuration.",
        )
    path = canonical_path(source)
    if os.path.dirname(path) == path:
        raise UsageError(
            "source-is-root",
            f"Source dir can't be a file system root: {source!r}.",
            "Name the directory of the project.",
        )
    return path


def make_run_directory(settings: RunSettings) -> RunDirectory:
    """Make a new run directory with its settings file, a temporary one if the working directory is not writable.

    Raises FootfallError (`run-unwritable`) if neither can be made.
    """
    home = Path(settings.cwd) / _HOME
    try:
        home.mkdir(exist_ok=True)
        _ignore_in_git(home)
        runs = home / "runs"
        runs.mkdir(exist_ok=True)
        directory = RunDirectory(_make_free(runs))
        _write_settings(directory.path, settings, home / "cache")
        return directory
    except OSError as error:
        return make_temporary_run_directory(settings, error.strerror or str(error))


def make_temporary_run_directory(
    settings: RunSettings, reason: str = "", *, cache: Path | None = None, parent: str | None = None
) -> RunDirectory:
    """Make a run directory outside the working directory, which is not writable for that `reason`.

    Without a reason nobody tried: the record is not meant to outlive the process. `cache` is where to keep what later
    runs can use; without it the directory has its own. `parent` is where to make it, None where temporary files are.
    Raises as `make_run_directory`.
    """
    import tempfile  # as in `_remove`

    try:
        path = Path(tempfile.mkdtemp(prefix="footfall-", dir=parent))
        # no cache shared with other users, as it contains code. Made now: the directory may be opened to them later
        if cache is None:
            cache = path / "cache"
        cache.mkdir(mode=0o755, exist_ok=True)
        _write_settings(path, settings, cache)
    except OSError as error:
        raise FootfallError(
            "run-unwritable",
            f"Can't write to {settings.cwd} ({reason}) nor to a temporary directory ({error.strerror or error})."
            if reason
            else f"Can't write to a temporary directory ({error.strerror or error}).",
            "Run in a directory that you can write to, or set TMPDIR to one.",
        ) from error
    return RunDirectory(path, is_temporary=True, why_temporary=reason)


def _ignore_in_git(home: Path) -> None:
    with contextlib.suppress(FileExistsError), open(home / ".gitignore", "x", encoding="utf-8") as file:
        file.write("*\n")


def _make_free(runs: Path) -> Path:
    """Make a directory with a name that sorts by time; runs of the same second and process get numbers."""
    stem = time.strftime("%Y%m%d-%H%M%S") + f"-{os.getpid()}"
    for number in range(_MAX_IDS):
        path = runs / (stem if number == 0 else f"{stem}-{number}")
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            return path
    raise FileExistsError(f"{runs / stem} and {_MAX_IDS} more")


def _write_settings(path: Path, settings: RunSettings, cache: Path) -> None:
    lines = [
        ("cwd", settings.cwd),
        ("branch", str(int(settings.branch))),
        ("cover", str(int(settings.cover))),
        ("profile", str(int(settings.profile))),
        ("rate_hz", str(settings.rate_hz)),
        ("max_cpu_ppm", str(settings.max_cpu_ppm)),
        ("precise", str(int(settings.precise))),
        ("native", str(int(settings.native))),
        ("with_tasks", str(int(settings.with_tasks))),
        ("function_contexts", str(int(settings.function_contexts))),
        ("plugin_contexts", str(int(settings.plugin_contexts))),
        ("engine", settings.engine),
        ("context", settings.context),
        ("cache_dir", str(cache)),
        ("plugins", settings.plugins),
        ("plugin_files", str(int(settings.plugin_files))),
        ("plugin_saves", str(int(settings.plugin_saves))),
        ("trace_plugins", str(int(settings.trace_plugins))),
    ]
    for name in ("source_dir", "source_pkg", "include", "omit"):
        lines += [(name, value) for value in getattr(settings, name)]
    text = "".join(f"{key}\t{escape(value)}\n" for key, value in lines)
    (path / "settings").write_bytes(text.encode("utf-8", "surrogateescape"))


def open_run_directory(path: str | Path) -> tuple[RunDirectory, Settings]:
    """Open a kept run directory. Raises UsageError (`not-a-run`) if it is not one."""
    directory = Path(path).absolute()
    try:
        return RunDirectory(directory), read_settings(str(directory))
    except (OSError, ValueError) as error:
        known = find_unresolved_runs(Path.cwd())
        hint = f"Runs kept here: {', '.join(map(str, known))}." if known else "There are no runs kept here."
        why = (error.strerror if isinstance(error, OSError) else "") or str(error)
        if isinstance(error, FileNotFoundError):
            why = "it has no file `settings`" if directory.is_dir() else "there is no such directory"
        raise UsageError("not-a-run", f"{path} is not a run directory: {why}.", hint) from error


def find_unresolved_runs(cwd: Path) -> list[Path]:
    """Return the run directories left in `cwd`, oldest first: kept on purpose, failed or still running."""
    runs = cwd / _HOME / "runs"
    try:
        found = sorted(entry for entry in runs.iterdir() if (entry / "settings").is_file())
    except OSError:
        return []
    return [entry.relative_to(cwd) for entry in found]


def is_running(path: Path) -> bool:
    """Return whether the supervisor that made a run directory, whose process id is in its name, still exists."""
    from footfall.record.machine import process_exists  # few commands ask

    try:
        return process_exists(int(path.name.split("-")[2]))
    except (ValueError, IndexError):
        return False


def is_unused(directory: RunDirectory) -> bool:
    """Return whether a temporary run directory has its settings, and nothing that a process recorded."""
    try:
        return sorted(os.listdir(directory.path)) == _UNUSED
    except OSError:
        return False


def empty_run_directory(directory: RunDirectory) -> bool:
    """Remove the records, so that the run directory can be used again, if it is a temporary one of a single process.

    Returns whether it is. Other processes, which might still be running, would go on with the records that they have.
    """
    try:
        records = [name for name in os.listdir(directory.path) if name not in _UNUSED]
        if not directory.is_temporary or len(records) > 1 or any(not name.endswith(".rec") for name in records):
            return False
        for name in records:
            os.unlink(f"{directory.path}/{name}")
    except OSError:
        return False
    return True


def remove_run_directory(directory: RunDirectory, keep: Path | None = None) -> None:
    """Remove a run directory except the file `keep` in it. Never raises: a failure only leaves clutter."""
    if keep is not None and keep.parent == directory.path:
        for entry in directory.path.iterdir():
            if entry != keep:
                _remove(entry)
        return
    _remove(directory.path)
    runs = directory.path.parent
    if runs.name == "runs" and runs.parent.name == _HOME and not runs.is_symlink():  # ours; removed when empty
        with contextlib.suppress(OSError):
            runs.rmdir()


def remove_caches(cwd: Path) -> None:
    """Remove what runs and reports keep in `cwd` to be faster next time: everything in `.footfall` that is ours.

    It is recognized by the marker that we put there; what others put beside it stays. Never raises.
    """
    home = cwd / _HOME
    marker = home / ".gitignore"
    with contextlib.suppress(OSError):
        if home.is_symlink() or marker.read_text(encoding="utf-8") != "*\n":
            return
        if not (home / "cache").is_symlink():
            _remove(home / "cache")
        if [entry.name for entry in home.iterdir()] == [marker.name]:
            marker.unlink()
            home.rmdir()


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_symlink() or not path.is_dir():
            path.unlink()
        elif not _remove_flat(path):
            import shutil  # loads four compressors, and nearly all run directories hold only files

            shutil.rmtree(path, ignore_errors=True)


def _remove_flat(folder: Path) -> bool:
    """Remove a folder that holds only files. Returns False, with the folder still there, if it holds others."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                return False
            os.unlink(entry)
    folder.rmdir()
    return True
