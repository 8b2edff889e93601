"""Which files of a lake a question reads, as views in SQL: all shards of a commit, one of them, or several commits.

Also the parts of queries that several questions begin with. Pure.
"""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from typing import Final

from footfall.errors import UsageError
from footfall.record.lake.layout import KEYS, Partition
from footfall.record.lake.remote import is_url

__all__ = ["KNOWN", "STATEMENT", "Commits", "Scope", "sql_text"]

_OPTIONS: Final = "hive_partitioning = true, hive_types_autocast = false, union_by_name = true"

KNOWN: Final = """known as (
    select commit, file, count(distinct blob) as n_texts, bool_and(is_analyzed) as is_analyzed,
        count(distinct blob) <= 1 and bool_and(is_analyzed) as is_told
    from files where is_measured group by commit, file
)"""
"""The measured files of each commit. `is_told`: it is known what could run, of one text."""

STATEMENT: Final = """statement as (
    select commit, file, line, any_value(function) as function, any_value(function_line) as function_line,
        bool_or(is_executed) as is_executed, bool_or(is_excluded) as is_excluded, max(n_branches) as n_branches
    from statements group by commit, file, line
)"""
"""The statements of each commit, and what any of its shards ran."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a question is about: all shards of a commit, or one of them."""

    lake: str
    repository: str
    commit: str
    shard: str | None = None

    def view(self, table: str) -> str:
        """Return the statement that makes a view of a table."""
        return _view(table, self, self.commit)


@dataclass(frozen=True, slots=True)
class Commits:
    """What a question over several commits is about, the earliest first."""

    lake: str
    repository: str
    commits: tuple[str, ...]
    shard: str | None = None

    def view(self, table: str) -> str:
        """Return the statement that makes a view of a table."""
        return _view(table, self, None, f"commit in ({', '.join(map(sql_text, self.commits))})")


def _view(table: str, scope: Scope | Commits, commit: str | None, *conditions: str) -> str:
    if is_url(scope.lake) and table != "shard":  # a shard that is being written there may have some of its tables
        shards = f"select (commit, shard) from {_files(scope, commit, 'shard')}"
        conditions = (*conditions, f"(commit, shard) in ({shards})")
    chosen = f" where {' and '.join(conditions)}" if conditions else ""
    return f"create temp view {table} as from {_files(scope, commit, table)}{chosen};\n"


def _files(scope: Scope | Commits, commit: str | None, table: str) -> str:
    """Return a table's files as SQL has them; of all commits if it is None."""
    folders = Partition(scope.repository, commit or "all", scope.shard or "all").folder.split(os.sep)
    names = (
        folder if value is not None else f"{key}=*"
        for key, folder, value in zip(KEYS, folders, (scope.repository, commit, scope.shard), strict=True)
    )
    return f"read_parquet({sql_text(os.path.join(glob.escape(scope.lake), *names, f'{table}.parquet'))}, {_OPTIONS})"


def sql_text(value: str) -> str:
    """Return a text as SQL has it. Raises UsageError (`partition-name`) for one that SQL can't have."""
    if "\0" in value or not value.isascii() and value != value.encode("utf-8", "replace").decode():
        raise UsageError(
            "partition-name", f"{value!r:.80} is no name in a lake: it is not Unicode.", "Name something else."
        )
    return "'" + value.replace("'", "''") + "'"
