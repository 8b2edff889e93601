"""Any project's own suite, by its own configuration: footfall's coverage against that of coverage.py's C tracer.

    python bench/sdists.py sqlparse==0.5.3 typeguard anyio
    python bench/sdists.py --python python3.11 --python pypy3.11 toolz click --work /tmp/footfall-sdists
    python bench/sdists.py ~/checkouts/rich --needs attrs --pytest "-k not slow"
    python bench/sdists.py rich --revision ce4f18c --bare
    python bench/sdists.py django --command "runtests.py --parallel=1 model_fields" --in tests

Each project is a requirement whose source distribution holds its tests, a directory with its sources, or the URL of a
git repository. It is installed from its sources (editable) with the test requirements that it names itself: the
dependency group or extra `test`, `tests`, `testing` or `dev`, or a file of requirements. Its suite runs in its own
directory under `footfall run` and under `COVERAGE_CORE=ctrace coverage run --branch`. Both read the project's own
configuration of coverage.py; nothing is added but `--branch`, data files that are kept apart, and for coverage.py that
child processes are measured, which footfall does without being told (coverage_with_children.py). Then `footfall json`
and `coverage json` are compared file by file, tests' files too: lines executed, missing and excluded, branches taken
and missing; and the results of the tests. Where they differ the C tracer runs once more (or `--repeat` times in all):
what its runs do not agree on is unstable by itself, named and left out. With `--line-events` the suite runs, instead,
under a trace function that writes down which line events the interpreter sends (witness.py).
CPU is user and system time of all processes, of the measured command and for footfall of its results too, over that of
the suite alone (`--bare`) or else of the C tracer.

PyPy has no C tracer: there it is coverage.py's Python tracer, which is not right everywhere (docs/exactness.md).
What differs is classified by what the C tracer recorded on CPython, if that was run in the same `--work` before; then
nothing is run twice. With `--cpython-truth` footfall is compared with that record alone, and the tests' results with
those without a tool: the Python tracer is some ten times slower.
Exit status 1 when a file or a test's result differs, 3 when a project could not be tried.
"""

import argparse
import json
import os
import pathlib
import re
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, replace

from arguments import interpreter_path
from differences import Difference, differences, divide, print_differences
from modes import FAILURE, counts_of
from projects import clean_environment, run_quietly
from trials import NotTried, Trial, Wanted, prepare
from witness import ENVIRONMENT_BELOW, ENVIRONMENT_TO, PLACE, events_of, print_verdicts

