"""`footfall query`: one question to the service, in words, with its answer as JSON."""

from __future__ import annotations

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
  who tests FILE:LINE    the tests that ran a line
  file FILE              what ran in a file, and what did not
  lines FILE             the time of each line of a file
  files                  the numbers of each file
  gaps                   code that no test runs, by the time it takes
  hot                    the lines and functions that take the most time
  stale                  the files that changed since they were measured

\b
Examples:
  footfall query "who tests src/app.py:120"
  footfall query gaps -n 5
  footfall query hot --profile production.data
  footfall query file src/app.py | jq .coverage.missing_lines
"""

_WHO_TESTS = re.compile(r"who\s+tests\s+(?P<path>.+):(?P<line>[0-9]{1,9})", re.DOTALL)
_OF_FILE = {"file": "coverage/file", "lines": "profile/lines"}
_ALONE = {"files": "coverage/files", "gaps": "coverage/gaps", "hot": "profile/hot", "stale": "coverage/stale"}
_WITH_PROFILE = ("profile/lines", "profile/hot", "coverage/gaps")
_WITH_COUNT = ("coverage/gaps", "profile/hot")


@click.command("query", epilog=_EXAMPLES)
@click.argument("question", nargs=-1, required=True)
@click.option("-n", "--count", type=click.IntRange(min=0), help="Rows of `gaps` and `hot`; 0 for all. [default: 20]")
@click.option("--profile", metavar="FILE", help="Another profile for `lines`, `hot` and `gaps`, such as production's.")
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
    allowed = () if profile is None else (profile,)  # the user named it, so it may be anywhere
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
        return "tests/of_line", {"path": found["path"], "line": int(found["line"])}
    first, _, rest = words.partition(" ")
    if first in _OF_FILE and rest.strip():
        return _OF_FILE[first], {"path": rest.strip()}
    if first in ("who", *_OF_FILE):
        how = '"who tests FILE:LINE"' if first == "who" else f'"{first} FILE"'
        raise UsageError("query-unknown", f"The question {words!r} is not complete.", f"Ask {how}.")
    raise UsageError(
        "query-unknown", f"There is no question {words!r}.", "`footfall query --help` shows all questions."
    )


def _check_applies(applies: bool, option: str, words: str) -> None:
    if not applies:
        raise UsageError("query-unknown", f"The question {words!r} takes no {option}.", "Leave it out.")
