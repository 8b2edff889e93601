"""Which recorded lines a git diff touches, for the commands that name the tests of a change."""

from __future__ import annotations

import os
from collections.abc import Iterator

from footfall.analyze.changes import Change, parse_diff, widen_change
from footfall.analyze.source.analysis import analyze_source, decode_source
from footfall.analyze.source.exclude import ExclusionRules
from footfall.errors import FootfallError
from footfall.load.source_files import looks_like_python
from footfall.session.git import diff_since, file_at, top_directory

__all__ = ["changed_test_files", "changes_since", "in_order", "touched_files"]


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
    try:
        if source is None or not change.new_name or not looks_like_python(change.old_name):
            return None
        analysis = analyze_source(decode_source(source), change.old_name, ExclusionRules.from_settings())
    except FootfallError:
        return None
    touched, runs_on_import = widen_change(change.old_lines, analysis)
    if runs_on_import:
        return None
    return touched | {line for line, first in analysis.first_line.items() if first in touched}


def changes_since(revision: str) -> list[Change]:
    """Return the changes of the working tree. Raises as `diff_since`."""
    return parse_diff(diff_since(revision))


def changed_test_files(changes: list[Change]) -> list[str]:
    """Return the test files that a diff changed or added, relative to the working directory."""
    top = top_directory()
    names = [os.path.relpath(os.path.join(top, change.new_name)) for change in changes if change.new_name]
    return [name for name in names if _is_test_file(name)]


def in_order(names: list[str], test_files: list[str]) -> list[str]:
    """Return names of tests without those of test files that are run as a whole, and then these files."""
    return [name for name in names if name.partition("::")[0] not in test_files] + sorted(test_files)


def _is_test_file(name: str) -> bool:
    base = os.path.basename(name)
    return base.endswith(".py") and (base.startswith("test_") or base.endswith("_test.py"))
