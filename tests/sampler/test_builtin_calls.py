"""Time in built-in functions is told from its caller's where the interpreter or the source says which function it was."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from footfall.analyze.profile.builtin_calls import find_builtin_calls, mark_builtin_calls
from footfall.analyze.profile.calltree import Cost, Frame, Function, Profile, times_of_functions, times_of_lines
from footfall.analyze.profile.rows import profile_from_rows
from footfall.analyze.profile.stacks import collapse_stacks
from footfall.record.data.profile_tables import read_profile
from footfall.record.data.timelines import TreeNode
from interpreters import OTHERS

SOURCES = {
    "x = sum([1, 2])\n": {(1, 4, 1, 15): "sum"},
    "import time\ntime.sleep(1)\n": {(2, 0, 2, 13): "time.sleep"},
    "import time as t\n'é', t.sleep(1)\n": {(2, 6, 2, 16): "time.sleep"},
    "def sum(x): pass\nsum(1)\n": {},
    "def f(len): len(1)\n": {},
    "from numpy import *\nsum(1)\n": {},
    "import time\ntime = Clock()\ntime.sleep(1)\n": {},
    "import json\njson.loads('')\n": {},
    "x.append(1)\nunknown(1)\n": {},
    "sorted(sum(\n x),\n key=len)\n": {(1, 0, 3, 9): "sorted", (1, 7, 2, 3): "sum"},
    "no python": {},
}


@pytest.mark.parametrize("source", SOURCES)
def test_only_sure_calls_are_found(source: str) -> None:
    """Names that the file gives to something else, and methods, are left alone."""
    assert find_builtin_calls(source.encode()) == SOURCES[source]


def test_leaves_get_a_frame_of_their_own() -> None:
    """Own time goes to the built-in, lines keep theirs; a call that has Python frames below it stays."""
    source = b"def f():\n    sum(x)\n    sorted(x, key=g)\n"
    main = Function("a.py", "f", 1)
    frames = [
        Frame(main, 2, 2, 4, 10),
        Frame(main, 3, 3, 4, 20),
        Frame(Function("a.py", "g", 9), 9, 9, 4, 8),
        Frame(main, 2, 2, 8, 9),
    ]
    profile = Profile(
        frames=frames,
        nodes=[TreeNode(-1, -1), TreeNode(0, 0), TreeNode(0, 1), TreeNode(2, 2), TreeNode(0, 3)],
        costs={(node, 0, ""): Cost(10 * node, 10 * node, 0, node) for node in range(5)},
    )
    marked = mark_builtin_calls(profile, {"a.py": source}.get)
    own = {function.qualname: times.own.samples for function, times in times_of_functions(marked).items()}
    assert own == {"f": 2 + 4, "g": 3, "<built-in> sum": 1}
    lines = {place: times.own.samples for place, times in times_of_lines(marked).items()}
    assert lines == {place: times.own.samples for place, times in times_of_lines(profile).items()}
    assert marked.total() == profile.total()
    assert mark_builtin_calls(profile, lambda _: None).costs == profile.costs


def test_calls_that_the_interpreter_knows_are_sure() -> None:
    """They have the name that the source has there, or none, and their frame even where C calls Python again."""
    source = b"def f():\n    x.sort(key=g)\n    table[0](1)\n"
    main = Function("a.py", "f", 1)
    profile = Profile(
        frames=[
            Frame(main, 2, 2, 4, 17),
            Frame(Function("a.py", "g", 9), 9, 9, 4, 8),
            Frame(main, 3, 3, 4, 15),
            Frame(Function("gone.py", "h", 1), 1, 1, 0, 3),
        ],
        nodes=[TreeNode(-1, -1), TreeNode(0, 0), TreeNode(1, 1), TreeNode(0, 2), TreeNode(0, 3)],
        costs={(node, 0, ""): Cost(10 * node, 10 * node, 0, node) for node in range(5)},
        native_calls={0, 2, 3},
    )
    marked = mark_builtin_calls(profile, {"a.py": source}.get)
    stacks = {stack[-1]: cost.samples for stack, cost in collapse_stacks(marked) if stack}
    assert stacks == {
        "<built-in> sort (a.py)": 1,
        "g (a.py)": 2,
        "<built-in> (a.py)": 3,
        "<built-in> (gone.py)": 4,
    }
    by_text = mark_builtin_calls(profile, {"a.py": source}.get, only_adapted=True)
    assert list(collapse_stacks(by_text)) == list(collapse_stacks(marked))
    unsure = mark_builtin_calls(replace(profile, native_calls=set()), {"a.py": source}.get)
    assert unsure.costs == profile.costs


WORK = """
import re, time
numbers, text, pattern = list(range(3000)), "abc " * 9000, re.compile("b+c")
class Thing:
    def method(self):
        pass
thing = Thing()
def work():
    pattern.findall(text)
    text.split()
    thing.method()
print("ready", flush=True)
while True:
    work()
"""


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy does not tell")
@pytest.mark.parametrize(
    "python", ["", sys.executable, *(pytest.param(python, marks=pytest.mark.any_python) for python in OTHERS)]
)
def test_calls_of_c_functions_are_recognized(tmp_path: Path, python: str) -> None:
    """Methods of C objects are told from those in Python, in a run and from outside, of every version."""
    if not python:
        (tmp_path / "work.py").write_text(
            WORK.replace("while True", "end = time.process_time() + 1\nwhile time.process_time() < end")
        )
        done = subprocess.run(
            [sys.executable, "-m", "footfall", "run", "-q", "--no-cover", "work.py"],
            cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    else:
        (tmp_path / "work.py").write_text(WORK)
        with subprocess.Popen([python, "work.py"], cwd=tmp_path, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None and process.stdout.readline() == b"ready\n"
                command = [sys.executable, "-m", "footfall", "attach", "-q", str(process.pid), "--max-samples=250"]
                done = subprocess.run([*command, "-o", ".coverage"], cwd=tmp_path, capture_output=True, text=True)
                assert done.returncode == 0, done.stderr
            finally:
                process.kill()
    stored = read_profile(tmp_path / ".coverage")
    assert stored is not None
    sources = {name: (tmp_path / "work.py").read_bytes() for name in {frame.path for frame in stored.frames}}
    times = times_of_functions(mark_builtin_calls(profile_from_rows(stored), sources.get))
    own = {function.qualname: found.own.samples for function, found in times.items()}
    assert own["<built-in> findall"] > 30
    assert own["<built-in> split"] > 5
    assert "<built-in> method" not in own and "<built-in> work" not in own
    assert own.get("work", 0) < own["<built-in> findall"] / 5
