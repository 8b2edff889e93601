"""`footfall lcov`: the LCOV report."""

from __future__ import annotations

import click

from footfall.cli.options import load_config, split_list, write_output
from footfall.cli.reporting import exit_status, gather_report, output_options, report_options
from footfall.config import Config
from footfall.report.gather import Coverage
from footfall.report.lcov import render_lcov
from footfall.report.sources import read_source

__all__ = ["command", "lcov_text"]


@click.command("lcov", epilog="Example:  footfall lcov && genhtml coverage.lcov")
@report_options
@output_options("coverage.lcov")
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
) -> int:
    """Write coverage as LCOV records, of all files or of those named."""
    config = load_config(
        config_file,
        data_file=data_file,
        report_include=split_list(include),
        report_omit=split_list(omit),
        fail_under=fail_under,
        lcov_output=output,
    )
    coverage = gather_report(config, files, ignore_errors=ignore_errors)
    write_output(config.lcov_output, lcov_text(config, coverage), "LCOV report", is_quiet=quiet)
    numbers = coverage.total
    # as in coverage.py, a report without anything to cover fails any threshold
    return exit_status(config, numbers.pc_covered if numbers.n_statements else 0)


def lcov_text(config: Config, coverage: Coverage) -> str:
    """Return the report as the configuration wants it."""
    read_lines = (lambda path: read_source(path).splitlines()) if config.lcov_line_checksums else None
    return render_lcov(coverage, skip_empty=config.skip_empty, read_lines=read_lines)
