"""What became covered or uncovered from one run to another, line by line, even if the source changed between. Pure.

Lines are matched by their text: a line that a diff of the two sources keeps is the same line. Added and removed lines
are counted, but are neither covered nor uncovered by a change of the tests.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from footfall.analyze.results import FileResult, Numbers

__all__ = ["FileChange", "MeasuredFile", "compare_files", "match_lines"]

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_MAX_PAIRS: Final = 25_000_000  # of lines; above this, frequent ones are not matched: time grows with the product

Arc = tuple[int, int]


@dataclass(frozen=True, slots=True)
class MeasuredFile:
    """A file as one run saw it."""

    result: FileResult
    source: bytes


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file's change. Lines are those of the later source, first lines of statements, sorted.

    `uncovered` lines ran before but not now, `covered` the reverse; branches are those of lines that run in both.
    `added` are new statements, and `added_missing` those of them that do not run. `before` or `now` is None if a run
    does not have the file; `is_gone` says that the file no longer exists.
    """

    name: str
    before: Numbers | None
    now: Numbers | None
    uncovered: tuple[int, ...] = ()
    covered: tuple[int, ...] = ()
    uncovered_branches: tuple[Arc, ...] = ()
    covered_branches: tuple[Arc, ...] = ()
    added: tuple[int, ...] = ()
    added_missing: tuple[int, ...] = ()
    n_removed: int = 0
    statements: frozenset[int] = frozenset()
    is_gone: bool = False

    @property
    def n_uncovered(self) -> int:
        """The number of lines and branches of code that still exists and that ran before but not now."""
        if self.now is None and self.before is not None:
            return 0 if self.is_gone else self.before.n_executed
        return len(self.uncovered) + len(self.uncovered_branches)

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to report."""
        return self.before != self.now or bool(self.n_uncovered or self.covered or self.covered_branches or self.added)


def compare_files(
    name: str, before: MeasuredFile | None, now: MeasuredFile | None, *, is_gone: bool = False
) -> FileChange:
    """Compare two runs' results for a file; at least one of them has it."""
    if before is None or now is None:
        one = before or now
        assert one is not None
        is_new = before is None
        return FileChange(
            name,
            None if is_new else one.result.numbers,
            one.result.numbers if is_new else None,
            added=tuple(sorted(one.result.statements)) if is_new else (),
            added_missing=tuple(sorted(one.result.missing)) if is_new else (),
            n_removed=0 if is_new else len(one.result.statements),
            statements=one.result.statements if is_new else frozenset(),
            is_gone=is_gone,
        )
    lines = match_lines(before.source, now.source)
    kept = {line: lines[line] for line in before.result.statements if lines.get(line, 0) in now.result.statements}
    ran = {kept[line] for line in before.result.executed if line in kept}
    same = set(kept.values())
    added = now.result.statements - same
    uncovered = ran & now.result.missing
    covered = same - ran - now.result.missing
    lost, gained = _changed_branches(before.result, now.result, lines, uncovered | covered)
    return FileChange(
        name,
        before.result.numbers,
        now.result.numbers,
        tuple(sorted(uncovered)),
        tuple(sorted(covered)),
        lost,
        gained,
        tuple(sorted(added)),
        tuple(sorted(added & now.result.missing)),
        len(before.result.statements) - len(kept),
        now.result.statements,
    )


def match_lines(before: bytes, now: bytes) -> dict[int, int]:
    """Return, for each line of a source that the other source also has, its number there; both count from 1."""
    old, new = (_LINE_END.split(text) for text in (before, now))
    if old == new:
        return {line: line for line in range(1, len(old) + 1)}
    n_before = _count_equal(old, new)
    n_behind = _count_equal(old[n_before:][::-1], new[n_before:][::-1])
    matched = {line: line for line in range(1, n_before + 1)}
    matched |= {len(old) - k: len(new) - k for k in range(n_behind)}
    old, new = old[n_before : len(old) - n_behind], new[n_before : len(new) - n_behind]
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=len(old) * len(new) > _MAX_PAIRS)
    for block in matcher.get_matching_blocks():
        for k in range(block.size):
            matched[n_before + block.a + k + 1] = n_before + block.b + k + 1
    return matched


def _count_equal(old: Sequence[bytes], new: Sequence[bytes]) -> int:
    """Return how many lines at the start are equal."""
    return next((k for k, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))


def _changed_branches(
    before: FileResult, now: FileResult, lines: dict[int, int], changed: set[int]
) -> tuple[tuple[Arc, ...], tuple[Arc, ...]]:
    """Return the branches no longer taken, and those newly taken, except those of lines in `changed`."""
    if not before.has_arcs or not now.has_arcs:
        return (), ()

    def moved(line: int) -> int:
        return lines.get(line, 0) if line > 0 else -lines.get(-line, 0)

    def here(arcs: Sequence[Arc]) -> set[Arc]:
        found = {(moved(start), moved(end)) for start, end in arcs}
        return {arc for arc in found if 0 not in arc and arc[0] not in changed}

    lost = here(before.executed_branches) & set(now.missing_branches)
    gained = here(before.missing_branches) & set(now.executed_branches)
    return tuple(sorted(lost)), tuple(sorted(gained))
