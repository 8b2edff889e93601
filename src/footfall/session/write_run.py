"""Writes a resolved run to a data file: coverage, conditions, times. Called once at the end of a run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from footfall.analyze.profile.rows import rows_from_profile
from footfall.analyze.resolved_run import FileData, RunData
from footfall.analyze.source.source_file import read_source_file
from footfall.config.acting_plugins import note_without_effect
from footfall.config.configuration import Config, shown_path
from footfall.load.unexecuted_files import find_source_directories, find_unexecuted_files
from footfall.record.data.condition_tables import write_conditions
from footfall.record.data.coverage_tables import write_coverage
from footfall.record.data.parallel_files import SIDE_FILE_ENDING
from footfall.record.data.profile_tables import write_profile
from footfall.record.data.qualifications import add_qualifications
from footfall.record.data.source_ids import blob_id, write_source_ids
from footfall.record.data.test_times import write_test_times
from footfall.record.run.directory import RunDirectory
from footfall.settings import Settings

__all__ = ["WrittenRun", "write_run"]

_NO_DATA = (
    "No Python file of the project ran. Installed packages are left out, and a program of `-c` or standard input has"
    " no file: put it into one. Else look at source, include and omit."
)


class WrittenRun(NamedTuple):
    """What writing a run leaves to show."""

    warnings: list[tuple[str, str]]
    """The run's messages and those from writing, as (slug, text)."""
    files: Mapping[str, FileData] | None = None
    """What the data file contains; None if that is more than this run."""
    touched: Collection[str] = ()
    """Measured files of which nothing ran."""
    source_ids: Mapping[str, str] = {}
    """The ids of the measured texts, by path."""


def write_run(
    run: RunData, directory: RunDirectory, settings: Settings, config: Config, data_file: str, *, append: bool = False
) -> WrittenRun:
    """Write the data file of a run, or with `append` add to the existing one.

    Raises FootfallError and what writing raises.
    """
    if append and os.path.exists(data_file):
        return _append(run, directory, settings, config, data_file)
    return _write(run, directory, settings, config, data_file)


def _write(
    run: RunData,
    directory: RunDirectory,
    settings: Settings,
    config: Config,
    data_file: str,
) -> WrittenRun:
    warnings = list(run.messages)
    touched: set[str] = set()
    run_files: dict[str, FileData] = run.files
    traced: dict[str, FileData] = {}
    if settings.cover and settings.plugins:
        from footfall.session.plugin_data import take_plugin_data  # only with plugins

        run_files, failures = take_plugin_data(directory.path, run_files, has_arcs=run.has_arcs)
        warnings += failures
    if settings.cover:
        touched, never_imported = find_unexecuted_files(
            run_files,
            settings.source_dir,
            settings.source_pkg,
            settings.omit,
            namespace_packages=config.include_namespace_packages,
        )
        if config.file_tracers:
            from footfall.load.traced_files import find_unexecuted_traced  # only with plugins

            unexecuted = find_unexecuted_traced(
                config.file_tracers,
                find_source_directories(run_files, settings.source_dir, settings.source_pkg),
                settings.omit,
                warnings,
            )
            traced = {path: FileData(tracer=name) for path, name in unexecuted.items() if path not in run_files}
            touched.difference_update(traced)
        warnings += note_without_effect(config.acting_plugins)
        warnings += [("module-not-imported", f"Module {name} was never imported.") for name in never_imported]
        if not run_files:
            warnings.append(("no-data-collected", _NO_DATA))
    files: dict[str, FileData] = {**run_files, **traced}
    conditions = run.conditions
    source_ids = _source_ids([*files, *touched])
    if config.relative_files:
        source_ids = {shown_path(path): blob for path, blob in source_ids.items()}
        conditions = {shown_path(path): codes for path, codes in conditions.items()}
        files = {shown_path(path): data for path, data in files.items()}
        touched = {shown_path(path) for path in touched}
    if settings.cover and config.acting_plugins:
        from footfall.session.plugin_data import pass_through_plugins  # as above

        executed = [path for path, data in files.items() if not data.tracer]
        in_sources = {*touched, *executed} if settings.source_dir or settings.source_pkg else touched
        files, touched, failures = pass_through_plugins(
            config, directory.path, files, in_sources, has_arcs=run.has_arcs
        )
        warnings += failures
    with write_coverage(data_file, files, has_arcs=run.has_arcs, touched=touched) as connection:
        write_source_ids(connection, source_ids)
        add_qualifications(connection, warnings)
        if conditions:
            write_conditions(connection, conditions)
        if run.profile is not None:
            write_profile(connection, rows_from_profile(run.profile), directory.identity())
        write_test_times(connection, run.test_times, directory.identity())
    return WrittenRun(warnings, files, touched, source_ids)


def _source_ids(paths: Iterable[str]) -> dict[str, str]:
    """Return the id of each source's text as the run that just ended saw it; unreadable sources have none."""
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
) -> WrittenRun:
    """Add a run to a data file."""
    from footfall.record.data.combine import combine_files  # only for --append

    part = f"{data_file}.{os.getpid()}.run{SIDE_FILE_ENDING}"
    try:
        written = _write(run, directory, settings, config, part)
        result = combine_files(
            [part], data_file, base=data_file, paths=config.paths.values(), is_relative=config.relative_files
        )
        for _, error in result.failed:
            raise error
        return WrittenRun(written.warnings + result.warnings, touched=written.touched)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(part)
