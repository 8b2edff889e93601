"""coverage.py's `dynamic_context = test_function`: functions named test* begin contexts, under every engine."""

import os
import pathlib
import subprocess
import sys

import pytest
from coverage import CoverageData

from footfall.pythons import HAS_PROBES
from footfall.tier import HAS_CORE

IS_PYPY = sys.implementation.name == "pypy"

HELPER = "def work(n):\n" + "".join(f"    if n == {n}:\n        return {n}\n" for n in range(50)) + "    return 0\n"

OUTSIDE = """\
import helper

def test_outside(n):
    helper.work(n)

def fixture(n):
    helper.work(n)
"""

PROGRAM = """\
import asyncio, contextlib, importlib, sys, threading, unittest
import helper, outside

def test_plain():
    helper.work(1)

def test_outer():
    test_inner()
    helper.work(2)

def test_inner():
    helper.work(3)

def test_raises():
    helper.work(4)
    raise ValueError

def test_generator():
    yield helper.work(5)
    try:
        yield helper.work(6)
    finally:
        helper.work(7)

async def test_coroutine():
    helper.work(8)
    await asyncio.sleep(0)
    helper.work(9)

async def other():
    for _ in range(4):
        helper.work(10)
        await asyncio.sleep(0)

class TestBase(unittest.TestCase):
    def setUp(self):
        helper.work(11)
    def test_base(self):
        helper.work(12)
    @staticmethod
    def test_static():
        helper.work(13)
    @classmethod
    def test_class(cls):
        helper.work(14)
    def test_closes(self):
        function = lambda: self
        helper.work(15)
    @contextlib.contextmanager
    def test_manager(self):
        function = lambda: self
        helper.work(16)
        yield
        function()
        helper.work(17)

class TestSub(TestBase):
    def test_sub(self):
        helper.work(18)
    def runTest(self):
        helper.work(19)

class Odd:
    def __getattr__(self, name):
        raise KeyError(name)
    def call(self):
        def test_odd(self):
            helper.work(20)
        with contextlib.suppress(KeyError):
            test_odd(self)

def nested():
    def test_local():
        helper.work(21)
    test_local()

def threads(n):
    may_run = threading.Event()
    def target():
        may_run.wait()
        helper.work(n)
        test_in_thread()
        helper.work(n + 1)
    thread = threading.Thread(target=target)
    thread.start()
    may_run.set(), thread.join()

def test_in_thread():
    helper.work(23)

def test_with_thread():
    threads(25)

def recurse(n):
    return recurse(n - 1) if n else test_plain()

test_plain()
test_outer()
with contextlib.suppress(ValueError):
    test_raises()
for _ in test_generator():
    helper.work(28)
thrown = test_generator()
next(thrown), next(thrown)
helper.work(29)
with contextlib.suppress(KeyError):
    thrown.throw(KeyError)

async def main():
    await asyncio.gather(test_coroutine(), other())

asyncio.run(main())
case = TestSub()
case.test_static()
case.test_class()
with case.test_manager():
    helper.work(30)
TestSub.test_class()
unittest.TextTestRunner(stream=open("/dev/null", "w")).run(unittest.defaultTestLoader.loadTestsFromTestCase(TestSub))
case.runTest()
nested()
threads(32)
test_with_thread()
outside.test_outside(34)
outside.fixture(35)
recurse(800)
helper.work(36)
"""

SETTINGS = "[run]\nbranch = {branch}\ndynamic_context = test_function\nomit = outside.py\n"


def _write(directory: pathlib.Path, branch: bool) -> None:
    (directory / ".coveragerc").write_text(SETTINGS.format(branch=branch))
    for name, text in {"helper": HELPER, "outside": OUTSIDE, "main": PROGRAM}.items():
        (directory / f"{name}.py").write_text(text)


def _lines_by_context(data_file: pathlib.Path) -> dict[tuple[str, str], set[int]]:
    data = CoverageData(str(data_file))
    data.read()
    found = {}
    for context in data.measured_contexts():
        data.set_query_context(context)
        for path in data.measured_files():
            lines = set(data.lines(path) or ())
            if lines:
                found[context, os.path.basename(path)] = lines
    return found


