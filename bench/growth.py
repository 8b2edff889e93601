"""How what follows a command grows with what it reads: CPU, peak memory and disk at three sizes, and the exponents.

    python bench/growth.py [--scale 1.0] [STEP ...]

Run it by an interpreter that has footfall installed. Each step makes its input at sizes n, 2n and 4n (`--scale`
multiplies them) and runs commands on it. An exponent compares the growth from 2n to 4n with that from n to 2n, so that
what a command needs for nothing does not count: 1.0 is linear, 2.0 is quadratic.
"""

import argparse
import math
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile

FILES = """
import importlib, sys
for number in range({size}):
    importlib.import_module(f"m{{number}}").choose(number)
"""
MODULE = """
NUMBER = {number}

def choose(n):
    if n > NUMBER:
        return 1
    for each in range(3):
        if each == {number}:
            break
    return [x for x in range({number} % 7)]
"""
PROCESSES = """
import os
for number in range({size}):
    pid = os.fork()
    if not pid:
        if number % 2:
            total = number
        os._exit(0)
    os.waitpid(pid, 0)
"""
CONTEXTS = """
from footfall.observe.contexts import switch

def work(n):
    if n % 2:
        n += 1
    if n % 3:
        n += 2
    return [choose(n, k) for k in range(20)]

def choose(n, k):
    if n >> k & 1:
        return k
    return n

for number in range({size}):
    switch(f"tests/test_{{number}}|run")
    work(number)
switch("")
"""
FUNCTION = """
def function_{number}(n):
    if n > {number}:
        return 1
    return 0

function_{number}({number})
"""
STACKS = """
import sys, time
sys.setrecursionlimit(100_000)

def left(depth, bits):
    if not depth:
        end = time.thread_time() + 0.002
        while time.thread_time() < end:
            pass
        return
    (left if bits & 1 else right)(depth - 1, bits >> 1)

def right(depth, bits):
    (left if bits & 1 else right)(depth - 1, bits >> 1)

for number in range({size}):
    left(60, number * 0x9E3779B97F4A7C15)
"""
SHARD = """
import time

def leaf(n):
    return sum(i * i for i in range(n))

def middle(depth, n):
    return leaf(n) if not depth else middle(depth - 1, n) + leaf(depth)

end = time.process_time() + 0.5
while time.process_time() < end:
    middle(20, 50)
"""


class Work:
    """A directory with a program and its data, and what commands in it cost."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.figures: dict[str, tuple[float, float]] = {}
        """What was run: its seconds of CPU, and its peak memory in MB."""

    def write(self, name: str, text: str) -> None:
        """Write a file of the program."""
        (self.directory / name).write_text(text, encoding="utf-8")

    def footfall(self, what: str, *words: str, env: dict[str, str] | None = None) -> None:
        """Run footfall, and note its cost under `what`."""
        command = [sys.executable, "-m", "footfall", *words]
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                command, cwd=self.directory, env={**os.environ, **(env or {})}, stdout=output, stderr=output
            )
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                output.seek(0)
                raise SystemExit(f"{' '.join(words)} ended with {process.returncode}:\n{output.read().decode()}")
        self.figures[what] = (used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)

    def run_and_resolve(self, program: str, *options: str) -> None:
        """Measure a program; note the cost of working out its results, first and again, and its run directory."""
        self.write("program.py", program)
        words = ["run", "--quiet", *options, sys.executable, "program.py"]
        self.footfall("run", *words, env={"FOOTFALL_KEEP": "1"})
        del self.figures["run"]
        (kept,) = (self.directory / ".footfall" / "runs").iterdir()
        self.figures["its run directory, MB"] = (0.0, sum(file.stat().st_blocks for file in kept.iterdir()) / 2048)
        shutil.rmtree(self.directory / ".footfall" / "cache", ignore_errors=True)
        for what in ("results", "results again"):
            copy = self.directory / ".footfall" / "runs" / "copy"
            shutil.copytree(kept, copy)
            self.footfall(what, "resolve", str(copy))


def step_files(work: Work, size: int) -> None:
    """Different files."""
    for number in range(size):
        work.write(f"m{number}.py", MODULE.format(number=number))
    work.run_and_resolve(FILES.format(size=size))
    work.footfall("report", "report")
    work.footfall("report again", "report")
    work.footfall("html", "html", "-d", "site")


def step_processes(work: Work, size: int) -> None:
    """Forked processes."""
    work.run_and_resolve(PROCESSES.format(size=size))


def step_contexts(work: Work, size: int) -> None:
    """Contexts that run the same code on different ways."""
    work.run_and_resolve(CONTEXTS.format(size=size))
    work.footfall("json --show-contexts", "json", "--show-contexts", "-o", "x.json")
    work.footfall("report", "report")


def step_functions(work: Work, size: int) -> None:
    """Functions of one file."""
    work.run_and_resolve("".join(FUNCTION.format(number=number) for number in range(size)))
    work.footfall("report", "report")


def step_stacks(work: Work, size: int) -> None:
    """Different stacks."""
    work.run_and_resolve(STACKS.format(size=size), "--rate=1000")
    work.footfall("flame", "flame", "-o", "x.html")
    work.figures["its page, MB"] = (0.0, (work.directory / "x.html").stat().st_size / (1 << 20))


def step_shards(work: Work, size: int) -> None:
    """Data files with profiles of different runs."""
    work.write("program.py", SHARD)
    work.footfall("run", "run", "--quiet", sys.executable, "program.py")
    del work.figures["run"]
    for number in range(size):
        shard = work.directory / f".coverage.host.{number}.x"
        shutil.copy(work.directory / ".coverage", shard)
        connection = sqlite3.connect(shard)
        connection.execute("update footfall_run set identity = ?", (f"run {number}",))
        connection.commit()
        connection.close()
    (work.directory / ".coverage").unlink()
    work.footfall("combine", "combine")
    work.footfall("report", "report")
    work.footfall("report again", "report")


STEPS = {
    "files": (step_files, 500),
    "processes": (step_processes, 500),
    "contexts": (step_contexts, 1000),
    "functions": (step_functions, 10_000),
    "stacks": (step_stacks, 1000),
    "shards": (step_shards, 250),
}


def main() -> None:
    """Run the steps and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies all sizes (default 1)")
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"of {', '.join(STEPS)} (default: all)")
    arguments = parser.parse_args()
    print("| input | command | CPU s | exponent | peak MB | exponent |\n|---|---|---|---|---|---|")
    for name in arguments.steps or STEPS:
        step, base = STEPS[name]
        sizes = [max(1, round(base * arguments.scale * factor)) for factor in (1, 2, 4)]
        found = []
        for size in sizes:
            with tempfile.TemporaryDirectory(prefix="footfall-growth-") as directory:
                work = Work(pathlib.Path(directory))
                step(work, size)
                found.append(work.figures)
        for what in found[0]:
            cells = []
            for part in (0, 1):
                figures = [each[what][part] for each in found]
                cells += [" / ".join(f"{figure:.2f}" for figure in figures), _exponent(figures)]
            print(f"| {' / '.join(map(str, sizes))} {name} | {what} | {' | '.join(cells)} |", flush=True)


def _exponent(figures: list[float]) -> str:
    """Return the growth from n to 2n compared with that from 2n to 4n, which a constant part does not change."""
    first, second = figures[1] - figures[0], figures[2] - figures[1]
    if first <= 0 or second <= 0 or figures[2] < 1.1 * figures[0]:
        return "-"
    return f"{math.log2(second / first):.1f}"


if __name__ == "__main__":
    main()
