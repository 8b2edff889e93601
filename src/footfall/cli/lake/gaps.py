"""`footfall lake gaps`: untested code of a commit, of all its shards together, by the time it takes."""

from __future__ import annotations

from typing import Any

import click

from footfall.analyze.gaps import Gap
from footfall.analyze.profile.clocks import Clock
from footfall.analyze.results import format_lines
from footfall.cli.lake.asking import asking_options, choose_scope, show_sql, warn_of_left_out
from footfall.cli.options import text_or_json_option
from footfall.cli.reports.report_files import write_output
from footfall.errors import EXIT_FINDINGS
from footfall.load.lake.engine import ask
from footfall.load.lake.function_questions import gaps_sql, profile_sql
from footfall.load.lake.questions import left_out_sql
from footfall.report.gaps import Ranking, gaps_report, render_gaps
from footfall.report.jsontext import render_json
from footfall.session.output import show

__all__ = ["command"]

_EXAMPLES = """\b
Examples:
  footfall lake gaps
  footfall lake gaps -n 5 --fail --commit 4f0c2d1
  footfall lake gaps --sql | duckdb
"""


@click.command("gaps", epilog=_EXAMPLES)
@asking_options
@click.option(
    "-n", "--count", type=click.IntRange(min=0), default=20, show_default=True, help="Number of functions; 0 for all."
)
@text_or_json_option
@click.option("--fail", is_flag=True, help="Exit with 1 when untested code took time in the profiles.")
def command(
    lake: str,
    repository: str | None,
    commit: str | None,
    shard: str | None,
    sql: bool,
    count: int,
    format_: str,
    fail: bool,
) -> int:
    """List functions with lines or branches that no shard of a commit ran, those that take the most time first.

    Times are those of the shards' own profiles together. Time in libraries counts for the calling line.
    """
    scope = choose_scope(lake, repository, commit, shard)
    question = gaps_sql(scope)
    if sql:
        return show_sql(question)
    ((clock, total_ns),) = ask(profile_sql(scope), lake)
    ranking = Ranking([_gap(row) for row in ask(question, lake)], total_ns, is_other=False, clock=Clock(clock))
    left_out = warn_of_left_out([name for (name,) in ask(left_out_sql(scope), lake)])
    if format_ == "json":
        place = {"repository": scope.repository, "commit": scope.commit, "left_out": left_out}
        write_output("-", render_json({**place, **gaps_report(ranking)}, indent=4) + "\n", "gaps")
    else:
        show(render_gaps(ranking, count), end="")
    return EXIT_FINDINGS if fail and ranking.untested_ns else 0


def _gap(row: tuple[Any, ...]) -> Gap:
    file, function, first_line, statements, missing, missing_branches, untested_ns, own_ns = row
    branches = [(line, to_line) for line, to_line in missing_branches]
    return Gap(
        path=file,
        file_name=file,
        name=function,
        start=first_line,
        n_statements=len(statements),
        n_missing=len(missing),
        n_missing_branches=len(branches),
        missing_text=format_lines(statements, frozenset(missing), branches),
        untested_ns=untested_ns,
        own_ns=own_ns,
    )
