"""The numbers of files that ran the same as in an earlier run or report: for what shows numbers and no lines.

A second run of a test suite takes the same ways through nearly all files, so what is known of them is found by what
determines it: the text, the settings, and what ran. The entries are in the analysis cache.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path

from footfall.analyze.results import Numbers
from footfall.analyze.source.exclude import ExclusionRules
from footfall.analyze.totals import counts_of
from footfall.load.analysis_cache import AnalysisCache, key_maker, open_cache
from footfall.record.data.coverage_tables import StoredFile
from footfall.record.data.source_ids import blob_id

__all__ = ["KnownNumbers"]

_FORMAT = 1
_N_BYTES = len(Numbers.__slots__) * array("q").itemsize


class KnownNumbers:
    """Numbers by what ran, for the directory of a data file. A context manager, which writes what is new on exit.

    `measured_ids`, if given, has for each path the id of its text as measured, so that what is known need not be read;
    else the texts are read. Files without an id are never known. What can't be read is counted again; nothing here
    raises.
    """

    def __init__(self, data_file: str | Path, measured_ids: Mapping[str, str] | None = None) -> None:
        self.measured_ids = measured_ids
        self._cache: AnalysisCache | None = open_cache(data_file)
        self._source_ids: Mapping[str, str] = {}
        self._keys: dict[str, bytes] = {}
        self._made: dict[bytes, bytes] = {}

    def find(
        self,
        files: Iterable[tuple[str, StoredFile]],
        source_ids: Mapping[str, str],
        rules: ExclusionRules,
        *,
        has_arcs: bool,
    ) -> dict[str, Numbers]:
        """Return the numbers of those files that are known, by path. `source_ids` are by path too."""
        self._source_ids = source_ids
        if self._cache is None:
            return {}
        base = key_maker("numbers", _FORMAT, rules, has_arcs)
        for path, found in files:
            source_id = self._source_ids.get(path)
            if source_id and not found.tracer:
                key = base.copy()
                key.update(source_id.encode())
                # arcs contain all lines
                ran = [(start << 32) + end for start, end in found.arcs] if has_arcs else [*found.lines]
                key.update(array("q", sorted(ran)).tobytes())
                self._keys[path] = key.digest()
        kept = self._cache.get(self._keys.values())
        return {path: numbers for path, key in self._keys.items() if (numbers := _unpack(kept.get(key))) is not None}

    def check(self, path: str, text: bytes) -> bytes:
        """Return the text that is about to be counted. If it was changed since, its numbers will not be kept."""
        if path in self._keys and blob_id(text) != self._source_ids[path]:
            del self._keys[path]
        return text

    def note(self, path: str, numbers: Numbers) -> None:
        """Keep the numbers of a file that was not known."""
        if path in self._keys:
            self._made[self._keys[path]] = _pack(numbers)

    def __enter__(self) -> KnownNumbers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._cache is not None:
            self._cache.put(self._made)
            self._cache.close()


def _pack(numbers: Numbers) -> bytes:
    return array("q", counts_of(numbers)).tobytes()


def _unpack(packed: bytes | None) -> Numbers | None:
    if packed is None or len(packed) != _N_BYTES:
        return None
    return Numbers(*array("q", packed))
