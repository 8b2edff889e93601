"""Captures by probes (CPython 3.11 to 3.13, PyPy): functions that exist already, code that must keep its own, other scopes."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest

from exact_captures import compare_captures
from footfall.observe.capture import tracing
from programs.generated import generate_program

HAS_MONITORING = hasattr(sys, "monitoring")
pytestmark = pytest.mark.skipif(
    HAS_MONITORING and hasattr(sys.monitoring.events, "BRANCH_LEFT"), reason="sys.monitoring is used there"
)

LIBRARY = """\
import functools

def traced(function):
    @functools.wraps(function)
    def inside(*args):
        return function(*args)
    return inside

class Thing:
    def method(self, x):
        if x:
            return 1
        return 2

    @staticmethod
    def static():
        return 3

    @property
    def value(self):
        return 4

    @traced
    def decorated(self):
        return 5

def outer(n):
    def inner(x):
        return [y for y in range(x) if y > n]
    return inner

def steps(n):
    yield n
    if n:
        n += 1
    yield n

made = outer(1)
begun = steps(1)
next(begun)
table = {"key": lambda x: x or
    0}
"""

PRELUDE = """\
import sys
import footfall, lib
def lines(new):
    return sorted(new.lines.get(lib.__file__, ()))
def branches(new):
    return sorted(new.branches.get(lib.__file__, ()))
def is_traced():
    return sys.gettrace() is not None
"""


def _run(directory: Path, program: str, *command: str) -> subprocess.CompletedProcess[str]:
    (directory / "lib.py").write_text(LIBRARY)
    (directory / "work.py").write_text(PRELUDE + textwrap.dedent(program))
    command = command or (sys.executable, "work.py")
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done


CASES = {
    "methods, closures and functions in containers": (
        """
        capture = footfall.capture(source=["lib"])
        lib.begun.close()
        thing = lib.Thing()
        for function in (
            lambda: thing.method(1), lib.Thing.static, lambda: thing.value, thing.decorated, lambda: lib.made(3),
            lambda: lib.table["key"](1), lambda: thing.method(0),
        ):
            with capture as new:
                function()
                traced = is_traced()
            print(lines(new), branches(new), traced)
        """,
        "[11, 12] [(11, 12)] False\n[17] [] False\n[21] [] False\n[6, 25] [] False\n[29] [] False\n[41] [] False\n"
        "[13] [(11, 13)] False\n",
    ),
    "a generator that had begun is traced while it lives, or seen by events": (
        """
        capture = footfall.capture(source=["lib"])
        with capture as new:
            next(lib.begun)
            traced = is_traced()
        print(lines(new), branches(new), traced)
        next(lib.begun, None)
        with capture as new:
            list(lib.steps(0))
            traced = is_traced()
        print(lines(new), branches(new), traced)
        """,
        "[34, 35, 36] [(34, 35)] False\n[33] [(34, 36)] False\n".replace("False", str(not HAS_MONITORING), 1),
    ),
    "what is loaded by compile and exec": (
        """
        capture = footfall.capture(source=["lib"])
        lib.begun.close()
        with open(lib.__file__) as file:
            text = file.read()
        with capture as new:
            namespace = {"__name__": "lib", "__file__": lib.__file__}
            exec(compile(text, lib.__file__, "exec"), namespace)
        print(lines(new)[:3])
        with capture as new:
            namespace["Thing"].static()
        print(lines(new), is_traced())
        """,
        "[1, 3, 4]\n[17] False\n",
    ),
    "all that a block executes, and its numbers": (
        """
        capture, news = footfall.capture(source=["lib"], full=True), footfall.capture(source=["lib"])
        lib.begun.close()
        thing = lib.Thing()
        seen = []
        for x in (1, 1, 0):
            with capture as everything, news as new:
                thing.method(x)
                with capture as inner:
                    thing.method(x)
            seen.append(everything.ids)
            print(lines(everything), branches(everything), lines(inner), lines(new))
        print(seen[0] == seen[1], len(seen[0]), len(seen[0] & seen[2]), all(0 <= number < 2**63 for number in seen[2]))
        """,
        "[11, 12] [(11, 12)] [11, 12] [11, 12]\n[11, 12] [(11, 12)] [11, 12] []\n[11, 13] [(11, 13)] [11, 13] [13]\n"
        "True 3 1 True\n",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_functions_that_exist_have_probes(name, tmp_path):
    """Nothing is traced that can have probes."""
    program, expected = CASES[name]
    done = _run(tmp_path, program)
    assert (done.stdout, done.stderr) == (expected, "")


def test_the_code_that_opens_blocks_counts(tmp_path):
    """The script's own frame runs when the series begins: it is traced, and what it defines later is seen as well."""
    program = """
    capture = footfall.capture(source=["."])
    lib.begun.close()
    def later(x):
        if x:
            return 1
        return 2
    for x in (0, 1, 1):
        with capture as new:
            y = later(x)
        print(sorted(new.lines.get(__file__, ())), sorted(new.branches.get(__file__, ())))
    """
    assert _run(tmp_path, program).stdout == ("[13, 15, 17, 18] [(13, 15)]\n[14] [(13, 14)]\n[] []\n")


