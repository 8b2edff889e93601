"""Methods about tests: which of them there are, which ran a line or a file, and what one of them ran.

Answers have at most `count` tests or files, and say how many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

from footfall.analyze.test_costs import is_of_pytest, name_of_test
from footfall.config.configuration import Config, shown_path
from footfall.load.gather import absolute_path_mapper
from footfall.record.data.contexts_of_lines import (
    has_labelled_contexts,
    read_contexts,
    read_contexts_of_files,
    read_contexts_of_lines,
)
from footfall.record.data.coverage_tables import context_filter, read_lines_by_context
from footfall.record.data.test_times import read_test_times
from footfall.report.coverage.json import Json
from footfall.service.measured_text import lines_as_measured, need_line
from footfall.service.methods.coverage import measured_file
from footfall.service.named_tests import need_contexts_of, no_contexts
from footfall.service.parameters import Parameters
from footfall.service.unmeasured import not_measured
from footfall.service.workspace import Workspace

__all__ = ["list_tests", "tests_by_file", "tests_of_file", "tests_of_line", "what_test_ran"]

_MOST: Final = 1000
"""Tests in an answer, unless the client says how many it wants."""
_MOST_LINES: Final = 100_000
_NS_PER_SECOND: Final = 1_000_000_000


def list_tests(workspace: Workspace, parameters: Parameters) -> Json:
    """`tests/list`: the tests of the data, by name, with their measured time."""
    config = workspace.config()
    first, count = parameters.number("first", 0), parameters.number("count", _MOST)
    match = parameters.optional_text("match") or ""
    wanted = _wanted(config)
    times = read_test_times(config.data_file, config.report_contexts)
    labels = {label for label in (*read_contexts(config.data_file), *times) if wanted(label)}
    if not any(map(name_of_test, labels)):
        raise no_contexts(config)
    spent = {name_of_test(label): [0, 0] for label in labels}
    for label, time in times.items():
        cpu_and_wall = spent[name_of_test(label)]
        cpu_and_wall[0] += time.cpu_ns
        cpu_and_wall[1] += time.wall_ns
    measured = {name_of_test(label) for label in times}
    names = sorted(name for name in spent if name and match in name)
    shown = _page(names, first, count)
    return {
        "tests": [
            {
                "name": name,
                "cpu_seconds": spent[name][0] / _NS_PER_SECOND if name in measured else None,
                "wall_seconds": spent[name][1] / _NS_PER_SECOND if name in measured else None,
            }
            for name in shown
        ],
        "n_tests": len(names),
        "other_names": _other_names(labels, shown),
    }


def tests_of_line(workspace: Workspace, parameters: Parameters) -> Json:
    """`tests/of_line`: the tests that ran the statement at a line, or those at some lines, of the text as it is now."""
    config = workspace.config()
    line = parameters.number("line", least=1)
    last = parameters.optional_number("last_line", least=line)
    count = parameters.number("count", _MOST)
    found = measured_file(workspace, config, parameters.path("path"), config.report_contexts)
    need_line(found.path, line)
    result, analysis = found.file.result, found.file.analysis
    if not has_labelled_contexts(config.data_file):
        raise no_contexts(config)
    last = min(line if last is None else last, line + _MOST_LINES)
    if found.text is None:
        found.need_unchanged()
        numbers = list(range(line, last + 1))
    else:
        numbers = lines_as_measured(found.path, found.text, line, last)
    statements = {analysis.first_line_of(number) for number in numbers}
    lines = {*statements, *(each for each, start in analysis.first_line.items() if start in statements)}
    labels: set[str] = set()
    if statements & result.executed:
        labels = set(filter(_wanted(config), read_contexts_of_lines(config.data_file, found.file.stored_paths, lines)))
    states = (("run", result.executed), ("missing", result.missing), ("excluded", result.excluded))
    return {
        "path": found.path,
        "name": found.file.name,
        "line": line,
        "measured_line": analysis.first_line_of(numbers[0]),
        "state": next((state for state, those in states if statements & those), "none"),
        **_tests_entry(labels, 0, count),
    }


def tests_of_file(workspace: Workspace, parameters: Parameters) -> Json:
    """`tests/of_file`: the tests that ran any line of a file."""
    config = workspace.config()
    first, count = parameters.number("first", 0), parameters.number("count", _MOST)
    path = workspace.source_path(config, parameters.path("path"))
    labels = _labels_by_path(config).get(path)
    if labels is None:
        raise not_measured(config, path)
    return {"path": path, "name": shown_path(path), **_tests_entry(labels, first, count)}


def tests_by_file(workspace: Workspace, parameters: Parameters) -> Json:
    """`tests/by_file`: for each file of the data the tests that ran any line of it."""
    config = workspace.config()
    first, count = parameters.number("first", 0), parameters.number("count", _MOST)
    by_path = _labels_by_path(config)
    labels = set().union(*by_path.values())
    names = sorted(filter(None, map(name_of_test, labels)))
    names = list(dict.fromkeys(names))
    shown = _page(names, first, count)
    number_of = {name: at for at, name in enumerate(shown)}
    files = []
    for path, own in sorted(by_path.items()):
        tests = {name_of_test(label) for label in own}
        numbers = sorted(number_of[name] for name in tests if name in number_of)
        files.append({"path": path, "name": shown_path(path), "tests": numbers, "is_run_outside_tests": "" in tests})
    return {"names": shown, "n_tests": len(names), "files": files, "other_names": _other_names(labels, shown)}


def what_test_ran(workspace: Workspace, parameters: Parameters) -> Json:
    """`tests/ran`: the files that a test ran, with the numbers of lines as recorded."""
    config = workspace.config()
    test, count = parameters.text("test"), parameters.number("count", _MOST)
    path_here = absolute_path_mapper(config)
    wanted = _wanted(config)
    by_path: dict[str, set[int]] = {}
    for stored, by_label in read_lines_by_context(config.data_file, need_contexts_of(config, test)).items():
        lines = set().union(*(own for label, own in by_label.items() if wanted(label)))
        if lines:
            by_path.setdefault(path_here(stored), set()).update(lines)
    shown = _page(sorted(by_path), 0, count)
    return {
        "test": test,
        "files": [{"path": path, "name": shown_path(path), "lines": sorted(by_path[path])} for path in shown],
        "n_files": len(by_path),
    }


def _labels_by_path(config: Config) -> dict[str, set[str]]:
    """Return by absolute path the contexts in which a file ran. Raises FootfallError (`no-contexts`)."""
    path_here = absolute_path_mapper(config)
    wanted = _wanted(config)
    found: dict[str, set[str]] = {}
    for stored, labels in read_contexts_of_files(config.data_file).items():
        found.setdefault(path_here(stored), set()).update(filter(wanted, labels))
    if not any(label for labels in found.values() for label in labels):
        raise no_contexts(config)
    return found


def _wanted(config: Config) -> Callable[[str], bool]:
    """Return which contexts the settings select."""
    return context_filter(config.report_contexts) if config.report_contexts else lambda _: True


def _tests_entry(labels: Collection[str], first: int, count: int) -> Json:
    tests = {name_of_test(label) for label in labels}
    names = sorted(filter(None, tests))
    shown = _page(names, first, count)
    return {
        "tests": shown,
        "n_tests": len(names),
        "other_names": _other_names(labels, shown),
        "is_run_outside_tests": "" in tests,
    }


def _page(names: list[str], first: int, count: int) -> list[str]:
    """Return `count` of the names from number `first` on; 0 is all."""
    return names[first : first + count if count else None]


def _other_names(labels: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return those of the names that pytest does not know as a test: contexts of another kind."""
    of_pytest = {name_of_test(label) for label in labels if is_of_pytest(label)}
    return [name for name in names if name not in of_pytest]
