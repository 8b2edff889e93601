"""What runs in a context is counted for it, on every engine, whatever ends or divides the process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from footfall.analyze.resolve import join_context, resolve
from footfall.analyze.resolved_run import RunData
from footfall.record.run.event_places import gather_events, join_places, spread_events
from footfall.settings import escape
from footfall.tier import PURE_VARIABLE

IS_PYPY = sys.implementation.name != "cpython"
ENGINES = ["settrace", "probes" if IS_PYPY or sys.version_info < (3, 14) else "monitoring"]
IS_MONITORING = ENGINES[1] == "monitoring"

LIBRARY = """\
def choose(x):
    if x > 1:
        return 2
    return 3

def count():
    done = 0
    while True:
        yield done
        done += 1

def lend():
    before = 1
    yield before
    after = 2
    last = 3
"""

PRELUDE = """\
import os, signal, sys
from footfall.observe.contexts import bind, expect, switch, switch_samples
expect()
import lib
"""


def _run(tmp_path: Path, program: str, engine: str, *, context: str = "", returncode: int = 0) -> RunData:
    (tmp_path / "lib.py").write_text(LIBRARY)
    (tmp_path / "main.py").write_text(PRELUDE + program)
    run_directory = tmp_path / "run"
    run_directory.mkdir()
    values = {"cwd": str(tmp_path), "branch": "1", "cover": "1", "profile": "0", "source_dir": str(tmp_path)}
    lines = "".join(f"{key}\t{escape(value)}\n" for key, value in values.items())
    (run_directory / "settings").write_text(lines)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("FOOTFALL", "COVERAGE"))}
    name, _, pure = engine.partition("_")
    env |= {"FOOTFALL_RUN": str(run_directory), "FOOTFALL_ENGINE": name, PURE_VARIABLE: "1" if pure else ""}
    done = subprocess.run([sys.executable, "main.py"], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (returncode, "")
    return resolve(run_directory, context)


def _lines(run: RunData, tmp_path: Path, label: str, name: str = "lib.py") -> set[int]:
    """The lines of a file that ran in a context: those that begin there."""
    return run.files[str(tmp_path / name)].lines.get(label, set())


@pytest.mark.parametrize("engine", ENGINES)
def test_each_context_has_what_ran_in_it(tmp_path: Path, engine: str) -> None:
    """Also what ran before, in between and again."""
    program = """
lib.choose(1)
switch("one")
lib.choose(2)
switch("two|run")
lib.choose(1)
switch("one")
lib.choose(2)
switch("")
"""
    run = _run(tmp_path, program, engine)
    assert _lines(run, tmp_path, "one") == {2, 3}
    assert _lines(run, tmp_path, "two|run") == {2, 4}
    assert {1, 2, 4, 6, 12} <= _lines(run, tmp_path, "")
    arcs = run.files[str(tmp_path / "lib.py")].arcs
    assert (2, 3) in arcs["one"]
    assert (2, 4) not in arcs["one"]
    assert (2, 4) in arcs["two|run"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_hot_loop_is_seen_in_every_context(tmp_path: Path, engine: str) -> None:
    """What was seen so often that its probes or events were taken away comes back."""
    program = """
for label in ("one", "two", "three"):
    switch(label)
    for _ in range(50):
        lib.choose(2)
"""
    run = _run(tmp_path, program, engine)
    assert [_lines(run, tmp_path, label) for label in ("one", "two", "three")] == [{2, 3}] * 3


@pytest.mark.parametrize("engine", ENGINES)
def test_a_generator_goes_on_in_another_context(tmp_path: Path, engine: str) -> None:
    """What it runs there is that context's."""
    program = """
switch("setup")
lent = lib.lend()
next(lent)
switch("teardown")
list(lent)
"""
    run = _run(tmp_path, program, engine)
    assert {13, 14} <= _lines(run, tmp_path, "setup")
    assert {15, 16} <= _lines(run, tmp_path, "teardown")
    assert not {15, 16} & _lines(run, tmp_path, "setup")
    assert 13 not in _lines(run, tmp_path, "teardown")


