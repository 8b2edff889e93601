"""PyPy's sampler in real programs: names after an exit, a kill and a fork, and an exec that survives."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from footfall.record.run.process_logs import read_sample_logs
from footfall.record.run.sample_log import SampleLog

pytestmark = pytest.mark.skipif(sys.implementation.name != "pypy", reason="CPython has its own sampler")

PRELUDE = """
import os, sys, time
from footfall.observe.sampler import pypy
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


def run_program(program: str, directory: Path, stderr: str = "") -> tuple[int, str]:
    """(exit status, output) of a program after PRELUDE, sampled into the directory; it says `stderr`."""
    code = PRELUDE + textwrap.dedent(program)
    environment = {key: value for key, value in os.environ.items() if key != "FOOTFALL_RUN"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(directory)], capture_output=True, text=True, timeout=50, env=environment
    )
    assert done.stderr == stderr
    return done.returncode, done.stdout


def names(log: SampleLog) -> set[tuple[str, str]]:
    """(function, path) of all frames."""
    return {(log.codes[node.code].qualname, log.codes[node.code].path) for node in log.nodes.values()}


@pytest.mark.parametrize(("ending", "status"), [("", 0), ("os.kill(os.getpid(), 9)", -9)], ids=["an exit", "a kill"])
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


COMPILING = """
source = "\\n".join("def f%d(): pass" % number for number in range(300))
def compile_for(seconds):
    end = time.time() + seconds
    while time.time() < end:
        exec(compile(source, "many.py", "exec"), {})
"""


def test_compiling_while_names_are_written(tmp_path: Path) -> None:
    """A program that compiles all the time survives our thread, which has vmprof write names, and its own forks."""
    program = """
    for _ in range(10):
        compile_for(0.15)
        pid = os.fork()
        if not pid:
            compile_for(0.02)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    """
    assert run_program(COMPILING + textwrap.dedent(program), tmp_path) == (0, "")
    assert len(read_sample_logs(str(tmp_path))) == 11


def test_a_thread_ends_the_profile(tmp_path: Path) -> None:
    """The profile up to the first thread is kept; forks beside threads that compile do not crash in the child."""
    program = """
    import _thread
    work(0.2)
    for _ in range(2):
        _thread.start_new_thread(compile_for, (60,))
    for _ in range(20):
        pid = os.fork()
        if not pid:
            compile_for(0.01)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    os._exit(0)
    """
    reported = (
        "footfall: the profile ends where the program started its first thread: "
        "PyPy's profiler is not safe with threads. [profile-ended]\n"
    )
    assert run_program(COMPILING + textwrap.dedent(program), tmp_path, reported) == (0, "")
    (log,) = read_sample_logs(str(tmp_path))
    assert log.samples
    assert ("work", "late.py") in names(log)


def test_closing_all_descriptors(tmp_path: Path) -> None:
    """A program that closes every descriptor, as daemons do, does not close vmprof's."""
    program = """
    os.closerange(3, 2000)
    for descriptor in range(3, 2000):
        try:
            os.close(descriptor)
        except OSError:
            pass
    work(0.1)
    compile_for(0.3)
    """
    assert run_program(COMPILING + textwrap.dedent(program), tmp_path) == (0, "")
    (log,) = read_sample_logs(str(tmp_path))
    assert ("work", "late.py") in names(log)


def test_the_profile_is_in_the_data_file(
    footfall: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """`footfall run` has no message, and `report` shows whose time it was."""
    (tmp_path / "spin.py").write_text("def spin():\n    for _ in range(10_000_000):\n        str(_)\nspin()\n")
    run = footfall("run", "--no-cover", sys.executable, "spin.py")
    assert run.returncode == 0
    assert "Hottest functions" in run.stderr and "[" not in run.stderr
    assert "spin  spin.py:1" in footfall("report", "--by=function").stdout


LIMITED = """\
import resource, sys, time
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
if sys.argv[1] == "later":
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        sum(range(10000))
    for number in range(1000):
        exec(f"def a_function_with_a_long_name_{number}(): pass")
print("done")
"""


@pytest.mark.parametrize("when", ["later", "at the end"])
def test_a_limit_of_file_sizes(
    tmp_path: Path, footfall: Callable[..., subprocess.CompletedProcess[str]], when: str
) -> None:
    """What the profiler can't write any more does not hold the program up; what it had written is in the data."""
    (tmp_path / "program.py").write_text(LIMITED)
    command = ["run", "--quiet", "--no-cover", sys.executable, "program.py", when]
    done = footfall(*command, cwd=tmp_path, timeout=25)
    assert (done.stdout, done.returncode) == ("done\n", 0)
    assert "[profile-ended]" in done.stderr
