"""What the data file has of its files, read once until it changes: of a file that many tests ran it is much to read.

The service's methods about coverage read by it, so that an editor's questions about its files, one by one and again
after each edit, do not each read the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Final

from footfall.record.data.coverage_tables import StoredCoverage, StoredFile, read_coverage
from footfall.service.file_state import file_state

__all__ = ["StoredFiles"]

_MOST_KEPT: Final = 200_000
"""Lines and arcs, some 30 MB; of a larger data file only what was asked for is read, each time."""


class StoredFiles:
    """The files of the data file that were read last."""

    def __init__(self) -> None:
        self._state: Hashable = None
        self._known = StoredCoverage()
        self._read: set[str] = set()

    def read(
        self, data_file: str, contexts: Sequence[str], is_wanted: Callable[[str], bool] | None = None
    ) -> StoredCoverage:
        """Return and raise as `read_coverage`; the result must not be changed."""
        file = file_state(data_file)
        state = file, tuple(contexts)
        if file is None or state != self._state:
            self._state = None  # also if reading fails
            self._known = read_coverage(data_file, contexts, is_wanted)
            self._read = {name for name in self._known.files if is_wanted is None or is_wanted(name)}
            self._state = state
        wanted = {name for name in self._known.files if is_wanted is None or is_wanted(name)}
        missing = wanted - self._read
        if missing:
            more = read_coverage(data_file, contexts, missing.__contains__)
            if file_state(data_file) != file:
                self._state = None  # it was replaced meanwhile
                return read_coverage(data_file, contexts, is_wanted)
            self._known.files.update({name: more.files[name] for name in missing})
            self._read |= missing
        found = self._known
        if is_wanted is not None:
            files = {name: each if name in wanted else StoredFile() for name, each in found.files.items()}
            found = replace(found, files=files)
        if sum(len(each.lines) + len(each.arcs) for each in self._known.files.values()) > _MOST_KEPT:
            self._state = None
        return found
