"""The files by which an editor and what runs tests speak: which tests to run goes in, what becomes of each comes out.

docs/protocol.md describes them. The plugins for pytest and for unittest read and write them.
"""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from footfall.errors import UsageError

__all__ = ["Choice", "Lines", "read_choice"]


class Choice(NamedTuple):
    """Tests by their names: `only` these, if there are any, and none of `left_out`."""

    only: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()

    def has(self, name: str) -> bool:
        """Return whether a test is to run."""
        return (not self.only or name in self.only) and name not in self.left_out


def read_choice(path: str) -> Choice:
    """Read a choice of tests: a JSON object with lists of names, `only` and `except`, each of which may be left out.

    Raises UsageError (`tests-unreadable`).
    """
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, f"{error}") from error
    if not isinstance(found, dict):
        raise _unreadable(path, "it is no object with the lists `only` and `except`")
    return Choice(_names(path, found.get("only", [])), _names(path, found.get("except", [])))


def _names(path: str, found: object) -> frozenset[str]:
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise _unreadable(path, "its lists are of the names of tests")
    return frozenset(found)


def _unreadable(path: str, why: str) -> UsageError:
    what = f"The tests to run can't be read from {path}: {why}."
    return UsageError("tests-unreadable", what, "It is JSON: docs/protocol.md has an example.")


class Lines:
    """A file that grows by a line of JSON at once."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)

    def write(self, entry: dict[str, Any]) -> None:
        """Append a line."""
        os.write(self._fd, json.dumps(entry).encode() + b"\n")

    def close(self) -> None:
        """End it."""
        os.close(self._fd)
