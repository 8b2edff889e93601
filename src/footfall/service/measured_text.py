"""The text that was measured against the text that is there now: whether it changed, and which lines only moved."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from footfall.analyze.source.analysis import decode_source
from footfall.config.configuration import Config, shown_path
from footfall.errors import FootfallError, UsageError
from footfall.load.gather import absolute_path_mapper
from footfall.load.source_files import read_source_bytes
from footfall.record.data.coverage_tables import read_paths
from footfall.record.data.source_ids import MIXED, blob_id, read_source_ids
from footfall.report.coverage.json import Json
from footfall.report.words import plural

__all__ = [
    "Block",
    "gone_text",
    "lines_as_measured",
    "need_line",
    "state_of_source",
    "state_of_text",
    "stored_names",
    "text_now",
]


class Block(NamedTuple):
    """Consecutive lines that did not change: the first one's number then and now, and how many there are."""

    measured: int
    now: int
    n_lines: int


def stored_names(config: Config, path: str) -> list[str]:
    """Return the names that the data file has for a file; none if it was not measured. Raises as `read_paths`."""
    path_here = absolute_path_mapper(config)
    return [name for name in read_paths(config.data_file) if path_here(name) == path]


def state_of_text(path: str, measured: bytes | None, is_changed: bool | None) -> Json:
    """Return what answers say of a source: `is_stale`, null if not known, and if so the lines that did not change.

    `measured` is the text, None if it is not known; `unchanged` is then null, unless the file is gone.
    """
    if not is_changed:
        return {"is_stale": is_changed}
    now = text_now(path)
    if now is None:
        return {"is_stale": True, "unchanged": []}
    return {"is_stale": True, "unchanged": None if measured is None else [*map(list, _blocks(measured, now))]}


def state_of_source(config: Config, path: str, names: Sequence[str], find_text: Callable[[str], bytes | None]) -> Json:
    """Return the same for a source by its names in the data, whose text `find_text` looks up by its blob id.

    Raises as `read_source_ids`.
    """
    ids = read_source_ids(config.data_file)
    found = {ids.get(name, MIXED) for name in names}
    if len(found) != 1 or MIXED in found:
        return state_of_text(path, None, None)
    (measured_id,) = found
    now = text_now(path)
    if now is not None and blob_id(now) == measured_id:
        return state_of_text(path, None, False)
    return state_of_text(path, find_text(measured_id), True)


def need_line(path: str, line: int) -> None:
    """Raise UsageError (`query-unknown`) if a file, as it is now, ends before a line. One that is gone has no end.

    Behind the last end of a line is an empty line, as editors have it.
    """
    now = text_now(path) or b""
    lines = _lines(now)
    if now and line > len(lines):
        count = len(lines) - (lines[-1] == "")
        has = plural(count, "line")
        raise UsageError("query-unknown", f"{shown_path(path)} has {has}: there is no line {line}.", "Name one it has.")


def lines_as_measured(path: str, measured: bytes, first: int, last: int) -> list[int]:
    """Return the numbers that the lines from `first` to `last` had in the measured text; new ones are left out.

    Raises FootfallError (`source-newer`) if all are new, or the file is gone.
    """
    now = text_now(path)
    if now is None:
        raise FootfallError("source-newer", gone_text(path), "Restore it, or run the tests again.")
    if now == measured:
        return list(range(first, min(last, max(first, len(_lines(now)))) + 1))
    found = [
        number - block.now + block.measured
        for block in _blocks(measured, now)
        for number in range(max(first, block.now), min(last + 1, block.now + block.n_lines))
    ]
    if found:
        return found
    text = f"Line {first} of {path} is not as measured: no test has run it yet, as far as is known."
    raise FootfallError("source-newer", text, "Run the tests again.")


def text_now(path: str) -> bytes | None:
    """Return the text as it is; None of a file that is gone or can't be read."""
    try:
        return read_source_bytes(path)
    except FootfallError:
        return None


def gone_text(path: str) -> str:
    """Return what is said of a file that has no text now."""
    return f"{path} is gone, or can't be read: what is known of its lines is of the text as measured."


def _blocks(measured: bytes, now: bytes) -> list[Block]:
    """Return the lines that did not change, in order. A line that occurs very often may be missing among them."""
    before, after = _lines(measured), _lines(now)
    found = difflib.SequenceMatcher(None, before, after).get_matching_blocks()
    return [Block(first + 1, now_first + 1, count) for first, now_first, count in found if count]


def _lines(text: bytes) -> list[str]:
    try:
        return decode_source(text).split("\n")
    except FootfallError:  # it is being edited
        return text.decode("utf-8", "replace").split("\n")
