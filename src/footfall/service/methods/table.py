"""All methods that read, by name. `initialize` and the others about the connection are server.py's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from footfall.report.coverage.json import Json
from footfall.service.methods.coverage import changed_files, coverage_of_file, coverage_of_files, gaps
from footfall.service.methods.coverage import difference as coverage_difference
from footfall.service.methods.profile import flame, hottest, times_of_file
from footfall.service.methods.profile_rows import difference, rows
from footfall.service.methods.tests import list_tests, tests_by_file, tests_of_file, tests_of_line, what_test_ran
from footfall.service.parameters import Parameters
from footfall.service.workspace import Workspace

__all__ = ["METHODS", "Method"]

Method = Callable[[Workspace, Parameters], Json]

METHODS: Final[dict[str, Method]] = {
    "coverage/files": coverage_of_files,
    "coverage/file": coverage_of_file,
    "coverage/gaps": gaps,
    "coverage/stale": changed_files,
    "coverage/difference": coverage_difference,
    "profile/lines": times_of_file,
    "profile/hot": hottest,
    "profile/flame": flame,
    "profile/by": rows,
    "profile/difference": difference,
    "tests/list": list_tests,
    "tests/of_line": tests_of_line,
    "tests/of_file": tests_of_file,
    "tests/by_file": tests_by_file,
    "tests/ran": what_test_ran,
}
"""docs/protocol.md describes each."""
