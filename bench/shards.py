"""What `footfall combine` costs with many shards of a monorepo's tests: wall time, CPU of all processes, peak memory.

    python bench/shards.py [--shards 1000] [--tests 10] [--files 20] [--arcs 30] [--report]

Run it by an interpreter that has footfall installed. Each shard is a data file with branches: `--tests` tests that no
other shard has, each of which ran `--files` of 2,000 files, `--arcs` arcs of each; what runs on import is in all of
them. Each has a profile of 300 stacks, half of which all shards have.
"""

import argparse
import os
import pathlib
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time

from footfall.analyze.profile.calltree import Cost, Frame, Function, Profile, ProfiledThread, Squares
from footfall.analyze.profile.rows import rows_from_profile
from footfall.record.data.coverage_tables import FileData, write_coverage
from footfall.record.data.profile_tables import write_profile
from footfall.record.data.timelines import TreeNode

N_FILES = 2000
N_STACKS = 300


def write_shard(folder: pathlib.Path, number: int, given: argparse.Namespace) -> None:
    """Write one shard; the same number gives the same one."""
    chance = random.Random(number)
    files: dict[str, FileData] = {}
    tests = [f"tests/test_{number}.py::test_{test}|run" for test in range(given.tests)]
    for test in ("", *tests):
        for name in chance.sample(range(N_FILES), given.files):
            lines = range(1, 40) if not test else sorted(chance.sample(range(40, 400), given.arcs))
            pairs = {(-1, lines[0]), *zip(lines, lines[1:], strict=False)}
            files.setdefault(f"/src/package_{name % 50}/module_{name}.py", FileData()).arcs[test] = pairs
    with write_coverage(folder / f".coverage.host.pid{number}.Xabcdefx", files, has_arcs=True) as connection:
        write_profile(connection, rows_from_profile(_profile(number, tests)), f"run {number}")


def _profile(number: int, tests: list[str]) -> Profile:
    names = [f"f{at}" if at % 2 else f"f{number}_{at}" for at in range(N_STACKS)]
    frames = [Frame(Function(f"/src/package_{at % 50}/module_{at}.py", name, 1), 2, 2, None, None)
              for at, name in enumerate(names)]  # fmt: skip
    nodes = [TreeNode(-1, -1), *(TreeNode(at % 20, at) for at in range(N_STACKS))]
    costs = {(node, 0, tests[node % len(tests)]): Cost(wall_ns=10**6, cpu_ns=10**6, samples=1)
             for node in range(1, len(nodes))}  # fmt: skip
    return Profile(
        frames=frames, nodes=nodes, threads=[ProfiledThread(number, number, "main")], squares=[Squares()], costs=costs,
        n_processes=1,
    )  # fmt: skip


def measure(words: list[str], folder: pathlib.Path) -> str:
    """Run footfall; return its costs. Memory is the sum over its processes of what each does not share, at its peak."""
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen([sys.executable, "-m", "footfall", *words], cwd=folder, stdout=subprocess.DEVNULL)
    peak = [0]
    watching = threading.Thread(target=_watch, args=(process.pid, peak))
    watching.start()
    if process.wait():
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}")
    watching.join()
    seconds, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"{seconds:.1f} s wall, {cpu:.1f} s CPU, {peak[0] / 1024:.0f} MB"


def _watch(pid: int, peak: list[int]) -> None:
    while (size := sum(_private_kb(each) for each in (pid, *_children(pid)))) or os.path.exists(f"/proc/{pid}/exe"):
        peak[0] = max(peak[0], size)
        time.sleep(0.02)


def _children(pid: int) -> list[int]:
    try:
        return [*map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    except OSError:
        return []


def _private_kb(pid: int) -> int:
    try:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


def main() -> None:
    """Make the shards, combine them, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("shards", 1000), ("tests", 10), ("files", 20), ("arcs", 30)):
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=f"default {default}")
    parser.add_argument("--report", action="store_true", help="also what `footfall tests` on the result costs")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="footfall-shards-") as directory:
        folder = pathlib.Path(directory)
        for number in range(given.shards):
            write_shard(folder, number, given)
        size = sum(each.stat().st_size for each in folder.iterdir())
        print(f"{given.shards} shards, {size / 1e6:.0f} MB", flush=True)
        print(f"combine: {measure(['combine', '--quiet'], folder)}", flush=True)
        print(f"the result: {(folder / '.coverage').stat().st_size / 1e6:.0f} MB")
        if given.report:
            print(f"tests: {measure(['tests', '-o', 'tests.txt'], folder)}")


if __name__ == "__main__":
    main()
