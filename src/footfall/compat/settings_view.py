"""`Coverage.config`: the settings as attributes with coverage.py's names and values."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

from footfall.config.configuration import KNOWN, WITHOUT_EFFECT

if TYPE_CHECKING:
    from footfall.compat.options import Options

__all__ = ["SettingsView"]

_RENAMED: Final = {
    "exclude_lines": "exclude_list",
    "html_directory": "html_dir",
    "partial_branches": "partial_list",
    "partial_branches_always": "partial_always_list",
}
"""footfall's field name -> coverage.py's."""

_OF_HTML: Final = {"skip_covered": "html_skip_covered", "skip_empty": "html_skip_empty"}
"""Options of [html] that coverage.py names this way because [report] has the same ones."""

_OPTIONS: Final = {
    **{
        _RENAMED.get(field, field): f"{section}:{option}"
        for (section, option), (field, _) in KNOWN.items()
        if not section.startswith("tool.")
    },
    **{
        _OF_HTML.get(option, option) if section == "html" else option: f"{section}:{option}"
        for section, option in WITHOUT_EFFECT
    },
    "paths": "paths",
}
"""coverage.py's attribute name -> "section:option"."""

_AS_THEY_ARE: Final = ("config_file", "config_files_attempted", "config_files_read", "plugin_options")


class SettingsView:
    """Reads and sets the settings of one `Coverage`; copies are independent, as with coverage.py's object."""

    __slots__ = ("_options",)

    _options: Options

    def __init__(self, options: Options) -> None:
        object.__setattr__(self, "_options", options)

    def __getattr__(self, name: str) -> Any:
        if name in _OPTIONS:
            return self._options.get(_OPTIONS[name])
        if name in _AS_THEY_ARE:
            return getattr(self._options.config, name)
        raise AttributeError(f"coverage.py's settings have no {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _OPTIONS:
            raise AttributeError(f"coverage.py's settings have no {name!r} that could be set")
        self._options.set(_OPTIONS[name], value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_OPTIONS, *_AS_THEY_ARE})

    def get_option(self, option_name: str) -> Any:
        """Return the value of "section:option". Raises ConfigError."""
        return self._options.get(option_name)

    def set_option(self, option_name: str, value: Any) -> None:
        """Set "section:option" to another value. Raises ConfigError."""
        self._options.set(option_name, value)

    def get_plugin_options(self, plugin: str) -> dict[str, Any]:
        """Return the settings of a plugin, by its name in `plugins`."""
        return self._options.config.plugin_options.get(plugin, {})

    def debug_info(self) -> list[tuple[str, Any]]:
        """Return all names and values, sorted by name."""
        return [(name, getattr(self, name)) for name in sorted({*_OPTIONS, *_AS_THEY_ARE}) if not name.startswith("_")]

    def copy(self) -> SettingsView:
        """Return settings that can be changed independently of these."""
        return SettingsView(copy.deepcopy(self._options))
