"""The method about tests: which of them ran a line."""

from __future__ import annotations

from footfall.analyze.test_costs import name_of_test
from footfall.errors import FootfallError
from footfall.record.data.contexts_of_lines import has_labelled_contexts, read_contexts_of_lines
from footfall.report.coverage.json import Json
from footfall.service.measured_text import line_as_measured
from footfall.service.methods.coverage import measured_file
from footfall.service.parameters import Parameters
from footfall.service.workspace import Workspace

__all__ = ["tests_of_line"]


def tests_of_line(workspace: Workspace, parameters: Parameters) -> Json:
    """`tests/of_line`: the tests that ran the statement at a line of the text as it is now."""
    config = workspace.config()
    line = parameters.number("line", least=1)
    found = measured_file(workspace, config, parameters.path("path"))
    result, analysis = found.file.result, found.file.analysis
    measured = line if found.text is None else line_as_measured(found.path, found.text, line)
    first = analysis.first_line_of(measured)
    if not has_labelled_contexts(config.data_file):
        raise FootfallError(
            "no-contexts",
            f"{config.data_file} does not say which test ran what.",
            "Record it with `pytest --footfall --footfall-context=test`.",
        )
    lines = [first, *(each for each, start in analysis.first_line.items() if start == first)]
    labels: set[str] = set()
    if first in result.executed:
        labels = read_contexts_of_lines(config.data_file, found.file.stored_paths, lines)
    tests = {name_of_test(label) for label in labels}
    states = (("run", result.executed), ("missing", result.missing), ("excluded", result.excluded))
    return {
        "path": found.path,
        "name": found.file.name,
        "line": line,
        "measured_line": first,
        "state": next((state for state, those in states if first in those), "none"),
        "tests": sorted(test for test in tests if test),
        "is_run_outside_tests": "" in tests,
    }
