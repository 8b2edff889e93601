"""What each probe of a source means, kept between runs in the analysis cache: computing it takes longer than everything
else that follows a run of the probes engine."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from footfall.load.analysis_cache import AnalysisCache, key_maker, open_cache
from footfall.observe.engines.probe_cache import code_state

if TYPE_CHECKING:
    from footfall.analyze.probes.arcs import ProbeMeaning

__all__ = ["KeptMeanings"]

_FORMAT = 1


class KeptMeanings:
    """Meanings by source and mode, for the directory of a data file. A context manager, which writes on exit.

    What can't be read is computed again; nothing here raises.
    """

    def __init__(self, data_file: str) -> None:
        self._data_file = data_file
        self._cache: AnalysisCache | None = None
        self._is_open = False
        self._made: dict[bytes, bytes] = {}

    def get(self, source: bytes, mode: int) -> tuple[ProbeMeaning, ...] | None:
        """Return the cached meanings, or None if there are none."""
        if not self._is_open:  # opened late, as runs of other engines do not need it
            self._cache, self._is_open = open_cache(self._data_file), True
            self._base = key_maker("probe meanings", _FORMAT, code_state())
        key = self._key(source, mode)
        packed = None if self._cache is None else self._cache.get([key]).get(key)
        return None if packed is None else _unpack(packed)

    def put(self, source: bytes, mode: int, meanings: tuple[ProbeMeaning, ...]) -> None:
        """Store meanings that `get` did not have."""
        self._made[self._key(source, mode)] = _pack(meanings)

    def _key(self, source: bytes, mode: int) -> bytes:
        key = self._base.copy()
        key.update(mode.to_bytes(4, "little"))
        key.update(source)
        return key.digest()

    def __enter__(self) -> KeptMeanings:
        return self

    def __exit__(self, *_: object) -> None:
        if self._cache is not None:
            self._cache.put(self._made)
            self._cache.close()


def _pack(meanings: tuple[ProbeMeaning, ...]) -> bytes:
    """Pack for each probe: the numbers of lines and of arcs, the lines, and the ends of the arcs."""
    numbers = array("q")
    for lines, arcs in meanings:
        numbers.extend((len(lines), len(arcs), *lines))
        for arc in arcs:
            numbers.extend(arc)
    return numbers.tobytes()


def _unpack(packed: bytes) -> tuple[ProbeMeaning, ...] | None:
    numbers = array("q")
    try:
        numbers.frombytes(packed)
    except ValueError:
        return None
    found: list[ProbeMeaning] = []
    at = 0
    while at < len(numbers):
        n_lines, n_arcs = numbers[at : at + 2] if at + 2 <= len(numbers) else (-1, -1)
        lines_end = at + 2 + n_lines
        end = lines_end + 2 * n_arcs
        if n_lines < 0 or n_arcs < 0 or end > len(numbers):
            return None
        arcs = numbers[lines_end:end]
        found.append((frozenset(numbers[at + 2 : lines_end]), frozenset(zip(arcs[::2], arcs[1::2], strict=True))))
        at = end
    return tuple(found)
