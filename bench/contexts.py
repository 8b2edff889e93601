"""What per-test contexts cost: a suite of many small tests, bare and with a switch at each phase of each test, by hooks
in a measured conftest.py (as other tools would have to) and by footfall's pytest plugin.

    python bench/contexts.py [--tests 2000] [--runs 5] [--no-profile] [--coverage]
    python bench/contexts.py --capture [--runs 5]      CPU of an empty block of footfall.capture() (CPython 3.12+)

Run it by an interpreter that has pytest and footfall installed (coverage.py too for `--coverage`). CPU of the program
and of what footfall does after it are apart. Modes are interleaved; ratios are medians of ratios to the bare run of the
same round.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time

from command_cpu import command_cpu

CONFTEST = """
import os
import pytest

switch = None
if os.environ.get("BENCH_SWITCH") == "footfall":
    from footfall.observe.contexts import switch
elif os.environ.get("BENCH_SWITCH") == "coverage":
    import coverage
    switch = coverage.Coverage.current().switch_context

if switch is not None:
    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(item):
        switch(item.nodeid + "|setup")
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(item):
        switch(item.nodeid + "|run")
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(item):
        switch(item.nodeid + "|teardown")
        try:
            return (yield)
        finally:
            switch("")
"""

FUNCTION = """
def words_{n}(text):
    found = []
    for word in text.split():
        if word.isdigit():
            found.append(int(word) + {n})
        elif word.startswith("-"):
            found.append(-{n})
        else:
            found.append(word)
    return found


def total_{n}(values):
    total = 0
    for value in values:
        if isinstance(value, str):
            continue
        total += value
    if total < 0:
        return 0
    return total


class Counter_{n}:
    def __init__(self):
        self.counts = {{}}

    def add(self, key):
        if key in self.counts:
            self.counts[key] += 1
        else:
            self.counts[key] = 1
        return self

    def most(self):
        return max(self.counts, key=self.counts.get) if self.counts else None
"""

TEST = """
def test_{n}(sample):
    values = words_{a}(sample + " {n}")
    assert total_{a}(values) == {n} + {a} + 1 + {a}
    counter = Counter_{b}()
    for value in values:
        counter.add(value)
    assert counter.most() is not None
    assert total_{b}([]) == 0
"""

FIXTURE = """
@pytest.fixture
def sample():
    yield "one 1 two"
"""


CAPTURE = """
import sys, time
import footfall
from words import words_0

def reused(n):
    for _ in range(n):
        with series:
            pass

def called(n):
    for _ in range(n):
        with footfall.capture(source=["."]):
            pass

def seen(n):
    for _ in range(n):
        with series:
            words_0("one 2 -3")

def bare(n):
    for _ in range(n):
        words_0("one 2 -3")

def us(function, n=20_000):
    began = time.process_time_ns()
    function(n)
    return (time.process_time_ns() - began) / n / 1000

print(us(bare))
series = footfall.capture(source=["."])
reused(1), called(1), seen(1)
print(us(reused), us(called), us(seen))
"""


def measure_capture(runs: int) -> None:
    """Print microseconds of CPU per block, medians over processes."""
    with tempfile.TemporaryDirectory(prefix="footfall-capture-") as directory:
        pathlib.Path(directory, "words.py").write_text(FUNCTION.format(n=0))
        pathlib.Path(directory, "loop.py").write_text(CAPTURE)
        rounds = []
        for _ in range(runs):
            done = subprocess.run(
                [sys.executable, "loop.py"], cwd=directory, stdout=subprocess.PIPE, text=True, check=True
            )
            rounds.append([float(word) for word in done.stdout.split()])
    bare, reused, called, seen = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"empty block, object kept            {reused:6.2f} us")
    print(f"empty block, capture() called anew  {called:6.2f} us")
    print(f"a small function seen before        {seen:6.2f} us, without capture {bare:.2f} us")


def main() -> None:
    """Make the suite, run it in each mode, print ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=5, help="counted rounds (default 5)")
    parser.add_argument("--coverage", action="store_true", help="coverage.py's C tracer with the same switches too")
    parser.add_argument("--no-profile", action="store_true", help="coverage alone")
    parser.add_argument("--capture", action="store_true", help="what footfall.capture() costs, nothing else")
    options = parser.parse_args()
    if options.capture:
        measure_capture(options.runs)
        return
    with tempfile.TemporaryDirectory(prefix="footfall-contexts-") as directory:
        _write_suite(pathlib.Path(directory), options.tests)
        footfall = [os.path.join(sysconfig.get_path("scripts"), "footfall"), "run", "--quiet", "--source=."]
        footfall += ["--no-profile"] if options.no_profile else []
        modes = {
            "bare": ([], ""),
            "footfall": (footfall, ""),
            "footfall, contexts": (footfall, "footfall"),
            "footfall, contexts by its plugin": (footfall, "plugin"),
        }
        if options.coverage:
            modes["coverage ctrace, contexts"] = (["coverage"], "coverage")
        program: dict[str, list[float]] = {mode: [] for mode in modes}
        whole: dict[str, list[float]] = {mode: [] for mode in modes}
        for number in range(options.runs + 1):
            for mode, (prefix, switch) in modes.items():
                own, total = _seconds(prefix, switch, directory)
                if number:
                    program[mode].append(own)
                    whole[mode].append(total)
    print("| mode | program's CPU, s | to bare | with what comes after, to bare |\n|---|---|---|---|")
    for mode in modes:
        own_ratio = statistics.median(a / b for a, b in zip(program[mode], program["bare"], strict=True))
        whole_ratio = statistics.median(a / b for a, b in zip(whole[mode], program["bare"], strict=True))
        print(f"| {mode} | {statistics.median(program[mode]):.3f} | {own_ratio:.3f}x | {whole_ratio:.3f}x |")


def _write_suite(directory: pathlib.Path, n_tests: int) -> None:
    n_modules = 20
    (directory / "lib").mkdir()
    (directory / "lib" / "__init__.py").write_text("")
    for number in range(n_modules):
        functions = "".join(FUNCTION.format(n=number * 10 + k) for k in range(10))
        (directory / "lib" / f"m{number}.py").write_text(functions)
    (directory / "conftest.py").write_text(CONFTEST)
    for first in range(0, n_tests, 50):
        module = first // 50 % n_modules
        lines = ["import pytest", f"from lib.m{module} import *", FIXTURE]
        for n in range(first, min(first + 50, n_tests)):
            lines.append(TEST.format(n=n, a=module * 10 + n % 10, b=module * 10 + n // 10 % 10))
        (directory / f"test_{first}.py").write_text("\n".join(lines))


def _seconds(prefix: list[str], switch: str, directory: str) -> tuple[float, float]:
    """CPU of the program, and of all of the command. The command is started cold but for bytecode caches."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE", "FOOTFALL"))}
    env |= {"BENCH_SWITCH": switch, "COVERAGE_CORE": "ctrace"}
    python = [sys.executable]
    if prefix == ["coverage"]:
        prefix, python = [], [sys.executable, "-m", "coverage", "run", "--branch", "--source=."]
    contexts = ["--footfall-context=test"] if switch == "plugin" else []
    return command_cpu(prefix, [*python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *contexts], directory, env)


if __name__ == "__main__":
    start = time.monotonic()
    main()
    print(f"{time.monotonic() - start:.0f} s", file=sys.stderr)
