"""From a finished command's run directory to the data file and the summary: the end of `run`, and all of `resolve`.

The steps, in order: `analyze/resolve.py` reads the records, `write_run.py` writes the data file, `summary.py` shows
what the data file received.

If this fails, nothing is lost: the run directory stays, and the error says how to try again.
"""

from __future__ import annotations

import contextlib
import gc
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from footfall.analyze.resolve import resolve
from footfall.analyze.resolved_run import RunData
from footfall.config.configuration import Config
from footfall.errors import FootfallError
from footfall.load.probe_meanings_cache import KeptMeanings
from footfall.record.run.directory import RunDirectory, remove_run_directory
from footfall.session.output import print_message, warn
from footfall.session.terminal import progress_bar
from footfall.session.write_run import write_run
from footfall.settings import Settings

__all__ = ["KEEP_VARIABLE", "finish_run", "run_ended", "snapshot_run", "what_is_kept", "write_data_so_far"]

_BEFORE_APPENDING = "appended-to.coverage"

KEEP_VARIABLE = "FOOTFALL_KEEP"
"""If set and not empty, run directories are kept, for `footfall resolve` and for inspection."""

_DAMAGE_SLUGS = ("record-corrupt", "record-damaged", "record-refused", "record-unreadable")


@contextlib.contextmanager
def _no_collections() -> Iterator[None]:
    """Turn cycle collection off: a run's objects form no cycles, and looking for some takes a seventh of the time."""
    is_wanted = sys.implementation.name == "cpython" and gc.isenabled()  # PyPy would free nothing at all
    if is_wanted:
        gc.disable()
    try:
        yield
    finally:
        if is_wanted:
            gc.enable()


@_no_collections()
def finish_run(
    directory: RunDirectory,
    settings: Settings,
    config: Config,
    data_file: str,
    *,
    append: bool = False,
    is_quiet: bool,
    has_summary: bool = True,
    status: int = 0,
) -> None:
    """Resolve a run, write its data file (with `append`, add to it), show the summary, and remove the directory.

    `status` is how the command ended, as in `Ended`.
    Raises FootfallError with a next step that names the directory, which is then kept.
    """
    try:
        if append:
            _take_back(directory, data_file)
        run = _resolve(directory, settings, data_file, is_quiet=is_quiet)
        written = write_run(run, directory, settings, config, data_file, append=append)
    except Exception as error:  # whatever happened, the raw data is complete: say where it is
        raise _kept(directory, config, data_file, append, error) from error
    warnings = written.warnings
    if status and not run.files:
        warnings = [(slug, _ended(status) if slug == "no-data-collected" else what) for slug, what in warnings]
    why = _why_kept(warnings)
    is_kept = bool(os.environ.get(KEEP_VARIABLE)) or bool(why)
    if not is_kept:
        remove_run_directory(directory, keep=Path(data_file).absolute())
    warn(warnings, config.disable_warnings)
    if is_kept:
        print_message(f"footfall: the run directory is kept{why}: {directory.path}")
    if has_summary and not is_quiet:
        from footfall.session.summary import show_summary  # what a quiet run does not need

        show_summary(run, config, data_file, written, has_failed=status != 0)


def _why_kept(warnings: list[tuple[str, str]]) -> str:
    """Return why to keep the run directory with its records; "" if everything in them is in the data."""
    if any(slug in _DAMAGE_SLUGS for slug, _ in warnings):
        return " for its damaged records; remove it when you have seen to them"
    if any(slug == "python-unknown" and "is left out" in what for slug, what in warnings):
        return ", for a footfall that knows that Python; remove it when you need it no more"
    return ""


def _resolve(directory: RunDirectory, settings: Settings, data_file: str, *, is_quiet: bool) -> RunData:
    with progress_bar("Working out what ran", is_quiet=is_quiet) as progress, KeptMeanings(data_file) as store:
        return resolve(directory.path, settings.context, progress, store)


def _ended(status: int) -> str:
    """Return the message that nothing of the project ran in a command that failed, usually before it could."""
    how = f"status {status}" if status > 0 else signal.Signals(-status).name
    return (
        f"No Python file of the project ran before the command ended with {how}."
        " If some should have, look at source, include and omit."
    )


def write_data_so_far(
    directory: RunDirectory, settings: Settings, config: Config, data_file: str, *, append: bool
) -> None:
    """Write the data file of a run in progress; `finish_run` writes it again, and reports what is wrong."""
    before = directory.path / _BEFORE_APPENDING
    if append and not before.exists():
        if os.path.exists(data_file):
            from shutil import copyfile  # only for --append

            copyfile(data_file, before)
        else:
            before.touch()
    run = _resolve(directory, settings, data_file, is_quiet=True)
    write_run(run, directory, settings, config, data_file, append=append)


@_no_collections()
def snapshot_run(
    directory: RunDirectory, settings: Settings, config: Config, data_file: str, *, is_quiet: bool
) -> None:
    """Write what a run in progress has recorded to a separate data file, and show the summary.

    Raises FootfallError (`run-ended`) if the run ends meanwhile, or what writing raises.
    """
    run = _resolve(directory, settings, data_file, is_quiet=is_quiet)
    if not directory.is_there():  # its supervisor removed the records before all were read
        raise run_ended(directory)
    written = write_run(run, directory, settings, config, data_file)
    warn(written.warnings, config.disable_warnings)
    if not is_quiet:
        from footfall.session.summary import show_summary  # as in `finish_run`

        show_summary(run, config, data_file, written)


def run_ended(directory: RunDirectory) -> FootfallError:
    """Return the error of a snapshot whose run has ended meanwhile."""
    return FootfallError("run-ended", f"The run {directory.path.name} has ended.", "Look at its own data file.")


def _take_back(directory: RunDirectory, data_file: str) -> None:
    """Undo what `write_data_so_far` added, as the complete run contains it too."""
    before = directory.path / _BEFORE_APPENDING
    if not before.exists():
        return
    if before.stat().st_size:
        from shutil import copyfile

        copyfile(before, data_file)
    else:
        os.unlink(data_file)


def _kept(directory: RunDirectory, config: Config, data_file: str, append: bool, error: Exception) -> FootfallError:
    is_unwritable = isinstance(error, FootfallError) and error.slug == "data-unwritable"
    kept = what_is_kept(directory, config, "FILE" if is_unwritable else data_file, append=append)
    if isinstance(error, FootfallError):
        return FootfallError(error.slug, error.message, f"{error.help} {kept}")
    return FootfallError(
        "resolve-failed", f"footfall failed to work out the results: {error!r}.", f"Please report it. {kept}"
    )


def what_is_kept(directory: RunDirectory, config: Config, data_file: str, *, append: bool) -> str:
    """Say where a run's records are, and how to make results from them."""
    again = f"footfall resolve {'--append ' if append else ''}{shlex.quote(str(directory.path))}"
    if data_file != config.data_file:
        again += f" --data-file={shlex.quote(data_file)}"
    return f"What was recorded is in {directory.path}; try again with: {again}"
