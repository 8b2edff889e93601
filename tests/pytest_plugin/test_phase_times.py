"""What a test takes is read off the clocks, phase by phase; no times are compared but those of intervals in each other."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

from footfall.observe.pure.phase_times import PhaseTimes as PurePhaseTimes
from footfall.record.data.test_times import read_test_times
from footfall.record.run.phase_times import PhaseTime, read_phase_times
from footfall.tier import HAS_CORE

CONFTEST = '''
import json, os, time
import pytest

WALL, CPU = time.perf_counter_ns, time.thread_time_ns


class Outer:
    """What lies around each phase, to be longer than it; for a test function, around the call of the function."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item):
        return (yield from self.timed(item, "setup"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item):
        return (yield from self.timed(item, "run" if type(item) is not pytest.Function else ""))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem):
        return (yield from self.timed(pyfuncitem, "run" if type(pyfuncitem) is pytest.Function else ""))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item):
        return (yield from self.timed(item, "teardown"))

    def timed(self, item, phase):
        start = WALL(), CPU()
        try:
            return (yield)
        finally:
            if phase:
                write("outer", f"{item.nodeid}|{phase}", start)


def write(which, label, start):
    wall, cpu = WALL() - start[0], CPU() - start[1]
    with open(f"{which}-{os.getpid()}", "a") as file:
        print(json.dumps([label, wall, cpu]), file=file)


def pytest_configure(config):
    config.pluginmanager.register(Outer())


class OwnItem(pytest.Function):
    def runtest(self):
        super().runtest()


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector, name, obj):
    return OwnItem.from_parent(collector, name=name) if name == "test_of_own_kind" else None


@pytest.fixture(autouse=True)
def spent(request):
    start = WALL(), CPU()
    spin()
    write("inner", f"{request.node.nodeid}|setup", start)
    yield
    start = WALL(), CPU()
    spin()
    write("inner", f"{request.node.nodeid}|teardown", start)


def spin():
    end = CPU() + 2_000_000
    while CPU() < end:
        pass


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    start = WALL(), CPU()
    spin()
    write("inner", f"{pyfuncitem.nodeid}|run", start)
