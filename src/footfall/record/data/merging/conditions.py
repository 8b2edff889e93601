"""Merges the outcomes of conditional jumps in many data files into a new one. Called by record/data/combine.py.

A code object is the same if its file, name, first line and all its jumps are the same: another version of Python or of
the source has others. Outcomes are sets, so order and repetition change nothing.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable
from typing import Final

from footfall.record.data.condition_tables import check_conditions_format, create_condition_tables, unpack_places
from footfall.record.data.data_file import has_table

__all__ = ["ConditionsMerge"]

_MAX_HELD_BYTES: Final = 64 << 20
_ROW_BYTES: Final = 250

_CodeKey = tuple[str, str, int, bytes]


class ConditionsMerge:
    """Merges into `target`, the connection of a data file that `create_data_file` makes."""

    def __init__(
        self, target: sqlite3.Connection, map_path: Callable[[str], str], max_held_bytes: int = _MAX_HELD_BYTES
    ) -> None:
        self._target = target
        self._map_path = map_path
        self._max_held_bytes = max_held_bytes
        self._held_bytes = 0
        self._is_any = False
        self._codes: dict[_CodeKey, int] = {}
        self._outcomes: dict[tuple[int, str], int] = {}
        self._sizes: dict[int, int] = {}

    def read(self, connection: sqlite3.Connection, path: str) -> list[tuple[_CodeKey, list[tuple[str, bytes]]]] | None:
        """Return an open data file's codes, each with its outcomes by context, for `add`; None if it has none.

        Raises sqlite3.DatabaseError for invalid contents, FootfallError (`data-schema`) for another format.
        """
        if not has_table(connection, "footfall_conditions_format"):
            return None
        check_conditions_format(connection, path)
        codes: dict[int, tuple[_CodeKey, list[tuple[str, bytes]]]] = {}
        query = "select id, path, qualname, first_line, places from footfall_conditions_code"
        try:
            for code_id, source, qualname, first_line, places in connection.execute(query):
                if not (isinstance(source, str) and isinstance(qualname, str) and isinstance(first_line, int)):
                    raise ValueError("a code object has no name")
                key = self._map_path(source), qualname, first_line, places
                if key not in self._codes:
                    unpack_places(places)
                codes[code_id] = (key, [])
            for code_id, context, outcomes in connection.execute("select * from footfall_conditions"):
                if not isinstance(context, str) or not isinstance(outcomes, bytes):
                    raise ValueError("outcomes are no set")
                codes[code_id][1].append((context, outcomes))
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise sqlite3.DatabaseError(f"its tables of conditions do not fit together ({error!r})") from error
        return list(codes.values())

    def add(self, codes: list[tuple[_CodeKey, list[tuple[str, bytes]]]] | None) -> None:
        """Merge what `read` returned with the rest."""
        if codes is None:
            return
        if not self._is_any:
            self._is_any = True
            create_condition_tables(self._target)
        for key, seen in codes:
            code_id = self._number(key)
            for context, outcomes in seen:
                place = code_id, context
                if place not in self._outcomes:
                    self._held_bytes += _ROW_BYTES
                self._outcomes[place] = self._outcomes.get(place, 0) | int.from_bytes(outcomes, "little")
                self._sizes[code_id] = max(self._sizes.get(code_id, 0), len(outcomes))
        if self._held_bytes > self._max_held_bytes:
            self.finish()

    def _number(self, key: _CodeKey) -> int:
        code_id = self._codes.get(key)
        if code_id is None:
            code_id = self._codes[key] = len(self._codes)
            self._target.execute("insert into footfall_conditions_code values (?, ?, ?, ?, ?)", (code_id, *key))
        return code_id

    def finish(self) -> None:
        """Write what is in memory. Readers merge the rows of one code object and context, so more may follow."""
        rows = (
            (code_id, context, bits.to_bytes(self._sizes[code_id], "little"))
            for (code_id, context), bits in self._outcomes.items()
        )
        if self._outcomes:
            self._target.executemany("insert into footfall_conditions values (?, ?, ?)", rows)
        self._outcomes.clear()
        self._held_bytes = 0
