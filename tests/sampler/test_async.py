"""`--async` of `footfall dump` and `footfall attach`: asyncio's tasks in real processes of CPython 3.12 and later."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from attached import ENVIRONMENT, attach, recording, stacks_of, target
from interpreters import OTHERS, any_python

pytestmark = pytest.mark.skipif(sys.implementation.name != "cpython", reason="reads from CPython only")
pytest.importorskip("elftools")

PYTHONS = [
    *([sys.executable] if sys.version_info >= (3, 12) else []),
    *(path for path in OTHERS if path[-4:] >= "3.12"),
]
OLDER = [*([] if sys.version_info >= (3, 12) else [sys.executable]), *(path for path in OTHERS if path[-4:] < "3.12")]
with_tasks = pytest.mark.parametrize(
    "python", any_python(PYTHONS) or [pytest.param("", marks=pytest.mark.skip("no CPython 3.12"))]
)

TREE = """
import asyncio, time
def spin():
    print("ready", flush=True)
    while True: pass
async def nap(n):
    if n: await nap(n - 1)
    else: await asyncio.sleep(1000)
async def rows():
    await nap(0)
    yield 1
async def read():
    async for _ in rows(): pass
async def tend(other):
    await other
async def busy():
    await asyncio.sleep(0.05)
    spin()
async def main():
    shared = asyncio.create_task(nap(3), name="shared")
    async with asyncio.TaskGroup() as group:
        group.create_task(read(), name="reader ä")
        group.create_task(tend(shared), name="first")
        group.create_task(tend(shared), name="second")
        group.create_task(busy(), name="busy")
asyncio.run(main())
"""

Footfall = Callable[..., subprocess.CompletedProcess[str]]


@contextmanager
def program(code: str, python: str) -> Iterator[subprocess.Popen[str]]:
    """A running program that has said that it is ready; it prints nothing else."""
    with target(code, python) as process:
        yield process


def tasks_of(footfall: Footfall, pid: int, *options: str) -> dict[str, dict[str, object]]:
    """The tasks of a process, by name."""
    done = footfall("dump", "--async", "--json", *options, pid)
    assert done.returncode == 0, done.stderr
    (process,) = json.loads(done.stdout)["processes"]
    (interpreter,) = process["interpreters"]
    assert interpreter["has_all_tasks"]
    return {task["name"]: task for task in interpreter["tasks"]}


def is_ordered(python: str) -> bool:
    """Whether a Python lists its tasks in order of creation."""
    return (sys.version_info >= (3, 14)) if python == sys.executable else python[-4:] >= "3.14"


def functions(task: dict[str, object]) -> list[str]:
    """Names of a task's frames, innermost first."""
    frames = task["frames"]
    assert isinstance(frames, list)
    return [frame["function"] for frame in frames]


@with_tasks
def test_dump_shows_who_waits_for_whom(footfall: Footfall, python: str) -> None:
    """Names, states, awaiters through groups and shared tasks, and frames through coroutines and generators."""
    with program(TREE, python) as process:
        tasks = tasks_of(footfall, process.pid)
    assert set(tasks) == {"Task-1", "shared", "reader ä", "first", "second", "busy"}
    assert all(task["whole"] for task in tasks.values())
    names = {task["id"]: name for name, task in tasks.items()}
    awaiters = {name: sorted(names[one] for one in task["awaited_by"]) for name, task in tasks.items()}
    assert awaiters == {
        "Task-1": [],
        "shared": ["first", "second"],
        "reader ä": ["Task-1"],
        "first": ["Task-1"],
        "second": ["Task-1"],
        "busy": ["Task-1"],
    }
    assert {name for name, task in tasks.items() if task["state"] == "running"} == {"busy"}
    assert functions(tasks["busy"]) == ["spin", "busy"]
    assert functions(tasks["shared"]) == ["sleep", "nap", "nap", "nap", "nap"]
    assert functions(tasks["reader ä"]) == ["sleep", "nap", "rows", "read"]
    assert functions(tasks["first"]) == ["tend"]
    assert functions(tasks["Task-1"])[-1] == "main"
    (frame,) = tasks["first"]["frames"]
    assert (frame["line"], frame["column"], frame["end_column"]) == (15, 4, 15)