@pytest.mark.parametrize("engine", ENGINES)
def test_an_exception_is_thrown_into_a_generator_in_another_context(tmp_path: Path, engine: str) -> None:
    """The handler that it runs there is that context's, though the generator does not go on at its `yield`."""
    program = """
def guard():
    try:
        yield 1
    except KeyError:
        noted = 2
        yield 3
    last = 4

switch("setup")
guarded = guard()
next(guarded)
switch("middle")
guarded.throw(KeyError)
switch("teardown")
list(guarded)
"""
    run = _run(tmp_path, program, engine)
    start = len(PRELUDE.splitlines()) + 2
    labels = ("setup", "middle", "teardown")
    seen = {label: {line - start for line in _lines(run, tmp_path, label, "main.py")} for label in labels}
    assert {1, 2} <= seen["setup"]
    assert {3, 4, 5} <= seen["middle"]
    assert not {1, 6} & seen["middle"]
    assert 6 in seen["teardown"]
    assert not {1, 2, 3, 4} & seen["teardown"]


@pytest.mark.skipif(not IS_MONITORING, reason="probes do not repeat the line at which a frame waited")
def test_an_async_comprehension_goes_on_in_another_context(tmp_path: Path) -> None:
    """A coroutine that waits in the middle of one has its line in each context in which it jumps back."""
    program = """
import types
@types.coroutine
def nap():
    yield
async def numbers():
    yield 1
    await nap()
    yield 2
    await nap()
async def gather():
    return [n async for n in numbers()]

gathering = gather()
for label in ("one", "two", "three"):
    switch(label)
    try:
        gathering.send(None)
    except StopIteration:
        pass
"""
    run = _run(tmp_path, program, "monitoring")
    line = len(PRELUDE.splitlines()) + 12
    assert [line in _lines_of_arcs(run, tmp_path, label) for label in ("one", "two", "three")] == [True] * 3


def _lines_of_arcs(run: RunData, tmp_path: Path, label: str) -> set[int]:
    """The lines of main.py in a context as coverage.py reads them: where arcs begin or end."""
    arcs = run.files[str(tmp_path / "main.py")].arcs.get(label, set())
    return {line for arc in arcs for line in arc}


@pytest.mark.parametrize("engine", ENGINES)
def test_frames_that_wait_for_a_switch_go_on_in_the_new_context(tmp_path: Path, engine: str) -> None:
    """Callers of any depth, in a loop that ran before, run their next lines there, with nothing called anew."""
    program = """
def inner(label):
    for n in (1, 2):
        if n == 2:
            switch(label)
        after = n
    last = n

def outer(label):
    inner(label)
    behind = 1

for label in ("one", "two"):
    outer(label)
"""
    run = _run(tmp_path, program, engine)
    start = len(PRELUDE.splitlines()) + 2
    for label in ("one", "two"):
        seen = {line - start for line in _lines(run, tmp_path, label, "main.py")}
        assert {1, 4, 5, 9} <= seen
        assert (2 in seen) == (label == "one")  # the second call of inner begins in the first one's context


