"""`footfall attach`: real processes sampled from outside, of this and other versions, and all that they may do meanwhile."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from attached import ENVIRONMENT, FIB, attach, joined_profile, recording, samples_by_function, stop, target
from footfall.analyze.profile.calltree import ProfileBuilder, times_of_functions
from footfall.attach.permission import Rights, forbidden
from footfall.record.data.profile_tables import read_profile
from footfall.record.run.sample_log import SampleLog, read_sample_log
from interpreters import PYPY, each_python
from sampled_logs import ROOTS

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.skipif(sys.implementation.name != "cpython", reason="reads from CPython only")
pytest.importorskip("elftools")


def stacks(log: SampleLog) -> list[tuple[str, ...]]:
    """The stack of each look, outermost first."""
    names: dict[int, tuple[str, ...]] = {0: ()}
    for node_id, node in log.nodes.items():
        names[node_id] = (*names[node.parent], log.codes[node.code].qualname)
    return [names[sample.node] for sample in log.samples for _ in range(sample.repeat)]


def sample(pid: int, path: Path, n_samples: int, interval_us: int = 1000) -> SampleLog:
    """The log of at least so many samples of a process."""
    from footfall import _core
    from footfall.attach.interpreter import find_interpreter

    found = find_interpreter(pid)
    sampler = _core.RemoteSampler(
        pid, found.runtime, found.code_type, found.version, str(path), interval_us * 1000, rseq_offset=found.rseq_offset
    )
    sampler.start()
    for _ in range(2000):
        stats = sampler.stats()
        if stats["samples"] >= n_samples or stats["end"]:
            break
        time.sleep(0.01)
    sampler.stop()
    return read_sample_log(str(path))


@pytest.mark.any_python
def test_writes_a_data_file_with_the_profile(tmp_path: Path) -> None:
    """--max-samples ends it; the summary, the data file and the exit status are as those of `run`."""
    with target(FIB) as process:
        done = attach(process.pid, "--max-samples", "200", "-o", "a.data", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Hottest functions" in done.stderr and "samples of 1 process" in done.stderr
    found = samples_by_function(tmp_path / "a.data")
    assert found["fib"] + found["fib2"] > 100 and min(found["fib"], found["fib2"]) > 0
    assert os.listdir(tmp_path) == ["a.data"] or set(os.listdir(tmp_path)) == {"a.data", ".footfall"}


@each_python
def test_stacks_of_a_quick_recursion_are_whole(tmp_path: Path, python: str) -> None:
    """Next to no stack mixes two recursions or lacks its root, in a target of each version there is."""
    with target(FIB, python) as process:
        log = sample(process.pid, tmp_path / "a.smp", 300)
    taken = [stack for stack in stacks(log) if stack]
    assert len(taken) >= 250
    impossible = [stack for stack in taken if stack[0] != "<module>" or {"fib", "fib2"} <= set(stack)]
    assert len(impossible) + log.n_dropped <= 0.02 * len(taken) + 1, (impossible[:3], log.n_dropped)


def names_from_leaf(log: SampleLog, node: int) -> list[str]:
    """The stack of one node, innermost first."""
    found = []
    while node:
        found.append(log.codes[log.nodes[node].code].qualname)
        node = log.nodes[node].parent
    return found


DEEP = """
import sys, time
sys.setrecursionlimit(1000000)
def leaf():
    print("ready", flush=True)
    while True: time.perf_counter()
def down(n):
    return down(n - 1) if n else leaf()
