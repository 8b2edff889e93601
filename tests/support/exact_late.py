"""Compares a start in a running program with coverage.py's C tracer started there, over random programs.

    python tests/support/exact_late.py --programs 500 [--first 0]

Each program's functions exist before the start, and some generators have begun; then the functions are called, some of
them in a second thread. Each program is run in a process of its own under both. Lines and branches as coverage.py
reports them are compared, without the lines that are inferred. Prints the number of programs tried and those that
differ.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from coverage.parser import PythonParser

from footfall.record.data.coverage_tables import read_coverage
from programs.generated import generate_program

__all__ = ["compare_late"]

_RUNNER = """
import contextlib, importlib, inspect, io, json, random, sys, threading
way, names = json.loads(sys.argv[1])
sys.path.insert(0, "programs")
modules, begun = {}, {}

def call(function):
    result = function(*(3 for _ in inspect.signature(function).parameters))
    if inspect.iscoroutine(result):
        result.close()
    elif inspect.isgenerator(result):
        return result

def use(function):
    try:
        if inspect.isfunction(function):
            for _ in zip(range(20), call(function) or ()): pass
    except BaseException as error:
        error.__traceback__ = None

def is_within(name, value):
    return inspect.isfunction(value) and value.__module__ == name

for name in names:
    if name.endswith("1"): continue  # it is imported during the measurement
    with contextlib.suppress(BaseException), contextlib.redirect_stdout(io.StringIO()):
        modules[name] = importlib.import_module(name)
    for value in [value for value in vars(modules.get(name, object)).values() if is_within(name, value)]:
        with contextlib.suppress(BaseException):
            each = call(value)
            if each is not None and next(each) is not None:
                begun.setdefault(name, []).append(each)
if way == "ours":
    import footfall
    footfall.start()
else:
    import coverage
    measuring = coverage.Coverage("theirs")
    measuring.start()
for name in names:
    random.seed(name)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(BaseException):
        modules.setdefault(name, None) or modules.update({name: importlib.import_module(name)})
    functions = [value for value in vars(modules.get(name) or object).values() if is_within(name, value)]
    with contextlib.redirect_stdout(io.StringIO()):
        for each in begun.get(name, ()):
            with contextlib.suppress(BaseException):
                for _ in zip(range(20), each): pass
        for number, function in enumerate(functions):
            if number % 3:
                use(function)
            else:
                thread = threading.Thread(target=use, args=(function,))
                thread.start()
                thread.join()
if way == "ours":
    footfall.stop("ours")
else:
    measuring.stop()
    measuring.save()
"""


def compare_late(programs: dict[str, str]) -> dict[str, str]:
    """Return the difference of each program (by module name) that has one."""
    with tempfile.TemporaryDirectory(prefix="footfall-late-") as directory:
        folder = Path(directory, "programs")
        folder.mkdir()
        Path(directory, ".coveragerc").write_text("[run]\nbranch = true\nsource = programs\n")
        for name, text in programs.items():
            (folder / f"{name}.py").write_text(text, encoding="utf-8")
        for way in "ours", "theirs":
            _run(directory, "-W", "ignore", "-c", _RUNNER, json.dumps([way, list(programs)]))
            if way == "ours":
                _run(directory, "-m", "coverage", "json", "-q", "--data-file=ours", "-o", "ours.json")
            else:
                _run(directory, "-m", "coverage", "json", "-q", "--data-file=theirs", "-o", "theirs.json")
        seen = {way: json.loads(Path(directory, f"{way}.json").read_text())["files"] for way in ("ours", "theirs")}
        inferred = _inferred(directory)
    found = {}
    for name in programs:
        path = f"programs/{name}.py"
        ours, theirs = (_of(seen[way].get(path), inferred.get(f"{name}.py", set())) for way in ("ours", "theirs"))
        if ours != theirs:
            found[name] = f"by us alone {sorted(ours - theirs)}, by coverage.py alone {sorted(theirs - ours)}"
    return found


def _of(file: dict[str, list[object]] | None, inferred: set[int]) -> set[object]:
    if file is None:
        return set()
    lines: set[object] = {("line", line) for line in file["executed_lines"] if line not in inferred}
    return lines | {("branch", *branch) for branch in file["executed_branches"]}  # type: ignore[misc]


def _inferred(directory: str) -> dict[str, set[int]]:
    """Return by name of a file the first lines of the statements that were inferred, as coverage.py reports them."""
    found = {}
    for path, file in read_coverage(Path(directory, "ours")).files.items():
        parser = PythonParser(text=Path(path).read_text(encoding="utf-8"))
        parser.parse_source()
        found[os.path.basename(path)] = parser.first_lines(file.inferred)
    return found


def _run(directory: str, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=directory,
        env={**os.environ, "PYTHONHASHSEED": "0", "COVERAGE_CORE": "ctrace"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])


def main() -> int:
    """Compare programs in groups; exit with 1 if any differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.programs)
    programs = {f"program{seed}": generate_program(seed) for seed in seeds}
    names, found = list(programs), {}
    for first in range(0, len(names), 25):
        found |= compare_late({name: programs[name] for name in names[first : first + 25]})
    for name, difference in found.items():
        print(f"{name}: {difference}")
    print(f"{len(programs)} programs, {len(found)} differ")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
