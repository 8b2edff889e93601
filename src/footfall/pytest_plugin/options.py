"""The plugin's own options, and the request that they and pytest-cov's make together.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from footfall.pytest_plugin.values import FILE_REPORTS, TERM_REPORTS, parse_percent

if TYPE_CHECKING:
    from footfall.session.pytest_request import PytestRequest

__all__ = [
    "add_options",
    "is_measuring_asked",
    "make_request",
    "runs_tests",
    "wants_contexts",
]

# options with which pytest runs no test
_ONLY_TELLS = ("help", "version", "collectonly", "markers", "showfixtures", "show_fixtures_per_test", "cacheshow")


def add_options(parser: pytest.Parser) -> None:
    """Add the option group `footfall`."""
    group = parser.getgroup("footfall", "footfall: coverage and a profile of the tests, from one run")
    _add_choice_of_measuring(group)
    _add_results(group)


def _add_choice_of_measuring(group: pytest.OptionGroup) -> None:
    """Add the options for whether and what to measure."""
    group.addoption(
        "--footfall",
        action="store_true",
        default=False,
        help="Measure this pytest and all processes that it starts: line and branch coverage, and where the time goes. "
        "Examples: pytest --footfall; "
        "pytest --footfall --footfall-source=src --footfall-report=term-missing; "
        "pytest --footfall --footfall-context=test --footfall-report=html",
    )
    group.addoption(
        "--no-footfall",
        action="store_true",
        default=False,
        help="Don't measure, even if the configuration file says --footfall.",
    )
    group.addoption(
        "--footfall-source",
        action="append",
        default=[],
        metavar="SRC",
        help="A directory or package to measure; repeatable. Default: as coverage.py's configuration says.",
    )
    group.addoption(
        "--footfall-context",
        metavar="CONTEXT",
        choices=["test"],
        help='"test": record which test ran which line, as contexts of coverage.py. Also under `footfall run pytest`.',
    )
    group.addoption(
        "--footfall-config", metavar="FILE", help="coverage.py's configuration file. Default: the usual places."
    )
    group.addoption("--footfall-no-branch", action="store_true", default=False, help="Measure only lines, no branches.")
    group.addoption(
        "--footfall-no-profile", action="store_true", default=False, help="Record only coverage, no profile."
    )
    group.addoption(
        "--footfall-rate",
        metavar="HZ",
        type=int,
        help="Samples per second and process. Default: as for `footfall run --rate`.",
    )


def _add_results(group: pytest.OptionGroup) -> None:
    """Add the options for the results."""
    group.addoption(
        "--footfall-report",
        action="append",
        default=[],
        metavar="TYPE[:DEST]",
        type=_parse_report,
        help="Report to show or write at the end; repeatable: summary (the default), term, term-missing, "
        "html[:DIR], xml[:FILE], json[:FILE], lcov[:FILE], markdown[:FILE], annotate[:DIR], or none.",
    )
    group.addoption("--footfall-data-file", metavar="FILE", help="File to write the results to. Default: .coverage")
    group.addoption(
        "--footfall-append", action="store_true", default=False, help="Add to the data file instead of replacing it."
    )
    group.addoption(
        "--footfall-fail-under",
        metavar="MIN",
        type=parse_percent,
        help="Fail if the total coverage is less than MIN per cent.",
    )


def _parse_report(text: str) -> tuple[str, str | None]:
    kind, _, where = text.partition(":")
    if kind == "none":
        return "", None
    if kind == "summary" or kind in TERM_REPORTS:
        if where and (kind == "summary" or where != "skip-covered"):
            raise argparse.ArgumentTypeError(f"{kind} can't be followed by {where!r}")
    elif kind not in FILE_REPORTS:
        kinds = ", ".join(["summary", *TERM_REPORTS, *FILE_REPORTS, "none"])
        raise argparse.ArgumentTypeError(f"there is no report {kind!r} (there are: {kinds})")
    return kind, where or None


def is_measuring_asked(given: argparse.Namespace) -> bool:
    """Return whether the options ask for a measurement, ours or pytest-cov's."""
    is_asked = given.footfall and not given.no_footfall
    return is_asked or _is_cov_asked(given)


def _is_cov_asked(given: argparse.Namespace) -> bool:
    """Return whether pytest-cov's options count here: if pytest-cov is installed, it handles them itself."""
    return getattr(given, "footfall_cov_names", False) and bool(given.cov_source) and not given.no_cov


def runs_tests(given: argparse.Namespace) -> bool:
    """Return whether pytest will run tests, not only show something, in which case there is nothing to measure."""
    return not any(getattr(given, name, False) for name in _ONLY_TELLS)


def wants_contexts(given: argparse.Namespace) -> bool:
    """Return whether each test gets its own coverage context."""
    return given.footfall_context == "test" or (_is_cov_asked(given) and given.cov_context == "test")


def make_request(given: argparse.Namespace) -> PytestRequest:
    """Build the request: pytest-cov's options first, then ours, which take precedence."""
    from footfall.session.pytest_request import PytestRequest

    if _is_cov_asked(given):
        from footfall.pytest_plugin.cov_names import make_cov_request  # few sessions use them

        request = make_cov_request(given)
    else:
        request = PytestRequest()
    if given.footfall and not given.no_footfall:
        request.is_like_pytest_cov = False
        if not request.reports and not given.footfall_report:
            request.reports = [("summary", None)]
    request.reports += given.footfall_report
    if given.footfall_source:
        request.source = [source for each in given.footfall_source for source in each.split(",")]
    request.config_file = given.footfall_config or request.config_file
    request.data_file = given.footfall_data_file
    request.branch = False if given.footfall_no_branch else request.branch
    request.profile = False if given.footfall_no_profile else None
    request.rate_hz = given.footfall_rate
    request.is_added = request.is_added or given.footfall_append
    if given.footfall_fail_under is not None:
        request.fail_under = given.footfall_fail_under
    return request
