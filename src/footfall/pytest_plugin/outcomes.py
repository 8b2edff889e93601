"""Which tests pytest finds, and what becomes of each, in a file for an editor to read while they run.

Not loaded unless asked for: `pytest -p footfall.pytest_plugin.outcomes --footfall-outcomes=FILE`. The file has a JSON
object on each line, as docs/protocol.md describes. What pytest prints is no help: names in it may be cut, and contain
anything.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

__all__: list[str] = []

_OPTION = "--footfall-outcomes"
_PLUGIN_NAME = "footfall_outcomes"
_LONGEST_MESSAGE = 20_000


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    group = parser.getgroup("footfall")
    group.addoption(_OPTION, metavar="FILE", default=None, help="Append each test and its outcome, as lines of JSON.")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Follow the tests, except in a worker of pytest-xdist, whose reports its controller gets."""
    path = config.getoption(_OPTION)
    if not path:
        return
    root = str(config.rootpath)
    config.args[:] = [_argument(each, root) for each in config.args]
    if not hasattr(config, "workerinput"):
        followed = _Outcomes(path, root, runs_none=config.option.collectonly)
        config.pluginmanager.register(followed, _PLUGIN_NAME)


def _argument(given: str, root: str) -> str:
    """Return an argument as pytest understands it in any directory: a test's name begins at pytest's root directory."""
    file, separator, rest = given.partition("::")
    path = os.path.join(root, file)
    return f"{path}::{rest}" if separator and file and os.path.exists(path) else given


class _Outcomes:
    def __init__(self, path: str, root: str, *, runs_none: bool) -> None:
        self._root = root
        self._runs_none = runs_none
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        self._open: dict[str, dict[str, Any]] = {}
        """By name, the tests that have begun."""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write each test's place; only in a session that runs none, since those that run are known."""
        if not self._runs_none:
            return
        for item in session.items:
            _, line, _ = item.location
            self._write({"test": item.nodeid, "path": str(item.path), "line": None if line is None else line + 1})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Write why a file's tests are not known; only in a session that runs none."""
        if self._runs_none and report.failed:
            self._write({"error": _message(report), "path": self._path(report.nodeid)})

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
            self._write({"test": report.nodeid, "path": self._path(report.nodeid), **self._open.pop(report.nodeid)})

    def pytest_unconfigure(self) -> None:
        """Close the file. Tests that were not at their end have no line."""
        os.close(self._fd)

    def _path(self, name: str) -> str:
        return os.path.normpath(os.path.join(self._root, name.partition("::")[0]))

    def _write(self, entry: dict[str, Any]) -> None:
        os.write(self._fd, json.dumps(entry).encode() + b"\n")


def _message(report: pytest.TestReport | pytest.CollectReport) -> str:
    text = report.longreprtext
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}..."


def _reason(report: pytest.TestReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""


def _place(report: pytest.TestReport) -> dict[str, Any]:
    """Return where a test failed, if that is known."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return {} if crash is None else {"failed_path": os.path.abspath(crash.path), "failed_line": crash.lineno}
