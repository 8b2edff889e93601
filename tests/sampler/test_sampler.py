"""The inside sampler in real programs: whole stacks, right names, no crash, forks, kills, and the fall-back."""

import json
import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from footfall.analyze.profile.calltree import profile_of_logs, times_of_functions
from footfall.record.run.process_logs import read_sample_logs
from footfall.record.run.sample_log import read_sample_log
from forbidden_calls import SECCOMP, SECCOMP_ONE
from programs import sampled as sampled_programs
from sampled_logs import ROOTS, VERY_DEEP, ends_of_stacks, run_program, sample_program, stacks

pytestmark = pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy has its own sampler")


def test_recursive_stacks_are_whole(tmp_path: Path) -> None:
    """Stacks of a quick recursion begin at the module and do not mix two recursions, but for a few."""
    program = """
    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)
    def fib2(n):
        return n if n < 2 else fib2(n - 1) + fib2(n - 2)
    for _ in busy(0.8):
        fib(14)
        fib2(14)
    """
    log = sample_program(program, tmp_path / "a.smp")
    names = stacks(log)
    taken = [names[sample.node] for sample in log.samples for _ in range(sample.repeat)]
    assert len(taken) > 100
    recursive = [stack for stack in taken if "fib" in stack or "fib2" in stack]
    impossible = [stack for stack in recursive if stack[0] != "<module>" or {"fib", "fib2"} <= set(stack)]
    assert len(recursive) > 100
    assert len(impossible) + log.n_dropped <= 0.04 * len(taken)
    rootless = [stack for stack in recursive if stack[0] != "<module>"]
    assert len(rootless) <= max(1, 0.005 * len(taken))


def test_deep_stacks_that_change_are_not_mixed(tmp_path: Path) -> None:
    """Older parts of a deep stack are read where the last sample saw them: they are those of this sample all the same.

    Two recursions take turns at the same addresses, above a lower part that runs different lines, at depths that differ.
    """
    program = """
    def left(n):
        return left(n - 1) if n else sum(range(3000))
    def right(n):
        return right(n - 1) if n else sum(range(3000))
    def below(n, recursion, depth):
        if n:
            return below(n - 1, recursion, depth)
        recursion(depth)
    depth = 0
    for _ in busy(0.8):
        depth = (depth + 37) % 300
        below(300, left, 300 + depth)
        below(300, right, 600 - depth)
    """
    log = sample_program(program, tmp_path / "a.smp")
    names = stacks(log)
    taken = [
        names[sample.node] for sample in log.samples for _ in range(sample.repeat) if len(names[sample.node]) > 500
    ]
    assert len(taken) > 50
    wrong = [stack for stack in taken if {"left", "right"} <= {*stack} or stack[:302] != ("<module>", *["below"] * 301)]
    assert len(wrong) + log.n_dropped <= 0.04 * len(taken), wrong[:1]


PROGRAMS = {
    **sampled_programs.PROGRAMS,
    "code that comes and goes": """
    number = 0
    for _ in until(1.5):
        number += 1
        exec(compile(f"def f(n):\\n  return n\\nfor z in range(9): f({number})", "gen.py", "exec"), {})
    """,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_survives_at_5_us(tmp_path: Path, name: str) -> None:
    """Sampling every 5 us does not hurt a program that frees what is being read, and kept stacks are whole.

    Most are kept, but for a stack of a hundred generators: from another CPU it is not copied before it has changed.
    """
    log = sample_program(PROGRAMS[name], tmp_path / "a.smp", 5)
    names = stacks(log)
    taken = [names[sample.node] for sample in log.samples for _ in range(sample.repeat)]
    assert len(taken) > 100
    if name != "generators within generators":
        assert log.n_dropped < len(taken)
    rootless = [stack for stack in taken if stack and stack[0] not in ROOTS]
    assert len(rootless) <= max(2, 0.0005 * len(taken)), rootless[:5]


def test_what_a_freed_thread_calls_has_no_caller(tmp_path: Path) -> None:
    """A thread's object that is freed as the thread ends calls its weak references' functions below no other frame."""
    program = """
    import gc, weakref
    callers, go, is_over = [], threading.Event(), threading.Event()
    def freed(reference):
        callers.append(sys._getframe().f_back)
        for _ in until(0.3):
            gc.collect(0)
        is_over.set()
    thread = threading.Thread(target=go.wait)
    reference = weakref.ref(thread, freed)
    thread.start()
    del thread
    go.set()
    is_over.wait()
    assert callers == [None]
    """
    log = sample_program(program, tmp_path / "a.smp")
    names = stacks(log)
    called = [names[sample.node] for sample in log.samples if "freed" in names[sample.node]]
    assert len(called) > 20
    assert {stack[0] for stack in called} == {"freed"}
    assert {stack[1] for stack in called if len(stack) > 1} <= {"until", "<gc>", "Event.set"}


def test_still_stacks_are_not_dropped(tmp_path: Path) -> None:
    """At a rate that lets the sampler sit on the program's CPU, next to no deep stack of generators is torn."""
    log = sample_program(PROGRAMS["generators within generators"], tmp_path / "a.smp", 1000)
    names = stacks(log)
    depths = [len(names[sample.node]) for sample in log.samples]
    assert max(depths) > 50
    assert log.n_dropped <= 0.25 * len(depths)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="before, a frame that has ended looks as it did")