down(70000)
"""


@each_python
def test_very_deep_stacks_have_both_ends(tmp_path: Path, python: str) -> None:
    """The frames in the middle are one that says so; the leaf has its time. `dump` says how many they are."""
    with target(DEEP, python) as process:
        log = sample(process.pid, tmp_path / "a.smp", 5, 10_000)
    taken = [names_from_leaf(log, one.node) for one in log.samples if one.repeat and one.node]
    assert taken and log.n_dropped == 0
    for stack in taken:
        assert (stack[0], stack[1], stack[-2], stack[-1]) == ("leaf", "down", "down", "<module>")
        assert stack.count("<frames left out>") == 1 and 50_000 < len(stack) < 65_536


@pytest.mark.any_python
def test_dump_counts_the_frames_that_it_leaves_out() -> None:
    """All 70,003 are shown or counted."""
    from footfall.attach.dump import dump_process

    with target(DEEP) as process:
        ((thread,),) = (interpreter.threads for interpreter in dump_process(process.pid).interpreters)
    (left_out,) = [
        frame.qualname for frame in thread.frames if frame.qualname.startswith("<") and "left" in frame.qualname
    ]
    assert thread.is_whole and thread.frames[0].qualname == "leaf"
    assert left_out == f"<{70_003 - (len(thread.frames) - 1)} frames left out>"


def test_time_without_a_stack_is_not_attributed(tmp_path: Path) -> None:
    """While a stack can't be read its time is that of `<not read>`, and not the next one's that is read."""
    from footfall import _core
    from footfall.attach.interpreter import find_interpreter

    program = "import time\ndef leaf():\n  print('ready', flush=True)\n  while True: pass\nleaf()"
    with target(program) as process:
        stop(process.pid)
        found = find_interpreter(process.pid)
        place = (process.pid, found.runtime, found.code_type, found.version)
        frames = _core.RemoteSampler(*place).stacks()[0][4] or []
        (code,) = [frame[0] for frame in frames if frame[3] == b"leaf"]
        descriptor = os.open(f"/proc/{process.pid}/mem", os.O_RDWR)
        kind = os.pread(descriptor, 8, code + 8)
        sampler = _core.RemoteSampler(*place, str(tmp_path / "a.smp"))
        os.pwrite(descriptor, bytes(8), code + 8)
        sampler.start()
        until = time.monotonic() + 20
        while sampler.stats()["torn"] + sampler.stats()["unreadable"] < 20 and time.monotonic() < until:
            time.sleep(0.005)
        os.pwrite(descriptor, kind, code + 8)
        while sampler.stats()["samples"] < 20 and time.monotonic() < until:
            time.sleep(0.005)
        sampler.stop()
        os.close(descriptor)
    log = read_sample_log(str(tmp_path / "a.smp"))
    builder = ProfileBuilder()
    builder.add(log, {})
    times = {function.qualname: times.own for function, times in times_of_functions(builder.profile).items()}
    assert log.n_dropped >= 20 and times["<not read>"].samples == 0
    failed = [one for one in log.samples if not one.repeat]
    assert sum(one.wall_ns for one in failed) == failed[-1].time_ns - failed[0].time_ns > 0
    assert times["<not read>"].wall_ns > 0
    assert times["leaf"].wall_ns < log.samples[-1].time_ns - failed[0].time_ns


HOSTILE = {
    "deep recursion": "def down(n):\n  return down(n - 1) if n else 0\nwhile True: down(5000)",
    "threads": (
        "def down(n):\n  return down(n - 1) if n else 0\n"
        "while True:\n"
        "  ts = [threading.Thread(target=down, args=(300,)) for _ in range(8)]\n"
        "  for t in ts: t.start()\n"
        "  for t in ts: t.join()"
    ),
    "generators": (
        "def count(n):\n  if n: yield from count(n - 1)\n  yield n\nwhile True:\n  for _ in count(100): pass"
    ),
    "code that comes and goes": (
        "n = 0\nwhile True:\n  n += 1\n"
        "  exec(compile(f'def f{n}(n):\\n  return n\\nfor z in range(9): f{n}({n})', 'gen.py', 'exec'), {})"
    ),
    "forks": (
        "import os\nwhile True:\n  pid = os.fork()\n  if not pid: sum(range(10000)); os._exit(0)\n"
        "  assert os.waitpid(pid, 0)[1] == 0"
    ),
}


@pytest.mark.parametrize("program", HOSTILE.values(), ids=HOSTILE.keys())
def test_reads_memory_freed_during_the_read(tmp_path: Path, program: str) -> None:
    """Every 20 us, memory that is unmapped under the reader: neither side is hurt, kept stacks have their roots."""
    start = "import sys, threading\nsys.setrecursionlimit(20000)\nprint('ready', flush=True)\n"
    with target(start + program) as process:
        log = sample(process.pid, tmp_path / "a.smp", 3000, 20)
        assert process.poll() is None
    taken = [stack for stack in stacks(log) if stack]
    assert len(taken) > 100
    rootless = [stack for stack in taken if stack[0] not in ROOTS]
    assert len(rootless) <= max(1, 0.005 * len(taken)), rootless[:5]


def test_reused_addresses_are_not_misnamed(tmp_path: Path) -> None:
    """Code objects that are made and dropped get one another's memory: a frame has the name of who runs."""
    program = """
    import time
    print("ready", flush=True)
    def spin():
        end = time.perf_counter() + 0.002
        while time.perf_counter() < end: pass
    n = 0
    while True:
        n += 1
        kind = "even" if n % 2 == 0 else "odd_"
        space = {"spin": spin}
        exec(compile(f"def {kind}_inner():\\n  spin()\\ndef {kind}_outer():\\n  {kind}_inner()", "gen.py", "exec"), space)
        space[f"{kind}_outer"]()
    """
    with target(program) as process:
        log = sample(process.pid, tmp_path / "a.smp", 600)
    pairs = [
        (stack[i], stack[i + 1])
        for stack in stacks(log)
        for i in range(len(stack) - 1)
        if stack[i].endswith("_outer") and stack[i + 1].endswith("_inner")
    ]
    assert len(pairs) > 100
    mixed = [pair for pair in pairs if pair[0][:4] != pair[1][:4]]
    kinds = {pair[0][:4] for pair in pairs}
    assert kinds == {"even", "odd_"}
    assert len(mixed) <= 0.02 * len(pairs), mixed[:5]


