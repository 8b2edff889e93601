"""What a program was doing: tests, fixtures, collection, imports. For `footfall report --by phase`. Pure.

The functions of pytest and unittest in a stack tell the phase, so no contexts are needed. The outermost decides: a test
that imports, or that runs pytest, is a test.
"""

from __future__ import annotations

from typing import Final

from footfall.analyze.profile.calltree import IMPORT_PATH, Cost, Function, Profile

__all__ = ["COLLECTION", "IMPORTS", "OTHER", "SETUP", "TEARDOWN", "TESTS", "costs_of_phases"]

TESTS: Final = "tests"
SETUP: Final = "fixtures, setting up"
TEARDOWN: Final = "fixtures, tearing down"
COLLECTION: Final = "collection"
IMPORTS: Final = "imports"
OTHER: Final = "all else"

# (end of a file's path, function)
_PHASES: Final = {
    ("_pytest/runner.py", "pytest_runtest_setup"): SETUP,
    ("_pytest/runner.py", "pytest_runtest_call"): TESTS,
    ("_pytest/runner.py", "pytest_runtest_teardown"): TEARDOWN,
    ("_pytest/main.py", "perform_collect"): COLLECTION,
    ("unittest/case.py", "_callSetUp"): SETUP,
    ("unittest/case.py", "_callTestMethod"): TESTS,
    ("unittest/case.py", "_callTearDown"): TEARDOWN,
    ("unittest/case.py", "doCleanups"): TEARDOWN,
    ("unittest/suite.py", "_handleClassSetUp"): SETUP,
    ("unittest/suite.py", "_handleModuleFixture"): SETUP,
    ("unittest/suite.py", "_tearDownPreviousClass"): TEARDOWN,
    ("unittest/suite.py", "_handleModuleTearDown"): TEARDOWN,
    ("unittest/loader.py", "discover"): COLLECTION,
    ("unittest/loader.py", "loadTestsFromNames"): COLLECTION,
    ("unittest/loader.py", "loadTestsFromModule"): COLLECTION,
}


def costs_of_phases(profile: Profile) -> dict[tuple[str, int], Cost]:
    """Return the cost of running Python code, by phase and process id."""
    phases = _phases_of_nodes(profile)
    found: dict[tuple[str, int], Cost] = {}
    for (node, thread, _), cost in profile.costs.items():
        if node:
            found.setdefault((phases[node] or OTHER, profile.threads[thread].pid), Cost()).add(cost)
    return found


def _phases_of_nodes(profile: Profile) -> list[str]:
    """Return for each node of the tree the phase that its stack is in, "" for none. Callers come before callees."""
    of_frames = [_phase_of_function(frame.function) for frame in profile.frames]
    phases = [""]
    for node in profile.nodes[1:]:
        phases.append(phases[node.parent] or of_frames[node.frame])
    return phases


def _phase_of_function(function: Function) -> str:
    if function.path == IMPORT_PATH:
        return IMPORTS
    ending = "/".join(function.path.rsplit("/", 2)[-2:])
    return _PHASES.get((ending, function.qualname.rpartition(".")[2]), "")