'''
TESTS = """
import os, time, unittest
import pytest
class TestOfUnittest(unittest.TestCase):
    def test_it(self): pass
def test_of_own_kind(): pass
def test_plain(): pass
@pytest.mark.parametrize("text", ["a\\tb\\n", "c|d", "\\\\n"])
def test_odd(text): assert False
@pytest.fixture
def broken(): raise ValueError
def test_broken(broken): pass
def test_forked_child():
    if os.fork() == 0:
        os._exit(0)
    os.wait()
def test_without_clocks(monkeypatch):
    monkeypatch.setattr(time, "perf_counter_ns", lambda: 0)
    monkeypatch.setattr(time, "thread_time_ns", lambda: 0)
    monkeypatch.setattr(os, "getpid", lambda: 1)
"""


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS)
    return tmp_path


def _run(project: pathlib.Path, *arguments: str, plugins: tuple[str, ...] = ()) -> str:
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "footfall.pytest_plugin"]
    for plugin in plugins:
        command += ["-p", plugin]
    done = subprocess.run([*command, *arguments], cwd=project, env=environment, text=True, capture_output=True)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "test-times-lost" not in done.stderr
    return done.stdout


def _noted(project: pathlib.Path, which: str) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for path in project.glob(f"{which}-*"):
        for line in path.read_text().splitlines():
            label, wall, cpu = json.loads(line)
            before = found.get(label, (0, 0))
            found[label] = before[0] + wall, before[1] + cpu
    return found


def _check(project: pathlib.Path, times: dict[str, PhaseTime], n_times: int = 1) -> None:
    """Each phase takes no less than what is inside of it, and no more than what is around it, by both clocks."""
    inner, outer = _noted(project, "inner"), _noted(project, "outer")
    assert times.keys() == outer.keys()
    assert len(inner) >= 3 * 6 < len(outer)
    for label, taken in times.items():
        least = inner.get(label, (0, 0))
        assert least[0] <= taken.wall_ns <= outer[label][0], label
        assert least[1] <= taken.cpu_ns <= outer[label][1], label
        assert taken.n_times == n_times


def test_each_phase_is_measured_and_shown(project: pathlib.Path, footfall) -> None:
    """Also of tests that fail, in names of any kind, and where a test replaces the clocks; without contexts of lines."""
    out = _run(project, "--footfall")
    assert "phase_times" not in out  # in no traceback
    times = read_test_times(project / ".coverage")
    _check(project, times)
    shown = json.loads(footfall("tests", "--format=json", cwd=project).stdout)["tests"]
    assert {test["name"] for test in shown} == {label.rpartition("|")[0] for label in times}
    for test in shown:
        phases = {
            name: times[f"{test['name']}|{name}"]
            for name in ("setup", "run", "teardown")
            if f"{test['name']}|{name}" in times
        }
        assert test["phases"].keys() == phases.keys()
        assert test["cpu_seconds"] == pytest.approx(sum(phase.cpu_ns for phase in phases.values()) / 1e9)
        assert test["wall_seconds"] == pytest.approx(sum(phase.wall_ns for phase in phases.values()) / 1e9)
        assert test["is_measured"]
    assert [test["cpu_seconds"] for test in shown] == sorted((test["cpu_seconds"] for test in shown), reverse=True)
    by_test = json.loads(footfall("report", "--by=test", "--format=json", "-n0", cwd=project).stdout)["rows"]
    rows = {row["name"]: row for row in by_test}
    for test in shown:
        assert rows[test["name"]]["total"]["time"] == pytest.approx(test["cpu_seconds"])
        assert rows[test["name"]]["total"]["error"] == 0
    html = footfall("html", "-d", "site", cwd=project)
    assert html.returncode == 0, html.stderr
    page = (project / "site" / "tests.html").read_text()
    quickest = min(shown, key=lambda test: test["cpu_seconds"])
    assert f"{int(quickest['cpu_seconds'] * 1e6)},{int(quickest['wall_seconds'] * 1e6)}" in page.replace(" ", "")


@pytest.mark.any_python
def test_workers_static_contexts_and_combining(project: pathlib.Path, footfall) -> None:
    """Workers' times are in; runs add up, each once, however often it is met."""
    if importlib.util.find_spec("xdist") is None:
        pytest.skip("needs pytest-xdist")
    workers = ("-n2", "--footfall-source=.", "--footfall-context=test")
    _run(project, "--footfall", *workers, plugins=("xdist",))
    _check(project, read_test_times(project / ".coverage"))
    (project / ".coverage").rename(project / "first.cov")
    _run(project, "--footfall", *workers, plugins=("xdist",))
    (project / ".coverage").rename(project / "second.cov")
    for names in (("first.cov", "second.cov"), ("second.cov", ".coverage", "first.cov")):
        done = footfall("combine", "--keep", *names, "--data-file=all.cov", cwd=project)
        assert done.returncode == 0, done.stderr
        assert "table-left-out" not in done.stderr
        _check(project, read_test_times(project / "all.cov"), n_times=2)
        (project / "all.cov").rename(project / ".coverage")


@pytest.mark.any_python
def test_damaged_lines_are_left_out_and_reported(tmp_path: pathlib.Path) -> None:
    """What several processes wrote is added up; a line that a killed process was writing is passed over."""
    (tmp_path / "1-0.tests").write_bytes(b"5\t3\ta\\tb|run\n7\t1\tx|setup\n12\t")
    (tmp_path / "2-0.tests").write_bytes(
        b"1\t1\tx|setup\n-1\t1\tx|run\n1\t1\n" + b"9" * 30 + b"\t1\ty|run\n1\t2\t\xff|run\n"
    )
    messages: list[tuple[str, str]] = []
    assert read_phase_times(str(tmp_path), messages) == {
        "a\tb|run": (1, 5, 3),
        "x|setup": (2, 8, 2),
        "\ufffd|run": (1, 1, 2),
    }
    [(slug, text)] = messages
    assert slug == "record-corrupt"
    assert "3 lines" in text and "2-0.tests" in text


def _phase_times_types() -> list[type]:
    if not HAS_CORE:
        return [PurePhaseTimes]
    return [PurePhaseTimes, importlib.import_module("footfall._core").PhaseTimes]


@pytest.mark.parametrize("kind", _phase_times_types(), ids=lambda kind: kind.__module__)
def test_names_of_any_kind_are_read_back(kind, tmp_path: pathlib.Path) -> None:
    """With and without the core; lines that were taken are forgotten, and times are no less than what is inside."""
    names = ["plain", "a\0\\b\0", "a\tb\nc\\n|d", "\u00e9\U0001f600", "long" * 50_000, ""]
    times = kind()
    assert times.take() == b""
    start = times.begin()
    inside = time.perf_counter_ns(), time.thread_time_ns()
    while time.thread_time_ns() == inside[1]:
        pass
    inside = time.perf_counter_ns() - inside[0], time.thread_time_ns() - inside[1]
    for name in [*names, "\udcff"]:
        times.end(start, name, "run")
    (tmp_path / "1-0.tests").write_bytes(times.take())
    assert times.take() == b""
    messages: list[tuple[str, str]] = []
    found = read_phase_times(str(tmp_path), messages)
    assert messages == []
    assert found.keys() == {f"{name}|run" for name in [*names, "\\udcff"]}
    assert all(each.wall_ns >= inside[0] > 0 and each.cpu_ns >= inside[1] > 0 for each in found.values())


@pytest.mark.skipif(not HAS_CORE, reason="of the type in C")
@pytest.mark.parametrize("arguments", [(), (b"", "a", "run"), (b"1" * 16, 1, "run"), (b"1" * 16, "a", b"run")])
def test_a_wrong_argument_adds_no_line(arguments) -> None:
    """It is a TypeError."""
    times = importlib.import_module("footfall._core").PhaseTimes()
    with pytest.raises(TypeError):
        times.end(*arguments)
    assert times.take() == b""
