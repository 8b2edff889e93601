"""The names of `coverage.exceptions`."""

from footfall.compat.errors import (
    ConfigError,
    CoverageException,
    CoverageWarning,
    DataError,
    NoCode,
    NoDataError,
    NoSource,
    NotPython,
    PluginError,
)

__all__ = [
    "ConfigError",
    "CoverageException",
    "CoverageWarning",
    "DataError",
    "NoCode",
    "NoDataError",
    "NoSource",
    "NotPython",
    "PluginError",
]