_SECONDS = 1800
_COVERAGE = str(pathlib.Path(__file__).with_name("coverage_with_children.py"))
_MESSAGE = re.compile(r"^(?:footfall: |warning: )?.* \[[a-z]+(?:-[a-z]+)*\]$", re.M)
"""A message of footfall's: each ends with its slug."""
_UNITTEST = re.compile(r"^(FAIL|ERROR): (\S+ \([^)]*\))", re.M)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of a suite."""

    returncode: int
    counts: dict[str, int]
    failures: tuple[str, ...]
    files: dict[str, dict[str, object]]  # of the tool's JSON report
    percent: float
    cpu: float  # seconds
    messages: tuple[str, ...] = ()  # of footfall

    @property
    def results(self) -> tuple[dict[str, int], tuple[str, ...]]:
        """What the tests said."""
        return self.counts, self.failures


@dataclass(frozen=True, slots=True)
class Record:
    """What the C tracer has told of the project on another interpreter."""

    label: str
    files: dict[str, dict[str, object]]
    percent: float


@dataclass(frozen=True, slots=True)
class How:
    """How often and against what a suite runs."""

    repeat: int
    is_bare: bool
    is_truth_kept: bool
    is_witnessed: bool
    is_truth_of_cpython: bool


def main() -> int:
    """Compare what was asked for; print a line for each project and interpreter, and a table at the end."""
    options = _options().parse_args()
    work = pathlib.Path(options.work or tempfile.mkdtemp(prefix="footfall-sdists-")).resolve()
    work.mkdir(parents=True, exist_ok=True)
    how = How(options.repeat, options.bare, options.keep_truth, options.line_events, options.cpython_truth)
    rows, status = [], 0
    for interpreter in options.python or [sys.executable]:
        for name in options.project:
            try:
                row, is_different = _compare(prepare(_wanted(name, options), interpreter, work), how)
            except (NotTried, SystemExit, subprocess.TimeoutExpired) as error:
                print(f"{name} on {interpreter}: not tried: {error}", flush=True)
                rows.append(f"| {name} | {interpreter} | not tried | | | | |")
                status = 3
                continue
            rows.append(row)
            if is_different and status == 0:
                status = 1
    print("\n| project | interpreter | tests | files | differ | total: coverage.py / footfall | CPU |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(rows))
    return status


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", nargs="+", help="NAME, NAME==VERSION, a directory, or a URL for git")
    parser.add_argument(
        "--python", action="append", type=interpreter_path, help="an interpreter (repeatable; default: this one)"
    )
    parser.add_argument("--revision", default="", help="of a git repository, instead of the newest")
    parser.add_argument("--needs", default="", help="further requirements of the tests, separated by blanks")
    parser.add_argument("--pytest", default="", help="options for pytest; one as --pytest=-OPTION")
    parser.add_argument("--command", default="", help="what runs instead of pytest: arguments of python")
    parser.add_argument("--in", dest="directory", default="", help="directory of the sources to run in")
    parser.add_argument("--repeat", type=int, default=1, help="runs of the C tracer (default 1, or 2)")
    parser.add_argument("--bare", action="store_true", help="run without a tool too: same results? CPU")
    parser.add_argument("--keep-truth", action="store_true", help="compare with the C tracer's last results")
    parser.add_argument("--line-events", action="store_true", help="what does the interpreter say where they differ?")
    parser.add_argument("--cpython-truth", action="store_true", help="on PyPy: compare with what CPython has recorded")
    parser.add_argument("--work", help="directory for downloads and environments, kept for the next time")
    return parser


def _wanted(name: str, options: argparse.Namespace) -> Wanted:
    return Wanted(
        name,
        options.revision,
        tuple(options.needs.split()),
        tuple(shlex.split(options.command)),
        tuple(shlex.split(options.pytest)),
        options.directory,
    )


def _compare(trial: Trial, how: How) -> tuple[str, bool]:
    """Run under both tools and print what differs; return a row of the table and whether anything did."""
    of_cpython = _of_cpython(trial)
    is_of_cpython = how.is_truth_of_cpython and of_cpython is not None
    bare = _run_bare(trial) if how.is_bare or is_of_cpython else None
    if of_cpython and bare and is_of_cpython:
        truths = [replace(bare, files=of_cpython.files, percent=of_cpython.percent)]
    else:
        truths = [_truth(trial, number, how) for number in range(1, how.repeat + 1)]
    ours = _run_footfall(trial)
    found = differences(ours.files, truths[0].files)
    is_told_apart = how.is_witnessed or of_cpython is not None
    is_doubtful = ours.results != truths[0].results or (found and not is_told_apart)
    if len(truths) == 1 and is_doubtful and not is_of_cpython:
        truths.append(_truth(trial, 2, how))
    among = [each for other in truths[1:] for each in differences(truths[0].files, other.files)]
    found, unstable = divide(found, among)
    is_same = any(ours.results == each.results for each in truths)
    counts = ", ".join(f"{number} {name}" for name, number in truths[0].counts.items())
    print(f"{trial.name} on {trial.label}: {counts or f'status {truths[0].returncode}'}", flush=True)
    _print_results(trial, ours, truths, bare)
    compared = len({*ours.files, *truths[0].files})
    print(f"  coverage: {compared} files, {ours.percent:.2f} % for {truths[0].percent:.2f} %")
    if unstable:
        print(f"  left out, since {len(truths)} runs of coverage.py differ there as well:")
        print_differences(unstable)
    if of_cpython and not is_of_cpython:
        _print_divided(ours, found, of_cpython)
    else:
        print_differences(found)
    if found and how.is_witnessed:
        print_verdicts(found, _line_events(trial), trial.directory)
    files = len({each.file for each in found})
    results = counts if is_same else f"{counts}; under footfall NOT THE SAME"
    totals = f"{truths[0].percent:.2f} / {ours.percent:.2f}"
    cpu = _costs(ours, truths[0], bare)
    row = f"| {trial.name} | {trial.label} | {results} | {len(truths[0].files)} | {files} | {totals} | {cpu} |"
    return row, bool(found) or not is_same


def _print_results(trial: Trial, ours: Outcome, truths: list[Outcome], bare: Outcome | None) -> None:
    """Say which tests fail under one tool only, and what footfall had to say."""
    others = [("coverage.py", each) for each in truths] + ([("bare", bare)] if bare else [])
    for name, other in others:
        if ours.results == other.results:
            continue
        counts = [f"{tool} {each.counts} ({each.returncode})" for tool, each in (("footfall", ours), (name, other))]
        print(f"  results differ: {', '.join(counts)}")
        for failure in sorted({*ours.failures} ^ {*other.failures}):
            print(f"    fails under {'footfall' if failure in ours.failures else name} only: {failure}")
    for message in ours.messages:
        print(f"  message: {message}")


def _print_divided(ours: Outcome, found: list[Difference], of_cpython: Record) -> None:
    """Print the differences by what the C tracer on CPython has there."""
    supported, against = divide(found, differences(ours.files, of_cpython.files))
    for verdict, each in (("the same as", supported), ("other than", against)):
        files = len({difference.file for difference in each})
        print(f"  {verdict} the C tracer on {of_cpython.label} has it: {files} files' differences")
        print_differences(each)


def _of_cpython(trial: Trial) -> Record | None:
    """For PyPy what the C tracer recorded of the project on a CPython, if it was run there."""
    if not trial.label.startswith("PyPy"):
        return None
    for report in sorted(trial.scratch.parent.parent.glob(f"cpython-*/{trial.scratch.name}/coverage-1.json")):
        try:
            content = json.loads(report.read_text(encoding="utf-8"))
        except ValueError:  # a run that was stopped
            continue
        return Record(report.parent.parent.name, content["files"], content["totals"]["percent_covered"])
    return None


def _costs(ours: Outcome, truth: Outcome, bare: Outcome | None) -> str:
    if bare is None:
        return f"{ours.cpu / truth.cpu:.2f}x coverage.py"
    return f"bare {bare.cpu:.1f} s, {truth.cpu / bare.cpu:.2f}x / {ours.cpu / bare.cpu:.2f}x"


def _run_bare(trial: Trial) -> Outcome:
    returncode, output, cpu = _run(trial, [str(trial.python), *trial.command], {}, trial.scratch / "bare.log")
    return Outcome(returncode, _counts(output), _failures(output), {}, 0.0, cpu)


def _line_events(trial: Trial) -> dict[str, set[tuple[int, int]]]:
    """Which lines the interpreter says that it ran after one another, below the project's sources."""
    to = trial.scratch / "line-events"
    to.unlink(missing_ok=True)
    extra = {ENVIRONMENT_TO: str(to), ENVIRONMENT_BELOW: f"{trial.sources}/", "PYTHONPATH": PLACE}
    _run(trial, [str(trial.python), *trial.command], extra, to.with_suffix(".log"))
    return events_of(to)


