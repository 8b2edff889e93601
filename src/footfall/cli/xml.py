"""`footfall xml`: the Cobertura report."""

from __future__ import annotations

import time

import click

from footfall.cli.options import load_config, split_list, write_output
from footfall.cli.reporting import exit_status, gather_report, output_options, report_options
from footfall.config import Config
from footfall.report.gather import Coverage
from footfall.report.xml import XmlOptions, render_xml

__all__ = ["command", "xml_text"]


@click.command("xml", epilog="Example:  footfall xml -o build/coverage.xml")
@report_options
@output_options("coverage.xml")
@click.option("--skip-empty", is_flag=True, default=None, help="Leave out files with no code.")
def command(
    files: tuple[str, ...],
    data_file: str | None,
    config_file: str | None,
    include: str | None,
    omit: str | None,
    ignore_errors: bool,
    fail_under: float | None,
    output: str | None,
    quiet: bool,
    skip_empty: bool | None,
) -> int:
    """Write coverage as Cobertura XML, of all files or of those named."""
    config = load_config(
        config_file,
        data_file=data_file,
        report_include=split_list(include),
        report_omit=split_list(omit),
        fail_under=fail_under,
        xml_output=output,
        skip_empty=skip_empty,
    )
    coverage = gather_report(config, files, ignore_errors=ignore_errors)
    write_output(config.xml_output, xml_text(config, coverage), "XML report", is_quiet=quiet)
    numbers = coverage.total
    # as in coverage.py, a report without anything to cover fails any threshold
    return exit_status(config, numbers.pc_covered if numbers.n_statements else 0)


def xml_text(config: Config, coverage: Coverage) -> str:
    """Return the report as the configuration wants it, made now."""
    options = XmlOptions(
        timestamp_ms=time.time_ns() // 1_000_000,
        sources=config.source,
        relative_files=config.relative_files,
        package_depth=config.xml_package_depth,
        skip_empty=config.skip_empty,
    )
    return render_xml(coverage, options)
