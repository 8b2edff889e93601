"""Reads a git diff, and finds the tests whose recorded lines it touches. Pure: texts and sets in, names out.

For `footfall tests` the data was recorded on the diff's old side, so old line numbers count: those changed or removed,
and around an insertion the line before and the line after. For `footfall report --diff` new ones count (patch.py).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from footfall.analyze.source.analysis import SourceAnalysis
from footfall.analyze.source.definitions import FUNCTION
from footfall.analyze.test_costs import name_of_test

__all__ = ["Change", "parse_diff", "touched_tests", "widen_change"]

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


@dataclass(slots=True)
class Change:
    """What a diff did to one file. `old_name` is "" for a new file; names are git's, relative to the repository's top.

    `new_lines` are those added or changed. `is_binary`: git shows no lines. `is_untracked`: all lines are new.
    """

    old_name: str
    new_name: str
    old_lines: set[int] = field(default_factory=set)
    new_lines: set[int] = field(default_factory=set)
    is_binary: bool = False
    is_untracked: bool = False


def parse_diff(text: str) -> list[Change]:
    """Read the output of `git diff -U0`: one Change for each file, except files where only the mode changed."""
    changes: list[Change] = []
    header = ""
    n_content = 0  # remaining lines of the hunk: text of the file, which may look like any line of a diff
    for line in text.split("\n"):
        if n_content and line.startswith(("-", "+")):
            n_content -= 1
        elif line.startswith("diff --git "):
            changes.append(Change("", ""))
            header = line[11:]
            n_content = 0
        elif not changes:
            continue
        elif line.startswith("--- "):
            changes[-1].old_name = _name(line[4:])
        elif line.startswith("+++ "):
            changes[-1].new_name = _name(line[4:])
        elif line.startswith("rename from "):
            changes[-1].old_name = _unquoted(line[12:])
        elif line.startswith("rename to "):
            changes[-1].new_name = _unquoted(line[10:])
        elif line.startswith("Binary files "):
            _set_binary(changes[-1], header, line)
        elif found := _HUNK.match(line):
            n_content = _add_hunk(changes[-1], found)
    return [change for change in changes if change.old_name or change.new_name]


def _add_hunk(change: Change, found: re.Match[str]) -> int:
    """Add the lines named in a hunk's header; return how many lines of text follow it."""
    old_first, n_old, new_first, n_new = (1 if number is None else int(number) for number in found.groups())
    if n_old == 0:  # inserted after line `old_first`
        change.old_lines |= {old_first, old_first + 1}
    else:
        change.old_lines |= set(range(old_first, old_first + n_old))
    change.new_lines |= set(range(new_first, new_first + n_new))
    return n_old + n_new


def _set_binary(change: Change, header: str, line: str) -> None:
    """Take the name from the line "diff --git a/NAME b/NAME", the only one that has it if nothing renamed the file."""
    change.is_binary = True
    if change.new_name:
        return
    name = _name(header[len(header) // 2 + 1 :])
    change.old_name = "" if line.startswith("Binary files /dev/null and ") else name
    change.new_name = "" if line.endswith(" and /dev/null differ") else name


def _name(text: str) -> str:
    name = _unquoted(text.rstrip("\t"))
    return "" if name == "/dev/null" else re.sub(r"^[ab]/", "", name)


def _unquoted(text: str) -> str:
    """Undo git's quoting of unusual names: C escapes, octal for bytes that are not ASCII."""
    if not (text.startswith('"') and text.endswith('"') and len(text) > 1):
        return text
    plain = {"n": b"\n", "t": b"\t", "r": b"\r", '"': b'"', "\\": b"\\", "a": b"\a", "b": b"\b", "f": b"\f", "v": b"\v"}
    found = b""
    for escaped, octal, other in re.findall(r'\\([abfnrtv"\\])|\\([0-7]{3})|([^\\])', text[1:-1]):
        found += plain[escaped] if escaped else bytes([int(octal, 8) & 255]) if octal else other.encode()
    return found.decode("utf-8", "surrogateescape")


def widen_change(lines: Collection[int], analysis: SourceAnalysis) -> tuple[set[int], bool]:
    """Return the first lines of the statements with the old lines in them, and whether any runs when the file loads.

    A line without code (a comment, a blank line) is ignored.
    """
    touched = analysis.translate_lines(lines) & set(analysis.raw_statements)
    inside: set[int] = set()
    for definition in analysis.definitions:
        if definition.kind == FUNCTION:
            inside.update(range(definition.first, definition.last + 1))
    return touched, bool(touched - inside)


def touched_tests(ran: Mapping[str, Collection[int]], touched: Collection[int] | None) -> set[str]:
    """Return the tests that ran any of the touched lines of a file; None means any line of it.

    `ran` is the file's lines by context label.
    """
    wanted = None if touched is None else frozenset(touched)
    names = {name_of_test(label) for label, lines in ran.items() if (lines if wanted is None else wanted & set(lines))}
    return names - {""}
