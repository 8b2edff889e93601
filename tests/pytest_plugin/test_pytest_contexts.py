"""Which test ran which line, and where each test's time went: labels by test and phase, also by workers and in loops."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

from footfall.record.data.coverage_tables import read_lines_by_context
from footfall.record.data.profile_tables import read_profile

IS_CPYTHON = sys.implementation.name == "cpython"
IS_LABELLED = IS_CPYTHON  # PyPy's sampler knows no labels

LIBRARY = '''
"""Doctests count as well.

>>> double(2)
4
"""


def double(number):
    found = number
    found += number
    return found


def half(number):
    if number % 2:
        raise ValueError(number)
    return number // 2


def spin(seconds):
    import time
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
'''
TESTS = """
import asyncio
import threading
import unittest

import pytest

import library


@pytest.fixture(scope="module")
def shared():
    made = library.double(1)
    yield made
    library.half(made)


@pytest.fixture
def own():
    yield library.half(4)
    library.double(4)


def test_plain(shared):
    assert library.double(shared) == 4


def test_own(own, shared):
    assert library.half(own) == 1


@pytest.mark.parametrize("text", ["a|b", "x y", "[z]", "\\u00e9", "a\\nb", "", "|run"])
def test_odd(text):
    assert library.double(text) == 2 * text


class TestOld(unittest.TestCase):
    def setUp(self):
        self.made = library.double(3)

    def tearDown(self):
        library.half(self.made)

    def test_subtests(self):
        for number in (2, 4):
            with self.subTest(number=number):
                self.assertEqual(library.half(number), number / 2)


class TestNew:
    def test_fails(self):
        library.half(3)

    @pytest.mark.skip
    def test_skipped(self):
        library.double(3)


def test_thread():
    thread = threading.Thread(target=library.double, args=(1,))
    thread.start()
    thread.join()


def test_loop():
    async def work(number):
        await asyncio.sleep(0)
        return library.half(number)

    async def main():
        return await asyncio.gather(work(2), work(4))

    assert asyncio.run(main()) == [1, 2]
"""
# what pytest-cov does for --cov-context=test, in short
COVERAGE_PLUGIN = """
import coverage
measured = coverage.Coverage(source=["."], branch=True, config_file=False, data_file="theirs.data")
measured.start()
class Labels:
    def pytest_runtest_setup(self, item): measured.switch_context(item.nodeid + "|setup")
    def pytest_runtest_call(self, item): measured.switch_context(item.nodeid + "|run")
    def pytest_runtest_teardown(self, item): measured.switch_context(item.nodeid + "|teardown")
def pytest_sessionstart(session): session.config.pluginmanager.register(Labels())
def pytest_sessionfinish():
    measured.stop()
    measured.save()