def test_threads_have_their_own_time(tmp_path: Path) -> None:
    """A sleeping thread costs no CPU; the busy one holds the GIL; names are the kernel's."""
    program = """
    import threading, time
    def sleeper():
        time.sleep(100)
    def busy():
        while True: sum(range(100))
    threading.Thread(target=sleeper, daemon=True).start()
    print("ready", flush=True)
    busy()
    """
    with target(program) as process:
        log = sample(process.pid, tmp_path / "a.smp", 800)
        assert {thread.native_id for thread in log.threads.values()} >= {process.pid}
    names: dict[int, str] = {0: ""}
    for node_id, node in log.nodes.items():
        names[node_id] = log.codes[node.code].qualname
    cpu = {"busy": 0, "sleeper": 0}
    gil = {"busy": 0, "sleeper": 0}
    for one in log.samples:
        if names[one.node] in cpu:
            cpu[names[one.node]] += one.cpu_ns
            gil[names[one.node]] += one.repeat * one.holds_gil
    assert cpu["busy"] > 20 * cpu["sleeper"]
    assert gil["busy"] > 100 and gil["sleeper"] == 0
    assert any(one.repeat > 3 for one in log.samples if names[one.node] == "sleeper")


@pytest.mark.any_python
def test_ends_with_the_process(tmp_path: Path) -> None:
    """When the process ends, what was sampled is written."""
    program = """
    import os, time
    print("ready", flush=True)
    while not os.path.exists("sampled"): pass
    end = time.process_time() + 0.5
    while time.process_time() < end: pass
    """
    with target(program, cwd=tmp_path) as process:
        with recording(process.pid, cwd=tmp_path) as attached:
            (tmp_path / "sampled").touch()
            _, errors = attached.communicate(timeout=60)
        assert process.wait(60) == 0
    assert attached.returncode == 0, errors
    assert "has ended" in errors
    assert samples_by_function(tmp_path / f"attach-{process.pid}.coverage")["<module>"] > 10


