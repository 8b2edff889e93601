"""Places in code as tables show them: short names of files and lines, and whose code a path is."""

from __future__ import annotations

import os
import re
from typing import Final

from footfall.analyze.profile.calltree import has_source
from footfall.analyze.profile.line_places import Sources
from footfall.config.configuration import shown_path

__all__ = ["SOURCES", "is_footfall", "is_library", "names_file", "short_path", "shown_place"]

_BUILT_IN = ("<frozen ", "<builtin>/")
"""Prefixes of file names of code that is part of the interpreter; the second is PyPy's."""
_LIBRARY = re.compile(r".*/(?:site|dist)-packages/|.*/lib/(?:python|pypy)\d+\.\d+t?/")


def is_library(path: str) -> bool:
    """Return whether a path belongs to an installed package or the interpreter, or has no source (`<gc>`, `<import>`).

    A text that a program compiled (`<string>`) counts as the program's.
    """
    return path.startswith(_BUILT_IN) or not has_source(path) or _LIBRARY.match(path) is not None


_INSTALLED_FOOTFALL = re.compile(r".*/(?:site|dist)-packages/footfall/")
_FOOTFALL = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def is_footfall(path: str) -> bool:
    """Return whether a path is footfall's own code, installed or running, unless footfall is the project here."""
    if _INSTALLED_FOOTFALL.match(path) is not None:
        return True
    return path.startswith(_FOOTFALL) and shown_path(path) == path


def names_file(path: str) -> bool:
    """Return whether a name is that of a file: an existing one, or a Python file in a directory that is not here.

    If its directory exists but the file does not, a program made the name up, and many texts may share it.
    """
    if os.path.isfile(path):
        return True
    return path.endswith((".py", ".pyw")) and not os.path.isdir(os.path.dirname(path) or ".")


SOURCES: Final = Sources(names_file, is_footfall)
"""What tables need to know about paths."""


def short_path(path: str) -> str:
    """Return a path for a narrow column: relative to the project or to the library's directory."""
    shown = shown_path(path)
    return shown if shown != path else _LIBRARY.sub("", path)


def shown_place(path: str, line: int) -> str:
    """Return a line for a narrow column, or the file without a line; "" if there is no file (`<gc>`, `<import>`)."""
    if line:
        return f"{short_path(path)}:{line}"
    return short_path(path) if has_source(path) else ""