def _run_footfall(trial: Trial) -> Outcome:
    data = trial.scratch / "footfall.data"
    tool = [str(trial.python.with_name("footfall"))]
    command = [*tool, "run", "--branch", f"--data-file={data}", str(trial.python), *trial.command]
    return _measured(trial, tool, command, data, {})


def _truth(trial: Trial, number: int, how: How) -> Outcome:
    """What coverage.py says: of the last time if that is to be kept and there."""
    kept = trial.scratch / f"coverage-{number}.outcome"
    if how.is_truth_kept and kept.exists():
        stored = json.loads(kept.read_text(encoding="utf-8"))
        return Outcome(**{**stored, "failures": tuple(stored["failures"]), "messages": ()})
    core = "ctrace" if trial.label.startswith("CPython") else "pytrace"
    data = trial.scratch / f"coverage-{number}.data"
    tool = [str(trial.python), _COVERAGE]
    command = [*tool, "run", "--branch", f"--data-file={data}", *trial.command]
    outcome = _measured(trial, tool, command, data, {"COVERAGE_CORE": core})
    kept.write_text(json.dumps(asdict(outcome)), encoding="utf-8")
    return outcome


def _measured(trial: Trial, tool: list[str], command: list[str], data: pathlib.Path, extra: dict[str, str]) -> Outcome:
    """Run the suite and the tool's JSON report; the data files of several processes are combined first."""
    for old in data.parent.glob(f"{data.name}*"):
        old.unlink()
    returncode, output, cpu = _run(trial, command, extra, data.with_suffix(".log"))
    option = f"--data-file={data}"
    if any(data.parent.glob(f"{data.name}.*")):
        run_quietly([*tool, "combine", "-q", option], trial.directory)
    report = data.with_suffix(".json")
    environment = clean_environment(**extra)
    exported = subprocess.run(
        [*tool, "json", "-q", "-i", "--fail-under=0", option, "-o", str(report)],
        cwd=trial.directory, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if exported.returncode or not report.exists():
        raise NotTried(f"{' '.join(command)}\n{output[-2000:]}\n{exported.stdout[-2000:]}")
    content = json.loads(report.read_text(encoding="utf-8"))
    percent = content["totals"]["percent_covered"]
    messages = tuple(_MESSAGE.findall(output + exported.stdout)) if tool[0].endswith("footfall") else ()
    return Outcome(returncode, _counts(output), _failures(output), content["files"], percent, cpu, messages)


def _run(trial: Trial, command: list[str], extra: dict[str, str], log: pathlib.Path) -> tuple[int, str, float]:
    """Run a command for a trial; return its status, what it printed, and CPU seconds of all its processes."""
    print(f"  {trial.name} on {trial.label}: {' '.join(command)}", file=sys.stderr, flush=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen(
        command, cwd=trial.directory, env=clean_environment(**extra), stdin=subprocess.DEVNULL, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    ) as process:  # fmt: skip
        try:
            output, _ = process.communicate(timeout=_SECONDS)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # the tests' own processes too: they hold the pipe
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    log.write_text(output, encoding="utf-8", errors="replace")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return process.returncode, output, cpu


def _counts(output: str) -> dict[str, int]:
    """What the last lines of pytest or of unittest say, as {"passed": 12}."""
    ran = re.findall(r"^Ran (\d+) tests? in ", output, re.M)
    if not ran:
        return counts_of(output)
    verdict = re.findall(r"^(?:OK|FAILED)(?: \((.*)\))?$", output, re.M)
    counts = re.findall(r"([a-z ]+)=(\d+)", verdict[-1]) if verdict else []
    return {"run": int(ran[-1]), **{name.strip(): int(number) for name, number in counts}}


def _failures(output: str) -> tuple[str, ...]:
    return tuple(sorted({*FAILURE.findall(output), *(name for _, name in _UNITTEST.findall(output))}))


if __name__ == "__main__":
    sys.exit(main())
