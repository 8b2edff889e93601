"""Measure a command from its start to its data file: what `footfall run` does once it has read its options."""

from __future__ import annotations

import functools
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from footfall.config.configuration import Config
from footfall.errors import EXIT_ENVIRONMENT, FootfallError
from footfall.model import ENGINE_PROBES, RUN_VARIABLE
from footfall.pythons import find_engine
from footfall.record.data.data_file import (
    check_replaceable,
    check_writable,
    move_data_file,
    open_data_file,
    remove_data_file,
)
from footfall.record.machine import free_bytes
from footfall.record.run.directory import (
    RunDirectory,
    make_run_directory,
    open_run_directory,
    remove_run_directory,
    settings_from_config,
)
from footfall.session.interrupts import InterruptedBySignal, raising_signals
from footfall.session.other_environment import PATH_VARIABLE, hook_path, is_in_another, which_tier
from footfall.session.output import print_message, warn
from footfall.session.running.recording_processes import is_recording, recording_pids
from footfall.session.running.repeated_snapshots import repeated_snapshots
from footfall.session.running.run_limit import RunLimit
from footfall.session.running.supervise import Ended, run_command
from footfall.session.unmeasured import why_nothing, why_only_others

__all__ = ["STARTS_COVERAGE", "Measurement", "measure"]

_LEAST_ROOM_BYTES = 1 << 24
"""Elsewhere than in a directory that can't be written, perhaps since the disk is full."""

_ENDING_SECONDS = 0.5
_HELPER_SECONDS = 5.0
_POLL_SECONDS = 0.005
STARTS_COVERAGE: Final = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
"""With these set, an installed coverage.py measures each process that starts, which would only slow them down."""


class Measurement(NamedTuple):
    """How a command ended, and where its results are."""

    status: int
    """The exit status to end with: the command's, as in `Ended`, or ours if the command succeeded without results."""
    data_file: str | None
    """None if there are no results, which has been reported."""


def measure(
    program: list[str],
    config: Config,
    *,
    cover: bool = True,
    data_file: str | None = None,
    append: bool = False,
    is_quiet: bool = False,
    wants_summary: Callable[[int], bool] = lambda _status: True,
    came_to_nothing: Callable[[int, RunDirectory], bool] | None = None,
    environment: Mapping[str, str] | None = None,
    ignored_signal: signal.Signals | None = None,
    max_seconds: float | None = None,
    max_samples: int | None = None,
    snapshot_seconds: float | None = None,
    config_file: str | None = None,
) -> Measurement:
    """Run a program with its arguments, write its data file (default: the configured one) and show the summary.

    `wants_summary` and `came_to_nothing` are called once the exit status is known. `came_to_nothing` may say that the
    command did not begin its actual work: nothing is written then, and an earlier data file stays. `environment` is
    added to ours, and the program starts with `ignored_signal` ignored. After `max_seconds` or `max_samples` (of all
    processes) it is ended; if it dies of that, the status is 0. Every `snapshot_seconds` the data file is written with
    what has been recorded, by the configuration of `config_file`.
    With `append` results are added to those in the data file. Without it, a data file of an earlier run is removed
    first, so that it can't be taken for this run's whatever happens.
    Raises FootfallError if the program can't be started or results could not be written.
    """
    _check_destination(data_file, config, append=append)
    directory = make_run_directory(settings_from_config(config, cover=cover))
    is_foreign = is_in_another(program)
    if not append:
        _remove_earlier(data_file or config.data_file, directory, is_kept=came_to_nothing is not None)
    load_the_end = functools.partial(_load_the_end, config, is_quiet=is_quiet)
    try:
        limit = RunLimit(directory.path, max_seconds, max_samples)
        with repeated_snapshots(directory, snapshot_seconds, data_file or config.data_file, config_file):
            ended = run_command(
                program,
                _environment(directory, environment, with_hook=is_foreign),
                ignored_signal,
                limit.check_or_none(),
                load_the_end,
            )
    except FootfallError:
        remove_run_directory(directory)
        raise
    if limit.reached and not is_quiet:
        warn([("limit-reached", f"The command was ended {limit.reached}.")], config.disable_warnings)
    if limit.was_by_us(ended.status):
        ended = ended._replace(status=0)
    if came_to_nothing is not None and came_to_nothing(ended.status, directory):
        move_data_file(directory.earlier_data, data_file or config.data_file)
        remove_run_directory(directory)
        return Measurement(ended.status, None)
    has_summary = wants_summary(ended.status)
    if is_foreign and not is_quiet and directory.has_records(ended.pid):
        tier = which_tier(program)
        warn([("other-environment", tier)] if tier is not None else [], config.disable_warnings)
    try:
        with raising_signals():
            if config.plugins and came_to_nothing is None:
                from footfall.session.plugin_data import leave_plugin_files  # only with plugins

                leave_plugin_files(directory.path, data_file or config.data_file)
            return _finish(directory, config, program, ended, data_file, append, is_quiet, has_summary)
    except InterruptedBySignal as interrupted:
        if directory.is_there() and directory.has_records():
            from footfall.session.finish import what_is_kept

            kept = what_is_kept(directory, config, data_file or config.data_file, append=append)
            print_message(f"footfall: Interrupted before the results were written. {kept} [finish-interrupted]")
        return Measurement(-interrupted.number, None)


