"""`footfall report`: the coverage table, with time where there is a profile."""

from __future__ import annotations

import click

from footfall.analyze.results import fail_under_message, should_fail_under
from footfall.cli.options import load_config, report_options, split_list, warn
from footfall.errors import EXIT_USAGE
from footfall.report.gather import gather
from footfall.report.text import TableOptions, render_table
from footfall.report.times import load_profile, time_share_by_file

__all__ = ["command"]


@click.command(
    "report",
    epilog="Examples:  footfall report -m  |  footfall report --sort=-time --skip-covered  |"
    "  footfall report --fail-under=90",
)
@report_options
@click.option("-m", "--show-missing", is_flag=True, default=None, help="Show the lines and branches that did not run.")
@click.option("--skip-covered/--no-skip-covered", default=None, help="Leave out files with 100% coverage.")
@click.option("--skip-empty", is_flag=True, default=None, help="Leave out files with no code.")
@click.option(
    "--sort",
    metavar="COLUMN",
    help="name, stmts, miss, branch, brpart, cover or time; -COLUMN for descending. [default: name]",
)
@click.option("--precision", type=int, metavar="N", help="Digits after the decimal point of percentages.")
def command(
    data_file: str | None,
    config_file: str | None,
    include: str | None,
    omit: str | None,
    ignore_errors: bool,
    fail_under: float | None,
    show_missing: bool | None,
    skip_covered: bool | None,
    skip_empty: bool | None,
    sort: str | None,
    precision: int | None,
) -> int:
    """Show coverage and time, file by file.

    Reads the data file of `footfall run`, or one that coverage.py wrote. Time is each file's own share of the
    profile, without what it called in other files.
    """
    config = load_config(
        config_file,
        data_file=data_file,
        report_include=split_list(include),
        report_omit=split_list(omit),
        fail_under=fail_under,
        show_missing=show_missing,
        skip_covered=skip_covered,
        skip_empty=skip_empty,
        sort=sort,
        precision=precision,
    )
    coverage = gather(config, config.data_file, ignore_errors=ignore_errors)
    warn(coverage.warnings, config.disable_warnings)
    options = TableOptions(
        precision=config.precision,
        show_missing=config.show_missing,
        skip_covered=config.skip_covered,
        skip_empty=config.skip_empty,
        sort=config.sort,
    )
    profile = load_profile(config, config.data_file)
    shares = None if profile is None else time_share_by_file(profile)
    click.echo(render_table([file.result for file in coverage.files], options, shares), nl=False)
    total = coverage.total.pc_covered
    if should_fail_under(total, config.fail_under, config.precision):
        click.echo(f"Coverage failure: {fail_under_message(total, config.fail_under, config.precision)}")
        return EXIT_USAGE
    return 0
