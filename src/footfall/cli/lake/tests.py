"""`footfall lake tests`: the tests of a commit, or those that a change since then affects."""

from __future__ import annotations

import click

from footfall.analyze.selection import choose
from footfall.cli.lake.asking import asking_options, choose_scope, show_sql
from footfall.cli.options import load_config, text_or_json_option
from footfall.cli.reports.report_files import write_output
from footfall.cli.reports.touched import Wholes, changes_since, find_wholes, touched_files
from footfall.load.lake.engine import ask
from footfall.load.lake.questions import tests_sql, touched_sql
from footfall.report.jsontext import render_json

__all__ = ["command"]

_EXAMPLES = """\b
Examples:
  footfall lake tests --changed -o touched.txt && pytest @touched.txt
  footfall lake tests --changed=HEAD~3 --commit 4f0c2d1 --format json
"""


@click.command("tests", epilog=_EXAMPLES)
@asking_options
@click.option(
    "--changed",
    metavar="[REV]",
    is_flag=False,
    flag_value="",
    help="Only tests whose recorded lines the git diff since REV changes, the fastest first, as arguments for pytest."
    " [default: the commit that was measured]",
)
@text_or_json_option
@click.option("-o", "output", metavar="FILE", default="-", help="File to write; - is stdout. [default: -]")
def command(
    lake: str,
    repository: str | None,
    commit: str | None,
    shard: str | None,
    sql: bool,
    changed: str | None,
    format_: str,
    output: str,
) -> int:
    """Name the tests of a commit; with --changed those that ran a changed line, and test files that changed themselves.

    The lake takes the place of a data file in `footfall tests --changed`: it has the tests of all shards, and those of
    the nearest ancestor of HEAD that was measured.
    """
    scope = choose_scope(lake, repository, commit, shard)
    wholes = Wholes([], [])
    if changed is None:
        question = tests_sql(scope)
    else:
        revision = changed or scope.commit
        changes = changes_since(revision)
        question = touched_sql(scope, dict(touched_files(changes, revision)))
        wholes = find_wholes(changes, load_config(None))
    if sql:
        return show_sql(question)
    rows = ask(question, lake)
    if changed is None:
        names = [test for (test,) in rows]
    else:
        times = {test: int(wall_ns) for test, wall_ns in rows}
        names = choose(times, times, wholes.arguments, gone=wholes.gone).all
    text = render_json(names, indent=4) + "\n" if format_ == "json" else "".join(f"{name}\n" for name in names)
    write_output(output, text, "names of tests")
    return 0
