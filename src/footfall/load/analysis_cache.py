"""Analyses of source files, cached by content between reports.

The cache is one SQLite file in `.footfall/cache` of the current directory, where runs keep their caches too, or in the
user's cache directory. A key is made from the source's bytes and everything else that an analysis depends on, so an
entry is never out of date. What can't be read is analysed again, and what can't be written is not kept. Nothing here
ever raises.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import sqlite3
import stat
import sys
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

import footfall.analyze
from footfall._version import VERSION
from footfall.files import own_user
from footfall.record.data.data_file import DATABASE_ERRORS

__all__ = ["AnalysisCache", "key_maker", "keys_by_path", "open_cache"]

_FILE = "analyses.sqlite"
_MAX_BYTES = 64 << 20  # about 1.5 million lines
_TIMES_USED = 4
"""If a report uses more, the file may contain this many times as much: there are several kinds of entries, and editing
leaves old entries behind."""
_KEPT_SHARE = 0.75
"""The share of the allowed size that is kept when entries must go, so that enough is free for several runs."""
_LOCK_SECONDS = 0.5  # to wait for another report that is writing; waiting longer costs more than analysing
_SECONDS_PER_DAY = 86_400
_CHECKSUM_BYTES = 4
_KEYS_AT_ONCE = 500  # SQLite takes 999 parameters in its older versions
_FULL = 1
"""SQLite's number for `auto_vacuum = full`: the file gets smaller when entries are dropped."""
_SCHEMA = "create table if not exists analysis (key blob unique, day integer, data blob)"


def key_maker(*parts: object) -> hashlib._Hash:
    """Return a hash of what an analysis depends on except the source; a copy updated with the source is its key.

    `parts` say, by their `repr`, the kind of analysis, the version of its bytes and its settings.
    """
    depends = (
        parts,
        VERSION,
        _code_state(*footfall.analyze.__path__),
        sys.implementation.cache_tag,
        sys.hexversion,
        sys.flags.optimize,  # drops assert statements
        sys.byteorder,
    )
    return hashlib.sha256(repr(depends).encode("utf-8", "surrogatepass"))