def test_code_of_another_text_is_traced_and_reported(tmp_path):
    """The file was changed after it was loaded: what ran is said by its lines, and that by a message."""
    program = """
    with open(lib.__file__) as file:
        text = file.read()
    with open(lib.__file__, "w") as file:
        file.write(text.replace("return 3", "return 7"))
    capture = footfall.capture(source=["lib"])
    with capture as new:
        print(lib.Thing.static())
    print(lines(new))
    """
    done = _run(tmp_path, program)
    assert done.stdout == "3\n[17]\n"
    assert done.stderr.count("[code-from-elsewhere]") == (not HAS_MONITORING)  # events need no text


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy compiles what it runs often")
def test_functions_that_exist_are_called_as_quickly_as_before(tmp_path):
    """The interpreter specializes calls of them, but not of a function whose defaults were set: it has to look at these."""
    done = _run(
        tmp_path,
        """
        import dis
        def simple(a):
            return a
        def changed(a, b=1):
            return a + b
        changed.__defaults__ = (2,)
        def call():
            for i in range(50):
                simple(i)
        def call_changed():
            for i in range(50):
                changed(i)
            return changed(1)
        call(), call_changed()
        with footfall.capture(source=["."]) as new:
            call(), call_changed()
        call()
        changed.__defaults__ = (3,)
        print(len(new.lines), call_changed())
        print([each.opname for each in dis.get_instructions(call, adaptive=True) if "CALL" in each.opname][-1])
        """,
    )
    assert done.stdout == "1 4\nCALL_PY_EXACT_ARGS\n"


def test_a_second_series_takes_the_probes_of_the_first(tmp_path):
    """Also in functions that running code makes again: their code is no other than the file's."""
    program = """
    for _ in range(2):
        capture = footfall.capture()
        def made():
            return lib.Thing.static()
        with capture as new:
            made()
        print(len(new.lines) > 0)
        capture.close()
    """
    done = _run(tmp_path, program)
    assert (done.stdout, done.stderr) == ("True\nTrue\n", "")


def test_a_measured_process_captures_other_files(tmp_path):
    """Files that the run does not measure, loaded before and after, by captures alone."""
    (tmp_path / "own.py").write_text(
        "import footfall, lib, sys\n"
        + textwrap.dedent("""\
        capture = footfall.capture(source=["."])
        lib.begun.close()
        with capture as new:
            lib.Thing.static()
            import more
        found = {path.rpartition("/")[2]: sorted(lines) for path, lines in new.lines.items()}
        print(found["lib.py"], found["more.py"])
        """)
    )
    (tmp_path / "more.py").write_text("a = 1\nif a:\n    b = 2\n")
    command = [os.path.join(os.path.dirname(sys.executable), "footfall"), "run", "--quiet", "--source=own", "own.py"]
    assert _run(tmp_path, "", *command).stdout == "[17] [1, 2, 3]\n"


def test_random_programs_as_the_trace_function():
    """Lines and branches of each block are those that the trace function finds."""
    programs = {f"program_{seed}": generate_program(seed) for seed in range(700, 706)}
    assert compare_captures(programs, is_full=False, when="before") == {}
    assert compare_captures(programs, is_full=True, when="within") == {}


def test_frames_of_extensions_are_passed_over() -> None:
    """Cython's line tracing calls the trace function of its frames for each line, also where it is None."""
    stand_in = compile("", "made_by_cython.py", "exec").replace(co_consts=())
    frame = SimpleNamespace(f_code=stand_in, f_globals={}, f_lineno=1, f_lasti=-1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracing.Tracing, "_watching", (object(),))
        assert tracing._trace(frame, "call", None)(frame, "line", None) is None
