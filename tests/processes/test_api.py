"""`footfall.measure()`, contexts by the API, and starting and stopping from several threads."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from footfall.record.data.coverage_tables import read_coverage

LIBRARY = """\
def choose(x):
    if x > 3:
        return "big"
    return "small"
"""

engines = pytest.mark.parametrize("engine", ["", "settrace"], ids=["default engine", "settrace"])


def _run(tmp_path: Path, program: str, engine: str = "") -> str:
    (tmp_path / "lib.py").write_text(LIBRARY)
    (tmp_path / "program.py").write_text("import sys, threading, footfall, lib\n" + textwrap.dedent(program))
    env = {**os.environ, "FOOTFALL_ENGINE": engine}
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _arcs(data_file: Path, context: str) -> set[tuple[int, int]]:
    with contextlib.closing(sqlite3.connect(data_file)) as file:
        query = "select fromno, tono from arc join context on context.id = context_id where context = ?"
        return set(file.execute(query, (context,)))


def test_one_name_is_no_list_of_sources(tmp_path):
    """It is refused, not read as one package for each letter."""
    for call in ("footfall.measure", "footfall.start", "footfall.capture"):
        output = _run(
            tmp_path,
            f"""
            try:
                with {call}(source="lib"): pass
            except TypeError as error:
                print(error)
            """,
        )
        assert output == "source is a list of directories and packages: source=['lib']\n"


@engines
def test_measure_writes_what_the_block_ran(engine, tmp_path):
    """The data file, the source and the context are those asked for; what ran after the block is not in it."""
    output = _run(
        tmp_path,
        """
        with footfall.measure(data_file="part.data", source=["lib"], context="part") as run:
            print(run.data_file)
            lib.choose(0)
        print(run.data_file.name)
        lib.choose(5)
        """,
        engine,
    )
    assert output == "None\npart.data\n"
    arcs = _arcs(tmp_path / "part.data", "part")
    assert (2, 4) in arcs
    assert (2, 3) not in arcs
    assert not list(tmp_path.glob(".footfall/runs/*"))


def test_measure_writes_when_the_block_raises(tmp_path):
    """The exception goes on; the data is there; measuring has ended."""
    output = _run(
        tmp_path,
        """
        try:
            with footfall.measure() as run:
                lib.choose(0)
                1 / 0
        except ZeroDivisionError:
            print(run.data_file.name)
        with footfall.measure(data_file="second") as run:
            lib.choose(5)
        """,
    )
    assert output == ".coverage\n"
    assert (2, 4) in _arcs(tmp_path / ".coverage", "")
    assert (2, 3) in _arcs(tmp_path / "second", "")
    assert (2, 4) not in _arcs(tmp_path / "second", "")


@engines
def test_contexts_nest_and_end(engine, tmp_path):
    """The context before goes on after a block; in an unmeasured process nothing happens; a label is a str."""
    _run(
        tmp_path,
        """
        with footfall.context("nothing"):
            lib.choose(0)
        footfall.switch_context("nothing")
        try:
            footfall.switch_context(3)
        except TypeError:
            pass
        else:
            raise SystemExit("no error")
        with footfall.measure():
            with footfall.context("outer"):
                with footfall.context("inner"):
                    lib.choose(0)
                lib.choose(5)
            footfall.switch_context("last")
            lib.choose(0)
            footfall.switch_context("")
            lib.choose(0)
        """,
        engine,
    )
    data_file = tmp_path / ".coverage"
    both, directions = {(2, 3), (2, 4)}, {"inner": (2, 4), "outer": (2, 3), "last": (2, 4)}
    assert {label: _arcs(data_file, label) & both for label in directions} == {k: {v} for k, v in directions.items()}
    assert (2, 4) in _arcs(data_file, "")
    assert not _arcs(data_file, "nothing")


@engines
def test_one_of_several_threads_starts_and_one_stops(engine, tmp_path):
    """The others get `already-measured` and `not-measured`, while further threads run; the process can start again."""
    output = _run(
        tmp_path,
        """
        from footfall.errors import FootfallError
        ended = threading.Event()
        def work():
            while not ended.is_set():
                lib.choose(0)
        def at_once(function):
            barrier, results = threading.Barrier(4), []
            def call():
                barrier.wait()
                try:
                    function()
                    results.append("done")
                except FootfallError as error:
                    results.append(error.slug)
            threads = [threading.Thread(target=call) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return sorted(results)
        workers = [threading.Thread(target=work) for _ in range(2)]
        for worker in workers:
            worker.start()
        for _ in range(3):
            print(*at_once(footfall.start))
            if sys.implementation.name == "pypy":  # it can't trace threads that are there
                thread = threading.Thread(target=lib.choose, args=(5,))
                thread.start()
                thread.join()
            else:
                lib.choose(5)
            print(*at_once(footfall.stop))
        ended.set()
        for worker in workers:
            worker.join()
        """,
        engine,
    )
    one = "already-measured already-measured already-measured done\ndone not-measured not-measured not-measured\n"
    assert output == one * 3
    assert (2, 3) in _arcs(tmp_path / ".coverage", "")


@engines
def test_threads_that_meet_new_files_outlive_a_stop(engine, tmp_path):
    """Measuring stops and starts while threads are in the engine's decision about files that they run first."""
    output = _run(
        tmp_path,
        """
        import itertools
        if sys.implementation.name == "cpython":
            sys.setswitchinterval(1e-6)  # threads take turns within the decision
        numbers = itertools.count()
        def work():
            while not ended.is_set():
                space = {}
                exec(compile("def f(x):\\n    return x\\n", f"new{next(numbers)}.py", "exec"), space)
                assert space["f"](1) == 1
        for n in range(8):
            ended = threading.Event()
            footfall.start()
            workers = [threading.Thread(target=work) for _ in range(2)]
            for worker in workers:
                worker.start()
            lib.choose(n)
            footfall.stop(f"{n}.data")
            ended.set()
            for worker in workers:
                worker.join()
        print("whole")
        """,
        engine,
    )
    assert output == "whole\n"
    assert [(2, 3) in _arcs(tmp_path / f"{n}.data", "") for n in range(8)] == [n > 3 for n in range(8)]
    assert [(2, 4) in _arcs(tmp_path / f"{n}.data", "") for n in range(8)] == [n <= 3 for n in range(8)]


def test_pytest_runs_within_measure(tmp_path):
    """`pytest.main()` is measured as any other code."""
    (tmp_path / "test_it.py").write_text("import lib\ndef test_small():\n    assert lib.choose(0) == 'small'\n")
    _run(
        tmp_path,
        """
        import pytest
        with footfall.measure():
            assert pytest.main(["-q", "-p", "no:cacheprovider", "test_it.py"]) == 0
        """,
    )
    assert (2, 4) in _arcs(tmp_path / ".coverage", "")


def test_a_generator_that_began_before_is_measured(tmp_path) -> None:
    """What it runs after `footfall.start()` is in the data, though its function does not begin again."""
    program = """
import footfall
def values():
    yield 1
    for i in range(2):
        yield i
    ended = 1
begun = values()
next(begun)
footfall.start()
list(begun)
footfall.stop(".coverage")
"""
    (tmp_path / "program.py").write_text(program)
    subprocess.run([sys.executable, "program.py"], cwd=tmp_path, check=True)
    assert read_coverage(tmp_path / ".coverage").files[str(tmp_path / "program.py")].lines >= {5, 6, 7}


def test_a_branch_at_which_a_generator_waited(tmp_path) -> None:
    """After `footfall.start()` it leads from the line of the `yield`, as with the C tracer; what began is not begun."""
    program = """
import footfall
def choose():
    if (yield 1):
        chosen = 2
    yield 3
begun = choose()
next(begun)
footfall.start(branch=True)
begun.send(True)
footfall.stop(".coverage")
"""
    (tmp_path / "program.py").write_text(program)
    subprocess.run([sys.executable, "program.py"], cwd=tmp_path, check=True)
    arcs = read_coverage(tmp_path / ".coverage").files[str(tmp_path / "program.py")].arcs
    assert {(4, 5), (5, 6)} <= set(arcs)
    assert not {(4, 6), (-3, 4)} & set(arcs)