@pytest.mark.skipif(IS_PYPY, reason="PyPy has greenlets of its own")
@pytest.mark.parametrize("engine", ENGINES)
def test_greenlets_go_on_in_another_context(tmp_path: Path, engine: str) -> None:
    """One that was switched away from in the middle of a function is seen in the context in which it goes on."""
    pytest.importorskip("greenlet")
    program = """
from greenlet import getcurrent, greenlet
main = getcurrent()
def work():
    for n in (1, 2):
        main.switch()
        after = n
    last = 3

worker = greenlet(work)
switch("one")
worker.switch()
switch("two")
worker.switch()
switch("three")
worker.switch()
"""
    run = _run(tmp_path, program, engine)
    start = len(PRELUDE.splitlines()) + 4
    labels = ("one", "two", "three")
    seen = {label: {line - start for line in _lines(run, tmp_path, label, "main.py")} for label in labels}
    assert {1, 2} <= seen["one"]
    assert not {3, 4} & seen["one"]
    assert 3 in seen["two"]
    assert 4 not in seen["two"]
    assert {3, 4} <= seen["three"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_process_keeps_its_contexts(tmp_path: Path, engine: str) -> None:
    """The last one too, which nothing has ended."""
    program = """
switch("one")
lib.choose(2)
switch("two")
lib.choose(1)
os.kill(os.getpid(), signal.SIGKILL)
"""
    run = _run(tmp_path, program, engine, returncode=-9)
    assert _lines(run, tmp_path, "one") == {2, 3}
    assert _lines(run, tmp_path, "two") == {2, 4}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_forked_child_goes_on_in_the_context(tmp_path: Path, engine: str) -> None:
    """The child's events are of the context in which it was forked, until it switches itself."""
    program = """
switch("parent")
lib.choose(2)
if os.fork() == 0:
    lib.choose(1)
    os._exit(0)
os.wait()
switch("after")
"""
    run = _run(tmp_path, program, engine)
    assert _lines(run, tmp_path, "parent") == {2, 3, 4}
    assert _lines(run, tmp_path, "after") == set()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_forked_child_has_contexts_of_its_own(tmp_path: Path, engine: str) -> None:
    """A switch in the child leaves the parent's alone, and the other way round."""
    program = """
switch("both")
lib.choose(1)
child = os.fork()
switch("parent" if child else "child")
lib.choose(2 if child else 1)
if not child:
    os._exit(0)
os.wait()
"""
    run = _run(tmp_path, program, engine)
    assert _lines(run, tmp_path, "both") == {2, 4}
    assert _lines(run, tmp_path, "child") == {2, 4}
    assert _lines(run, tmp_path, "parent") == {2, 3}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_static_context_comes_first(tmp_path: Path, engine: str) -> None:
    """As coverage.py joins them."""
    run = _run(tmp_path, "switch('dynamic')\nlib.choose(2)\n", engine, context="static")
    assert _lines(run, tmp_path, "static|dynamic") == {2, 3}
    assert {1, 6, 12} <= _lines(run, tmp_path, "static")


@pytest.mark.parametrize("engine", ENGINES)
def test_code_that_is_gone_has_its_contexts(tmp_path: Path, engine: str) -> None:
    """A function that is collected before its context ends was seen all the same."""
    program = """
source = open("lib.py").read()
switch("one")
space = {}
exec(compile(source, os.path.abspath("lib.py"), "exec"), space)
space["choose"](2)
space.clear()
del space
import gc
gc.collect()
switch("two")
"""
    run = _run(tmp_path, program, engine)
    assert {2, 3} <= _lines(run, tmp_path, "one")
    assert not {2, 3} & _lines(run, tmp_path, "two")


@pytest.mark.parametrize("engine", ENGINES)
def test_labels_may_be_any_text(tmp_path: Path, engine: str) -> None:
    """Also what UTF-8 has no bytes for."""
    run = _run(tmp_path, "switch('h\\xf6r\\n\\u4e2d')\nlib.choose(2)\nswitch('\\udc80')\nlib.choose(1)\n", engine)
    assert _lines(run, tmp_path, "h\xf6r\n\u4e2d") == {2, 3}
    assert _lines(run, tmp_path, "\\udc80") == {2, 4}


def test_an_unmeasured_process_may_switch() -> None:
    """Nothing happens."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("FOOTFALL")}
    program = "from footfall.observe.contexts import *\nswitch('a')\nswitch_samples('b')\nbind('c')\n"
    subprocess.run([sys.executable, "-c", program], env=env, check=True)


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_and_tasks_carry_their_context(tmp_path: Path, engine: str) -> None:
    """What a test left running is counted for that test; a pool's thread works for whoever asks."""
    program = """
import asyncio, threading
from concurrent.futures import ThreadPoolExecutor

go, gone = threading.Event(), threading.Event()

def late():
    go.wait()
    lib.choose(1)
    gone.set()

async def task(event):
    await event.wait()
    list(lib.lend())

async def main():
    event = asyncio.Event()
    pool = ThreadPoolExecutor(1)
    switch("one|run")
    threading.Thread(target=late).start()
    running = asyncio.create_task(task(event))
    await asyncio.sleep(0)
    pool.submit(lib.choose, 2).result()
    switch("two|setup")
    lib.choose(2)
    go.set()
    gone.wait()
    event.set()
    await running
    switch("two|run")
    pool.submit(lib.choose, 2).result()
    switch("")

asyncio.run(main())
"""
    run = _run(tmp_path, program, engine)
    assert _lines(run, tmp_path, "one|run") == {2, 3, 4, 13, 14, 15, 16}
    assert _lines(run, tmp_path, "two|setup") == {2, 3}
    assert _lines(run, tmp_path, "two|run") == {2, 3}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_test_in_an_older_loop_can_be_bound(tmp_path: Path, engine: str) -> None:
    """A loop made in another context gives its tasks that one's variables; `bind` says better."""
    program = """
import asyncio

async def bound(label, x):
    bind(label)
    lib.choose(x)
    await asyncio.create_task(child())

async def child():
    lib.lend().close()
    next(lib.count())

switch("one")
with asyncio.Runner() as runner:
    runner.get_loop()
    switch("two")
    runner.run(bound("two", 1))
"""
    run = _run(tmp_path, program, engine)
    assert _lines(run, tmp_path, "two") == {2, 4, 7, 8, 9}
    assert _lines(run, tmp_path, "one") == set()


@pytest.mark.parametrize("engine", ENGINES)
def test_two_threads_of_two_contexts_run_the_same_lines(tmp_path: Path, engine: str) -> None:
    """What one thread executed, often, is still seen of the other, and in the child that one of them forks."""
    program = """
import threading, warnings

warnings.simplefilter("ignore")  # of the fork beside a thread
turns = {name: threading.Event() for name in ("go", "gone", "again", "end")}

def late():
    turns["go"].wait()
    for _ in range(9):
        lib.choose(1)
    turns["gone"].set()
    turns["again"].wait()
    lib.choose(2)
    child = os.fork()
    if child == 0:
        next(lib.lend())
        os._exit(0)
    os.waitpid(child, 0)
    turns["end"].set()

switch("one")
threading.Thread(target=late).start()
switch("two")
for _ in range(9):
    lib.choose(2)
turns["go"].set()
turns["gone"].wait()
for _ in range(9):
    lib.choose(1)
switch("three")
for _ in range(9):
    lib.choose(1)
turns["again"].set()
turns["end"].wait()
next(lib.count())
"""
    run = _run(tmp_path, program, engine)
    assert _lines(run, tmp_path, "one") == {2, 3, 4, 13, 14}
    assert _lines(run, tmp_path, "two") == {2, 3, 4}
    assert _lines(run, tmp_path, "three") == {2, 4, 7, 8, 9}


ONE_LINERS = """\
add = lambda x: x + 1

def documented():
    '''No more than this.'''

def one(x): return x

def total(items):
    return sum(item for item in items)

class Thing:
    key = property(lambda self: self.method())

    def method(self):
        '''No more than this.'''

    def idle(self): pass

def lend():
    yield 1
    found = yield 2
    yield found

def choose(items):
    return max(items, key=lambda item: -item if item else 0)

def call(function): return function() or 0
"""


@pytest.mark.parametrize("engine", [*ENGINES, *([] if IS_PYPY else [ENGINES[1] + "_pure"])])
def test_code_without_a_statement_of_its_own_is_seen_in_every_context(tmp_path: Path, engine: str) -> None:
    """Lambdas, functions with a docstring only, one-liners, what a generator goes on from: as with the C tracer."""
    (tmp_path / "short.py").write_text(ONE_LINERS)
    program = """
import short
lent = [short.lend() for _ in range(3)]
for at, label in enumerate(("one", "two", "three")):
    switch(label)
    short.add(1)
    short.documented()
    short.one(1)
    short.total([1, 2])
    thing = short.Thing()
    thing.key, thing.idle()
    short.choose([1, 0])
    next(lent[0])
switch("four")
short.one(1)
switch("five")
next(lent[0], None)
short.call(int)
switch("six")
short.call(lambda: switch("seven"))
"""
    run = _run(tmp_path, program, engine)
    called = {1, 3, 6, 9, 12, 14, 17, 25}
    data = run.files[str(tmp_path / "short.py")]
    found = {  # a line with an arc ran, in the data file and for coverage.py
        label: data.lines.get(label, set()) | {line for arc in data.arcs.get(label, ()) for line in arc if line > 0}
        for label in ("one", "two", "three", "four", "five", "six", "seven")
    }
    assert found == {
        "one": called | {20},
        "two": called | {20, 21},
        "three": called | {21, 22},
        "four": {6},
        "five": {22, 27},
        "six": {27},
        "seven": set() if engine.startswith("probes") else {27},  # the line at which a frame waited
    }


def test_events_keep_their_places() -> None:
    """Sparse and dense forms hold the same."""
    events = b"\0\1\0\0\x21\0\0\0\0\7"
    assert spread_events(gather_events(events), len(events)) == events
    both = join_places([gather_events(events), gather_events(b"\0\2\3")])
    assert spread_events(both, len(events)) == b"\0\3\3\0\x21\0\0\0\0\7"
    with pytest.raises(ValueError, match="an event at 9 of 9"):
        spread_events(gather_events(events), 9)


def test_contexts_join_as_coverage_py_does() -> None:
    """A "|" only between two."""
    assert [join_context(*pair) for pair in (("", ""), ("a", ""), ("", "b"), ("a", "b"))] == ["", "a", "b", "a|b"]


_SWITCHING = """\
import coverage, lib
measuring = coverage.Coverage.current()
if measuring is None:
    from footfall.observe.contexts import switch
else:
    switch = measuring.switch_context
"""


def _arcs_by_context(tmp_path: Path, library: str, program: str) -> tuple[dict[str, object], dict[str, object]]:
    """Run a program that calls `switch`; return the arcs of lib.py by context, footfall's and the C tracer's."""
    coverage = pytest.importorskip("coverage")
    (tmp_path / "lib.py").write_text(library)
    (tmp_path / "main.py").write_text(_SWITCHING + program)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("FOOTFALL", "COVERAGE"))}
    env["COVERAGE_CORE"] = "ctrace"
    ours = ["-m", "footfall", "run", "--quiet", "--no-profile", "--source=.", "--data-file=ours", sys.executable]
    theirs = ["-m", "coverage", "run", "--branch", "--source=.", "--data-file=theirs"]
    for command in (ours, theirs):
        subprocess.run([sys.executable, *command, "main.py"], cwd=tmp_path, env=env, check=True)
    found: list[dict[str, object]] = []
    for name in ("ours", "theirs"):
        data = coverage.CoverageData(str(tmp_path / name))
        data.read()
        by_label: dict[str, object] = {}
        for label in sorted(data.measured_contexts()):
            data.set_query_context(label)
            by_label[label] = sorted(data.arcs(str(tmp_path / "lib.py")) or ())
        found.append(by_label)
    return found[0], found[1]


