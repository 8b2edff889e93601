"""`footfall lake history`: the coverage and the time of a function or a file, commit by commit."""

from __future__ import annotations

import os

import click

from footfall.cli.lake.asking import asking_options, choose_commits, name_in_lake, show_sql
from footfall.cli.options import text_or_json_option
from footfall.cli.reports.report_files import write_output
from footfall.errors import FootfallError
from footfall.load.lake.engine import ask
from footfall.load.lake.function_questions import has_file_sql, history_sql
from footfall.load.lake.scope import Commits
from footfall.report.history import Measured, history_report, render_history
from footfall.report.jsontext import render_json
from footfall.session.output import show

__all__ = ["command"]

_EXAMPLES = """\b
Examples:
  footfall lake history Invoice.retry
  footfall lake history src/app.py --format json
  footfall lake history src/app.py:grade --sql | duckdb
"""


@click.command("history", epilog=_EXAMPLES)
@click.argument("place", metavar="FUNCTION|FILE[:FUNCTION]")
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
    """Show the coverage and the time of a function, or of a file, in each commit, all its shards together.

    The commits are HEAD and those before it that the lake has, the earliest first. FUNCTION is a qualified name or the
    end of one, so it may be several. Times are those of its own lines, with what they spent in libraries.
    """
    commits = choose_commits(lake, repository, commit, shard)
    file, function = _parse(commits, place)
    question = history_sql(commits, file, function)
    if sql:
        return show_sql(question)
    rows = [Measured(*row) for row in ask(question, lake)]
    if not rows:
        text = f"The lake has nothing that could run of {place} in the {len(commits.commits)} commits asked about."
        raise FootfallError("file-not-measured", text, "Name a file as it is below the top of the repository.")
    if format_ == "json":
        answer = {"repository": commits.repository, **history_report(rows)}
        write_output("-", render_json(answer, indent=2) + "\n", "history")
    else:
        show(render_history(rows), end="")
    return 0


def _parse(commits: Commits, place: str) -> tuple[str | None, str | None]:
    """Return file and function: what the lake has as a file is one."""
    name = name_in_lake(place)
    if any(has for (has,) in ask(has_file_sql(commits, name), commits.lake)):
        return name, None
    path, _, function = place.rpartition(":")
    if path:
        return name_in_lake(path), function
    return (name, None) if os.sep in place else (None, place)
