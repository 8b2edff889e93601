"""What becomes of unittest's tests, as lines of JSON like those of the plugin for pytest, and a context for each."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
import unittest
from collections.abc import Collection, Iterator
from types import CodeType, TracebackType
from typing import Any

from footfall.observe import contexts

__all__ = ["add_options", "chosen", "result_class", "write_places"]

__unittest = True  # unittest leaves frames of this module out of tracebacks

_LONGEST_MESSAGE = 20_000

contexts.expect()

_ExcInfo = Any
"""As unittest gives it to a result: the type of an exception, the exception, its traceback."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that both ways to run tests have; their names begin with `footfall_`."""
    parser.add_argument(
        "--footfall-outcomes", metavar="FILE", help="Append each test and its outcome, as lines of JSON."
    )
    parser.add_argument("--footfall-places", metavar="FILE", help="Run nothing, and append where each test is.")
    parser.add_argument("--footfall-only", metavar="TEST", action="append", default=[], help="Run only this test.")
    parser.add_argument("--footfall-except", metavar="TEST", action="append", default=[], help="Do not run this test.")


def chosen(suite: unittest.TestSuite, only: Collection[str], left_out: Collection[str]) -> unittest.TestSuite:
    """Return a suite with the tests of these names alone, if there are any, and without those that are left out."""
    if not only and not left_out:
        return suite
    wanted, unwanted = set(only), set(left_out)
    tests = (test for test in _tests(suite) if not wanted or test.id() in wanted)
    return unittest.TestSuite(test for test in tests if test.id() not in unwanted)


def write_places(suite: unittest.TestSuite, path: str) -> None:
    """Write where each test is. Those of modules that can't be imported are not known."""
    lines = _Lines(path)
    for test in _tests(suite):
        module = sys.modules.get(type(test).__module__)
        if module is unittest.loader:
            continue
        code = _code_of(test)
        file, line = (
            (getattr(module, "__file__", None), None) if code is None else (code.co_filename, code.co_firstlineno)
        )
        if file:
            lines.write({"test": test.id(), "path": os.path.abspath(file), "line": line})


def _tests(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from _tests(each)
        else:
            yield each


def _code_of(test: unittest.TestCase) -> CodeType | None:
    """Return the code of a test's own function, whatever decorates it."""
    function: Any = getattr(test, getattr(test, "_testMethodName", ""), None)
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None


class _Lines:
    """A file that grows by a line of JSON at once."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)

    def write(self, entry: dict[str, Any]) -> None:
        os.write(self._fd, json.dumps(entry).encode() + b"\n")


def result_class(base: type[unittest.TestResult], path: str | None) -> type[unittest.TestResult]:
    """Return a subclass of a result that puts each test into its context, and appends its outcome to a file, if any."""
    return type("Outcomes", (_Outcomes, base), {"lines": None if path is None else _Lines(path)})


class _Outcomes(unittest.TestResult):
    """Follows the tests as they are run. What unittest calls has unittest's names."""

    lines: _Lines | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._found: dict[str, Any] | None = None
        self._began = 0.0

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._found = {"outcome": "passed", "seconds": 0.0, "message": ""}
        self._began = time.perf_counter()
        contexts.switch(test.id())

    def stopTest(self, test: unittest.TestCase) -> None:
        contexts.switch("")
        found, self._found = self._found, None
        if found is not None:
            found["seconds"] = time.perf_counter() - self._began
            self._tell(test, found)
        super().stopTest(test)

    def addError(self, test: unittest.TestCase, err: _ExcInfo) -> None:
        super().addError(test, err)
        self._fail(test, err)

    def addFailure(self, test: unittest.TestCase, err: _ExcInfo) -> None:
        super().addFailure(test, err)
        self._fail(test, err)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: _ExcInfo | None) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._fail(test, err)

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        super().addUnexpectedSuccess(test)
        if self._found is not None:
            self._found.update(outcome="failed", message="It was expected to fail.")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        if self._found is not None and self._found["outcome"] == "passed":
            self._found.update(outcome="skipped", message=reason)

    def _fail(self, test: unittest.TestCase, err: _ExcInfo) -> None:
        failure = _failure(err)
        if self._found is None:  # of a class or a module, before or after its tests
            self._tell(test, {"seconds": 0.0, **failure})
        elif self._found["outcome"] != "failed":
            self._found.update(failure)

    def _tell(self, test: unittest.TestCase, found: dict[str, Any]) -> None:
        if self.lines is not None:
            self.lines.write({"test": test.id(), **found})


def _failure(err: _ExcInfo) -> dict[str, Any]:
    """Return an exception as the outcome of a test, with its place: the innermost that is not unittest's own."""
    kind, error, at = err
    message = "".join(traceback.format_exception_only(kind, error))
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[:_LONGEST_MESSAGE]}..."
    found: dict[str, Any] = {"outcome": "failed", "message": message}
    while isinstance(at, TracebackType):
        code = at.tb_frame.f_code
        if "__unittest" not in at.tb_frame.f_globals and os.path.isabs(code.co_filename):
            found.update(failed_path=code.co_filename, failed_line=at.tb_lineno)
        at = at.tb_next
    return found
