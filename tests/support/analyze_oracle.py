"""Compare footfall's source analysis with coverage.py's own, file by file and number by number.

Imported by tests; as a command it compares whole trees and prints how many files differ:

    python tests/support/analyze_oracle.py --all                 # standard library, site-packages, 2,000 random programs
    python tests/support/analyze_oracle.py --programs 500 DIR...
"""

import argparse
import contextlib
import os
import random
import site
import sys
import sysconfig
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from coverage.exceptions import NotPython
from coverage.misc import join_regex
from coverage.parser import PythonParser
from coverage.regions import code_regions
from coverage.results import AnalysisNarrower, analysis_from_file_reporter

from footfall.analyze.results import compare
from footfall.analyze.source.analysis import SourceAnalysis, SourceError, analyze_source, decode_source
from footfall.analyze.source.exclude import ExclusionRules
from footfall.analyze.source.regions import find_outside_lines, find_regions, narrow_result
from programs.generated import generate_program

Arc = tuple[int, int]


class Reporter:
    """What coverage.py's result code needs for a file: coverage.py's parser, and made-up data."""

    def __init__(self, text: str, path: str, rules: ExclusionRules) -> None:
        exclude = join_regex(rules.exclude) if rules.exclude else ""
        self.parser = PythonParser(text=text, filename=path, exclude=exclude)
        self.parser.parse_source()
        self.partial = join_regex(rules.partial + rules.partial_always)
        self.recorded_lines: set[int] = set()
        self.recorded_arcs: set[Arc] | None = None

    def lines(self, _path: object = None) -> set[int]:
        """Return statements (without a path), or the recorded lines of a path."""
        return self.parser.statements if _path is None else self.recorded_lines

    def arcs(self, _path: object = None) -> set[Arc] | None:
        """Return possible arcs (without a path), or the recorded arcs of a path."""
        return self.parser.arcs() if _path is None else self.recorded_arcs

    def has_arcs(self) -> bool:
        return self.recorded_arcs is not None

    def excluded_lines(self) -> set[int]:
        return self.parser.excluded

    def exit_counts(self) -> dict[int, int]:
        return self.parser.exit_counts()

    def no_branch_lines(self) -> set[int]:
        return self.parser.lines_matching(self.partial)

    def translate_lines(self, lines: Iterable[int]) -> set[int]:
        return self.parser.translate_lines(lines)

    def translate_arcs(self, arcs: Iterable[Arc]) -> set[Arc]:
        return self.parser.translate_arcs(arcs)


class CoverageFailure(Exception):
    """coverage.py fails on this file with an internal error; footfall does not."""


def find_differences(text: str, path: str, rules: ExclusionRules, seed: int = 0) -> list[str]:
    """Return the differences, one line each. What coverage.py rejects as not Python must be rejected here too.

    Raises CoverageFailure if coverage.py itself fails.
    """
    try:
        reporter = Reporter(text, path, rules)
        reporter.parser.arcs()
    except NotPython:
        try:
            analyze_source(text, path, rules)
        except SourceError:
            return []
        return ["coverage.py cannot parse it, footfall does"]
    except (AssertionError, RecursionError, ValueError) as error:
        with contextlib.suppress(SourceError):
            analyze_source(text, path, rules)
        raise CoverageFailure(repr(error)) from error
    try:
        ours = analyze_source(text, path, rules)
    except SourceError as error:
        return [f"footfall refuses it: {error}"]
    differences = list(_compare_static(ours, reporter))
    chooser = random.Random(seed)
    for _ in range(2):
        differences += _compare_results(ours, reporter, text, *_make_up_run(ours, chooser))
    differences += _compare_results(ours, reporter, text, _make_up_run(ours, chooser)[0], None)
    return differences


