"""coverage.py's plugins of one `Coverage`: loaded as coverage.py loads them, raising whatever they raise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from footfall.compat.errors import PluginError
from footfall.config.configuration import Config
from footfall.config.plugins import NotAPluginError, Registry, keep_plugins, make_plugins

__all__ = ["describe", "load_plugins"]


def load_plugins(config: Config, functions: Sequence[Callable[[Registry], None]]) -> list[Any]:
    """Let the functions, or the configuration's modules if there are no functions, make their plugins.

    Those that measure files or name contexts are put into `config`; those that set options are returned.
    """
    configurers: list[Any] = []
    for maker in functions or config.plugins:
        try:
            registry = make_plugins(config, maker)
        except NotAPluginError as error:
            raise PluginError(str(error)) from None
        keep_plugins(config, registry)
        configurers += registry.configurers
    return configurers


def describe(plugins: Sequence[Any]) -> list[str]:
    """Return the plugins' names, as in coverage.py's `sys_info`."""
    return [plugin._coverage_plugin_name + ("" if plugin._coverage_enabled else " (disabled)") for plugin in plugins]
