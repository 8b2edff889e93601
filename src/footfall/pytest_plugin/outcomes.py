"""Which tests pytest finds, and what becomes of each, in a file for an editor to read while they run.

Not loaded unless asked for: `pytest -p footfall.pytest_plugin.outcomes --footfall-outcomes=FILE`. The file has a JSON
object on each line, as docs/protocol.md describes. What pytest prints is no help: names in it may be cut, and contain
anything. `--footfall-tests=FILE` names tests to run, of which there may be more than fit in a command.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from footfall.errors import UsageError
from footfall.tests_file import Choice, Lines, read_choice

__all__: list[str] = []

_OPTION = "--footfall-outcomes"
_CHOICE_OPTION = "--footfall-tests"
_PLUGIN_NAME = "footfall_outcomes"
_LONGEST_MESSAGE = 20_000


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("footfall")
    group.addoption(_OPTION, metavar="FILE", default=None, help="Append each test and its outcome, as lines of JSON.")
    group.addoption(
        _CHOICE_OPTION, metavar="FILE", default=None, help="Run the tests that FILE names, or all but those: JSON."
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the tests, and follow them, except in a worker of pytest-xdist, whose reports its controller gets."""
    root = str(config.rootpath)
    if chosen := config.getoption(_CHOICE_OPTION):
        try:
            choice = read_choice(chosen)
        except UsageError as error:
            raise pytest.UsageError(f"footfall: {error}") from error
        config.args[:] = _files_of(choice, root) or config.args
        config.pluginmanager.register(_Chosen(choice), f"{_PLUGIN_NAME}_chosen")
    path = config.getoption(_OPTION)
    if not path:
        return
    config.args[:] = [_argument(each, root) for each in config.args]
    if not hasattr(config, "workerinput"):
        followed = _Outcomes(path, root, runs_none=config.option.collectonly)
        config.pluginmanager.register(followed, _PLUGIN_NAME)


def _argument(given: str, root: str) -> str:
    """Return an argument as pytest understands it in any directory: a test's name begins at pytest's root directory."""
    file, separator, rest = given.partition("::")
    path = os.path.join(root, file)
    return f"{path}::{rest}" if separator and file and os.path.exists(path) else given


def _files_of(choice: Choice, root: str) -> list[str]:
    """Return the files that the names of tests begin with: one argument for each test would be many to look up."""
    files = sorted({name.partition("::")[0] for name in choice.only})
    return [path for path in (os.path.join(root, each) for each in files) if os.path.exists(path)]


class _Chosen:
    def __init__(self, choice: Choice) -> None:
        self._choice = choice

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out the tests that are not chosen."""
        left_out = [item for item in items if not self._choice.has(item.nodeid)]
        if left_out:
            items[:] = [item for item in items if self._choice.has(item.nodeid)]
            config.hook.pytest_deselected(items=left_out)


class _Outcomes:
    def __init__(self, path: str, root: str, *, runs_none: bool) -> None:
        self._root = root
        self._runs_none = runs_none
        self._lines = Lines(path)
        self._open: dict[str, dict[str, Any]] = {}
        """By name, the tests that have begun."""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write each test's place; only in a session that runs none, since those that run are known."""
        if not self._runs_none:
            return
        for item in session.items:
            _, line, _ = item.location
            self._lines.write({"test": item.nodeid, "path": str(item.path), "line": None if line is None else line + 1})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Write why a file's tests are not known; only in a session that runs none."""
        if self._runs_none and report.failed:
            self._lines.write({"error": _message(report), "path": self._path(report.nodeid)})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in one phase of a test; its last phase ends it."""
        found = self._open.setdefault(report.nodeid, {"outcome": "passed", "seconds": 0.0, "message": ""})
        found["seconds"] += report.duration
        if report.failed and found["outcome"] != "failed":
            found.update(outcome="failed", message=_message(report), **_place(report))
        elif report.skipped and found["outcome"] == "passed" and not hasattr(report, "wasxfail"):
            found.update(outcome="skipped", message=_reason(report))
        elif getattr(report, "outcome", "") == "rerun":  # of pytest-rerunfailures: it begins again
            del self._open[report.nodeid]
            return
        if report.when == "teardown":
            self._lines.write(
                {"test": report.nodeid, "path": self._path(report.nodeid), **self._open.pop(report.nodeid)}
            )

    def pytest_unconfigure(self) -> None:
        """Close the file. Tests that were not at their end have no line."""
        self._lines.close()

    def _path(self, name: str) -> str:
        return os.path.normpath(os.path.join(self._root, name.partition("::")[0]))


def _message(report: pytest.TestReport | pytest.CollectReport) -> str:
    text = report.longreprtext
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}..."


def _reason(report: pytest.TestReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""


def _place(report: pytest.TestReport) -> dict[str, Any]:
    """Return where a test failed, if that is known."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return {} if crash is None else {"failed_path": os.path.abspath(crash.path), "failed_line": crash.lineno}