def keys_by_path(base: hashlib._Hash, sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the key of each source, from the hash of `key_maker`."""
    keys: dict[str, bytes] = {}
    for path, source in sources.items():
        key = base.copy()
        key.update(source)
        keys[path] = key.digest()
    return keys


@functools.cache
def _code_state(*roots: str) -> list[tuple[str, int, int]]:
    """Return something that differs after the code of the analysis was edited: a development version keeps its number.

    Seen once, since the code that this process runs is what it was.
    """
    state: list[tuple[str, int, int]] = []
    with contextlib.suppress(OSError):
        for root in roots:
            for folder, _, names in os.walk(root):
                for name in names:
                    if name.endswith(".py"):
                        status = os.stat(path := os.path.join(folder, name))
                        state.append((os.path.relpath(path, root), status.st_size, status.st_mtime_ns))
    return sorted(state)


class AnalysisCache:
    """Maps keys to packed analyses. Reading marks entries as used, by day; those unused for longest are dropped first.

    Entries that this object read or wrote are never dropped, and the file remembers how much the largest report used.
    So a project of any size keeps all its entries, even after a report on a part of it.
    """

    def __init__(self, path: str, max_bytes: int = _MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._used: set[bytes] = set()
        self._used_bytes = 0
        self._connection: sqlite3.Connection | None = None
        try:
            self._connection = self._connect()
        except sqlite3.OperationalError:
            pass  # locked, or not ours to read
        except DATABASE_ERRORS:
            self._start_again()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_LOCK_SECONDS, isolation_level=None)
        try:
            # a torn write costs an entry or the file, and both can be made again
            connection.execute("pragma synchronous = off")
            connection.execute("pragma journal_mode = memory").fetchall()
            # setting it writes the file, even if it is set
            if connection.execute("pragma auto_vacuum").fetchone()[0] != _FULL:
                connection.execute(f"pragma auto_vacuum = {_FULL}")
            connection.execute(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        return connection

    def _start_again(self) -> None:
        """Replace a damaged cache with an empty one."""
        self.close()
        with contextlib.suppress(OSError, *DATABASE_ERRORS):
            os.unlink(self._path)
            self._connection = self._connect()

    def get(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the entries that exist."""
        if self._connection is None:
            return {}
        today = _today()
        found: dict[bytes, bytes] = {}
        unmarked: list[tuple[int, bytes]] = []
        try:
            left = iter(keys)
            while some := [*islice(left, _KEYS_AT_ONCE)]:
                marks = ",".join("?" * len(some))
                query = f"select key, day, data from analysis where key in ({marks})"
                for key, day, stored in self._connection.execute(query, some):
                    data = _unsealed(key, stored)
                    if data is not None:
                        found[key] = data
                        self._note_used(key, data)
                        if day != today:
                            unmarked.append((today, key))
            if unmarked:
                self._write("update analysis set day = ? where key = ?", unmarked)
        except sqlite3.OperationalError:
            self.close()
        except DATABASE_ERRORS:
            self._start_again()
        return found

    def put(self, entries: Mapping[bytes, bytes]) -> None:
        """Store entries; if the file is too large, drop older ones."""
        if self._connection is None or not entries:
            return
        today = _today()
        try:
            rows = [(key, today, _sealed(key, data)) for key, data in entries.items()]
            self._write("insert or replace into analysis values (?, ?, ?)", rows)
            for key, data in entries.items():
                self._note_used(key, data)
            self._drop_unused()
        except sqlite3.OperationalError:
            self.close()
        except DATABASE_ERRORS:
            self._start_again()

    def _note_used(self, key: bytes, data: bytes) -> None:
        if key not in self._used:
            self._used.add(key)
            self._used_bytes += len(data)

    def _drop_unused(self) -> None:
        """If the file is too large, drop the least recently used entries, except those that this object used."""
        assert self._connection is not None
        size = self._size_bytes()
        if size <= self._max_bytes:
            return
        limit = max(self._max_bytes, _TIMES_USED * self._largest_use_bytes())
        if size <= limit:
            return
        excess = size - int(limit * _KEPT_SHARE)
        dropped: list[tuple[bytes]] = []
        for key, n_bytes in self._connection.execute("select key, length(data) from analysis order by day, rowid"):
            if excess <= 0:
                break
            if key not in self._used:
                dropped.append((key,))
                excess -= n_bytes
        self._write("delete from analysis where key = ?", dropped)

    def _largest_use_bytes(self) -> int:
        """Return the most that one report has used of the file, and store that in the file."""
        assert self._connection is not None
        used_kb = (self._used_bytes >> 10) + 1
        (largest_kb,) = self._connection.execute("pragma user_version").fetchone()
        if used_kb > largest_kb:
            self._connection.execute(f"pragma user_version = {used_kb}")
        return max(used_kb, int(largest_kb)) << 10

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        assert self._connection is not None
        self._connection.execute("begin immediate")
        try:
            self._connection.executemany(statement, rows)
            self._connection.execute("commit")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("rollback")
            raise

    def _size_bytes(self) -> int:
        assert self._connection is not None
        pages, page_bytes = (
            self._connection.execute(f"pragma {name}").fetchone()[0] for name in ("page_count", "page_size")
        )
        return int(pages) * int(page_bytes)

    def close(self) -> None:
        """Close the file; the cache is empty from then on."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _sealed(key: bytes, data: bytes) -> bytes:
    """Return an entry as it is stored: after its checksum, because SQLite does not notice damage within a value."""
    return _checksum(key, data) + data


def _unsealed(key: bytes, stored: object) -> bytes | None:
    """Return the entry that was stored; None if it is damaged."""
    if not isinstance(stored, bytes):
        return None
    data = stored[_CHECKSUM_BYTES:]
    return data if _checksum(key, data) == stored[:_CHECKSUM_BYTES] else None


def _checksum(key: bytes, data: bytes) -> bytes:
    return zlib.crc32(data, zlib.crc32(key)).to_bytes(_CHECKSUM_BYTES, "little")


def _today() -> int:
    return int(time.time()) // _SECONDS_PER_DAY


def open_cache(data_file: str | Path) -> AnalysisCache | None:
    """Open the cache for reports of a data file; None if no place for it is writable."""
    for folder, home in _places(data_file):
        with contextlib.suppress(OSError):
            os.makedirs(folder, exist_ok=True)
            if not _is_ours(folder):
                continue
            if home:
                _ignore_in_git(home)
            path = os.path.join(folder, _FILE)
            if os.path.islink(path) or (os.path.exists(path) and not os.path.isfile(path)):
                continue  # a link: SQLite would write to whatever it points to
            return AnalysisCache(path)
    return None


def _places(data_file: str | Path) -> Iterable[tuple[str, str]]:
    """Yield (directory, the `.footfall` it is in or ""), best first."""
    home = os.path.abspath(".footfall")
    # a report on data from elsewhere leaves nothing in a directory unrelated to footfall
    if os.path.isdir(home) or os.path.dirname(home) == os.path.dirname(os.path.abspath(data_file)):
        yield os.path.join(home, "cache"), home
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if os.path.isabs(caches):
        yield os.path.join(caches, "footfall"), ""


def _is_ours(folder: str) -> bool:
    """Return whether we can write there but others can't, who could make our reports wrong."""
    status = os.stat(folder)
    is_private = status.st_uid == own_user() and not status.st_mode & stat.S_IWOTH
    return is_private and os.access(folder, os.W_OK | os.X_OK)


def _ignore_in_git(home: str) -> None:
    """Make git ignore the folder, as for run directories: it contains no one's source."""
    with contextlib.suppress(FileExistsError), open(os.path.join(home, ".gitignore"), "x", encoding="utf-8") as file:
        file.write("*\n")
