"""Where things are in a lake: a folder for each shard, named by its repository, commit and shard.

`DIR/repository=R/commit=C/shard=S/TABLE.parquet`, the form that DuckDB, Spark and pyarrow call Hive partitions. A shard
appears and is replaced as a whole, since its folder is renamed when all its tables are there. DIR may be a URL:
remote.py.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote

from footfall.errors import FootfallError, UsageError
from footfall.record.lake.remote import LAST_TABLE, folders_with, is_url, upload

__all__ = ["KEYS", "Partition", "find_shards", "need_shards", "new_shard", "table_path"]

KEYS = ("repository", "commit", "shard")
_MAX_NAME_BYTES = 255
_FOLDER = re.compile("/".join(f"{key}=[^/]+" for key in KEYS))


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """One shard's place. Raises UsageError (`partition-name`) for a name that no folder or table can have."""

    repository: str
    commit: str
    shard: str

    def __post_init__(self) -> None:
        for key in KEYS:
            value = getattr(self, key)
            try:
                is_fit = bool(value) and len(_folder_name(key, value)) <= _MAX_NAME_BYTES
            except UnicodeEncodeError:
                is_fit = False
            if not is_fit:
                text = f"{value!r:.80} can't be the name of a {key}: it is empty, too long, or not Unicode."
                raise UsageError("partition-name", text, f"Choose another with --{key}.")

    @property
    def folder(self) -> str:
        """The folder below the lake. Whatever the names are, it is three levels below it."""
        return os.path.join(*(_folder_name(key, getattr(self, key)) for key in KEYS))


def _folder_name(key: str, value: str) -> str:
    return f"{key}={quote(value, safe='')}"


def table_path(lake: str, partition: Partition, table: str) -> str:
    """Return the file of one table of a shard."""
    return os.path.join(lake, partition.folder, f"{table}.parquet")


def find_shards(lake: str) -> list[Partition]:
    """Return all complete shards of a lake, sorted.

    Raises OSError; at a URL FootfallError (`no-lake`, `lake-extra`).
    """
    if is_url(lake):
        return sorted(map(_partition, filter(_FOLDER.fullmatch, folders_with(lake, LAST_TABLE))))
    found = []
    for repository, path in _values(lake, "repository"):
        for commit, below in _values(path, "commit"):
            for shard, folder in _values(below, "shard"):
                if os.path.isfile(os.path.join(folder, LAST_TABLE)):
                    found.append(Partition(repository, commit, shard))
    return sorted(found)


def _partition(folder: str) -> Partition:
    return Partition(*(unquote(name.partition("=")[2]) for name in folder.split("/")))


def _values(folder: str, key: str) -> Iterator[tuple[str, str]]:
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(f"{key}=") and entry.is_dir()]
    for name in names:
        yield unquote(name.partition("=")[2]), os.path.join(folder, name)


def need_shards(lake: str) -> list[Partition]:
    """Return the shards of a lake. Raises FootfallError (`no-lake`) if it has none."""
    try:
        found = find_shards(lake)
    except OSError as error:
        raise FootfallError(
            "no-lake", f"Can't read the lake {lake}: {error.strerror or error}.", "Make it: footfall lake add DIR"
        ) from error
    if not found:
        raise FootfallError("no-lake", f"There are no data in the lake {lake}.", "Add some: footfall lake add DIR")
    return found


@contextlib.contextmanager
def new_shard(lake: str, partition: Partition) -> Iterator[str]:
    """Yield an empty folder for a shard's tables; on exit it replaces the shard, after an error nothing does.

    Raises FootfallError (`output-unwritable`; at a URL `lake-extra`, `no-lake`).
    """
    if is_url(lake):
        with tempfile.TemporaryDirectory(prefix="footfall-lake-") as folder:
            yield folder
            upload(folder, lake, partition.folder)
        return
    target = os.path.join(lake, partition.folder)
    beside = os.path.join(lake, f".adding-{os.getpid()}")
    former = os.path.join(lake, f".former-{os.getpid()}")
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.rmtree(beside, ignore_errors=True)
        os.mkdir(beside)
        yield beside
        if os.path.isdir(target):
            shutil.rmtree(former, ignore_errors=True)
            os.rename(target, former)
        os.rename(beside, target)
    except OSError as error:
        raise FootfallError(
            "output-unwritable",
            f"Can't write to the lake {lake}: {error.strerror or error}.",
            "Make room, or choose another directory.",
        ) from error
    finally:
        for folder in (beside, former):
            shutil.rmtree(folder, ignore_errors=True)