def test_stacks_of_quick_calls_are_not_dropped(tmp_path: Path) -> None:
    """Frames that begin and end while they are copied, and calls far below the last sample's, cost next to no sample."""
    program = """
    import gc
    gc.disable()  # it would be a frame of its own
    def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
    for _ in busy(1.5): fib(19)
    """
    log = sample_program(program, tmp_path / "a.smp", 100)
    names = stacks(log)
    read = [names[sample.node] for sample in log.samples if sample.repeat == 1]  # others waited: theirs was kept
    assert len(read) > 500
    assert log.n_dropped <= 0.005 * len(read)  # code that sanitizers watch takes longer to read them
    called = {frozenset(stack[1:]) for stack in read if stack[:1] == ("<module>",)}
    assert called <= {frozenset(), frozenset({"fib"}), frozenset({"busy"})}


def test_very_deep_stacks_have_both_ends(tmp_path: Path) -> None:
    """The frames in the middle are one that says so, and the leaf is who runs."""
    log = sample_program(VERY_DEEP, tmp_path / "a.smp")
    assert ends_of_stacks(log) == {("leaf", "down", 1, "down", "<module>")}


def test_deep_stacks_with_a_waiting_thread(tmp_path: Path) -> None:
    """A look at a deep stack fills segments of the log; the waiting thread's sample in one of before is left as it is."""
    program = """
    sys.setrecursionlimit(1000000)
    for number in range(8):
        exec(f"def down_{number}(n):\\n  if n: return down_{number}(n - 1)\\n  for _ in until(0.15): pass")
    def run():
        for number in range(8):
            globals()[f"down_{number}"](25000)
    threading.stack_size(1 << 28)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    """
    log = sample_program(program, tmp_path / "a.smp", 10_000)
    assert log.damage == []
    assert {"until", "Thread.join"} <= {log.codes[node.code].qualname for node in log.nodes.values()}


def test_reused_addresses_are_not_misnamed(tmp_path: Path) -> None:
    """Code objects made and dropped in a loop get one another's memory; frames keep their own names."""
    program = """
    number = 0
    for _ in busy(2):
        number += 1
        source = (
            f"def f_{number}():\\n for j in range(20): g_{number}(j)\\n"
            f"def g_{number}(j):\\n return j * 2\\n"
            f"for z in range(5): f_{number}()"
        )
        exec(compile(source, f"gen_{number}", "exec"), {})
    """
    log = sample_program(program, tmp_path / "a.smp", 20)
    used = {node.code for node in log.nodes.values()}
    numbers: dict[int, frozenset[str]] = {0: frozenset()}
    for node_id, node in log.nodes.items():
        code = log.codes[node.code]
        found = numbers[node.parent]
        if code.path.startswith("gen_"):
            assert code.qualname in ("<module>", "f" + code.path[3:], "g" + code.path[3:])
            found |= {code.path}
        numbers[node_id] = found
    assert len(used) > 20
    mixed = sum(sample.repeat for sample in log.samples if len(numbers[sample.node]) > 1)
    assert mixed <= 0.01 * sum(sample.repeat for sample in log.samples)


