"""Messages that qualify a data file's numbers, in its table `footfall_message`: reports repeat them with the numbers.

A run prints all its messages once. What is missing or inexact in its data must be known whenever the data is used.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from footfall.record.data.data_file import has_table, open_data_file

__all__ = ["Message", "add_qualifications", "create_message_table", "qualifications_in", "read_qualifications"]

Message = tuple[str, str]
"""Slug and text."""

_TABLE: Final = "footfall_message"
_MOST: Final = 1000
"""The limit of messages in one data file, however many files were combined."""

_DAMAGE: Final = frozenset(
    {"record-corrupt", "record-damaged", "record-refused", "record-unreadable", "python-unknown"}
)
_COVERAGE: Final = _DAMAGE | {
    "engine-failed",
    "lines-inferred",
    "not-instrumented",
    "plugin-imports",
    "plugin-inactive",
    "probes-changed",
    "pytest-unknown",
    "record-full",
    "source-changed",
    "start-failed",
    "threads-unmeasured",
    "tool-freed",
    "tracer-replaced",
}
_PROFILE: Final = _DAMAGE | {
    "async-unsupported",
    "interpreter-unsampled",
    "jit-lines",
    "native-changed",
    "native-incomplete",
    "native-unavailable",
    "precise-signal-taken",
    "profile-ended",
    "sample-log-full",
    "sampler-failed",
    "sampler-fallback",
}
_IF_NOT_MEASURED: Final = frozenset({"code-from-elsewhere", "nested-too-deeply"})
"""These qualify coverage only if they say so; otherwise another engine measures the file just as exactly."""


def add_qualifications(connection: sqlite3.Connection, messages: Iterable[Message]) -> None:
    """Add the messages that qualify numbers, once each, to a data file that is being written."""
    found = [message for message in dict.fromkeys(messages) if _is_of_coverage(*message) or message[0] in _PROFILE]
    if not found:
        return
    create_message_table(connection)
    connection.executemany(f"insert or ignore into {_TABLE} values (?, ?)", found[:_MOST])


def create_message_table(connection: sqlite3.Connection) -> None:
    """Make the table, unless it is there, in a data file that is being written."""
    connection.execute(f"create table if not exists {_TABLE} (slug text, text text, unique (slug, text))")


def read_qualifications(data_file: str | Path, *, coverage: bool = False, profile: bool = False) -> list[Message]:
    """Return the messages that qualify a data file's coverage, or its profile. Raises as `open_data_file`."""
    with open_data_file(data_file) as connection:
        found = qualifications_in(connection)
    return [
        (slug, text)
        for slug, text in found
        if (coverage and _is_of_coverage(slug, text)) or (profile and slug in _PROFILE)
    ]


def qualifications_in(connection: sqlite3.Connection) -> list[Message]:
    """Return all messages of an open data file. Raises sqlite3.DatabaseError for invalid contents."""
    if not has_table(connection, _TABLE):
        return []
    rows = connection.execute(f"select slug, text from {_TABLE} order by rowid limit {_MOST}").fetchall()
    if not all(isinstance(value, str) for row in rows for value in row):
        raise sqlite3.DatabaseError("its messages are no texts")
    return rows


def _is_of_coverage(slug: str, text: str) -> bool:
    return slug in _COVERAGE or (slug in _IF_NOT_MEASURED and "not measured" in text)
