"""`footfall erase`: remove data files, kept run directories, and caches."""

from __future__ import annotations

from pathlib import Path

import click

from footfall.cli.accepted import accepted_options
from footfall.cli.options import config_option, data_file_option, load_config
from footfall.errors import FootfallError
from footfall.record.data.data_file import check_replaceable, remove_data_file
from footfall.record.data.parallel_files import find_parallel_files
from footfall.record.run.directory import (
    RunDirectory,
    find_unresolved_runs,
    is_running,
    remove_caches,
    remove_run_directory,
)
from footfall.session.output import warn

__all__ = ["command"]

_EXAMPLES = """\b
Examples:
  footfall erase
  footfall erase --data-file=unit.cov
"""


@click.command("erase", epilog=_EXAMPLES)
@data_file_option
@config_option
@accepted_options("--debug")
def command(data_file: str | None, config_file: str | None) -> int:
    """Remove the data file, and the kept run directories and caches below this directory. Runs in progress stay.

    In parallel mode (`parallel = true` in the configuration) the data files still to be combined are removed too.
    """
    config = load_config(config_file, data_file=data_file)
    check_replaceable(config.data_file)
    remove_data_file(config.data_file)
    for path in find_parallel_files(config.data_file) if config.parallel else ():
        try:
            check_replaceable(path)
        except FootfallError as error:
            warn([("foreign-kept", f"{error.message} It stays.")], config.disable_warnings)
        else:
            remove_data_file(path)
    runs = find_unresolved_runs(Path.cwd())
    for run in runs:
        if not is_running(run):
            remove_run_directory(RunDirectory(run))
    if not any(map(is_running, runs)):
        remove_caches(Path.cwd())
    return 0
