"""Plugins of coverage.py that act in the measured program through coverage.py's own objects, which footfall has not.

Such a plugin puts functions of its own in place of coverage.py's (`Coverage.save`, to add data of its own to what is
saved) or the standard library's (`subprocess.Popen`). Nothing in a plugin declares this, so it is seen by what loading
the plugin has replaced.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import Final

__all__ = ["note_acting_plugins"]

_CLASSES: Final = ("Coverage", "CoverageData")
_MOST_NAMED: Final = 3


def note_acting_plugins(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return (slug, text) for each plugin among those that this process has loaded whose data footfall can't have."""
    notes = []
    for name in dict.fromkeys(names):
        replaced = list(_find_replaced(name.partition(".")[0]))
        if not replaced:
            continue
        shown = ", ".join(replaced[:_MOST_NAMED])
        text = (
            f"What coverage.py's plugin {name} adds to the data while the program runs is not in the results: it"
            f" replaces {shown}, and works with coverage.py's objects, which footfall does not have. Measure these"
            " files with coverage.py."
        )
        notes.append(("plugin-inactive", text))
    return notes


def _find_replaced(package: str) -> Iterator[str]:
    """Yield the names, of functions and classes of coverage.py and the standard library, that now belong to a package.

    Takes 2 ms.
    """
    for name, module in sorted(sys.modules.items()):
        top = name.partition(".")[0]
        if top == package or (top != "coverage" and top not in sys.stdlib_module_names):
            continue
        for attribute, value in list(getattr(module, "__dict__", {}).items()):
            if _package_of(value) == package:
                yield f"{name}.{attribute}"
    for class_name in _CLASSES:
        owner = getattr(sys.modules.get("coverage"), class_name, None)
        for attribute, value in list(getattr(owner, "__dict__", {}).items()):
            if _package_of(getattr(value, "__func__", value)) == package:
                yield f"coverage.{class_name}.{attribute}"


def _package_of(value: object) -> str:
    """Return the package that defines a function or class, "" for anything else; decorators don't hide a function's."""
    if isinstance(value, FunctionType):
        name = value.__globals__.get("__name__")
    elif isinstance(value, type):
        name = getattr(value, "__module__", None)
    else:
        return ""
    return name.partition(".")[0] if isinstance(name, str) else ""
