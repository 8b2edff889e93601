"""Outcomes of conditional jumps in the data file: writer and reader of the `footfall_conditions*` tables.

Only runs on CPython 3.14 and later that measured branches have them. The reports compute what they mean for the
source's conditions, in `analyze/conditions/analysis.py`.
"""

from __future__ import annotations

import re
import sqlite3
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from footfall.errors import FootfallError
from footfall.record.data.data_file import has_table, open_data_file

__all__ = [
    "IS_FALSE",
    "IS_NONE",
    "IS_NOT_NONE",
    "IS_TRUE",
    "BranchedCode",
    "Conditions",
    "Place",
    "SourcePosition",
    "check_conditions_format",
    "create_condition_tables",
    "pack_places",
    "read_conditions",
    "places_of_text",
    "text_of_places",
    "unpack_places",
    "write_conditions",
]

_FORMAT: Final = 1
_MAX_PLACES_BYTES: Final = 8 << 20  # of one code object, unpacked; a thousand jumps take about 30 KB
_NUMBERS_OF_A_PLACE: Final = 8
_TEXT: Final = re.compile(rb"(?:-?\d{1,20},){7}-?\d{1,20}(?:,(?:-?\d{1,20},){7}-?\d{1,20})*")
_WINDOW_BITS: Final = 10
_MEMORY_LEVEL: Final = 3
_FEW_PATHS: Final = 500  # SQLite takes 999 parameters in its older versions
_SCHEMA: Final = """
create table footfall_conditions_format (format integer);
create table footfall_conditions_code (id integer primary key, path text, qualname text, first_line integer,
    places blob);
create table footfall_conditions (code_id integer, context text, outcomes blob);
"""

IS_TRUE, IS_FALSE, IS_NOT_NONE, IS_NONE = 1, 2, 4, 8
"""Flags of an outcome. Jumps that compare with None have their own: the source may say `is None` or `is not None`."""


class SourcePosition(NamedTuple):
    """A range of source: lines from 1, columns in UTF-8 bytes from 0. All 0 if not known."""

    line: int
    column: int
    end_line: int
    end_column: int


class Place(NamedTuple):
    """One conditional jump: the position of the instruction that made its value, and its own position.

    The compiler gives a jump that it redirected the position of the jump it led to, so the former says more.
    """

    tester: SourcePosition
    jump: SourcePosition