"""


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "library.py").write_text(LIBRARY[1:], encoding="utf-8")
    (tmp_path / "test_all.py").write_text(TESTS[1:], encoding="utf-8")
    return tmp_path


def run_pytest(project: pathlib.Path, *arguments: str, plugins: tuple[str, ...] = (), **extra: str) -> str:
    """Run pytest with our plugin and those named; return what it printed."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONHASHSEED": "0", **extra}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    for plugin in ("footfall.pytest_plugin", *plugins):
        command += ["-p", plugin]
    done = subprocess.run([*command, *arguments], cwd=project, env=environment, text=True, capture_output=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def table(data: pathlib.Path) -> dict[str, set[tuple[str, int]]]:
    """By label, without "": which (file, line) ran."""
    found: dict[str, set[tuple[str, int]]] = {}
    for path, by_label in read_lines_by_context(data).items():
        for label, lines in by_label.items():
            if label and lines and not path.endswith("theirs.py"):
                found.setdefault(label, set()).update((os.path.basename(path), line) for line in lines)
    return found


def test_contexts_are_those_of_the_c_tracer(project):
    """Fixtures of every scope, unittest, subtests, doctests, threads, loops, odd names: line for line, by phase."""
    run_pytest(project, "--footfall", "--footfall-source=.", "--footfall-context=test", "--doctest-modules")
    (project / "theirs.py").write_text(COVERAGE_PLUGIN)
    core = {"COVERAGE_CORE": "ctrace"} if IS_CPYTHON else {}
    run_pytest(project, "--doctest-modules", plugins=("theirs",), PYTHONPATH=str(project), **core)
    ours, theirs = table(project / ".coverage"), table(project / "theirs.data")
    assert ours.keys() == theirs.keys()
    differing = {(label, *place) for label in ours for place in ours[label] ^ theirs[label]}
    assert differing == set()
    assert ("library.py", 9) in ours["test_all.py::test_plain|run"]
    assert ("library.py", 9) in ours["test_all.py::test_own|teardown"]
    assert "library.py::library|run" in ours and "test_all.py::test_odd[a|b]|run" in ours


@pytest.mark.any_python
def test_the_profile_is_by_test_at_no_cost(project, footfall):
    """Under `footfall run pytest`, without any option: samples have their test, coverage has one context."""
    (project / "test_all.py").write_text(
        "import library\ndef test_long(): library.spin(0.6)\ndef test_short(): library.spin(0.2)\n"
    )
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "footfall.pytest_plugin", "-p", "no:cacheprovider"]
    done = footfall("run", "-q", "--source=.", *command, cwd=project, env=environment)
    assert done.returncode == 0, done.stderr
    assert table(project / ".coverage") == {}
    profile = read_profile(project / ".coverage")
    assert profile is not None
    cpu_ns: dict[str, int] = {}
    for cost in profile.costs:
        cpu_ns[cost.context] = cpu_ns.get(cost.context, 0) + cost.cpu_ns
    if not IS_LABELLED:
        assert cpu_ns.keys() == {""}
        return
    assert cpu_ns.keys() == {"", "test_all.py::test_long", "test_all.py::test_short"}
    assert cpu_ns["test_all.py::test_long"] > cpu_ns["test_all.py::test_short"]
    shown = footfall("report", "--by", "test", cwd=project).stdout
    names = [line.split()[-1] for line in shown.splitlines() if "::" in line]
    assert names == ["test_all.py::test_long", "test_all.py::test_short"]
    assert "library.py:22" in shown or "library.py:23" in shown


@pytest.mark.any_python
@pytest.mark.skipif(importlib.util.find_spec("xdist") is None, reason="needs pytest-xdist")
def test_workers_label_their_own_tests(project):
    """Under pytest-xdist each worker follows its tests; the controller, which sees their reports, none."""
    run_pytest(project, "--footfall", "--footfall-source=.", "--footfall-context=test", "--footfall-data-file=one.data")
    stdout = run_pytest(project, "--cov=.", "--cov-context=test", "--cov-branch", "-n", "2", plugins=("xdist.plugin",))
    assert "TOTAL" in stdout and "bringing up nodes" in stdout
    alone, workers = table(project / "one.data"), table(project / ".coverage")

    def runs(found):
        return {label: places for label, places in found.items() if label.endswith("|run")}

    assert runs(workers) == runs(alone)
    assert workers.keys() >= alone.keys() - {label for label in alone if label.endswith("|teardown")}


@pytest.mark.skipif(importlib.util.find_spec("pytest_asyncio") is None, reason="needs pytest-asyncio")
@pytest.mark.parametrize("scope", ["function", "session"])
def test_coroutine_tests_have_their_lines(project, scope):
    """One loop for all tests or one for each: what a test awaits, and tasks it started, are its own."""
    (project / "pytest.ini").write_text(
        f"[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = {scope}\n"
        f"asyncio_default_test_loop_scope = {scope}\n"
    )
    (project / "test_all.py").write_text(
        "import asyncio, library\n"
        "async def half(number):\n    await asyncio.sleep(0)\n    return library.half(number)\n"
        "async def test_one():\n    assert await asyncio.create_task(half(2)) == 1\n"
        "async def test_two():\n    await asyncio.sleep(0)\n    assert library.double(2) == 4\n"
    )
    run_pytest(
        project, "--footfall", "--footfall-source=.", "--footfall-context=test",
        plugins=("pytest_asyncio.plugin",),
    )  # fmt: skip
    found = table(project / ".coverage")
    one, two = found["test_all.py::test_one|run"], found["test_all.py::test_two|run"]
    assert {("library.py", 15), ("library.py", 17), ("test_all.py", 4)} <= one
    assert {("library.py", 9), ("library.py", 11)} <= two
    assert {place for place in one & two if place[0] == "library.py"} == set()


