"""`footfall lcov`: the LCOV report."""

from __future__ import annotations

import click

from footfall.cli.reports.report_files import write_output
from footfall.cli.reports.reporting import ReportRequest, output_options, report_options, whole_exit_status
from footfall.config.configuration import Config
from footfall.load.gather import Coverage
from footfall.report.coverage.lcov import render_lcov

__all__ = ["command", "lcov_text"]


@click.command("lcov", epilog="Example:  footfall lcov && genhtml coverage.lcov")
@report_options
@output_options("coverage.lcov")
def command(request: ReportRequest, output: str | None) -> int:
    """Write the coverage of all files, or of those named, as LCOV records."""
    config = request.load_config(lcov_output=output)
    coverage = request.gather(config, all_contexts=True)
    write_output(config.lcov_output, lcov_text(config, coverage), "LCOV report", is_quiet=request.quiet)
    return whole_exit_status(config, coverage)


def lcov_text(config: Config, coverage: Coverage) -> str:
    """Return the report as the configuration asks for it."""
    return render_lcov(coverage, skip_empty=config.skip_empty, with_checksums=config.lcov_line_checksums)
