"""`footfall flame`: the profile as a flame graph page, or as collapsed stacks for other viewers."""

from __future__ import annotations

import click

from footfall.analyze.profile.clocks import Clock
from footfall.analyze.profile.selection import Selection
from footfall.cli.options import config_option, data_file_option, load_config
from footfall.cli.reports.profile_options import choose_part, selection_options
from footfall.cli.reports.report_files import write_parts
from footfall.cli.reports.reporting import warn_of_profile
from footfall.errors import UsageError
from footfall.report.times import clock_of_stacks, need_clock, need_common_clock, need_profile, with_builtin_calls

__all__ = ["command"]

_PAGE_ENDINGS = (".html", ".htm")

_EXAMPLES = """\b
Examples:
  footfall flame
  footfall flame before.data after.data -o diff.html
  footfall flame -o stacks.txt
  footfall flame - < perf-script.txt               recorded by another tool
  footfall flame profile.pstats --focus 'django/db'
  footfall flame run.mojo --root '^handle ' --merge --ignore '^wait '
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
    help="File to write: a page if it ends in .html, else collapsed stacks; - is stdout. [default: flame.html]",
)
@click.option(
    "--clock",
    type=click.Choice([clock.value for clock in Clock]),
    help="Which time the page shows first, or stacks count: CPU or wall time, time with the GIL or waiting for it"
    " (in us), or samples."
    " [default: cpu for a page, samples for stacks]",
)
@click.option("--lines", is_flag=True, help="Show the lines of a function separately in collapsed stacks.")
@selection_options
@data_file_option
@config_option
def command(
    data_files: tuple[str, ...],
    output: str,
    clock: str | None,
    lines: bool,
    data_file: str | None,
    config_file: str | None,
    selection: Selection,
) -> int:
    """Write a flame graph of the profile: a single page that opens in any browser.

    A file is a data file, or a profile that another tool wrote: collapsed stacks, perf script, Austin (text, MOJO),
    py-spy, speedscope, pprof, pstats, Chrome trace events, Firefox Profiler, pyinstrument, profiling.sampling (binary),
    gzipped or not; - means stdin.

    With two files, colours show what changed from the first to the second. If the output's name does not end in .html,
    it gets collapsed stacks for other viewers: one line for each stack, with its number of samples.
    """
    if len(data_files) > 2:
        raise UsageError("too-many-files", "A flame graph shows one data file, or compares two.", "Name fewer files.")
    if data_files and data_file is not None:
        raise UsageError("too-many-files", "The data file is named twice.", "Leave --data-file out.")
    if data_files == ("-", "-"):
        text = "Standard input, -, is named twice and can be read once."
        raise UsageError("too-many-files", text, "Name a file for one of the two.")
    config = load_config(config_file, data_file=data_files[-1] if data_files else data_file)
    profiles = []
    for each in data_files or (config.data_file,):
        is_last = each == (data_files or (config.data_file,))[-1]
        found = need_profile(config, each, has_timelines=is_last, has_native=True)
        need_clock(found, Clock(clock) if clock else None)
        warn_of_profile(config, each, found)
        profiles.append(choose_part(with_builtin_calls(found), selection))
    need_common_clock(profiles)
    profile = profiles[-1]
    if output.lower().endswith(_PAGE_ENDINGS):
        from footfall.report.site.flame_file import flame_file_parts

        before = profiles[0] if len(profiles) == 2 else None
        title = config.data_file if before is None else f"{data_files[0]} and {data_files[1]}"
        page = flame_file_parts(profile, title=title, before=before, clock=Clock(clock) if clock else None)
        write_parts(output, page, "flame graph")
        return 0
    if len(data_files) == 2:
        raise UsageError(
            "too-many-files", "Collapsed stacks show one data file.", "Write a page instead: -o diff.html."
        )
    from footfall.report.profile.collapsed import render_collapsed

    stacks = render_collapsed(
        profile, with_lines=lines, clock=clock_of_stacks(profile, Clock(clock) if clock else None)
    )
    write_parts(output, stacks, "collapsed stacks")
    return 0
