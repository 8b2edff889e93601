"""`footfall attach --inject`: the inside sampler put into real processes of CPython 3.14 and later."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from attached import ENVIRONMENT, FIB, attach, joined_profile, recording, samples_by_function, stacks_of, target
from interpreters import OTHERS

pytestmark = pytest.mark.skipif(sys.implementation.name != "cpython", reason="there is no C core for others")
pytest.importorskip("elftools")
needs_remote_exec = pytest.mark.skipif(sys.version_info < (3, 14), reason="sys.remote_exec came with CPython 3.14")


@pytest.fixture(autouse=True)
def _leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is made for the target is made where temporary files go, and is removed again."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setitem(ENVIRONMENT, "TMPDIR", str(directory))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield
    assert glob.glob(f"{directory}/footfall-*") == []


def threads_of(pid: int) -> list[str]:
    """Names of a process's threads."""
    return sorted(Path(path).read_text(encoding="utf-8").strip() for path in glob.glob(f"/proc/{pid}/task/*/comm"))


def becomes_sampled(pid: int, is_so: bool) -> bool:
    """Return whether a process has a thread that samples, or has it no more, within two minutes: it names itself late, and lives
    until its lease ends."""
    deadline = time.monotonic() + 120
    while ("footfall" in threads_of(pid)) != is_so and time.monotonic() < deadline:
        time.sleep(0.05)
    return ("footfall" in threads_of(pid)) == is_so


@needs_remote_exec
def test_records_from_inside_and_leaves(tmp_path: Path) -> None:
    """Twice in turn: the profile is as from outside; afterwards the target has no thread of ours and runs on."""
    with target(FIB) as process:
        for name in ("a.data", "b.data"):
            done = attach(process.pid, "--inject", "--max-samples", "200", "-o", name, cwd=tmp_path)
            assert done.returncode == 0, done.stderr
            assert "Hottest functions" in done.stderr and "samples of 1 process" in done.stderr
            found = samples_by_function(tmp_path / name)
            assert found["fib"] + found["fib2"] > 100 and min(found["fib"], found["fib2"]) > 0
            assert "footfall" not in threads_of(process.pid)
        assert process.poll() is None


@needs_remote_exec
def test_the_program_sees_nothing_of_it(tmp_path: Path) -> None:
    """No module that is imported, no variable of the program, no thread that threading knows of, no output."""
    program = """
    import os, sys, threading, time
    before = set(sys.modules), set(globals()), threading.active_count()
    print("ready", flush=True)
    while not os.path.exists("done"): time.sleep(0.001)
    more = set(sys.modules) - before[0]
    print(sorted(more), sorted(set(globals()) - before[1] - {"more", "before"}), threading.active_count() - before[2])
    """
    with target(program, cwd=tmp_path, stderr=subprocess.PIPE) as process:
        done = attach(process.pid, "--inject", "--max-samples", "50", "-o", "a.data", cwd=tmp_path)
        (tmp_path / "done").touch()
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "['_footfall_injected', 'atexit'] [] 0\n"  # the second is built in
        assert process.stderr.read() == ""
        process.stderr.close()
    assert done.returncode == 0, done.stderr


@needs_remote_exec
def test_ends_with_the_process(tmp_path: Path) -> None:
    """What was sampled before the target was killed is in the data file."""
    with target(FIB) as process:
        with recording(process.pid, "--inject", "-o", "a.data", cwd=tmp_path) as attached:
            time.sleep(1)
            process.kill()
            process.wait()
            _, errors = attached.communicate(timeout=60)
    assert attached.returncode == 0, errors
    assert "has ended" in errors
    assert samples_by_function(tmp_path / "a.data")["fib"] > 10


