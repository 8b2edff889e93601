"""`footfall query`: one question to the service, in words, with its answer as JSON."""

from __future__ import annotations

import os
import re
from typing import Any

import click

from footfall.cli.options import config_option, data_file_option
from footfall.cli.reports.report_files import write_output
from footfall.errors import UsageError
from footfall.report.jsontext import render_json
from footfall.service.jsonrpc import INVALID_PARAMS, RpcError
from footfall.service.methods.table import METHODS
from footfall.service.parameters import Parameters
from footfall.service.workspace import Workspace

__all__ = ["command"]

_EXAMPLES = """\b
Questions:
  who tests FILE[:LINE[-LINE]]  the tests that ran a file, a line, or one of some lines
  test NAME                     the files and lines that a test ran
  tests                         all tests, with their time
  file FILE                     what ran in a file, and what did not
  lines FILE                    the time of each line of a file
  files                         the numbers of each file
  gaps                          code that no test runs, by the time it takes
  hot                           the lines and functions that take the most time
  by test                       the time by test, phase, function, file, line, thread or process
  slower since FILE             the functions whose time changed since another run
  covered since FILE            what became covered, and what no longer is, since another run
  stale                         the files that changed since they were measured

\b
Examples:
  footfall query "who tests src/app.py:120"
  footfall query gaps -n 5
  footfall query hot --profile production.data
  footfall query file src/app.py | jq .coverage.missing_lines
  footfall query who tests src/app.py:12-30 -n 0 | jq -r .tests[] > touched.txt && pytest @touched.txt
"""

_WHO_TESTS = re.compile(r"who\s+tests\s+(?P<path>.+)", re.DOTALL)
_LINES = re.compile(r"(?P<path>.+):(?P<first>[0-9]{1,99})(?:-(?P<last>[0-9]{1,99}))?", re.DOTALL)
_MOST_LINES = 10**9
_COLUMN = re.compile(r"(.:[0-9]+):[0-9]+\Z", re.DOTALL)
"""What editors and linters put behind a line."""
_NO_LINE = re.compile(r"[-+.0-9]*")
_OF_ONE = {
    "file": ("coverage/file", "path", "FILE"),
    "lines": ("profile/lines", "path", "FILE"),
    "test": ("tests/ran", "test", "NAME"),
    "by": ("profile/by", "by", "test"),
    "slower since": ("profile/difference", "before", "FILE"),
    "covered since": ("coverage/difference", "before", "FILE"),
    "who tests": ("tests/of_file", "path", "FILE:LINE"),
}
"""By first words, the method, the parameter that the rest is, and an example of it."""
_ALONE = {
    "files": "coverage/files",
    "gaps": "coverage/gaps",
    "hot": "profile/hot",
    "stale": "coverage/stale",
    "tests": "tests/list",
}
_WITH_PROFILE = ("profile/lines", "profile/hot", "profile/by", "profile/difference", "coverage/gaps")
_WITH_COUNT = (
    "coverage/gaps",
    "profile/hot",
    "profile/by",
    "profile/difference",
    *(name for name in METHODS if name.startswith("tests/")),
)


@click.command("query", epilog=_EXAMPLES)
@click.argument("question", nargs=-1, required=True)
@click.option(
    "-n", "--count", type=click.IntRange(min=0), help="Rows, tests or files; 0 for all. [default: 20; 1000 for tests]"
)
@click.option(
    "--profile", metavar="FILE", help="Another profile for questions about time and `gaps`, such as production's."
)
@click.option("--tests", is_flag=True, help="For `file`: which tests ran each line.")
@data_file_option
@config_option
def command(
    question: tuple[str, ...],
    count: int | None,
    profile: str | None,
    tests: bool,
    data_file: str | None,
    config_file: str | None,
) -> int:
    """Answer a question about the project's coverage and times, as JSON on stdout.

    The answers are those of `footfall serve`: docs/protocol.md describes them. Only files of the project or the data
    can be asked about.
    """
    words = " ".join(question).strip()
    method, values = _understand(words)
    if count is not None:
        _check_applies(method in _WITH_COUNT, "-n", words)
        values["count"] = count
    if profile is not None:
        _check_applies(method in _WITH_PROFILE, "--profile", words)
        values["profile"] = profile
    if tests:
        _check_applies(method == "coverage/file", "--tests", words)
        values["tests"] = True
    allowed = [each for each in (profile, values.get("before")) if each]  # the user named them: they may be anywhere
    workspace = Workspace(data_file=data_file, config_file=config_file, allowed=allowed)
    try:
        answer = METHODS[method](workspace, Parameters(values))
    except RpcError as error:  # wrong parameters
        assert error.code == INVALID_PARAMS
        raise UsageError("query-unknown", error.message, "`footfall query --help` shows all questions.") from error
    write_output("-", render_json(answer, indent=2) + "\n", "answer")
    return 0


def _understand(words: str) -> tuple[str, dict[str, Any]]:
    """Return the method that a question is about, and its parameters. Raises UsageError (`query-unknown`)."""
    if words in _ALONE:
        return _ALONE[words], {}
    if found := _WHO_TESTS.fullmatch(words):
        return _who_tests(found["path"])
    for start, (method, parameter, example) in _OF_ONE.items():
        beginning = start.split()
        pieces = words.split(None, len(beginning))
        if len(pieces) > len(beginning) and pieces[:-1] == beginning:
            return method, {parameter: pieces[-1]}
        if words.split() in (beginning, beginning[:1]):
            raise UsageError("query-unknown", f"The question {words!r} is not complete.", f'Ask "{start} {example}".')
    raise UsageError(
        "query-unknown", f"There is no question {words!r:.200}.", "`footfall query --help` shows all questions."
    )


def _who_tests(place: str) -> tuple[str, dict[str, Any]]:
    """Return the same for FILE, FILE:LINE or FILE:LINE-LINE. Raises UsageError (`query-unknown`)."""
    if os.path.exists(place):  # its name may end like a line
        return "tests/of_file", {"path": place}
    found = _LINES.fullmatch(_COLUMN.sub(r"\1", place))
    if found is None:
        path, colon, line = place.rpartition(":")
        if not colon or not path or not (_NO_LINE.fullmatch(line) or os.path.isfile(path)):
            return "tests/of_file", {"path": place}
        raise _no_lines(f"{line!r:.100} is no line of {path}." if line else f"{place!r} ends without a line.")
    first, last = int(found["first"]), int(found["last"] or found["first"])
    if first < 1:
        raise _no_lines(f"There is no line {first} in a file: lines count from 1.")
    if last < first:
        raise _no_lines(f"The lines {first}-{last} end before they begin.")
    if last >= _MOST_LINES:
        raise _no_lines(f"No file has a line {last}.")
    lines = {"line": first} if found["last"] is None else {"line": first, "last_line": last}
    return "tests/of_line", {"path": found["path"], **lines}


def _no_lines(what: str) -> UsageError:
    return UsageError("query-unknown", what, 'Ask "who tests FILE:LINE", "who tests FILE:FIRST-LAST", or of the FILE.')


def _check_applies(applies: bool, option: str, words: str) -> None:
    if not applies:
        raise UsageError("query-unknown", f"The question {words!r} takes no {option}.", "Leave it out.")