@pytest.mark.any_python
def test_follows_exec(tmp_path: Path) -> None:
    """A process that executes another Python program is found anew there."""
    program = """
    import os, sys, time
    def before():
        for _ in range(100000): pass
    print("ready", flush=True)
    while not os.path.exists("sampled"): before()
    end = time.process_time() + 1
    while time.process_time() < end: before()
    code = (
        "import time\\ndef after():\\n  for _ in range(100000): pass\\n"
        "while time.process_time() < 2: after()\\nprint('seen', flush=True)\\nwhile True: after()"
    )
    os.execv(sys.executable, [sys.executable, "-c", code])
    """
    # Each waits for the other: on a busy machine the recording may begin seconds late.
    with target(program, cwd=tmp_path) as process:
        with recording(process.pid, "-o", "a.data", cwd=tmp_path) as attached:
            (tmp_path / "sampled").touch()
            assert process.stdout is not None and process.stdout.readline() == "seen\n"
            attached.send_signal(signal.SIGINT)
            _, errors = attached.communicate(timeout=30)
        assert process.poll() is None
    assert attached.returncode == 0, errors
    found = samples_by_function(tmp_path / "a.data")
    assert found["before"] > 10 and found["after"] > 10


@pytest.mark.any_python
def test_children_are_found_while_it_runs(tmp_path: Path) -> None:
    """--children: those that are there, and a fork that comes later; one recording of all."""
    program = """
    import os, subprocess, sys, time
    def parent():
        while True: time.sleep(0.01)
    def forked():
        while True: pass
    child = subprocess.Popen([sys.executable, "-c", "def started():\\n  while True: pass\\nstarted()"])
    print("ready", flush=True)
    time.sleep(2)
    pid = os.fork()
    if pid == 0:
        forked()
    try:
        parent()
    finally:
        child.kill()
    """
    with target(program, start_new_session=True) as process:
        done = attach(process.pid, "--children", "-d", "6", "-o", "a.data", cwd=tmp_path)
        os.killpg(process.pid, signal.SIGKILL)
    assert done.returncode == 0, done.stderr
    found = samples_by_function(tmp_path / "a.data")
    assert found["started"] > 10 and found["forked"] > 10 and found["parent"] > 10
    assert "of 3 processes" in done.stderr


@pytest.mark.any_python
def test_short_children_are_sampled_or_reported(tmp_path: Path) -> None:
    """Each that lives for long enough is sampled; CPU time of those that were not is said, by the kernel's count."""
    program = """
    import os, sys, time
    def fork(seconds):
        pid = os.fork()
        if pid == 0:
            end = time.process_time() + seconds
            while time.process_time() < end: pass
            os._exit(0)
        os.waitpid(pid, 0)
    print("ready", flush=True)
    sys.stdin.readline()
    for seconds in [0.3] * 4 + [0.002] * 200: fork(seconds)
    """
    with target(program, stdin=subprocess.PIPE) as process:
        with recording(process.pid, "--children", "-o", "a.data", cwd=tmp_path) as attached:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.close()
            _, errors = attached.communicate(timeout=50)
    assert attached.returncode == 0, errors
    found = re.search(r"([0-9]+) of ([0-9]+) child processes gave samples", errors)
    assert found is not None and 204 >= int(found[2]) >= int(found[1]) >= 4, errors
    assert "a process that ends soon is found late, or not at all" in errors


@pytest.mark.any_python
def test_a_start_script_may_begin_its_python_later(tmp_path: Path) -> None:
    """--children waits for it, and ends with the script; where none comes, no hint names the option that was given."""
    program = "def later():\n  for _ in range(30): sum(range(300_000))\nlater()"
    for command, status in ((f'read x; "{sys.executable}" -c "{program}"; true', 0), ("read x; true", 3)):
        script = subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE, env=ENVIRONMENT)
        attached = subprocess.Popen(
            [sys.executable, "-m", "footfall", "attach", str(script.pid), "--children", "-o", "a.data"],
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=ENVIRONMENT,
        )
        assert attached.stderr is not None and script.stdin is not None
        assert "waiting" in attached.stderr.readline()
        script.stdin.write(b"go\n")
        script.stdin.close()
        _, errors = attached.communicate(timeout=50)
        script.wait()
        assert attached.returncode == status and "--children" not in errors, errors
        assert ("later" in errors) == (status == 0)


