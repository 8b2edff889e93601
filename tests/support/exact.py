"""Exactness in one command: random programs under footfall and under coverage.py's C tracer, all numbers compared.

    python tests/support/exact.py --programs 5000 --jobs 2     prints programs tried, programs that differ, first differences
    python tests/support/exact.py --constructs                 the table of constructs, each a program
    python tests/support/exact.py --constructs "for " while    those whose names begin so
    python tests/support/exact.py --engine settrace --no-branch     another engine, only lines
    python tests/support/exact.py --optimize 2                 the programs under `python -OO`, the analyses not
    python tests/support/exact.py --threads 16                 footfall measures all programs in each of 16 threads at once
    FOOTFALL_PURE=1 python tests/support/exact.py                   without the C core
    python tests/support/exact.py --under PYTHON     that Python runs footfall: the same version for another processor
    PYTHON_JIT=1 python tests/support/exact.py --rounds 3000 --programs 200     functions hot enough for CPython's JIT
    python3.13 tests/support/exact.py --syntax 3.11 --save FILE     keep what the C tracer recorded of 3.11's syntax ...
    pypy tests/support/exact.py --expect FILE                  ... for PyPy 3.11, which has no C tracer

PyPy's truth comes from CPython 3.13, because 3.11's record contains phantom lines of its own compiler. Programs that
compute something else on PyPy without measuring are left out and counted: unused generators end at another time there.

footfall measures as for a user: with its start hook, a run directory, its engine for this interpreter, and its own
analysis. The truth is coverage.py's analysis of what its C tracer recorded. The comparison covers statements, excluded
and missing lines, possible and missing branches, and totals; and what the program computed, with and without measuring.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import json
import marshal
import os
import re
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from footfall.analyze.resolve import resolve
from footfall.analyze.results import compare
from footfall.analyze.source.analysis import analyze_source
from footfall.analyze.source.exclude import ExclusionRules
from footfall.model import ENGINE_VARIABLE, RUN_VARIABLE
from footfall.record.run.directory import RunSettings, make_run_directory
from footfall.tier import PURE_VARIABLE
from programs.flow_constructs import CONSTRUCTS
from programs.generated import generate_program

__all__ = ["Compared", "Measure", "Truth", "compare_programs", "constructs", "find_truth", "random_programs"]

Answer = dict[str, Any]
"""One program's numbers by name, in lists and dicts that JSON preserves."""

Arc = tuple[int, int]

Truth = tuple[Sequence[Arc], str]
"""The arcs that the C tracer records for a program, and what the program computed."""


class Compared(NamedTuple):
    """The differences by program; how many coverage.py can't analyse, and how many compute something else there."""

    differences: dict[str, str]
    unknown: int
    other: int


class Measure(NamedTuple):
    """How footfall measures: its default is what a user gets."""

    engine: str = ""
    branch: bool = True
    optimize: int = 0
    """How many `-O` options the programs' Python gets."""
    threads: int = 0
    """In how many threads at once all programs run under footfall; 0 is none but the main thread."""
    python: str = sys.executable
    """Runs the programs under footfall; the truth and all analyses come from this interpreter."""


_RUNNER = Path(__file__).with_name("exact_runner.py")
_BATCH = 100


def random_programs(
    seeds: Iterable[int], syntax: tuple[int, int] = sys.version_info[:2], rounds: int = 0
) -> dict[str, str]:
    """Return {name: text}. The same seeds give the same programs in the syntax of the same version of Python."""
    return {f"program{seed}": generate_program(seed, syntax, rounds=rounds) for seed in seeds}


def constructs(names: Iterable[str] = ("",)) -> dict[str, str]:
    """Return the table of constructs as programs, those that this version of Python can parse.

    Only those are returned whose name begins with one of `names`.
    """
    programs = {}
    starts = tuple(names)
    for name, text in CONSTRUCTS.items():
        if not name.startswith(starts):
            continue
        try:
            compile(text, "construct", "exec")
        except SyntaxError:
            continue
        programs["construct_" + re.sub(r"\W+", "_", name).strip("_")] = text
    return programs


