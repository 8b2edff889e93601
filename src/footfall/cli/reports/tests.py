"""`footfall tests`: tests by time with what only they cover, or the tests that a change affects."""

from __future__ import annotations

import os

import click

from footfall.analyze.changes import touched_tests
from footfall.analyze.profile.calltree import Profile
from footfall.analyze.test_costs import LinesByTest, TestRecord, find_tests, name_of_test
from footfall.cli.options import text_or_json_option
from footfall.cli.reports.report_files import write_output
from footfall.cli.reports.reporting import ReportRequest, report_options
from footfall.cli.reports.touched import changed_test_files, changes_since, in_order, touched_files
from footfall.config.configuration import Config, canonical_path
from footfall.errors import FootfallError
from footfall.record.data.aliases import PathAliases
from footfall.record.data.coverage_tables import read_lines_by_context
from footfall.record.data.test_times import read_test_times
from footfall.report.jsontext import render_json
from footfall.report.places import SOURCES
from footfall.report.site.gather import lines_by_context
from footfall.report.tests_table import render_tests, tests_report
from footfall.report.times import load_profile
from footfall.session.git import top_directory
from footfall.session.output import warn

__all__ = ["command"]

_RECORD_CONTEXTS = "Record it with `pytest --footfall --footfall-context=test`."

_EXAMPLES = """\b
Examples:
  footfall tests --slow -n 10
  footfall tests --changed -o touched.txt && pytest @touched.txt
  footfall tests --changed=main
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
@click.option("-n", "--count", type=click.IntRange(min=0), default=0, help="Number of tests; 0 for all. [default: 0]")
@text_or_json_option
@click.option("-o", "output", metavar="FILE", default="-", help="File to write; - is stdout. [default: -]")
def command(
    request: ReportRequest,
    slow: bool,
    changed: str | None,
    count: int,
    format_: str,
    output: str,
) -> int:
    """List the tests with their time, their lines, and the lines that no other test runs.

    Needs data with a context for each test, as `pytest --footfall --footfall-context=test` records it. With --changed,
    only the names of tests are written, one per line: tests that ran a changed line (a line that runs on import counts
    for every test that uses its file), and test files that changed themselves.
    """
    config = request.load_config()
    if changed is not None:
        names = _touched(config, changed)
        names = names[:count] if count else names
        text = render_json(names, indent=4) + "\n" if format_ == "json" else "".join(name + "\n" for name in names)
        write_output(output, text, "names of tests")
        return 0
    coverage = request.gather(config, all_contexts=True, needs_coverage=False)
    profile = load_profile(config, config.data_file, by_thread=False) if coverage.has_profile else None
    ran = lines_by_context(config, coverage)
    tests = _need_tests(config, ran, profile)
    has_lines = _records_lines(ran)
    if not has_lines:
        text = f"{config.data_file} has the time of tests, not the lines they ran. {_RECORD_CONTEXTS}"
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
        raise _no_contexts(config)
    return tests


def _no_contexts(config: Config) -> FootfallError:
    return FootfallError("no-contexts", f"{config.data_file} does not say which test ran what.", _RECORD_CONTEXTS)


def _records_lines(ran: LinesByTest) -> bool:
    """Return whether lines are recorded by test; samples always are."""
    return any(name_of_test(label) for by_label in ran.values() for label in by_label)


def _touched(config: Config, revision: str) -> list[str]:
    """Return the names of the tests to run, fastest first, then changed test files.

    Line numbers are those of the recorded source, taken to be the revision's. The files as they are now do not matter.
    """
    aliases = PathAliases(config.paths.values(), relative=config.relative_files)
    stored = read_lines_by_context(config.data_file)
    ran = {canonical_path(aliases.map(path) if config.paths else path): lines for path, lines in stored.items()}
    if not _records_lines(ran):
        raise _no_contexts(config)
    tests = find_tests(
        ran, load_profile(config, config.data_file, by_thread=False), SOURCES, read_test_times(config.data_file)
    )
    changes = changes_since(revision)
    top = top_directory()
    found: set[str] = set()
    for name, lines in touched_files(changes, revision):
        found |= touched_tests(ran.get(canonical_path(os.path.join(top, name)), {}), lines)
    fastest = sorted(tests, key=lambda test: (test.wall_ns, test.name))
    return in_order([test.name for test in fastest if test.name in found], changed_test_files(changes))
