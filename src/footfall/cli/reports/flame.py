"""`footfall flame`: the profile as a flame graph page, or as collapsed stacks for other viewers."""

from __future__ import annotations

import click

from footfall.analyze.profile.clocks import Clock
from footfall.cli.options import config_option, data_file_option, load_config
from footfall.cli.reports.report_files import write_output, write_parts
from footfall.cli.reports.reporting import warn_of_profile
from footfall.errors import UsageError
from footfall.report.times import need_clock, need_profile, with_builtin_calls

__all__ = ["command"]

_PAGE_ENDINGS = (".html", ".htm")

_EXAMPLES = """\b
Examples:
  footfall flame
  footfall flame before.data after.data -o diff.html
  footfall flame -o stacks.txt
"""


@click.command(
    "flame",
    epilog=_EXAMPLES,
)
@click.argument("data_files", nargs=-1, metavar="[BEFORE] [FILE]")
@click.option(
    "-o",
    "output",
    metavar="FILE",
    default="flame.html",
    help="Where to write: a page where it ends in .html, else collapsed stacks; - is stdout. [default: flame.html]",
)
@click.option(
    "--clock",
    type=click.Choice([clock.value for clock in Clock]),
    help="What the page shows first, or what stacks count: CPU, wall or GIL time (in us), or samples."
    " [default: cpu for a page, samples for stacks]",
)
@click.option("--lines", is_flag=True, help="Show the lines of a function separately in collapsed stacks.")
@data_file_option
@config_option
def command(
    data_files: tuple[str, ...],
    output: str,
    clock: str | None,
    lines: bool,
    data_file: str | None,
    config_file: str | None,
) -> int:
    """Write a flame graph of the profile: one page that needs nothing else, to open with any browser.

    With two data files, frames are coloured by what changed from the first to the second. A name that does not end in
    .html gets collapsed stacks (one line for each stack, with its number of samples), for other viewers.
    """
    if len(data_files) > 2:
        raise UsageError("too-many-files", "A flame graph shows one data file, or compares two.", "Name fewer files.")
    if data_files and data_file is not None:
        raise UsageError("too-many-files", "The data file is named twice.", "Leave --data-file out.")
    config = load_config(config_file, data_file=data_files[-1] if data_files else data_file)
    profile = with_builtin_calls(need_profile(config, config.data_file, has_timelines=True))
    need_clock(profile, Clock(clock) if clock else None)
    for each in data_files or (config.data_file,):
        warn_of_profile(config, each)
    if output.lower().endswith(_PAGE_ENDINGS):
        from footfall.report.site.flame_file import render_flame_file

        before = with_builtin_calls(need_profile(config, data_files[0])) if len(data_files) == 2 else None
        title = config.data_file if before is None else f"{data_files[0]} and {data_files[1]}"
        page = render_flame_file(profile, title=title, before=before, clock=Clock(clock) if clock else None)
        write_output(output, page, "flame graph")
        return 0
    if len(data_files) == 2:
        raise UsageError(
            "too-many-files", "Collapsed stacks show one data file.", "Write a page instead: -o diff.html."
        )
    from footfall.report.profile.collapsed import render_collapsed

    stacks = render_collapsed(profile, with_lines=lines, clock=Clock(clock or "samples"))
    write_parts(output, stacks, "collapsed stacks")
    return 0