def compare_programs(
    programs: Mapping[str, str],
    truth: Mapping[str, Truth] | None = None,
    how: Measure = Measure(),  # noqa: B008, it is immutable
) -> Compared:
    """Run programs under footfall and compare the results with the truth; if none is given, the C tracer runs here.

    What the program computes under footfall must be the same as without measuring, or under the C tracer.
    """
    with tempfile.TemporaryDirectory() as work:
        directory = _write_programs(programs, Path(work))
        if truth is None:
            truth = _trace(directory, Path(work), how.optimize)
            results = {name: result for name, (_, result) in truth.items()}
        else:
            results = _run(directory, Path(work), optimize=how.optimize)
        expected = _true_answers(directory, {name: truth[name][0] for name in results}, how.branch)
        answers, own_results = _measure(directory, Path(work), how)
    differences = {}
    unknown = other = 0
    for name in programs:
        if results[name] != own_results[name]:
            differences[name] = f"it computed something else: {own_results[name][-200:]} != {results[name][-200:]}"
        elif results[name] != truth[name][1]:
            other += 1
        elif name not in expected:
            unknown += 1
        elif answers[name] != expected[name]:
            differences[name] = _describe(answers[name], expected[name])
    return Compared(differences, unknown, other)


def find_truth(programs: Mapping[str, str], optimize: int = 0) -> dict[str, Truth]:
    """Return what coverage.py's C tracer records for the programs, and what they compute."""
    with tempfile.TemporaryDirectory() as work:
        return _trace(_write_programs(programs, Path(work)), Path(work), optimize)


def _write_programs(programs: Mapping[str, str], work: Path) -> Path:
    directory = work.resolve() / "programs"
    directory.mkdir()
    for name, text in programs.items():
        (directory / f"{name}.py").write_text(text)
    return directory


def _run(
    directory: Path,
    work: Path,
    *arguments: str,
    optimize: int = 0,
    python: str = sys.executable,
    **variables: str,
) -> dict[str, str]:
    """Run the programs in a fresh process; return what each computed."""
    results = work / "results"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FOOTFALL", "COVERAGE"))}
    if PURE_VARIABLE in os.environ:
        environment[PURE_VARIABLE] = os.environ[PURE_VARIABLE]
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", **variables}
    command = [python, *["-O"] * optimize, str(_RUNNER), str(directory), str(results), *arguments]
    done = subprocess.run(command, env=environment, cwd=work, capture_output=True, text=True)
    if done.returncode or done.stderr:
        raise SystemExit(f"The programs ended with status {done.returncode}:\n{done.stderr}")
    found: dict[str, str] = marshal.loads(results.read_bytes())
    return found


def _trace(directory: Path, work: Path, optimize: int = 0) -> dict[str, Truth]:
    results = _run(directory, work, str(work / "arcs"), optimize=optimize, COVERAGE_CORE="ctrace")
    arcs = marshal.loads((work / "arcs").read_bytes())
    return {name: (arcs.get(name, ()), result) for name, result in results.items()}


def _true_answers(directory: Path, recorded: Mapping[str, Sequence[Arc]], branch: bool) -> dict[str, Answer]:
    """Return coverage.py's results for what its C tracer recorded; without the programs that it cannot analyse."""
    answers = {}
    for name, arcs in recorded.items():
        try:
            with _patience(60):
                answers[name] = _true_answer(str(directory / f"{name}.py"), [tuple(arc) for arc in arcs], branch)
        except (AssertionError, TimeoutError):
            continue  # coverage.py's own analysis fails on some one-line `with` statements, and never ends on a few
    return answers


