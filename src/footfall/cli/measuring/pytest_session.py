"""`footfall pytest-session`: what `pytest --footfall` turns itself into, not meant to be typed.

The plugin restarts pytest through this command, so that pytest is measured from its first line on, as by
`footfall run`. It exits with pytest's status, or as with pytest-cov with 1 if the tests passed but coverage is too low.
"""

from __future__ import annotations

import os

import click

from footfall.cli.reports.session_reports import (
    PYTEST_NO_TESTS,
    PYTEST_OK,
    PYTEST_TESTS_FAILED,
    PYTEST_USAGE_ERROR,
    came_to_nothing,
    make_session_reports,
    wants_reports,
    wants_summary,
)
from footfall.config.configuration import check_sampling
from footfall.errors import FootfallError, UsageError
from footfall.model import SESSION_VARIABLE
from footfall.session.measure import measure
from footfall.session.output import print_message, warn
from footfall.session.pytest_request import PytestRequest
from footfall.session.running.supervise import end_like
from footfall.session.terminal import print_lines

__all__ = ["command"]


@click.command("pytest-session", hidden=True, context_settings={"allow_interspersed_args": False})
@click.argument("request_text", metavar="REQUEST")
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED)
def command(request_text: str, program: tuple[str, ...]) -> int:
    """Measure PROGRAM, a pytest, as REQUEST says."""
    try:
        request = PytestRequest.from_json(request_text)
        config = request.to_config()
        check_sampling(config)
        warn(config.warnings, config.disable_warnings)
        measurement = measure(
            list(program),
            config,
            append=request.is_added,
            is_quiet=request.is_like_pytest_cov,
            wants_summary=lambda status: wants_summary(request, status),
            came_to_nothing=came_to_nothing,
            environment={SESSION_VARIABLE: f"{os.getpid()} {request_text}"},
        )
    except UsageError as error:
        print_message(f"footfall: {error}")
        return PYTEST_USAGE_ERROR
    status = measurement.status
    if measurement.data_file is None or not wants_reports(request, status):
        return end_like(status)
    try:
        reports = make_session_reports(request, config, measurement.data_file)
        print_lines(reports.lines, is_report=True)
    except FootfallError as error:
        print_message(f"footfall: {error}")
        return end_like(status or PYTEST_TESTS_FAILED)
    if reports.is_below and status in (PYTEST_OK, PYTEST_NO_TESTS):
        status = PYTEST_TESTS_FAILED
    return end_like(status)
