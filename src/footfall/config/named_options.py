"""A configuration as coverage.py's programs and plugins see it: `get` and `set` by "section:option"."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from footfall.config.configuration import Config, field_of_option, is_without_effect
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
        """Set "section:option" to another value. Raises LookupError if coverage.py has no such option."""
        if name == "paths":
            assert isinstance(value, Mapping)
            self.config.paths = {key: list(patterns) for key, patterns in value.items()}
            return
        field = field_of_option(name)
        plugin, _, option = name.partition(":")
        if field is not None and not name.startswith("tool."):
            unset = value is None and name in _NONE_UNTIL_SET
            setattr(self.config, field, copy.copy(_NONE_UNTIL_SET[name]) if unset else value)
        elif is_without_effect(name):
            self.config.without_effect[name] = value
        elif plugin in self.config.plugins:
            self.config.plugin_options.setdefault(plugin, {})[option] = value
        else:
            raise LookupError(f"No such option: {name!r}")