def _compare_static(ours: SourceAnalysis, reporter: Reporter) -> Iterator[str]:
    parser = reporter.parser
    pairs = {
        "statements": (ours.statements, parser.statements),
        "excluded": (ours.excluded, parser.excluded),
        "raw statements": (ours.raw_statements, parser.raw_statements),
        "first lines": (ours.first_line, parser.multiline_map),
        "arcs": (ours.arcs, parser.arcs()),
        "exit counts": (ours.exit_counts, parser.exit_counts()),
        "no branch": (ours.no_branch, reporter.no_branch_lines()),
    }
    for what, (mine, theirs) in pairs.items():
        if mine != theirs:
            yield f"{what}: only ours {_show(mine, theirs)}, only coverage.py's {_show(theirs, mine)}"
    for arc in ours.arcs:
        if ours.exit_counts.get(arc[0], 0) > 1:
            mine, theirs = ours.missing_arc_description(*arc), parser.missing_arc_description(*arc)
            if _parts(mine) != _parts(theirs):
                yield f"description of {arc}: {mine!r} != {theirs!r}"
            # coverage.py takes the first of several in an order that changes from run to run.
            if " or " not in theirs and ours.arc_description(*arc) != parser.arc_description(*arc):
                yield f"short description of {arc}: {ours.arc_description(*arc)!r}"


def _show(one: object, other: object) -> list[object]:
    if isinstance(one, dict) and isinstance(other, dict):
        return sorted(set(one.items()) - set(other.items()))[:6]
    return sorted(set(one) - set(other))[:6]  # type: ignore[call-overload]


def _parts(description: str) -> set[str]:
    # coverage.py writes "because" without a reason if it has none; a bare jump beside a reason says nothing more.
    parts = {part.removesuffix(" because ") for part in description.split(" or ")}
    return {part for part in parts if " because " in part or "didn't jump" not in part} or parts


def _make_up_run(ours: SourceAnalysis, chooser: random.Random) -> tuple[set[int], set[Arc]]:
    """Invent a plausible recording: parts of the possible arcs, as raw lines, with jumps back to `with` lines."""
    same_statement: dict[int, list[int]] = {}
    for line, first in ours.first_line.items():
        same_statement.setdefault(first, []).append(line)

    def raw(line: int) -> int:
        choice = chooser.choice(same_statement.get(abs(line), [abs(line)]))
        return choice if line > 0 else -choice

    share = chooser.random()
    arcs = {(raw(start), raw(end)) for start, end in sorted(ours.arcs) if chooser.random() < share}
    for before, after in sorted(ours.with_exits.items(), key=str):
        for arc in (before, after):
            if arc is not None and chooser.random() < 0.5:
                arcs.add((raw(arc[0]), raw(arc[1])))
    raw_lines = sorted(ours.raw_statements)
    lines = {line for line in raw_lines if chooser.random() < share}
    arcs.update((line, line) for line in sorted(lines) if chooser.random() < 0.3)
    lines.update(abs(line) for arc in arcs for line in arc)
    if raw_lines:
        arcs.update((chooser.choice(raw_lines), chooser.choice(raw_lines)) for _ in range(5))
    return lines, arcs


def _compare_results(
    ours: SourceAnalysis, reporter: Reporter, text: str, lines: set[int], arcs: set[Arc] | None
) -> Iterator[str]:
    reporter.recorded_lines, reporter.recorded_arcs = lines, arcs
    theirs = analysis_from_file_reporter(reporter, 2, reporter, ours.path)  # type: ignore[arg-type]
    mine = compare(ours, lines, arcs)
    yield from _compare_one("file", mine, theirs)
    if mine.executed_arcs != theirs.arcs_executed_set:
        yield f"translated arcs: {sorted(mine.executed_arcs ^ theirs.arcs_executed_set)[:6]}"
    our_regions = find_regions(ours)
    their_regions = sorted(code_regions(text), key=lambda region: region.start)
    if [(r.kind, r.name, r.start, set(r.lines)) for r in our_regions] != [
        (r.kind, r.name, r.start, r.lines) for r in their_regions
    ]:
        yield "regions"
        return
    for kind in ("function", "class"):
        line_sets = [region.lines for region in our_regions if region.kind == kind]
        outside = find_outside_lines(ours, [region for region in our_regions if region.kind == kind])
        narrower = AnalysisNarrower(theirs)
        narrower.add_regions(r.lines for r in their_regions if r.kind == kind)
        narrower.add_regions([set(outside)])
        sets = [*line_sets, outside]
        for lines_of, narrowed in zip(sets, narrow_result(mine, sets), strict=True):
            yield from _compare_one(f"{kind} {min(lines_of, default=0)}", narrowed, narrower.narrow(set(lines_of)))


