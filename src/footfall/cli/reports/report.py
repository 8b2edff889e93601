"""`footfall report`: the coverage table, with times if there is a profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import click

from footfall.analyze.profile.selection import Selection
from footfall.cli.face import current_face
from footfall.cli.reports.profile_options import selection_options
from footfall.cli.reports.reporting import (
    ReportRequest,
    contexts_option,
    exit_status,
    report_options,
    times_exit_status,
    warn_times_alone,
)
from footfall.config.configuration import Config
from footfall.errors import FootfallError, UsageError
from footfall.load.gather import unreadable_notes
from footfall.load.profiles.read import is_data_file
from footfall.report.coverage.text import TableOptions, render_table
from footfall.session.output import show

__all__ = ["command"]

_N_ROWS = 30
# the same as in analyze/profile/time_views.py, which takes half of all import time
_VIEWS = ("test", "phase", "function", "file", "line", "thread", "process")

_EXAMPLES = """\b
Examples:
  footfall report -m
  footfall report --sort=-time --skip-covered
  footfall report --fail-under=90 --fail-under-file='src/core/*=100'
  footfall report --ratchet ratchet.json
  footfall report --by test
  footfall report --by phase                    what a test run's time goes into
  footfall report --by line --root '^parse '    below one function
  footfall report --by function --data-file profile.pstats
  footfall report --diff main --fail-under-patch 90
  footfall report --diff origin/main --format markdown > comment.md
