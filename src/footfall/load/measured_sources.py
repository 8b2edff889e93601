"""The text of each source as it was when a data file was recorded: the local file, or git's copy of it.

`footfall diff` uses it to read two data files, as the sources of at least one have often changed since; the service, to
answer about a text that is being edited.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from footfall.errors import FootfallError
from footfall.load.source_files import read_source_bytes
from footfall.record.data.source_ids import MIXED, blob_id, read_source_ids

__all__ = ["MeasuredSources"]

_PLUGIN_SEES = "it was changed since, and a plugin can report it only as it is now"


class MeasuredSources:
    """The sources of one data file. `texts` has those that have been read, by path.

    Of those that `read_if_known` was asked for, `changed` are the paths of sources that are not as measured, `unknown`
    of those that the data does not say it of.
    """

    def __init__(self, data_file: str, find_blob: Callable[[str], bytes | None]) -> None:
        """`find_blob` returns git's blob with an id. Raises as `read_source_ids`."""
        self._data_file = data_file
        self._find_blob = find_blob
        self._ids = read_source_ids(data_file)
        self.texts: dict[str, bytes] = {}
        self.changed: set[str] = set()
        self.unknown: set[str] = set()

    def read(self, path: str, stored_paths: tuple[str, ...]) -> bytes:
        """Return the measured text of a source by its names in the data. Raises FootfallError (`source-unknown`,
        `no-source`).

        Data without ids (coverage.py's) is taken to be of the local text if that was not written after the data.
        """
        text = self._by_id(path, self._id(stored_paths)) if self._ids else self._if_older(path)
        self.texts[path] = text
        return text

    def read_if_known(self, path: str, stored_paths: tuple[str, ...]) -> bytes:
        """Return the measured text of a source; the one that is here if the data does not say which was measured.

        Raises FootfallError (`no-source` if it is gone, `source-unknown` if it changed and its measured text is lost).
        """
        text = read_source_bytes(path)
        if self._is_changed(path, stored_paths, text):
            text = self._by_id(path, self._id(stored_paths))
        self.texts[path] = text
        return text

    def need_not_changed(self, path: str, stored_paths: tuple[str, ...]) -> None:
        """Raise FootfallError (`source-unknown`, `no-source`) if the local text is known not to be the measured one."""
        if self._is_changed(path, stored_paths, None):
            raise self._unknown(path, _PLUGIN_SEES)

    def need_unchanged(self, path: str, stored_paths: tuple[str, ...]) -> None:
        """Raise FootfallError (`source-unknown`) unless the local text is the measured one: plugins see no other."""
        if not self._ids:
            self._if_older(path)
            return
        measured = self._by_id(path, self._id(stored_paths))
        if measured != read_source_bytes(path):
            raise self._unknown(path, _PLUGIN_SEES)

    def _is_changed(self, path: str, stored_paths: tuple[str, ...], now: bytes | None) -> bool:
        """Return whether a source is known not to be as measured, and note it. It is read if `now` is not its text.

        Raises as `read_source_bytes`.
        """
        known = {self._ids.get(each, MIXED) for each in stored_paths} - {MIXED}
        if not known:
            self.unknown.add(path)
        elif known != {blob_id(read_source_bytes(path) if now is None else now)}:
            self.changed.add(path)
        return path in self.changed

    def _id(self, stored_paths: tuple[str, ...]) -> str:
        ids = {self._ids.get(each, MIXED) for each in stored_paths}
        return ids.pop() if len(ids) == 1 else MIXED

    def _by_id(self, path: str, number: str) -> bytes:
        if number == MIXED:
            raise self._unknown(path, "the runs that were combined saw several texts of it, or which is not known")
        try:
            text = read_source_bytes(path)
        except FootfallError:
            text = b""
        if blob_id(text) == number:
            return text
        kept = self._find_blob(number)
        if kept is None:
            raise self._unknown(path, "it was changed since, and git does not have what was measured")
        return kept

    def _if_older(self, path: str) -> bytes:
        text = read_source_bytes(path)
        try:
            is_older = os.stat(path).st_mtime_ns <= os.stat(self._data_file).st_mtime_ns
        except OSError:
            is_older = True  # a member of an archive
        if is_older:
            return text
        raise self._unknown(path, "it was written after the data was, which does not say what was measured")

    def _unknown(self, path: str, reason: str) -> FootfallError:
        return FootfallError("source-unknown", f"{path} in {self._data_file}: {reason}.", "Measure it again.")
