"""What a pytest command line asks to measure and report: made by the plugin, carried out by `pytest-session`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from footfall.config.configuration import Config
from footfall.config.reading import read_config

__all__ = ["PytestRequest", "ReportWanted"]

ReportWanted = tuple[str, str | None]
"""(type, where it goes); for term and term-missing the second is None or "skip-covered"."""


@dataclass(slots=True)
class PytestRequest:
    """The values of the options. None means not given: the configuration decides."""

    is_like_pytest_cov: bool = False
    """pytest-cov's options were used: headings, columns and defaults are pytest-cov's."""
    source: list[str] | None = None
    config_file: str | None = None
    data_file: str | None = None
    branch: bool | None = None
    profile: bool | None = None
    rate_hz: int | None = None
    is_added: bool = False
    """The data is added to what is in the data file."""
    reports: list[ReportWanted] = field(default_factory=list)
    precision: int | None = None
    fail_under: float | None = None
    is_silent_on_failure: bool = False
    """No report if tests failed."""

    def to_json(self) -> str:
        """Return the request as text for `from_json`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> PytestRequest:
        """Read what `to_json` wrote. Raises ValueError or TypeError for anything else."""
        request = cls(**json.loads(text))
        request.reports = [(kind, where) for kind, where in request.reports]
        return request

    def to_config(self) -> Config:
        """Read the configuration and apply the options. Raises UsageError as `read_config`.

        With pytest-cov's options branches are measured only on request, so that percentages stay as they were.
        """
        config = read_config(self.config_file, branch=not self.is_like_pytest_cov)
        if self.source is not None:
            config.source = [source for source in self.source if source]
            if not config.source:  # `--cov=`: measure everything, whatever the configuration says
                config.source_pkgs, config.source_dirs = [], []
        if self.data_file is not None:
            config.data_file = self.data_file
        if self.branch is not None:
            config.branch = self.branch
        if self.profile is not None:
            config.profile = self.profile
        if self.rate_hz is not None:
            config.rate_hz = self.rate_hz
        if self.precision is not None:
            config.precision = self.precision
        if self.fail_under is not None:
            config.fail_under = self.fail_under
        return config
