"""Parses the text of one frame in collapsed stacks and perf scripts: a name, and maybe a file and a line."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["PYTHON_PREFIX", "NamedFrame", "parse_frame", "parse_place_first", "split_place"]

_PATH: Final = re.compile(r"(?:.*\.pyw?|<.+>|/.+|~)", re.DOTALL)
"""What counts as a file at the beginning of a frame; `a::b:12` does not begin with one."""
PYTHON_PREFIX: Final = "py::"
"""The prefix of names from CPython's perf trampolines: `py::NAME:FILE`."""
_MAX_DIGITS: Final = 10


class NamedFrame(NamedTuple):
    """A function's name, its file ("": not known) and the line in it (0: not known)."""

    name: str
    path: str = ""
    line: int = 0


def parse_frame(text: str) -> NamedFrame:
    """Parse a frame in any of the forms that tools write.

    `NAME (FILE:LINE)` and `NAME (FILE)` (footfall, py-spy), `FILE:NAME:LINE` (Austin, `profiling.sampling`),
    `py::NAME:FILE` (perf with CPython's trampolines); anything else is a name.
    """
    if text.startswith(PYTHON_PREFIX):
        name, _, path = text[len(PYTHON_PREFIX) :].partition(":")
        return NamedFrame(name, path)
    name, place = split_place(text)
    if place:
        path, _, line = place.rpartition(":")
        return NamedFrame(name, path, int(line)) if path and _is_line(line) else NamedFrame(name, place)
    found = parse_place_first(text)
    return found if found is not None and _PATH.fullmatch(found.path) else NamedFrame(text)


def parse_place_first(text: str) -> NamedFrame | None:
    """Parse `FILE:NAME:LINE`, whatever the file is called; None for anything else."""
    parts = text.rsplit(":", 2)
    if len(parts) != 3 or not parts[0] or not _is_line(parts[2].removeprefix("-")):
        return None
    return NamedFrame(parts[1], parts[0], max(int(parts[2]), 0))


def _is_line(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS


def split_place(text: str) -> tuple[str, str]:
    """Split `NAME (PLACE)` at the ` (` that the last `)` closes; the place is "" if there is none."""
    depth = 0
    for at in range(len(text) - 1, -1, -1) if text.endswith(")") else ():
        if text[at] == ")":
            depth += 1
        elif text[at] == "(":
            depth -= 1
            if not depth:
                is_place = at > 1 and text[at - 1] == " "
                return (text[: at - 1], text[at + 1 : -1]) if is_place else (text, "")
    return text, ""