@pytest.mark.skipif(not IS_MONITORING, reason="probes do not repeat the line at which a frame waited")
def test_arcs_by_context_equal_coverage_py(tmp_path: Path) -> None:
    """Switches in the middle of loops, generators and callers: each arc is in the context that the C tracer gives it."""
    ours, theirs = _arcs_by_context(
        tmp_path,
        LIBRARY,
        "def inner(number):\n"
        "    switch('c%d' % number)\n"
        "    lib.choose(number)\n"
        "    return number\n"
        "def outer():\n"
        "    counting = lib.count()\n"
        "    lent = lib.lend()\n"
        "    next(lent)\n"
        "    for number in (0, 1, 2, 1, 0):\n"
        "        if inner(number):\n"
        "            next(counting)\n"
        "        else:\n"
        "            switch('other')\n"
        "            lib.choose(number)\n"
        "    list(lent)\n"
        "    switch('')\n"
        "outer()\n",
    )
    assert ours == theirs
    assert set(ours) == {"", "c0", "c1", "c2", "other"}


HANDLERS = """\
def fail():
    raise ValueError

def group(number, call):
    try:
        raise ExceptionGroup("", [ValueError()] + [KeyError()] * (number > 2))
    except* ValueError:
        call()
        if number == 1: x = 1
        elif number == 3: x = 2
        else: x = 3
    return 4

def handle(number, call):
    try:
        fail()
    except ValueError:
        call()
        if number == 1: fail()
        elif number == 3: call()
        else: x = 1
    return 5
"""


