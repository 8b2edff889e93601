"""From a finished command's run directory to the data file and the summary: the end of `run`, and all of `resolve`.

Nothing is lost when this fails: the run directory stays, and the error says how to try again.
"""

from __future__ import annotations

import contextlib
import gc
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from footfall.analyze.profile.import_frames import fold_imports
from footfall.analyze.profile.rows import rows_from_profile
from footfall.analyze.resolve import resolve
from footfall.analyze.resolved_run import FileData, RunData
from footfall.analyze.source.source_file import read_source_file
from footfall.config.configuration import Config
from footfall.errors import FootfallError
from footfall.load.gather import gather, shown_path
from footfall.load.probe_meanings_cache import KeptMeanings
from footfall.load.unexecuted_files import find_unexecuted_files
from footfall.record.data.condition_tables import write_conditions
from footfall.record.data.coverage_tables import write_coverage
from footfall.record.data.parallel_files import SIDE_FILE_ENDING, base_of_parallel_name
from footfall.record.data.profile_tables import write_profile
from footfall.record.data.qualifications import add_qualifications
from footfall.record.data.source_ids import blob_id, write_source_ids
from footfall.record.data.test_times import write_test_times
from footfall.record.run.directory import RunDirectory, remove_run_directory
from footfall.report.summary import Summary, Times, render_summary
from footfall.report.times import profile_summary
from footfall.session.output import say, warn
from footfall.session.terminal import print_lines, progress_bar
from footfall.settings import Settings

__all__ = ["KEEP_VARIABLE", "finish_run", "show_summary", "snapshot_run", "write_data_so_far"]

_BEFORE_APPENDING = "appended-to.coverage"

KEEP_VARIABLE = "FOOTFALL_KEEP"
"""When set and not empty, run directories are kept, for `footfall resolve` and for looking at."""

_N_HOTTEST = 10
_NO_DATA = (
    "No Python file of the project ran. Installed packages are left out, and a program of `-c` or standard input has"
    " no file: put it into one. Else look at source, include and omit."
)
_DAMAGE_SLUGS = ("record-corrupt", "record-damaged", "record-refused", "record-unreadable")


def finish_run(
    directory: RunDirectory,
    settings: Settings,
    config: Config,
    data_file: str,
    *,
    append: bool = False,
    is_quiet: bool,
    has_summary: bool = True,
) -> None:
    """Resolve a run, write its data file, or add to it with `append`, show the summary, remove the directory.

    Raises FootfallError with a next step that names the directory, which is then kept.
    """
    try:
        if append:
            _take_back(directory, data_file)
        with _no_collections():
            with (
                progress_bar("Working out what ran", is_quiet=is_quiet) as progress,
                KeptMeanings(data_file) as store,
            ):
                run = resolve(directory.path, settings.context, progress, store)
            warnings = list(run.messages)
            if append and os.path.exists(data_file):
                _append(run, directory, settings, config, data_file, warnings)
            else:
                _write(run, directory, settings, config, data_file, warnings)
    except Exception as error:  # whatever it is, the raw data is whole: say where it is
        raise _kept(directory, config, data_file, append, error) from error
    damaged = [what for slug, what in warnings if slug in _DAMAGE_SLUGS]
    is_kept = bool(os.environ.get(KEEP_VARIABLE)) or bool(damaged)
    if not is_kept:
        remove_run_directory(directory, keep=Path(data_file).absolute())
    warn(warnings, config.disable_warnings)
    if is_kept:
        why = " for its damaged records; remove it when you have seen to them" if damaged else ""
        say(f"footfall: the run directory is kept{why}: {directory.path}")
    if has_summary and not is_quiet:
        show_summary(run, config, data_file)


def write_data_so_far(
    directory: RunDirectory, settings: Settings, config: Config, data_file: str, *, append: bool
) -> None:
    """Write the data file of a run that goes on; `finish_run` writes it again. What is wrong is for that to tell."""
    before = directory.path / _BEFORE_APPENDING
    if append and not before.exists():
        if os.path.exists(data_file):
            shutil.copyfile(data_file, before)
        else:
            before.touch()
    with KeptMeanings(data_file) as store:
        run = resolve(directory.path, settings.context, None, store)
    write = _append if append and os.path.exists(data_file) else _write
    write(run, directory, settings, config, data_file, [])


def snapshot_run(
    directory: RunDirectory, settings: Settings, config: Config, data_file: str, *, is_quiet: bool
) -> None:
    """Write what a run that goes on has recorded into a data file of its own, and show the summary.

    Raises FootfallError (`run-ended`) when the run ends meanwhile, and what writing raises.
    """
    with (
        _no_collections(),
        progress_bar("Working out what ran", is_quiet=is_quiet) as progress,
        KeptMeanings(data_file) as store,
    ):
        run = resolve(directory.path, settings.context, progress, store)
    if not directory.is_there():  # its supervisor took the records away, some of them unread
        raise FootfallError("run-ended", f"The run {directory.path.name} has ended.", "Look at its own data file.")
    warnings = list(run.messages)
    _write(run, directory, settings, config, data_file, warnings)
    warn(warnings, config.disable_warnings)
    if not is_quiet:
        show_summary(run, config, data_file)


