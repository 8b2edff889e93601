"""Exactness of contexts: random programs that switch contexts, under footfall and the C tracer, label by label.

    python tests/support/exact_contexts.py --programs 500 [--seed 0] [--jobs 2] [--engine settrace]

Each call in a program begins a context, sometimes a new one and sometimes an earlier one, as tests and their phases do;
coroutines, generators and handlers continue in contexts other than the one they began in. For each context, the lines
that ran and the branches that were taken are compared, by one analysis. If an engine does not repeat the line at which
a frame waited during a switch (`probes`, `settrace`; docs/exactness.md), only lines that an arc of that context leads
to are compared.
"""

from __future__ import annotations

import argparse
import itertools
import marshal
import os
import sys
import tempfile
import warnings
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from exact import _batches, _run
from footfall.analyze.resolve import resolve
from footfall.analyze.resolved_run import FileData
from footfall.analyze.results import compare
from footfall.analyze.source.analysis import SourceAnalysis, analyze_source
from footfall.analyze.source.exclude import ExclusionRules
from footfall.model import ENGINE_VARIABLE, RUN_VARIABLE
from footfall.record.run.directory import RunSettings, make_run_directory
from programs.generated import generate_program

__all__ = ["compare_contexts", "switching_program"]

Arc = tuple[int, int]
ByLabel = Mapping[str, Collection[Arc]]

_N_LABELS = 5
_SWITCHING = f"""\
_count = 0
def next_context():
    global _count
    _count += 1
    _switch("" if _count % {_N_LABELS} == 0 else f"c{{_count * _count % 7 % {_N_LABELS}}}")
"""


def switching_program(seed: int) -> str:
    """Return a random program that begins a context at each call that it attempts and each step of a coroutine."""
    text = generate_program(seed)
    assert (
        "\ndef attempt(function):\n    try:\n" in text
        and "    while True:\n        try:\n            coroutine" in text
    )
    text = text.replace(
        "\ndef attempt(function):\n", f"\n{_SWITCHING}\ndef attempt(function):\n    next_context()\n", 1
    )
    return text.replace(
        "        try:\n            coroutine", "        next_context()\n        try:\n            coroutine", 1
    )


def compare_contexts(seeds: Iterable[int], engine: str = "") -> dict[str, str]:
    """Run programs under both; return {name: the differences}."""
    differences = {}
    with tempfile.TemporaryDirectory() as work:
        directory = Path(work).resolve() / "programs"
        directory.mkdir()
        for seed in seeds:
            (directory / f"program{seed}.py").write_text(switching_program(seed))
        results = _run(directory, Path(work), str(Path(work) / "arcs"), "contexts", COVERAGE_CORE="ctrace")
        theirs: dict[str, ByLabel] = marshal.loads((Path(work) / "arcs").read_bytes())
        settings = RunSettings(cwd=work, branch=True, profile=False, source_dir=[str(directory)])
        run = make_run_directory(settings).path
        variables = {RUN_VARIABLE: str(run), ENGINE_VARIABLE: engine}
        own_results = _run(directory, Path(work), "", "contexts", **variables)
        data = resolve(run)
        if data.messages:
            raise SystemExit(f"footfall says: {data.messages}")
        is_whole = sys.version_info >= (3, 14) and engine != "settrace"
        for name, result in results.items():
            path = str(directory / f"{name}.py")
            if own_results[name] != result:
                differences[name] = "it computed something else"
                continue
            analysis = analyze_source(Path(path).read_text(), path, ExclusionRules())
            file = data.files.get(path, FileData())
            ours = {label: _Recorded(file.lines.get(label, set()), file.arcs.get(label, set())) for label in file.lines}
            recorded = {label: _as_recorded(arcs, is_whole) for label, arcs in theirs.get(name, {}).items()}
            what = _differences(analysis, ours, recorded, is_whole)
            if what:
                differences[name] = what
    return differences


class _Recorded(NamedTuple):
    """What ran in one context."""

    lines: Collection[int] = ()
    arcs: Collection[Arc] = ()


def _as_recorded(arcs: Collection[Arc], is_whole: bool) -> _Recorded:
    """Return what the C tracer recorded; if not `is_whole`, without lines that are only the start of arcs."""
    return _Recorded({line for arc in arcs for line in (arc if is_whole else arc[1:]) if line > 0}, arcs)


def _differences(
    analysis: SourceAnalysis, ours: Mapping[str, _Recorded], theirs: Mapping[str, _Recorded], is_whole: bool
) -> str:
    found = []
    for label in sorted({*ours, *theirs}):
        mine = _facts(analysis, ours.get(label, _Recorded()), is_whole)
        other = _facts(analysis, theirs.get(label, _Recorded()), is_whole)
        if mine != other:
            found.append(f"{label!r} +{sorted(mine - other, key=str)} -{sorted(other - mine, key=str)}")
    return "; ".join(found)


def _facts(analysis: SourceAnalysis, recorded: _Recorded, is_whole: bool) -> set[object]:
    """Return the lines that ran, as first lines of statements, and if `is_whole` the branches taken."""
    lines = {*recorded.lines, *(line for arc in recorded.arcs for line in arc if line > 0 and is_whole)}
    found = compare(analysis, lines, recorded.arcs)
    return {*found.executed, *(found.executed_branches if is_whole else ())}


def main() -> int:
    """Run the command line; return 1 if something differs."""
    parser = argparse.ArgumentParser(description="Compare contexts with coverage.py's C tracer on random programs.")
    parser.add_argument("--programs", type=int, default=500, help="how many (default: 500)")
    parser.add_argument("--seed", type=int, default=0, help="of the first program (default: 0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="batches at a time (default: all cores)")
    parser.add_argument("--engine", default="", help="probes, monitoring or settrace (default: as footfall chooses)")
    parser.add_argument("--show", type=int, default=20, help="differences to print (default: 20)")
    options = parser.parse_args()
    batches = list(_batches(range(options.seed, options.seed + options.programs)))
    differences: dict[str, str] = {}
    with ProcessPoolExecutor(options.jobs) as pool:
        for found in pool.map(_compare_batch, batches, itertools.repeat(options.engine)):
            for name, what in found.items():
                if len(differences) < options.show:
                    print(f"{name}: {what}", flush=True)
                differences[name] = what
    print(f"{sys.version.split()[0]}: programs with contexts tried {options.programs}, differ {len(differences)}")
    return 1 if differences else 0


def _compare_batch(seeds: range, engine: str) -> dict[str, str]:
    warnings.simplefilter("ignore")
    return compare_contexts(seeds, engine)


if __name__ == "__main__":
    sys.exit(main())
