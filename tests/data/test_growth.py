"""What follows a command is linear in what it reads, and bounded where it can be: by counted calls and bytes, at three
sizes. A count is the same under any load; what C and SQLite do within one call is not in it (`bench/growth.py` is)."""

import contextlib
import math
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable

import pytest

from footfall.analyze.profile.calltree import Cost, Frame, Function, Profile, ProfiledThread, Squares
from footfall.analyze.profile.rows import profile_from_rows, rows_from_profile
from footfall.analyze.resolve import resolve
from footfall.record.data.combine import combine_files
from footfall.record.data.coverage_tables import FileData, open_contexts_by_line, write_coverage
from footfall.record.data.profile_tables import read_profile, write_profile
from footfall.record.data.timelines import TreeNode

pytestmark = [
    pytest.mark.any_python,
    pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy does not count what is compiled"),
]

SIZES = (16, 32, 64)
LINEAR = 1.15
"""The largest exponent of what is linear: sorting has a logarithm, and tables grow in leaps."""

PROGRAM = """
import os, sys
from footfall.observe.contexts import switch

size = int(sys.argv[1])
for number in range(size):  # first, as each has what its parent has loaded
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
for number in range(size):
    text = f"def work(n):\\n    if n > 1:\\n        return {size * 1000 + number}\\n    return 0\\n"  # no other run has it
    exec(compile(text, __file__, "exec"))
    switch(f"test_{number}")
    work(number)
switch("")
"""


def counted_calls(step: Callable[[], object]) -> int:
    """How many functions a step calls, in Python and in C."""
    n_calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal n_calls
        n_calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        step()
    finally:
        sys.setprofile(before)
    return n_calls


def peak_bytes(step: Callable[[], object]) -> int:
    """How much memory Python's objects take in a step, at most."""
    import tracemalloc  # PyPy has none

    tracemalloc.start()
    try:
        step()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def exponent(counts: list[int]) -> float:
    """1 for linear, 2 for quadratic; from the growth between the sizes, so that a constant part does not count."""
    first, second = counts[1] - counts[0], counts[2] - counts[1]
    return math.log2(second / first) if first > 0 and second > 0 else 0.0


def test_the_exponent_is_that_of_the_growth() -> None:
    """A constant part makes no difference, and quadratic work is seen."""
    assert exponent([100 + size for size in SIZES]) == 1
    assert exponent([100 + size**2 for size in SIZES]) == 2
    assert exponent([5, 5, 5]) == 0
    assert exponent([counted_calls(lambda n=size: [abs(n) for _ in range(n * n)]) for size in SIZES]) == 2


def write_shard(path: pathlib.Path, number: int) -> str:
    """A data file with a run's profile, of which all runs have the same stacks."""
    function = Function("/p/a.py", "work", 1)
    profile = Profile(
        frames=[Frame(function, line, line, None, None) for line in range(1, 11)],
        nodes=[TreeNode(-1, -1), *(TreeNode(at, at) for at in range(10))],
        threads=[ProfiledThread(number, number, "main")],
        squares=[Squares()],
        costs={(node, 0, ""): Cost(wall_ns=10, cpu_ns=number, samples=1) for node in range(11)},
        n_processes=1,
    )
    with write_coverage(path, {"/p/a.py": FileData({"": {1, 2}})}, has_arcs=False) as connection:
        write_profile(connection, rows_from_profile(profile), f"run {number}")
    return str(path)


def test_combining_is_linear_and_its_result_no_larger_for_reports(tmp_path: pathlib.Path) -> None:
    """Calls are linear in the shards, memory does not grow with them, and reports read what one shard has."""
    shards = [write_shard(tmp_path / str(number), number) for number in range(SIZES[-1])]

    def combine(size: int) -> str:
        target = str(tmp_path / f"combined-{size}")
        combine_files(shards[:size], target)
        return target

    def read(size: int) -> None:
        found = read_profile(tmp_path / f"combined-{size}", by_thread=False)
        assert found is not None and len(found.costs) == 11
        profile_from_rows(found).total()

    combine(1)
    assert exponent([counted_calls(lambda n=size: combine(n)) for size in SIZES]) < LINEAR
    memory = [peak_bytes(lambda n=size: combine(n)) for size in SIZES]
    assert memory[2] - memory[0] < 2000 * (SIZES[2] - SIZES[0])  # a run's row, and its digest
    reads = [counted_calls(lambda n=size: read(n)) for size in SIZES]
    assert reads[2] - reads[0] < 10 * (SIZES[2] - SIZES[0])  # a thread's row, and none of its 11 costs


def test_working_out_a_run_is_linear(tmp_path: pathlib.Path) -> None:
    """In its contexts, functions and processes, and so is reading the contexts of the data file again."""
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    runs = {}
    for size in (2, *SIZES):
        words = ["run", "--quiet", "--no-profile"]  # how many samples there are is chance
        command = [sys.executable, "-m", "footfall", *words, sys.executable, "program.py", str(size)]
        subprocess.run(command, cwd=tmp_path, env={**os.environ, "FOOTFALL_KEEP": "1"}, check=True)
        runs[size] = tmp_path / f"run-{size}"
        (kept,) = (tmp_path / ".footfall" / "runs").iterdir()
        shutil.move(kept, runs[size])

    def contexts(size: int) -> None:
        found = resolve(runs[size])
        files = {path: data for path, data in found.files.items() if path.endswith("program.py")}
        data_file = tmp_path / "data"
        with write_coverage(data_file, files, has_arcs=found.has_arcs):
            pass
        with open_contexts_by_line(data_file) as contexts_of:
            assert sum(map(len, contexts_of(str(tmp_path / "program.py")).values())) >= size

    contexts(2)
    counts = [counted_calls(lambda n=size: contexts(n)) for size in SIZES]
    assert exponent(counts) < LINEAR, counts
    with contextlib.closing(sqlite3.connect(tmp_path / "data")) as connection:
        assert connection.execute("select count(*) from context").fetchone()[0] >= SIZES[-1]


def test_the_disk_of_a_process_is_what_it_writes(tmp_path: pathlib.Path) -> None:
    """A short process leaves some pages, not the room that it was given to write in."""
    (tmp_path / "program.py").write_text("print()\n", encoding="utf-8")
    command = [sys.executable, "-m", "footfall", "run", "--quiet", sys.executable, "program.py"]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, "FOOTFALL_KEEP": "1"}, check=True)
    (kept,) = (tmp_path / ".footfall" / "runs").iterdir()
    assert sum(file.stat().st_blocks * 512 for file in kept.iterdir()) < 64 << 10
