"""`footfall erase`: remove the data file, and the run directories that were kept."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import click

from footfall.cli.options import config_option, data_file_option, load_config
from footfall.errors import FootfallError
from footfall.record.datafile import check_replaceable
from footfall.record.rundir import RunDirectory, find_unresolved_runs, is_running, remove_run_directory

__all__ = ["command"]


@click.command("erase")
@data_file_option
@config_option
def command(data_file: str | None, config_file: str | None) -> int:
    """Remove the data file and the kept run directories here. Runs that are going on stay."""
    config = load_config(config_file, data_file=data_file)
    check_replaceable(config.data_file)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(config.data_file)
    except OSError as error:
        raise FootfallError(
            "data-unwritable",
            f"Can't remove the data file {config.data_file}: {error.strerror or error}.",
            "Check the permissions of its directory.",
        ) from error
    for path in find_unresolved_runs(Path.cwd()):
        if not is_running(path):
            remove_run_directory(RunDirectory(path))
    return 0