"""


@click.command(
    "report",
    epilog=_EXAMPLES,
)
@report_options
@selection_options
@contexts_option
@click.option(
    "--format",
    "format_",
    metavar="FORMAT",
    help="text, markdown or total; json with --by; json, github or gitlab with --diff. [default: text]",
)
@click.option("-m", "--show-missing", is_flag=True, default=None, help="Show the lines and branches that did not run.")
@click.option(
    "--conditions", is_flag=True, help="Show condition coverage; with -m, also the values that operands never had."
)
@click.option("--skip-covered/--no-skip-covered", default=None, help="Leave out files with 100% coverage.")
@click.option("--skip-empty", is_flag=True, default=None, help="Leave out files with no code.")
@click.option(
    "--sort",
    metavar="COLUMN",
    help="name, stmts, miss, branch, brpart, cover or time; -COLUMN for descending. [default: name]"
    " With --by: self, total, samples or name, the largest first. [default: self]",
)
@click.option("--tree", is_flag=True, help="Show directories with their totals above their files.")
@click.option("--by", type=click.Choice(_VIEWS), help="Show the profile instead: time by test, phase and so on.")
@click.option("-n", "--count", type=click.IntRange(min=0), help="With --by: number of rows; 0 for all. [default: 30]")
@click.option(
    "--clock",
    type=click.Choice(["cpu", "wall", "gil", "gil-wait", "samples"]),
    help="Which time to show: CPU or wall time, time with the GIL or waiting for it, or samples."
    " [default: cpu, or wall if no CPU time was recorded]",
)
@click.option(
    "--diff",
    "revision",
    metavar="REV",
    help="Show only what changed since HEAD branched off from REV, in commits and in the working tree.",
)
@click.option(
    "--fail-under-patch",
    type=float,
    metavar="MIN",
    help="With --diff: exit with 2 when less than MIN per cent of what changed is covered.",
)
@click.option(
    "--fail-under-file",
    "fail_under_files",
    multiple=True,
    metavar="PATTERN=MIN",
    help="Exit with 2 when a matching file, or a directory as a whole (PATTERN ends with /), has less than MIN per"
    " cent. May be repeated.",
)
@click.option(
    "--ratchet", metavar="FILE", help="Exit with 2 when the total or a file has less coverage than is recorded in FILE."
)
@click.option(
    "--update-ratchet",
    is_flag=True,
    help="Raise the percentages in the ratchet's FILE to what was reached; none is lowered.",
)
@click.option("--precision", type=int, metavar="N", help="Digits after the decimal point of percentages.")
def command(
    request: ReportRequest,
    format_: str | None,
    show_missing: bool | None,
    conditions: bool,
    skip_covered: bool | None,
    skip_empty: bool | None,
    sort: str | None,
    tree: bool,
    by: str | None,
    count: int | None,
    clock: str | None,
    revision: str | None,
    fail_under_patch: float | None,
    fail_under_files: tuple[str, ...],
    ratchet: str | None,
    update_ratchet: bool,
    precision: int | None,
    selection: Selection,
) -> int:
    """Show coverage and time of each file, or of the files named.

    Reads the data file of `footfall run`, or one that coverage.py wrote. The time of a file is its own share of the
    profile, without the functions that it called in other files.

    With --by, shows the profile instead: own time (Self) and time including calls (Total), in seconds and per cent,
    with the standard error of sampling, and the slowest lines of each test. --data-file may then be a profile that
    another tool wrote, as for `footfall flame`.

    With --diff, shows what a git diff added or changed: statements, branches and conditions, which of them are
    missing, and the time they take; as a table, as markdown for a comment, as annotations (github) or as a code
    quality report (gitlab).
    """
    config = request.load_config(
        format=format_,
        show_missing=show_missing,
        skip_covered=skip_covered,
        skip_empty=skip_empty,
        sort=sort,
        precision=precision,
        fail_under_files=list(fail_under_files) or None,
        ratchet=ratchet,
    )
    _check_ratchet(request, config, update_ratchet)
    _check_diff(request, revision, by, fail_under_patch)
    _check_by(request, config, by, count, selection)
    if by is not None or not is_data_file(config.data_file):
        _show_profile(config, by or "function", clock, selection, format_, sort, count)
        return times_exit_status(config) if by is None else 0
    options = _table_options(config, tree, sort)
    if revision is None:
        return _show_coverage(request, config, options, clock, conditions, selection, update_ratchet)
    return _show_diff(request, config, options, clock, conditions, revision, fail_under_patch)


def _table_options(config: Config, tree: bool, sort: str | None) -> TableOptions:
    """Return how to show the table. Raises UsageError (`tree-sorted`) for options that do not go together."""
    if tree and (sort or "name") != "name":
        raise UsageError("tree-sorted", "--tree is sorted by name.", "Leave out --sort, or --tree.")
    return TableOptions(
        format=config.format or "text",
        precision=config.precision,
        show_missing=config.show_missing,
        skip_covered=config.skip_covered,
        skip_empty=config.skip_empty,
        sort=config.sort,
        is_tree=tree,
    )


def _show_coverage(
    request: ReportRequest,
    config: Config,
    options: TableOptions,
    clock: str | None,
    with_conditions: bool,
    selection: Selection,
    update_ratchet: bool,
) -> int:
    """Show the table, or times if the data file has only a profile. Returns the exit status.

    For a script that expects coverage.py, data without coverage is an error.
    """
    is_plain = options.format == "text" and not with_conditions and not request.chooses_files
    coverage = request.gather(
        config,
        needs_coverage=not is_plain or current_face().is_as_coverage,
        numbers_only=not options.show_missing and not with_conditions,
    )
    if coverage.is_profile_alone:
        warn_times_alone(config)
        _show_profile(config, "function", clock, selection)
        return times_exit_status(config)
    numbers = coverage.numbers
    if not numbers:
        raise FootfallError(
            "no-report-data", f"No data to report in {config.data_file}.", "None of its files could be read."
        )
    shares = None
    if coverage.has_profile and (clock is not None or not current_face().is_as_coverage):
        shares, is_wall_time = _time_shares(config, [each.path for each in numbers], clock)
        options = replace(options, is_wall_time=is_wall_time)
    outcomes = None
    if with_conditions:
        from footfall.report.coverage.conditions import need_conditions, outcomes_by_path

        outcomes = outcomes_by_path(coverage, need_conditions(coverage, config.data_file, config.report_contexts))
    notes = unreadable_notes(coverage)
    rows = [file.result for file in coverage.files] if options.show_missing else numbers
    show(render_table(rows, options, shares, outcomes, notes), end="")
    if update_ratchet:
        from footfall.cli.reports.thresholds import keep_ratchet  # used only here

        keep_ratchet(config, coverage)
    return exit_status(config, coverage)


def _show_diff(
    request: ReportRequest,
    config: Config,
    options: TableOptions,
    clock: str | None,
    with_conditions: bool,
    revision: str,
    fail_under_patch: float | None,
) -> int:
    """Show what changed since a revision. Returns the exit status."""
    from footfall.cli.reports.views.patch import show_patch  # used only here

    return show_patch(
        request,
        config,
        revision,
        options=options,
        clock=clock,
        needs_conditions=with_conditions,
        fail_under=fail_under_patch,
    )


def _time_shares(config: Config, paths: Sequence[str], clock: str | None) -> tuple[dict[str, float] | None, bool]:
    """Return each file's share of the time (None without samples), and whether it is wall time for lack of CPU time."""
    from footfall.analyze.profile.clocks import Clock, default_clock  # half of all import time, not always needed
    from footfall.report.times import load_profile, need_clock, time_share_by_file

    profile = load_profile(config, config.data_file, config.report_contexts, by_thread=False)
    if profile is None:
        return None, False
    chosen = Clock(clock) if clock else None
    need_clock(profile, chosen)
    shares = time_share_by_file(profile, paths, chosen)
    return shares, chosen is None and default_clock(profile) is Clock.WALL


