"""Samples of a thread belong to the context that the thread was started in, also once the process is in the next."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from footfall.analyze.profile.rows import profile_from_rows
from footfall.record.data.profile_tables import read_profile

pytestmark = pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy's sampler knows no contexts")

PRELUDE = """\
import os, sys, threading, time
from footfall import switch_context as switch
def spin(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end: pass
"""


def _samples(tmp_path: Path, program: str) -> dict[str, Counter[str]]:
    """Samples by context, of each function that was called by a thread or the module."""
    (tmp_path / "main.py").write_text(PRELUDE + program)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("FOOTFALL", "COVERAGE"))}
    command = [sys.executable, "-m", "footfall", "run", "-q", "main.py"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    rows = read_profile(tmp_path / ".coverage")
    assert rows is not None
    profile = profile_from_rows(rows)
    found: dict[str, Counter[str]] = {}
    for (node, _, context), cost in profile.costs.items():
        at = node
        while at:
            name = profile.frames[profile.nodes[at].frame].function.qualname
            if name.startswith("of_"):
                found.setdefault(name, Counter())[context] += cost.samples
            at = profile.nodes[at].parent
    return found


def test_a_thread_that_goes_on_in_the_next_context(tmp_path: Path) -> None:
    """One by `threading`, one by `_thread`; what runs in the main thread beside them is of the next."""
    found = _samples(
        tmp_path,
        """\
import _thread
def of_first(): spin(0.3)
def of_second():
    spin(0.3)
    over.set()
def of_main(): spin(0.3)
over = threading.Event()
switch("a")
thread = threading.Thread(target=of_first)
go = threading.Event()
waiting = threading.Thread(target=lambda: (go.wait(), of_first()))
waiting.start()
_thread.start_new_thread(of_second, ())
switch("b")
go.set()
of_main()
waiting.join()
over.wait()
thread.start()
thread.join()
""",
    )
    assert found["of_second"].keys() == {"a"}
    assert found["of_main"].keys() == {"b"}
    assert found["of_first"].keys() == {"a", "b"}


def test_phases_of_one_test_share_its_threads(tmp_path: Path) -> None:
    """What a test's setup started is counted for its call while that lasts, and for the setup afterwards."""
    found = _samples(
        tmp_path,
        """\
def of_fixture():
    for _ in range(2):
        go.acquire()
        spin(0.2)
        gone.release()
go, gone = threading.Semaphore(0), threading.Semaphore(0)
switch("t|setup")
thread = threading.Thread(target=of_fixture)
thread.start()
for label in ("t|run", "u|run"):
    switch(label)
    go.release()
    gone.acquire()
thread.join()
""",
    )
    assert found["of_fixture"].keys() == {"t|run", "t|setup"}


def test_an_exception_that_ends_such_a_thread(tmp_path: Path) -> None:
    """It is told as it was raised, while another thread goes on in a context that is over."""
    found = _samples(
        tmp_path,
        """\
import _thread
def of_other(): spin(0.3)
def fail():
    go.wait()
    raise ValueError("as raised")
told = []
def hook(args):
    told.append(repr(args.exc_value))
    done.set()
sys.unraisablehook = hook
go, done = threading.Event(), threading.Event()
switch("a")
thread = threading.Thread(target=of_other)
thread.start()
_thread.start_new_thread(fail, ())
switch("b")
go.set()
done.wait()
thread.join()
assert told == ["ValueError('as raised')"], told
""",
    )
    assert found["of_other"].keys() == {"a"}


def test_a_fork_from_such_a_thread(tmp_path: Path) -> None:
    """It goes on in its context in the child, as in the parent; a child of the main thread in the process's."""
    found = _samples(
        tmp_path,
        """\
def of_child(): spin(0.2)
def of_parent(): spin(0.2)
def of_plain(): spin(0.2)
def fork(call):
    pid = os.fork()
    if not pid:
        call()
        os._exit(0)
    os.waitpid(pid, 0)
def work():
    switched.wait()
    fork(of_child)
    of_parent()
import warnings; warnings.simplefilter("ignore")
switched = threading.Event()
switch("a")
thread = threading.Thread(target=work)
thread.start()
switch("b")
switched.set()
thread.join()
fork(of_plain)
""",
    )
    assert found["of_parent"].keys() == {"a"}
    assert found["of_child"].keys() == {"a"}
    assert found["of_plain"].keys() == {"b"}


def test_more_threads_than_are_distinguished(tmp_path: Path) -> None:
    """Threads that come and go, hundreds at a time, over many switches: nothing breaks, none is given a third context."""
    found = _samples(
        tmp_path,
        """\
def of_many():
    spin(0.0005)
    held.wait()
for number in range(4):
    held = threading.Event()
    switch(f"c{number}")
    threads = [threading.Thread(target=of_many) for _ in range(300)]
    for thread in threads: thread.start()
    switch("next")
    held.set()
    for thread in threads: thread.join()
""",
    )
    assert found["of_many"].keys() <= {"c0", "c1", "c2", "c3", "next"}
    assert "c1" in found["of_many"]
