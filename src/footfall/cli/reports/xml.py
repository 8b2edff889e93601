"""`footfall xml`: the Cobertura report."""

from __future__ import annotations

import time

import click

from footfall.cli.reports.report_files import write_output
from footfall.cli.reports.reporting import ReportRequest, output_options, report_options, whole_exit_status
from footfall.config.configuration import Config
from footfall.load.gather import Coverage
from footfall.report.coverage.xml import XmlOptions, render_xml

__all__ = ["command", "xml_text"]


@click.command("xml", epilog="Example:  footfall xml -o build/coverage.xml")
@report_options
@output_options("coverage.xml")
@click.option("--skip-empty", is_flag=True, default=None, help="Leave out files with no code.")
def command(
    request: ReportRequest,
    output: str | None,
    skip_empty: bool | None,
) -> int:
    """Write the coverage of all files, or of those named, as Cobertura XML."""
    config = request.load_config(
        xml_output=output,
        skip_empty=skip_empty,
    )
    coverage = request.gather(config, all_contexts=True)
    write_output(config.xml_output, xml_text(config, coverage), "XML report", is_quiet=request.quiet)
    return whole_exit_status(config, coverage)


def xml_text(config: Config, coverage: Coverage) -> str:
    """Return the report as the configuration asks for it, with the current time."""
    options = XmlOptions(
        timestamp_ms=time.time_ns() // 1_000_000,
        sources=config.source,
        relative_files=config.relative_files,
        package_depth=config.xml_package_depth,
        skip_empty=config.skip_empty,
    )
    return render_xml(coverage, options)
