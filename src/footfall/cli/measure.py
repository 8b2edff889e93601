"""Measure a command from its start to its data file: what `footfall run` does once it knows what is wanted."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import click

from footfall.cli.supervise import run_command
from footfall.cli.target import find_interpreter, inspect_interpreter
from footfall.config import Config
from footfall.errors import EXIT_ENVIRONMENT, FootfallError
from footfall.model import RUN_VARIABLE
from footfall.record.datafile import check_replaceable, check_writable, open_data_file
from footfall.record.rundir import (
    RunDirectory,
    make_run_directory,
    open_run_directory,
    remove_run_directory,
    settings_from_config,
)

__all__ = ["Measurement", "measure"]


class Measurement(NamedTuple):
    """How a command ended, and where its results are."""

    status: int
    """The exit status to end with, as of `run_command`: minus the number of the signal that killed it."""
    data_file: str | None
    """None when there are no results, which has been said."""


def measure(
    program: list[str],
    config: Config,
    *,
    cover: bool = True,
    data_file: str | None = None,
    append: bool = False,
    is_quiet: bool = False,
    wants_summary: Callable[[int], bool] = lambda _status: True,
    environment: Mapping[str, str] | None = None,
) -> Measurement:
    """Run a program with its arguments, write its data file (default: the configured one) and show the summary.

    `wants_summary` is asked once the exit status is known. `environment` is added to ours.
    With `append` results are added to those that the data file has.
    Raises FootfallError when it can't be started, or results could not be written.
    """
    if data_file is not None:
        check_writable(data_file)
    check_replaceable(data_file or config.data_file)
    if append and os.path.exists(data_file or config.data_file):
        with open_data_file(data_file or config.data_file):
            pass  # better now than after a long run
    directory = make_run_directory(settings_from_config(config, cover=cover))
    full = {**os.environ, **(environment or {}), RUN_VARIABLE: str(directory.path)}
    try:
        status = run_command(program, full)
    except FootfallError:
        remove_run_directory(directory)
        raise
    return _finish(directory, config, program, status, data_file, append, is_quiet, wants_summary(status))


def _finish(
    directory: RunDirectory,
    config: Config,
    program: list[str],
    status: int,
    data_file: str | None,
    append: bool,
    is_quiet: bool,
    has_summary: bool,
) -> Measurement:
    """Make the results of a command that ended with `status`."""
    if not directory.has_records():
        click.echo(f"footfall: {_why_nothing(program)}", err=True)
        remove_run_directory(directory)
        return Measurement(status, None)
    _name_survivors(directory)
    chosen = data_file or config.data_file
    if data_file is None and directory.is_temporary:
        chosen = str(directory.path / os.path.basename(config.data_file))
        click.echo(
            f"footfall: Can't write here ({directory.why_temporary}): the data is in {chosen}."
            f" Look at it with `footfall report --data-file={chosen}`. [data-elsewhere]",
            err=True,
        )
    from footfall.cli.finish import finish_run  # imported when it is needed: the command need not wait for it

    try:
        _, settings = open_run_directory(directory.path)
        finish_run(directory, settings, config, chosen, append=append, is_quiet=is_quiet, has_summary=has_summary)
    except FootfallError as error:
        click.echo(f"footfall: {error}", err=True)
        return Measurement(status or EXIT_ENVIRONMENT, None)
    return Measurement(status, chosen)


def _name_survivors(directory: RunDirectory) -> None:
    """Say which processes still record: daemons that outlive the command."""
    for pid in sorted({entry.name.partition("-")[0] for entry in directory.path.glob("*.rec")}):
        try:
            mapped = Path(f"/proc/{pid}/maps").read_bytes()
        except OSError:
            continue  # it has ended
        if os.fsencode(directory.path) in mapped:
            click.echo(
                f"footfall: Process {pid} outlives the command: what it does from now on is not in the data."
                " End it before the command ends. [still-running]",
                err=True,
            )


def _why_nothing(program: list[str]) -> FootfallError:
    """Say why a command left no record, as far as its interpreter tells."""
    path = find_interpreter(program)
    what = f"Nothing was recorded of {program[0]}:"
    if path is None:
        return FootfallError(
            "nothing-recorded",
            f"{what} it ran no Python, or a Python without footfall.",
            "Install footfall in the environment whose Python it runs: PYTHON -m pip install footfall.",
        )
    found = inspect_interpreter(path, {key: value for key, value in os.environ.items() if key != RUN_VARIABLE})
    if not found.is_supported and found.version is not None:
        version = ".".join(map(str, found.version))
        return FootfallError(
            "python-unsupported",
            f"{what} {path} is Python {version}, and footfall measures 3.11 to 3.15.",
            "Run it with one of these.",
        )
    if not found.has_footfall:
        return FootfallError(
            "no-footfall-there", f"{what} {path} has no footfall.", f"Install it: {path} -m pip install footfall."
        )
    return FootfallError(
        "nothing-recorded",
        f"{what} {path} has footfall, but its start hook did not run.",
        "The option -S keeps site-packages' start hooks from running, an emptied environment (env -i) from knowing.",
    )
