"""`footfall resolve`: make the data file from a run directory that was kept."""

from __future__ import annotations

import os

import click

from footfall.cli.options import config_option, load_config
from footfall.errors import UsageError
from footfall.record.data.parallel_files import make_parallel_name
from footfall.record.run.directory import open_run_directory
from footfall.session.finish import finish_run

__all__ = ["command"]


@click.command("resolve")
@click.argument("run_directory", metavar="RUNDIR")
@click.option("--data-file", metavar="FILE", help="File to write the results to. [default: .coverage]")
@click.option("-a", "--append", is_flag=True, help="Add to the data file instead of replacing it.")
@click.option("-q", "--quiet", is_flag=True, help="Show nothing but errors.")
@config_option
def command(run_directory: str, data_file: str | None, append: bool, quiet: bool, config_file: str | None) -> int:
    """Make the data file from RUNDIR, a run directory that was kept.

    A run directory is kept if its results could not be computed or written, if the supervisor was killed, and if
    FOOTFALL_KEEP is set. The configuration and relative names are those of the directory in which the run was started.
    """
    directory, settings = open_run_directory(run_directory)
    if not directory.has_records():
        raise UsageError(
            "not-a-run", f"{run_directory} has no records.", "Nothing was measured in that run; remove it."
        )
    if os.path.isdir(settings.cwd):
        os.chdir(settings.cwd)
    config = load_config(config_file, quiet, data_file=data_file)
    if config.parallel and data_file is None and not append:
        config.data_file = make_parallel_name(config.data_file)
    finish_run(directory, settings, config, config.data_file, append=append, is_quiet=quiet)
    return 0