def _load_the_end(config: Config, *, is_quiet: bool) -> None:
    """Import what works out the results: while the command runs we have nothing to do, and afterwards people wait."""
    import footfall.session.finish

    if not is_quiet:
        import footfall.session.summary
    if find_engine(config.branch) == ENGINE_PROBES:
        import footfall.analyze.probes.arcs  # noqa: F401 - as the two above


def _check_destination(data_file: str | None, config: Config, *, append: bool) -> None:
    """Raise FootfallError if the results could not be written: better now than after a long run."""
    if data_file is not None:
        check_writable(data_file)
    chosen = data_file or config.data_file
    check_replaceable(chosen)
    if append and os.path.exists(chosen):
        with open_data_file(chosen):
            pass


def _environment(directory: RunDirectory, added: Mapping[str, str] | None, *, with_hook: bool) -> dict[str, str]:
    """Return the environment in which only footfall measures Python processes, into `directory`.

    `with_hook`: also those that have no footfall.
    """
    environment = {**os.environ, **(added or {}), RUN_VARIABLE: str(directory.path)}
    if with_hook:
        environment[PATH_VARIABLE] = hook_path(environment.get(PATH_VARIABLE))
    for name in STARTS_COVERAGE:
        environment.pop(name, None)
    return environment


def _remove_earlier(data_file: str, directory: RunDirectory, *, is_kept: bool) -> None:
    try:
        if is_kept:
            move_data_file(data_file, directory.earlier_data)
        else:
            remove_data_file(data_file)
    except FootfallError:
        if directory.is_temporary:
            return  # its directory can't be written; the end of the run reports where the results go
        remove_run_directory(directory)
        raise


def _finish(
    directory: RunDirectory,
    config: Config,
    program: list[str],
    ended: Ended,
    data_file: str | None,
    append: bool,
    is_quiet: bool,
    has_summary: bool,
) -> Measurement:
    """Make the results of a finished command."""
    status = ended.status
    if not directory.has_records():
        print_message(f"footfall: {why_nothing(program, ended, directory.path)}")
        remove_run_directory(directory)
        return Measurement(status or EXIT_ENVIRONMENT, None)
    _name_survivors(directory)
    if not directory.has_records(ended.pid):
        reason = why_only_others(program, ended, directory.path)
        if reason is not None:
            warn([(reason.slug, f"{reason.message} {reason.help}")], config.disable_warnings)
    chosen = data_file or config.data_file
    is_elsewhere = data_file is None and directory.is_temporary and not _is_in_a_writable_place(chosen)
    if is_elsewhere:
        chosen = str(directory.path / os.path.basename(config.data_file))
        print_message(
            f"footfall: Can't write here ({directory.why_temporary}): the data is in {chosen}."
            f" Look at it with `footfall report --data-file={chosen}`. [data-elsewhere]"
        )
    from footfall.session.finish import finish_run  # see `_load_the_end`

    try:
        _, settings = open_run_directory(directory.path)
        finish_run(
            directory,
            settings,
            config,
            chosen,
            append=append,
            is_quiet=is_quiet,
            has_summary=has_summary,
            status=status,
        )
    except FootfallError as error:
        print_message(f"footfall: {error}")
        return Measurement(status or EXIT_ENVIRONMENT, None)
    if is_elsewhere:
        from footfall.record.data.elsewhere import note_elsewhere  # seldom

        note_elsewhere(config.data_file, chosen)
    return Measurement(status, chosen)


def _is_in_a_writable_place(data_file: str) -> bool:
    """Return whether a data file that was configured is outside the current directory, and can be written there."""
    folder = os.path.dirname(os.path.abspath(data_file))
    if folder == os.getcwd():
        return False
    try:
        check_writable(data_file)
        return free_bytes(folder) >= _LEAST_ROOM_BYTES
    except (FootfallError, OSError):
        return False


def _name_survivors(directory: RunDirectory) -> None:
    """Report which processes are still recording: daemons. Those that ran nothing of the project are left out."""
    for pid in _wait_for_endings(directory):
        if _may_run_project(pid, directory):
            print_message(
                f"footfall: Process {pid} is still running: what it does from now on is not in the data."
                " Have it end before the command does. [still-running]"
            )


def _may_run_project(pid: int, directory: RunDirectory) -> bool:
    """Return whether a process has run a measured file, or may have: without coverage it is not known."""
    from footfall.record.run.record_file import read_record  # as in `_finish`

    try:
        if not open_run_directory(directory.path)[1].cover:
            return True
        # the records that it has mapped: on PyPy a forked child continues in its parent's
        mapped = Path(f"/proc/{pid}/maps").read_bytes()
        paths = [path for path in directory.path.glob("*.rec") if os.fsencode(path) in mapped]
        records = [read_record(str(path)) for path in paths]
    except (FootfallError, OSError):
        return True  # resolving reports what is wrong with the record
    return any(record.codes or record.modules or record.traces for record in records)


def _wait_for_endings(directory: RunDirectory) -> list[int]:
    """Wait for processes that end along with the command; return those that continue.

    The helpers of multiprocessing end by themselves once nobody has their pipe open, so they get more time.
    """
    pids = recording_pids(directory.path)
    begin = time.monotonic()
    while pids:
        waited = time.monotonic() - begin
        if waited > _HELPER_SECONDS or (waited > _ENDING_SECONDS and not any(map(_is_helper, pids))):
            break
        time.sleep(_POLL_SECONDS)
        pids = [pid for pid in pids if is_recording(pid, directory.path)]
    return pids


def _is_helper(pid: int) -> bool:
    try:
        return b"from multiprocessing." in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
