"""footfall, Austin, py-spy and CPython 3.15's profiling.sampling side by side, on the same programs.

    python bench/profilers.py [--python PYTHON] [--rate 1000] [--runs 5] [--minutes 14] [--only fib,...] [--tools ...]

Run it by a CPython that has footfall installed. PYTHON (default: this one) runs the programs; tools that are not
found, or do not know that version, are left out: `pip install austin-dist austin-python py-spy`. AUSTIN in the
environment may hold a command line for Austin. Tachyon (profiling.sampling) profiles only a Python of its own version,
3.15.

Each round runs every tool and the program alone once, so that other work on the machine meets all alike; rounds of a
program end when its part of the minutes is over, and after one at the earliest.

samples     looks at threads, of all rounds
dropped     looks that the tool itself counts as dropped or as errors, in per cent of all looks
impossible  stacks without their root, or with fib and fib2 in one, in per cent of all looks
sampler     CPU of the tool's own process, in per cent of the program's; footfall run's sampler is a thread of that
CPU, wall   of the program, to the same work alone (medians); for footfall run with its sampler
error       greatest deviation of a known share, in points (median)
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from arguments import interpreter_path

END = """
import json as _json, resource as _resource
_used = _resource.getrusage(_resource.RUSAGE_SELF)
_wall = _time.perf_counter() - _begin
open(sys.argv[1], "w").write(_json.dumps({"cpu": _used.ru_utime + _used.ru_stime, "wall": _wall, "truth": truth}))
"""

BEGIN = """
import time as _time
_begin = _time.perf_counter()
"""

FIB = """
import sys, time
truth = {}
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def fib2(n):
    return n if n < 2 else fib2(n - 1) + fib2(n - 2)
def timed(function, n):
    begin = time.thread_time()
    function(n)
    truth[function.__name__] = truth.get(function.__name__, 0) + time.thread_time() - begin
def main():
    for _ in range(300):
        timed(fib, 20)
        timed(fib2, 21)
main()
"""

RECURSIVE = """
import sys
truth = {}
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def main():
    for _ in range(150):
        fib(23)
main()
"""

SPIN = """
import sys, time
truth = dict.fromkeys("abc", 0.0)
def spin(name, seconds):
    begin = time.thread_time()
    while time.thread_time() < begin + seconds: pass
    truth[name] += time.thread_time() - begin
def a(): spin("a", 0.005)
def b(): spin("b", 0.003)
def c(): spin("c", 0.002)
def main():
    for _ in range(200):
        a(); b(); c()
main()
"""

DEEP = """
import sys
truth = {}
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def below(depth):
    return fib(15) if depth == 0 else below(depth - 1)
def main():
    for _ in range(5000):
        below(200)
main()
"""

THREADS = """
import sys, threading, time
truth = {}
def sleeper():
    while not done: time.sleep(0.01)
done = []
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def main():
    thread = threading.Thread(target=sleeper)
    thread.start()
    for _ in range(600):
        fib(20)
    done.append(1)
    thread.join()
main()
"""

IO = """
import os, sys, time
truth = {}
def fetch():
    os.read(file, 65536)
    time.sleep(0.002)
def main():
    for _ in range(700):
        fetch()
file = os.open("/dev/zero", os.O_RDONLY)
main()
"""

SUITE = f"""
import os, sys
truth = {{}}
os.chdir({str(Path(__file__).parents[1])!r})
import pytest
TESTS = "tests/unit/source/test_analyze_source.py", "tests/unit/bytecode/test_linetable.py"
def main():
    for _ in range(2):
        pytest.main(["-q", "-p", "no:cacheprovider", *TESTS])
main()
"""

PROGRAMS = {
    "recursive fib": RECURSIVE,
    "fib and fib2": FIB,
    "50/30/20": SPIN,
    "two threads": THREADS,
    "200 frames": DEEP,
    "waits": IO,
    "a suite": SUITE,
}


@dataclass
class Found:
    """What one run of one tool gave. `stacks`: outermost function first, with its number of samples."""

    stacks: list[tuple[tuple[str, ...], int]] = field(default_factory=list)
    dropped: int = 0
    cpu: float = 0.0
    wall: float = 0.0
    tool_cpu: float = 0.0
    truth: dict[str, float] = field(default_factory=dict)


def run(command: list[str], file: Path) -> tuple[Found, str]:
    """Run a command whose program writes its own CPU to `said`; what other children used is the tool's."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    file.unlink(missing_ok=True)
    file.with_name("out").unlink(missing_ok=True)
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, errors="replace")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if not file.exists():
        raise RuntimeError(f"{shlex.join(command)}: {done.stdout[-300:]}{done.stderr[-300:]}")
    result = json.loads(file.read_text())
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found = Found(
        cpu=result["cpu"], wall=result["wall"], tool_cpu=max(0.0, used - result["cpu"]), truth=result["truth"]
    )
    return found, done.stdout + done.stderr