def test_shares_of_known_work(tmp_path: Path) -> None:
    """Functions have the shares of time that the program itself measured, also on a busy machine."""
    program = """
    taken = dict(a=0.0, b=0.0, c=0.0)
    def spin(name, seconds):
        start = time.perf_counter()
        while time.perf_counter() < start + seconds: pass
        taken[name] += time.perf_counter() - start
    def a(): spin("a", 0.005)
    def b(): spin("b", 0.003)
    def c(): spin("c", 0.002)
    for _ in until(2):
        a(); b(); c()
    print(*taken.values())
    """
    done = run_program(program, tmp_path / "a.smp")
    assert done.returncode == 0
    profile = profile_of_logs([read_sample_log(str(tmp_path / "a.smp"))])
    assert profile is not None
    times = {function.qualname: times.total.wall_ns for function, times in times_of_functions(profile).items()}
    total = times["a"] + times["b"] + times["c"]
    truth = [float(word) for word in done.stdout.split()]
    for name, seconds in zip("abc", truth, strict=True):
        assert 100 * times[name] / total == pytest.approx(100 * seconds / sum(truth), abs=8)


def test_threads_are_distinguished(tmp_path: Path) -> None:
    """Each thread has its own stacks, under its native id; an idle one's looks are kept as one entry."""
    program = """
    def work():
        for _ in busy(0.4): sum(range(100))
        over.release()
    def idle():
        over.acquire()
    over = threading.Lock()
    over.acquire()
    threads = [threading.Thread(target=work), threading.Thread(target=idle)]
    for thread in threads: thread.start()
    ids = [thread.native_id for thread in threads]
    for thread in threads: thread.join()
    print(*ids)
    """
    done = run_program(program, tmp_path / "a.smp")
    assert done.returncode == 0
    log = read_sample_log(str(tmp_path / "a.smp"))
    working, idling = (int(word) for word in done.stdout.split())
    names = stacks(log)
    seen: dict[int, set[str]] = {}
    entries: dict[int, int] = {}
    looks: dict[int, int] = {}
    cpu: dict[int, int] = {}
    for sample in log.samples:
        thread = log.threads[sample.thread].native_id
        seen.setdefault(thread, set()).update(names[sample.node])
        entries[thread] = entries.get(thread, 0) + 1
        looks[thread] = looks.get(thread, 0) + sample.repeat
        cpu[thread] = cpu.get(thread, 0) + sample.cpu_ns
    assert "work" in seen[working] and "idle" not in seen[working]
    assert "idle" in seen[idling] and "work" not in seen[idling]
    assert cpu[working] > 10 * cpu[idling]
    assert looks[idling] > 5 * entries[idling]


def test_threads_that_sleep_are_told_from_those_that_run(tmp_path: Path) -> None:
    """In a generator that a loop resumes, samples of a wait are asleep and those of computing are not."""
    program = """
    def wait():
        for _ in until(0.6):
            time.sleep(0.003)
            yield
    def use():
        end = time.thread_time() + 0.003
        while time.thread_time() < end: pass
    def loop():
        for _ in wait(): use()
    loop()
    """
    log = sample_program(program, tmp_path / "a.smp")
    names = stacks(log)
    samples = [(names[sample.node], sample) for sample in log.samples]
    assert any(sample.is_asleep for stack, sample in samples if stack[-2:] == ("loop", "wait"))
    using = [sample for stack, sample in samples if stack[-2:] == ("loop", "use")]
    assert using and not any(sample.is_asleep for sample in using)
    profile = profile_of_logs([log])
    assert profile is not None
    assert profile.total().cpu_ns == sum(sample.cpu_ns for sample in log.samples)
    assert sum(sum(each.cpu_ns) for each in profile.timelines.threads.values()) == profile.total().cpu_ns