@needs_remote_exec
def test_long_logs_are_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sampling goes on in a new log when one is long, and ends with what there is when the process does meanwhile."""
    from footfall.attach import inject
    from footfall.attach.recording import SampleOptions

    monkeypatch.setattr(inject, "_MAX_LOG_SAMPLES", 50)
    with target(FIB) as process:
        sampler = inject.InjectedSampler(process.pid, SampleOptions(1_000_000))
        sampler.start()
        deadline = time.monotonic() + 40
        while len(sampler.finished) < 3 and time.monotonic() < deadline:
            assert sampler.poll()
            time.sleep(0.02)
        time.sleep(0.2)  # the next is due
        process.kill()
        process.wait()
        while sampler.poll() and time.monotonic() < deadline:
            time.sleep(0.02)
    assert len(sampler.finished) >= 4 and str(process.pid) in sampler.ended
    joined_profile(sampler)
    sampler.close()


@needs_remote_exec
def test_ends_when_another_program_is_executed(tmp_path: Path) -> None:
    """exec takes the sampler away; the recording ends with what it has."""
    program = """
    import os, sys, time
    def before():
        for _ in range(100000): pass
    print("ready", flush=True)
    while not os.path.exists("go"): before()
    os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(1000)"])
    """
    with target(program, cwd=tmp_path) as process:
        with recording(process.pid, "--inject", "-o", "a.data", cwd=tmp_path) as attached:
            time.sleep(1)
            (tmp_path / "go").touch()
            _, errors = attached.communicate(timeout=60)
        assert process.poll() is None
    assert attached.returncode == 0, errors
    assert "executed another program" in errors
    assert samples_by_function(tmp_path / "a.data")["before"] > 10


@needs_remote_exec
def test_sampling_ends_with_who_asked_for_it(tmp_path: Path) -> None:
    """A recording that is killed leaves nobody sampling: the target's sampler thread ends by itself."""
    with target("import time\nprint('ready', flush=True)\nwhile True: time.sleep(0.001)") as process:
        with recording(process.pid, "--inject", "-o", "a.data", cwd=tmp_path) as attached:
            assert becomes_sampled(process.pid, True)
            attached.kill()
            attached.wait()
            assert becomes_sampled(process.pid, False)
        assert process.poll() is None
        done = attach(process.pid, "--inject", "--max-samples", "50", "-o", "b.data", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (left,) = glob.glob(f"{ENVIRONMENT['TMPDIR']}/footfall-*")  # of the one that was killed
    shutil.rmtree(left)


@needs_remote_exec
def test_stops_while_the_main_thread_is_in_c(tmp_path: Path) -> None:
    """The end needs no help of the target's main thread: a long sleep does not go on being sampled."""
    program = """
    import os, time
    print("ready", flush=True)
    while not os.path.exists("sleep"): pass
    print("asleep", flush=True)
    time.sleep(1000)
    """
    with target(program, cwd=tmp_path) as process:
        with recording(process.pid, "--inject", "-o", "a.data", cwd=tmp_path) as attached:
            (tmp_path / "sleep").touch()
            assert process.stdout is not None and process.stdout.readline() == "asleep\n"
            time.sleep(0.5)
            attached.send_signal(signal.SIGINT)
            _, errors = attached.communicate(timeout=60)
            assert attached.returncode == 0, errors
            assert "footfall" not in threads_of(process.pid)
    # its script waits until the sleep ends; the directory is left for it to remove
    (left,) = glob.glob(f"{ENVIRONMENT['TMPDIR']}/footfall-*")
    assert glob.glob(f"{left}/out/*") == []
    shutil.rmtree(left)


@needs_remote_exec
def test_a_main_thread_that_does_not_answer(tmp_path: Path) -> None:
    """One that sleeps is given up with a message; when it wakes, nothing is sampled and nothing is left."""
    program = """
    import signal, time
    signal.signal(signal.SIGUSR1, lambda *_: None)
    print("ready", flush=True)
    time.sleep(1000)
    """
    with target(program) as process:
        done = attach(process.pid, "--inject", "-o", "a.data", cwd=tmp_path)
        assert done.returncode == 3 and "[inject-unanswered]" in done.stderr, done.stderr
        assert not (tmp_path / "a.data").exists()
        os.kill(process.pid, signal.SIGUSR1)  # the handler runs, and with it what is pending
        deadline = time.monotonic() + 30
        while glob.glob(f"{ENVIRONMENT['TMPDIR']}/footfall-*") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.poll() is None
        assert "footfall" not in threads_of(process.pid)


@needs_remote_exec
@pytest.mark.parametrize("how", ["environment", "option"])
def test_a_process_that_disables_remote_debugging(tmp_path: Path, how: str) -> None:
    """Both ways to forbid it are respected and named."""
    command = [sys.executable, "-X", "disable-remote-debug"] if how == "option" else [sys.executable]
    environment = {**ENVIRONMENT, **({"PYTHON_DISABLE_REMOTE_DEBUG": "1"} if how == "environment" else {})}
    process = subprocess.Popen([*command, "-c", FIB], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        done = attach(process.pid, "--inject", cwd=tmp_path)
    finally:
        process.kill()
        process.communicate()
    assert done.returncode == 3
    assert "[inject-disabled]" in done.stderr and "PYTHON_DISABLE_REMOTE_DEBUG" in done.stderr


def test_other_versions_are_refused(tmp_path: Path) -> None:
    """The C core fits one minor version; the message says which Python's footfall to run, or to leave --inject out."""
    if not OTHERS:
        pytest.skip("no other CPython")
    with target(FIB, OTHERS[-1]) as process:
        done = attach(process.pid, "--inject", cwd=tmp_path)
    assert done.returncode == 3
    assert "[inject-version]" in done.stderr and "Leave out --inject" in done.stderr.replace("leave", "Leave")


@needs_remote_exec
def test_a_process_that_footfall_profiles_already(tmp_path: Path) -> None:
    """Two samplers in one process would share what tells of freed code: the second is refused."""
    code = f"import os; print(os.getpid(), flush=True)\n{FIB}"
    command = [sys.executable, "-m", "footfall", "run", "--no-cover", sys.executable, "-c", code]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT, cwd=tmp_path
    )
    try:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert process.stdout.readline() == "ready\n"
        done = attach(pid, "--inject", cwd=tmp_path)
        assert "[inject-failed]" in done.stderr and "already" in done.stderr, done.stderr
        assert done.returncode == 3
    finally:
        os.kill(pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize("other", ["--children", "--pause"])
def test_options_that_do_not_go_with_it(tmp_path: Path, other: str) -> None:
    """A usage error before anything is done."""
    done = attach(os.getpid(), "--inject", other, cwd=tmp_path)
    assert done.returncode == 2 and "[inject-alone]" in done.stderr and other in done.stderr


@needs_remote_exec
def test_forks_of_the_target_go_on_unsampled(tmp_path: Path) -> None:
    """A child has none of our threads and writes no log; the parent is sampled on, without a warning of threads."""
    program = """
    import os, time, warnings
    warnings.simplefilter("error")
    def parent():
        for _ in range(100000): pass
    print("ready", flush=True)
    while not os.path.exists("go"): parent()
    for _ in range(5):
        pid = os.fork()
        if pid == 0:
            os._exit(7 if len(os.listdir("/proc/self/task")) == 1 else 8)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        parent()
    print("forked", flush=True)
    while True: parent()
    """
    with target(program, cwd=tmp_path) as process:
        with recording(process.pid, "--inject", "-o", "a.data", cwd=tmp_path) as attached:
            (tmp_path / "go").touch()
            assert process.stdout is not None and process.stdout.readline() == "forked\n"
            time.sleep(1)
            attached.send_signal(signal.SIGINT)
            _, errors = attached.communicate(timeout=60)
    assert attached.returncode == 0, errors
    assert "samples of 1 process" in errors
    assert samples_by_function(tmp_path / "a.data")["parent"] > 10


@needs_remote_exec
def test_tasks_from_inside(tmp_path: Path) -> None:
    """--async goes with it: stacks are joined through awaiters, waiting tasks are counted."""
    program = """
    import asyncio, time
    def spin():
        end = time.perf_counter() + 0.005
        while time.perf_counter() < end: pass
    async def busy():
        while True:
            spin()
            await asyncio.sleep(0)
    async def nap(): await asyncio.sleep(1000)
    async def main():
        print("ready", flush=True)
        await asyncio.gather(asyncio.create_task(busy(), name="busy"), asyncio.create_task(nap(), name="nap"))
    asyncio.run(main())
    """
    with target(program) as process:
        done = attach(process.pid, "--inject", "--async", "-d", "4", "-o", "a.data", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    stacks = stacks_of(tmp_path / "a.data")
    assert stacks["<task>", "main", "<task busy>", "busy", "spin"].cpu_ns > 0
    waiting = stacks["<task>", "main", "<task nap>", "nap", "sleep"]
    assert waiting.samples > 3 and waiting.wall_ns > 0 and waiting.cpu_ns == 0
