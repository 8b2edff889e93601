"""`footfall snapshot`: the results so far of a run in progress."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from footfall.cli.options import FiniteRange, config_option, load_config
from footfall.config.configuration import Config
from footfall.errors import FootfallError, UsageError
from footfall.record.run.directory import RunDirectory, find_unresolved_runs, is_running, open_run_directory
from footfall.session.finish import run_ended, snapshot_run
from footfall.session.interrupts import InterruptedBySignal, raising_signals
from footfall.session.running.supervise import end_like
from footfall.settings import Settings

__all__ = ["command"]

_DATA_FILE = "snapshot.coverage"
_POLL_SECONDS = 0.2

_EXAMPLES = """\b
Examples:
  footfall snapshot                          the run in progress in this directory
  footfall html --data-file=snapshot.coverage
  footfall snapshot --every 60 -q            again each minute, until the run ends
"""


@click.command("snapshot", epilog=_EXAMPLES)
@click.argument("run_directory", metavar="[RUNDIR]", required=False)
@click.option(
    "--data-file", metavar="FILE", default=_DATA_FILE, show_default=True, help="File to write the results to."
)
@click.option(
    "--every",
    type=FiniteRange(min=0.1),
    metavar="SECONDS",
    help="Write it again at this interval until the run ends.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show nothing but errors.")
@config_option
def command(
    run_directory: str | None, data_file: str, every: float | None, quiet: bool, config_file: str | None
) -> int:
    """Write what a run in progress has recorded so far: coverage, and the profile up to now.

    The measured processes are neither stopped nor slowed, so a server can be looked at without ending it. RUNDIR is a
    directory below .footfall/runs; it is needed only if several runs are in progress. The run still writes its own data
    file at its end.
    """
    directory, settings = open_run_directory(run_directory or _find_run())
    if os.path.isdir(settings.cwd) and not os.path.samefile(settings.cwd, os.curdir):
        data_file = os.path.abspath(data_file)
        os.chdir(settings.cwd)
    config = load_config(config_file, quiet)
    if every is None:
        _take(directory, settings, config, data_file, quiet)
        return 0
    try:
        with raising_signals():
            return _take_repeatedly(directory, settings, config, data_file, quiet, every)
    except InterruptedBySignal as interrupted:  # what was begun is not left half written
        return end_like(-interrupted.number)


def _take_repeatedly(
    directory: RunDirectory, settings: Settings, config: Config, data_file: str, is_quiet: bool, seconds: float
) -> int:
    """Take snapshots until the run ends; return the exit status."""
    while True:
        begin = time.monotonic()
        try:
            _take(directory, settings, config, data_file, is_quiet)
        except FootfallError as error:
            if error.slug == "run-ended":
                return 0
            if error.slug != "nothing-recorded":  # Python may begin later
                raise
        while time.monotonic() - begin < seconds:
            if not is_running(directory.path):
                return 0
            time.sleep(_POLL_SECONDS)


def _take(directory: RunDirectory, settings: Settings, config: Config, data_file: str, is_quiet: bool) -> None:
    try:
        if not directory.has_records():
            text = f"The run {directory.path.name} has no records yet."
            raise FootfallError("nothing-recorded", text, "Try again when Python has begun.")
        snapshot_run(directory, settings, config, data_file, is_quiet=is_quiet)
    except (OSError, FootfallError) as error:
        if directory.is_there():
            raise
        raise run_ended(directory) from error


def _find_run() -> Path:
    """Return the only run in progress here. Raises UsageError (`no-run`, `several-runs`)."""
    runs = [path for path in find_unresolved_runs(Path.cwd()) if is_running(path)]
    if not runs:
        raise UsageError(
            "no-run",
            "No run goes on in this directory.",
            "Call it where `footfall run` was started; `footfall attach PID` profiles any Python process.",
        )
    if len(runs) > 1:
        names = ", ".join(map(str, runs))
        raise UsageError("several-runs", "Several runs go on in this directory.", f"Name one of them: {names}")
    return runs[0]