@pytest.mark.any_python
def test_ctrl_c_ends_it_with_results(tmp_path: Path) -> None:
    """The first signal ends the recording; the data file is written and the status is 0."""
    with target(FIB) as process:
        with recording(process.pid, "-o", "a.data", cwd=tmp_path) as attached:
            time.sleep(1)
            attached.send_signal(signal.SIGINT)
            _, errors = attached.communicate(timeout=30)
        assert process.poll() is None
    assert attached.returncode == 0, errors
    assert samples_by_function(tmp_path / "a.data")["fib"] > 10


@pytest.mark.any_python
def test_a_stopped_process_is_sampled_on(tmp_path: Path) -> None:
    """SIGSTOP stops its time, not the recording; it goes on with SIGCONT."""
    with target(FIB) as process:
        stop(process.pid)
        log = sample(process.pid, tmp_path / "stopped.smp", 100)
        assert sum(one.cpu_ns for one in log.samples) == 0
        assert len(set(stacks(log))) == 1
        os.kill(process.pid, signal.SIGCONT)
        log = sample(process.pid, tmp_path / "again.smp", 200)
        assert len(set(stacks(log))) > 5


@pytest.mark.any_python
def test_stopping_in_a_recording(tmp_path: Path) -> None:
    """SIGSTOP in the middle of a recording: it waits, without CPU time, and goes on with what comes after."""
    with target(FIB) as process, recording(process.pid, "-o", "a.data", cwd=tmp_path) as attached:
        time.sleep(1)
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(1)
        assert attached.poll() is None
        os.kill(process.pid, signal.SIGCONT)
        time.sleep(1)
        attached.send_signal(signal.SIGINT)
        _, errors = attached.communicate(timeout=30)
        assert process.poll() is None
    assert attached.returncode == 0, errors
    assert samples_by_function(tmp_path / "a.data")["fib"] > 10


@pytest.mark.any_python
@pytest.mark.parametrize("pause", [False, True])
def test_killed_in_a_recording(tmp_path: Path, pause: bool) -> None:
    """SIGKILL in the middle of a recording, also of one that stops the process for each look: what was there is kept."""
    options = ["--pause"] if pause else []
    with (
        target(FIB) as process,
        recording(process.pid, "--rate=2000", *options, "-o", "a.data", cwd=tmp_path) as attached,
    ):
        time.sleep(1)
        process.kill()
        process.wait()
        _, errors = attached.communicate(timeout=30)
    assert attached.returncode == 0, errors
    assert "has ended" in errors
    assert samples_by_function(tmp_path / "a.data")["fib"] > 10


@pytest.mark.any_python
def test_execution_of_another_program(tmp_path: Path) -> None:
    """A process that executes a program that is not Python ends the recording; what was sampled is written."""
    program = """
    import os, time
    def before():
        end = time.monotonic() + 0.1
        while time.monotonic() < end: pass
    print("ready", flush=True)
    while not os.path.exists("sampled"): before()
    end = time.process_time() + 1
    while time.process_time() < end: before()
    os.execv("/bin/sleep", ["sleep", "1000"])
    """
    with target(program, cwd=tmp_path) as process, recording(process.pid, "-o", "a.data", cwd=tmp_path) as attached:
        (tmp_path / "sampled").touch()
        _, errors = attached.communicate(timeout=40)
        assert process.poll() is None
    assert attached.returncode == 0, errors
    assert samples_by_function(tmp_path / "a.data")["before"] > 0


@pytest.mark.any_python
def test_a_paused_process_is_unharmed(tmp_path: Path) -> None:
    """--pause stops threads by ptrace at each look; the process runs on, and can be attached to again."""
    with target(FIB) as process:
        for name in ("a.data", "b.data"):
            done = attach(process.pid, "--pause", "--max-samples", "100", "-o", name, cwd=tmp_path)
            assert done.returncode == 0, done.stderr
            assert "; 0 dropped" in done.stderr
            assert samples_by_function(tmp_path / name)["fib"] > 10
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        assert "TracerPid:\t0\n" in status and "State:\tT" not in status


