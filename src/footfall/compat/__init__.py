"""coverage.py's Python API on footfall's engines: `import footfall.compat as coverage`.

`Coverage` and `CoverageData` have coverage.py's names, signatures and meanings; docs/compatibility.md has the table.
Unsupported calls raise a `CoverageException`. None of this is loaded unless it is imported.
"""

from __future__ import annotations

import importlib

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
"""The version of coverage.py whose names and meanings are implemented."""

__version__ = "7.17.5"

coverage = Coverage

_PLUGIN_CLASSES = ("CodeRegion", "CoveragePlugin", "FileReporter", "FileTracer")


def __getattr__(name: str) -> object:
    if name in _PLUGIN_CLASSES:
        return _class_of_coverage(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _class_of_coverage(name: str) -> object:
    """Return a base class of plugins, which is coverage.py's own."""
    try:
        return getattr(importlib.import_module("coverage.plugin"), name)
    except ImportError as error:
        why = "plugins are made of coverage.py's own classes, and it is not there"
        raise AttributeError(str(unsupported(name, why, "pip install coverage"))) from error
