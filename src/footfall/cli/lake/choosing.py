"""Which shards of a lake a command is about: --repository, --commit and --shard."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from footfall.errors import FootfallError
from footfall.record.lake.layout import KEYS, Partition, need_shards

__all__ = ["choose_shards", "shards_options"]

_Command = TypeVar("_Command", bound=Callable[..., object])


def shards_options(function: _Command) -> _Command:
    """Add --repository, --commit and --shard."""
    for key in reversed(KEYS):
        help = f"Only of this {key}" + ("; the beginning of its id is enough." if key == "commit" else ".")
        function = click.option(f"--{key}", metavar="NAME", help=help)(function)
    return function


def choose_shards(lake: str, repository: str | None, commit: str | None, shard: str | None) -> list[Partition]:
    """Return the shards that the options select, sorted. Raises FootfallError (`no-lake`, `no-shard`)."""
    found = need_shards(lake)
    chosen = [
        each
        for each in found
        if repository in (None, each.repository)
        and (commit is None or each.commit.startswith(commit))
        and shard in (None, each.shard)
    ]
    if not chosen:
        first = found[0]
        text = f"None of the {len(found)} shards in {lake} is of what the options name."
        help = f"One is --repository {first.repository} --commit {first.commit} --shard {first.shard}."
        raise FootfallError("no-shard", text, help)
    return chosen