@pytest.mark.skipif(not IS_MONITORING, reason="probes do not repeat the line at which a frame waited")
def test_handlers_by_context_equal_coverage_py(tmp_path: Path) -> None:
    """Which way each line of a handler went on is distinguished in each context, also where one begins in a handler."""
    ours, theirs = _arcs_by_context(
        tmp_path,
        HANDLERS,
        "import contextlib\n"
        "def visit(function, number, call):\n"
        "    with contextlib.suppress(ValueError, ExceptionGroup):\n"
        "        function(number, call)\n"
        "for function in (lib.group, lib.handle):\n"
        "    for numbers in ((1, 4), (3, 4), (2, 1), (1, 3)):\n"
        "        name = f'{function.__name__}{numbers}'\n"
        "        switch(name)\n"
        "        for number in numbers:\n"
        "            visit(function, number, list)\n"
        "        for number in numbers:\n"
        "            visit(function, number, lambda: switch(name + 'inside'))\n"
        "            visit(function, 2, lambda: switch(name + 'again'))\n"
        "switch('')\n",
    )
    assert ours == theirs


WAITING_HANDLERS = """\
class Pause:
    def __await__(self):
        yield

def fail():
    raise ValueError

async def handle(number):
    try:
        fail()
    except ValueError:
        await Pause()
        if number == 1: raise KeyError
        elif number == 2: await Pause()
        else: x = 1
    number = max(number, 1)
    number = max(number, 2)
    return number

def generate(number):
    try:
        fail()
    except ValueError:
        try:
            yield
        except TypeError:
            x = 2
        if number: x = 1
    number = max(number, 1)
    number = max(number, 2)
    yield number
"""