@pytest.mark.parametrize(
    "engine, branch",
    [("", True), ("", False), ("settrace", True)],
    ids=["default engine", "default engine for lines", "settrace"],
)
def test_contexts_are_those_of_coverage(engine, branch, tmp_path, footfall):
    """Their names and their lines: methods of subclasses, generators, coroutines, threads, tests within tests,
    exceptions, and tests in files that are not measured."""
    if IS_PYPY and not engine:
        pytest.skip("that is settrace there")
    _write(tmp_path, branch)
    core = "pytrace" if IS_PYPY else "ctrace"
    environment = {**os.environ, "COVERAGE_CORE": core, "COVERAGE_FILE": ".theirs"}
    command = [sys.executable, "-m", "coverage", "run", "main.py"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=60)
    done = footfall("run", "-q", "--no-profile", "main.py", env={**os.environ, "FOOTFALL_ENGINE": engine})
    assert done.returncode == 0, done.stderr
    theirs = _lines_by_context(tmp_path / ".theirs")
    ours = _lines_by_context(tmp_path / ".coverage")
    assert ("__main__.TestSub.runTest", "helper.py") in theirs
    assert ("outside.test_outside", "helper.py") in theirs
    if (
        not engine and HAS_PROBES and HAS_CORE
    ):  # they do not repeat the line at which a caller waits while contexts change
        theirs["", "main.py"].discard(PROGRAM.splitlines().index("    threads(25)") + 1)
    differing = {key: (ours.get(key), theirs.get(key)) for key in ours | theirs if ours.get(key) != theirs.get(key)}
    assert differing == {}


TESTS = """\
import subprocess, sys, unittest, helper, pytest

@pytest.fixture
def two():
    return helper.work(2)

def test_fixture(two):
    helper.work(3)

class TestOwn(unittest.TestCase):
    def test_unit(self):
        helper.work(4)

@pytest.mark.no_cover
def test_uncovered():
    helper.work(5)
"""


def test_under_pytest(tmp_path, footfall):
    """A context is that of the function, without its fixtures; pytest-cov's marker keeps its meaning."""
    if IS_PYPY:
        pytest.skip("settrace does the same there")
    _write(tmp_path, branch=True)
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--cov=.", "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "dynamic-conflict" not in done.stdout + done.stderr
    found = _lines_by_context(tmp_path / ".coverage")
    contexts = {context for context, _ in found}
    assert contexts == {"", "test_it.test_fixture", "test_it.TestOwn.test_unit"}
    assert found["test_it.test_fixture", "helper.py"] == {2, 4, 6, 8, 9}
    assert 7 in found["", "helper.py"]


@pytest.mark.any_python
def test_other_contexts_at_the_same_time_are_named(tmp_path, footfall):
    """They end where a test function returns, as with coverage.py, which the user is told."""
    _write(tmp_path, branch=False)
    (tmp_path / "main.py").write_text(
        "import footfall, helper\n"
        "def test_it(): helper.work(1)\n"
        "footfall.switch_context('mine')\nhelper.work(2)\ntest_it()\nhelper.work(3)\n"
    )
    done = footfall("run", "-q", "--no-profile", "main.py")
    assert done.stderr.count("[dynamic-conflict]") == 1
    found = _lines_by_context(tmp_path / ".coverage")
    assert 7 in found["mine", "helper.py"]
    assert 5 in found["__main__.test_it", "helper.py"]
    assert 9 in found["", "helper.py"] and 9 not in found["mine", "helper.py"]


@pytest.mark.any_python
def test_another_word_is_refused(tmp_path, footfall):
    """As by coverage.py; `none` is one that it knows."""
    (tmp_path / "main.py").write_text("a = 1\n")
    (tmp_path / ".coveragerc").write_text("[run]\ndynamic_context = none\n")
    assert footfall("run", "-q", "--no-profile", "main.py").returncode == 0
    (tmp_path / ".coveragerc").write_text("[run]\ndynamic_context = tests\n")
    done = footfall("run", "main.py")
    assert done.returncode == 2
    assert "Don't understand dynamic_context setting: 'tests'" in done.stderr


