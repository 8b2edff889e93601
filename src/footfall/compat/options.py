"""coverage.py's settings for a `Coverage`: from its arguments, the configuration files, `get_option`, `set_option`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from footfall.compat.errors import ConfigError, CoverageException, unsupported
from footfall.config.configuration import Config
from footfall.config.named_options import NamedOptions
from footfall.config.reading import read_config

__all__ = ["EXCLUSIONS", "Options", "copied", "given", "listed", "measures_children", "refusal"]

EXCLUSIONS = {
    "exclude": ("exclude_lines", "exclude_also"),
    "partial": ("partial_branches", "partial_also"),
    "partial_always": ("partial_branches_always", ""),
}
"""coverage.py's names of pattern lists: the field with the complete list, and the one with the added patterns."""

_DATA_PREFIX = ":data:"


class Options(NamedOptions):
    """The settings of one `Coverage`, raising coverage.py's errors."""

    def __init__(self, config_file: str | os.PathLike[str] | bool) -> None:
        """Read the configuration: the usual files, one by its name, or (False) none. Raises UsageError, ConfigError."""
        if isinstance(config_file, bool):
            named = None
        else:
            named = os.fspath(config_file)
            if named.startswith(_DATA_PREFIX):
                raise unsupported(
                    f"Coverage(config_file={named[:12]!r}...)",
                    "it is coverage.py's own form of settings for processes that it starts",
                    "Use `footfall run`, which measures all processes.",
                )
        if config_file is False:
            config = Config(branch=False, data_file=os.environ.get("COVERAGE_FILE") or ".coverage")
        else:
            config = read_config(named, branch=False, with_plugins=False)
        super().__init__(config)

    def get(self, name: str) -> Any:
        """Return the value of "section:option". Raises ConfigError if coverage.py has no such option."""
        try:
            return super().get(name)
        except LookupError as error:
            raise ConfigError(str(error)) from error

    def set(self, name: str, value: Any) -> None:
        """Set "section:option" to another value. Raises ConfigError if coverage.py has no such option or value."""
        try:
            super().set(name, value)
        except (LookupError, TypeError) as error:
            raise ConfigError(str(error)) from error


def listed(value: str | Iterable[str] | None) -> list[str] | None:
    """Return as a list what coverage.py accepts as one text or several; None means not given."""
    if value is None:
        return None
    return [value] if isinstance(value, str) else list(value)


def given(config: Config, **values: Any) -> Config:
    """Return the configuration with those values that are not None."""
    return replace(config, **{name: value for name, value in values.items() if value is not None})


def copied(config: Config) -> Config:
    """Return the settings as they are now: programs change the lists in them."""
    copy = replace(config)
    for each in fields(config):
        value = getattr(config, each.name)
        if isinstance(value, list | dict):
            setattr(copy, each.name, value.copy())
    return copy


def measures_children(config: Config) -> bool:
    """Return whether coverage.py would measure processes that are started while this one is measured."""
    return "multiprocessing" in config.concurrency or "subprocess" in config.patch


def refusal(config: Config) -> CoverageException | None:
    """Return why coverage.py could not measure with these settings; None if it could."""
    if config.cover_pylib:
        return unsupported(
            "cover_pylib=True", "the standard library is never measured", "Leave it out, or measure by coverage.py."
        )
    return None
