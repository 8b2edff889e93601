"""`footfall diff`: what became covered, uncovered, slower and faster from one data file to another."""

from __future__ import annotations

import click

from footfall.cli.options import FiniteRange, config_option, load_config
from footfall.cli.reports.report_files import write_output
from footfall.config.configuration import Config
from footfall.errors import EXIT_FINDINGS, FootfallError
from footfall.load.profiles.read import is_data_file
from footfall.report.coverage.compared_runs import MeasuredRun, compare_runs, read_run
from footfall.report.coverage.difference import Difference, TimeDifference, difference_report, render_difference
from footfall.report.jsontext import render_json
from footfall.session.combining import combine_before_report
from footfall.session.git import blob
from footfall.session.output import show, warn

__all__ = ["command"]

_WORSE = ("uncovered", "slower", "any", "none")

_EXAMPLES = """\b
Examples:
  footfall diff main.coverage                      what changed since, in .coverage
  footfall diff before.coverage after.coverage
  footfall diff main.coverage --fail-on uncovered --format markdown > comment.md
  footfall diff a1.data b1.data --before a2.data --before a3.data --after b2.data --after b3.data
"""


@click.command("diff", epilog=_EXAMPLES)
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="[AFTER]", required=False)
@click.option("--format", "format_", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True)
@click.option(
    "--fail-on",
    type=click.Choice(_WORSE),
    default="any",
    show_default=True,
    help="What makes the exit status 1: code that is no longer covered, functions that are slower, either, or nothing.",
)
@click.option(
    "--noise",
    metavar="PERCENT",
    type=FiniteRange(min=0),
    default=5.0,
    show_default=True,
    help="Leave out functions whose time changed by less.",
)
@click.option(
    "--before", "more_before", multiple=True, metavar="FILE", help="A further run of what BEFORE is of (repeatable)."
)
@click.option("--after", "more_after", multiple=True, metavar="FILE", help="A further run of what AFTER is of.")
@click.option(
    "--clock",
    type=click.Choice(["cpu", "wall", "gil"]),
    help="Which time to compare. [default: cpu, or wall if one of them has no CPU time]",
)
@click.option(
    "-n", "--count", type=click.IntRange(min=0), default=20, show_default=True, help="Number of functions; 0 for all."
)
@click.option("--precision", type=int, metavar="N", help="Digits after the decimal point of percentages.")
@config_option
def command(
    before: str,
    after: str | None,
    format_: str,
    fail_on: str,
    noise: float,
    more_before: tuple[str, ...],
    more_after: tuple[str, ...],
    clock: str | None,
    count: int,
    precision: int | None,
    config_file: str | None,
) -> int:
    """Show what changed from BEFORE to AFTER, two data files: coverage line by line, and the time of functions.

    Profiles from other tools, of the formats that `footfall flame` reads, are compared by time only.

    AFTER defaults to the usual data file. Lines are compared even if the source changed between the runs: git provides
    the text that BEFORE measured, if it was committed. A function is slower or faster when its own time differs by more
    than the noise of sampling and of the machine, and by --noise per cent. At most one in a hundred comparisons of a
    program with itself names a function. With too few functions to tell the machine's part, none is said to be slower.

    Exits with 1 if code that is in both is no longer covered, or if a function is slower.
    """
    config = load_config(config_file, data_file=after, precision=precision)
    if after is None:
        combine_before_report(config, keep=False, is_quiet=False, as_coverage=False)
    runs = ([before, *more_before], [config.data_file, *more_after])
    difference = _compare(config, runs, clock, noise / 100)
    if format_ == "json":
        write_output("-", render_json(difference_report(difference, config.precision), indent=4) + "\n", "difference")
    else:
        show(render_difference(difference, count, config.precision, format_), end="")
    is_uncovered = difference.n_uncovered > 0 and fail_on in ("uncovered", "any")
    is_slower = difference.times is not None and bool(difference.times.slower) and fail_on in ("slower", "any")
    return EXIT_FINDINGS if is_uncovered or is_slower else 0


_Runs = tuple[list[str], list[str]]
"""The data files before and after. Coverage is compared for the first of each, times for all of them."""


def _compare(config: Config, runs: _Runs, clock: str | None, noise: float) -> Difference:
    """Read the data files. Raises FootfallError: `nothing-to-compare`, or what reading raises."""
    before, after = (names[0] for names in runs)
    if not is_data_file(before) or not is_data_file(after):
        return Difference(before, after, times=_compare_times(config, runs, clock, noise))
    was, now = (_read(config, name) for name in (before, after))
    times = None
    if was.coverage.has_profile and now.coverage.has_profile:
        times = _compare_times(config, runs, clock, noise)
    has_coverage = not was.coverage.is_profile_alone and not now.coverage.is_profile_alone
    if not has_coverage and times is None:
        text = f"{before} and {after} have nothing in common: one has coverage alone, the other a profile."
        raise FootfallError("nothing-to-compare", text, "Record both with `footfall run COMMAND`.")
    if not has_coverage:
        return Difference(before, after, times=times)
    found = compare_runs(was, now)
    return Difference(before, after, found.before, found.now, found.files, found.left_out, times)


def _read(config: Config, data_file: str) -> MeasuredRun:
    run = read_run(config, data_file, blob)
    named = {each.slug for each in run.coverage.ignored}
    warn([each for each in run.coverage.warnings if each[0] not in named], config.disable_warnings)
    return run


def _compare_times(config: Config, runs: _Runs, clock: str | None, noise: float) -> TimeDifference:
    from footfall.analyze.profile.clocks import Clock  # half of all import time
    from footfall.report.profile.time_difference import compare_times, need_errors
    from footfall.report.times import need_profile

    before, now = ([need_profile(config, data_file) for data_file in names] for names in runs)
    for data_file, profile in zip([*runs[0], *runs[1]], [*before, *now], strict=True):
        if profile.origin is not None:
            warn(profile.origin.notes, config.disable_warnings)
            need_errors(data_file, profile.origin)
    return compare_times(before, now, None if clock is None else Clock(clock), noise)
