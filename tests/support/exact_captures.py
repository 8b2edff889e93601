"""Compares what blocks of `footfall.capture()` find by probes and by the trace function, over random programs.

    python3.11 tests/support/exact_captures.py --programs 500 [--first 0] [--full] [--events]
    python3.11 tests/support/exact_captures.py --constructs

On CPython 3.11 to 3.13 and PyPy. Each program is run twice in separate processes, the second time with a tracer set
when the series begins, so that it is traced; with `--events` (3.12 and 3.13) it is measured by events of
sys.monitoring, which such a tracer causes there. In each run the module is imported in a block, then its functions are
called in blocks of their own, some of them again; lines and branches of all blocks are compared. Prints the number of
programs tried and those that differ.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from programs.flow_constructs import CONSTRUCTS
from programs.generated import generate_program

__all__ = ["compare_captures"]

_BATCH = 50

_RUNNER = """
import contextlib, importlib, inspect, io, json, random, sys
import footfall
way, full, when = json.loads(sys.argv[1])
sys.path.insert(0, "programs")
names = json.loads(sys.argv[2])
modules = {}
if when == "before":
    for name in names:
        with contextlib.suppress(BaseException), contextlib.redirect_stdout(io.StringIO()):
            modules[name] = importlib.import_module(name)
if way != "probes":
    sys.settrace(lambda *event: None)
if way == "trace":
    importlib.import_module("footfall.api.capture").HAS_MONITORING = False
series = footfall.capture(source=["programs"], full=full)
sys.settrace(None)
answers = {}

def note(blocks, new):
    lines, branches = sorted(sum(map(list, new.lines.values()), [])), sorted(sum(map(list, new.branches.values()), []))
    assert full or bool(new) == bool(lines or branches)
    blocks.append([lines, branches])

def use(function):
    try:
        if inspect.isclass(function):
            return
        result = function(*(3 for _ in inspect.signature(function).parameters))
        if inspect.iscoroutine(result):
            result.close()
        elif inspect.isgenerator(result):
            for _ in zip(range(20), result):
                pass
            result.close()
    except BaseException as error:
        error.__traceback__ = None

for name in names:
    random.seed(name)
    blocks = answers[name] = []
    with contextlib.redirect_stdout(io.StringIO()):
        if when == "within":
            with series as new, contextlib.suppress(BaseException):
                modules[name] = importlib.import_module(name)
            note(blocks, new)
        functions = [value for value in vars(modules.get(name, object)).values() if inspect.isfunction(value)]
        for function in functions + random.sample(functions, len(functions) // 2):
            with series as new:
                use(function)
            note(blocks, new)
print(json.dumps(answers))
"""


def compare_captures(programs: dict[str, str], is_full: bool, when: str, other: str = "trace") -> dict[str, str]:
    """Return the first difference of each program (by module name) that has one.

    `when` says when the modules are imported: "before" the series begins, or "within" a block; `other` is "trace" or
    "events".
    """
    with tempfile.TemporaryDirectory(prefix="footfall-captures-") as directory:
        folder = Path(directory, "programs")
        folder.mkdir()
        for name, text in programs.items():
            (folder / f"{name}.py").write_text(text, encoding="utf-8")
        by_probes, by_other = (_answers(directory, list(programs), way, is_full, when) for way in ("probes", other))
    found = {}
    for name in programs:
        for number, pair in enumerate(zip(by_probes[name], by_other[name], strict=True)):
            if pair[0] != pair[1]:
                found[name] = f"block {number}: {_difference(*pair, other)}"
                break
    return found


def _difference(probes: list[list[object]], others: list[list[object]], way: str) -> str:
    parts = []
    for kind, ours, theirs in zip(("lines", "branches"), probes, others, strict=True):
        more, less = [x for x in ours if x not in theirs], [x for x in theirs if x not in ours]
        if more or less:
            parts.append(f"{kind} by probes alone {more}, by {way} alone {less}")
    return "; ".join(parts)


def _answers(
    directory: str, names: list[str], way: str, is_full: bool, when: str
) -> dict[str, list[list[list[object]]]]:
    options = json.dumps([way, is_full, when])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _RUNNER, options, json.dumps(names)],
        cwd=directory,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    if done.returncode or done.stderr:
        raise RuntimeError(done.stderr[-3000:])
    answers: dict[str, list[list[list[object]]]] = json.loads(done.stdout)
    return answers


def _batches(programs: dict[str, str]) -> Iterable[dict[str, str]]:
    names = list(programs)
    for first in range(0, len(names), _BATCH):
        yield {name: programs[name] for name in names[first : first + _BATCH]}


def main() -> int:
    """Compare the programs that the options select; the exit status is 1 if something differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="seed of the first program")
    parser.add_argument("--constructs", action="store_true", help="the table of constructs in place of random programs")
    parser.add_argument("--full", action="store_true", help="all that blocks run")
    parser.add_argument("--events", action="store_true", help="compare with sys.monitoring (CPython 3.12, 3.13)")
    options = parser.parse_args()
    if options.constructs:
        programs = {f"construct_{number}": text for number, text in enumerate(CONSTRUCTS.values())}
    else:
        seeds = range(options.first, options.first + options.programs)
        programs = {f"program_{seed}": generate_program(seed) for seed in seeds}
    n_different = 0
    for batch in _batches(programs):
        for when in ("before", "within"):
            for name, difference in compare_captures(
                batch, options.full, when, "events" if options.events else "trace"
            ).items():
                n_different += 1
                print(f"{name} ({when}): {difference}", flush=True)
    print(f"{len(programs)} programs, {n_different} of {2 * len(programs)} runs differ")
    return int(n_different > 0)


if __name__ == "__main__":
    sys.exit(main())
