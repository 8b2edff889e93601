"""Questions about the coverage and the time of functions, as SQL: `lake gaps` and `lake history`.

Time is counted as analyze/gaps.py does it: a sample counts for the innermost frame that is in one of the reported
files, and for no line if an import or the garbage collector is further in. The same run in several shards counts once.
Pure.
"""

from __future__ import annotations

from typing import Final

from footfall.analyze.profile.calltree import NATIVE
from footfall.analyze.profile.import_frames import MACHINERY_PATHS
from footfall.formats import COLLECTOR_PATH
from footfall.load.lake.scope import KNOWN, STATEMENT, Commits, Scope, sql_text

__all__ = ["gaps_sql", "has_file_sql", "history_sql", "profile_sql"]

_TIME_TABLES: Final = ("files", "statements", "source_branches", "profile", "runs", "frames", "stacks", "samples")

_SAMPLED: Final = """again as (
    select commit, shard, first_thread, first_thread + n_threads as end_thread
    from runs qualify row_number() over (partition by commit, identity order by shard) > 1
),
sampled as (
    select * from samples where node_id <> 0 and not exists (
        select 1 from again where again.commit = samples.commit and again.shard = samples.shard
            and thread_id >= first_thread and thread_id < end_thread
    )
),
clocks as (
    select commit,
        case when sum(cpu_ns) > 0 or commit not in (select commit from profile) then 'cpu' else 'wall' end as clock
    from (select commit, cpu_ns from samples union all select commit, 0 from files) group by commit
),
spent as (
    select commit, shard, node_id, clock, samples, case clock when 'cpu' then cpu_ns else wall_ns end as ns
    from sampled join clocks using (commit)
),
totals as (
    select commit, clock, coalesce(sum(ns), 0)::bigint as total_ns
    from clocks left join spent using (commit, clock) group by commit, clock
)"""

_TIMED: Final = f"""place as (
    select commit, file, line as first, unnest(list_distinct(flatten(list(lines)))) as line
    from statements group by commit, file, first
),
frame as (
    select commit, shard, id as frame_id, file, line, case
        when path = {sql_text(COLLECTOR_PATH)} or regexp_full_match(path, {sql_text(MACHINERY_PATHS)}) then 'none'
        when not starts_with(qualname, {sql_text(NATIVE)})
            and (commit, file) in (select (commit, file) from known where is_told) then 'this'
        else 'caller' end as owner
    from frames
),
step as materialized (
    select commit, shard, id, parent_id, frame_id, owner from stacks join frame using (commit, shard, frame_id)
),
owned as (
    select commit, shard, id as node_id, -1::bigint as frame_id from stacks where id = 0
    union all
    select step.commit, step.shard, step.id,
        case owner when 'this' then step.frame_id when 'none' then -1 else owned.frame_id end
    from owned join step on (step.commit, step.shard, step.parent_id) = (owned.commit, owned.shard, owned.node_id)
),
timed as (
    select commit, file, first as line, sum(ns)::bigint as ns, sum(samples)::bigint as n_samples
    from spent join owned using (commit, shard, node_id)
        join frame using (commit, shard, frame_id) join place using (commit, file, line)
    group by commit, file, first
)"""

_FUNCTIONS: Final = """not_taken as (
    select commit, file, line, to_line from source_branches group by all having not bool_or(is_executed)
),
branched as (
    select commit, file, function, function_line, list([line, to_line] order by line, to_line) as missing_branches
    from not_taken join statement using (commit, file, line) group by commit, file, function, function_line
),
covered as (
    select commit, file, function, function_line,
        coalesce(list(line order by line) filter (not is_excluded), []) as statements,
        coalesce(list(line order by line) filter (not is_excluded and not is_executed), []) as missing,
        coalesce(sum(n_branches), 0)::bigint as n_branches, coalesce(sum(ns), 0)::bigint as own_ns,
        coalesce(sum(ns) filter (not is_excluded and not is_executed), 0)::bigint as untested_ns,
        coalesce(sum(n_samples), 0)::bigint as n_samples
    from statement left join timed using (commit, file, line) group by commit, file, function, function_line
),
functions as (
    select covered.*, coalesce(missing_branches, []) as missing_branches
    from covered left join branched using (commit, file, function, function_line)
    where (commit, file) in (select (commit, file) from known where is_told)
)"""


def _views(scope: Scope | Commits) -> str:
    return "".join(map(scope.view, _TIME_TABLES))


def profile_sql(scope: Scope) -> str:
    """Return the SQL for the clock that times are of, and all time by it in nanoseconds (0 without a profile)."""
    views = "".join(map(scope.view, ("files", "profile", "runs", "samples")))
    return views + f"with {_SAMPLED}\nselect clock, total_ns from totals;\n"


def gaps_sql(scope: Scope) -> str:
    """Return the SQL for the functions with lines or branches that nothing ran, the most time first.

    Its columns: file, function ("" for the top level), its first line, statements and missing (lists of lines), missing
    branches (list of [line, to line]), and nanoseconds: of the missing lines, and of all its lines.
    """
    return (
        _views(scope)
        + f"""with recursive {KNOWN},
{STATEMENT},
{_SAMPLED},
{_TIMED},
{_FUNCTIONS}
select file, function, function_line, statements, missing, missing_branches, untested_ns, own_ns from functions
where len(missing) > 0 or len(missing_branches) > 0
order by untested_ns desc, own_ns desc, len(missing) desc, len(missing_branches) desc, file, function_line;
"""
    )


def history_sql(commits: Commits, file: str | None, function: str | None) -> str:
    """Return the SQL for the coverage and the time of functions, or of a file as a whole, in each commit.

    `function` is a qualified name, or the end of one. Its columns: commit, number of shards, file, function ("" for a
    whole file), first line, number of statements, of missing ones, of branches, of missing ones, nanoseconds of its
    lines, those of the commit's profile, number of samples, clock. The commits are in the order of `commits`.
    """
    order = ", ".join(f"({sql_text(commit)}, {number})" for number, commit in enumerate(commits.commits))
    conditions = [f"file = {sql_text(file)}"] if file is not None else []
    if function is not None:
        conditions.append(f"(function = {sql_text(function)} or ends_with(function, {sql_text('.' + function)}))")
    names = "function, function_line" if function is not None else "'' as function, 1 as function_line"
    return (
        _views(commits)
        + f"""with recursive {KNOWN},
{STATEMENT},
{_SAMPLED},
{_TIMED},
{_FUNCTIONS},
shards as (select commit, count(distinct shard) as n_shards from files group by commit),
chosen as (
    select commit, file, {names}, statements, missing, n_branches, missing_branches, own_ns, n_samples
    from functions where {" and ".join(conditions)}
)
select commit, any_value(n_shards), file, function, function_line, sum(len(statements))::bigint,
    sum(len(missing))::bigint, sum(n_branches)::bigint, sum(len(missing_branches))::bigint, sum(own_ns)::bigint,
    any_value(total_ns), sum(n_samples)::bigint, any_value(clock)
from chosen join shards using (commit) join totals using (commit)
    join (values {order}) as place(commit, number) using (commit)
group by commit, file, function, function_line order by any_value(number), file, function, function_line;
"""
    )


def has_file_sql(commits: Commits, file: str) -> str:
    """Return the SQL for whether a file is one that was measured in any of the commits."""
    return commits.view("files") + f"select count(*) > 0 from files where file = {sql_text(file)};\n"