@dataclass(slots=True)
class BranchedCode:
    """The conditional jumps of a code object that ran, in order, and by context the outcomes of each, as one byte."""

    qualname: str
    first_line: int
    places_text: bytes
    """What `text_of_places` returns: most who have it never look at single places."""
    outcomes: dict[str, bytes] = field(default_factory=dict)

    @property
    def places(self) -> tuple[Place, ...]:
        """The jumps' places."""
        return places_of_text(self.places_text)

    def add(self, context: str, outcomes: bytes) -> None:
        """Add the outcomes in a context."""
        known = self.outcomes.get(context)
        self.outcomes[context] = outcomes if known is None else _united((known, outcomes))

    def in_all_contexts(self) -> bytes:
        """Return the outcomes of each jump in any context."""
        n_numbers = self.places_text.count(b",") + 1 if self.places_text else 0
        return _united((bytes(n_numbers // _NUMBERS_OF_A_PLACE), *self.outcomes.values()))


def _united(outcomes: Sequence[bytes]) -> bytes:
    union = 0
    for each in outcomes:
        union |= int.from_bytes(each, "little")
    return union.to_bytes(max(map(len, outcomes)), "little")


Conditions = dict[str, list[BranchedCode]]
"""By path, the code objects of the file that ran and have conditional jumps."""


def write_conditions(connection: sqlite3.Connection, conditions: Mapping[str, Iterable[BranchedCode]]) -> None:
    """Add conditions to a data file that is being written. Raises sqlite3 errors."""
    create_condition_tables(connection)
    numbered = [*enumerate((path, code) for path, codes in conditions.items() for code in codes)]
    connection.executemany(
        "insert into footfall_conditions_code values (?, ?, ?, ?, ?)",
        (
            (code_id, path, code.qualname, code.first_line, pack_places(code.places_text))
            for code_id, (path, code) in numbered
        ),
    )
    connection.executemany(
        "insert into footfall_conditions values (?, ?, ?)",
        (
            (code_id, context, outcomes)
            for code_id, (_, code) in numbered
            for context, outcomes in code.outcomes.items()
        ),
    )


def create_condition_tables(connection: sqlite3.Connection) -> None:
    """Make the tables in a data file that is being written."""
    for statement in _SCHEMA.split(";"):
        if statement.strip():
            connection.execute(statement)
    connection.execute("insert into footfall_conditions_format values (?)", (_FORMAT,))


def text_of_places(places: Iterable[Place]) -> bytes:
    """Return the numbers of all positions as text, with commas between them."""
    return b",".join(b"%d" % number for place in places for position in place for number in position)


def places_of_text(text: bytes) -> tuple[Place, ...]:
    """Return what `text_of_places` was given."""
    numbers = [int(number) for number in text.split(b",")] if text else []
    corners = [SourcePosition(*numbers[at : at + 4]) for at in range(0, len(numbers), 4)]
    return tuple(Place(*pair) for pair in zip(corners[::2], corners[1::2], strict=True))


def pack_places(text: bytes) -> bytes:
    """Return the text of a code object's places as its row has it."""
    # there are thousands of short texts, and the usual window of 256 KB takes ten times as long as the text
    packer = zlib.compressobj(1, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL)
    return packer.compress(text) + packer.flush()


def unpack_places(packed: bytes) -> bytes:
    """Return the text of a code object's places. Raises ValueError, TypeError or zlib.error for invalid ones."""
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(packed, _MAX_PLACES_BYTES)
    if not unpacker.eof:
        raise ValueError("the places of jumps are cut short, or too many")
    if text and not _TEXT.fullmatch(text):
        raise ValueError("the places of jumps are no numbers, or cut short")
    return text


def read_conditions(
    path: str | Path, contexts: Iterable[str] = (), stored_paths: Collection[str] | None = None
) -> Conditions | None:
    """Read what a data file says about conditions; None if nothing, as in files of coverage.py or older Pythons.

    `contexts` are regular expressions; if given, outcomes in contexts that match none of them are left out. With
    `stored_paths`, only what belongs to these files is read.
    Raises FootfallError: as `open_data_file`, and `data-schema` for a format this version does not know.
    """
    searches: list[Callable[[str], object]] = [re.compile(pattern).search for pattern in contexts]
    with open_data_file(path) as connection:
        if not has_table(connection, "footfall_conditions_format"):
            return None
        check_conditions_format(connection, path)
        try:
            return _read_codes(connection, searches, stored_paths)
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise sqlite3.DatabaseError(f"its tables of conditions do not fit together ({error!r})") from error


def check_conditions_format(connection: sqlite3.Connection, path: str | Path) -> None:
    """Raise FootfallError (`data-schema`) if a data file's conditions have a format that this version can't read."""
    row = connection.execute("select format from footfall_conditions_format").fetchone()
    if row is None or row[0] != _FORMAT:
        raise FootfallError(
            "data-schema",
            f"The conditions in {path} have format {row and row[0]}, and this footfall reads {_FORMAT}.",
            "Run the program again, or update footfall.",
        )


def _read_codes(
    connection: sqlite3.Connection, searches: list[Callable[[str], object]], stored_paths: Collection[str] | None
) -> Conditions:
    found: Conditions = {}
    by_id: dict[int, BranchedCode] = {}
    query = "select id, path, qualname, first_line, places from footfall_conditions_code"
    few: list[str] = []
    if stored_paths is not None and len(stored_paths) <= _FEW_PATHS:
        few = [*stored_paths]
        query += f" where path in ({', '.join('?' * len(few))})"
    for code_id, path, qualname, first_line, places in connection.execute(query, few):
        if stored_paths is not None and path not in stored_paths:
            continue
        by_id[code_id] = BranchedCode(qualname, first_line, unpack_places(places))
        found.setdefault(path, []).append(by_id[code_id])
    query = "select code_id, context, outcomes from footfall_conditions"
    if stored_paths is not None:
        query += f" where code_id in ({', '.join(str(int(each)) for each in by_id)})"
    for code_id, context, outcomes in connection.execute(query):
        if not isinstance(outcomes, bytes):
            raise TypeError("the outcomes of jumps are no bytes")
        if not searches or any(search(context) for search in searches):
            by_id[code_id].add(context, outcomes)
    return found
