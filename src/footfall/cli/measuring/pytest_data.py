"""`footfall pytest-data`: write the data file of a pytest session that is about to end; its plugin calls it."""

from __future__ import annotations

import os

import click

from footfall.record.run.directory import open_run_directory
from footfall.session.finish import write_data_so_far
from footfall.session.pytest_request import PytestRequest

__all__ = ["command"]


@click.command("pytest-data", hidden=True)
@click.argument("request_text", metavar="REQUEST")
@click.argument("run_directory", metavar="RUNDIR")
def command(request_text: str, run_directory: str) -> int:
    """Write what RUNDIR contains so far to where REQUEST says."""
    directory, settings = open_run_directory(run_directory)
    os.chdir(settings.cwd)
    request = PytestRequest.from_json(request_text)
    config = request.to_config()
    write_data_so_far(directory, settings, config, config.data_file, append=request.is_added)
    return 0
