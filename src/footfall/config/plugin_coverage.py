"""A `Coverage` of coverage.py's own class for plugins that act through it: it has the run's settings, and never traces.

What a plugin put in place of coverage.py's functions is called through it as coverage.py would call it: at the end of a
measured process, when the run's data is written, and in reports. Only loaded for projects with such plugins.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import Any, Final

from footfall.config.configuration import KNOWN, WITHOUT_EFFECT, Config
from footfall.config.named_options import NamedOptions

__all__ = ["make_coverage", "start_saving"]

_GIVEN: Final = ("run:data_file", "run:parallel", "run:patch", "run:plugins")
"""Options that are set otherwise, or must not act."""


class _Idle:
    """In place of coverage.py's parts that trace: each of its methods does nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("__"):
            raise AttributeError(name)
        return _do_nothing


def _do_nothing(*_: object, **__: object) -> None:
    return None


def make_coverage(config: Config, data_file: str | None) -> Any:
    """Return a `coverage.Coverage` with these settings and the plugins that they have made.

    It writes data files whose names begin with `data_file` and end with a process's number, None for none at all.
    Raises whatever coverage.py, or a plugin's replacement in it, raises.
    """
    import coverage

    cov: Any = coverage.Coverage(data_file=data_file, data_suffix=True, config_file=False, messages=False)
    options = NamedOptions(copy.copy(config))
    for section, option in (*KNOWN, *WITHOUT_EFFECT):
        name = f"{section}:{option}"
        value = None if section.startswith("tool.") or name in _GIVEN else options.get(name)
        if value is not None:
            with contextlib.suppress(coverage.CoverageException):  # an option that is newer than this coverage.py
                cov.set_option(name, value)
    cov.set_option("paths", config.paths)
    cov.config.config_file = config.config_file or None
    cov._init()
    cov.config.plugins = list(config.plugins)
    cov.config.plugin_options = copy.deepcopy(config.plugin_options)
    for plugin in config.made_plugins:
        cov._plugins.current_module = plugin._coverage_plugin_name.rpartition(".")[0]
        cov._plugins.add_noop(plugin)
    cov._plugins.current_module = None
    cov._init_data(True)
    cov._data.set_context(config.context)
    return cov


def start_saving(config: Config, data_file: str) -> Callable[[], None]:
    """Make a measured process's current `Coverage`; return the function that ends it and writes its data.

    Raises, as does the function, whatever coverage.py or a plugin's replacement in it raises.
    """
    cov = make_coverage(config, data_file)

    def idle() -> None:
        cov._collector = cov._inorout = _Idle()

    cov._init_for_start = idle
    cov.start()

    def stop_and_save() -> None:
        cov.stop()
        cov.save()

    return stop_and_save
