"""Plugins of coverage.py that act by replacing functions, of coverage.py or of the standard library.

Such a plugin puts functions of its own in place of coverage.py's (`Coverage.save`, to add to what is saved, or the
parser's, to exclude lines) or the standard library's (`subprocess.Popen`). Nothing in a plugin declares this, so it is
seen by what is replaced once the plugin is loaded. Measured processes load these plugins too, and what they replaced of
coverage.py is called (config/plugin_coverage.py) as far as it has a part in a run or a report of footfall; the rest is
named.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from types import FunctionType, MethodType
from typing import Final

__all__ = ["acts_in_processes", "changes_analysis", "changes_data", "find_acting", "note_without_effect"]

_MOST_NAMED: Final = 3
_COVERAGE: Final = "coverage"
_OWNERS: Final = (_COVERAGE, "footfall")
"""Packages whose own things in the standard library are no plugin's."""

_NAMEDTUPLE: Final = "namedtuple_"
"""How the modules of the functions that `collections.namedtuple` makes begin."""

_WRAPPERS: Final = (property, classmethod, staticmethod, MethodType, partial, cached_property)

_SAVING: Final = tuple(
    f"coverage.control.Coverage.{name}"
    for name in ("__init__", "_init", "_init_data", "get_data", "get_option", "save", "set_option", "start", "stop")
) + tuple(
    f"coverage.sqldata.CoverageData.{name}"
    for name in (
        "__init__",
        "add_arcs",
        "add_file_tracers",
        "add_lines",
        "set_context",
        "touch_file",
        "touch_files",
        "write",
    )
)
"""What is called when a measured process ends, and when the run's data is written."""

_ANALYSIS: Final = ("bytecode", "misc", "parser", "phystokens", "plugin", "python", "regions")
"""Modules of coverage.py that tell what counts in a Python file."""


def find_acting(plugins: Sequence[str]) -> dict[str, list[str]]:
    """Return what each loaded plugin has replaced, if anything: names such as "coverage.control.Coverage.save".

    A function belongs to the plugin of its package. One in coverage.py that no plugin's package defines was put there
    by a library that a plugin uses: it counts for each. Takes 25 ms with all modules that footfall may have loaded.
    """
    acting: dict[str, list[str]] = {}
    if not plugins or _COVERAGE not in sys.modules:
        return acting
    owners: dict[str, list[str]] = {}
    for plugin in dict.fromkeys(plugins):
        owners.setdefault(plugin.partition(".")[0], []).append(plugin)
    for name, package in _find_replaced():
        for plugin in owners.get(package) or (plugins if name.startswith(f"{_COVERAGE}.") else ()):
            acting.setdefault(plugin, []).append(name)
    return acting


def _find_replaced() -> Iterator[tuple[str, str]]:
    """Yield the name and the package of each thing in coverage.py and the standard library that neither defined.

    Of classes also the methods.
    """
    seen: set[type] = set()
    for name, module in sorted(sys.modules.items()):
        top = name.partition(".")[0]
        if top != _COVERAGE and top not in sys.stdlib_module_names:
            continue
        namespace = getattr(module, "__dict__", {})
        for attribute, value in list(namespace.items()):
            if type(value) is FunctionType and value.__globals__ is namespace:
                continue
            package = _foreign_package(value)
            if package:
                yield f"{name}.{attribute}", package
            elif isinstance(value, type) and value not in seen and value.__module__.partition(".")[0] == top:
                seen.add(value)
                yield from _replaced_methods(value, namespace)


def _replaced_methods(owner: type, namespace: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for method, value in list(vars(owner).items()):
        if type(value) is FunctionType and value.__globals__ is namespace:
            continue
        package = _foreign_package(value)
        if package:
            yield f"{owner.__module__}.{owner.__qualname__}.{method}", package


def _foreign_package(value: object) -> str:
    """Return the package that defines something callable, "" for what coverage.py, the library or nobody defines."""
    while isinstance(value, _WRAPPERS):
        value = _inner(value)
    name: object
    if isinstance(value, FunctionType):
        namespace: dict[str, object] | None = value.__globals__  # None: a builtin function of PyPy's
        name = namespace.get("__name__") if namespace else None
    elif isinstance(value, type):
        name = value.__module__
    else:
        name = type(value).__module__
    package = name.partition(".")[0] if isinstance(name, str) else ""
    if not package or package in _OWNERS or package in sys.stdlib_module_names or package.startswith(_NAMEDTUPLE):
        return ""
    return package if callable(value) else ""


def _inner(value: object) -> object:
    """Return the function in a descriptor or wrapper."""
    if isinstance(value, property):
        return value.fget
    if isinstance(value, (partial, cached_property)):
        return value.func
    return getattr(value, "__func__", None)


def acts_in_processes(replaced: Iterable[str]) -> bool:
    """Return whether functions are replaced that matter while the program runs, or when it ends."""
    return any(name in _SAVING or name.partition(".")[0] != _COVERAGE for name in replaced)


def changes_data(replaced: Iterable[str]) -> bool:
    """Return whether functions are replaced that coverage.py calls when it saves what ran."""
    return any(name in _SAVING for name in replaced)


def changes_analysis(replaced: Iterable[str]) -> bool:
    """Return whether functions are replaced that tell what counts in a Python file."""
    return any(_is_of_analysis(name) for name in replaced)


def note_without_effect(acting: Mapping[str, Iterable[str]]) -> list[tuple[str, str]]:
    """Return (slug, text) for each plugin that replaced something of coverage.py that footfall does not call.

    `acting` has the names of what each plugin replaced.
    """
    notes = []
    for plugin, replaced in acting.items():
        names = [name for name in replaced if _is_unused(name)]
        if not names:
            continue
        shown = ", ".join(names[:_MOST_NAMED])
        text = (
            f"coverage.py's plugin {plugin} replaces {shown}, which footfall does not call: what it changes is not"
            " in these results. Where that matters, use coverage.py."
        )
        notes.append(("plugin-inactive", text))
    return notes


def _is_of_analysis(name: str) -> bool:
    top, _, inner = name.partition(".")
    return top == _COVERAGE and inner.partition(".")[0] in _ANALYSIS


def _is_unused(name: str) -> bool:
    return name.partition(".")[0] == _COVERAGE and name not in _SAVING and not _is_of_analysis(name)
