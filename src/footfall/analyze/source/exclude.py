"""Lines that do not count: exclusion and partial-branch patterns, and what a match on a header also covers.

The rules are coverage.py's. Patterns are searched in the whole text (so they may span lines), each line that a match
touches is marked, and a mark on the header of a suite, a decorator or a signature covers all that belongs to it.
analysis.py calls this; analysis phase.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from footfall.analyze.source.lines import find_logical_end, find_suite_lines
from footfall.config.exclusions import DEFAULT_EXCLUDE, DEFAULT_PARTIAL, DEFAULT_PARTIAL_ALWAYS
from footfall.errors import UsageError

__all__ = ["ExclusionRules"]

# A text without any of these cannot match the default pattern, so most files are never searched.
_CONSTANTS = ("True:", "1:", "False:", "0:")
_NEEDED_TEXTS: Mapping[str, tuple[str, ...]] = {
    DEFAULT_EXCLUDE[0]: ("cover", "COVER"),
    DEFAULT_EXCLUDE[1]: ("...",),
    DEFAULT_EXCLUDE[2]: ("TYPE_CHECKING:",),
    DEFAULT_PARTIAL[0]: ("branch", "BRANCH"),
    DEFAULT_PARTIAL_ALWAYS[0]: tuple(f"while {constant}" for constant in _CONSTANTS),
    DEFAULT_PARTIAL_ALWAYS[1]: tuple(f"if {constant}" for constant in _CONSTANTS),
}
_has_group_reference = re.compile(r"\\[1-9]|\(\?P=|\(\?\(").search


@dataclass(frozen=True, slots=True)
class ExclusionRules:
    """The patterns in force: lines to leave out, and lines whose branches need not all be taken."""

    exclude: tuple[str, ...] = DEFAULT_EXCLUDE
    partial: tuple[str, ...] = DEFAULT_PARTIAL
    partial_always: tuple[str, ...] = DEFAULT_PARTIAL_ALWAYS

    @classmethod
    def from_settings(
        cls,
        exclude_lines: Iterable[str] | None = None,
        exclude_also: Iterable[str] = (),
        partial_branches: Iterable[str] | None = None,
        partial_also: Iterable[str] = (),
        partial_branches_always: Iterable[str] | None = None,
    ) -> "ExclusionRules":
        """Make rules from coverage.py's settings: `None` keeps the defaults, a list replaces them, `_also` adds.

        Blank patterns are dropped. Raises UsageError (`bad-pattern`) for one that is not a regular expression.
        """
        exclude = DEFAULT_EXCLUDE if exclude_lines is None else _check_patterns(exclude_lines)
        partial = DEFAULT_PARTIAL if partial_branches is None else _check_patterns(partial_branches)
        always: tuple[str, ...] = DEFAULT_PARTIAL_ALWAYS
        if partial_branches_always is not None:
            always = _check_patterns(partial_branches_always)
        return cls(exclude + _check_patterns(exclude_also), partial + _check_patterns(partial_also), always)

    def find_excluded(self, text: str, first_lines: dict[int, int]) -> set[int]:
        """Return the first lines of what the exclusion patterns mark, including suites below marked headers.

        The result includes blank lines that a pattern's match spans, as in coverage.py.
        """
        if not any(self.exclude):
            return set()
        marked = _find_matching_lines(self.exclude, text)
        if not marked:
            return set()
        excluded = {first_lines.get(line, line) for line in marked}
        lines = text.split("\n")
        for line in marked:
            if line > len(lines):
                continue
            first = first_lines.get(line, line)
            content = lines[first - 1].strip()
            if content in ("", "\\") or content[0] == "#":
                continue
            if line <= _find_last_code_line(lines, first_lines, first):
                excluded.update(find_suite_lines(lines, first_lines, first))
        return excluded

    def find_no_branch(self, text: str, first_lines: dict[int, int]) -> frozenset[int]:
        """Return the first lines of what the partial-branch patterns mark."""
        marked = _find_matching_lines(self.partial + self.partial_always, text)
        return frozenset([first_lines.get(line, line) for line in marked])


def _check_patterns(patterns: Iterable[str]) -> tuple[str, ...]:
    kept = tuple(stripped for pattern in patterns if (stripped := pattern.strip()))
    for pattern in kept:
        _compile(pattern)
    return kept


def _compile(pattern: str) -> re.Pattern[str]:
    """Compile one pattern, or several joined; re keeps the compiled form."""
    try:
        return re.compile(pattern, re.MULTILINE)
    except re.error as error:
        raise UsageError(
            "bad-pattern",
            f"Can't use the exclusion pattern {pattern!r}: {error}.",
            "Correct it in the coverage settings; see Python's re module for the syntax.",
        ) from error


def _find_matching_lines(patterns: tuple[str, ...], text: str) -> set[int]:
    """Return every line, counted from 1, that a match of any of `patterns` touches."""
    if not any(map(_has_group_reference, patterns)):
        possible = tuple(pattern for pattern in patterns if _can_match(pattern, text))
        if patterns and not possible:
            return set()
        patterns = possible
    joined = patterns[0] if len(patterns) == 1 else "|".join(f"(?:{pattern})" for pattern in patterns)
    found: set[int] = set()
    offset = 0
    line = 1
    for match in _compile(joined).finditer(text):
        start, end = match.span()
        line += text.count("\n", offset, start)
        offset = start
        found.update(range(line, line + text.count("\n", start, end) + 1))
    return found


def _can_match(pattern: str, text: str) -> bool:
    needed = _NEEDED_TEXTS.get(pattern)
    return needed is None or any(part in text for part in needed)


def _find_last_code_line(lines: list[str], first_lines: dict[int, int], first: int) -> int:
    """Return the line of a statement's last token; only backslashes and a comment may follow below it."""
    line = find_logical_end(lines, first_lines, first)
    while line > first and ((content := lines[line - 1].strip()) in ("", "\\") or content[0] == "#"):
        line -= 1
    return line
