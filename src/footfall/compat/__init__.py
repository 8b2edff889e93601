"""coverage.py's Python API on footfall's engines: `import footfall.compat as coverage`.

`Coverage` and `CoverageData` have coverage.py's names, signatures and meanings; docs/compatibility.md has the table.
What can't be done is refused by a `CoverageException`. Nothing of this is loaded unless it is imported.
"""

from __future__ import annotations

from footfall.compat.coverage_api import Coverage
from footfall.compat.data import CoverageData
from footfall.compat.errors import CoverageException, CoverageWarning, NoDataError, unsupported
from footfall.compat.startup import process_startup

__all__ = [
    "Coverage",
    "CoverageData",
    "CoverageException",
    "CoverageWarning",
    "NoDataError",
    "__version__",
    "coverage",
    "process_startup",
    "version_info",
]

version_info = (7, 17, 5, "final", 0)
"""The version of coverage.py whose names and meanings these are."""

__version__ = "7.17.5"

coverage = Coverage

_PLUGIN_NAMES = ("CodeRegion", "CoveragePlugin", "FileReporter", "FileTracer")


def __getattr__(name: str) -> object:
    if name in _PLUGIN_NAMES:
        raise AttributeError(
            str(unsupported(name, "coverage.py's plugins are not applied", "Use coverage.py for them."))
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
