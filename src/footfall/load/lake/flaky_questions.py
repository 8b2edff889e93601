"""Tests whose coverage differs between the shards of a commit, as SQL.

Compared are statements and branches inside functions, of files whose text is known: the body of a module or a class
runs for the test that happens to import it first. Branches are compared for tests all of whose shards have branches.
Only the bitmaps of tests that differ are taken apart. Pure.
"""

from __future__ import annotations

from footfall.load.lake.scope import KNOWN, Scope

__all__ = ["flaky_sql"]

_TABLES = ("files", "tests", "statements", "source_branches", "lines_by_test", "branches", "shard")

# as in a data file: line n of a bitmap is bit n % 8 of byte n // 8, and DuckDB counts a byte's bits from the other end
_LINES = "[n for n in range(8 * octet_length(lines)) if get_bit(lines::bit, (n + 7 - 2 * (n % 8))::int) = 1]"


def flaky_sql(scope: Scope) -> str:
    """Return the SQL for what some but not all of the shards that have a test ran in it.

    Its columns: test, number of shards that have it, file, line, to line (null for a statement, otherwise that of a
    branch), and the list of the shards that ran it. Sorted.
    """
    return (
        "".join(map(scope.view, _TABLES))
        + f"""with {KNOWN},
repeated as (
    select test, count(distinct shard) as n_shards,
        bool_and(shard in (select shard from shard where has_branches)) as has_branches
    from tests where test <> '' group by test having n_shards > 1
),
place as (
    select file, line as first, unnest(list_distinct(flatten(list(lines)))) as line from statements
    where function <> '' and not is_excluded and file in (select file from known where is_told) group by file, first
),
lines_differ as (
    select test, context, file from lines_by_test join repeated using (test)
    group by test, context, file, is_of_branches
    having count(distinct lines) > 1 or count(distinct shard) < any_value(n_shards)
),
ran as (
    select distinct test, shard, file, unnest({_LINES}) as line
    from lines_by_test where (test, file) in (select (test, file) from lines_differ)
),
statements_ran as (
    select distinct test, shard, file, first as line, null::int as to_line from ran join place using (file, line)
),
arcs as (
    select test, shard, file, context, from_lines, to_lines
    from branches join (select distinct context, test from tests) using (context)
),
branches_differ as (
    select test, context, file from arcs join repeated using (test) where has_branches group by test, context, file
    having count(distinct (from_lines, to_lines)) > 1 or count(distinct shard) < any_value(n_shards)
),
taken as (
    select distinct test, shard, file, unnest(from_lines) as line, unnest(to_lines) as to_line
    from arcs where (test, file) in (select (test, file) from branches_differ)
),
branches_taken as (
    select distinct taken.test, taken.shard, taken.file, here.first as line,
        coalesce(sign(to_line) * there.first, to_line)::int as to_line
    from taken join place as here on (here.file, here.line) = (taken.file, taken.line)
        left join place as there on (there.file, there.line) = (taken.file, abs(to_line))
),
found as (
    from statements_ran
    union all
    from branches_taken semi join source_branches using (file, line, to_line)
)
select test, any_value(n_shards), file, line, to_line, list(shard order by shard)
from found join repeated using (test)
group by test, file, line, to_line having count(*) < any_value(n_shards)
order by test, file, line, to_line nulls first;
"""
    )