def test_what_a_test_left_running_is_its_own(project):
    """A thread that goes on in the next test, and a child that it forks there; also lines that the next one runs too."""
    (project / "test_all.py").write_text(
        "import os, threading, warnings, library\n"
        "go, gone = threading.Event(), threading.Event()\n"
        "def work():\n"
        "    go.wait()\n"
        "    library.double(2)\n"
        "    warnings.simplefilter('ignore')\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        library.half(2)\n"
        "        os._exit(0)\n"
        "    os.waitpid(child, 0)\n"
        "    gone.set()\n"
        "def test_one():\n"
        "    threading.Thread(target=work).start()\n"
        "def test_two():\n"
        "    library.double(1)\n"
        "    go.set()\n"
        "    gone.wait()\n"
        "    library.double(1)\n"
    )
    run_pytest(project, "--footfall", "--footfall-source=.", "--footfall-context=test")
    found = table(project / ".coverage")
    one, two = (
        {line for name, line in found[f"test_all.py::{test}|run"] if name == "library.py"}
        for test in ("test_one", "test_two")
    )
    assert one == {9, 10, 11, 15, 17}
    assert two == {9, 10, 11}
    assert {("test_all.py", line) for line in (5, 9)} <= found["test_all.py::test_one|run"]
    assert ("test_all.py", 5) not in found["test_all.py::test_two|run"]


@pytest.mark.any_python
def test_a_session_within_a_test_changes_no_label(project):
    """A test may call pytest.main(): the labels stay the outer test's."""
    (project / "inner.py").write_text("import library\ndef test_inner(): library.double(1)\n")
    (project / "test_all.py").write_text(
        "import pytest, library\ndef test_outer():\n    assert pytest.main(['-q', 'inner.py']) == 0\n"
        "    library.half(2)\n"
    )
    run_pytest(project, "--footfall", "--footfall-source=.", "--footfall-context=test")
    found = table(project / ".coverage")
    assert found.keys() == {f"test_all.py::test_outer|{phase}" for phase in ("run",)}
    assert {("library.py", 9), ("library.py", 17), ("inner.py", 2)} <= found["test_all.py::test_outer|run"]


@pytest.mark.any_python
@pytest.mark.parametrize("arguments", [[], ["--cov-context=test"]], ids=["one context", "contexts"])
def test_no_cover_leaves_a_tests_call_out(project, arguments):
    """By marker and by fixture, with the processes that it starts; its fixtures count, and what other tests run."""
    (project / "test_all.py").write_text(
        "import pytest, library, subprocess, sys\n"
        "@pytest.fixture\ndef made(): return library.spin(0)\n"
        "@pytest.mark.no_cover\ndef test_marked(made): library.double(2)\n"
        "def test_fixture(no_cover):\n"
        "    subprocess.run([sys.executable, '-c', 'import library; library.double(2)'], check=True)\n"
        "def test_other(): library.half(2)\n"
    )
    stdout = run_pytest(project, "--cov=library", "--cov-report=term-missing", *arguments)
    (row,) = [line for line in stdout.splitlines() if line.startswith("library.py")]
    assert row.endswith("9-11, 16, 24"), row
    labels = set(table(project / ".coverage"))
    assert "footfall: uncovered" not in labels
    assert ("test_all.py::test_other|run" in labels) == bool(arguments)


@pytest.mark.any_python
def test_tests_that_are_collected_twice_run_once(project):
    """As by pytest-xdist's --looponfail, whose worker reports its collection a second time."""
    (project / "conftest.py").write_text(
        "import pytest\n"
        "@pytest.hookimpl(wrapper=True)\n"
        "def pytest_collection(session):\n"
        "    result = yield\n"
        "    session.config.hook.pytest_collection_finish(session=session)\n"
        "    return result\n"
    )
    (project / "test_all.py").write_text("import library\ndef test_one(): library.double(2)\n")
    run_pytest(project, "--cov=library", "--cov-context=test")
    assert "test_all.py::test_one|run" in set(table(project / ".coverage"))
