"""Who holds the GIL and who waits for it, in samples from inside and from outside: known shares."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

import pytest

from attached import target
from footfall.record.run.sample_log import SampleLog, read_sample_log

pytestmark = pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy's sampler does not tell")

# It sleeps before the first sample and after the last one: a thread that begins or ends a sleep does hold the GIL.
SLEEPER = """
import threading, time
def nap():
    time.sleep(3600)
threading.Thread(target=nap, daemon=True).start()
time.sleep(0.3)
"""

# `usleep` is called without releasing the GIL, so each of the two holds it and waits for it in turn, on any machine. The
# three calls of a turn are one to the interpreter, which gives nobody else the GIL meanwhile: the program knows its turns.
HOLDERS = """
import ctypes, functools, operator, os, sys, threading, time
turns = open(sys.argv[-1], "wb", buffering=0)
turn = (time.monotonic_ns, functools.partial(ctypes.PyDLL(None).usleep, 25_000), time.monotonic_ns)
def hold_a(end):
    while time.monotonic() < end:
        begun, _, over = map(operator.call, turn)
        turns.write(b"hold_a %d %d\\n" % (begun, over))
def hold_b(end):
    while time.monotonic() < end:
        begun, _, over = map(operator.call, turn)
        turns.write(b"hold_b %d %d\\n" % (begun, over))
def hold_both(seconds):
    end = time.monotonic() + seconds
    threads = [threading.Thread(target=each, args=(end,)) for each in (hold_a, hold_b)]
    for thread in threads:
        thread.start()
        time.sleep(0.01)
    for thread in threads:
        thread.join()
