"""`footfall report --diff`: coverage and time of what a diff changed, as text, Markdown and JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from footfall.analyze.conditions.analysis import ConditionResult
from footfall.analyze.patch import PatchedFile, UntestedFunction
from footfall.analyze.profile.clocks import Clock
from footfall.analyze.results import Numbers
from footfall.printable import printable
from footfall.report.coverage.conditions import condition_lines
from footfall.report.coverage.json import Json
from footfall.report.coverage.markdown import escape_markdown
from footfall.report.coverage.table import Outcomes
from footfall.report.coverage.text import TableOptions, list_below, render_table
from footfall.report.words import plural

__all__ = ["LeftOut", "Patch", "PatchTimes", "patch_report", "render_patch", "summarize_patch"]

_NS_PER_SECOND = 1_000_000_000
_MIN_SHARE = 0.0005  # a smaller share would be shown as 0.0 %


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A changed file without numbers, and why. `name` is as reports show it, `git_name` from the repository's top.

    `is_unknown`: the file was measured, so what it would add to the total is not known; else it is not in the data.
    """

    name: str
    git_name: str
    reason: str
    is_unknown: bool


@dataclass(frozen=True, slots=True)
class PatchTimes:
    """The time of the changed lines, in nanoseconds by a result's path, and the total that shares refer to."""

    total_ns: int
    by_path: Mapping[str, int]
    untested: UntestedFunction | None
    clock: Clock


@dataclass(frozen=True, slots=True)
class Patch:
    """What changed since a revision. `base` is the commit that the diff starts from.

    `conditions` has those of changed statements by a result's path; None if none are known.
    """

    revision: str
    base: str
    has_arcs: bool
    files: Sequence[PatchedFile]
    left_out: Sequence[LeftOut]
    times: PatchTimes | None = None
    conditions: Mapping[str, ConditionResult] | None = None

    @property
    def total(self) -> Numbers:
        """All files added up."""
        return sum((file.result.numbers for file in self.files), Numbers())


def render_patch(patch: Patch, options: TableOptions) -> str:
    """Return the table of changed files, with what is missing, and a closing sentence, in the options' format.

    Raises as `render_table`.
    """
    results = [file.result for file in patch.files]
    if options.format == "total":
        return render_table(results, options)
    is_markdown = options.format == "markdown"
    shares = outcomes = None
    if patch.times is not None:
        total_ns = patch.times.total_ns or 1
        shares = {path: 100 * time_ns / total_ns for path, time_ns in patch.times.by_path.items()}
    if patch.conditions is not None:
        found = [(file, patch.conditions[file.result.path]) for file in patch.files]
        outcomes = {
            file.result.path: Outcomes(each.n_seen, each.n_total, tuple(condition_lines(file.result.name, each)))
            for file, each in found
        }
    notes = [summarize_patch(patch, is_markdown=is_markdown)]
    if patch.left_out:
        reasons = [f"{printable(each.name)}: {printable(each.reason)}" for each in patch.left_out]
        notes.append(list_below("Changed, and not in the total:", reasons, options.format))
    if results:
        missing = {file.result.path: file.missing_text for file in patch.files}
        options = replace(options, show_missing=True)
        text = render_table(results, options, shares, outcomes, notes, missing)
    else:
        text = "\n\n".join(notes) + "\n"
    if is_markdown:
        percent = f"{patch.total.pc_covered_str(options.precision)}%" if results else "no lines"
        text = f"### Patch coverage: {percent}\n\n{text}"
    return text


def summarize_patch(patch: Patch, *, is_markdown: bool = False) -> str:
    """Return a sentence, such as "14 new lines since main, 3 untested, one of them in the hottest function (...)."."""

    def named(name: str) -> str:
        return escape_markdown(printable(name)) if is_markdown else printable(name)

    numbers = patch.total
    if not patch.files:
        return f"No line of measured code is new since {named(patch.revision)}."
    text = f"{plural(numbers.n_statements, 'new line')} since {named(patch.revision)}"
    text += f", {numbers.n_missing or 'none'} untested"
    times = patch.times
    if times is not None and times.untested is not None:
        function, share = times.untested, times.untested.own_ns / (times.total_ns or 1)
        if share >= _MIN_SHARE:
            if function.n_missing < numbers.n_missing:
                text += f", {'one' if function.n_missing == 1 else function.n_missing} of them"
            elif numbers.n_missing > 1:
                text += ", all"
            text += " in the hottest function" if function.is_hottest else " in a function that takes time"
            kind = "wall time" if times.clock is Clock.WALL else "time"
            text += f" ({named(function.name)} in {named(function.file_name)}, {100 * share:.1f} % of the {kind})"
    if numbers.n_missing_branches:
        branches = plural(numbers.n_branches, "branch", "branches")
        text += f"; {numbers.n_missing_branches} of {branches} not taken"
    if times is not None:
        share = sum(times.by_path.values()) / (times.total_ns or 1)
        kind = "wall time" if times.clock is Clock.WALL else "time"
        if share >= _MIN_SHARE:
            they = "it takes" if numbers.n_statements == 1 else "they take"
            text += f"; {they} {100 * share:.1f} % of the {kind}"
    return f"{text}."


def patch_report(patch: Patch, precision: int) -> Json:
    """Return the patch for machines; times in seconds."""
    report: Json = {
        "format": 1,
        "revision": patch.revision,
        "base": patch.base,
        "branch_coverage": patch.has_arcs,
        "summary": summarize_patch(patch),
        "totals": _numbers(patch.total, precision, patch.has_arcs),
        "files": {file.result.name: _file_report(patch, file, precision) for file in patch.files},
        "not_in_total": {each.name: {"reason": each.reason, "measured": each.is_unknown} for each in patch.left_out},
    }
    if patch.times is not None:
        function = patch.times.untested
        report["times"] = {
            "clock": patch.times.clock,
            "total_seconds": patch.times.total_ns / _NS_PER_SECOND,
            "patch_seconds": sum(patch.times.by_path.values()) / _NS_PER_SECOND,
            "hottest_untested_function": function
            and {
                "file": function.file_name,
                "function": function.name,
                "own_seconds": function.own_ns / _NS_PER_SECOND,
                "missing_lines": function.n_missing,
                "is_hottest": function.is_hottest,
            },
        }
    return report


def _file_report(patch: Patch, file: PatchedFile, precision: int) -> Json:
    result = file.result
    report: Json = {
        **_numbers(result.numbers, precision, patch.has_arcs),
        "executed_lines": sorted(result.executed),
        "missing_lines": sorted(result.missing),
        "excluded_lines": sorted(result.excluded),
    }
    if patch.has_arcs:
        report["missing_branches"] = [list(arc) for arc in result.missing_branches]
    if patch.conditions is not None:
        conditions = patch.conditions[result.path]
        report["conditions"] = {
            "total": conditions.n_total,
            "seen": conditions.n_seen,
            "missing": [
                {"line": each.line, "column": each.column, "text": each.text, "never": str(each.never).lower()}
                for each in conditions.missing
            ],
        }
    if patch.times is not None:
        report["seconds"] = patch.times.by_path.get(result.path, 0) / _NS_PER_SECOND
    return report


def _numbers(numbers: Numbers, precision: int, has_arcs: bool) -> Json:
    report: Json = {
        "num_statements": numbers.n_statements,
        "covered_lines": numbers.n_executed,
        "percent_covered": numbers.pc_covered,
        "percent_covered_display": numbers.pc_covered_str(precision),
    }
    if has_arcs:
        report |= {"num_branches": numbers.n_branches, "covered_branches": numbers.n_executed_branches}
    return report
