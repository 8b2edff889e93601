"""File name patterns, as in coverage.py's `include`, `omit` and `[paths]`. Imports next to nothing."""

from footfall.files import comparable_path
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

__all__ = ["glob_matches"]


def glob_matches(pattern: str, path: str) -> bool:
    """Match a whole path: `*` and `?` stay within a folder, `**/` crosses folders, `[...]` is a set.

    As in coverage.py's patterns, one without a slash matches in any folder, a leading `*/` stands for
    any prefix, and a final `/*` for everything below. On Windows capital and small letters are equal, and so are
    slashes.
    """
    path = comparable_path(path)
    parts = _parts_by_pattern.get(pattern)
    if parts is None:
        if len(_parts_by_pattern) >= _MAX_KEPT:
            _parts_by_pattern.clear()
        parts = _parts_by_pattern[pattern] = _split(_normalized(comparable_path(pattern)))
    return _match(parts, 0, path, 0)


_ANYTHING = "\0"
_TEXT, _FOLDERS, _STAR, _CHARACTER, _SET, _REST = range(6)
"""Kinds of parts of a pattern."""
_MAX_KEPT = 1000
_parts_by_pattern: "dict[str, list[tuple[int, str]]]" = {}
"""Each file is compared with the same few patterns."""


def _normalized(pattern: str) -> str:
    if "/" not in pattern:
        pattern = "**/" + pattern
    without_lead = pattern.lstrip("*")
    if without_lead != pattern and without_lead.startswith("/"):
        pattern = "**" + without_lead
    without_tail = pattern.rstrip("*")
    if without_tail != pattern and without_tail.endswith("/"):
        pattern = without_tail + _ANYTHING
    return pattern


def _split(pattern: str) -> "list[tuple[int, str]]":
    """Return the parts of a pattern: kinds, each with its text or its set."""
    parts: list[tuple[int, str]] = []
    i = start = 0
    while i < len(pattern):
        char = pattern[i]
        kind, value, end = _TEXT, "", i + 1
        if char == _ANYTHING:
            kind = _REST
        elif pattern.startswith("**/", i):
            kind, end = _FOLDERS, i + 3
        elif char == "*":
            kind = _STAR
        elif char == "?":
            kind = _CHARACTER
        elif char == "[" and "]" in pattern[i + 2 :]:
            close = pattern.index("]", i + 2)
            kind, value, end = _SET, pattern[i + 1 : close], close + 1
        if kind != _TEXT:
            if start < i:
                parts.append((_TEXT, pattern[start:i]))
            parts.append((kind, value))
            start = end
        i = end
    if start < len(pattern):
        parts.append((_TEXT, pattern[start:]))
    return parts


def _match(parts: "list[tuple[int, str]]", i: int, path: str, j: int) -> bool:
    while i < len(parts):
        kind, value = parts[i]
        i += 1
        if kind == _TEXT:
            if not path.startswith(value, j):
                return False
            j += len(value)
            continue
        if kind == _REST:
            return True
        if kind == _FOLDERS:
            if _match(parts, i, path, j):
                return True
            slash = path.find("/", j)
            while slash >= 0:
                if _match(parts, i, path, slash + 1):
                    return True
                slash = path.find("/", slash + 1)
            return False
        if kind == _STAR:
            end = path.find("/", j)
            stop = len(path) if end < 0 else end
            return any(_match(parts, i, path, k) for k in range(j, stop + 1))
        if j >= len(path):
            return False
        if path[j] == "/" if kind == _CHARACTER else not _in_set(value, path[j]):
            return False
        j += 1
    return j == len(path)


def _in_set(spec: str, char: str) -> bool:
    negated = spec[:1] == "^"  # as in coverage.py, a set that begins with "^" is negated, as in a regex
    if negated:
        spec = spec[1:]
    k = 0
    found = False
    while k < len(spec):
        if k + 2 < len(spec) and spec[k + 1] == "-":
            found = found or spec[k] <= char <= spec[k + 2]
            k += 3
        else:
            found = found or spec[k] == char
            k += 1
    return found != negated
