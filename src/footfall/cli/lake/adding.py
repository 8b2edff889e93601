"""Data files into a lake: what `footfall lake add` and `footfall export --format parquet` have in common."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import click

from footfall.analyze.test_costs import name_of_test
from footfall.config.configuration import Config
from footfall.errors import FootfallError, UsageError
from footfall.load.gather import absolute_path_mapper, gather
from footfall.load.source_rows import rows_of_sources
from footfall.record.data.data_file import open_data_file
from footfall.record.lake.layout import Partition
from footfall.record.lake.remote import local_copy, matching
from footfall.record.lake.schema import HELD_TABLES
from footfall.record.lake.shard_rows import Naming, SourceRows
from footfall.record.lake.shards import write_shard
from footfall.session.git import head_commit, top_directory
from footfall.session.output import print_message, warn

__all__ = ["Place", "add_data_files", "file_namer", "place_options", "top_of_names"]

_Command = TypeVar("_Command", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Place:
    """Where the options say that data files go; None for what they leave to us."""

    repository: str | None = None
    commit: str | None = None
    shard: str | None = None


def place_options(function: _Command) -> _Command:
    """Add --repository, --commit and --shard."""
    for name, help in (
        ("shard", "Name of this data file among those of the commit. [default: a digest of its content]"),
        ("commit", "The commit that was measured. [default: the one checked out here, or none]"),
        ("repository", "Name of the repository. [default: that of its directory]"),
    ):
        function = click.option(f"--{name}", metavar="NAME", help=help)(function)
    return function


def add_data_files(config: Config, lake: str, data_files: Sequence[str], place: Place, *, is_quiet: bool) -> None:
    """Write data files into a lake, each as a shard; the same file again replaces its own.

    Data files at URLs are copied first.

    Raises FootfallError: as `write_shard` and `local_copy`, and UsageError (`partition-name`, `too-many-files`).
    """
    top = top_of_names()
    repository = place.repository or os.path.basename(top) or "root"
    commit = place.commit or head_commit() or "none"
    name = file_namer(config, top)
    names = [each for data_file in data_files for each in matching(data_file)]
    if place.shard is not None and len(names) > 1:
        raise UsageError("too-many-files", "One --shard can't name several data files.", "Leave it out, or add one.")
    for shown in names:
        with local_copy(shown) as data_file:
            _warn_of_unknown_tables(shown, data_file, config)  # first, as it reads the file's head: it may be none
            partition = Partition(repository, commit, place.shard or _digest(data_file))
            write_shard(lake, partition, data_file, Naming(name, _test_and_phase), _sources(config, data_file, name))
        if not is_quiet:
            print_message(f"Added {shown} to {lake} as {partition.folder}")


def file_namer(config: Config, top: str) -> Callable[[str], str]:
    """Return a function from a recorded path to the lake's name: below the repository's top, or absolute."""
    path_here = absolute_path_mapper(config)

    def name(path: str) -> str:
        here = path_here(path)
        return os.path.relpath(here, top) if here.startswith(os.path.join(top, "")) else here

    return name


def top_of_names() -> str:
    """Return the top of the repository; without one, the working directory."""
    try:
        return os.path.realpath(top_directory())
    except FootfallError:
        return os.path.realpath(os.getcwd())


def _test_and_phase(label: str) -> tuple[str, str]:
    name = name_of_test(label)
    return name, label[len(name) + 1 :]


def _sources(config: Config, data_file: str, name: Callable[[str], str]) -> SourceRows:
    """Return what the sources tell; nothing for data without files, or whose sources are not here."""
    try:
        coverage = gather(config, data_file, ignore_errors=True, needs_coverage=False)
    except FootfallError as error:
        if error.slug != "no-report-data":
            raise
        return SourceRows()
    lost = [*coverage.changed, *(each.name for each in coverage.ignored)]
    if lost:
        others = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        text = f"{lost[0]}{others} can't be read as measured: the lake has the lines that ran, not what could run."
        warn([("source-unknown", text)], config.disable_warnings)
    return rows_of_sources(coverage, name)


def _digest(data_file: str) -> str:
    with open(data_file, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _warn_of_unknown_tables(shown: str, data_file: str, config: Config) -> None:
    query = "select name from sqlite_master where type = 'table' and name like 'footfall\\_%' escape '\\'"
    with open_data_file(data_file) as connection:
        unknown = sorted({name for (name,) in connection.execute(query)} - HELD_TABLES)
    text = "The table {} in {} is of another version of footfall and was left out."
    warn([("table-left-out", text.format(name, shown)) for name in unknown], config.disable_warnings)
