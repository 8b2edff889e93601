"""Many data files, of coverage.py or of footfall, combined into one. Called by `combine` and `run --append`.

It finds the files, separates those that can't be combined, merges them table by table (merging/), and
removes them only when the result is safely on the disk.
"""

from __future__ import annotations

import functools
import glob
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from footfall.errors import FootfallError, UsageError
from footfall.record.data.aliases import PathAliases
from footfall.record.data.coverage_tables import create_data_file
from footfall.record.data.data_file import check_replaceable, open_data_file
from footfall.record.data.merging.conditions import ConditionsMerge
from footfall.record.data.merging.coverage import CoverageMerge, inferred_paths
from footfall.record.data.merging.profiles import ProfilesMerge
from footfall.record.data.parallel_files import find_parallel_files
from footfall.record.data.qualifications import Message, add_qualifications, qualifications_in
from footfall.record.data.test_times import TestTimesMerge

__all__ = ["Combined", "combine_files", "find_inputs", "remove_inputs"]

_KNOWN_TABLES: Final = frozenset(
    {
        "footfall_conditions",
        "footfall_conditions_code",
        "footfall_conditions_format",
        "footfall_cost",
        "footfall_cost_sum",
        "footfall_distinct_arcs",
        "footfall_frame",
        "footfall_inferred",
        "footfall_lines_only",
        "footfall_message",
        "footfall_native_call",
        "footfall_node",
        "footfall_profile",
        "footfall_run",
        "footfall_source",
        "footfall_test_time",
        "footfall_thread",
        "footfall_timeline",
        "footfall_timeline_context",
    }
)
_CHUNK_BYTES: Final = 1 << 20