@pytest.mark.any_python
def test_threads_that_end_while_they_are_paused(tmp_path: Path) -> None:
    """The kernel refuses to stop a thread that has just ended; that is no reason to take the process for forbidden."""
    program = """
    import threading
    def count():
        for _ in range(200): pass
    print("ready", flush=True)
    while True:
        threads = [threading.Thread(target=count) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    """
    with target(program) as process:
        done = attach(process.pid, "--pause", "--rate=2000", "--max-samples=2000", "-o", "a.data", cwd=tmp_path)
        threads = list(Path(f"/proc/{process.pid}/task").iterdir())
    assert done.returncode == 0, done.stderr
    assert "may no longer be read" not in done.stderr
    assert sum(samples_by_function(tmp_path / "a.data").values()) > 1000
    assert len(threads) < 20, "threads that ended are left as zombies"


SUBINTERPRETERS = """
import threading, time
FIND = "try: import _interpreters as x\\nexcept ImportError: import _xxsubinterpreters as x\\n"
exec(FIND)
DEEPEST = "import time\\ndef deepest():\\n  print('ready', flush=True)\\n  while True:\\n    sum(range(3000))\\n    time.sleep(0.002)\\ndeepest()"
WITHIN = (FIND + "def within():\\n  (getattr(x, 'exec', None) or x.run_string)(x.create(), DEEPEST)\\nwithin()").replace(
    "DEEPEST", repr(DEEPEST))
def caller():
    (getattr(x, "exec", None) or x.run_string)(x.create(), WITHIN)
threading.Thread(target=caller, daemon=True).start()
def main():
    while True: time.sleep(0.001)
main()
"""


def test_a_thread_in_another_interpreter_is_one(tmp_path: Path) -> None:
    """It runs the code of the interpreter that it called last, whose callers are those of the others; it has one clock."""
    with target(SUBINTERPRETERS) as process:
        done = attach(process.pid, "-d", "2", "-o", "a.data", cwd=tmp_path)
        log = sample(process.pid, tmp_path / "a.smp", 300)
    assert done.returncode == 0, done.stderr
    found = samples_by_function(tmp_path / "a.data")
    assert found["deepest"] > 10 and found["main"] > 10 and "of 1 process" in done.stderr
    assert found["within"] == found["caller"] == 0, found
    assert len(log.threads) == 2, log.threads
    joined = {tuple(name for name in stack if name in ("caller", "within", "deepest")) for stack in stacks(log)}
    assert joined <= {("caller", "within", "deepest"), ()}, joined


def test_dump_shows_where_a_thread_is() -> None:
    """In the interpreters that it has left by a call it does not run; it is in the one that it called last."""
    from footfall.attach.dump import dump_process

    with target(SUBINTERPRETERS) as process:
        dumped = dump_process(process.pid)
    states = {
        frame.qualname: (interpreter.id, thread.state)
        for interpreter in dumped.interpreters
        for thread in interpreter.threads
        for frame in thread.frames
    }
    number, state = states["deepest"]
    assert number > 0 and state in ("running", "waiting")
    assert states["caller"] == (0, f"in interpreter {number}")
    assert states["within"][1] == f"in interpreter {number}"


@each_python
def test_symbols_are_those_that_the_process_has_mapped(python: str) -> None:
    """Without a way to its file, or its name, an interpreter is found: what it exports is in its memory."""
    from footfall.attach import elf, interpreter

    with target(FIB, python) as process:
        found = interpreter.find_interpreter(process.pid)
        mappings = elf.read_mappings(process.pid)
        gone = [mapping._replace(path="/gone/x (deleted)", range="0-0", inode=0) for mapping in mappings]
        by_image = [
            symbols for _, symbols in interpreter._symbols_of_images(process.pid, gone) if "_PyRuntime" in symbols
        ]
        assert not elf.can_open(process.pid, gone[0])
    assert [(symbols["_PyRuntime"], symbols["PyCode_Type"]) for symbols in by_image] == [
        (found.runtime, found.code_type)
    ]


