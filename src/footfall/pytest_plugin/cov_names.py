"""pytest-cov's options, marker and fixtures, so that its command lines still work if it is not installed.

The plugin registers this only then. Names, values and sentences are those of pytest-cov 7.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import argparse
import os
import warnings
from typing import TYPE_CHECKING

import pytest

from footfall.model import RUN_VARIABLE
from footfall.pytest_plugin.values import FILE_REPORTS, TERM_REPORTS, parse_percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from footfall.session.pytest_request import PytestRequest

__all__ = ["CovDisabledWarning", "cov", "make_cov_request", "no_cover"]

_MARKDOWN_FILE = "coverage.md"


class CovDisabledWarning(pytest.PytestWarning):
    """`--cov...` was given after `--no-cov`."""


class _StoreReport(argparse.Action):
    """Collects the reports; two Markdown ones need two files."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        assert isinstance(values, tuple)  # what _parse_report returned
        kind, where = values
        if kind.startswith("markdown") and where is None:
            where = _MARKDOWN_FILE
        found = {**getattr(namespace, self.dest), kind: where}
        setattr(namespace, self.dest, found)
        if "markdown" in found and found["markdown"] == found.get("markdown-append"):
            parser.error(
                "markdown and markdown-append options cannot point to the same file: "
                f"'{found['markdown']}'. Please redirect one of them using :DEST "
                "(e.g. --cov-report=markdown:dest_file.md)"
            )


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add pytest-cov's group of options."""
    group = parser.getgroup("footfall-cov", "footfall: the same by pytest-cov's options, which is not installed")
    parser.addoption("--footfall-cov-names", action="store_true", default=True, help=argparse.SUPPRESS)
    group.addoption(
        "--cov",
        action="append",
        default=[],
        metavar="SOURCE",
        nargs="?",
        const=True,
        dest="cov_source",
        help="Path or package name to measure during execution (multi-allowed). "
        "Use --cov= to not do any source filtering and record everything.",
    )
    group.addoption(
        "--cov-reset",
        action="store_const",
        const=[],
        dest="cov_source",
        help="Reset cov sources accumulated in options so far.",
    )
    group.addoption(
        "--cov-report",
        action=_StoreReport,
        default={},
        metavar="TYPE",
        type=_parse_report,
        help="Type of report to generate: term, term-missing, annotate, html, xml, json, markdown, "
        'markdown-append, lcov (multi-allowed). term, term-missing may be followed by ":skip-covered". '
        'The others may be followed by ":DEST" where DEST specifies the output location. '
        "Use --cov-report= to not generate any output.",
    )
    group.addoption(
        "--cov-config", default=".coveragerc", metavar="PATH", help="Config file for coverage. Default: .coveragerc"
    )
    group.addoption(
        "--no-cov-on-fail", action="store_true", default=False, help="Do not report coverage if test run fails."
    )
    group.addoption(
        "--no-cov", action="store_true", default=False, help="Disable coverage completely (useful for debuggers)."
    )
    group.addoption(
        "--cov-fail-under",
        metavar="MIN",
        type=parse_percent,
        help="Fail if the total coverage is less than MIN.",
    )
    group.addoption(
        "--cov-append", action="store_true", default=False, help="Do not delete coverage but append to current."
    )
    group.addoption("--cov-branch", action="store_true", default=None, help="Enable branch coverage.")
    group.addoption("--cov-precision", type=int, default=None, help="Override the reporting precision.")
    group.addoption("--cov-context", metavar="CONTEXT", type=_parse_context, help='Dynamic contexts to use: "test".')


def _parse_report(text: str) -> tuple[str, str | None]:
    kind, colon, where = text.partition(":")
    choices = [*TERM_REPORTS, *FILE_REPORTS]
    if kind and kind not in choices:
        raise argparse.ArgumentTypeError(f'invalid choice: "{text}" (choose from "{choices}")')
    if not colon:
        return kind, None
    if kind not in FILE_REPORTS and not (kind and where == "skip-covered"):
        raise argparse.ArgumentTypeError(
            f'output specifier not supported for: "{text}" (choose from "{list(FILE_REPORTS)}")'
        )
    return kind, where


def _parse_context(text: str) -> str:
    if text != "test":
        raise argparse.ArgumentTypeError('The only supported value is "test".')
    return text


def make_cov_request(given: argparse.Namespace) -> PytestRequest:
    """Translate pytest-cov's options to our request."""
    from footfall.session.pytest_request import PytestRequest

    # --cov without a value takes the sources from the configuration, whatever else is given
    source = None if True in given.cov_source else list(given.cov_source)
    return PytestRequest(
        is_like_pytest_cov=True,
        source=source,
        config_file=given.cov_config,
        branch=given.cov_branch,
        is_added=given.cov_append,
        reports=list(given.cov_report.items()) or [("term", None)],
        precision=given.cov_precision,
        fail_under=given.cov_fail_under,
        is_silent_on_failure=given.no_cov_on_fail,
    )


def pytest_load_initial_conftests(early_config: pytest.Config, args: Sequence[str]) -> None:
    """Note a measuring option after --no-cov, which still has the last word."""
    texts = [str(each) for each in args]
    if "--no-cov" in texts:
        after = texts[texts.index("--no-cov") + 1 :]
        early_config.stash[_is_contradicted] = any(text.startswith("--cov") for text in after)


_is_contradicted = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", "no_cover: disable coverage for this test.")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Remind the user of --no-cov."""
    if config.stash.get(_is_contradicted, False):
        message = "Coverage disabled via --no-cov switch!"
        terminalreporter.write_sep("=", "tests coverage")
        terminalreporter.write(f"WARNING: {message}\n", red=True, bold=True)
        warnings.warn(CovDisabledWarning(message), stacklevel=1)


@pytest.fixture
def no_cover() -> None:
    """Leave this test's call out of the coverage."""


@pytest.fixture
def cov(pytestconfig: pytest.Config) -> object | None:
    """An object of coverage.py's class, if that is installed, of a footfall that measures; None where none does."""
    given = pytestconfig.option
    if RUN_VARIABLE not in os.environ or not given.cov_source or given.no_cov:
        return None
    from footfall.pytest_plugin.cov_object import make_cov_object

    return make_cov_object(given.cov_config)