def _compare_one(where: str, mine: object, theirs: object) -> Iterator[str]:
    numbers, their_numbers = mine.numbers, theirs.numbers  # type: ignore[attr-defined]
    pairs = {
        "executed": (mine.executed, theirs.executed),
        "missing": (mine.missing, theirs.missing),
        "missing branches": (mine.missing_branches, _flatten(theirs.missing_branch_arcs())),
        "executed branches": (mine.executed_branches, _flatten(theirs.executed_branch_arcs())),
        "branch stats": (mine.branch_stats, theirs.branch_stats()),
        "missing text": (mine.missing_text(), theirs.missing_formatted(branches=True)),
        "missing lines text": (mine.missing_text(branches=False), theirs.missing_formatted()),
        "percentages": (
            [
                numbers.pc_covered_str(2),
                numbers.pc_statements_str(2),
                numbers.pc_branches_str(2),
                numbers.ratio_covered,
            ],
            [
                their_numbers.pc_covered_str,
                their_numbers.pc_statements_str,
                their_numbers.pc_branches_str,
                their_numbers.ratio_covered,
            ],
        ),
    }
    for count in (
        "n_files n_statements n_excluded n_missing n_branches n_partial_branches n_missing_branches "
        "n_executed n_executed_branches pc_covered"
    ).split():
        pairs[count] = getattr(numbers, count), getattr(their_numbers, count)
    for what, (one, other) in pairs.items():
        if one != other:
            yield f"{where}: {what}: {str(one)[:100]} != {str(other)[:100]}"


def _flatten(arcs: dict[int, list[int]]) -> tuple[Arc, ...]:
    return tuple((start, end) for start, ends in arcs.items() for end in ends)


def standard_library() -> list[Path]:
    """Return all source files of the running interpreter's standard library, tests included."""
    root = Path(sysconfig.get_paths()["stdlib"])
    return [path for path in sorted(root.rglob("*.py")) if "site-packages" not in path.parts and path.is_file()]


def installed_packages() -> list[Path]:
    """Return all source files in site-packages."""
    roots = map(Path, site.getsitepackages())
    return [path for root in roots for path in sorted(root.rglob("*.py")) if path.is_file()]


def main() -> int:
    """Compare what the command line selects; the exit status is 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="standard library, site-packages and 2,000 programs")
    parser.add_argument("--programs", type=int, default=0, help="number of random programs")
    parser.add_argument("--seed", type=int, default=0, help="first seed of the programs")
    parser.add_argument("paths", nargs="*", type=Path, help="files or folders")
    options = parser.parse_args()
    paths = [file for path in options.paths for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
    if options.all:
        paths = standard_library() + installed_packages() + paths
    n_programs = options.programs or (2000 if options.all else 0)
    warnings.simplefilter("ignore")
    version = sys.implementation.name + " " + ".".join(map(str, sys.version_info[:3]))
    started = time.process_time()
    is_equal = True
    for what, texts in (("files", _read_all(paths)), ("programs", _generate(options.seed, n_programs))):
        counts: Counter[str] = Counter()
        for index, (name, text) in enumerate(texts):
            counts["tried"] += 1
            counts["lines"] += text.count("\n")
            _count(counts, name, text, index)
        is_equal = is_equal and not counts["differ"]
        print(
            f"{version}: {counts['tried']} {what} of {counts['lines']} lines, {counts['differ']} differ, "
            f"coverage.py fails on {counts['fails']}"
        )
    print(f"{time.process_time() - started:.0f} s CPU", file=sys.stderr)
    return int(not is_equal)


def _read_all(paths: list[Path]) -> Iterator[tuple[str, str]]:
    for path in paths:
        with contextlib.suppress(SourceError):
            yield os.fspath(path), decode_source(path.read_bytes())


def _generate(first_seed: int, n_programs: int) -> Iterator[tuple[str, str]]:
    for seed in range(first_seed, first_seed + n_programs):
        yield f"program {seed}", generate_program(seed)


def _count(counts: "Counter[str]", name: str, text: str, seed: int) -> None:
    try:
        differences = find_differences(text, name, ExclusionRules(), seed)
    except CoverageFailure as error:
        counts["fails"] += 1
        print(f"{name}: coverage.py: {error}")
        return
    counts["differ"] += bool(differences)
    for difference in differences[:5]:
        print(f"{name}: {difference}")


if __name__ == "__main__":
    sys.exit(main())