def test_a_stripped_and_deleted_interpreter(tmp_path: Path) -> None:
    """The symbols are found without .symtab, in a file that is no longer there."""
    strip = shutil.which("strip")
    copies = tmp_path / "copies"
    copies.mkdir()
    executable = copies / "python-copy"
    shutil.copy(os.path.realpath(sys.executable), executable)
    for library in (Path(sys.base_prefix) / "lib").glob("libpython3.*.so.*"):
        shutil.copy(library, copies)
    environment = {**ENVIRONMENT, "PYTHONHOME": sys.base_prefix, "LD_LIBRARY_PATH": str(copies)}
    for path in list(copies.iterdir()):
        path.chmod(0o755)
        if strip is not None:
            whole = path.read_bytes()
            subprocess.run([strip, path], check=True, capture_output=True)
            if subprocess.run([executable, "-c", ""], env=environment, capture_output=True).returncode != 0:
                path.write_bytes(whole)  # strip breaks an executable that was patched to run elsewhere
    process = subprocess.Popen([executable, "-c", FIB], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        shutil.rmtree(copies)
        done = attach(process.pid, "--max-samples", "100", "-o", "a.data", cwd=tmp_path)
    finally:
        process.kill()
        process.communicate()
    if os.geteuid() != 0 and "attach-not-python" in done.stderr:
        pytest.skip("only root may open a deleted library")
    assert done.returncode == 0, done.stderr
    assert samples_by_function(tmp_path / "a.data")["fib"] > 5


@pytest.mark.any_python
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare")
def test_another_pid_and_mount_namespace(tmp_path: Path) -> None:
    """As in a container: its thread ids are not ours, and its files are under /proc/PID/root."""
    with target(FIB, "unshare", "-pm", "--fork", "--mount-proc", "--kill-child", sys.executable) as process:
        done = attach(process.pid, "--children", "--max-samples", "100", "-o", "a.data", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        stored = read_profile(tmp_path / "a.data")
        assert stored is not None
        assert [thread.pid == thread.native_id for thread in stored.threads] == [True]
        assert sum(cost.cpu_ns for cost in stored.costs) > 0


def test_no_such_process(tmp_path: Path) -> None:
    """A pid that is nobody's is a wrong command line, as is that of a process of which only the status is left."""
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    done = attach(process.pid, cwd=tmp_path)
    assert done.returncode == 2 and f"Process {process.pid} (true) has ended." in done.stderr
    assert "[no-such-process]" in done.stderr
    process.wait()
    done = attach(process.pid, cwd=tmp_path)
    assert done.returncode == 2 and "[no-such-process]" in done.stderr
    done = attach("server", cwd=tmp_path)
    assert done.returncode == 2 and "'server' is not the number of a process" in done.stderr


def test_not_python(tmp_path: Path) -> None:
    """Another program is named in the error."""
    process = subprocess.Popen(["sleep", "60"])
    try:
        time.sleep(0.2)
        done = attach(process.pid, cwd=tmp_path)
    finally:
        process.kill()
        process.wait()
    assert (
        done.returncode == 3 and "(sleep) does not run Python" in done.stderr and "[attach-not-python]" in done.stderr
    )
    assert list(tmp_path.iterdir()) in ([], [tmp_path / ".footfall"])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be another user")
def test_another_user_gets_a_next_step() -> None:
    """Without the permission the error says whose process it is, and the same command as root, by its whole path."""
    program = """
    import os, sys
    import footfall._core  # now: that user may not read the directory that it is in
    from footfall.errors import FootfallError
    from footfall.attach.interpreter import find_interpreter
    os.setgid(65534); os.setuid(65534)
    try:
        find_interpreter(int(sys.argv[1]))
    except FootfallError as error:
        print(error.slug, error)
    """
    with target(FIB) as process:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program), str(process.pid)], capture_output=True, text=True
        )
    assert done.stdout.startswith("attach-forbidden"), done.stderr
    assert "belongs to user 0, and we are 65534. Run it as root: " in done.stdout
    assert f"{sys.executable} -c " in done.stdout and "SYS_PTRACE" not in done.stdout


