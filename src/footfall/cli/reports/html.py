"""`footfall html`: the site with coverage, heat, flame graph and tests."""

from __future__ import annotations

import gc
from pathlib import Path

import click

from footfall.cli.accepted import accepted_options
from footfall.cli.face import current_face
from footfall.cli.reports.reporting import (
    ReportRequest,
    contexts_option,
    quiet_option,
    report_options,
    times_exit_status,
    warn_times_alone,
    whole_exit_status,
)
from footfall.config.configuration import Config
from footfall.load.gather import Coverage
from footfall.session.output import print_message, warn
from footfall.session.terminal import progress_bar

__all__ = ["command", "write_html"]

_EXAMPLES = """\b
Examples:
  footfall html
  footfall html -d site --title 'Nightly'
  footfall html --before last-week.data
  footfall html --profile production.data
"""


@click.command(
    "html",
    epilog=_EXAMPLES,
)
@report_options
@contexts_option
@accepted_options("--skip-covered", "--no-skip-covered", "--skip-empty", "--show-contexts")
@click.option("-d", "--directory", metavar="DIR", help="Directory to write to. [default: htmlcov]")
@click.option("--title", metavar="TEXT", help="Title of the pages.")
@click.option("--precision", type=int, metavar="N", help="Digits after the decimal point of percentages.")
@click.option("--before", metavar="FILE", help="Data file to compare with: coverage by file, and time.")
@click.option("--profile", "gaps_file", metavar="FILE", help="Rank gaps by the profile in this data file.")
@quiet_option
def command(
    request: ReportRequest,
    directory: str | None,
    title: str | None,
    precision: int | None,
    before: str | None,
    gaps_file: str | None,
) -> int:
    """Write an HTML report: an overview, the source of each file, the flame graph and the tests. If the data has only a
    profile, the report shows times.

    The pages open from disk and load nothing from the network. A report that is already in the directory is replaced,
    and the new one shows what has changed since.
    """
    config = request.load_config(
        html_directory=directory,
        html_title=title,
        precision=precision,
    )
    # This code makes no cycles, and searching a million small objects for them would take a third of the time.
    gc.disable()
    coverage = request.gather(config, needs_coverage=current_face().is_as_coverage)
    if coverage.is_profile_alone:
        warn_times_alone(config)
    index = write_html(config, coverage, before_file=before, gaps_file=gaps_file, is_quiet=request.quiet)
    if not request.quiet:
        print_message(f"Wrote HTML report to {index}")
    if coverage.is_profile_alone:
        return times_exit_status(config)
    return whole_exit_status(config, coverage)


def write_html(
    config: Config,
    coverage: Coverage,
    *,
    before_file: str | None = None,
    gaps_file: str | None = None,
    is_quiet: bool = False,
) -> Path:
    """Write the site to the configured directory and return the path of its first page."""
    from footfall.report.site.build import write_site
    from footfall.report.site.gather import gather_site

    data = gather_site(config, coverage, before_file=before_file, gaps_file=gaps_file)
    warn(data.warnings, config.disable_warnings)
    with progress_bar("Writing pages", is_quiet=is_quiet) as show:
        done = 0

        def note_page() -> None:
            nonlocal done
            done += 1
            if show is not None:
                show(done, len(coverage.files))

        return write_site(config.html_directory, data, note_page)