def _check_by(request: ReportRequest, config: Config, by: str | None, count: int | None, selection: Selection) -> None:
    """Raise UsageError (`by-missing`, `by-whole`) for options that do not go together."""
    if by is not None:
        if request.chooses_files or request.fail_under is not None:
            text = "FILE, --include, --omit and --fail-under are of the coverage table, and --by shows the profile."
            raise UsageError("by-whole", text, "Leave out these options, or --by.")
        return
    if not selection.is_whole:
        text = "--focus, --ignore, --root and --merge choose a part of the profile, and --by shows it."
        raise UsageError("by-missing", text, "Add --by function, or leave them out.")
    if count is not None and is_data_file(config.data_file):
        raise UsageError(
            "by-missing",
            "--count needs --by: it is the number of rows in a table of times.",
            "Add --by function, or leave --count out.",
        )


def _check_ratchet(request: ReportRequest, config: Config, is_updated: bool) -> None:
    """Raise UsageError (`ratchet-missing`, `ratchet-whole`) for options that do not go together."""
    if is_updated and not config.ratchet:
        raise UsageError("ratchet-missing", "--update-ratchet needs the file.", "Name it: --ratchet ratchet.json.")
    if is_updated and (request.chooses_files or request.contexts is not None):
        text = "The ratchet is of the whole report, and the command line chooses a part of it."
        raise UsageError("ratchet-whole", text, "Leave out FILE, --include, --omit and --contexts.")


def _check_diff(request: ReportRequest, revision: str | None, by: str | None, fail_under_patch: float | None) -> None:
    """Raise UsageError (`diff-whole`, `diff-missing`) for options that do not go together."""
    if revision is None:
        if fail_under_patch is not None:
            raise UsageError(
                "diff-missing", "--fail-under-patch needs --diff.", "Name the revision to compare with: --diff main."
            )
        return
    if by is not None or request.fail_under is not None:
        text = "--by and --fail-under are of the whole, and --diff shows what changed."
        raise UsageError("diff-whole", text, "Use --fail-under-patch, or leave out --diff.")


def _show_profile(
    config: Config,
    by: str,
    clock: str | None,
    selection: Selection,
    format_: str | None = None,
    sort: str | None = None,
    count: int | None = None,
) -> None:
    """Show times by what --by says."""
    from footfall.analyze.profile.clocks import Clock  # these are half of all import time
    from footfall.cli.reports.views.by import show_times
    from footfall.report.profile.timetable import TimeTableOptions

    n_rows = count if count is not None else 0 if format_ == "json" else _N_ROWS
    options = TimeTableOptions(by, Clock(clock) if clock else None, sort or "self", n_rows)
    show_times(config, options, format_ or "text", selection)
