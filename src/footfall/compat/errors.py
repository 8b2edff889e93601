"""coverage.py's exceptions, and the translation of footfall's errors to them, with their text and slug.

`exceptions.py` has the names where programs look for them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from footfall.errors import FootfallError, UsageError

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
    "as_coverage_error",
    "coverage_errors",
    "unsupported",
]


class CoverageException(Exception):  # noqa: N818 - coverage.py's name
    """Any error of this package. `slug` is footfall's name for it, None if it has none."""

    def __init__(self, *args: object, slug: str | None = None) -> None:
        super().__init__(*args)
        self.slug = slug


class ConfigError(CoverageException):
    """An invalid setting, or a configuration file that can't be read."""


class DataError(CoverageException):
    """A data file that can't be used, or data that can't be combined."""


class NoDataError(CoverageException):
    """There is nothing to report or to combine."""


class NoSource(CoverageException):  # noqa: N818
    """The source of a measured file can't be read."""


class NoCode(NoSource):
    """There is no code at all under a name."""


class NotPython(CoverageException):  # noqa: N818
    """A measured file is not Python."""


class PluginError(CoverageException):
    """A plugin that does not do what it must."""


class CoverageWarning(Warning):
    """The category of all warnings of this package."""


_BY_SLUG: dict[str, type[CoverageException]] = {
    "no-report-data": NoDataError,
    "no-coverage": NoDataError,
    "no-data": DataError,
    "no-source": NoSource,
    "not-python": NotPython,
}


@contextlib.contextmanager
def coverage_errors() -> Iterator[None]:
    """Raise footfall's errors in the block as coverage.py's."""
    try:
        yield
    except FootfallError as error:
        told = as_coverage_error(error)
        raise told from (None if told is error.__cause__ else error)


def as_coverage_error(error: FootfallError) -> Exception:
    """Return the exception that coverage.py would raise, with footfall's text; a plugin's own is passed on."""
    if error.slug == "plugin-file" and isinstance(error.__cause__, Exception):
        return error.__cause__
    kind = _BY_SLUG.get(error.slug)
    if kind is None:
        kind = DataError if error.slug.startswith("data-") else CoverageException
        if isinstance(error, UsageError):
            kind = ConfigError
    return kind(str(error), slug=error.slug)


def unsupported(call: str, why: str, instead: str) -> CoverageException:
    """Return the error for an unsupported call: which call, why, and what to do instead."""
    error = FootfallError("compat-unsupported", f"{call} is not supported by footfall.compat: {why}.", instead)
    return CoverageException(str(error), slug=error.slug)
