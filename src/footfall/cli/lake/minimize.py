"""`footfall lake minimize`: few tests that run every line that all tests run."""

from __future__ import annotations

import click

from footfall.analyze.minimal_tests import choose_tests
from footfall.cli.lake.asking import asking_options, choose_scope, show_sql
from footfall.cli.options import text_or_json_option
from footfall.cli.reports.report_files import write_output
from footfall.load.lake.engine import ask
from footfall.load.lake.questions import lines_of_tests_sql
from footfall.report.jsontext import render_json

__all__ = ["command"]

_EXAMPLES = """\b
Examples:
  footfall lake minimize > few.txt && pytest @few.txt
  footfall lake minimize --format json --commit 4f0c2d1
"""


@click.command("minimize", epilog=_EXAMPLES)
@asking_options
@text_or_json_option
def command(
    lake: str,
    repository: str | None,
    commit: str | None,
    shard: str | None,
    sql: bool,
    format_: str,
) -> int:
    """Choose few tests of a commit that together run every line that its tests run.

    The test that adds most lines comes first, then the one that adds most to it, and so on. These are few, and not
    always the fewest. What also ran outside tests, such as imports, needs none. The same lines are not the same checks:
    the tests that are left out may still find what these do not.
    """
    scope = choose_scope(lake, repository, commit, shard)
    question = lines_of_tests_sql(scope)
    if sql:
        return show_sql(question)
    ran: dict[str, dict[str, int]] = {}
    for test, file, lines in ask(question, lake):
        by_file = ran.setdefault(test, {})
        by_file[file] = by_file.get(file, 0) | int.from_bytes(lines, "little")
    elsewhere = ran.pop("", {})
    chosen = choose_tests(ran, elsewhere)
    if format_ == "json":
        answer = {
            "repository": scope.repository,
            "commit": scope.commit,
            "tests": [{"name": name, "adds_lines": n_lines} for name, n_lines in chosen],
            "n_tests": len(ran),
        }
        write_output("-", render_json(answer, indent=2) + "\n", "answer")
    else:
        write_output("-", "".join(f"{name}\n" for name, _ in chosen), "names of tests")
    return 0
