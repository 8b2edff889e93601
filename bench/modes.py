"""Ways to run a test suite: bare, under footfall, under coverage.py; and what one run cost and gave."""

import json
import os
import pathlib
import re
import subprocess
import sys
from dataclasses import dataclass, replace

from projects import Environment, clean_environment

__all__ = ["FAILURE", "MODES", "Mode", "Outcome", "counts_of", "coverage_json", "run_suite"]

_COUNTS = re.compile(r"(\d+) (passed|failed|errors?|skipped|deselected|xfailed|xpassed)")
FAILURE = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.M)
"""The node id of a failed test in pytest's output with -rfE."""
_PROGRAM_CPU = str(pathlib.Path(__file__).with_name("program_cpu.py"))


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to run a suite; `tool` is "bare", "footfall", "coverage" or "slipcover"."""

    name: str
    tool: str
    options: tuple[str, ...] = ()
    core: str = ""  # COVERAGE_CORE; empty for coverage.py's own choice
    is_pure: bool = False  # without the C core


MODES = {
    mode.name: mode
    for mode in [
        Mode("bare", "bare"),
        Mode("footfall", "footfall"),
        Mode("footfall, no profile", "footfall", ("--no-profile",)),
        Mode("footfall, no coverage", "footfall", ("--no-cover",)),
        Mode("footfall in Python", "footfall", is_pure=True),
        Mode("footfall in Python, no profile", "footfall", ("--no-profile",), is_pure=True),
        Mode("coverage ctrace", "coverage", core="ctrace"),
        Mode("coverage default", "coverage"),
        Mode("slipcover", "slipcover"),
    ]
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run. Seconds of CPU are user + system, of all processes."""

    program_cpu: float  # the test suite and its children
    total_cpu: float  # with what the tool did before and after
    counts: dict[str, int]  # {"passed": 12, ...}
    failures: frozenset[str]  # node ids
    returncode: int
    output: str


def run_suite(
    environment: Environment,
    mode: Mode,
    scratch: pathlib.Path,
    data: pathlib.Path | None = None,
    *,
    has_result: bool = False,
) -> Outcome:
    """Run the project's suite once. Coverage goes to `data`, or to a file that is thrown away.

    With `has_result` the tool also shows the result: footfall its summary, coverage.py its report, in `total_cpu`.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    data = data or scratch / "coverage.data"
    cpu_file = scratch / "program-cpu"
    pytest = ["-m", "pytest", "-q", "-rfE", *environment.project.pytest_options]
    python = str(environment.python)
    # On Debian's pythons -I keeps the current directory out; -S keeps footfall's start hook out.
    outer = [sys.executable, "-I", "-S", _PROGRAM_CPU, str(cpu_file)]
    extra = {"COVERAGE_CORE": mode.core} if mode.core else {}
    if mode.is_pure:
        extra["FOOTFALL_PURE"] = "1"
    if mode.tool == "bare":
        command = [*outer, python, *pytest]
    elif mode.tool == "footfall":
        footfall = str(environment.python.with_name("footfall"))
        files = ["--config", str(environment.config), "--data-file", str(data)]
        quiet = [] if has_result else ["--quiet"]
        command = [footfall, "run", *quiet, *files, *mode.options, *outer, python, *pytest]
    elif mode.tool == "slipcover":
        command = [*outer, python, "-m", "slipcover", "--branch", "--source=src,tests", *mode.options, *pytest]
    else:
        files = [f"--rcfile={environment.config}", f"--data-file={data}"]
        command = [*outer, python, "-m", "coverage", "run", *files, *mode.options, *pytest]
    outcome = _run(command, environment.directory, clean_environment(**extra), cpu_file)
    if has_result and mode.tool == "coverage":
        report = [python, "-m", "coverage", "report", *files, "--fail-under=0", "--ignore-errors"]
        shown = _run([*outer, *report], environment.directory, clean_environment(**extra), cpu_file)
        outcome = replace(outcome, total_cpu=outcome.total_cpu + shown.total_cpu)
    return outcome


def _run(command: list[str], directory: pathlib.Path, env: dict[str, str], cpu_file: pathlib.Path) -> Outcome:
    cpu_file.unlink(missing_ok=True)
    process = subprocess.Popen(
        command, cwd=directory, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    output = process.stdout.read().decode("utf-8", "replace")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if not cpu_file.exists():
        raise SystemExit(f"{' '.join(command)}\nin {directory} did not run:\n{output[-4000:]}")
    return Outcome(
        program_cpu=float(cpu_file.read_text()),
        total_cpu=usage.ru_utime + usage.ru_stime,
        counts=counts_of(output),
        failures=frozenset(FAILURE.findall(output)),
        returncode=process.returncode,
        output=output,
    )


def counts_of(output: str) -> dict[str, int]:
    """Read pytest's closing line: {"passed": 12, ...}."""
    summary = next((line for line in reversed(output.splitlines()) if _COUNTS.search(line)), "")
    return {name.removesuffix("s") if name == "errors" else name: int(n) for n, name in _COUNTS.findall(summary)}


def coverage_json(environment: Environment, data: pathlib.Path, out: pathlib.Path) -> dict[str, dict[str, object]]:
    """Analyse a data file with coverage.py; return its JSON report's files, by name."""
    command = [str(environment.python), "-m", "coverage", "json", "-q", f"--rcfile={environment.config}"]
    done = subprocess.run(
        [*command, f"--data-file={data}", "-o", str(out), "--fail-under=0", "--ignore-errors"],
        cwd=environment.directory,
        env=clean_environment(),
        text=True,
        capture_output=True,
    )
    if done.returncode:
        raise SystemExit(f"coverage.py does not read {data}:\n{done.stdout}{done.stderr}")
    files: dict[str, dict[str, object]] = json.loads(out.read_text(encoding="utf-8"))["files"]
    return files