PLUGIN = """\
from coverage import CoveragePlugin

class Steps(CoveragePlugin):
    def __init__(self, prefix):
        self.prefix = prefix

    def dynamic_context(self, frame):
        name = frame.f_code.co_name
        if name == "step_failing":
            1 / 0
        if name.startswith("step_"):
            return f"{self.prefix}{name}({frame.f_locals.get('n')})"

def coverage_init(registry, options):
    registry.add_dynamic_context(Steps(options["prefix"]))
"""

STEPS = """\
import asyncio, helper, sys, threading

def step_one(n):
    helper.work(n)
    step_two(3)

def step_two(n):
    helper.work(n)

def step_many(n):
    yield helper.work(5)
    yield helper.work(6)

async def step_waiting(n):
    helper.work(7)
    await asyncio.sleep(0)
    helper.work(8)

def test_first():
    helper.work(9)
    step_one(10)

def step_failing():
    helper.work(14)

step_one(1)
for _ in step_many(1):
    helper.work(11)
asyncio.run(step_waiting(3))
test_first()
may_run = threading.Event()
thread = threading.Thread(target=lambda: (may_run.wait(), step_two(12)))
thread.start()
may_run.set(), thread.join()
helper.work(13)
if "failing" in sys.argv:
    step_failing()
    step_two(15)
"""


def test_contexts_of_plugins_are_those_of_coverage(tmp_path, footfall):
    """A plugin is asked of each frame outside of a context, behind `test_function`; one that fails is named, once."""
    _write(tmp_path, branch=True)
    settings = SETTINGS.format(branch=True) + "plugins = steps\n[steps]\nprefix = at:\n"
    (tmp_path / ".coveragerc").write_text(settings)
    (tmp_path / "steps.py").write_text(PLUGIN)
    (tmp_path / "main.py").write_text(STEPS)
    environment = {**os.environ, "COVERAGE_CORE": "pytrace" if IS_PYPY else "ctrace", "COVERAGE_FILE": ".theirs"}
    command = [sys.executable, "-m", "coverage", "run", "main.py"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=60)
    done = footfall("run", "-q", "--no-profile", "main.py")
    assert done.stderr.count("\n") == done.stderr.count("settrace]") == 1
    ours = _lines_by_context(tmp_path / ".coverage")
    assert ours == _lines_by_context(tmp_path / ".theirs")
    contexts = {context for context, _ in ours}
    steps = {"at:step_one(1)", "at:step_many(1)", "at:step_waiting(3)", "at:step_two(12)"}
    assert contexts == {"", "__main__.test_first", *steps}
    done = footfall("run", "-q", "--no-profile", "main.py", "failing")
    assert done.returncode == 0
    assert done.stderr.count("[plugin-failed]") == done.stderr.count("ZeroDivisionError") == 1
    assert "at:step_two(15)" not in {context for context, _ in _lines_by_context(tmp_path / ".coverage")}


DEEP = """\
import sys, threading

def recurse(n=0):
    global most
    most = n
    recurse(n + 1)

def count(n):
    return count(n - 1) if n else 0

try:
    recurse()
except RecursionError as error:
    print(most, error)
sys.setrecursionlimit(60_000)
print(count(50_000))
threading.stack_size(64 * 1024)
thread = threading.Thread(target=lambda: print(count(3_000)))
thread.start()
thread.join()
"""


@pytest.mark.skipif(not HAS_CORE, reason="a trace function in Python needs some levels itself")
def test_recursion_goes_as_deep_as_without(tmp_path, footfall):
    """Also where the program has a higher limit, or a small stack."""
    _write(tmp_path, branch=True)
    (tmp_path / "main.py").write_text(DEEP)
    bare = subprocess.run([sys.executable, "main.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    done = footfall("run", "-q", "--no-profile", "main.py")
    assert (done.returncode, done.stdout, done.stderr) == (bare.returncode, bare.stdout, bare.stderr)
