"""`footfall export`: the profile in the formats of other viewers."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

import click

from footfall.analyze.profile.calltree import Profile
from footfall.analyze.profile.clocks import Clock, default_clock, known_clocks
from footfall.analyze.profile.selection import Selection
from footfall.cli.options import (
    config_option,
    data_file_option,
    load_config,
    split_list,
)
from footfall.cli.reports.profile_options import choose_part, selection_options
from footfall.cli.reports.report_files import write_parts
from footfall.cli.reports.reporting import contexts_option, warn_of_profile
from footfall.config.configuration import Config
from footfall.errors import FootfallError, UsageError
from footfall.report.times import clock_of_stacks, need_clock, need_profile, with_builtin_calls
from footfall.session.output import warn

__all__ = ["command"]

# format -> its usual file extension
_FORMATS: Final = {
    "collapsed": ".txt",
    "perf": ".perf-stacks",
    "speedscope": ".speedscope.json",
    "pprof": ".pb.gz",
    "gecko": ".gecko.json",
    "chrome": ".trace.json",
    "mojo": ".mojo",
    "pstats": ".pstats",
}
_PARQUET: Final = "parquet"

_EXAMPLES = """\b
Examples:
  footfall export --format speedscope -o run.speedscope.json
  footfall export -o run.pb.gz
  footfall export --format collapsed -o - | flamegraph.pl > flame.svg
  footfall export profile.pstats -o profile.speedscope.json         recorded by another tool
  footfall export perf-script.txt --focus '^CTracer_trace' -o tracer.pb.gz
  footfall export --root '^handle ' --merge -f collapsed -o -
  footfall export --format parquet -o coverage-lake                 all of the data, not the profile alone
"""


@click.command(
    "export",
    epilog=_EXAMPLES,
)
@click.argument("file", required=False, metavar="[FILE]")
@click.option(
    "-f", "--format", "format_", type=click.Choice([*_FORMATS, _PARQUET]), help="[default: from the ending of -o]"
)
@click.option("-o", "output", metavar="FILE", help="File to write; - is stdout. [default: profile.ENDING]")
@click.option(
    "--clock",
    type=click.Choice([clock.value for clock in Clock]),
    help="The time of speedscope, chrome, mojo and pstats files, and of stacks (in us); the others have all."
    " [default: cpu, or wall where there is none; wall for chrome; samples for stacks]",
)
@click.option("--lines", is_flag=True, help="Show the lines of a function separately in collapsed stacks.")
@selection_options
@contexts_option
@data_file_option
@config_option
def command(
    file: str | None,
    format_: str | None,
    output: str | None,
    clock: str | None,
    lines: bool,
    contexts: str | None,
    data_file: str | None,
    config_file: str | None,
    selection: Selection,
) -> int:
    """Write the profile in the format of another viewer. FILE is a data file, or a profile that `footfall flame` reads.

    Formats: collapsed (FlameGraph and most others), perf (the same with threads, as stackcollapse-perf.pl --tid),
    speedscope, pprof (protocol buffer, gzipped), gecko (Firefox Profiler), chrome (trace events, for Perfetto), mojo
    (Austin) and pstats (what cProfile writes). With parquet -o is a directory, and all of the data is written as
    Parquet files: coverage, tests, branches, conditions and the profile (`footfall lake`).
    """
    chosen = format_ or _format_of(output)
    if file is not None and data_file is not None:
        raise UsageError("too-many-files", "The data file is named twice.", "Leave --data-file out.")
    if chosen == _PARQUET:
        is_part = clock or lines or contexts or not selection.is_whole
        _export_parquet(load_config(config_file, data_file=file or data_file), output, bool(is_part))
        return 0
    config = load_config(config_file, data_file=file or data_file, report_contexts=split_list(contexts))
    profile = need_profile(config, config.data_file, config.report_contexts, has_timelines=True, has_native=True)
    if config.report_contexts and not any(node for node, _, _ in profile.costs):
        text = "No sample of the profile is of a context that --contexts finds."
        raise FootfallError("nothing-selected", text, "`footfall report --by test -n 0` shows those of tests.")
    need_clock(profile, Clock(clock) if clock else None)
    warn_of_profile(config, config.data_file, profile)
    profile = choose_part(with_builtin_calls(profile), selection)
    found = _render(profile, chosen, Clock(clock) if clock else None, lines)
    where = output or f"profile{_FORMATS[chosen]}"
    write_parts(where, found, f"{chosen} profile")
    return 0


def _export_parquet(config: Config, output: str | None, is_part: bool) -> None:
    if is_part:
        text = "Parquet has all of the data: no option chooses a part of it, or a clock."
        raise UsageError("bad-format", text, "Leave them out, or choose another format.")
    if output is None or output == "-":
        raise UsageError("bad-format", "Parquet needs a directory.", "Name one: -o DIR.")
    from footfall.cli.lake.adding import Place, add_data_files

    add_data_files(config, output, [config.data_file], Place(), is_quiet=False)


def _format_of(output: str | None) -> str:
    name = os.path.basename(output or "")
    for format_, ending in _FORMATS.items():
        if name.endswith(ending):
            return format_
    raise UsageError(
        "bad-format",
        "Which format? The name of the file does not say." if output else "Which format?",
        f"Add --format, one of {', '.join(_FORMATS)}.",
    )


def _render(profile: Profile, format_: str, chosen: Clock | None, lines: bool) -> Iterable[str] | Iterable[bytes]:
    """Return the file's content in parts. Imports only the module of the format."""
    clock = chosen or default_clock(profile)
    if format_ == "speedscope":
        from footfall.report.profile.speedscope import render_speedscope

        return render_speedscope(profile, clock)
    if format_ == "pprof":
        from footfall.report.profile.pprof import render_pprof

        return render_pprof(profile)
    if format_ == "gecko":
        if Clock.SAMPLES not in known_clocks(profile):
            text = "The Firefox Profiler counts samples, and the profile has times without them."
            raise FootfallError("clock-unknown", text, "Choose another format.")
        from footfall.report.profile.gecko import render_gecko

        return [render_gecko(profile)]
    if format_ == "chrome":
        from footfall.report.profile.chrome_trace import render_chrome_trace

        is_wall = chosen is None and Clock.WALL in known_clocks(profile)
        clock = Clock.WALL if is_wall else clock
        if clock is Clock.SAMPLES:
            warn([("samples-as-times", "Trace events have times alone: each sample is written as a microsecond.")])
        return render_chrome_trace(profile, clock)
    if format_ == "mojo":
        from footfall.report.profile.mojo import render_mojo

        if clock not in (Clock.WALL, Clock.CPU):
            text = "MOJO has wall or CPU time, and no other."
            raise FootfallError("clock-unknown", text, "Choose another format, or --clock wall or cpu.")
        return render_mojo(profile, clock)
    if format_ == "pstats":
        if clock is Clock.SAMPLES:
            why = "samples are none" if chosen else "the profile has samples without times"
            raise FootfallError("clock-unknown", f"pstats holds seconds, and {why}.", "Choose another format.")
        from footfall.report.profile.pstats import render_pstats

        return [render_pstats(profile, clock)]
    from footfall.report.profile.collapsed import render_collapsed, render_perf_collapsed

    render = render_perf_collapsed if format_ == "perf" else render_collapsed
    return render(profile, with_lines=lines, clock=clock_of_stacks(profile, chosen))
