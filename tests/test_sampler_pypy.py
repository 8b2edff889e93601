"""PyPy's sampler in real programs: names after an exit, a kill and a fork, and an exec that survives."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from footfall.record.samplelog import SampleLog, read_sample_logs

pytestmark = pytest.mark.skipif(sys.implementation.name != "pypy", reason="CPython has its own sampler")

PRELUDE = """
import os, sys, time
from footfall.sample import pypy
pypy.start(sys.argv[1], 1000)
space = {}
exec(compile('''
import time
def work(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
''', "late.py", "exec"), space)
work = space["work"]
"""


def run_program(program: str, directory: Path) -> tuple[int, str]:
    """(exit status, output) of a program after PRELUDE, sampled into the directory."""
    code = PRELUDE + textwrap.dedent(program)
    environment = {key: value for key, value in os.environ.items() if key != "FOOTFALL_RUN"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(directory)], capture_output=True, text=True, timeout=50, env=environment
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def names(log: SampleLog) -> set[tuple[str, str]]:
    """(function, path) of all frames."""
    return {(log.codes[node.code].qualname, log.codes[node.code].path) for node in log.nodes.values()}


@pytest.mark.parametrize(
    ("ending", "status"), [("", 0), ("os.kill(os.getpid(), 9)", -9)], ids=["an exit", "a kill"]
)
def test_late_functions_are_named(tmp_path: Path, ending: str, status: int) -> None:
    """A function compiled after the start has its name in the file, also when the process is killed."""
    assert run_program("work(0.2)\ntime.sleep(1)\nwork(0.2)\n" + ending, tmp_path)[0] == status
    (log,) = read_sample_logs(str(tmp_path))
    assert ("work", "late.py") in names(log)
    assert log.samples


def test_fork(tmp_path: Path) -> None:
    """A forked child has its own file, whose names from before the fork are found in the parent's."""
    program = """
    pid = os.fork()
    work(0.3)
    if not pid:
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    """
    assert run_program(program, tmp_path)[0] == 0
    logs = read_sample_logs(str(tmp_path))
    assert len(logs) == 2
    assert all(("work", "late.py") in names(log) for log in logs)


def test_exec(tmp_path: Path) -> None:
    """A program that takes the process's place is not killed by the timer; a failed exec goes on sampling."""
    program = """
    try:
        os.execv("/nowhere/at/all", ["x"])
    except FileNotFoundError:
        work(0.1)
    count = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo survived"
    os.execlp("sh", "sh", "-c", count)
    """
    assert run_program(program, tmp_path) == (0, "survived\n")