@pytest.mark.parametrize(
    ("rights", "owner", "scope", "reported", "not_reported"),
    [
        (Rights(0, True, True), 0, 0, "though we have the capability", "as root"),
        (Rights(0, True, True), 1000, 0, "another user namespace", "as root"),
        (Rights(0, False, False), 1000, 0, "Start the container with --cap-add=SYS_PTRACE", "as root"),
        (Rights(0, False, False), 0, 0, "which root has not here", "as root"),
        (Rights(1000, False, False), 0, 0, "which root has not here", "Run it as root"),
        (Rights(1000, False, True), 1000, 1, "sysctl kernel.yama.ptrace_scope=0", "cap-add"),
        (Rights(1000, False, True), 1000, 2, "Run it as root: ", "sysctl"),
        (Rights(1000, False, True), 1000, 0, "though it is of the same user", "cap-add"),
        (Rights(0, True, True), 1000, 3, "until the machine is started anew", "as root"),
    ],
)
def test_advice_fits_who_we_are(rights: Rights, owner: int, scope: int, reported: str, not_reported: str) -> None:
    """Root is not sent to sudo; nor is anybody to a root that may no more."""
    error = str(forbidden(7, owner, rights, scope))
    assert reported in error and not_reported not in error and error.endswith("[attach-forbidden]")


@pytest.mark.skipif(PYPY is None, reason="no PyPy here")
def test_pypy_is_refused() -> None:
    """PyPy can't be read, and the error says what can be done."""
    from footfall.attach.interpreter import find_interpreter
    from footfall.errors import FootfallError

    with target("print('ready', flush=True)\nwhile True: pass", PYPY) as process:
        with pytest.raises(FootfallError, match="PyPy") as raised:
            find_interpreter(process.pid)
    assert raised.value.slug == "attach-unsupported"


@pytest.mark.any_python
def test_long_logs_are_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sampling goes on in a new log when one is long; together they are one process with its threads once."""
    from footfall.attach import recording as outside

    monkeypatch.setattr(outside, "_MAX_LOG_SAMPLES", 50)
    with target(FIB) as process:
        sampler = outside.OutsideSampler(process.pid, str(tmp_path), outside.SampleOptions(1_000_000))
        sampler.start()
        deadline = time.monotonic() + 40
        while len(sampler.finished) < 3 and time.monotonic() < deadline:
            assert sampler.poll()
            time.sleep(0.02)
        sampler.stop()
    assert len(sampler.finished) >= 4
    assert joined_profile(sampler).total().wall_ns > 0


LAST_PID = Path("/proc/sys/kernel/ns_last_pid")


@pytest.mark.any_python
@pytest.mark.skipif(not os.access(LAST_PID, os.W_OK), reason="needs root, and a kernel that lets it choose pids")
def test_a_pid_that_is_used_again_is_another_process(tmp_path: Path) -> None:
    """When the process has ended and another got its pid, nothing of that is sampled."""
    from footfall.attach.recording import OutsideSampler, SampleOptions

    with target(FIB) as process:
        pid = process.pid
        sampler = OutsideSampler(pid, str(tmp_path), SampleOptions(1_000_000))
        sampler.start()
    for _ in range(50):
        LAST_PID.write_text(str(pid - 1), encoding="ascii")
        other = subprocess.Popen([sys.executable, "-c", "def other():\n  while True: pass\nother()"])
        if other.pid == pid:
            break
        other.kill()
        other.wait()
    else:
        sampler.stop()
        pytest.skip("others took the pid each time")
    try:
        time.sleep(0.5)
        deadline = time.monotonic() + 30
        while sampler.poll() and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        sampler.stop()
        other.kill()
        other.wait()
    assert sampler.ended == f"process {pid} has ended"
    for path in sampler.finished:
        assert "other" not in {code.qualname for code in read_sample_log(path).codes.values()}
