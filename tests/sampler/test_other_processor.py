"""The native sampler under another Python than the one that runs the tests: tools/aarch64.sh names one."""

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from engines import IS_CPYTHON, PYTHON
from footfall.analyze.resolve import resolve
from footfall.model import RUN_VARIABLE
from footfall.record.run.directory import RunSettings, make_run_directory

PROGRAM = """\
import os, threading, time

def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(50))

def of_long(): burn(1.2)
def of_short(): burn(0.4)
def of_thread(): burn(0.4)
def of_child(): burn(0.4)
def of_sleeper(): time.sleep(0.4)

of_long()
of_short()
thread = threading.Thread(target=of_thread)
thread.start()
thread.join()
of_sleeper()
if (child := os.fork()) == 0:
    of_child()
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.slow
@pytest.mark.skipif(not IS_CPYTHON, reason="PyPy has a sampler of its own")
def test_times_of_functions_threads_and_forks(tmp_path: Path) -> None:
    """Their shares of CPU time are those of the program, by samples of the native thread: it says nothing."""
    (tmp_path / "main.py").write_text(PROGRAM, encoding="utf-8")
    directory = make_run_directory(RunSettings(cwd=str(tmp_path), source_dir=[str(tmp_path)])).path
    environment = {**os.environ, RUN_VARIABLE: str(directory)}
    done = subprocess.run([PYTHON, "main.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    data = resolve(directory)
    assert data.messages == []
    profile = data.profile
    assert profile is not None and profile.n_processes == 2
    cpu_ns: Counter[str] = Counter()
    for (node, _, _), cost in profile.costs.items():
        at, named = node, ""
        while at and not named.startswith("of_"):
            named, at = profile.frames[profile.nodes[at].frame].function.qualname, profile.nodes[at].parent
        cpu_ns[named] += cost.cpu_ns
    whole = sum(cpu_ns[name] for name in ("of_long", "of_short", "of_thread", "of_child"))
    shares = {name: cpu_ns[name] / whole for name in cpu_ns if name.startswith("of_")}
    expected = {"of_long": 0.5, "of_short": 1 / 6, "of_thread": 1 / 6, "of_child": 1 / 6}
    assert {name: shares[name] for name in expected} == pytest.approx(expected, abs=0.06)
    assert shares.get("of_sleeper", 0) < 0.06
