"""What the commands that ask a lake have in common: which commit they mean, and SQL instead of an answer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

import click

from footfall.cli.lake.adding import top_of_names
from footfall.cli.lake.choosing import choose_shards, shards_options
from footfall.cli.reports.report_files import write_output
from footfall.config.configuration import canonical_path
from footfall.errors import UsageError
from footfall.load.lake.scope import Commits, Scope
from footfall.record.lake.layout import Partition, table_path
from footfall.record.lake.parquet import need_pyarrow, read_rows
from footfall.session.git import ancestors
from footfall.session.output import warn

__all__ = ["asking_options", "choose_commits", "choose_scope", "name_in_lake", "show_sql", "warn_of_left_out"]

_MOST_ANCESTORS: Final = 10_000

_Command = TypeVar("_Command", bound=Callable[..., object])


def asking_options(function: _Command) -> _Command:
    """Add --lake, --repository, --commit, --shard and --sql."""
    function = click.option("--sql", is_flag=True, help="Write the question as SQL for DuckDB, and don't ask it.")(
        function
    )
    function = shards_options(function)
    return click.option(
        "--lake", metavar="DIR", default="coverage-lake", show_default=True, help="The lake's directory."
    )(function)


def choose_scope(lake: str, repository: str | None, commit: str | None, shard: str | None) -> Scope:
    """Return the shards of one commit.

    If none is named, that of the nearest ancestor of HEAD that the lake has, or the one that was added last. Without a
    repository's name, the one of this directory, or the only one. Raises as `choose_shards`, and UsageError
    (`which-shards`) where several are meant.
    """
    found = _of_one_repository(lake, repository, commit, shard)
    commits = {each.commit for each in found}
    chosen = commit if commit in commits else None
    if chosen is None and len(commits) > 1:
        chosen = next((each for each in ancestors(_MOST_ANCESTORS) if each in commits), None)
    if chosen is None and len(commits) > 1:
        added_ns = {each: _added_ns(lake, each) for each in found}
        chosen = max(found, key=added_ns.__getitem__).commit
    else:
        chosen = chosen or found[0].commit
        _check_format(lake, (each for each in found if each.commit == chosen))
    return Scope(lake, found[0].repository, chosen, shard)


def choose_commits(lake: str, repository: str | None, commit: str | None, shard: str | None) -> Commits:
    """Return the shards of all commits that the options select, the earliest first.

    These are the ones among HEAD and its ancestors; if none of them is, all, by when they were added first. Raises as
    `choose_scope`.
    """
    found = _of_one_repository(lake, repository, commit, shard)
    present = {each.commit for each in found}
    commits = [each for each in reversed(ancestors(_MOST_ANCESTORS)) if each in present]
    if commits:
        _check_format(lake, (each for each in found if each.commit in commits))
    else:
        first_ns: dict[str, int] = {}
        for each in found:
            added_ns = _added_ns(lake, each)
            first_ns[each.commit] = min(first_ns.get(each.commit, added_ns), added_ns)
        commits = sorted(first_ns, key=lambda each: (first_ns[each], each))
    return Commits(lake, found[0].repository, tuple(commits), shard)


def _of_one_repository(lake: str, repository: str | None, commit: str | None, shard: str | None) -> list[Partition]:
    need_pyarrow()
    found = choose_shards(lake, repository, commit, shard)
    repositories = sorted({each.repository for each in found})
    if len(repositories) > 1:
        here = os.path.basename(top_of_names())
        if here not in repositories:
            names = ", ".join(repositories[:5])
            raise UsageError("which-shards", f"The lake has several repositories: {names}.", "Add --repository NAME.")
        repositories = [here]
    found = [each for each in found if each.repository == repositories[0]]
    commits = {each.commit for each in found}
    if commit is not None and len(commits) > 1:
        if commit not in commits:
            text = f"Several commits in the lake begin with {commit!r}."
            raise UsageError("which-shards", text, "Write more of its id.")
        found = [each for each in found if each.commit == commit]
    return found


def _check_format(lake: str, shards: Iterable[Partition]) -> None:
    """Raise FootfallError (`lake-format`) for a shard of another format, which would be misread."""
    for each in shards:
        _added_ns(lake, each)


def _added_ns(lake: str, partition: Partition) -> int:
    """Return when a shard was added. Raises FootfallError (`lake-format`, `lake-damaged`)."""
    ((_, _, _, _, _, added_ns, *_),) = read_rows(table_path(lake, partition, "shard"), "shard")
    return int(added_ns)


def name_in_lake(path: str) -> str:
    """Return the lake's name of a file that the command line names."""
    top, here = top_of_names(), canonical_path(path)
    return os.path.relpath(here, top) if here.startswith(os.path.join(top, "")) else here


def show_sql(sql: str) -> int:
    """Write SQL to stdout; return the exit status."""
    write_output("-", sql, "SQL")
    return 0


def warn_of_left_out(names: Sequence[str]) -> Sequence[str]:
    """Warn of the files that a report has to leave out, if there are any; return them."""
    if names:
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        text = f"{names[0]}{others}: the shards have no text of it, or several. It is not in the total."
        warn([("source-unknown", text)])
    return names