@contextlib.contextmanager
def _patience(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in a block that takes longer, where there are alarms. Only in the main thread."""
    if not hasattr(signal, "SIGALRM"):  # on Windows
        yield
        return

    def give_up(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _true_answer(path: str, arcs: Sequence[Arc], branch: bool) -> Answer:
    import coverage
    from coverage.python import PythonFileReporter
    from coverage.results import analysis_from_file_reporter

    settings = coverage.Coverage(branch=branch, data_file=None, config_file=False)
    data = coverage.CoverageData(no_disk=True)
    try:
        if branch:
            data.add_arcs({path: arcs})
        else:
            data.add_lines({path: {line for arc in arcs for line in arc if line > 0}})
        found = analysis_from_file_reporter(data, 2, PythonFileReporter(path, settings), path)
    finally:
        data.close(force=True)
    missing = found.missing_branch_arcs()
    return _answer(
        found.statements,
        found.excluded,
        found.missing,
        ((line, to) for line, ends in missing.items() for to in ends),
        found.branch_stats(),
        found.numbers,
    )


def _measure(directory: Path, work: Path, how: Measure) -> tuple[dict[str, Answer], dict[str, str]]:
    """Return footfall's results and what the programs computed under it."""
    settings = RunSettings(cwd=str(work), branch=how.branch, profile=False, source_dir=[str(directory)])
    run = make_run_directory(settings).path
    variables = {RUN_VARIABLE: str(run), ENGINE_VARIABLE: how.engine}
    arguments = ("", str(how.threads)) if how.threads else ()
    results = _run(directory, work, *arguments, optimize=how.optimize, python=how.python, **variables)
    data = resolve(run)
    messages = [text for slug, text in data.messages if slug != "jit-settrace"]
    if messages:
        raise SystemExit(f"footfall says: {messages}")
    answers = {}
    for name in results:
        path = str(directory / f"{name}.py")
        file = data.files.get(path)
        lines = file.lines[""] if file is not None else set()
        arcs = file.arcs[""] if file is not None else set()
        with open(path) as source:
            analysis = analyze_source(source.read(), path, ExclusionRules())
        reached = {*lines, *(abs(line) for arc in arcs for line in arc)}
        found = compare(analysis, reached, arcs if how.branch else None)
        answers[name] = _answer(
            found.statements,
            found.excluded,
            found.missing,
            found.missing_branches,
            found.branch_stats,
            found.numbers,
        )
    return answers, results


def _answer(
    statements: Iterable[int],
    excluded: Iterable[int],
    missing: Iterable[int],
    missing_branches: Iterable[Arc],
    branch_stats: Mapping[int, tuple[int, int]],
    numbers: Any,
) -> Answer:
    return {
        "statements": sorted(statements),
        "excluded": sorted(excluded),
        "missing": sorted(missing),
        "missing branches": sorted(map(list, missing_branches)),
        "branches": sorted([line, *counts] for line, counts in branch_stats.items()),
        "totals": [
            numbers.n_statements,
            numbers.n_excluded,
            numbers.n_missing,
            numbers.n_branches,
            numbers.n_partial_branches,
            numbers.n_missing_branches,
            *numbers.ratio_covered,
            numbers.pc_covered,
        ],
    }


def _describe(ours: Answer, theirs: Answer) -> str:
    """Describe what differs; plus is what only we have."""
    parts = []
    for what, mine in ours.items():
        other = theirs[what]
        if mine == other:
            continue
        if what != "totals":
            more, less = ([item for item in one if item not in two] for one, two in ((mine, other), (other, mine)))
            parts.append(f"{what} +{more} -{less}")
    return "; ".join(parts) or f"totals {ours['totals']} != {theirs['totals']}"


def _batches(seeds: range) -> Iterator[range]:
    for first in range(seeds.start, seeds.stop, _BATCH):
        yield range(first, min(first + _BATCH, seeds.stop))


def main() -> int:
    """Run the command line; return 1 if something differs."""
    parser = argparse.ArgumentParser(description="Compare footfall with coverage.py's C tracer on random programs.")
    parser.add_argument("--programs", type=int, help="how many (default: 5000, with --expect as many as FILE has)")
    parser.add_argument("--seed", type=int, default=0, help="of the first program (default: 0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="batches at a time (default: all cores)")
    parser.add_argument(
        "--rounds", type=int, default=0, help="call the functions of random programs so often once more"
    )
    parser.add_argument(
        "--constructs",
        nargs="*",
        metavar="NAME",
        help="try the table of constructs instead, or those whose names begin so",
    )
    parser.add_argument("--show", type=int, default=20, help="differences to print (default: 20)")
    parser.add_argument("--save", metavar="FILE", help="only write what the C tracer records to FILE")
    parser.add_argument("--expect", metavar="FILE", help="compare with the record in FILE")
    parser.add_argument(
        "--syntax",
        type=_version,
        default=sys.version_info[:2],
        metavar="X.Y",
        help="of the random programs (default: ours)",
    )
    parser.add_argument("--engine", default="", help="probes, monitoring or settrace (default: as footfall chooses)")
    parser.add_argument("--no-branch", action="store_true", help="measure lines only")
    parser.add_argument("--optimize", type=int, default=0, help="how often -O is given to the programs (default: 0)")
    parser.add_argument("--threads", type=int, default=0, help="in which footfall measures all programs at once")
    parser.add_argument("--under", default=sys.executable, metavar="PYTHON", help="that runs footfall (default: this)")
    arguments = parser.parse_args()
    how = Measure(
        arguments.engine,
        not arguments.no_branch,
        arguments.optimize,
        arguments.threads,
        os.path.abspath(arguments.under),
    )
    truth = json.loads(Path(arguments.expect).read_text()) if arguments.expect else None
    n_programs = arguments.programs or (5000 if truth is None else len(truth))
    seeds = range(arguments.seed, arguments.seed + n_programs)
    batches = [constructs(arguments.constructs or ("",))] if arguments.constructs is not None else list(_batches(seeds))
    if arguments.save:
        return _save(arguments.save, batches, arguments.syntax, arguments.optimize, arguments.rounds)
    compare_batch = functools.partial(_compare_batch, how=how, syntax=arguments.syntax, rounds=arguments.rounds)
    tried = unknown = other = 0
    differences: dict[str, str] = {}
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for n_tried, found in pool.map(compare_batch, batches, itertools.repeat(truth)):
            tried += n_tried
            unknown += found.unknown
            other += found.other
            for name, what in found.differences.items():
                if len(differences) < arguments.show:
                    print(f"{name}: {what}", flush=True)
                differences[name] = what
    print(f"{_interpreter()}: programs tried {tried}, differ {len(differences)}", end="")
    print(f" (coverage.py cannot analyse {unknown}, their results are the same)" if unknown else "", end="")
    print(f" (not compared: {other} that compute something else than under the C tracer)" if other else "")
    return 1 if differences else 0


def _compare_batch(
    seeds: range | dict[str, str],
    truth: Mapping[str, Truth] | None,
    how: Measure,
    syntax: tuple[int, int],
    rounds: int,
) -> tuple[int, Compared]:
    """Compare in a process of the pool, which also makes the programs from seeds."""
    warnings.simplefilter("ignore")  # compiling random programs causes warnings about them
    programs = random_programs(seeds, syntax, rounds) if isinstance(seeds, range) else seeds
    return len(programs), compare_programs(programs, truth, how)


def _save(
    path: str, batches: Iterable[range | dict[str, str]], syntax: tuple[int, int], optimize: int, rounds: int
) -> int:
    truth: dict[str, Truth] = {}
    warnings.simplefilter("ignore")
    for batch in batches:
        truth |= find_truth(random_programs(batch, syntax, rounds) if isinstance(batch, range) else batch, optimize)
    Path(path).write_text(json.dumps(truth))
    print(f"{len(truth)} programs under {_interpreter()} written to {path}")
    return 0


def _version(text: str) -> tuple[int, int]:
    major, minor = map(int, text.split("."))
    return major, minor


def _interpreter() -> str:
    return f"{sys.implementation.name} {'.'.join(map(str, sys.version_info[:3]))}"


if __name__ == "__main__":
    sys.exit(main())