def test_the_sampling_thread_asks_for_short_turns(tmp_path: Path) -> None:
    """It need not wait until the thread that it samples goes to sleep; the program's own threads keep their turns."""
    program = """
    import ctypes, struct
    def turn_ns(thread):
        found = ctypes.create_string_buffer(48)
        ctypes.CDLL(None).syscall(315, thread, found, 48, 0)
        return struct.unpack_from("<Q", found, 24)[0]
    for _ in until(0.1): pass
    names = {thread: open(f"/proc/self/task/{thread}/comm").read().strip() for thread in os.listdir("/proc/self/task")}
    (sampling,) = (int(thread) for thread, name in names.items() if name == "footfall")
    print(turn_ns(sampling), turn_ns(os.getpid()))
    """
    done = run_program(program, tmp_path / "a.smp")
    sampling, own = map(int, done.stdout.split())
    if not own:
        pytest.skip("this kernel has no turns of a chosen length")
    assert sampling == 100_000 < own


def test_a_thread_that_is_named_later(tmp_path: Path) -> None:
    """It has the name that it was seen to have last."""
    program = """
    def named():
        for _ in until(0.1): pass
        with open(f"/proc/self/task/{threading.get_native_id()}/comm", "w") as file:
            file.write("late name")
        for _ in until(0.5): pass
    thread = threading.Thread(target=named)
    thread.start()
    thread.join()
    """
    log = sample_program(program, tmp_path / "a.smp")
    assert sorted(thread.name for thread in log.threads.values())[0] == "late name"
    assert len(log.threads) == 2


def test_threads_that_have_not_started_are_not_listed_as_their_maker(tmp_path: Path) -> None:
    """CPython 3.11 gives the state that it makes for a new thread the ids of the thread that makes it."""
    program = """
    for _ in range(3000):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
    """
    log = sample_program(program, tmp_path / "a.smp", 100)
    ids = [thread.native_id for thread in log.threads.values()]
    assert len(ids) > 3
    assert ids.count(log.pid) == 1  # others' ids may be used again


def test_frames_that_no_traceback_shows_are_left_out(tmp_path: Path) -> None:
    """A class that is called often has its __init__ below the caller, and nothing in between."""
    program = """
    import gc
    gc.disable()  # it would be a frame of its own
    class Point:
        def __init__(self, n):
            for _ in range(n): pass
    def make():
        for _ in until(0.6):
            Point(2000)
    make()
    """
    names = stacks(sample_program(program, tmp_path / "a.smp"))
    assert ("<module>", "make", "Point.__init__") in names.values()
    assert {stack for stack in names.values() if "make" in stack} <= {
        ("<module>", "make"),
        ("<module>", "make", "Point.__init__"),
        ("<module>", "make", "until"),
    }


def test_garbage_collection_is_a_frame(tmp_path: Path) -> None:
    """The collector's time is a frame below the function that it stopped, in its thread only; finalizers are below it."""
    program = """
    import gc
    class Final:
        def __del__(self):
            end = time.thread_time() + 0.02
            while time.thread_time() < end: pass
    def collect():
        gc.collect()
    def finalize():
        garbage = Final()
        garbage.itself = garbage
        del garbage
        gc.collect()
    def allocate():
        return [[] for _ in range(100000)]
    def other():
        while not done: sum(range(100))
    gc.disable()
    kept = [[] for _ in range(200000)]
    gc.enable()
    done = []
    thread = threading.Thread(target=other)
    thread.start()
    for _ in range(8):
        collect()
        finalize()
        allocate()
    done.append(1)
    thread.join()
    """
    log = sample_program(program, tmp_path / "a.smp")
    names = stacks(log)
    cpu: dict[tuple[str, ...], int] = {}
    for sample in log.samples:
        cpu[names[sample.node]] = cpu.get(names[sample.node], 0) + sample.cpu_ns

    def time_of(*parts: str) -> int:
        """CPU time of the stacks that have these frames, each below the one before."""
        found = 0
        for stack, time in cpu.items():
            rest = iter(stack)
            found += time if all(part in rest for part in parts) else 0
        return found

    assert time_of("collect", "<gc>") > 0.7 * time_of("collect") > 0
    assert time_of("finalize", "<gc>", "Final.__del__") > 0.7 * time_of("Final.__del__") > 0
    assert time_of("other", "<gc>") < 0.05 * time_of("<gc>")
    assert time_of("<gc>", "collect") == time_of("<gc>", "other") == 0
    if sys.version_info >= (3, 15):
        assert time_of("other", "<gc>") == time_of("Final.__del__", "<gc>") == 0


