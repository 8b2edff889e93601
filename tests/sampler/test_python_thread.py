"""The profile without the C core: a Python thread's samples are read like those of the native sampler."""

import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import cast

import pytest

from footfall.analyze.profile.clocks import Clock, known_clocks
from footfall.analyze.resolve import resolve
from footfall.model import RUN_VARIABLE
from footfall.observe.pure.collector import make_room, sampling_threads
from footfall.observe.pure.monitoring import PureMonitoring
from footfall.observe.pure.recorder import PureRecorder
from footfall.record.run.directory import RunSettings, make_run_directory
from footfall.tier import PURE_VARIABLE

pytestmark = pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy has a sampler of its own")

PROGRAM = """\
import gc, os, threading, time, warnings
from footfall import switch_context as switch
warnings.simplefilter("error")
gc.set_threshold(10)

class Left:
    def __init__(self): self.me = self
    def __del__(self): where.add(threading.get_ident())
where = set()

def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        Left()

def of_long(): burn(0.6)
def of_short(): burn(0.2)
def of_child(): burn(0.3)
def of_thread(): burn(0.3)
def of_sleeper(): time.sleep(0.3)

switch("first")
of_long()
switch("second")
of_short()
thread = threading.Thread(target=of_thread)
thread.start()
thread.join()
of_sleeper()
if (child := os.fork()) == 0:
    of_child()
    os._exit(0)
os.waitpid(child, 0)
print(len(where), where <= {threading.get_ident(), thread.ident}, threading.active_count(), gc.isenabled())
"""


def test_times_threads_forks_and_contexts(tmp_path: Path) -> None:
    """Shares are right; the program does not notice: no warning at a fork, no finalizer runs in our thread."""
    (tmp_path / "main.py").write_text(PROGRAM, encoding="utf-8")
    settings = RunSettings(cwd=str(tmp_path), source_dir=[str(tmp_path)])
    directory = make_run_directory(settings).path
    environment = {**os.environ, PURE_VARIABLE: "1", RUN_VARIABLE: str(directory)}
    command = [sys.executable, "main.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2 True 1 True\n", "")
    data = resolve(directory)
    assert [slug for slug, _ in data.messages] == ["sampler-fallback"] * len(data.messages)
    profile = data.profile
    assert profile is not None and profile.n_processes == 2
    cpu_ns: Counter[str] = Counter()
    contexts: dict[str, set[str]] = {}
    for (node, _, context), cost in profile.costs.items():
        at, named = node, ""
        outermost = ""
        while at:
            function = profile.frames[profile.nodes[at].frame].function
            named, outermost = function.qualname if function.qualname.startswith("of_") else named, function.path
            at = profile.nodes[at].parent
        assert (
            "/footfall/observe/sampler/" not in outermost
        )  # our thread; the program's text is compiled by others of ours
        cpu_ns[named] += cost.cpu_ns
        contexts.setdefault(named, set()).add(context)
    assert 0.6 < cpu_ns["of_long"] / (cpu_ns["of_long"] + cpu_ns["of_short"]) < 0.9
    assert min(cpu_ns["of_thread"], cpu_ns["of_child"]) > 0
    assert cpu_ns["of_sleeper"] < cpu_ns["of_short"]
    assert (contexts["of_long"], contexts["of_short"], contexts["of_child"]) == ({"first"}, {"second"}, {"second"})
    assert known_clocks(profile) == {Clock.CPU, Clock.WALL, Clock.SAMPLES}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with 3.12")
def test_functions_that_our_thread_runs_are_not_decided_about() -> None:
    """An event of what the sampling thread calls makes no objects there: they could start the garbage collector."""
    asked: list[str] = []

    def decide(path: str) -> None:
        asked.append(path)

    engine = PureMonitoring(4, decide, cast("PureRecorder", None), with_branches=False, only_new=False)
    code = make_room.__code__
    sampling_threads.add(threading.get_ident())
    try:
        assert engine._on_start(code, 0) is sys.monitoring.DISABLE
        assert asked == []
    finally:
        sampling_threads.discard(threading.get_ident())
    engine._on_start(code, 0)
    assert asked == [code.co_filename]