@dataclass(slots=True)
class Combined:
    """What happened to each file: paths as given to `combine_files`."""

    used: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    """Files that are byte for byte the same as one in `used`."""
    failed: list[tuple[str, FootfallError]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    n_known_runs: int = 0
    """Number of profiles that another file had already contributed."""


def find_inputs(data_file: str, paths: Sequence[str]) -> list[str]:
    """Return the absolute paths of the files to combine, sorted, each once.

    `paths` are files, directories to look into, or patterns; without any, the data file's own directory.
    Raises UsageError (`no-such-path`).
    """
    found: set[str] = set()
    if not paths:
        found.update(find_parallel_files(data_file))
    for path in paths:
        matches = [path] if os.path.lexists(path) else glob.glob(path, recursive=True)
        if not matches:
            raise UsageError("no-such-path", f"There is no {path!r} to combine.", "Name data files or directories.")
        for match in matches:
            if os.path.isdir(match):
                found.update(find_parallel_files(data_file, match))
            else:
                found.add(os.path.abspath(match))
    return sorted(found)


def combine_files(
    inputs: Sequence[str],
    target: str,
    *,
    base: str | None = None,
    paths: Iterable[list[str]] = (),
    is_relative: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Combined:
    """Combine `inputs` into the data file `target`, which appears complete at the end; return what happened to each.

    `base` is a data file that must be readable: `target` itself if data is added to it. `paths` is the setting
    [paths], `is_relative` the setting relative_files. If no input can be used, nothing is written.
    Raises FootfallError (`data-unwritable`, what reading `base` raises) or UsageError (`bad-path-alias`).
    """
    result = Combined()
    check_replaceable(target)
    all_inputs = inputs if base is None else [base, *inputs]
    map_path = _path_mapper(all_inputs, paths, is_relative)
    try:
        with create_data_file(target, is_durable=True) as connection:
            merge = _Merge(connection, map_path, _find_inferred(all_inputs, map_path))
            digests: set[bytes] = set()
            if base is not None:
                digests.add(_digest(base))
                merge.add(base)
            for done, path in enumerate(inputs):
                if progress is not None:
                    progress(done, len(inputs))
                try:
                    digest = _digest(path)
                    if digest in digests:
                        result.duplicates.append(path)
                        continue
                    merge.add(path)
                except FootfallError as error:
                    result.failed.append((path, error))
                    continue
                digests.add(digest)
                result.used.append(path)
            if not result.used and not result.duplicates:
                raise _NothingUsed
            merge.finish(result)
    except _NothingUsed:
        pass
    return result


class _NothingUsed(Exception):
    """Leaves the block that writes, so that nothing is replaced."""


class _Merge:
    """Merges all tables of one result."""

    def __init__(self, target: sqlite3.Connection, map_path: Callable[[str], str], has_inferred: set[str]) -> None:
        self._coverage = CoverageMerge(target, map_path, has_inferred=has_inferred)
        self._conditions = ConditionsMerge(target, map_path)
        self._profiles = ProfilesMerge(target, map_path)
        self._test_times = TestTimesMerge(target)
        self._target = target
        self._messages: list[Message] = []
        self._unknown_tables: dict[str, str] = {}
        self._n_known_runs = 0

    def add(self, path: str) -> None:
        """Merge one file. Raises FootfallError as `open_data_file`; then nothing of the file is merged."""
        with open_data_file(path) as connection:
            # read and check everything before merging anything
            conditions = self._conditions.read(connection, path)
            profile = self._profiles.read(connection, path)
            test_times = self._test_times.read(connection)
            messages = qualifications_in(connection)
            query = "select name from sqlite_master where type = 'table' and name like 'footfall\\_%' escape '\\'"
            tables = {name for (name,) in connection.execute(query)}
            self._coverage.add(connection, os.path.getsize(path))
        self._conditions.add(conditions)
        self._n_known_runs += self._profiles.add(profile)
        self._test_times.add(test_times)
        self._messages += messages
        for name in tables - _KNOWN_TABLES:
            self._unknown_tables.setdefault(name, path)

    def finish(self, result: Combined) -> None:
        self._coverage.finish()
        self._conditions.finish()
        self._profiles.finish()
        add_qualifications(self._target, self._messages)
        result.n_known_runs = self._n_known_runs
        for path in sorted(self._coverage.tracer_conflicts):
            text = f"{path} was measured by different plugins in different data files."
            result.warnings.append(("plugins-differ", text))
        for name, path in sorted(self._unknown_tables.items()):
            text = f"The table {name} in {path} is of another version of footfall and was left out."
            result.warnings.append(("table-left-out", text))


def _path_mapper(inputs: Iterable[str], paths: Iterable[list[str]], is_relative: bool) -> Callable[[str], str]:
    """Return a function that maps a recorded path to the local one, independent of the order of the files."""
    aliases = PathAliases(paths, relative=is_relative)

    @functools.cache
    def map_path(path: str) -> str:
        # as in coverage.py, so that data from Windows matches data from other systems
        return aliases.map(path).replace("\\", "/")

    if is_relative:
        # each relative path tells how other machines' absolute ones begin, so add them all before mapping the first
        for path in sorted(_relative_paths(inputs)):
            map_path(path)
        map_path.cache_clear()
    return map_path


def _relative_paths(inputs: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in inputs:
        try:
            with open_data_file(path) as connection:
                rows = connection.execute("select path from file where path not like '/%'")
                found.update(name for (name,) in rows if isinstance(name, str))
        except FootfallError:
            pass  # told when it is its turn
    return found


def _find_inferred(inputs: Iterable[str], map_path: Callable[[str], str]) -> set[str]:
    """Return the paths for which some input has inferred lines: only for those must the lines seen be remembered."""
    found: set[str] = set()
    for path in inputs:
        try:
            with open_data_file(path) as connection:
                found |= inferred_paths(connection, map_path)
        except FootfallError:
            pass  # told when it is its turn
    return found


def _digest(path: str) -> bytes:
    """Return a digest of a file's contents. Raises FootfallError (`data-unreadable`)."""
    digest = hashlib.sha256(usedforsecurity=False)
    try:
        if not os.path.isfile(path):  # a pipe or a device would block or never end
            raise OSError("it is not a file" if os.path.exists(path) else "it is not there")
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise FootfallError(
            "data-unreadable", f"Can't read the data file {path}: {error.strerror or error}.", "Check its permissions."
        ) from error
    return digest.digest()


def remove_inputs(paths: Iterable[str], target: str) -> list[tuple[str, OSError]]:
    """Remove files that were combined, but never the result, under any name; return those that can't be removed."""
    failed = []
    for path in paths:
        try:
            kept, status = os.lstat(target), os.lstat(path)
            if (status.st_dev, status.st_ino) != (kept.st_dev, kept.st_ino):
                os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            failed.append((path, error))
    return failed
