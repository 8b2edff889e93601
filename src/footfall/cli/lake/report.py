"""`footfall lake report`: the coverage of a commit, of all its shards together."""

from __future__ import annotations

from typing import Any

import click

from footfall.analyze.results import FileResult, Numbers
from footfall.cli.lake.asking import asking_options, choose_scope, show_sql, warn_of_left_out
from footfall.cli.reports.report_files import write_output
from footfall.load.lake.engine import ask
from footfall.load.lake.questions import coverage_sql
from footfall.report.coverage.json import summary_report
from footfall.report.coverage.text import TableOptions, render_table
from footfall.report.jsontext import render_json
from footfall.session.output import show

__all__ = ["command"]

_EXAMPLES = """\b
Examples:
  footfall lake report
  footfall lake report -m --commit 4f0c2d1
  footfall lake report --sql | duckdb
"""


@click.command("report", epilog=_EXAMPLES)
@asking_options
@click.option("-m", "--show-missing", is_flag=True, help="Show the lines that did not run, and branches not taken.")
@click.option("--format", "format_", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True)
def command(
    lake: str,
    repository: str | None,
    commit: str | None,
    shard: str | None,
    sql: bool,
    show_missing: bool,
    format_: str,
) -> int:
    """Show the coverage of each file of a commit: what any of its shards ran.

    A file is left out, with a message, if no shard was added where its source was, or if shards measured different
    texts of it. The configuration's patterns were applied when the shards were added.
    """
    scope = choose_scope(lake, repository, commit, shard)
    question = coverage_sql(scope)
    if sql:
        return show_sql(question)
    rows = list(ask(question, lake))
    left_out = warn_of_left_out([row[0] for row in rows if row[6] > 1 or not row[7]])
    results = [_result(row) for row in rows if row[6] <= 1 and row[7]]
    if format_ != "json":
        show(render_table(results, TableOptions(format=format_, show_missing=show_missing)), end="")
        return 0
    total = sum((each.numbers for each in results), Numbers())
    has_branches = total.n_branches > 0
    answer = {
        "repository": scope.repository,
        "commit": scope.commit,
        "files": {
            each.name: {
                "summary": summary_report(each.numbers, 0, has_branches),
                "missing_lines": sorted(each.missing),
                "missing_branches": [list(arc) for arc in each.missing_branches],
            }
            for each in results
        },
        "totals": summary_report(total, 0, has_branches),
        "left_out": left_out,
    }
    write_output("-", render_json(answer, indent=2) + "\n", "report")
    return 0


def _result(row: tuple[Any, ...]) -> FileResult:
    name, lines, missing_lines, n_excluded, n_branches, missing_branches, _, _ = row
    statements, missing = frozenset(lines), frozenset(missing_lines)
    branches = tuple((line, to_line) for line, to_line in missing_branches)
    numbers = Numbers(
        n_files=1,
        n_statements=len(statements),
        n_excluded=n_excluded,
        n_missing=len(missing),
        n_branches=n_branches,
        n_partial_branches=sum(line not in missing for line, _ in branches),
        n_missing_branches=len(branches),
    )
    return FileResult(
        path=name,
        name=name,
        statements=statements,
        excluded=frozenset(),
        executed=statements - missing,
        missing=missing,
        has_arcs=bool(n_branches),
        executed_branches=(),
        missing_branches=branches,
        branch_stats={},
        numbers=numbers,
        possible_arcs=frozenset(),
        executed_arcs=frozenset(),
        exit_counts={},
        no_branch=frozenset(),
    )
