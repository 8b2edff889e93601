"""The questions as SQL, which DuckDB runs as it stands: a view for each table, of one repository and commit, then the
query. `--sql` prints it.

Pure. Lines are those of the commit's texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from footfall.load.lake.scope import KNOWN, STATEMENT, Scope, sql_text

__all__ = ["coverage_sql", "left_out_sql", "lines_of_tests_sql", "tests_sql", "touched_sql", "who_tests_sql"]

_PHASE = r"\|(setup|run|teardown)$"


# line n of a bitmap is bit n % 8 of byte n // 8, and DuckDB counts a byte's bits from the other end
_HAS_LINE = "case when n < 8 * octet_length(lines) then get_bit(lines::bit, (n + 7 - 2 * (n % 8))::int) else 0 end = 1"


def who_tests_sql(scope: Scope, file: str, first: int | None, last: int | None) -> str:
    """Return the SQL for the tests that ran a statement at one of the lines; "" stands for outside tests.

    Without lines, for those that ran anything of the file. Its columns are test, and whether pytest knows it.
    """
    if first is None or last is None:
        return scope.view("lines_by_test") + (
            f"select distinct test from lines_by_test where file = {sql_text(file)} and octet_length(lines) > 0\n"
            "order by test;\n"
        )
    return (
        scope.view("files")
        + scope.view("statements")
        + scope.view("lines_by_test")
        + f"""with wanted as (
    select distinct unnest(lines) as n from statements
    where file = {sql_text(file)} and not is_excluded
        and len([each for each in lines if each between {first} and {last}]) > 0
    union
    select unnest(range({first}, {last + 1}))
    where not exists (from files where file = {sql_text(file)} and is_analyzed)
)
select distinct test from lines_by_test, wanted
where file = {sql_text(file)} and {_HAS_LINE}
order by test;
"""
    )


def touched_sql(scope: Scope, touched: Mapping[str, Iterable[int] | None]) -> str:
    """Return the SQL for the tests that ran any of the lines of these files, the fastest first; None: any line.

    The time of a test is measured, the mean of its runs, or else that of its samples.
    """
    lines = [f"({sql_text(file)}, {line})" for file, some in touched.items() for line in sorted(some or ())]
    whole = [f"({sql_text(file)})" for file, some in touched.items() if some is None]
    return (
        scope.view("lines_by_test")
        + scope.view("test_times")
        + scope.view("samples")
        + f"""with wanted(file, n) as (from (values {", ".join(lines) or "(null, null)"})),
whole(file) as (from (values {", ".join(whole) or "(null)"})),
touched as (
    select test from lines_by_test join wanted using (file) where {_HAS_LINE}
    union
    select test from lines_by_test join whole using (file)
),
measured as (
    select regexp_replace(context, '{_PHASE}', '') as test, sum(wall_ns // n_times) as wall_ns from (
        select context, sum(wall_ns) as wall_ns, greatest(sum(n), 1) as n_times
        from test_times where regexp_matches(context, '{_PHASE}') group by context
    ) group by all
),
sampled as (
    select regexp_replace(context, '{_PHASE}', '') as test, sum(wall_ns) as wall_ns from samples group by all
)
select test, coalesce(measured.wall_ns, sampled.wall_ns, 0)::bigint as wall_ns
from touched left join measured using (test) left join sampled using (test)
where test <> '' order by wall_ns, test;
"""
    )


def tests_sql(scope: Scope) -> str:
    """Return the SQL for the names of all tests."""
    return scope.view("tests") + "select distinct test from tests where test <> '' order by test;\n"


def coverage_sql(scope: Scope) -> str:
    """Return the SQL for the coverage of each file that was analyzed: any shard's.

    Its columns: file, statements and missing (lists of lines), number of excluded lines, number of branches, missing
    branches (list of [line, to line]), and how many texts of the file the shards measured.
    """
    return (
        scope.view("files")
        + scope.view("statements")
        + scope.view("source_branches")
        + f"""with {KNOWN},
{STATEMENT},
by_line as (
    select file, coalesce(list(line order by line) filter (not is_excluded), []) as statements,
        coalesce(list(line order by line) filter (not is_excluded and not is_executed), []) as missing,
        count(*) filter (is_excluded) as n_excluded, sum(n_branches)::bigint as n_branches
    from statement group by file
),
not_taken as (
    select file, line, to_line from source_branches group by all having not bool_or(is_executed)
),
by_branch as (
    select file, list([line, to_line] order by line, to_line) as missing_branches from not_taken group by file
)
select file, coalesce(statements, []), coalesce(missing, []), coalesce(n_excluded, 0), coalesce(n_branches, 0),
    coalesce(missing_branches, []), n_texts, is_analyzed
from known left join by_line using (file) left join by_branch using (file) order by file;
"""
    )


def left_out_sql(scope: Scope) -> str:
    """Return the SQL for the files that no shard could analyze, or of which the shards measured different texts."""
    return scope.view("files") + f"with {KNOWN}\nselect file from known where not is_told order by file;\n"


def lines_of_tests_sql(scope: Scope) -> str:
    """Return the SQL for what each test ran: test ("" outside tests), file, bitmap of lines; some rows may be alike."""
    return scope.view("lines_by_test") + (
        "select test, file, lines from lines_by_test where octet_length(lines) > 0 order by test, file;\n"
    )
