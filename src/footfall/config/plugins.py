"""coverage.py's plugins: those that set options are applied; those that measure files or name contexts are kept.

A plugin is a module with `coverage_init(registry, options)` (coverage.py's documentation, "Plug-in classes"). Plugins
are subclasses of coverage.py's classes, so they need coverage.py to be installed; footfall does not.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any, Final

from footfall.config.acting_plugins import acts_in_processes, find_acting
from footfall.config.configuration import Config
from footfall.config.named_options import NamedOptions
from footfall.errors import describe_error

__all__ = [
    "NotAPluginError",
    "apply_plugins",
    "describe_plugins",
    "keep_plugins",
    "load_described",
    "make_plugins",
    "traces_frames",
]

_OBJECTS: Final = ("acting_plugins", "context_plugins", "file_tracers", "made_plugins")
_NOT_DESCRIBED: Final = (*_OBJECTS, "warnings")
_TRACING: Final = (("Cython.Coverage", "Plugin"),)
"""Module and name of the classes of plugins whose files report their lines to a trace function only. Code that Cython
compiled for tracing makes frames for that; what it reports to sys.monitoring (from 3.13 on, depending on how it was
compiled) has no frames, which plugins need."""


class NotAPluginError(Exception):
    """A module that is named as a plugin has no `coverage_init`."""


class _Settings:
    """The object passed to a plugin that sets options, with the two methods of coverage.py's TConfigurable."""

    def __init__(self, options: NamedOptions) -> None:
        self.get_option = options.get
        self.set_option = options.set


class Registry:
    """The object passed to `coverage_init`: keeps the plugins of a module by kind.

    The module is None for a program's function.
    """

    def __init__(self, module: str | None) -> None:
        self._module = module
        self.configurers: list[Any] = []
        self.file_tracers: list[Any] = []
        self.context_plugins: list[Any] = []
        self.all: list[Any] = []
        """Those of any kind, in order."""

    def add_configurer(self, plugin: Any) -> None:
        self.configurers.append(self._named(plugin))

    def add_file_tracer(self, plugin: Any) -> None:
        self.file_tracers.append(self._named(plugin))

    def add_dynamic_context(self, plugin: Any) -> None:
        self.context_plugins.append(self._named(plugin))

    def add_noop(self, plugin: Any) -> None:
        self._named(plugin)

    def _named(self, plugin: Any) -> Any:
        """Keep the plugin, with the attributes that coverage.py gives it: data files contain its name."""
        plugin._coverage_plugin_name = f"{self._module}.{type(plugin).__name__}"
        plugin._coverage_enabled = True
        self.all.append(plugin)
        return plugin


def make_plugins(config: Config, maker: str | Callable[[Registry], None]) -> Registry:
    """Let a module, with its options, or a program's function make plugins.

    Raises NotAPluginError for a module without `coverage_init`, and whatever the maker raises.
    """
    if not isinstance(maker, str):
        registry = Registry(None)
        maker(registry)
        return registry
    init = getattr(importlib.import_module(maker), "coverage_init", None)
    if init is None:
        raise NotAPluginError(f"Plugin module {maker!r} didn't define a coverage_init function")
    registry = Registry(maker)
    init(registry, dict(config.plugin_options.get(maker, {})))
    return registry


def keep_plugins(config: Config, registry: Registry) -> None:
    """Add the plugins that were made to those of a configuration. Its lists may be those of another one, too."""
    config.made_plugins = [*config.made_plugins, *registry.all]
    config.file_tracers = [*config.file_tracers, *registry.file_tracers]
    config.context_plugins = [*config.context_plugins, *registry.context_plugins]


def apply_plugins(config: Config, directory: str = "") -> None:
    """Let the configuration's plugins set options in their order; add a warning for each that fails.

    Those that measure files are added to `config.file_tracers`, those that name contexts to `config.context_plugins`.
    The options that a failing plugin has set are reset. No exception of a plugin is passed on. Modules of the project
    in `directory` (default: the current one) can be plugins.
    """
    with _importable(directory):
        for name in config.plugins:
            before = copy.deepcopy({each: getattr(config, each) for each in Config.__slots__ if each not in _OBJECTS})
            try:
                registry = make_plugins(config, name)
                for plugin in registry.configurers:
                    plugin.configure(_Settings(NamedOptions(config)))
            except (Exception, SystemExit) as error:
                for each, value in before.items():
                    setattr(config, each, value)
                config.warnings.append(("plugins-ignored", _failure(name, error)))
                config.unapplied_plugins.append(name)
                continue
            keep_plugins(config, registry)
    config.acting_plugins = find_acting([name for name in config.plugins if name not in config.unapplied_plugins])


def traces_frames(plugin: Any) -> bool:
    """Return whether a plugin's files report to a trace function only, whoever registered it, under whatever name."""
    return any((each.__module__, each.__qualname__) in _TRACING for each in type(plugin).__mro__)


def describe_plugins(config: Config) -> str:
    """Return the text from which `load_described` loads plugins in measured processes; "" if there are none to load."""
    plugins = [*config.file_tracers, *config.context_plugins]
    needed = {plugin._coverage_plugin_name.rpartition(".")[0] for plugin in plugins}
    needed.update(name for name, replaced in config.acting_plugins.items() if acts_in_processes(replaced))
    modules = [name for name in dict.fromkeys(config.plugins) if name in needed]
    if not modules:
        return ""
    described = {each.name: getattr(config, each.name) for each in fields(config) if each.name not in _NOT_DESCRIBED}
    described["plugins"] = modules
    return json.dumps(described, default=str)


def load_described(described: str, directory: str, data_file: str) -> Config:
    """Load plugins in a measured process into the configuration that is described; failures are in its `warnings`.

    `data_file` is the name of the data files that plugins write in this process.
    """
    config = Config(**json.loads(described))
    config.data_file = data_file
    apply_plugins(config, directory)
    return config


def _failure(name: str, error: BaseException) -> str:
    text = (
        f"coverage.py's plugin {name} is not applied, and what it sets, such as fail_under, is not in force: "
        f"{describe_error(error)}."
    )
    package = (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""
    if package == "coverage" and _is_shim_in_place():
        return f"{text} It needs coverage.py's own package, and that of `footfall shim` comes first: unset PYTHONPATH."
    if package and isinstance(error, ModuleNotFoundError):
        if package == "coverage":
            return f"{text} It needs coverage.py beside footfall: pip install coverage"
        return f"{text} Install what has the module {package} where footfall is."
    return text


def _is_shim_in_place() -> bool:
    """Return whether `import coverage` gives footfall's classes."""
    owner = getattr(sys.modules.get("coverage"), "Coverage", None)
    return getattr(owner, "__module__", "").startswith("footfall.")


@contextlib.contextmanager
def _importable(directory: str) -> Iterator[None]:
    """Let modules of the project be plugins; as in coverage.py, they are searched last."""
    sys.path.append(directory)
    try:
        yield
    finally:
        if directory in sys.path:
            del sys.path[len(sys.path) - 1 - sys.path[::-1].index(directory)]
