"""Plugins of coverage.py that act through coverage.py's own objects, which footfall does not have.

Such a plugin puts functions of its own in place of coverage.py's (`Coverage.save`, to add to what is saved, or the
parser, to exclude lines) or the standard library's (`subprocess.Popen`). Nothing in a plugin declares this, so it is
seen by what loading the plugin has replaced.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import Final

__all__ = ["note_acting_plugins"]

_MOST_NAMED: Final = 3


def note_acting_plugins(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return (slug, text) for each plugin among those that this process has loaded that acts in this way."""
    notes = []
    for name in dict.fromkeys(names):
        replaced = list(_find_replaced(name.partition(".")[0]))
        if not replaced:
            continue
        shown = ", ".join(replaced[:_MOST_NAMED])
        text = (
            f"coverage.py's plugin {name} replaces {shown} to act through coverage.py's objects, which footfall does"
            " not have: what it adds to the data, or excludes from reports, is not in these results. Where that"
            " matters, measure with coverage.py."
        )
        notes.append(("plugin-inactive", text))
    return notes


def _find_replaced(package: str) -> Iterator[str]:
    """Yield the names, of what coverage.py and the standard library have defined, that now belong to a package.

    Of coverage.py also the methods. Takes 2 ms.
    """
    seen: set[type] = set()
    for name, module in sorted(sys.modules.items()):
        top = name.partition(".")[0]
        if top == package or (top != "coverage" and top not in sys.stdlib_module_names):
            continue
        for attribute, value in list(getattr(module, "__dict__", {}).items()):
            if _package_of(value) == package:
                yield f"{name}.{attribute}"
            elif top == "coverage" and isinstance(value, type) and value not in seen:
                seen.add(value)
                yield from (f"{name}.{attribute}.{method}" for method in _methods_of(value, package))


def _methods_of(owner: type, package: str) -> Iterator[str]:
    for method, value in list(vars(owner).items()):
        if _package_of(getattr(value, "__func__", value)) == package:
            yield method


def _package_of(value: object) -> str:
    """Return the package that defines a function or class, "" for anything else; decorators don't hide a function's."""
    name: object
    if isinstance(value, FunctionType):
        namespace: dict[str, object] | None = value.__globals__  # None: a builtin function of PyPy's
        name = namespace.get("__name__") if namespace else None
    elif isinstance(value, type):
        name = getattr(value, "__module__", None)
    else:
        return ""
    return name.partition(".")[0] if isinstance(name, str) else ""