def _take_back(directory: RunDirectory, data_file: str) -> None:
    """Undo what `write_data_so_far` added, which the whole run has as well."""
    before = directory.path / _BEFORE_APPENDING
    if not before.exists():
        return
    if before.stat().st_size:
        shutil.copyfile(before, data_file)
    else:
        os.unlink(data_file)


@contextlib.contextmanager
def _no_collections() -> Iterator[None]:
    """Nothing that is made of a run refers to itself, and looking for what does takes a seventh of the time."""
    is_wanted = sys.implementation.name == "cpython" and gc.isenabled()  # PyPy would let go of nothing
    if is_wanted:
        gc.disable()
    try:
        yield
    finally:
        if is_wanted:
            gc.enable()


def _kept(directory: RunDirectory, config: Config, data_file: str, append: bool, error: Exception) -> FootfallError:
    again = f"footfall resolve {'--append ' if append else ''}{shlex.quote(str(directory.path))}"
    if isinstance(error, FootfallError) and error.slug == "data-unwritable":
        again += " --data-file=FILE"
    elif data_file != config.data_file:
        again += f" --data-file={shlex.quote(data_file)}"
    kept = f"What was recorded is in {directory.path}; try again with: {again}"
    if isinstance(error, FootfallError):
        return FootfallError(error.slug, error.message, f"{error.help} {kept}")
    return FootfallError(
        "resolve-failed", f"footfall failed to work out the results: {error!r}.", f"Please report it. {kept}"
    )


def _write(
    run: RunData,
    directory: RunDirectory,
    settings: Settings,
    config: Config,
    data_file: str,
    warnings: list[tuple[str, str]],
) -> None:
    touched: set[str] = set()
    if settings.cover:
        touched, never_imported = find_unexecuted_files(
            run.files,
            settings.source_dir,
            settings.source_pkg,
            settings.omit,
            namespace_packages=config.include_namespace_packages,
        )
        warnings += [("module-not-imported", f"Module {name} was never imported.") for name in never_imported]
        if not run.files:
            warnings.append(("no-data-collected", _NO_DATA))
    files: dict[str, FileData] = run.files
    conditions = run.conditions
    source_ids = _source_ids([*run.files, *touched])
    if config.relative_files:
        source_ids = {shown_path(path): blob for path, blob in source_ids.items()}
        conditions = {shown_path(path): codes for path, codes in conditions.items()}
        files = {shown_path(path): data for path, data in run.files.items()}
        touched = {shown_path(path) for path in touched}
    with write_coverage(data_file, files, has_arcs=run.has_arcs, touched=touched) as connection:
        write_source_ids(connection, source_ids)
        add_qualifications(connection, warnings)
        if conditions:
            write_conditions(connection, conditions)
        if run.profile is not None:
            write_profile(connection, rows_from_profile(run.profile), directory.identity())
        write_test_times(connection, run.test_times, directory.identity())


def _source_ids(paths: Iterable[str]) -> dict[str, str]:
    """Return which text each source has, as the run that has just ended saw it; those that can't be read have none."""
    ids: dict[str, str] = {}
    for path in paths:
        with contextlib.suppress(OSError):
            ids[path] = blob_id(read_source_file(path))
    return ids


def _append(
    run: RunData,
    directory: RunDirectory,
    settings: Settings,
    config: Config,
    data_file: str,
    warnings: list[tuple[str, str]],
) -> None:
    from footfall.record.data.combine import combine_files  # for --append alone

    part = f"{data_file}.{os.getpid()}.run{SIDE_FILE_ENDING}"
    try:
        _write(run, directory, settings, config, part, warnings)
        result = combine_files(
            [part], data_file, base=data_file, paths=config.paths.values(), is_relative=config.relative_files
        )
        for _, error in result.failed:
            raise error
        warnings += result.warnings
    finally:
        with contextlib.suppress(OSError):
            os.unlink(part)


def show_summary(run: RunData, config: Config, data_file: str) -> None:
    """Show the summary of what a data file got."""
    total = None
    if run.files:
        coverage = gather(config, data_file, ignore_errors=True, with_qualifications=False)
        total = coverage.total if coverage.files else None
        warn(coverage.warnings, config.disable_warnings)
    print_lines(
        render_summary(
            Summary(
                coverage=total,
                has_arcs=run.has_arcs,
                precision=config.precision,
                data_file=data_file,
                is_default_data_file=data_file == config.data_file,
                parallel_base=base_of_parallel_name(data_file) if config.parallel else "",
                times=_times(run),
            )
        )
    )


def _times(run: RunData) -> Times | None:
    if run.profile is None:
        return None
    return profile_summary(fold_imports(run.profile, os.path.isfile), _N_HOTTEST)
