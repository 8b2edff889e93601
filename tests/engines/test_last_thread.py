"""A program whose first thread ends by itself ends as it does without us: what we run beside it keeps nothing alive."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from forbidden_calls import SECCOMP

Footfall = Callable[..., subprocess.CompletedProcess[str]]

PROGRAM = """\
import ctypes, os, sys, threading, time
def work():
    stat = f"/proc/self/task/{os.getpid()}/stat"
    while open(stat).read().rpartition(")")[2].split()[0] != "Z":  # the first thread is not there
        time.sleep(0.05)
    time.sleep(0.2)
    print("worked", flush=True)
how, has_thread = sys.argv[1:]
if has_thread == "thread":
    threading.Thread(target=work).start()
print("leaves", flush=True)
if how == "pthread_exit":
    ctypes.CDLL(None).pthread_exit(None)
ctypes.CDLL(None).syscall(60, 3)
"""

CASES = [
    ("pthread_exit", "alone", 0, "leaves\n"),
    ("exit", "alone", 3, "leaves\n"),
    ("exit", "thread", 0, "leaves\nworked\n"),
]


@pytest.mark.parametrize(("how", "has_thread", "status", "output"), CASES)
def test_the_sampler_does_not_keep_a_process_alive(
    tmp_path: Path, footfall: Footfall, how: str, has_thread: str, status: int, output: str
) -> None:
    """Nor does it change the status; a slow rate changes nothing."""
    (tmp_path / "main.py").write_text(PROGRAM)
    done = footfall("run", "--quiet", "--rate=1", sys.executable, "main.py", how, has_thread, timeout=30)
    assert (done.returncode, done.stdout) == (status, output)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the system call's number is x86-64's")
@pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy's sampler reads nothing so")
@pytest.mark.parametrize(("how", "has_thread", "status", "output"), CASES)
def test_nor_does_the_sampler_that_is_a_python_thread(
    tmp_path: Path, footfall: Footfall, how: str, has_thread: str, status: int, output: str
) -> None:
    """The one that samples where reading memory is forbidden."""
    (tmp_path / "main.py").write_text(PROGRAM)
    (tmp_path / "start.py").write_text(
        SECCOMP + "import os, sys\nos.execv(sys.executable, [sys.executable, 'main.py', *sys.argv[1:]])\n"
    )
    done = footfall("run", "--quiet", sys.executable, "start.py", how, has_thread, timeout=30)
    if done.returncode == 77:
        pytest.skip("seccomp filters are not allowed here")
    assert "[sampler-fallback]" in done.stderr
    assert (done.returncode, done.stdout) == (status, output)
