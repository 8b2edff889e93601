"""coverage.py's plugins: those that set options are applied as they are, what others would measure is named.

A plugin is a module with `coverage_init(registry, options)` (coverage.py's documentation, "Plug-in classes"). They are
classes of coverage.py's, so a plugin needs it to be installed; footfall does not.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import sys
from collections.abc import Iterator
from typing import Any

from footfall.config.configuration import Config
from footfall.config.named_options import NamedOptions

__all__ = ["apply_plugins"]


class _Settings:
    """What a plugin that sets options is given, with the two methods of coverage.py's TConfigurable."""

    def __init__(self, options: NamedOptions) -> None:
        self.get_option = options.get
        self.set_option = options.set


class _Registry:
    """What `coverage_init` is given: keeps the plugins that set options, and the kinds of all others."""

    def __init__(self) -> None:
        self.configurers: list[Any] = []
        self.unsupported: list[str] = []

    def add_configurer(self, plugin: Any) -> None:
        self.configurers.append(plugin)

    def add_file_tracer(self, plugin: Any) -> None:
        self.unsupported.append("what it measures (templates, for example) is not in the data")

    def add_dynamic_context(self, plugin: Any) -> None:
        self.unsupported.append("its contexts are not recorded")

    def add_noop(self, plugin: Any) -> None:
        """A plugin that does nothing, for tests."""


def apply_plugins(config: Config) -> None:
    """Let the configuration's plugins set options in their order; add a warning for each that can't or does more.

    What a plugin that fails has set is taken back. Nothing that it raises goes further.
    """
    with _current_directory_importable():
        for name in config.plugins:
            registry = _Registry()
            before = copy.deepcopy({each: getattr(config, each) for each in Config.__slots__})
            try:
                init = importlib.import_module(name).coverage_init
                init(registry, dict(config.plugin_options.get(name, {})))
                for plugin in registry.configurers:
                    plugin.configure(_Settings(NamedOptions(config)))
            except (Exception, SystemExit) as error:
                for each, value in before.items():
                    setattr(config, each, value)
                config.warnings.append(("plugins-ignored", _failure(name, error)))
                config.unapplied_plugins.append(name)
                continue
            if registry.unsupported:
                config.warnings.append(
                    ("plugins-ignored", f"coverage.py's plugin {name} sets options only: {_joined(registry)}.")
                )
                config.unapplied_plugins.append(name)


def _failure(name: str, error: BaseException) -> str:
    text = (
        f"coverage.py's plugin {name} is not applied, and what it sets, such as fail_under, is not in force: {error!r}."
    )
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        if package == "coverage":
            return f"{text} It needs coverage.py beside footfall: pip install coverage"
        return f"{text} Install what has the module {package} where footfall is."
    return text


def _joined(registry: _Registry) -> str:
    return " and ".join(dict.fromkeys(registry.unsupported))


@contextlib.contextmanager
def _current_directory_importable() -> Iterator[None]:
    """Let plugins be modules of the project, as coverage.py does."""
    sys.path.insert(0, "")
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove("")
