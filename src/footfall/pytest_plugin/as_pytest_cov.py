"""The plugin name `pytest_cov`, for `-p pytest_cov`, `required_plugins` and plugins that refer to it by name.

There is an entry point of that name, so pytest finds it if pytest-cov is not installed. If pytest-cov is installed,
this gives way to it, whichever of the two pytest found first.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from typing import Any, Final

import pytest

from footfall import pytest_plugin

__all__: list[str] = []

_NAME: Final = "pytest_cov"
_DISTRIBUTION: Final = "pytest-cov"
_VERSION: Final = "7.1.0"  # the version whose options these are


class _StandIn(importlib.metadata.Distribution):
    """What pytest needs from a plugin's distribution: its name and version."""

    def read_text(self, filename: str) -> str | None:
        return f"Name: {_DISTRIBUTION}\nVersion: {_VERSION}\n" if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        return path


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Give way to pytest-cov, or make sure that footfall's plugin, which adds its options, is loaded."""
    if importlib.util.find_spec(_NAME) is not None:
        _make_way(pluginmanager)
        return
    if not pluginmanager.is_registered(pytest_plugin):  # with PYTEST_DISABLE_PLUGIN_AUTOLOAD
        pluginmanager.register(pytest_plugin, "footfall")
    config = pluginmanager.get_plugin("pytestconfig")
    if config is not None and any(_DISTRIBUTION in text for text in config.getini("required_plugins")):
        _add_distribution(pluginmanager, sys.modules[__name__], _StandIn())


def _make_way(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.unregister(name=_NAME)
    try:
        distribution = importlib.metadata.distribution(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return  # a module of that name that nobody registered
    (entry,) = distribution.entry_points.select(group="pytest11", name=_NAME)
    plugin = entry.load()
    pluginmanager.register(plugin, name=_NAME)
    _add_distribution(pluginmanager, plugin, distribution)


def _add_distribution(
    pluginmanager: pytest.PytestPluginManager, plugin: object, distribution: importlib.metadata.Distribution
) -> None:
    pluginmanager._plugin_distinfo.append((plugin, distribution))  # pluggy's list; there is no other way to add one
