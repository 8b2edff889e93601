"""The data file before pytest ends, for plugins whose last hooks read it: pytest-cov has written it by then.

Written only if there is such a plugin, because it takes another process; the supervisor writes it again at the end. An
embedded session stops measuring there instead.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

import pytest

from footfall.model import RUN_VARIABLE, SESSION_VARIABLE

__all__ = ["is_read_by_last_hooks", "is_supervised_session", "write"]

_LAST_HOOKS: Final = ("pytest_sessionfinish", "pytest_terminal_summary", "pytest_unconfigure")
_READS_DATA: Final = re.compile(
    rb"\bimport +coverage\b|\bfrom +coverage\b|\.coverage\b|\bcoverage\.(?:Coverage|json|xml)\b"
)


def is_supervised_session() -> bool:
    """Return whether the supervisor started this process; a pytest that a test starts inherits the variable."""
    supervisor, _, _ = os.environ.get(SESSION_VARIABLE, "").partition(" ")
    return bool(os.environ.get(RUN_VARIABLE)) and supervisor == str(os.getppid())


def is_read_by_last_hooks(config: pytest.Config) -> bool:
    """Return whether a plugin's last hook is in a source file that mentions coverage.py's data."""
    return any(_reads_data(path) for path in set(_files_of_last_hooks(config)))


def write() -> None:
    """Write the data file of a supervised session."""
    _, _, request = os.environ[SESSION_VARIABLE].partition(" ")
    command = [sys.executable, "-P", "-m", "footfall", "pytest-data", request, os.environ[RUN_VARIABLE]]
    # if it fails, the supervisor reports the same reason at the end
    subprocess.run(command, env={**os.environ, RUN_VARIABLE: ""}, stdin=subprocess.DEVNULL, capture_output=True)


def _files_of_last_hooks(config: pytest.Config) -> Iterator[str]:
    for name in _LAST_HOOKS:
        for implementation in getattr(config.hook, name).get_hookimpls():
            code = getattr(implementation.function, "__code__", None)
            module = str(getattr(implementation.function, "__module__", ""))
            if code is not None and not module.startswith(("_pytest.", "footfall.")):
                yield code.co_filename


def _reads_data(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return _READS_DATA.search(file.read()) is not None
    except OSError:
        return False
