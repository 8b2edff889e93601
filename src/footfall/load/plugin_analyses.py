"""Python files as coverage.py's own classes see them, where a plugin has replaced something in these. Used by `gather`.

Such a plugin decides what counts, by its own parser for example, so the file's statements, exclusions and arcs come
from coverage.py with the replacement in it, not from our analysis.
"""

from __future__ import annotations

from typing import Any

from footfall.analyze.source.traced_analysis import TracedAnalysis
from footfall.config.acting_plugins import changes_analysis
from footfall.config.configuration import Config
from footfall.errors import FootfallError, describe_error
from footfall.load.traced_files import analysis_of_reporter

__all__ = ["PluginAnalyses", "replace_analysis"]


def replace_analysis(config: Config) -> bool:
    """Return whether one of the plugins has replaced what tells which lines of a Python file count."""
    return any(changes_analysis(replaced) for replaced in config.acting_plugins.values())


class PluginAnalyses:
    """Analyses by coverage.py. Once it fails, there are none, and `warnings` has why, as (slug, text)."""

    def __init__(self, config: Config) -> None:
        self.warnings: list[tuple[str, str]] = []
        self._names = " or ".join(name for name, each in config.acting_plugins.items() if changes_analysis(each))
        self._coverage: Any = None
        try:
            from footfall.config.plugin_coverage import make_coverage  # needs coverage.py

            self._coverage = make_coverage(config, None)
            self._coverage.get_data()
        except (Exception, SystemExit) as error:  # a plugin's may be any
            self._fail(error)

    def analyze(self, path: str) -> TracedAnalysis | None:
        """Return the analysis of a readable file; None if there is none: our own analysis then says why, or is used."""
        if self._coverage is None:
            return None
        try:
            return analysis_of_reporter(self._coverage._get_file_reporter(path), "", path)
        except (Exception, SystemExit) as error:
            if type(error).__name__ not in ("NotPython", "NoSource") and not isinstance(error, FootfallError):
                self._fail(error)
            return None

    def _fail(self, error: BaseException) -> None:
        self._coverage = None
        what = f"coverage.py's plugin {self._names} failed on a Python file: {describe_error(error)}."
        self.warnings.append(("plugin-failed", f"{what} What it excludes counts in these results."))
