"""Running pytest to see what becomes of each test: the tests of a selection, or all, these measured.

For `footfall tests --audit`. pytest's output goes to stderr; data files of the user stay as they are.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Final

from footfall.analyze.audit import SuiteRun
from footfall.errors import FootfallError, UsageError
from footfall.model import RUN_VARIABLE, SESSION_VARIABLE
from footfall.session.output import flush_streams

__all__ = ["run_all", "run_chosen", "suite_command"]

_PLUGINS: Final = ("-p", "footfall.pytest_plugin.outcomes", "-p", "footfall.pytest_plugin.audited")
_TO_THE_END: Final = ("--maxfail=0", "--continue-on-collection-errors")
_STDERR: Final = 2
_PASSED, _FAILED, _NO_TESTS = 0, 1, 5  # pytest's statuses


def suite_command(text: str) -> list[str]:
    """Return the words of a command that runs all tests, by default pytest of this interpreter.

    Raises UsageError (`bad-audit-command`).
    """
    try:
        return shlex.split(text) or [sys.executable, "-m", "pytest"]
    except ValueError as error:
        raise UsageError(
            "bad-audit-command", f"--audit can't split {text!r} into words: {error}.", "Close its quotes."
        ) from error


def run_chosen(command: Sequence[str], names: Sequence[str], folder: str) -> SuiteRun:
    """Run the tests of these names alone, with `folder` for files. None run if there are no names.

    Raises FootfallError (`audit-incomplete`, `cant-start`).
    """
    if not names:
        return SuiteRun({}, {})
    path = os.path.join(folder, "chosen.txt")
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.writelines(f"{name}\n" for name in names)
    return _run([*command, f"--footfall-chosen={path}", "--no-footfall"], folder, "chosen", "the chosen tests")


def run_all(command: Sequence[str], config_file: str | None, folder: str) -> tuple[SuiteRun, str]:
    """Run all tests, measured; return also the data file, in `folder`. Raises as `run_chosen`."""
    data_file = os.path.join(folder, "data")
    measuring = ["--footfall", "--footfall-context=test", "--footfall-no-profile", "--footfall-report=none"]
    measuring += [f"--footfall-data-file={data_file}"]
    measuring += [f"--footfall-config={config_file}"] if config_file else []
    run = _run([*command, *measuring], folder, "all", "all tests")
    if not run.failed and not run.uncollected:
        raise _incomplete("all tests", "no test ran")
    return run, data_file


def _run(command: Sequence[str], folder: str, name: str, what: str) -> SuiteRun:
    outcomes, broken = os.path.join(folder, f"{name}.jsonl"), os.path.join(folder, f"{name}-broken.jsonl")
    environment = {key: value for key, value in os.environ.items() if key not in (RUN_VARIABLE, SESSION_VARIABLE)}
    environment["COVERAGE_FILE"] = os.path.join(folder, f"{name}.coverage")
    words = [*command, *_PLUGINS, *_TO_THE_END]
    words += [f"--footfall-outcomes={outcomes}", f"--footfall-broken={broken}"]
    flush_streams()
    try:
        status = subprocess.run(words, env=environment, stdout=_STDERR, check=False).returncode
    except OSError as error:
        raise FootfallError(
            "cant-start", f"Can't start {command[0]}: {error.strerror or error}.", "Name another: --audit=COMMAND"
        ) from error
    run = _read(outcomes, broken)
    has_failed = any(run.failed.values()) or bool(run.uncollected)
    if status not in (_PASSED, _FAILED, _NO_TESTS):
        raise _incomplete(what, f"the command ended with status {status}")
    if (status == _FAILED) != has_failed:
        raise _incomplete(
            what, f"the command ended with status {status}, which the outcomes of its tests don't explain"
        )
    return run


def _read(outcomes: str, broken: str) -> SuiteRun:
    tests, breaks = _lines(outcomes), _lines(broken)
    failed = {each["test"]: each["outcome"] == "failed" for each in tests}
    failed.update((each["test"], True) for each in breaks if "test" in each)
    return SuiteRun(
        failed,
        {each["test"]: each["seconds"] for each in tests},
        frozenset(each["path"] for each in breaks if "path" in each),
    )


def _lines(path: str) -> list[Any]:
    try:
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]
    except FileNotFoundError:
        return []


def _incomplete(what: str, reason: str) -> FootfallError:
    return FootfallError(
        "audit-incomplete",
        f"There is no audit: of {what}, {reason}.",
        "COMMAND of --audit=COMMAND must be a pytest of an environment with footfall, and run all its tests.",
    )