def test_generators_and_their_callers(tmp_path: Path) -> None:
    """Generator frames, which lie outside of the thread's stack, are in their place."""
    program = """
    def spin():
        for _ in until(0.3): pass
    def inner():
        spin()
        yield 1
    def outer():
        yield from inner()
    def main():
        for _ in outer(): pass
    main()
    """
    log = sample_program(program, tmp_path / "a.smp")
    assert ("<module>", "main", "outer", "inner", "spin") in {stack[:5] for stack in stacks(log).values()}


def test_killed_process_keeps_its_log(tmp_path: Path) -> None:
    """What was sampled before SIGKILL is there."""
    program = """
    def work():
        for _ in until(0.3): sum(range(100))
    work()
    os.kill(os.getpid(), 9)
    """
    assert run_program(program, tmp_path / "a.smp").returncode == -signal.SIGKILL
    log = read_sample_log(str(tmp_path / "a.smp"))
    assert log.damage == []
    assert any("work" in stack for stack in stacks(log).values())


def test_fork_samples_parent_and_child(tmp_path: Path) -> None:
    """The start hook's sampler goes on in the parent, begins anew in the child, and os.fork does not warn."""
    program = """
    _core.sampler_stop()
    from footfall.observe.sampler import inside
    inside.start(os.path.dirname(path), 1000)
    def parent():
        for _ in until(0.3): pass
    def child():
        for _ in until(0.3): pass
    pid = os.fork()
    if pid:
        parent()
        assert os.waitpid(pid, 0)[1] == 0
    else:
        child()
        os._exit(0)
    """
    first = tmp_path / "first.smp"
    done = run_program(program, first, 1000, "-W", "always")
    assert (done.returncode, done.stderr) == (0, "")
    first.unlink()
    logs = read_sample_logs(str(tmp_path))
    assert len({log.pid for log in logs}) == 2
    seen = [{name for stack in stacks(log).values() for name in stack} for log in logs]
    assert sorted("parent" in names for names in seen) == [False, True]
    assert sorted("child" in names for names in seen) == [False, True]


def test_daemon_threads_at_exit(tmp_path: Path) -> None:
    """An interpreter that ends under a running daemon thread, sampled every 5 us, ends well."""
    program = """
    def work():
        while True: sum(range(10))
    for _ in range(3):
        threading.Thread(target=work, daemon=True).start()
    time.sleep(0.1)
    """
    for attempt in range(5):
        assert run_program(program, tmp_path / f"{attempt}.smp", 5).returncode == 0


def test_descriptors_are_not_shared(tmp_path: Path) -> None:
    """A program that closes every descriptor and opens its own is not written to, and its pipes end; sampling goes on."""
    program = """
    def work():
        for _ in until(0.3): sum(range(100))
    reader, writer = os.pipe()
    work()
    os.close(writer)
    assert os.read(reader, 1) == b""
    os.closerange(3, 256)
    files = [os.open(path + str(number), os.O_CREAT | os.O_RDWR) for number in range(40)]
    before = _core.sampler_stats()["samples"]
    work()
    assert _core.sampler_stats()["samples"] > before
    assert {os.fstat(file).st_size for file in files} == {0}
    """
    log = sample_program(program, tmp_path / "a.smp")
    assert any("work" in stack for stack in stacks(log).values())


