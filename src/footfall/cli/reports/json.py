"""`footfall json`: coverage.py's JSON report, with times beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click

from footfall.cli.reports.report_files import write_output, write_parts
from footfall.cli.reports.reporting import (
    ReportRequest,
    contexts_option,
    output_options,
    report_options,
    whole_exit_status,
)
from footfall.config.configuration import Config
from footfall.load.gather import Coverage
from footfall.record.data.coverage_tables import open_contexts_by_line
from footfall.report.coverage.json import Json, LineContexts, coverage_report

__all__ = ["command", "json_parts", "json_text"]

_INDENT = 4


@click.command("json")
@report_options
@output_options("coverage.json")
@contexts_option
@click.option("--pretty-print", is_flag=True, default=None, help="Indent the JSON.")
@click.option("--show-contexts", is_flag=True, default=None, help="List the contexts in which each line ran.")
def command(
    request: ReportRequest,
    output: str | None,
    pretty_print: bool | None,
    show_contexts: bool | None,
) -> int:
    """Write the coverage of all files, or of those named, as JSON: coverage.py's format 3, with more in "footfall"."""
    config = request.load_config(
        json_output=output,
        json_pretty_print=pretty_print,
        json_show_contexts=show_contexts,
    )
    coverage = request.gather(config)
    if config.json_output == "-":
        write_output("-", json_text(config, coverage), "JSON report")
    else:
        write_parts(config.json_output, json_parts(config, coverage), "JSON report", is_quiet=request.quiet)
    return whole_exit_status(config, coverage)


def json_text(config: Config, coverage: Coverage) -> str:
    """Return the report as the configuration asks for it, with everything in the data file."""
    return "".join(json_parts(config, coverage))


def json_parts(config: Config, coverage: Coverage) -> Iterator[str]:
    """Return the report of `json_text` in parts, made while it is written. Reading errors precede the first part."""
    ours = _own_values(config, coverage)
    return _make_parts(config, coverage, ours)


def _make_parts(config: Config, coverage: Coverage, ours: Json) -> Iterator[str]:
    indent = _INDENT if config.json_pretty_print else 0
    with contextlib.ExitStack() as stack:
        by_line: LineContexts | None = None
        if config.json_show_contexts:
            by_line = stack.enter_context(open_contexts_by_line(config.data_file, config.report_contexts))
        yield from coverage_report(coverage, config.precision, by_line, ours, indent)


def _own_values(config: Config, coverage: Coverage) -> Json:
    """Return the values under "footfall": times, conditions, and what qualifies the numbers."""
    ours: Json = {}
    if coverage.has_profile:
        from footfall.report.times import load_profile, times_report

        profile = load_profile(config, config.data_file, config.report_contexts)
        if profile is not None:
            ours |= times_report(profile)
    if coverage.has_conditions:
        from footfall.report.coverage.conditions import conditions_report, load_conditions

        results = load_conditions(coverage, config.data_file, config.report_contexts)
        if results is not None:
            ours["conditions"] = conditions_report(coverage, results)
    inferred = {file.name: sorted(file.inferred) for file in coverage.files if file.inferred}
    if inferred:
        ours["inferred_lines"] = inferred
    if coverage.unreadable:
        ours["unreadable_files"] = {each.name: f"{each.reason} [{each.slug}]" for each in coverage.unreadable}
    return ours
