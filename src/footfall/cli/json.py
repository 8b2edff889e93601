"""`footfall json`: coverage.py's JSON report, with times beside it."""

from __future__ import annotations

import json

import click

from footfall.analyze.results import fail_under_message, should_fail_under
from footfall.cli.options import load_config, report_options, split_list, warn, write_output
from footfall.errors import EXIT_USAGE
from footfall.record.coveragedb import read_contexts_by_line
from footfall.report.gather import gather
from footfall.report.json import coverage_report
from footfall.report.times import load_profile, times_report

__all__ = ["command"]

_INDENT = 4


@click.command("json")
@report_options
@click.option("-o", "output", metavar="FILE", help="Where to write; - is stdout. [default: coverage.json]")
@click.option("--pretty-print", is_flag=True, default=None, help="Format it for human readers.")
@click.option("--show-contexts", is_flag=True, default=None, help="Name the contexts in which each line ran.")
@click.option("-q", "--quiet", is_flag=True, help="Don't say what was written.")
def command(
    data_file: str | None,
    config_file: str | None,
    include: str | None,
    omit: str | None,
    ignore_errors: bool,
    fail_under: float | None,
    output: str | None,
    pretty_print: bool | None,
    show_contexts: bool | None,
    quiet: bool,
) -> int:
    """Write coverage as JSON, in coverage.py's format 3, and times under the key "footfall"."""
    config = load_config(
        config_file,
        data_file=data_file,
        report_include=split_list(include),
        report_omit=split_list(omit),
        fail_under=fail_under,
        json_output=output,
        json_pretty_print=pretty_print,
        json_show_contexts=show_contexts,
    )
    coverage = gather(config, config.data_file, ignore_errors=ignore_errors)
    warn(coverage.warnings, config.disable_warnings)
    contexts = read_contexts_by_line(config.data_file) if config.json_show_contexts else None
    report = coverage_report(coverage, config.precision, contexts)
    profile = load_profile(config, config.data_file)
    if profile is not None:
        report["footfall"] = times_report(profile)
    text = json.dumps(report, indent=_INDENT if config.json_pretty_print else None)
    write_output(config.json_output, text, "JSON report", is_quiet=quiet)
    numbers = coverage.total
    total = numbers.pc_covered if numbers.n_statements else 0
    if should_fail_under(total, config.fail_under, config.precision):
        click.echo(f"Coverage failure: {fail_under_message(total, config.fail_under, config.precision)}")
        return EXIT_USAGE
    return 0
