"""Measuring a whole process at its own request: `coverage.process_startup()` in a start file or `sitecustomize.py`."""

from __future__ import annotations

import os

from footfall.compat.coverage_api import Coverage
from footfall.compat.errors import CoverageException

__all__ = ["process_startup"]


def process_startup(*, force: bool = False, slug: str = "default") -> Coverage | None:
    """Measure this process until it ends, with the configuration file that COVERAGE_PROCESS_START names.

    Without that variable, or if the process is measured already (by `footfall run`, or by an instance unless `force`),
    does nothing and returns None. The process writes a data file of its own, to be combined. `slug` has no effect.
    """
    config_file = os.environ.get("COVERAGE_PROCESS_START")
    if not config_file or (Coverage.current() is not None and not force):
        return None
    coverage = Coverage(config_file=config_file, data_suffix=True, auto_data=True)
    coverage.set_option("run:concurrency", ["thread"])  # child processes call this by themselves
    coverage._warn_no_data = coverage._warn_unimported_source = False  # nobody asked about this process
    try:
        coverage.start()
    except CoverageException as error:
        if error.slug == "already-measured":
            return None
        raise
    return coverage