@with_tasks
def test_dump_shows_a_tree(footfall: Footfall, python: str, tmp_path: Path) -> None:
    """Below each task, indented, what it waits for; a task that two wait for has its frames once.

    Before 3.14 tasks are in no order, so they are shown by name.
    """
    (tmp_path / "tree.py").write_text(TREE, encoding="utf-8")
    process = subprocess.Popen([python, "tree.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
    try:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        done = footfall("dump", "--async", "--pause", process.pid)
    finally:
        process.kill()
        process.communicate()
    assert done.returncode == 0, done.stderr
    tree = done.stdout[done.stdout.index('Task "Task-1"') :].splitlines()
    assert tree[0] == f'Task "Task-1"  waiting  in thread {process.pid}'
    heads = [line for line in tree if line.lstrip().startswith("Task ")]
    reader, busy = ['  Task "reader ä"  waiting'], ['  Task "busy"  running']
    first = ['  Task "first"  waiting', '    Task "shared"  waiting']
    second = ['  Task "second"  waiting', '    Task "shared"  is above']
    by_creation, by_name = [*reader, *first, *second, *busy], [*busy, *first, *reader, *second]
    assert heads[1:] == (by_creation if is_ordered(python) else by_name)
    at = tree.index('  Task "first"  waiting')
    assert tree[at + 1].startswith("    tend  ") and tree[at + 1].endswith("tree.py:15:5")
    assert tree[at + 2].strip() == "await other"


@with_tasks
def test_waits_through_futures(footfall: Footfall, python: str) -> None:
    """gather, shield, wait and wait_for are between a task and the one that waits for it; a callback is not a wait.

    Of tasks that have ended there is nothing, though the program still has them.
    """
    code = """
    import asyncio
    async def nap(): await asyncio.sleep(1000)
    async def end(): pass
    async def say():
        await asyncio.sleep(0.1)
        print("ready", flush=True)
        await asyncio.sleep(1000)
    def start(name): return asyncio.create_task(nap(), name=name)
    async def gathers(): await asyncio.gather(start("gathered"), asyncio.gather(start("deeper")))
    async def shields(): await asyncio.shield(start("shielded"))
    async def waits(): await asyncio.wait([start("one"), start("other")])
    async def times(): await asyncio.wait_for(start("timed"), 1000)
    async def main():
        kept = [asyncio.create_task(end()), start("free")]
        future = asyncio.get_running_loop().create_future()
        kept[1].add_done_callback(lambda _: future.cancel())
        kept.append(asyncio.create_task(await_it(future), name="calls"))
        async with asyncio.TaskGroup() as group:
            for each in (gathers, shields, waits, times, say):
                group.create_task(each(), name=each.__name__)
    async def await_it(future): await future
    asyncio.run(main())
    """
    with program(code, python) as process:
        tasks = tasks_of(footfall, process.pid)
    names = {task["id"]: name for name, task in tasks.items()}
    waiting = {name: [names[one] for one in task["awaited_by"]] for name, task in tasks.items()}
    assert waiting == {
        **{"Task-1": [], "free": [], "calls": [], "gathered": ["gathers"], "deeper": ["gathers"]},
        **{"shielded": ["shields"], "one": ["waits"], "other": ["waits"], "timed": ["times"]},
        **dict.fromkeys(("gathers", "shields", "waits", "times", "say"), ["Task-1"]),
    }


@with_tasks
def test_tasks_that_wait_in_a_circle_are_shown(footfall: Footfall, python: str, tmp_path: Path) -> None:
    """Each once, though none of them is a root; attach goes on as well."""
    code = """
    import asyncio, time
    async def tend(others, n):
        await others[n]
    async def say():
        await asyncio.sleep(0.1)
        print("ready", flush=True)
    async def main():
        others = []
        others += [asyncio.create_task(tend(others, 1), name="one"), asyncio.create_task(tend(others, 0), name="two")]
        await asyncio.gather(say(), asyncio.sleep(1000))
    asyncio.run(main())
    """
    with program(code, python) as process:
        tasks = tasks_of(footfall, process.pid)
        done = footfall("dump", "--async", process.pid)
        attached = attach(process.pid, "--async", "-d", "2", "-o", "a.data", cwd=tmp_path)
    assert attached.returncode == 0, attached.stderr
    assert tasks["one"]["awaited_by"] == [tasks["two"]["id"]] and tasks["two"]["awaited_by"] == [tasks["one"]["id"]]
    assert done.stdout.count('Task "one"  waiting') == 1 and done.stdout.count('Task "two"  waiting') == 1


@with_tasks
def test_an_eager_task_and_one_not_begun(footfall: Footfall, python: str) -> None:
    """A task that runs eagerly is in no list yet and is shown; one that was never stepped has its first line."""
    code = """
    import asyncio
    def spin():
        print("ready", flush=True)
        while True: pass
    async def eager():
        spin()
    async def later():
        await asyncio.sleep(0)
    async def main():
        task = asyncio.create_task(later(), name="later")
        await asyncio.Task(eager(), name="eager", eager_start=True, loop=asyncio.get_running_loop())
    asyncio.run(main())
    """
    with program(code, python) as process:
        tasks = tasks_of(footfall, process.pid)
    assert (tasks["eager"]["state"], functions(tasks["eager"])) == ("running", ["spin", "eager"])
    assert (tasks["later"]["state"], functions(tasks["later"])) == ("waiting", ["later"])
    assert tasks["later"]["frames"][0]["line"] == 8


@with_tasks
def test_tasks_of_several_threads(footfall: Footfall, python: str) -> None:
    """Each task says which thread's loop it is of; those whose thread has ended, that there is none."""
    code = """
    import asyncio, threading
    naps = []
    async def nap():
        naps.append(1)
        if len(naps) == 2: print("ready", flush=True)
        await asyncio.sleep(1000)
    def loop():
        asyncio.run(nap())
    def leave():
        loop = asyncio.new_event_loop()
        left.append((loop, loop.create_task(nap(), name="left")))
    left = []
    thread = threading.Thread(target=leave)
    thread.start(); thread.join()
    threading.Thread(target=loop, daemon=True).start()
    asyncio.run(nap())
    """
    with program(code, python) as process:
        done = footfall("dump", "--async", "--json", process.pid)
        text = footfall("dump", "--async", process.pid).stdout
    (interpreter,) = json.loads(done.stdout)["processes"][0]["interpreters"]
    threads = {thread["id"] for thread in interpreter["threads"]}
    of = {task["name"]: task["thread"] for task in interpreter["tasks"]}
    assert of["left"] is None
    rest = [thread for name, thread in of.items() if name != "left"]
    assert len(set(rest)) == 2 and set(rest) <= threads
    assert 'Task "left"  waiting  its thread has ended' in text


@with_tasks
def test_a_program_without_tasks(footfall: Footfall, python: str) -> None:
    """It says so, whether asyncio is a library of its own or part of the interpreter."""
    with program("import time\nprint('ready', flush=True)\ntime.sleep(1000)", python) as process:
        done = footfall("dump", "--async", process.pid)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] in ("No tasks", "No tasks: asyncio is not imported")


@pytest.mark.parametrize("python", any_python(OLDER) or [pytest.param("", marks=pytest.mark.skip("no older CPython"))])
def test_older_versions_are_refused(footfall: Footfall, python: str) -> None:
    """Before 3.12 it is not known where tasks are; the message says so, and what helps."""
    with program("import time\nprint('ready', flush=True)\ntime.sleep(1000)", python) as process:
        for command in ("dump", "attach"):
            done = footfall(command, "--async", process.pid)
            assert done.returncode == 3
            assert "[async-unsupported]" in done.stderr and "only of 3.12 and later" in done.stderr


@with_tasks
def test_attach_joins_stacks_through_awaiters(tmp_path: Path, python: str) -> None:
    """A running task's CPU time is below the tasks that wait for it, without the event loop's frames between."""
    code = """
    import asyncio, time
    def spin():
        end = time.perf_counter() + 0.005
        while time.perf_counter() < end: pass
    async def inner():
        spin()
        await asyncio.sleep(0)
    async def busy():
        while True: await inner()
    async def main():
        print("ready", flush=True)
        await asyncio.gather(asyncio.create_task(busy(), name="busy"))
    asyncio.run(main(), debug=False)
    """
    with program(code, python) as process:
        done = attach(process.pid, "--async", "--max-samples", "300", "-o", "a.data", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    stacks = stacks_of(tmp_path / "a.data")
    joined = ("<task>", "main", "<task busy>", "busy", "inner", "spin")
    assert stacks[joined].samples > 200
    with_loop = [stack for stack in stacks if "spin" in stack and stack != joined]
    assert sum(stacks[stack].samples for stack in with_loop) <= 6, with_loop
    assert stacks[joined].cpu_ns > 0 and stacks[joined].gil_ns > 0


@with_tasks
def test_attach_counts_waiting_tasks(tmp_path: Path, python: str) -> None:
    """Each task that waits for no task counts at each look, wall time only; those that wait for others do not."""
    code = """
    import asyncio
    async def nap(): await asyncio.sleep(1000)
    async def tend(task): await task
    async def main():
        asyncio.get_running_loop().call_later(0.1, lambda: print("ready", flush=True))  # all have begun then
        async with asyncio.TaskGroup() as group:
            for _ in range(3): group.create_task(nap(), name="three")
            group.create_task(tend(group.create_task(nap(), name="tended")), name="tender")
    asyncio.run(main())
    """
    with program(code, python) as process:
        done = attach(process.pid, "--async", "-d", "3", "-o", "a.data", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    stacks = stacks_of(tmp_path / "a.data")
    waiting = {stack: cost for stack, cost in stacks.items() if stack and stack[0] != "<module>"}
    three = waiting.pop(("<task>", "main", "TaskGroup.__aexit__", "<task three>", "nap", "sleep"), None) or waiting.pop(
        ("<task>", "main", "TaskGroup.__aexit__", "TaskGroup._aexit", "<task three>", "nap", "sleep")
    )
    ((stack, tended),) = waiting.items()
    assert stack[-5:] == ("<task tender>", "tend", "<task tended>", "nap", "sleep"), stack
    assert tended.samples > 3 and three.samples == 3 * tended.samples
    assert three.wall_ns == 3 * tended.wall_ns and three.cpu_ns == three.gil_ns == 0


@with_tasks
def test_attach_sees_asyncio_that_comes_later(tmp_path: Path, python: str) -> None:
    """A program that imports asyncio during the recording has its tasks from then on."""
    code = """
    import os, sys, time
    print("ready", flush=True)
    while not os.path.exists("go"): time.sleep(0.01)
    import asyncio
    def spin():
        end = time.monotonic() + 3, time.process_time() + 0.3
        while time.monotonic() < end[0] or time.process_time() < end[1]: pass
    async def main():
        spin()
    asyncio.run(main())
    """
    with target(code, python, cwd=tmp_path) as process:
        with recording(process.pid, "--async", "-o", "a.data", cwd=tmp_path) as attached:
            (tmp_path / "go").touch()
            attached.communicate(timeout=60)
    assert attached.returncode == 0
    assert stacks_of(tmp_path / "a.data")["<task>", "main", "spin"].samples > 10


@pytest.mark.skipif(not PYTHONS or not OLDER, reason="needs CPython 3.12 and an older one")
def test_older_children_are_sampled_without_their_tasks(tmp_path: Path) -> None:
    """With --children those of other versions are in the recording too, and a message says what is missing."""
    code = f"""
    import subprocess, sys, time
    old = "def old():\\n  while True: pass\\nprint('ready', flush=True)\\nold()"
    child = subprocess.Popen([{OLDER[0] if OLDER else ""!r}, "-c", old])
    try: time.sleep(1000)
    finally: child.kill()
    """
    with target(code, PYTHONS[0], start_new_session=True) as process:
        done = attach(process.pid, "--async", "--children", "-d", "3", "-o", "a.data", cwd=tmp_path)
        os.killpg(process.pid, 9)
    assert done.returncode == 0, done.stderr
    assert "without its tasks" in done.stderr
    assert any("old" in stack for stack in stacks_of(tmp_path / "a.data"))


def test_names_of_tasks_stay_few(tmp_path: Path) -> None:
    """A server's numbered tasks are one frame; endless names of its own do not grow the profile without bound."""
    if not PYTHONS:
        pytest.skip("no CPython 3.12")
    code = textwrap.dedent(
        """
        import asyncio
        def spin():
            for _ in range(200): pass
        async def request(): spin()
        async def main():
            print("ready", flush=True)
            n = 0
            while True:
                n += 1
                await asyncio.create_task(request(), name=f"request {n}")
                task = asyncio.create_task(request())
                task.get_name()
                await task
        asyncio.run(main())
        """
    )
    with program(code, PYTHONS[0]) as process:
        done = attach(process.pid, "--async", "--rate", "5000", "--max-samples", "4000", "-o", "a.data", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    names = {frame for stack in stacks_of(tmp_path / "a.data") for frame in stack if frame.startswith("<task")}
    assert "<task>" in names and not any(name.startswith("<task Task-") for name in names)
    assert 2 < len(names) <= 1000  # how many were met depends on the machine


SERVER = """
import time
def spin():
    end = time.perf_counter() + 0.003
    while time.perf_counter() < end: pass
def serve():
    import asyncio  # when the sampler runs already
    async def busy():
        for _ in range(150):
            spin()
            await asyncio.sleep(0)
    async def nap(): await asyncio.sleep(1000)
    async def main():
        asleep = asyncio.create_task(nap(), name="nap")
        await asyncio.create_task(busy(), name="busy")
        asleep.cancel()
    asyncio.run(main())
serve()
"""


def run_server(tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "server.py").write_text(SERVER)
    command = [sys.executable, "-m", "footfall", "run", "-q", "--async", *options, "server.py"]
    return subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks are read from 3.12 on")
def test_run_joins_stacks_of_its_own_tasks(tmp_path: Path) -> None:
    """`footfall run --async`, asyncio imported late: a task's stack goes on with who waits for it; waiting ones count."""
    done = run_server(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    stacks = stacks_of(tmp_path / ".coverage")
    assert stacks["<task>", "serve.<locals>.main", "<task busy>", "serve.<locals>.busy", "spin"].cpu_ns > 0
    waiting = stacks["<task nap>", "serve.<locals>.nap", "sleep"]
    assert waiting.wall_ns > 0
    assert waiting.cpu_ns == 0


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="tasks are read from 3.12 on")
@pytest.mark.parametrize("options", [(), ("--no-cover",)], ids=["with coverage", "profile alone"])
def test_run_reports_that_it_knows_no_tasks(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Before 3.12 the profile is one of threads, which is reported once at the end."""
    done = run_server(tmp_path, *options)
    assert done.returncode == 0
    assert done.stderr.count("[async-unsupported]") == 1
    assert any(stack[-1:] == ("spin",) for stack in stacks_of(tmp_path / ".coverage"))


def test_precise_stacks_have_no_tasks(tmp_path: Path) -> None:
    """--async with --precise is refused before anything runs."""
    done = run_server(tmp_path, "--precise")
    assert done.returncode == 2
    assert "[async-precise]" in done.stderr
