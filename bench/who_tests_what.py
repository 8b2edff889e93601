"""Which test ran which line, in each phase: the plugin's answer against coverage.py's with `--cov-context=test`.

    python bench/who_tests_what.py --python python3.11 --python python3.14 --python pypy3.11 --project click

Runs a real suite with `pytest --footfall --footfall-context=test`, and twice with pytest-cov and
`COVERAGE_CORE=ctrace` (on PyPy, which has no C tracer, pytest-cov's tracer there), and compares the two tables from
(test, phase) to statements. What the two runs of pytest-cov say differently is unstable by itself and distinguished.
Garbage is not collected meanwhile: which test's turn it is when finalizers and weakref callbacks run depends on how
many objects the tool itself makes. Exit status 1 when there is any other difference.
"""

import argparse
import collections
import dataclasses
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping

from arguments import interpreter_path
from footfall.config.configuration import Config
from footfall.config.reading import read_config
from footfall.load.gather import gather
from footfall.record.data.coverage_tables import read_lines_by_context
from projects import PROJECTS, Environment, clean_environment, prepare

Table = dict[str, set[tuple[str, int]]]
"""Context label -> (path, first line of a statement)."""

_NO_GARBAGE = "without_garbage_collection"
"""A pytest plugin."""


def main() -> int:
    """Run what was asked for, print a line for each suite and what differs; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--python", action="append", type=interpreter_path, help="an interpreter (repeatable; default: this one)"
    )
    parser.add_argument("--project", action="append", choices=list(PROJECTS), help="repeatable; default: click")
    parser.add_argument("--work", help="directory for downloads and environments, kept for the next time")
    options = parser.parse_args()
    work = pathlib.Path(options.work or tempfile.mkdtemp(prefix="footfall-bench-")).resolve() / "who-tests-what"
    count = 0
    for interpreter in options.python or [sys.executable]:
        for name in options.project or ["click"]:
            project = PROJECTS[name]
            needs = (*project.test_requirements, "pytest-cov==7.1.0")
            count += _compare(prepare(dataclasses.replace(project, test_requirements=needs), interpreter, work))
    return 1 if count else 0


def _compare(environment: Environment) -> int:
    scratch = environment.directory.parent / f"scratch-{environment.project.name}"
    scratch.mkdir(exist_ok=True)
    (scratch / f"{_NO_GARBAGE}.py").write_text("import gc\n\ngc.disable()\n")
    ours = _run(
        environment,
        scratch / "footfall.data",
        ["-p", "no:pytest_cov", "--footfall", "--footfall-context=test", "--footfall-report=none"],
        [f"--footfall-config={environment.config}", f"--footfall-data-file={scratch / 'footfall.data'}"],
    )
    theirs = []
    for number in (1, 2):
        data = scratch / f"pytest-cov-{number}.data"
        options = ["-p", "no:footfall", "--cov", "--cov-context=test", "--cov-report="]
        theirs.append(_run(environment, data, options, [f"--cov-config={environment.config}"]))
    unstable = {pair for a, b in (theirs, theirs[::-1]) for pair in _pairs(a) - _pairs(b)}
    left, right = _pairs(ours), _pairs(theirs[0])
    differing = (left ^ right) - unstable
    labels = {label for label, _ in differing}
    print(
        f"{environment.project.requirement} on {environment.label}: {len(theirs[0])} contexts, {len(right)} pairs of"
        f" context and statement; {len(differing)} pairs differ, in {len(labels)} contexts"
        f" ({len(unstable)} unstable besides)",
        flush=True,
    )
    _print_places("footfall only", left - right - unstable)
    _print_places("pytest-cov only", right - left - unstable)
    return len(differing)


def _pairs(table: Table) -> set[tuple[str, tuple[str, int]]]:
    return {(label, place) for label, places in table.items() for place in places}


def _print_places(title: str, pairs: set[tuple[str, tuple[str, int]]]) -> None:
    """The places with the most differing contexts, with one of these."""
    by_place = collections.defaultdict(list)
    for label, place in sorted(pairs):
        by_place[place].append(label)
    for (path, line), labels in sorted(by_place.items(), key=lambda item: -len(item[1]))[:20]:
        print(f"  {title}: {path}:{line} in {len(labels)}, as {labels[0]}")


def _run(environment: Environment, data: pathlib.Path, options: list[str], places: list[str]) -> Table:
    data.unlink(missing_ok=True)
    command = [str(environment.python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command += ["-p", _NO_GARBAGE]
    core = {} if environment.label.startswith("PyPy") else {"COVERAGE_CORE": "ctrace"}
    done = subprocess.run(
        [*command, *environment.project.pytest_options, *options, *places],
        cwd=environment.directory,
        env=clean_environment(COVERAGE_FILE=str(data), PYTHONPATH=str(data.parent), **core),
        stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if not data.exists():
        raise SystemExit(f"{' '.join(done.args)}\nended with {done.returncode}:\n{done.stdout[-4000:]}")
    print(f"{environment.label}: {done.stdout.strip().splitlines()[-1]}", file=sys.stderr, flush=True)
    return _read(data, read_config(str(environment.config)), environment.directory)


def _read(data: pathlib.Path, config: Config, directory: pathlib.Path) -> Table:
    """All of the file's contexts but "" (outside of tests), lines as first lines of statements."""
    table: Table = {}
    stored: Mapping[str, Mapping[str, set[int]]] = read_lines_by_context(data)
    for file in gather(config, data, ignore_errors=True).files:
        for path in file.stored_paths:
            name = str(pathlib.Path(path).relative_to(directory)) if path.startswith(str(directory)) else path
            for label, lines in stored.get(path, {}).items():
                found = file.analysis.translate_lines(lines) & set(file.result.statements)
                if label:
                    table.setdefault(label, set()).update((name, line) for line in found)
    return table


if __name__ == "__main__":
    sys.exit(main())
