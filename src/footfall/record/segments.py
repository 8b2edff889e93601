"""Read the entries of a segment log, the container of record files and sample logs (docs/formats.md).

The writer is native/core/maplog.c. A log whose writer was killed, or is still writing, ends at its last whole
entry; a log with a damaged entry is read up to it. What the entries mean is known by the typed readers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from footfall.errors import FootfallError
from footfall.record.recordedfile import read_recorded_file

__all__ = ["read_entries"]

MAGIC = b"FOOTFALL"

_ENTRY = struct.Struct("<II")
_END = 0
_HEADER = 1
_PADDING = 0xFFFFFFFF
_MAX_KIND = 255  # a greater kind is damage, not a newer format: formats are versioned in the header


def read_entries(path: str, damage: list[str] | None = None) -> Iterator[tuple[int, memoryview]]:
    """Yield (kind, payload) in the order of the log; nothing when its writer died before its header.

    Payloads are views of the file and stay valid while they are referenced. What stopped the reading before
    the end is appended to `damage` as a sentence. Raises FootfallError (`record-corrupt`) when the file is
    no segment log, (`record-refused`) when no measured process made it, and OSError when it cannot be opened.
    """
    view = memoryview(read_recorded_file(path))
    _check_header(path, view)
    at = 0
    while at + _ENTRY.size <= len(view):
        kind, size = _ENTRY.unpack_from(view, at)
        if kind == _END:
            return
        start = at + _ENTRY.size
        if start + size > len(view):
            _note(damage, f"{path} is cut off within its entry at byte {at}.")
            return
        if kind != _PADDING:
            if kind > _MAX_KIND:
                _note(damage, f"{path} is damaged at byte {at}: no entry has the kind {kind}.")
                return
            yield kind, view[start : start + size]
        at = start + (size + 7) // 8 * 8
    if at < len(view):
        _note(damage, f"{path} is cut off at byte {at}.")


def _check_header(path: str, view: memoryview) -> None:
    if len(view) < _ENTRY.size or _ENTRY.unpack_from(view)[0] == _END:
        return
    kind, size = _ENTRY.unpack_from(view)
    if kind != _HEADER or size < len(MAGIC) or bytes(view[8 : 8 + len(MAGIC)]) != MAGIC:
        raise FootfallError(
            "record-corrupt",
            f"{path} is not a file that footfall recorded.",
            "Remove it, and run again where its data is needed.",
        )


def _note(damage: list[str] | None, sentence: str) -> None:
    if damage is not None:
        damage.append(sentence)
