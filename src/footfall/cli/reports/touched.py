"""Which recorded lines a git diff touches, and which tests are run as a whole, for the commands that name tests."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from footfall.analyze.changes import Change, parse_diff, widen_change
from footfall.analyze.selection import parse_rule
from footfall.analyze.source.analysis import analyze_source, decode_source
from footfall.analyze.source.exclude import ExclusionRules
from footfall.config.configuration import Config, canonical_path, make_patterns_absolute
from footfall.errors import FootfallError
from footfall.load.source_files import looks_like_python
from footfall.patterns import glob_matches
from footfall.session.git import diff_since, file_at, top_directory, untracked_files

__all__ = ["Wholes", "changes_since", "find_wholes", "lines_that_count", "touched_files"]


class Wholes(NamedTuple):
    """What is run whatever lines it ran: arguments for pytest, and test files that are gone under their old name."""

    arguments: list[str]
    gone: list[str]


def touched_files(changes: list[Change], revision: str) -> Iterator[tuple[str, set[int] | None]]:
    """Yield for each file of a diff since the revision its name in it, and the old lines that count; None for any line.

    A line of a statement that is touched counts. If that can't be told, or it runs when the file is loaded, any does.
    """
    for change in changes:
        if change.old_name and (lines := _touched_lines(change, revision)) != set():
            yield change.old_name, lines


def _touched_lines(change: Change, revision: str) -> set[int] | None:
    if change.is_binary:
        return None
    if not change.old_lines and change.new_name:
        return set()  # renamed
    source = file_at(revision, change.old_name)
    return lines_that_count(change.old_name, source if change.new_name else None, change.old_lines)


def lines_that_count(name: str, source: bytes | None, lines: set[int]) -> set[int] | None:
    """Return those of a file's lines, changed in this text of it, by which to tell which tests ran a change.

    None for any line: one of them runs when the file is loaded, or nothing can be told.
    """
    try:
        if source is None or not looks_like_python(name):
            return None
        analysis = analyze_source(decode_source(source), name, ExclusionRules.from_settings())
    except FootfallError:
        return None
    touched, runs_on_import = widen_change(lines, analysis)
    if runs_on_import:
        return None
    return touched | {line for line, first in analysis.first_line.items() if first in touched}


def changes_since(revision: str) -> list[Change]:
    """Return the changes of the working tree. Raises as `diff_since`."""
    return parse_diff(diff_since(revision))


def find_wholes(changes: list[Change], config: Config) -> Wholes:
    """Return the test files that a diff changed or added, and what the configuration adds to them.

    Names are relative to the working directory. Files that git does not track yet are new.
    Raises FootfallError (`git-failed`), UsageError (`bad-test-rule`, `bad-glob`).
    """
    top = top_directory()
    present = [change.new_name for change in changes if change.new_name] + untracked_files(top)
    arguments = [name for name in _from_here(top, present) if _is_test_file(name)]
    arguments += map(os.path.normpath, config.tests_always)
    changed = {canonical_path(os.path.join(top, name)) for name in present}
    changed.update(canonical_path(os.path.join(top, change.old_name)) for change in changes if change.old_name)
    for rule in map(parse_rule, config.tests_by_file):
        patterns = make_patterns_absolute([rule.pattern])
        if any(glob_matches(pattern, path) for pattern in patterns for path in changed):
            arguments.append(os.path.normpath(rule.argument))
    gone = _from_here(top, (change.old_name for change in changes if change.old_name != change.new_name))
    return Wholes(arguments, gone)


def _from_here(top: str, names: Iterable[str]) -> list[str]:
    return [os.path.relpath(os.path.join(top, name)) for name in names if name]


def _is_test_file(name: str) -> bool:
    base = os.path.basename(name)
    return base.endswith(".py") and (base.startswith("test_") or base.endswith("_test.py"))
