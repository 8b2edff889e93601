"""`footfall lake flaky`: tests whose coverage differs between the shards of a commit."""

from __future__ import annotations

import click

from footfall.analyze.flaky_tests import Difference, find_flaky_tests
from footfall.cli.lake.asking import asking_options, choose_scope, show_sql, warn_of_left_out
from footfall.cli.options import text_or_json_option
from footfall.cli.reports.report_files import write_output
from footfall.errors import EXIT_FINDINGS
from footfall.load.lake.engine import ask
from footfall.load.lake.flaky_questions import flaky_sql
from footfall.load.lake.questions import left_out_sql
from footfall.report.flaky import flaky_report, render_flaky
from footfall.report.jsontext import render_json
from footfall.session.output import show

__all__ = ["command"]

_EXAMPLES = """\b
Examples:
  footfall lake flaky
  footfall lake flaky --commit 4f0c2d1 --fail
  footfall lake flaky --format json
"""


@click.command("flaky", epilog=_EXAMPLES)
@asking_options
@text_or_json_option
@click.option("--fail", is_flag=True, help="Exit with 1 when there are such tests.")
def command(
    lake: str,
    repository: str | None,
    commit: str | None,
    shard: str | None,
    sql: bool,
    format_: str,
    fail: bool,
) -> int:
    """List tests that ran other lines or branches in one shard of a commit than in another, and how often.

    A shard is a run: add the data of each run by itself. Compared are functions; what runs on import does so for the
    test that comes first. Runs under several versions of Python, or in another order, may rightly differ.
    """
    scope = choose_scope(lake, repository, commit, shard)
    question = flaky_sql(scope)
    if sql:
        return show_sql(question)
    tests = find_flaky_tests(
        (test, n_runs, Difference(file, line, to_line, tuple(shards)))
        for test, n_runs, file, line, to_line, shards in ask(question, lake)
    )
    left_out = warn_of_left_out([name for (name,) in ask(left_out_sql(scope), lake)])
    if format_ == "json":
        place = {"repository": scope.repository, "commit": scope.commit, "left_out": left_out}
        write_output("-", render_json({**place, **flaky_report(tests)}, indent=2) + "\n", "tests")
    else:
        show(render_flaky(tests), end="")
    return EXIT_FINDINGS if fail and tests else 0
