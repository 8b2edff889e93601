"""Sample, every 5 us, programs that free whatever the sampler is reading; a crash or a wrong name is a finding.

    python tests/support/sampler_stress.py [--minutes 10] [--interval-us 5] [--seed 0]

Each round is a process that does several of: deep recursion, threads that start and end, code objects made and dropped,
generators, garbage collection, forks, sub-interpreters, and that ends in one of several ways: as programs do, with
threads still running, by os._exit, by executing another program, by SIGKILL. Exits with 1 and reports the round.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

from footfall.record.run.sample_log import read_sample_log

PRELUDE = """
import gc, os, signal, sys, threading, time
from footfall import _core
from footfall.observe.sampler import inside
sys.setrecursionlimit(20000)
directory, interval_ns, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
end = time.monotonic() + seconds
def goes_on():
    return time.monotonic() < end
inside.start(directory, 1_000_000_000 // interval_ns)
assert _core.sampler_stats()
"""

ACTIVITIES = {
    "recursion": """
    def recursion():
        def down(n):
            return down(n - 1) if n else 0
        while goes_on():
            for depth in (10, 100, 1000, 5000):
                down(depth)
    """,
    "threads": """
    def threads():
        def down(n):
            return down(n - 1) if n else 0
        while goes_on():
            started = [threading.Thread(target=down, args=(300,)) for _ in range(8)]
            for thread in started: thread.start()
            for thread in started: thread.join()
    """,
    "codes": """
    def codes():
        number = 0
        while goes_on():
            number += 1
            lines = "\\\\n".join(f"  x{k} = {k}" for k in range(number % 7))
            source = f"def f_{number}(n):\\\\n{lines}\\\\n  return g_{number}(n)\\\\ndef g_{number}(n):\\\\n  return n\\\\nfor z in range(9): f_{number}(z)"
            exec(compile(source, f"gen_{number}", "exec"), {})
    """,
    "copies": """
    def copies():
        def down(n):
            return down(n - 1) if n else len("a" * 20)
        number, make = 0, type(down)
        while goes_on():
            number += 1
            names = f"f_{number}" * (number % 5 + 1)
            code = down.__code__.replace(co_name=names, co_qualname=names, co_filename=f"gen_{number}")
            make(code, globals(), "", None, down.__closure__)(number % 3)
            del code, names
    """,
    "generators": """
    def generators():
        def count(n):
            if n:
                yield from count(n - 1)
            yield n
        while goes_on():
            for _ in count(60): pass
    """,
    "garbage": """
    def garbage():
        class Final:
            def __del__(self): sum(range(10))
        while goes_on():
            for _ in range(50):
                it = Final()
                it.it = [it, lambda: it]
            gc.collect()
    """,
    "forks": """
    def forks():
        while goes_on():
            pid = os.fork()
            if not pid:
                try:
                    sum(range(10000))
                finally:
                    os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            time.sleep(0.02)
    """,
    "interpreters": """
    def interpreters():
        try:
            import _interpreters
        except ImportError:
            import _xxsubinterpreters as _interpreters
        while goes_on():
            found = _interpreters.create()
            _interpreters.run_string(found, "def f(n): return f(n - 1) if n else 0\\\\nfor _ in range(200): f(50)")
            _interpreters.destroy(found)
    """,
}

ENDS = {
    "ends": ("", 0),
    "threads at the end": (
        """
        def go_on(n):
            while True: sum(range(n))
        for n in range(1, 4): threading.Thread(target=go_on, args=(10 ** n,), daemon=True).start()
        """,
        0,
    ),
    "_exit": ("os._exit(3)", 3),
    "exec": ('os.execv(sys.executable, [sys.executable, "-c", "import sys; sys.exit(4)"])', 4),
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", -9),
}

PATH = re.compile(r"gen_\d+|<[\w. ]+>|/.+\.py")
NAME = re.compile(r"<not read>|<\w+>|[A-Za-z_]\w*(?:\.(?:<\w+>|[A-Za-z_]\w*))*")  # the first: samples without a stack


def program_of(activities: list[str], end: str) -> str:
    """Return a program that does these at once, the first in its main thread, and then ends in the given way."""
    parts = [PRELUDE, *(textwrap.dedent(ACTIVITIES[name]) for name in activities)]
    for name in activities[1:]:
        parts.append(f"{name}_thread = threading.Thread(target={name})\n{name}_thread.start()\n")
    parts.append(f"{activities[0]}()\n")
    parts += [f"{name}_thread.join()\n" for name in activities[1:]]
    return "".join(parts).replace("\\\\n", "\\n") + textwrap.dedent(ENDS[end][0])


def run_round(chosen: random.Random, seconds: float, interval_us: int, end: str = "") -> str:
    """Run one program, chosen at random; return what was wrong, "" if nothing was."""
    activities = chosen.sample(sorted(ACTIVITIES), chosen.randint(1, 3))
    if "forks" in activities:
        activities = ["forks"]  # with other threads CPython warns (3.12), or the child hangs (3.11), sampled or not
    return run_program(activities, end or chosen.choice(sorted(ENDS)), seconds, interval_us)


def run_program(activities: list[str], end: str, seconds: float, interval_us: int) -> str:
    """Run a program of these activities; returns the same as `run_round`."""
    with tempfile.TemporaryDirectory(prefix="footfall-stress-") as directory:
        command = [sys.executable, "-X", "faulthandler", "-c", program_of(activities, end), directory]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("FOOTFALL_RUN")}
        done = subprocess.run(
            [*command, str(interval_us * 1000), str(seconds)],
            capture_output=True,
            text=True,
            timeout=300,
            env=environment,
        )
        what = f"{' + '.join(activities)}, {end}"
        if done.returncode != ENDS[end][1] or done.stderr:
            return f"{what}: ended with {done.returncode}: {done.stderr}"
        logs = [read_sample_log(str(path)) for path in sorted(Path(directory).glob("*.smp"))]
    if not any(log.samples for log in logs):
        return f"{what}: no samples"
    for log in logs:
        wrong = [
            f"{code.qualname!r} of {code.path!r}"
            for code in log.codes.values()
            if not NAME.fullmatch(code.qualname) or not PATH.fullmatch(code.path)
        ]
        if wrong or (log.damage and end not in ("killed", "_exit", "exec")):
            return f"{what}: {wrong} {log.damage}"
    return ""


def stress(minutes: float, interval_us: int = 5, seed: int = 0, seconds: float = 2.0) -> tuple[int, str]:
    """Run rounds for this long; return the number of rounds, and what was wrong in the first wrong one, "" if none."""
    end = time.monotonic() + 60 * minutes
    rounds = 0
    while rounds == 0 or time.monotonic() < end:
        found = run_round(random.Random(seed + rounds), seconds, interval_us)
        if found:
            return rounds, f"round {seed + rounds}: {found}"
        rounds += 1
    return rounds, ""


def main() -> int:
    """Run until something is found or the time is over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--interval-us", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of the first round")
    given = parser.parse_args()
    rounds, found = stress(given.minutes, given.interval_us, given.seed)
    print(f"{sys.version.split()[0]}: {rounds} rounds, {found or 'no finding'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
