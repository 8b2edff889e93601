"""What `footfall tests --audit` needs of pytest besides the outcomes of tests.

Not loaded unless asked for: `pytest -p footfall.pytest_plugin.audited`. `--footfall-chosen=FILE` runs the
tests that the file names, one per line, in place of those that the command line and the configuration name.
`--footfall-broken=FILE` appends failures that are no outcome of a test, as lines of JSON: "path" of a file whose tests
could not be collected, "test" that its process did not survive.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os

import pytest

from footfall.tests_file import Lines

__all__: list[str] = []

_CHOSEN = "--footfall-chosen"
_BROKEN = "--footfall-broken"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("footfall")
    group.addoption(_CHOSEN, metavar="FILE", default=None, help="Run the tests named in a file, and no others.")
    group.addoption(_BROKEN, metavar="FILE", default=None, help="Append what failed before or in the middle of a test.")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Replace the arguments, in workers of pytest-xdist too, which collect for themselves."""
    path = config.getoption(_CHOSEN)
    if path:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            config.args[:] = file.read().splitlines()
    broken = config.getoption(_BROKEN)
    if broken and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Broken(broken, str(config.rootpath)), "footfall_broken")


class _Broken:
    def __init__(self, path: str, root: str) -> None:
        self._lines = Lines(path)
        self._root = root

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Write the file of a collector that failed."""
        if report.failed:
            name = report.nodeid.partition("::")[0]
            self._lines.write({"path": os.path.normpath(os.path.join(self._root, name))})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write a test of which pytest-xdist says that it ended its worker: none of its phases is reported."""
        if report.failed and report.when not in ("setup", "call", "teardown"):
            self._lines.write({"test": report.nodeid})

    def pytest_unconfigure(self) -> None:
        """Close the file."""
        self._lines.close()
