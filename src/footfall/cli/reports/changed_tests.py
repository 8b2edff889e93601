"""The tests to run for a change, by a data file of the revision at which it begins: for `footfall tests`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import click

from footfall.analyze.changes import Change, touched_tests
from footfall.analyze.selection import Selection, choose
from footfall.analyze.test_costs import find_tests, name_of_test
from footfall.cli.reports.touched import changes_since, find_wholes, touched_files
from footfall.config.configuration import Config, canonical_path
from footfall.errors import FootfallError
from footfall.record.data.aliases import PathAliases
from footfall.record.data.coverage_tables import read_lines_by_context
from footfall.record.data.test_times import read_test_times
from footfall.report.places import SOURCES
from footfall.report.times import load_profile
from footfall.report.words import plural
from footfall.session.git import top_directory
from footfall.session.output import warn

__all__ = ["RECORD_CONTEXTS", "lines_by_file", "no_contexts", "read_time", "select_tests"]

_NS = 1_000_000_000
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}

RECORD_CONTEXTS = "Record it with `pytest --footfall --footfall-context=test`."


def read_time(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Read 90, 90s, 5m or 1.5h, as a callback of an option; return nanoseconds. None if it was not given.

    Raises click.BadParameter.
    """
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smh]?)", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is not a time. Write it as 90s, 5m or 1.5h.", ctx, param)
    return round(float(found[1]) * _SECONDS[found[2]] * _NS)


def no_contexts(data_file: str) -> FootfallError:
    """Return the error for data that does not say which test ran what."""
    return FootfallError("no-contexts", f"{data_file} does not say which test ran what.", RECORD_CONTEXTS)


def lines_by_file(config: Config, data_file: str) -> dict[str, dict[str, set[int]]]:
    """Return the lines that ran by file, as it is named here, and context."""
    aliases = PathAliases(config.paths.values(), relative=config.relative_files)
    stored = read_lines_by_context(data_file)
    return {canonical_path(aliases.map(path) if config.paths else path): lines for path, lines in stored.items()}


def select_tests(config: Config, revision: str, limit_ns: int | None) -> Selection:
    """Choose the tests to run. Warns of what a limit leaves out, and of changes of which the data knows nothing.

    Line numbers are those of the recorded source, taken to be the revision's. The files as they are now do not matter.
    """
    ran = lines_by_file(config, config.data_file)
    if not any(name_of_test(label) for by_label in ran.values() for label in by_label):
        raise no_contexts(config.data_file)
    profile = load_profile(config, config.data_file, by_thread=False)
    tests = find_tests(ran, profile, SOURCES, read_test_times(config.data_file))
    changes = changes_since(revision)
    top = top_directory()
    found: set[str] = set()
    unmeasured: list[str] = []
    for name, lines in touched_files(changes, revision):
        by_label = ran.get(canonical_path(os.path.join(top, name)))
        if by_label is None and name.endswith(".py"):
            unmeasured.append(name)
        found |= touched_tests(by_label or {}, lines)
    wholes = find_wholes(changes, config)
    selection = choose(
        {test.name: test.expected_ns for test in tests}, found, wholes.arguments, gone=wholes.gone, limit_ns=limit_ns
    )
    warn(
        [*_of_unmeasured(unmeasured, changes, wholes.arguments, top), *_of_left_out(selection)], config.disable_warnings
    )
    return selection


def _of_unmeasured(
    names: Sequence[str], changes: Sequence[Change], arguments: Sequence[str], top: str
) -> list[tuple[str, str]]:
    """Return the warning for changed Python files that no test is known to run, and that are no tests themselves."""
    new_names = {change.old_name: change.new_name for change in changes}
    wholes = {canonical_path(argument) for argument in arguments}
    left = [name for name in names if canonical_path(os.path.join(top, new_names[name] or name)) not in wholes]
    if not left:
        return []
    others = f" and {plural(len(left) - 1, 'more changed file')}" if len(left) > 1 else ""
    text = f"{left[0]}{others}: the data has nothing of it, so no test is chosen for it."
    return [("changes-unmeasured", text)]


def _of_left_out(selection: Selection) -> list[tuple[str, str]]:
    if not selection.left_out:
        return []
    n, seconds = len(selection.left_out), selection.left_out_ns / _NS
    text = f"{plural(n, 'test')} that the change affects, which take {seconds:.1f} s, are left out by --time."
    return [("tests-left-out", text)]
