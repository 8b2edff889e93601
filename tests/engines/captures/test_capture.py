"""`footfall.capture()`: what a block newly executes, beside other tools and in a measured process."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from footfall.tier import HAS_CORE

HAS_MONITORING = hasattr(sys, "monitoring")
HAS_BRANCH_EVENTS = HAS_MONITORING and hasattr(sys.monitoring.events, "BRANCH_LEFT")
needs_monitoring = pytest.mark.skipif(not HAS_MONITORING, reason="a block needs the trace function there")

LIBRARY = """\
def choose(x):
    if x > 3:
        return "big"
    for i in range(x):
        if i and x:
            x += 0
    return "small"

def lend():
    first = yield
    second = yield
    if second:
        return 1
    return 2

def fail(x):
    y = 1 // x
    return y
"""

PRELUDE = """\
import sys, threading
import footfall, lib
from footfall.errors import FootfallError
capture = footfall.capture(source=["lib"])
def lines(new):
    assert all(path == lib.__file__ for path in new.lines) and len(new.lines) < 2
    return sorted(new.lines.get(lib.__file__, ()))
def branches(new):
    return sorted(new.branches.get(lib.__file__, ()))
"""


def _run(tmp_path: Path, program: str) -> str:
    (tmp_path / "lib.py").write_text(LIBRARY)
    (tmp_path / "work.py").write_text(PRELUDE + textwrap.dedent(program))
    done = subprocess.run(
        [sys.executable, "work.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


FOUR_THREADS = """
        seen = []
        def often():
            for x in (0, 1, 5):
                with capture as new:
                    lib.choose(x)
                seen.extend(lines(new))
        threads = [threading.Thread(target=often) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(sorted(set(seen)))
        """

CASES = {
    "each line and direction is new once": (
        """
        for x in (0, 0, 5, 2, 2):
            with capture as new:
                lib.choose(x)
            print(bool(new), lines(new), branches(new))
        """,
        "True [2, 4, 7] [(2, 4), (4, 7)]\nFalse [] []\nTrue [3] [(2, 3)]\n"
        "True [5, 6] [(4, 5), (5, 4), (5, 5), (5, 6)]\nFalse [] []\n",
    ),
    "what runs outside of blocks stays new": (
        """
        lib.choose(0)
        with capture as new:
            pass
        print(bool(new))
        lib.choose(0)
        with capture as new:
            lib.choose(0)
        print(lines(new))
        """,
        "False\n[2, 4, 7]\n",
    ),
    "calls share a series, names and sources divide it": (
        """
        def run(**options):
            with footfall.capture(source=["lib"], **options) as new:
                lib.choose(5)
            print(lines(new))
        run(), run(), run(series="other"), run()
        """,
        "[2, 3]\n[]\n[2, 3]\n[]\n",
    ),
    "a series sees what a closed one of another source left out": (
        """
        capture.close()
        for source in (["email"], ["lib"], ["email"], ["lib"]):
            with footfall.capture(source=source) as new:
                lib.choose(5)
            print(lines(new))
            footfall.capture(source=source).close()
        """,
        "[]\n[2, 3]\n[]\n[2, 3]\n",
    ),
    "nested blocks both have what is new": (
        """
        with capture as outer:
            lib.choose(5)
            with capture as inner:
                lib.choose(0)
            with capture as second:
                lib.choose(0)
        print(lines(outer), lines(inner), lines(second))
        """,
        "[2, 3, 4, 7] [4, 7] []\n",
    ),
    "a block keeps what it saw before an exception": (
        """
        try:
            with capture as new:
                lib.fail(0)
        except ZeroDivisionError:
            print(lines(new))
        with capture as new:
            lib.fail(1)
        print(lines(new))
        """,
        "[17]\n[18]\n",
    ),
    "generators go on within and between blocks": (
        """
        footfall.capture(source=["lib"]).close()
        work = lib.lend()
        next(work)
        capture = footfall.capture(source=["lib"])
        with capture as new:
            work.send(None)
        print(lines(new))
        def blocks():
            with footfall.capture(source=["lib"]) as new:
                yield new
                yield new
        held = blocks()
        outer = next(held)
        with capture as inner:
            held.close()
            lib.choose(5)
        print(lines(outer), lines(inner))
        """,
        "[11]\n[] [2, 3]\n",
    ),
    "a program may go on after its blocks as if there had been none": (
        """
        def often():
            for x in (0, 4, 1):
                with capture as new:
                    lib.choose(x)
                if new:
                    print(lines(new), branches(new))
        often()
        print(sys.gettrace())
        with capture as new:
            pass
        print(bool(new))
        """,
        "[2, 4, 7] [(2, 4), (4, 7)]\n[3] [(2, 3)]\n[5] [(4, 5), (5, 4)]\nNone\nFalse\n",
    ),
    "other threads count while a block is open": (
        """
        begin, done = threading.Event(), threading.Event()
        def work():
            begin.wait()
            lib.choose(0)
            done.set()
        thread = threading.Thread(target=work)
        thread.start()
        with capture as new:
            begin.set()
            done.wait()
        thread.join()
        print(lines(new))
        """
        + FOUR_THREADS,
        "[2, 4, 7]\n[3, 5]\n",
    ),
    "other tools that let all events come again change nothing": (
        """
        with capture as new:
            lib.choose(0)
        sys.monitoring.restart_events()
        with capture as new:
            lib.choose(0)
        print(bool(new))
        """,
        "False\n",
    ),
    "a module that is loaded again is not new": (
        """
        import importlib
        with capture as new:
            lib.choose(2)
        importlib.reload(lib)
        with capture as new:
            lib.choose(2)
        print(bool(new))
        """,
        "False\n",
    ),
    "a closed series gives its tool back and begins anew": (
        """
        tools = lambda: [sys.monitoring.get_tool(i) for i in range(6)].count("footfall-capture")
        with capture as new:
            lib.choose(5)
        before = tools()
        capture.close()
        capture.close()
        print(before, tools())
        try:
            capture.__enter__()
        except FootfallError as error:
            print(error.slug)
        with footfall.capture(source=["lib"]) as new:
            lib.choose(5)
        print(lines(new))
        """,
        "1 0\ncapture-closed\n[2, 3]\n",
    ),
    "without a free tool there is an error": (
        """
        try:
            for n in range(7):
                footfall.capture(series=str(n))
        except FootfallError as error:
            print(n, error.slug)
        """,
        "5 capture-no-tool\n",
    ),
}


BY_PROBES = {
    "each line and direction is new once": (
        CASES["each line and direction is new once"][0],
        "True [2, 4, 7] [(2, 4), (4, 7)]\nFalse [] []\nTrue [3] [(2, 3)]\n"
        "True [5, 6] [(4, 5), (5, 4), (5, 6)]\nFalse [] []\n",  # within a line nothing is known of branches
    ),
    "other tools that let all events come again change nothing": (
        """
        def trace(frame, event, arg):
            return trace
        sys.settrace(trace)
        with capture as new:
            lib.choose(5)
        print(lines(new), sys.gettrace() is trace)
        try:
            footfall.capture(source=["lib"], series="traced").__enter__()
        except FootfallError as error:
            print(error.slug, sys.gettrace() is trace)
        """,
        "[2, 3] True\ncapture-traced True\n",
    ),
    "a closed series gives its tool back and begins anew": (
        """
        with capture as new:
            lib.choose(5)
            capture.close()
            lib.choose(0)
        print(sys.gettrace(), lines(new))
        try:
            capture.__enter__()
        except FootfallError as error:
            print(error.slug)
        with footfall.capture(source=["lib"]) as new:
            lib.choose(5)
        print(lines(new))
        """,
        "None [2, 3]\ncapture-closed\n[2, 3]\n",
    ),
    "without a free tool there is an error": (
        """
        for n in range(7):
            with footfall.capture(source=["lib"], series=str(n)) as new, capture as other:
                lib.choose(5)
            print(lines(new), lines(other))
        """,
        "[2, 3] [2, 3]\n" + 6 * "[2, 3] []\n",
    ),
}
"""What is otherwise where there are no events of branches."""


@pytest.mark.parametrize("name", CASES)
def test_blocks_return_what_is_new(name, tmp_path):
    """In a process that is not measured."""
    is_by_probes = not HAS_BRANCH_EVENTS and not (HAS_MONITORING and "other tools" in name)
    program, expected = BY_PROBES.get(name, CASES[name]) if is_by_probes else CASES[name]
    assert _run(tmp_path, program) == expected


@pytest.mark.skipif(HAS_BRANCH_EVENTS or not HAS_MONITORING, reason="one way alone is there")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("each line and direction is new once", BY_PROBES),
        ("a closed series gives its tool back and begins anew", CASES),
        ("without a free tool there is an error", CASES),
    ],
)
def test_beside_a_tracer_blocks_return_the_same_by_events(name, expected, tmp_path):
    """It would see the probes; branches are those that probes know."""
    begin = """
        sys.settrace(lambda *event: None)
        capture.close()
        capture = footfall.capture(source=["lib"])
        """
    assert _run(tmp_path, begin + CASES[name][0]) == expected[name][1]


@pytest.mark.parametrize(
    "engine",
    ["", pytest.param("settrace", marks=needs_monitoring)],
    ids=["default engine", "settrace"],
)
def test_a_measured_process_captures_the_same_and_is_measured_the_same(engine, tmp_path, footfall):
    """The blocks' results are those of a bare process; the run's data is that without blocks."""
    program = """
    import contextlib
    if "without" in sys.argv:
        capture = contextlib.nullcontext(footfall.Captured())
    for number, x in enumerate((0, 0, 5, 2)):
        with footfall.context(f"example {number}"), capture as new:
            lib.choose(x)
        print(lines(new), branches(new))
    """
    (tmp_path / "lib.py").write_text(LIBRARY)
    (tmp_path / "work.py").write_text(PRELUDE + textwrap.dedent(program))
    outputs, data = [], []
    for arguments in ((), ("without",)):
        env = {**os.environ, "FOOTFALL_ENGINE": engine}
        done = footfall("run", "--quiet", "--source=lib", "work.py", *arguments, env=env)
        assert (done.returncode, done.stderr) == (0, "")
        outputs.append(done.stdout)
        with contextlib.closing(sqlite3.connect(tmp_path / ".coverage")) as file:
            rows = "select path, context, fromno, tono from arc join file on file.id = file_id"
            data.append(sorted(file.execute(f"{rows} join context on context.id = context_id")))
    assert outputs[0].splitlines()[:3] == ["[2, 4, 7] [(2, 4), (4, 7)]", "[] []", "[3] [(2, 3)]"]
    assert data[0] == data[1]
    assert {context for _, context, _, _ in data[0]} == {"", *(f"example {number}" for number in range(4))}


def test_hypothesis_inside_and_around(tmp_path):
    """Hypothesis's own tool and its restarts leave the series right."""
    pytest.importorskip("hypothesis")
    output = _run(
        tmp_path,
        """
        from hypothesis import given, settings, strategies
        found = []
        @settings(max_examples=60, database=None, deadline=None, derandomize=True)
        @given(strategies.integers(0, 9))
        def check(x):
            with capture as new:
                lib.choose(x)
            found.extend(lines(new))
        check()
        check()
        print(sorted(found))
        """,
    )
    assert output == "[2, 3, 4, 5, 6, 7]\n"


@pytest.mark.skipif(not HAS_CORE or sys.version_info < (3, 14), reason="captures use probes there, or take what comes")
def test_code_that_jumps_within_its_line_has_no_events_left(tmp_path) -> None:
    """Places that never send an event are removed, in a process that nothing else measures, too: else each pass costs."""
    (tmp_path / "library.py").write_text("def pick(x, y):\n    return (1 if x else 2) + (3 if y else 4)\n")
    program = """
import opcode, footfall, library
def n_watched():
    code = library.pick.__code__._co_code_adaptive
    return list(code[::2]).count(opcode.opmap["INSTRUMENTED_LINE"])
series = footfall.capture()
for x, y in ((0, 1), (1, 0)):
    with series as new:
        library.pick(x, y)
    print(len(new.lines), n_watched())
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("1 0\n0 0\n", "")


@pytest.mark.skipif(not HAS_BRANCH_EVENTS, reason="before, a series on probes begins: that takes too long for so many")
def test_threads_go_on_while_others_end_their_series(tmp_path: Path) -> None:
    """A thread in the middle of anything sees no error of ours but `capture-closed`, tools are given back, blocks are right."""
    output = _run(
        tmp_path,
        """
        import itertools
        if sys.implementation.name == "cpython":
            sys.setswitchinterval(1e-6)  # threads take turns within what the series do
        numbers, errors, over = itertools.count(), [], threading.Event()
        def work():
            while not over.is_set():
                space = {}
                try:
                    with footfall.capture(source=["."]) as new:
                        exec(compile("def f(x):\\n    return x if x else 2\\n", f"new{next(numbers)}.py", "exec"), space)
                        space["f"](1)
                        lib.choose(1)
                except FootfallError as error:
                    if error.slug != "capture-closed":
                        errors.append(repr(error))
                except Exception as error:
                    errors.append(repr(error))
        def end():
            for _ in range(40):
                footfall.capture(source=["."]).close()
        workers = [threading.Thread(target=work) for _ in range(2)]
        ends = [threading.Thread(target=end) for _ in range(2)]
        for thread in workers + ends:
            thread.start()
        for thread in ends:
            thread.join()
        over.set()
        for thread in workers:
            thread.join()
        print(errors[:3])
        footfall.capture(source=["."]).close()
        with capture as new:
            lib.choose(5)
        print(lines(new) == lines(new) != [])
        """,
    )
    assert output == "[]\nTrue\n"


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="elsewhere nobody counts a tuple's references")
def test_a_series_that_begins_leaves_alone_what_other_threads_make(tmp_path: Path) -> None:
    """A tuple that a thread is filling from a generator is among the collector's objects, and fails if anyone holds it."""
    output = _run(
        tmp_path,
        """
        def slowly():
            for number in range(40):
                yield number
        errors, made, over = [], 0, threading.Event()
        def work():
            global made
            while not over.is_set():
                try:
                    made += tuple(slowly()) == tuple(range(40))
                except BaseException as error:
                    errors.append(repr(error))
        worker = threading.Thread(target=work)
        worker.start()
        sys.setswitchinterval(1e-5)
        for _ in range(10):
            footfall.capture(source=["."]).close()
        over.set()
        worker.join()
        print(errors[:1], made > 0)
        """,
    )
    assert output == "[] True\n"
