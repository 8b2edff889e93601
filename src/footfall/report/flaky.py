"""`footfall lake flaky` as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from footfall.analyze.flaky_tests import Difference, FlakyTest
from footfall.printable import printable
from footfall.report.coverage.json import Json

__all__ = ["flaky_report", "render_flaky"]


def render_flaky(tests: Sequence[FlakyTest]) -> str:
    """Return a line for each test, and below it what differs, file by file."""
    if not tests:
        return "No test ran other lines or branches in one shard than in another.\n"
    lines = [line for test in tests for line in _lines(test)]
    return "".join(line + "\n" for line in lines)


def _lines(test: FlakyTest) -> Iterator[str]:
    yield f"{printable(test.name)}: {test.n_unlike} of {test.n_runs} runs differ from the others"
    for (file, n_ran), some in groupby(_by_place(test.differences), lambda each: (each.file, len(each.shards))):
        places = ", ".join(_place(each) for each in some)
        yield f"  {printable(file)}: {places} in {n_ran} of {test.n_runs}"


def _by_place(differences: Sequence[Difference]) -> list[Difference]:
    return sorted(differences, key=lambda each: (each.file, len(each.shards), each.line, each.to_line or 0))


def _place(difference: Difference) -> str:
    line, to_line = difference.line, difference.to_line
    if to_line is None:
        return str(line)
    return f"{line}->{to_line if to_line > 0 else 'exit'}"


def flaky_report(tests: Sequence[FlakyTest]) -> Json:
    """Return the tests for machines; `to_line` is null for a statement, and below 0 for a branch that leaves."""
    return {
        "format": 1,
        "tests": [
            {
                "name": test.name,
                "runs": test.n_runs,
                "runs_that_differ": test.n_unlike,
                "differences": [
                    {"file": each.file, "line": each.line, "to_line": each.to_line, "shards": list(each.shards)}
                    for each in test.differences
                ],
            }
            for test in tests
        ],
    }
