"""A configuration as coverage.py's programs and plugins see it: `get` and `set` by "section:option"."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Mapping
from typing import Any, Final

from footfall.config.configuration import Config, field_of_option, is_without_effect, kind_of_option
from footfall.config.exclusions import DEFAULT_EXCLUDE, DEFAULT_PARTIAL, DEFAULT_PARTIAL_ALWAYS

__all__ = ["NamedOptions"]

_NONE_UNTIL_SET: Final = {
    "run:command_line": "",
    "run:context": "",
    "run:dynamic_context": "",
    "run:source": [],
    "report:contexts": [],
    "report:format": "text",
    "report:include": [],
    "report:omit": [],
    "report:sort": "name",
}
"""Settings that are None in coverage.py until they are set, and the corresponding value in a Config."""

_NOT_SET: Final[dict[str, object]] = {
    "run:concurrency": [],
    "run:debug": [],
    "run:sigterm": False,
    "run:timid": False,
    "html:show_contexts": False,
}
"""coverage.py's values of the settings without effect until they are set; the others are None."""


class NamedOptions:
    """A Config, and those of coverage.py's settings that have no field in it."""

    def __init__(self, config: Config) -> None:
        """Put the patterns in effect into the configuration, as lists that can be appended to."""
        exclude = DEFAULT_EXCLUDE if config.exclude_lines is None else config.exclude_lines
        partial = DEFAULT_PARTIAL if config.partial_branches is None else config.partial_branches
        always = config.partial_branches_always
        config.exclude_lines = [*exclude, *config.exclude_also]
        config.partial_branches = [*partial, *config.partial_also]
        config.partial_branches_always = list(DEFAULT_PARTIAL_ALWAYS if always is None else always)
        self.config = config

    def get(self, name: str) -> Any:
        """Return the value of "section:option". Raises LookupError if coverage.py has no such option."""
        if name == "paths":
            return self.config.paths
        field = field_of_option(name)
        if field is not None and not name.startswith("tool."):
            value = getattr(self.config, field)
            return None if name in _NONE_UNTIL_SET and value == _NONE_UNTIL_SET[name] else value
        if is_without_effect(name):
            # a new list each time the default is stored, because it may be appended to
            return self.config.without_effect.setdefault(name, copy.copy(_NOT_SET.get(name)))
        plugin, _, option = name.partition(":")
        if plugin in self.config.plugins:
            return self.config.plugin_options.get(plugin, {}).get(option)
        raise LookupError(f"No such option: {name!r}")

    def set(self, name: str, value: Any) -> None:
        """Set "section:option" to another value.

        Raises LookupError if coverage.py has no such option, TypeError for a value that the option can't have.
        """
        if name == "paths":
            self.config.paths = _checked_paths(value)
            return
        field = field_of_option(name)
        plugin, _, option = name.partition(":")
        if field is not None and not name.startswith("tool."):
            if value is None and name in _NONE_UNTIL_SET:
                value = copy.copy(_NONE_UNTIL_SET[name])
            setattr(self.config, field, _checked(name, value))
        elif is_without_effect(name):
            is_any = value is None or kind_of_option(name) == "flag"
            self.config.without_effect[name] = value if is_any else _checked(name, value)
        elif plugin in self.config.plugins:
            self.config.plugin_options.setdefault(plugin, {})[option] = value
        else:
            raise LookupError(f"No such option: {name!r}")


def _checked(name: str, value: Any) -> Any:
    """Return a value as its option has it; as in coverage.py, anything is true or false. Raises TypeError."""
    kind = kind_of_option(name)
    if kind == "flag":
        return bool(value)
    if kind in ("list", "patterns"):
        return _checked_list(name, value)
    if kind in ("int", "float"):
        if not isinstance(value, (int, float) if kind == "float" else int):
            raise _wrong_type(name, "a number" if kind == "float" else "a whole number", value)
        return value
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        raise _wrong_type(name, "text", value)
    return value


def _checked_list(name: str, value: Any) -> list[str]:
    """Return the list itself, or one of any other collection of texts. Raises TypeError."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise _wrong_type(name, "a list of texts", value)
    items = value if isinstance(value, list) else list(value)
    for item in items:
        if not isinstance(item, str):
            raise _wrong_type(name, "a list of texts", item)
    return items


def _checked_paths(value: Any) -> dict[str, list[str]]:
    if not isinstance(value, Mapping):
        raise _wrong_type("paths", "lists of texts by name", value)
    return {str(key): list(_checked_list("paths", patterns)) for key, patterns in value.items()}


def _wrong_type(name: str, wanted: str, value: object) -> TypeError:
    return TypeError(f"{name} is {wanted}, not {type(value).__name__} {value!r:.60}")
