"""--precise: each thread walks its own stack in a signal handler, and programs with signals of their own run on."""

import functools
import os
import signal
import sys
from pathlib import Path

import pytest

import sampled_logs
from footfall.record.run.sample_log import read_sample_log
from programs import sampled as sampled_programs
from sampled_logs import VERY_DEEP, ends_of_stacks, stacks

pytestmark = pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy has its own sampler")

run_program = functools.partial(sampled_logs.run_program, precise=True)
sample_program = functools.partial(sampled_logs.sample_program, precise=True)


def test_stacks_are_whole(tmp_path: Path) -> None:
    """No stack of a quick recursion is without its root or mixes two recursions."""
    program = """
    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)
    def fib2(n):
        return n if n < 2 else fib2(n - 1) + fib2(n - 2)
    while _core.sampler_stats()["walks"] < 300:
        fib(14)
        fib2(14)
    """
    log = sample_program(program, tmp_path / "a.smp")
    names = stacks(log)
    recursive = [names[sample.node] for sample in log.samples if {"fib", "fib2"} & set(names[sample.node])]
    assert len(recursive) > 100
    impossible = [stack for stack in recursive if stack[0] != "<module>" or {"fib", "fib2"} <= set(stack)]
    assert len(impossible) + log.n_dropped <= max(1, 0.005 * len(recursive))


PROGRAMS = {
    **sampled_programs.PROGRAMS,
    "forks": """
    _core.sampler_stop()
    from footfall.observe.sampler import inside
    inside.start(os.path.dirname(path), 50000, 0, True)
    for _ in range(30):
        pid = os.fork()
        if not pid:
            sum(range(100000))
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    """,
    "small stacks": """
    threading.stack_size(65536)
    def work():
        for _ in until(1.0): sum(range(100))
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    """,
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_survives_at_20_us(tmp_path: Path, program: str) -> None:
    """Sampling far too often crashes nothing."""
    done = run_program(program, tmp_path / "a.smp", 20)
    assert (done.returncode, done.stderr) == (0, "")


def test_very_deep_stacks_have_both_ends(tmp_path: Path) -> None:
    """The frames in the middle are one that says so, and the leaf is who runs."""
    log = sample_program(VERY_DEEP, tmp_path / "a.smp")
    assert ends_of_stacks(log) == {("leaf", "down", 1, "down", "<module>")}


def test_the_programs_files_are_left(tmp_path: Path) -> None:
    """What the program has open under low numbers, to read and write, is neither written nor read."""
    path = tmp_path / "data"
    path.write_bytes(bytes(100_000))
    program = """
    data = os.open(os.environ["DATA"], os.O_RDWR)
    for number in (0, 3, 4, 5, 6, 7, 8):
        if number != data: os.dup2(data, number)
    def work():
        for _ in until(0.5): sum(range(100))
    work()
    """
    os.environ["DATA"] = str(path)
    try:
        log = sample_program(program, tmp_path / "a.smp")
    finally:
        del os.environ["DATA"]
    assert path.read_bytes() == bytes(100_000)
    names = stacks(log)
    assert sum("work" in names[sample.node] for sample in log.samples) > 0.5 * len(log.samples) > 0
    assert log.n_dropped <= 0.1 * len(log.samples)


def test_waiting_is_not_cut_short(tmp_path: Path) -> None:
    """Calls that wait take their time, though signals reach their threads, and reads and writes are whole."""
    program = """
    def wait():
        reader, writer = os.pipe()
        start = time.monotonic()
        time.sleep(0.3)
        assert select.select([reader], [], [], 0.3)[0] == []
        assert time.monotonic() - start >= 0.6
        threading.Timer(0.2, os.write, (writer, b"x")).start()
        assert os.read(reader, 1) == b"x"
    threads = [threading.Thread(target=wait) for _ in range(4)]
    for thread in threads: thread.start()
    for _ in until(0.5): pass
    for thread in threads: thread.join()
    """
    sample_program(program, tmp_path / "a.smp", 200)


def test_blocked_signals(tmp_path: Path) -> None:
    """A thread that lets no signal in is sampled all the same."""
    program = """
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    def work():
        for _ in until(0.5): sum(range(100))
    work()
    """
    log = sample_program(program, tmp_path / "a.smp")
    assert any("work" in stack for stack in stacks(log).values())


def test_the_programs_own_signal_goes_first(tmp_path: Path) -> None:
    """A handler that the program sets for the chosen signal is left alone and never called by us."""
    program = """
    calls = []
    for number in range(signal.SIGRTMIN, signal.SIGRTMAX + 1):
        signal.signal(number, lambda *arguments: calls.append(arguments))
    def work():
        for _ in until(0.4): sum(range(100))
    work()
    before = len(calls)
    work()
    assert len(calls) == before <= 1
    """
    done = run_program(program, tmp_path / "a.smp")
    assert done.returncode == 0
    assert done.stderr.count("[precise-signal-taken]") == 1
    assert len(done.stderr.splitlines()) == 1
    assert any("work" in stack for stack in stacks(read_sample_log(str(tmp_path / "a.smp"))).values())


def test_without_a_free_signal(tmp_path: Path) -> None:
    """When every signal is in use, the start says so: OSError to the caller, one line from the start hook."""
    program = """
    _core.sampler_stop()
    for number in range(signal.SIGRTMIN, signal.SIGRTMAX + 1):
        signal.signal(number, signal.SIG_IGN)
    from footfall.observe.sampler import inside
    inside.start(os.path.dirname(path), 1000, 0, True)
    """
    done = run_program(program, tmp_path / "a.smp")
    assert (done.returncode, done.stderr.count("[precise-signal-taken]")) == (0, 1)


def test_signal_numbers_are_left(tmp_path: Path) -> None:
    """A killed process with --precise dies of what killed it."""
    done = run_program("os.kill(os.getpid(), signal.SIGTERM)", tmp_path / "a.smp")
    assert done.returncode == -signal.SIGTERM