def test_pace_is_kept(tmp_path: Path) -> None:
    """With a limit to its CPU time the sampler looks more rarely, and what it saw still stands for all the time."""
    program = """
    start = time.thread_time_ns()
    for _ in busy(0.6): sum(range(100))
    print(time.thread_time_ns() - start)
    _core.sampler_stop()
    _core.sampler_start(path + "2", interval_ns, max_cpu_ppm=1)
    start = time.thread_time_ns()
    while _core.sampler_stats()["samples"] < 150: sum(range(100))
    print(time.thread_time_ns() - start)
    """
    done = run_program(program, tmp_path / "a.smp", 200)
    assert (done.returncode, done.stderr) == (0, "")
    free, limited = read_sample_log(str(tmp_path / "a.smp")), read_sample_log(str(tmp_path / "a.smp2"))
    assert sum(sample.wall_ns for sample in limited.samples[-20:]) > 20 * 10 * limited.interval_ns
    assert 0 < limited.cpu_ns and 0 < free.cpu_ns
    for log, used in zip((free, limited), done.stdout.split(), strict=True):
        assert sum(sample.cpu_ns for sample in log.samples) == pytest.approx(int(used), rel=0.2)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the system call's number is x86-64's")
def test_forbidden_reading_falls_back(tmp_path: Path) -> None:
    """Without process_vm_readv, sampler_start says so, and the start hook's sampler is a Python thread."""
    program = textwrap.dedent(SECCOMP) + textwrap.dedent("""
    _core.sampler_stop()
    try:
        _core.sampler_start(path + "x", interval_ns)
    except PermissionError:
        print("forbidden")
    from footfall.observe.sampler import inside
    inside.start(os.path.dirname(path), 1000)
    def work():
        for _ in until(0.6): time.sleep(0.0001)
    work()
    """)
    first = tmp_path / "first.smp"
    done = run_program(program, first)
    if done.returncode == 77:
        pytest.skip("seccomp filters are not allowed here")
    assert done.returncode == 0
    assert done.stdout == "forbidden\n"
    assert done.stderr.count("[sampler-fallback]") == 1
    first.unlink()
    (log,) = read_sample_logs(str(tmp_path))
    assert any(stack[:2] == ("<module>", "work") for stack in stacks(log).values())
    assert {sample.waits_for_gil for sample in log.samples} == {None}  # it holds the GIL itself


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the system call's number is x86-64's")
@pytest.mark.parametrize("precise", [False, True])
def test_forbidden_calls_are_replaced_by_a_file(tmp_path: Path, precise: bool) -> None:
    """Without process_vm_readv, memory is read from /proc/self/mem, and the native thread samples."""
    program = textwrap.dedent(SECCOMP_ONE) + textwrap.dedent(f"""
    _core.sampler_stop()
    os.unlink(path)
    _core.sampler_start(path, interval_ns, precise={precise})
    def work():
        for _ in until(0.5): sum(range(100))
    work()
    """)
    done = run_program(program, tmp_path / "a.smp")
    if done.returncode == 77:
        pytest.skip("seccomp filters are not allowed here")
    assert (done.returncode, done.stderr) == (0, "")
    log = read_sample_log(str(tmp_path / "a.smp"))
    working = [node for node, stack in stacks(log).items() if stack[:2] == ("<module>", "work")]
    assert sum(sample.repeat for sample in log.samples if sample.node in working) > 50
    assert log.n_dropped < 10


def test_misuse_is_refused(tmp_path: Path) -> None:
    """A second sampler, an existing file, and an impossible interval raise; stopping twice does not."""
    program = """
    def error_of(*arguments):
        try:
            _core.sampler_start(*arguments)
        except Exception as error:
            return type(error).__name__
    found = [error_of(path + "2", 1000000)]
    _core.sampler_set_context(3)
    found.append(sorted(_core.sampler_stats()))
    _core.sampler_stop()
    _core.sampler_stop()
    found += [error_of(path, 1000000), error_of(path + "3", 10), error_of("/nowhere/at/all", 1000000)]
    found.append(_core.sampler_stats())
    import json
    print(json.dumps(found))
    """
    done = run_program(program, tmp_path / "a.smp")
    assert (done.returncode, done.stderr) == (0, "")
    second, stats, exists, interval, nowhere, none = json.loads(done.stdout)
    assert (second, exists, interval, nowhere) == (
        "RuntimeError",
        "FileExistsError",
        "ValueError",
        "FileNotFoundError",
    )
    assert {"ticks", "samples", "torn", "unreadable", "late", "busy_ns", "cpu_ns"} <= set(stats)
    assert none == {}
