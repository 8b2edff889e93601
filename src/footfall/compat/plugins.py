"""coverage.py's plugins of one `Coverage`: loaded as coverage.py loads them, raising whatever they raise."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from footfall.compat.errors import PluginError
from footfall.config.configuration import Config
from footfall.config.plugins import Registry

__all__ = ["describe", "load_plugins"]


def load_plugins(config: Config, functions: Sequence[Callable[[Registry], None]]) -> list[Any]:
    """Let the functions, or the configuration's modules if there are no functions, make their plugins.

    Those that measure files or name contexts are put into `config`; those that set options are returned.
    """
    made = []
    for function in functions:
        registry = Registry(None)
        function(registry)
        made.append(registry)
    if not functions:
        for name in config.plugins:
            init = getattr(importlib.import_module(name), "coverage_init", None)
            if init is None:
                raise PluginError(f"Plugin module {name!r} didn't define a coverage_init function")
            registry = Registry(name)
            init(registry, config.plugin_options.get(name, {}))
            made.append(registry)
    config.made_plugins = [plugin for registry in made for plugin in registry.all]
    config.file_tracers = [plugin for registry in made for plugin in registry.file_tracers]
    config.context_plugins = [plugin for registry in made for plugin in registry.context_plugins]
    return [plugin for registry in made for plugin in registry.configurers]


def describe(plugins: Sequence[Any]) -> list[str]:
    """Return the plugins' names, as in coverage.py's `sys_info`."""
    return [plugin._coverage_plugin_name + ("" if plugin._coverage_enabled else " (disabled)") for plugin in plugins]
