"""The `[paths]` setting: maps other machines' source directories to local ones, as coverage.py does.

Reports apply it to a data file's paths before anything else, so that data from elsewhere finds its source.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from footfall.config.configuration import canonical_path
from footfall.errors import UsageError

__all__ = ["PathAliases"]


class PathAliases:
    """Maps paths by the first pattern that matches their beginning and whose result exists."""

    def __init__(self, paths: Iterable[list[str]], *, relative: bool) -> None:
        """`paths` are lists of [local directory, pattern...]; `relative` keeps paths relative to the project.

        Raises UsageError (`bad-path-alias`) for a pattern that ends with a wildcard, and for a directory with one.
        """
        self._relative = relative
        self._aliases: list[tuple[re.Pattern[str], str]] = []
        for result, *patterns in (each for each in paths if each):
            if patterns and ("*" in result or "?" in result):
                raise UsageError(
                    "bad-path-alias",
                    f"The first of [paths], {result!r}, has a wildcard.",
                    "Name the directory here first; patterns for those elsewhere follow.",
                )
            for pattern in patterns:
                self._add(pattern, result)

    def _add(self, pattern: str, result: str) -> None:
        separator = _separator_of(pattern)
        if len(pattern) > 1:
            pattern = pattern.rstrip("\\/")
        if pattern.endswith("*"):
            raise UsageError(
                "bad-path-alias",
                f"The pattern {pattern!r} in [paths] ends with a wildcard.",
                "Name the directory that stands for the one here; all below it follows.",
            )
        if not self._relative and not pattern.startswith("*") and not _is_absolute(pattern + separator):
            pattern = canonical_path(pattern)
        if not pattern.endswith(separator):
            pattern += separator
        regex = re.compile(_prefix_regex(pattern), re.IGNORECASE)
        self._aliases.append((regex, result.rstrip("\\/") + _separator_of(result)))

    def map(self, path: str) -> str:
        """Return the local path for a recorded path, or the path itself if no alias matches."""
        for regex, result in self._aliases:
            found = regex.match(path)
            if found is None:
                continue
            mapped = path.replace(found[0], result, 1).replace(_separator_of(path), _separator_of(result))
            if not self._relative:
                mapped = canonical_path(mapped)
            if mapped.startswith("./") and not (result.startswith("./") and len(result) > 2):
                mapped = mapped[2:]
            if os.path.exists(mapped):
                return mapped
        if not self._relative:
            return path
        here = os.getcwd().rstrip("/") + "/"
        return self._map_by_first_part(path.removeprefix(here))

    def _map_by_first_part(self, path: str) -> str:
        """Map a relative path of a project that was elsewhere: if "src/" is known, "any/src/a.py" is "src/a.py"."""
        first, separator, _rest = path.partition("/")
        if separator and first and not _is_absolute(path):
            regex = re.compile(rf"^(.*[\\/])?{re.escape(first)}[\\/]")
            if not any(known.pattern == regex.pattern for known, _ in self._aliases):
                self._aliases.append((regex, first + "/"))
        return path


def _separator_of(path: str) -> str:
    found = re.search(r"[\\/]", path)
    return found[0] if found else "/"


def _is_absolute(path: str) -> bool:
    """Return whether a path is absolute, on this system or on Windows."""
    return path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[\\/]", path) is not None


def _prefix_regex(pattern: str) -> str:
    """Translate a glob that ends with a slash to a regex for the start of a path. Either slash matches either."""
    pattern = pattern.replace("\\", "/")
    parts = []
    lead = re.match(r"\*+/", pattern)
    at = 0
    if lead:
        parts.append(r"(?:.*[/\\])?")
        at = lead.end()
    for token in re.findall(r"\*\*/|\*|\?|\[.*?\]|/|.", pattern[at:], re.DOTALL):
        if token == "**/":
            parts.append(r"(?:.*[/\\])?")
        elif token == "*":
            parts.append(r"[^/\\]*")
        elif token == "?":
            parts.append(r"[^/\\]")
        elif token == "/":
            parts.append(r"[/\\]")
        elif len(token) > 1:
            parts.append(token)
        else:
            parts.append(re.escape(token))
    return "".join(parts)
