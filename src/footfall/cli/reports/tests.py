"""`footfall tests`: tests by time with what only they cover, or the tests that a change affects."""

from __future__ import annotations

import click

from footfall.analyze.profile.calltree import Profile
from footfall.analyze.test_costs import LinesByTest, TestRecord, find_tests, name_of_test
from footfall.cli.options import text_or_json_option
from footfall.cli.reports.audit import audit
from footfall.cli.reports.changed_tests import RECORD_CONTEXTS, no_contexts, read_time, select_tests
from footfall.cli.reports.report_files import write_output
from footfall.cli.reports.reporting import ReportRequest, report_options
from footfall.config.configuration import Config
from footfall.errors import UsageError
from footfall.record.data.test_times import read_test_times
from footfall.report.jsontext import render_json
from footfall.report.places import SOURCES
from footfall.report.site.gather import lines_by_context
from footfall.report.tests_table import render_tests, tests_report
from footfall.report.times import load_profile
from footfall.session.output import warn

__all__ = ["command"]

_EXAMPLES = """\b
Examples:
  footfall tests --slow -n 10
  footfall tests --changed -o touched.txt && pytest @touched.txt
  footfall tests --changed=main --time 5m
  footfall tests --changed=main --audit
"""


@click.command(
    "tests",
    epilog=_EXAMPLES,
)
@report_options
@click.option("--slow", is_flag=True, help="List the slowest first; this is the default.")
@click.option(
    "--changed",
    metavar="[REV]",
    is_flag=False,
    flag_value="HEAD",
    help="Only tests whose recorded lines the git diff since REV changes, the fastest first, as arguments for pytest."
    " [default: HEAD]",
)
@click.option(
    "--time",
    "limit_ns",
    metavar="TIME",
    callback=read_time,
    help="With --changed: as many tests as take this time together, such as 90s or 5m.",
)
@click.option(
    "--audit",
    "audit_command",
    metavar="[COMMAND]",
    is_flag=False,
    flag_value="",
    help="With --changed: run the tests chosen, then all, and report what failed and was not chosen. COMMAND runs all"
    " tests. [default: python -m pytest]",
)
@click.option("-n", "--count", type=click.IntRange(min=0), default=0, help="Number of tests; 0 for all. [default: 0]")
@text_or_json_option
@click.option("-o", "output", metavar="FILE", default="-", help="File to write; - is stdout. [default: -]")
def command(
    request: ReportRequest,
    slow: bool,
    changed: str | None,
    limit_ns: int | None,
    audit_command: str | None,
    count: int,
    format_: str,
    output: str,
) -> int:
    """List the tests with their time, their lines, and the lines that no other test runs.

    Needs data with a context for each test, as `pytest --footfall --footfall-context=test` records it. With --changed,
    only the names of tests are written, one per line: tests that ran a changed line (a line that runs on import counts
    for every test that uses its file), test files that changed themselves, and what the configuration adds.
    """
    if changed is None and (limit_ns is not None or audit_command is not None):
        option = "--audit" if limit_ns is None else "--time"
        raise UsageError("changed-missing", f"{option} is for the tests of a change.", "Add --changed=REV.")
    config = request.load_config()
    if changed is not None:
        selection = select_tests(config, changed, limit_ns)
        if audit_command is not None:
            return audit(config, changed, selection, audit_command, format_, output)
        names = selection.all[:count] if count else selection.all
        text = render_json(names, indent=4) + "\n" if format_ == "json" else "".join(name + "\n" for name in names)
        write_output(output, text, "names of tests")
        return 0
    coverage = request.gather(config, all_contexts=True, needs_coverage=False)
    profile = load_profile(config, config.data_file, by_thread=False) if coverage.has_profile else None
    ran = lines_by_context(config, coverage)
    tests = _need_tests(config, ran, profile)
    has_lines = _records_lines(ran)
    if not has_lines:
        text = f"{config.data_file} has the time of tests, not the lines they ran. {RECORD_CONTEXTS}"
        warn([("lines-by-test-unknown", text)], config.disable_warnings)
    shown = tests[:count] if count else tests
    if format_ == "json":
        write_output(output, render_json(tests_report(shown, coverage, has_lines=has_lines), indent=4) + "\n", "tests")
    else:
        has_times = any(test.phases or test.cost.samples for test in tests)
        write_output(output, render_tests(shown, has_times=has_times, has_lines=has_lines), "tests")
    return 0


def _need_tests(config: Config, ran: LinesByTest, profile: Profile | None) -> list[TestRecord]:
    tests = find_tests(ran, profile, SOURCES, read_test_times(config.data_file, config.report_contexts))
    if not tests:
        raise no_contexts(config.data_file)
    return tests


def _records_lines(ran: LinesByTest) -> bool:
    """Return whether lines are recorded by test; samples always are."""
    return any(name_of_test(label) for by_label in ran.values() for label in by_label)