@pytest.mark.skipif(not IS_MONITORING, reason="probes do not repeat the line at which a frame waited")
def test_handlers_that_wait_by_context_equal_coverage_py(tmp_path: Path) -> None:
    """A handler that goes on in a context leaves in it, though another call there handles an exception and waits."""
    ours, theirs = _arcs_by_context(
        tmp_path,
        WAITING_HANDLERS,
        "import contextlib\n"
        "def step(waiting, *error):\n"
        "    with contextlib.suppress(StopIteration, KeyError):\n"
        "        waiting.throw(*error) if error else waiting.send(None)\n"
        "for number in (1, 2, 3):\n"
        "    switch('begun%d' % number)\n"
        "    first = lib.handle(number)\n"
        "    step(first)\n"
        "    switch('going on%d' % number)\n"
        "    step(first)\n"
        "    second = lib.handle(3)\n"
        "    step(second)\n"
        "    switch('end%d' % number)\n"
        "    step(second)\n"
        "    first.close()\n"
        "for number, *error in ((0,), (1,), (0, TypeError), (1, TypeError)):\n"
        "    switch('generator begun%d' % number)\n"
        "    first = lib.generate(number)\n"
        "    step(first)\n"
        "    switch(f'generator going on{number}{error}')\n"
        "    step(first, *error)\n"
        "    second = lib.generate(number)\n"
        "    step(second)\n"
        "    switch('end')\n"
        "    step(second)\n"
        "    first.close()\n"
        "    second.close()\n"
        "switch('')\n",
    )
    after_calls = (10, 22)  # events do not tell whether a call returned: no branch, so no report has these arcs
    for found in (ours, theirs):
        for label, arcs in found.items():
            found[label] = [arc for arc in arcs if arc[0] not in after_calls]
    assert ours == theirs


CALLS_IN_TERNARIES = """\
def other():
    return 1
def choose(flag, call):
    value = str(call() if flag else other())
    value = str(other() if not flag else call())
    value = [call() if flag else 0, other() or 3]
    value = call() and other() or call()
    return value
"""


@pytest.mark.skipif(IS_PYPY or sys.version_info < (3, 12), reason="of sys.monitoring")
def test_a_line_goes_on_in_the_context_that_a_call_in_it_began(tmp_path: Path) -> None:
    """Without branches: where a version sends a LINE event behind a call (3.12), at a jump's target too, it counts."""
    coverage = pytest.importorskip("coverage")
    (tmp_path / "lib.py").write_text(CALLS_IN_TERNARIES)
    (tmp_path / "main.py").write_text(
        _SWITCHING + "count = 0\n"
        "def call():\n"
        "    global count\n"
        "    count += 1\n"
        "    switch('c%d' % count)\n"
        "    return count\n"
        "for flag in (True, False, True, False):\n"
        "    lib.choose(flag, call)\n"
        "switch('')\n"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith(("FOOTFALL", "COVERAGE"))}
    env["COVERAGE_CORE"] = "ctrace"
    ours = [
        "footfall",
        "run",
        "--quiet",
        "--no-profile",
        "--no-branch",
        "--source=.",
        "--data-file=ours",
        sys.executable,
    ]
    theirs = ["coverage", "run", "--source=.", "--data-file=theirs"]
    found = []
    for command, name in ((ours, "ours"), (theirs, "theirs")):
        subprocess.run([sys.executable, "-m", *command, "main.py"], cwd=tmp_path, env=env, check=True)
        data = coverage.CoverageData(str(tmp_path / name))
        data.read()
        by_label = {}
        for label in sorted(data.measured_contexts()):
            data.set_query_context(label)
            by_label[label] = sorted(data.lines(str(tmp_path / "lib.py")) or ())
        found.append(by_label)
    assert found[0] == found[1]
    assert len(found[0]) > 8
