"""`footfall tests`: tests by time with what only they cover, or the tests that a change affects."""

from __future__ import annotations

import os
from collections.abc import Mapping

import click

from footfall.analyze.changes import Change, parse_diff, touched_tests, widen_change
from footfall.analyze.profile.calltree import Profile
from footfall.analyze.source.analysis import analyze_source, decode_source
from footfall.analyze.source.exclude import ExclusionRules
from footfall.analyze.test_costs import LinesByTest, TestRecord, find_tests, name_of_test
from footfall.cli.reports.report_files import write_output
from footfall.cli.reports.reporting import ReportRequest, report_options
from footfall.config.configuration import Config, canonical_path
from footfall.errors import FootfallError
from footfall.load.source_files import looks_like_python
from footfall.record.data.aliases import PathAliases
from footfall.record.data.coverage_tables import read_lines_by_context
from footfall.record.data.test_times import read_test_times
from footfall.report.jsontext import render_json
from footfall.report.places import SOURCES
from footfall.report.site.gather import lines_by_context
from footfall.report.tests_table import render_tests, tests_report
from footfall.report.times import load_profile
from footfall.session.git import diff_since, file_at, top_directory
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
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
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
    top = top_directory()
    found: set[str] = set()
    test_files: list[str] = []
    for change in parse_diff(diff_since(revision)):
        path = canonical_path(os.path.join(top, change.old_name)) if change.old_name else ""
        if path in ran:
            found |= _touched_by(change, ran[path], revision)
        name = os.path.relpath(os.path.join(top, change.new_name)) if change.new_name else ""
        if _is_test_file(name):
            test_files.append(name)
    fastest = sorted(tests, key=lambda test: (test.wall_ns, test.name))
    names = [test.name for test in fastest if test.name in found]
    return [name for name in names if name.partition("::")[0] not in test_files] + sorted(test_files)


def _touched_by(change: Change, ran: Mapping[str, set[int]], revision: str) -> set[str]:
    """Return the tests that ran a statement which the change touches; all tests of the file if that can't be told."""
    if change.is_binary:
        return touched_tests(ran, None)
    if not change.old_lines and change.new_name:
        return set()  # renamed
    source = file_at(revision, change.old_name)
    try:
        if source is None or not change.new_name or not looks_like_python(change.old_name):
            return touched_tests(ran, None)
        analysis = analyze_source(decode_source(source), change.old_name, ExclusionRules.from_settings())
    except FootfallError:
        return touched_tests(ran, None)
    lines, runs_on_import = widen_change(change.old_lines, analysis)
    theirs = {label: analysis.translate_lines(every) for label, every in ran.items()}
    return touched_tests(theirs, None if runs_on_import else lines)


def _is_test_file(name: str) -> bool:
    base = os.path.basename(name)
    return base.endswith(".py") and (base.startswith("test_") or base.endswith("_test.py"))