def collapsed(text: str, name: Callable[[str], str]) -> list[tuple[tuple[str, ...], int]]:
    found = []
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        if stack and count.isdigit():
            found.append((tuple(name(part) for part in stack.split(";")), int(count)))
    return found


class Bench:
    def __init__(self, python: str, rate: int, work: Path) -> None:
        self.python = python
        self.rate = rate
        self.work = work
        self.result_file = work / "result.json"
        self.out = work / "out"
        self.austin = shlex.split(os.environ.get("AUSTIN", "")) or [self._beside("austin")]
        self.py_spy = self._beside("py-spy")

    @staticmethod
    def _beside(name: str) -> str:
        return shutil.which(name, path=os.path.dirname(sys.executable) + ":" + os.environ.get("PATH", "")) or name

    def bare(self, program: Path) -> Found:
        return run([self.python, str(program), str(self.result_file)], self.result_file)[0]

    def footfall(self, program: Path) -> Found:
        from footfall.record.data.profile_tables import read_profile
        from footfall.report.profile.collapsed import render_collapsed
        from footfall.report.times import load_profile

        command = [self._beside("footfall"), "run", "-q", "--no-cover", f"--rate={self.rate}"]
        command.append(f"--data-file={self.out}")
        found, _ = run([*command, self.python, str(program), str(self.result_file)], self.result_file)
        found.tool_cpu = 0.0  # its supervisor is not the sampler; the sampler's CPU is the program's
        stored = read_profile(self.out)
        from footfall.config.reading import read_config

        profile = load_profile(read_config(), self.out)
        assert stored is not None and profile is not None
        found.dropped = stored.n_dropped
        found.stacks = collapsed("".join(render_collapsed(profile)), lambda part: part.partition(" (")[0])
        return found

    def attach(self, program: Path) -> Found:
        from footfall.config.reading import read_config
        from footfall.report.profile.collapsed import render_collapsed
        from footfall.report.times import load_profile

        self.result_file.unlink(missing_ok=True)
        self.out.unlink(missing_ok=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with subprocess.Popen([self.python, str(program), str(self.result_file)], stdout=subprocess.DEVNULL) as target:
            command = [self._beside("footfall"), "attach", str(target.pid), f"--rate={self.rate}"]
            subprocess.run([*command, f"--data-file={self.out}"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = json.loads(self.result_file.read_text())
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        profile = load_profile(read_config(), self.out)
        assert profile is not None
        stacks = collapsed("".join(render_collapsed(profile)), lambda part: part.partition(" (")[0])
        return Found(stacks, profile.n_dropped, result["cpu"], result["wall"], used - result["cpu"], result["truth"])

    def austin_run(self, program: Path) -> Found:
        command = [*self.austin, "-i", f"{1_000_000 // self.rate}us", "-o", str(self.out)]
        found, text = run([*command, self.python, str(program), str(self.result_file)], self.result_file)
        converted = self.work / "austin.txt"
        subprocess.run([self._beside("mojo2austin"), str(self.out), str(converted)], check=True, capture_output=True)
        lines = [line for line in converted.read_text(errors="replace").splitlines() if not line.startswith("#")]
        for line in lines:
            stack, _, _microseconds = line.rpartition(" ")
            frames = [part.split(":")[1] for part in stack.split(";")[2:] if ":" in part]
            if frames:
                found.stacks.append((tuple(frames), 1))
        if errors := re.search(r"Error rate.*?(\d+)/(\d+)", re.sub(r"\x1b\[[0-9;]*m", "", text), re.S):
            found.dropped = int(errors[1])
        return found

    def py_spy_run(self, program: Path, *options: str) -> Found:
        command = [self.py_spy, "record", "-r", str(self.rate), "-f", "raw", "-o", str(self.out), *options, "--"]
        found, text = run([*command, self.python, str(program), str(self.result_file)], self.result_file)
        found.stacks = collapsed(self.out.read_text(), lambda part: part.partition(" (")[0])
        if errors := re.search(r"Errors: (\d+)", text):
            found.dropped = int(errors[1])
        return found

    def py_spy_nonblocking(self, program: Path) -> Found:
        return self.py_spy_run(program, "--nonblocking")

    def tachyon(self, program: Path, *options: str) -> Found:
        command = [self.python, "-m", "profiling.sampling", "run", "-r", str(self.rate), "--collapsed", *options]
        found, text = run([*command, "-o", str(self.out), str(program), str(self.result_file)], self.result_file)
        stacks = collapsed(self.out.read_text(), lambda part: part.rsplit(":", 2)[-2] if part.count(":") > 1 else part)
        found.stacks = [(stack[1:] if stack[0].startswith("tid:") else stack, count) for stack, count in stacks]
        total = sum(count for _, count in found.stacks)
        if errors := re.search(r"Error rate: +([\d.]+)", text):
            share = float(errors[1]) / 100
            found.dropped = round(total * share / (1 - share)) if share < 1 else total
        return found

    def tachyon_blocking(self, program: Path) -> Found:
        return self.tachyon(program, "--blocking")


TOOLS = {
    "footfall run": Bench.footfall,
    "footfall attach": Bench.attach,
    "austin": Bench.austin_run,
    "py-spy": Bench.py_spy_run,
    "py-spy --nonblocking": Bench.py_spy_nonblocking,
    "Tachyon": Bench.tachyon,
    "Tachyon --blocking": Bench.tachyon_blocking,
}


def is_impossible(stack: tuple[str, ...]) -> bool:
    return (
        "main" not in stack
        and any(name in stack for name in ("fib", "fib2", "a", "b", "c", "below", "fetch"))
        or ("fib" in stack and "fib2" in stack)
    )


def error_of_shares(found: Found) -> float | None:
    """Points by which the worst share is off, of those that the program itself clocked."""
    if not found.truth:
        return None
    seen = dict.fromkeys(found.truth, 0)
    for stack, count in found.stacks:
        for name in {*stack} & seen.keys():
            seen[name] += count
    all_seen, all_true = sum(seen.values()) or 1, sum(found.truth.values())
    return max(100 * abs(seen[name] / all_seen - found.truth[name] / all_true) for name in seen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=interpreter_path, default=sys.executable)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5, help="rounds of each program (default 5)")
    parser.add_argument("--minutes", type=float, default=14.0, help="after which no round begins (default 14)")
    parser.add_argument("--only", default=",".join(PROGRAMS))
    parser.add_argument("--tools", default=",".join(TOOLS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(given.python, given.rate, Path(directory))
        print("| program | tool | samples | dropped | impossible | sampler | CPU | wall | error |")
        print("|---|---|---|---|---|---|---|---|---|", flush=True)
        names = given.only.split(",")
        begin = time.monotonic()
        for at, name in enumerate(names, 1):
            program = Path(directory) / "program.py"
            program.write_text(BEGIN + PROGRAMS[name] + END)
            end = begin + 60 * given.minutes * at / len(names)
            measure(bench, name, program, given.tools.split(","), given.runs, end)


def measure(bench: Bench, name: str, program: Path, tools: list[str], runs: int, end: float) -> None:
    bare: list[Found] = []
    found: dict[str, list[Found]] = {}
    failed: dict[str, str] = {}
    took = 0.0
    while len(bare) < runs and (not bare or time.monotonic() + took < end):
        begin = time.monotonic()
        bare.append(bench.bare(program))
        for tool in tools:
            if tool in failed:
                continue
            try:
                found.setdefault(tool, []).append(TOOLS[tool](bench, program))
            except (OSError, RuntimeError, subprocess.SubprocessError, ValueError) as error:
                failed[tool] = str(error).strip().splitlines()[-1][:120] if str(error).strip() else repr(error)
        took = time.monotonic() - begin
    for tool in tools:
        if tool in failed:
            print(f"| {name} | {tool} | not run: {failed[tool]} | | | | | | |", flush=True)
            continue
        each = found[tool]
        samples = sum(count for one in each for _, count in one.stacks)
        impossible = sum(count for one in each for stack, count in one.stacks if is_impossible(stack))
        dropped = sum(one.dropped for one in each)
        looks = samples + dropped or 1
        own = statistics.median(one.tool_cpu / (one.cpu or 1) for one in each)
        errors = [error for one in each if (error := error_of_shares(one)) is not None]
        cells = [
            str(samples),
            f"{100 * dropped / looks:.2f} %",
            f"{100 * impossible / looks:.2f} %",
            "in it" if tool == "footfall run" else f"{100 * own:.1f} %",
            f"{ratio([one.cpu for one in each], [one.cpu for one in bare]):.3f}x",
            f"{ratio([one.wall for one in each], [one.wall for one in bare]):.3f}x",
            f"{statistics.median(errors):.1f}" if errors else "",
        ]
        print(f"| {name} | {tool} | {' | '.join(cells)} |", flush=True)


def ratio(measured: list[float], bare: list[float]) -> float:
    return statistics.median(measured) / statistics.median(bare)


if __name__ == "__main__":
    main()
