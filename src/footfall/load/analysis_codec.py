"""A file's analysis as bytes and back: what the analysis cache stores and what worker processes send.

Numbers are written as integers in the machine's byte order, names and notes as JSON. Nothing in it is ever executed,
and a checksum detects damage. The cache's key covers the machine and the version of this format.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping

from footfall.analyze.source.analysis import SourceAnalysis
from footfall.analyze.source.definitions import CLASS, FUNCTION, Definition

__all__ = ["FORMAT", "CodecError", "analysis_from_bytes", "bytes_from_analysis"]

FORMAT = 1
"""Increase this with every change to what is written here."""

Arc = tuple[int, int]

_CODE = "i"
_SIZE = array(_CODE).itemsize
_N_SECTIONS = 9
_HEAD = 4 + _N_SECTIONS
"""Checksum, number of lines, bytes of names, bytes of notes, then each section's length in numbers."""
_LEFT_OUT = -(1 << 31)
"""Represents a None in `with_exits`; no line has this number."""
_KINDS = (FUNCTION, CLASS)


class CodecError(ValueError):
    """The bytes are not an analysis that this version wrote."""


def bytes_from_analysis(analysis: SourceAnalysis) -> bytes:
    """Pack an analysis, except its path."""
    definitions = analysis.definitions
    sections = (
        sorted(analysis.statements),
        sorted(analysis.excluded),
        sorted(analysis.raw_statements),
        _flat(analysis.first_line.items()),
        _flat(analysis.arcs),
        _flat(analysis.exit_counts.items()),
        sorted(analysis.no_branch),
        _flat((*arc, *(other or (_LEFT_OUT, _LEFT_OUT))) for arc, other in analysis.with_exits.items()),
        _flat((_KINDS.index(each.kind), each.start, each.first, each.last, each.parent) for each in definitions),
    )
    names = "\n".join(each.name for each in definitions).encode()
    import json  # only when an analysis is made

    # only ASCII, as a lone surrogate from the source could not be encoded
    notes = json.dumps([[*arc, note] for arc, note in analysis.notes.items()], separators=(",", ":")).encode("ascii")
    head = array(_CODE, [analysis.n_lines, len(names), len(notes), *map(len, sections)])
    body = head.tobytes() + b"".join(array(_CODE, section).tobytes() for section in sections) + names + notes
    return zlib.crc32(body).to_bytes(_SIZE, sys.byteorder) + body


def _flat(rows: Iterable[Iterable[int]]) -> list[int]:
    return [number for row in rows for number in row]


def analysis_from_bytes(data: bytes, path: str) -> SourceAnalysis:
    """Unpack an analysis of the file `path`. Raises CodecError for bytes that are damaged or something else."""
    if len(data) < _HEAD * _SIZE or zlib.crc32(memoryview(data)[_SIZE:]) != int.from_bytes(data[:_SIZE], sys.byteorder):
        raise CodecError("the checksum is wrong")
    numbers = array(_CODE)
    numbers.frombytes(data[: _HEAD * _SIZE])
    _checksum, n_lines, n_names, n_notes, *lengths = numbers
    if min(n_names, n_notes, *lengths) < 0 or len(data) != (_HEAD + sum(lengths)) * _SIZE + n_names + n_notes:
        raise CodecError("the lengths do not fit")
    end = len(data) - n_names - n_notes
    numbers = array(_CODE)
    numbers.frombytes(data[_HEAD * _SIZE : end])
    sections = []
    at = 0
    for length in lengths:
        sections.append(numbers[at : at + length].tolist())
        at += length
    statements, excluded, raw, first_line, arcs, exit_counts, no_branch, with_exits, definitions = sections
    try:
        names = data[end : end + n_names].decode().split("\n") if n_names else []
        return SourceAnalysis(
            path=path,
            n_lines=n_lines,
            statements=frozenset(statements),
            excluded=frozenset(excluded),
            raw_statements=frozenset(raw),
            first_line=dict(_pairs(first_line)),
            arcs=frozenset(_pairs(arcs)),
            exit_counts=dict(_pairs(exit_counts)),
            no_branch=frozenset(no_branch),
            with_exits=_with_exits(with_exits),
            definitions=_definitions(definitions, names),
            notes=_Notes(data[end + n_names :]),
        )
    except (ValueError, IndexError) as error:
        raise CodecError(str(error)) from error


class _Notes(Mapping[Arc, list[tuple[str, str]]]):
    """The notes, decoded when the first is asked for: only LCOV and HTML reports need them."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._found: dict[Arc, list[tuple[str, str]]] | None = None

    def _read(self) -> dict[Arc, list[tuple[str, str]]]:
        if self._found is None:
            import json  # as in `bytes_from_analysis`

            rows = json.loads(self._text.decode("ascii"))
            self._found = {(start, end): [(cause, action) for cause, action in note] for start, end, note in rows}
        return self._found

    def __getitem__(self, arc: Arc) -> list[tuple[str, str]]:
        return self._read()[arc]

    def __iter__(self) -> Iterator[Arc]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


def _pairs(numbers: list[int]) -> Iterable[Arc]:
    return zip(numbers[::2], numbers[1::2], strict=True)


def _with_exits(numbers: list[int]) -> Mapping[Arc, Arc | None]:
    arcs = list(_pairs(numbers))
    left_out = (_LEFT_OUT, _LEFT_OUT)
    return {arc: None if other == left_out else other for arc, other in zip(arcs[::2], arcs[1::2], strict=True)}


def _definitions(numbers: list[int], names: list[str]) -> tuple[Definition, ...]:
    rows = zip(names, *(numbers[column::5] for column in range(5)), strict=True)
    return tuple(
        [Definition(_KINDS[kind], name, start, first, last, parent) for name, kind, start, first, last, parent in rows]
    )
