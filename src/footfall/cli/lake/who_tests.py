"""`footfall lake who-tests`: the tests that ran a line, some lines or a file."""

from __future__ import annotations

import os
import re

import click

from footfall.cli.lake.asking import asking_options, choose_scope, name_in_lake, show_sql
from footfall.cli.options import text_or_json_option
from footfall.cli.reports.report_files import write_output
from footfall.errors import FootfallError, UsageError
from footfall.load.lake.engine import ask
from footfall.load.lake.questions import who_tests_sql
from footfall.report.jsontext import render_json

__all__ = ["command"]

_EXAMPLES = """\b
Examples:
  footfall lake who-tests src/app.py:120
  footfall lake who-tests src/app.py:12-30 --lake /srv/lake --format json
  footfall lake who-tests src/app.py --commit 4f0c2d1 > touched.txt && pytest @touched.txt
"""

_PLACE = re.compile(r"(?P<path>.+?)(?::(?P<first>[0-9]{1,9})(?:-(?P<last>[0-9]{1,9}))?)?", re.DOTALL)


@click.command("who-tests", epilog=_EXAMPLES)
@click.argument("place", metavar="FILE[:LINE[-LINE]]")
@asking_options
@text_or_json_option
def command(
    place: str,
    lake: str,
    repository: str | None,
    commit: str | None,
    shard: str | None,
    sql: bool,
    format_: str,
) -> int:
    """Name the tests that ran a statement at a line, one of some lines, or anything of a file, one per line.

    Lines are those of the commit's text: the nearest ancestor of HEAD in the lake, unless --commit names another. FILE
    need not be here.
    """
    path, first, last = _parse(place)
    scope = choose_scope(lake, repository, commit, shard)
    name = name_in_lake(path)
    question = who_tests_sql(scope, name, first, last)
    if sql:
        return show_sql(question)
    names = [test for (test,) in ask(question, lake)]
    if not names and not any(ask(who_tests_sql(scope, name, None, None), lake)):
        text = f"The lake has nothing that ran of {name} in commit {scope.commit}."
        raise FootfallError("file-not-measured", text, "Name it as it is below the top of the repository.")
    tests = [test for test in names if test]
    if format_ == "json":
        answer = {
            "repository": scope.repository,
            "commit": scope.commit,
            "file": name,
            "first_line": first,
            "last_line": last,
            "tests": tests,
            "n_tests": len(tests),
            "is_run_outside_tests": "" in names,
        }
        write_output("-", render_json(answer, indent=2) + "\n", "answer")
    else:
        write_output("-", "".join(f"{test}\n" for test in tests), "names of tests")
    return 0


def _parse(place: str) -> tuple[str, int | None, int | None]:
    """Return path, first and last line. Raises UsageError (`query-unknown`)."""
    found = None if os.path.exists(place) else _PLACE.fullmatch(place)
    if found is None or found["first"] is None:
        return place, None, None
    first, last = int(found["first"]), int(found["last"] or found["first"])
    if not 1 <= first <= last:
        raise UsageError("query-unknown", f"There are no lines {first}-{last}.", "Lines count from 1: FILE:FIRST-LAST.")
    return found["path"], first, last
