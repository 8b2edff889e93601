"""`footfall gaps`: untested code, ranked by the time it takes."""

from __future__ import annotations

import click

from footfall.cli.options import text_or_json_option
from footfall.cli.reports.report_files import write_output
from footfall.cli.reports.reporting import ReportRequest, contexts_option, report_options
from footfall.errors import EXIT_FINDINGS
from footfall.report.gaps import gaps_report, rank_gaps, render_gaps
from footfall.report.jsontext import render_json
from footfall.session.output import show, warn

__all__ = ["command"]

_EXAMPLES = """\b
Examples:
  footfall gaps
  footfall gaps --profile production.data
  footfall gaps -n 5 --fail
  footfall gaps --format json
"""


@click.command(
    "gaps",
    epilog=_EXAMPLES,
)
@report_options
@contexts_option
@click.option(
    "--profile", "gaps_file", metavar="FILE", help="Rank by the profile in this data file, such as one of production."
)
@click.option(
    "-n", "--count", type=click.IntRange(min=0), default=20, show_default=True, help="Number of functions; 0 for all."
)
@text_or_json_option
@click.option("--fail", is_flag=True, help="Exit with 1 when untested code took time in the profile.")
def command(
    request: ReportRequest,
    gaps_file: str | None,
    count: int,
    format_: str,
    fail: bool,
) -> int:
    """List functions with lines or branches that no test ran, those that take the most time first.

    With --profile, time is what another run spent (production, recorded by `footfall attach` or `footfall run`): code
    that is hot there and untested here comes first. Without it, partly tested functions are ranked by their own time.
    Time in libraries counts for the calling line.
    """
    config = request.load_config()
    coverage = request.gather(config)
    ranking = rank_gaps(config, coverage, gaps_file)
    warn(ranking.warnings, config.disable_warnings)
    if format_ == "json":
        write_output("-", render_json(gaps_report(ranking), indent=4) + "\n", "gaps")
    else:
        show(render_gaps(ranking, count), end="")
    return EXIT_FINDINGS if fail and ranking.untested_ns else 0
