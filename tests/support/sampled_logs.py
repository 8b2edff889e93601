"""Programs that the sampler alone looks at, without a run: how they are started, and what their logs hold."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from footfall.record.run.sample_log import SampleLog, read_sample_log

__all__ = ["ROOTS", "VERY_DEEP", "ends_of_stacks", "run_program", "sample_program", "stacks"]

ROOTS = {"<module>", "Thread._bootstrap", "WeakSet.__init__.<locals>._remove", "_shutdown", "Thread._stop"}
"""Whose frames have none below them: a thread that begins, its object freed once it has ended, and the interpreter's end do
not run below the module."""

PRELUDE = """
import os, select, signal, sys, threading, time
from footfall import _core
sys.setrecursionlimit(20000)
path, interval_ns, precise = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "precise"
def until(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
def busy(seconds):  # also until the thread has had a CPU for a fifth of that: others may want it
    end, least = time.monotonic() + seconds, time.thread_time() + seconds / 5
    while time.monotonic() < end or time.thread_time() < least:
        yield
_core.sampler_start(path, interval_ns, precise=precise)
"""

VERY_DEEP = """
    sys.setrecursionlimit(1000000)
    def leaf():
        for _ in until(0.8): pass
    def down(n):
        return down(n - 1) if n else leaf()
    down(70000)
"""


def run_program(
    program: str, path: Path, interval_us: int = 1000, *options: str, precise: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a program after PRELUDE, sampling into `path`. It may die; the caller looks."""
    code = PRELUDE + textwrap.dedent(program)
    way = "precise" if precise else "plain"
    command = [sys.executable, *options, "-c", code, str(path), str(interval_us * 1000), way]
    environment = {key: value for key, value in os.environ.items() if key != "FOOTFALL_RUN"}
    return subprocess.run(command, capture_output=True, text=True, timeout=50, env=environment)


def sample_program(
    program: str, path: Path, interval_us: int = 1000, *options: str, precise: bool = False
) -> SampleLog:
    """The log of a program that must end well and silently."""
    done = run_program(program, path, interval_us, *options, precise=precise)
    assert (done.returncode, done.stderr) == (0, "")
    return read_sample_log(str(path))


def stacks(log: SampleLog) -> dict[int, tuple[str, ...]]:
    """Qualified names by node, outermost first."""
    found: dict[int, tuple[str, ...]] = {0: ()}
    for node_id, node in log.nodes.items():
        found[node_id] = (*found[node.parent], log.codes[node.code].qualname)
    return found


def ends_of_stacks(log: SampleLog) -> set[tuple[str | int, ...]]:
    """Return, for each stack with `leaf`: it and its caller, how many frames the mark stands for, the two oldest."""
    seen: set[tuple[str | int, ...]] = set()
    for sample in log.samples:
        names, node = [], sample.node
        while node:
            names.append(log.codes[log.nodes[node].code].qualname)
            node = log.nodes[node].parent
        if "leaf" in names:
            seen.add((*names[names.index("leaf") :][:2], names.count("<frames left out>"), *names[-2:]))
    return seen