"""

INSIDE = """
import os, sys, threading, time
from footfall import _core
def until(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
_core.sampler_start(sys.argv[1], 4_000_000)
"""


def sample_inside(program: str, path: Path, *, before: str = "") -> SampleLog:
    """Return the log of a program that samples itself 250 times a second. `before` runs before that."""
    environment = {key: value for key, value in os.environ.items() if key != "FOOTFALL_RUN"}
    command = [sys.executable, "-c", before + INSIDE + textwrap.dedent(program), str(path), f"{path}.turns"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    return read_sample_log(str(path))


Span = tuple[int, int]  # two moments of the monotonic clock
ALWAYS = (0, 1 << 63)


def sample_outside(pid: int, path: Path, seconds: float, *, pause: bool) -> tuple[SampleLog, Span]:
    """Return the log of a process that is sampled 250 times a second from outside, and when it was."""
    from footfall import _core
    from footfall.attach.interpreter import find_interpreter

    found = find_interpreter(pid)
    place = (pid, found.runtime, found.code_type, found.version)
    sampler = _core.RemoteSampler(*place, str(path), 4_000_000, rseq_offset=found.rseq_offset, pause=pause)
    sampler.start()
    begun = time.monotonic_ns()
    time.sleep(seconds)
    over = time.monotonic_ns()
    sampler.stop()
    return read_sample_log(str(path)), (begun, over)


def gil_states(log: SampleLog) -> dict[str, Counter[str]]:
    """How many samples of each function's stacks held the GIL, waited for it, did neither, or could not tell."""
    found: dict[str, Counter[str]] = {}
    names: dict[int, tuple[str, ...]] = {0: ()}
    for number, node in log.nodes.items():
        names[number] = (*names[node.parent], log.codes[node.code].qualname)
    for sample in log.samples:
        state = "neither" if sample.waits_for_gil is False else "untold"
        state = "holds" if sample.holds_gil else "waits" if sample.waits_for_gil else state
        for name in {*names[sample.node]}:
            found.setdefault(name, Counter())[state] += sample.repeat
    return found


def turns_within(path: Path, span: Span) -> dict[str, int]:
    """For how long each holder held the GIL in a span of time, by its own account."""
    held = dict.fromkeys(("hold_a", "hold_b"), 0)
    for line in path.read_text(encoding="ascii").splitlines():
        name, begun, over = line.split()
        held[name] += max(min(int(over), span[1]) - max(int(begun), span[0]), 0)
    return held


def check_shares(log: SampleLog, truth: dict[str, int]) -> None:
    """Each of two holders holds the GIL as long as it says, and waits while the other holds it; one that sleeps does neither.

    While the GIL goes from one to the other, which takes long on a busy machine, both wait, or one can't be told about: it
    was woken and the kernel does not let it run.
    """
    states = gil_states(log)
    a, b = states["hold_a"], states["hold_b"]
    share = truth["hold_a"] / sum(truth.values())
    held = a["holds"] + b["holds"]
    assert 0.1 < share < 0.9 and held > 60
    assert abs(a["holds"] / held - share) < 3 * math.sqrt(share * (1 - share) / held), (share, a, b)
    for counts in (a, b):
        assert counts["neither"] < 0.1 * counts.total(), counts
        assert counts["waits"] > 0.5 * (counts.total() - counts["holds"]), counts
    assert states["nap"]["waits"] == states["nap"]["holds"] == 0, states["nap"]
    assert states["nap"]["neither"] > 0.9 * states["nap"].total()


def test_two_threads_share_the_gil(tmp_path: Path) -> None:
    """Alone, also in C without the GIL, a thread never waits; two that hold it in turn wait for each other."""
    alone = """
    def spin_alone(seconds):
        for _ in until(seconds):
            pass
    def hash_alone(seconds):
        import hashlib
        data = b"x" * (1 << 22)
        for _ in until(seconds):
            hashlib.sha256(data).digest()
    spin_alone(0.3)
    hash_alone(0.3)
    """
    program = textwrap.dedent(alone) + HOLDERS + "hold_both(1.2)"
    log = sample_inside(program, tmp_path / "a.smp", before=SLEEPER)
    states = gil_states(log)
    for name in ("spin_alone", "hash_alone"):
        assert states[name]["waits"] == states[name]["untold"] == 0, (name, states[name])
    assert states["spin_alone"]["holds"] > 0.9 * states["spin_alone"].total()
    assert states["hash_alone"]["neither"] > 0.5 * states["hash_alone"].total()
    check_shares(log, turns_within(tmp_path / "a.smp.turns", ALWAYS))


def test_two_threads_that_compute(tmp_path: Path) -> None:
    """Each holds the GIL for its share. Where the other is not seen waiting, the kernel did not let it run, which is said: it
    hardly ever counts as one that does not want the GIL.

    Whether one that stops being seen with the GIL still has it until the other is, only the kernel knows.
    """
    program = """
    turn, held, maybe = [0, 0], [0, 0], [0, 0]  # whose it was and when; for how long each had it, or perhaps had it
    def run(me):
        turn[1] = turn[1] or time.monotonic_ns()
        for _ in until(1):
            now = time.monotonic_ns()
            whose, since = turn
            if now > since:  # else the turn ended between that look at the clock and here
                (held if whose == me else maybe)[whose] += now - since
                turn[:] = me, now
    def spin_a():
        run(0)
    def spin_b():
        run(1)
    threads = [threading.Thread(target=each) for each in (spin_a, spin_b)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open(sys.argv[2], "w") as file:
        print(*held, *maybe, file=file)
    """
    states = gil_states(sample_inside(program, tmp_path / "a.smp"))
    a, b = states["spin_a"], states["spin_b"]
    held = a["holds"] + b["holds"]
    assert held > 30
    truth = [int(word) for word in (tmp_path / "a.smp.turns").read_text(encoding="ascii").split()]
    held_a, held_b, maybe_a, maybe_b = truth
    error = 3 * math.sqrt(0.25 / held) + 5 / held
    least, most = held_a / (held_a + held_b + maybe_b), (held_a + maybe_a) / (held_a + maybe_a + held_b)
    assert least - error < a["holds"] / held < most + error, (truth, a, b)
    for counts in (a, b):
        assert counts["waits"] > 0.05 * counts.total(), counts
        assert counts["neither"] < 0.1 * counts.total(), counts


def test_waiters_seen_from_outside(tmp_path: Path) -> None:
    """The same shares of a process that footfall did not start, also when it is paused for each sample."""
    program = SLEEPER + HOLDERS + "print('ready', flush=True)\nhold_both(60)"
    turns = tmp_path / "turns"
    with target(program, sys.executable, arguments=[str(turns)]) as process:
        for pause in (False, True):
            log, span = sample_outside(process.pid, tmp_path / f"{pause}.smp", 1.2, pause=pause)
            while int(turns.read_text(encoding="ascii").split()[-2]) < span[1]:
                time.sleep(0.01)  # until the turn in which sampling ended is over
            check_shares(log, turns_within(turns, span))
