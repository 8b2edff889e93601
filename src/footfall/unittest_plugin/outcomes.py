"""What becomes of unittest's tests, as lines of JSON like those of the plugin for pytest, and a context for each."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
import unittest
from collections.abc import Iterable, Iterator
from types import CodeType, TracebackType
from typing import Any

from footfall.errors import UsageError
from footfall.observe import contexts
from footfall.tests_file import Choice, Lines, read_choice

__all__ = ["add_options", "choice_from", "chosen", "result_class", "write_places"]

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
    parser.add_argument(
        "--footfall-tests", metavar="FILE", help="Run the tests that FILE names, or all but those: JSON."
    )
    parser.add_argument("--footfall-only", metavar="TEST", action="append", default=[], help="Run only this test.")
    parser.add_argument("--footfall-except", metavar="TEST", action="append", default=[], help="Do not run this test.")


def choice_from(file: str | None, only: Iterable[str], left_out: Iterable[str]) -> Choice:
    """Return the tests that the options choose. Raises SystemExit if the file can't be read."""
    try:
        choice = Choice() if file is None else read_choice(file)
    except UsageError as error:
        sys.stderr.write(f"footfall: {error}\n")
        raise SystemExit(error.exit_code) from error
    return Choice(choice.only.union(only), choice.left_out.union(left_out))


def chosen(suite: unittest.TestSuite, choice: Choice) -> unittest.TestSuite:
    """Return a suite with the tests that are chosen; also what says why a module has none, if tests of it are."""
    if choice == Choice():
        return suite

    def is_wanted(test: unittest.TestCase) -> bool:
        if not isinstance(test, _FAILED):
            return choice.has(test.id())
        return not choice.only or any(name.startswith(f"{_module_of(test)}.") for name in choice.only)

    return unittest.TestSuite(test for test in _tests(suite) if is_wanted(test))


def write_places(suite: unittest.TestSuite, path: str) -> None:
    """Write where each test is, and why those of a module that can't be imported are not known."""
    lines = Lines(path)
    for test in _tests(suite):
        if isinstance(test, _FAILED):
            lines.write({"error": _why(test), "path": _path_of(test)})
            continue
        module = sys.modules.get(type(test).__module__)
        if module is unittest.loader:  # stands for a module that skips itself
            continue
        code = _code_of(test)
        file, line = (
            (getattr(module, "__file__", None), None) if code is None else (code.co_filename, code.co_firstlineno)
        )
        if file:
            lines.write({"test": test.id(), "path": os.path.abspath(file), "line": line})
    lines.close()


_FAILED: tuple[type[unittest.TestCase], ...] = (unittest.loader._FailedTest,)  # type: ignore[attr-defined]
"""What the loader makes of a module that it can't import. It raises the reason."""


def _module_of(failed: unittest.TestCase) -> str:
    return str(getattr(failed, "_testMethodName", ""))


def _why(failed: unittest.TestCase) -> str:
    try:
        failed.debug()
    except Exception as error:  # what the loader kept
        return _shortened(str(error))
    return ""


def _path_of(failed: unittest.TestCase) -> str:
    """Return the file of a module, or the directory of a package, without importing; else the current directory."""
    for place in sys.path:
        path = os.path.join(os.path.abspath(place), *_module_of(failed).split("."))
        for each in (path + ".py", path):
            if os.path.exists(each):
                return each
    return os.getcwd()


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


def result_class(base: type[unittest.TestResult], path: str | None) -> type[unittest.TestResult]:
    """Return a subclass of a result that puts each test into its context, and appends its outcome to a file, if any."""
    return type("Outcomes", (_Outcomes, base), {"lines": None if path is None else Lines(path)})


class _Outcomes(unittest.TestResult):
    """Follows the tests as they are run. What unittest calls has unittest's names."""

    lines: Lines | None = None

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
        if self.lines is None:
            return
        if isinstance(test, _FAILED):
            found.update(error=found["message"], path=_path_of(test))
        self.lines.write({"test": test.id(), **found})


def _failure(err: _ExcInfo) -> dict[str, Any]:
    """Return an exception as the outcome of a test, with its place: the innermost that is not unittest's own."""
    kind, error, at = err
    message = "".join(traceback.format_exception_only(kind, error))
    found: dict[str, Any] = {"outcome": "failed", "message": _shortened(message)}
    while isinstance(at, TracebackType):
        code = at.tb_frame.f_code
        if "__unittest" not in at.tb_frame.f_globals and os.path.isabs(code.co_filename):
            found.update(failed_path=code.co_filename, failed_line=at.tb_lineno)
        at = at.tb_next
    return found


def _shortened(message: str) -> str:
    return message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}..."
