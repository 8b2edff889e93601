"""`footfall flame`: the profile as collapsed stacks, for any flame graph viewer."""

from __future__ import annotations

import click

from footfall.cli.options import config_option, data_file_option, load_config, write_output
from footfall.errors import FootfallError
from footfall.report.collapsed import render_collapsed
from footfall.report.times import load_profile

__all__ = ["command"]


@click.command(
    "flame",
    epilog="Open the file with a flame graph viewer such as speedscope, or: flamegraph.pl stacks.txt > stacks.svg",
)
@click.option("-o", "output", metavar="FILE", default="-", help="Where to write; - is stdout. [default: -]")
@click.option("--lines", is_flag=True, help="Tell the lines of a function apart.")
@data_file_option
@config_option
def command(output: str, lines: bool, data_file: str | None, config_file: str | None) -> int:
    """Write the profile as collapsed stacks: one line for each stack, with its number of samples."""
    config = load_config(config_file, data_file=data_file)
    profile = load_profile(config, config.data_file)
    if profile is None:
        raise FootfallError(
            "no-profile",
            f"There is no profile in {config.data_file}.",
            "Record one with `footfall run COMMAND`, without --no-profile.",
        )
    write_output(output, render_collapsed(profile, with_lines=lines), "collapsed stacks")
    return 0
