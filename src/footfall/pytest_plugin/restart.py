"""Starting over: the running pytest becomes `footfall pytest-session`, which runs the same command line, measured.

Only this measures everything: plugins and conftest.py, what they import, on PyPy too, and the time from the start on.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from footfall.session.pytest_request import PytestRequest

__all__ = ["is_main_program", "start_over"]

_MODULES = ("pytest", "py.test", "pytest.__main__")
_SCRIPT = re.compile(r"(?:py\.test|pytest)(?:-3(?:\.\d+)?)?(?:\.py)?")
_OPTIONS_WITH_VALUE = ("-X", "-W", "--check-hash-based-pycs")
_MODULE_OPTION = re.compile(r"-[bBdEhiIOPqRsSuvVx]*m(.*)", re.DOTALL)


def is_main_program(arguments: Sequence[object]) -> bool:
    """Return whether this process is a pytest that was started with these arguments, and nothing else.

    A program that calls `pytest.main()` is not: what it did before must not be done again.
    """
    command = list(sys.orig_argv)
    rest = sys.argv[1:]
    if list(arguments) != rest or command[len(command) - len(rest) :] != rest:
        return False
    start = command[: len(command) - len(rest)]
    at = 1
    while at < len(start) and start[at].startswith("-"):
        module = None if start[at].startswith("--") else _MODULE_OPTION.fullmatch(start[at])
        if module is not None:
            named = [module[1]] if module[1] else start[at + 1 : at + 2]
            return len(start) == at + (1 if module[1] else 2) and named[0] in _MODULES
        at += 2 if start[at] in _OPTIONS_WITH_VALUE else 1
    return at == len(start) - 1 and _SCRIPT.fullmatch(os.path.basename(start[at])) is not None


def start_over(request: PytestRequest) -> NoReturn:
    """Replace this process. Raises pytest.UsageError when the system refuses."""
    command = [
        sys.executable,
        "-P",  # nothing in the current directory may replace the supervisor's modules
        "-m",
        "footfall",
        "pytest-session",
        request.to_json(),
        sys.executable,
        *sys.orig_argv[1:],
    ]
    environment = dict(os.environ)
    environment.pop("PYTEST_VERSION", None)  # set by this pytest
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(sys.executable, command, environment)
    except OSError as error:
        raise pytest.UsageError(
            f"footfall: Can't start over: {error.strerror}. Use `footfall run pytest` instead. [cant-start]"
        ) from error
