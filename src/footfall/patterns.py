"""File name patterns, as in coverage.py's `include`, `omit` and `[paths]`. Imports next to nothing."""

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

__all__ = ["glob_matches"]


def glob_matches(pattern: str, path: str) -> bool:
    """Match a whole path: `*` and `?` stay within a folder, `**/` crosses folders, `[...]` is a set.

    As in coverage.py's patterns, one without a slash matches in any folder, a leading `*/` stands for
    any prefix, and a final `/*` for everything below.
    """
    return _match(_normalized(pattern), 0, path, 0)


_ANYTHING = "\0"


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


def _match(pattern: str, i: int, path: str, j: int) -> bool:
    while i < len(pattern):
        char = pattern[i]
        if char == _ANYTHING:
            return True
        if pattern.startswith("**/", i):
            if _match(pattern, i + 3, path, j):
                return True
            slash = path.find("/", j)
            while slash >= 0:
                if _match(pattern, i + 3, path, slash + 1):
                    return True
                slash = path.find("/", slash + 1)
            return False
        if char == "*":
            end = path.find("/", j)
            stop = len(path) if end < 0 else end
            return any(_match(pattern, i + 1, path, k) for k in range(j, stop + 1))
        if j >= len(path):
            return False
        if char == "[" and "]" in pattern[i + 2 :]:
            close = pattern.index("]", i + 2)
            if not _in_set(pattern[i + 1 : close], path[j]):
                return False
            i = close
        elif char == "?":
            if path[j] == "/":
                return False
        elif char != path[j]:
            return False
        i, j = i + 1, j + 1
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
