"""A session of `pytest.main()` inside another program: measured from here to its end, by the late start.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from footfall.errors import FootfallError

if TYPE_CHECKING:
    from footfall.cli.reports.session_reports import SessionReports
    from footfall.session.pytest_request import PytestRequest

__all__ = ["EmbeddedSession"]


class EmbeddedSession:
    """Measures from its creation to the end of the tests; coverage only, with lines of earlier imports inferred."""

    def __init__(self, request: PytestRequest) -> None:
        """Start measuring. Raises pytest.UsageError if that is impossible."""
        from footfall.api.measuring import start_configured
        from footfall.record.data.data_file import check_replaceable, move_data_file

        # the summary shows times, which a late start does not measure
        reports = [("term", None) if kind == "summary" else (kind, where) for kind, where in request.reports]
        self._request = replace(request, reports=reports)
        self._directory = os.getcwd()
        self._reports: SessionReports | None = None
        self._written: Path | None = None
        try:
            self._config = request.to_config()
            self._data_file = os.path.join(self._directory, self._config.data_file)
            check_replaceable(self._data_file)
            self._run = start_configured(self._config)
        except FootfallError as error:
            raise pytest.UsageError(f"footfall: {error}") from error
        self.run_directory = str(self._run.path)
        self._is_measuring = True
        if request.is_added:
            return
        try:  # whatever happens, an earlier session's data is not taken for this one's
            move_data_file(self._data_file, self._run.earlier_data)
        except FootfallError as error:
            self.end()
            raise pytest.UsageError(f"footfall: {error}") from error

    def write_data(self) -> None:
        """Stop measuring and write the data file, if that was not done before. Raises pytest.UsageError."""
        from footfall.api.measuring import stop_configured

        if not self._is_measuring:
            return
        self._is_measuring = False
        try:
            self._written = stop_configured(self._config, self._data_file, append=self._request.is_added)
        except FootfallError as error:
            raise pytest.UsageError(f"footfall: {error}") from error

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the data before pytest's own summary; a total that is too low fails the session."""
        from footfall.cli.reports.session_reports import came_to_nothing, make_session_reports, wants_reports

        if self._is_measuring and came_to_nothing(int(exitstatus), self._run):
            return  # as if this hook were not called
        self.write_data()
        if self._written is None or not wants_reports(self._request, int(exitstatus)):
            return
        try:
            self._reports = make_session_reports(self._request, self._config, str(self._written))
        except FootfallError as error:
            raise pytest.UsageError(f"footfall: {error}") from error
        if self._reports.is_below and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the reports in pytest's summary."""
        from footfall.report.summary import plain_text

        if self._reports is not None and self._reports.lines:
            terminalreporter.write("\n" + plain_text(self._reports.lines))

    def end(self) -> None:
        """Stop if the session never finished (a wrong command line), and remove what was made."""
        if not self._is_measuring:
            return
        from footfall.api.measuring import stop_recording
        from footfall.record.data.data_file import move_data_file
        from footfall.record.run.directory import remove_run_directory

        self._is_measuring = False
        stop_recording()
        move_data_file(self._run.earlier_data, self._data_file)
        remove_run_directory(self._run)
