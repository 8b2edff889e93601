"""Condition coverage in the reports: `report --conditions` and the JSON report. From data of CPython 3.14 and later.

Conditions are analysed separately from lines and branches, whose numbers they do not change. What depends only on the
source is cached beside their analyses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from footfall.analyze.conditions.analysis import ConditionResult, can_analyze, compare_conditions
from footfall.analyze.source.analysis import decode_source
from footfall.analyze.source.traced_analysis import TracedAnalysis
from footfall.errors import FootfallError
from footfall.load.condition_analyses import find_all_conditions
from footfall.load.gather import Coverage
from footfall.load.source_files import read_source_bytes
from footfall.record.data.condition_tables import read_conditions
from footfall.report.coverage.json import Json
from footfall.report.coverage.table import Outcomes

__all__ = [
    "condition_lines",
    "conditions_of_file",
    "conditions_report",
    "load_conditions",
    "need_conditions",
    "outcomes_by_path",
]


def load_conditions(
    coverage: Coverage,
    data_file: str | Path,
    contexts: Iterable[str] = (),
    within: Mapping[str, Collection[int]] | None = None,
) -> dict[str, ConditionResult] | None:
    """Return each reported file's conditions by its path; None if the data has none or this interpreter is older.

    `contexts` as for `gather`. `within`, if given, has the files that count, with first lines of statements.
    """
    if not can_analyze():
        return None
    names = {name for file in coverage.files for name in file.stored_paths} if coverage.is_chosen else None
    stored = read_conditions(data_file, contexts, names)
    if stored is None:
        return None
    files = [file for file in coverage.files if within is None or file.result.path in within]
    sources = {
        file.result.path: read_source_bytes(file.result.path)
        for file in files
        if not isinstance(file.analysis, TracedAnalysis)
    }
    conditions = find_all_conditions(sources, data_file)
    found = {}
    for file in files:
        path, result = file.result.path, file.result
        if path not in sources:  # not Python, so it has no conditions
            found[path] = ConditionResult(0, 0, ())
            continue
        codes = [code for name in file.stored_paths for code in stored.get(name, ())]
        text = decode_source(sources[path])
        lines = None if within is None else within[path]
        found[path] = compare_conditions(text, conditions[path], file.analysis, result.executed, codes, lines)
    return found


def need_conditions(
    coverage: Coverage,
    data_file: str | Path,
    contexts: Iterable[str] = (),
    within: Mapping[str, Collection[int]] | None = None,
) -> dict[str, ConditionResult]:
    """Like `load_conditions`, but raise FootfallError (`no-conditions`) if there are none."""
    found = load_conditions(coverage, data_file, contexts, within)
    if found is not None:
        return found
    if not can_analyze():
        reason, help = "this Python is older than CPython 3.14", "Make the report with CPython 3.14 or later."
    else:
        reason = f"{data_file} says nothing of them"
        help = "Measure branches with `footfall run` on CPython 3.14 or later; coverage.py's files have none."
    raise FootfallError("no-conditions", f"Can't show conditions: {reason}.", help)


def outcomes_by_path(coverage: Coverage, results: Mapping[str, ConditionResult]) -> dict[str, Outcomes]:
    """Return the conditions for the table."""
    found = {}
    for file in coverage.files:
        result = results.get(file.result.path)
        if result is None:
            continue
        lines = tuple(condition_lines(file.name, result))
        found[file.result.path] = Outcomes(result.n_seen, result.n_total, lines)
    return found


def condition_lines(name: str, result: ConditionResult) -> list[str]:
    """Return a line for each outcome never seen in code that ran, such as "main.py:12:8 b > 0 never false"."""
    return [
        f"{name}:{each.line}:{each.column} {each.text} never {str(each.never).lower()}"
        for each in result.missing
        if each.has_run
    ]


def conditions_report(coverage: Coverage, results: Mapping[str, ConditionResult]) -> Json:
    """Return the conditions for the JSON report. Columns count characters from 0; the end is after the operand."""
    return {
        "total": sum(result.n_total for result in results.values()),
        "seen": sum(result.n_seen for result in results.values()),
        "files": {file.name: conditions_of_file(results[file.result.path]) for file in coverage.files},
    }


def conditions_of_file(result: ConditionResult) -> Json:
    """Return a file's part of `conditions_report`."""
    missing = [
        {
            "line": each.line,
            "column": each.column,
            "end_line": each.end_line,
            "end_column": each.end_column,
            "text": each.text,
            "never": str(each.never).lower(),
        }
        for each in result.missing
    ]
    return {"total": result.n_total, "seen": result.n_seen, "missing": missing}
