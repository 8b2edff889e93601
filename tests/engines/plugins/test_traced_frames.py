"""Frames of plugins' files among the program's: found wherever and however they begin, and none else."""

import contextlib
import os
import pathlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from footfall.pythons import HAS_PROBES
from footfall.tier import HAS_CORE
from template_project import read_traced

pytest.importorskip("coverage")

Footfall = Callable[..., subprocess.CompletedProcess[str]]

PLUGIN = """\
import os, coverage


class Lines(coverage.CoveragePlugin, coverage.FileTracer):
    def file_tracer(self, filename):
        return self if os.path.basename(filename) == "engine.py" else None

    def has_dynamic_source_filename(self):
        return True

    def dynamic_source_filename(self, filename, frame):
        if frame.f_code.co_name in ("__init__", "aside", "<module>", "<lambda>", "Page"):
            return None
        return os.path.abspath(frame.f_locals["self"].filename)

    def line_number_range(self, frame):
        line = frame.f_locals["self"].line * 100 + frame.f_lineno
        return line, line

    def file_reporter(self, filename):
        return coverage.FileReporter(filename)


def coverage_init(registry, options):
    registry.add_file_tracer(Lines())
"""
ENGINE = """\
import asyncio

class Page:
    def __init__(self, filename):
        self.filename = filename; self.line = 1

    def aside(self, function):
        return function()

    def walk(self, n):
        self.line = n
        self.aside(lambda: n)
        if n:
            self.walk(n - 1)
        self.line = n + 10
        return n

    def __getitem__(self, i):
        self.line = i + 1
        return i

    def call(self, function):
        self.line = 1
        function()
        self.line = 2
        return self.aside(function)

    def steps(self, n):
        for i in range(n):
            self.line = i + 1
            yield i
        self.line = 99

    async def wait(self):
        self.line = 7
        await asyncio.sleep(0)
        self.line = 8
"""
MAIN = """\
import ast, asyncio, sys, threading
from engine import Page

sys.setrecursionlimit(200000)
began, goes_on = threading.Event(), threading.Event()

def deep(n, work):
    if n:
        deep(n - 1, work)
    else:
        work()

def trace(frame, event, arg):
    return trace

def debug():
    before = sys.gettrace()
    sys.settrace(trace)
    sys.settrace(before)

def waiting():
    began.set()
    goes_on.wait()
    Page("waited.tpl").walk(1)

def starting():
    Page("deep.tpl").walk(3)
    goes_on.set()
    for target in thread.join, lambda: Page("started.tpl").walk(2):
        other = threading.Thread(target=target)
        other.start()
        other.join()

def test_something():
    Page("test.tpl").call(lambda: Page("inner.tpl").walk(1))

thread = threading.Thread(target=waiting)
thread.start()
began.wait()
deep(60000, starting)
Page("up.tpl").walk(5)
for i in range(300):
    Page("item.tpl")[i % 7]
Page("debugged.tpl").call(debug)
thrown = Page("thrown.tpl").steps(4)
next(thrown), next(thrown)
try:
    thrown.throw(ValueError)
except ValueError:
    pass
closed = Page("closed.tpl").steps(4)
next(closed)
closed.close()
asyncio.run(Page("waits.tpl").wait())
test_something()
with open("other.py") as file:
    exec(compile(ast.parse(file.read().replace("1", "2")), file.name, "exec"), {"Page": Page})
with open("deep.py") as file:
    code = compile(ast.parse(file.read().replace("1", "2")), file.name, "exec")
    deep(60000, lambda: exec(code, {"Page": Page}))
Page("end.tpl").call(test_something)
"""
OTHER = "x = 1\nPage('other.tpl').walk(x)\nfor i in range(x):\n    Page('other.tpl').steps(i)\n"


GREENLETS = """\
import itertools
from engine import Page

numbers = itertools.count()

def page():
    return Page(f"{next(numbers)}.tpl")

def late():
    import greenlet  # while a frame is traced
    return greenlet

def switching(function):
    for _ in range(3):
        page().call(function)
        function()

greenlet = []
page().call(lambda: greenlet.append(late()))
greenlet = greenlet[0]
main = greenlet.getcurrent()
one = greenlet.greenlet(lambda: switching(main.switch))
two = greenlet.greenlet(lambda: switching(one.switch))
page().call(one.switch)
page().call(two.switch)
while not one.dead or not two.dead:
    page().call(two.switch if one.dead else one.switch)
print(next(numbers))
"""


def test_frames_wait_in_greenlets(footfall: Footfall, tmp_path: pathlib.Path) -> None:
    """A frame gives way to another stack, and continues, at calls that no frame of Python is between.

    There is nothing to compare with: the C tracer asks the plugin about frames of other stacks, which fails.
    """
    pytest.importorskip("greenlet")
    written = {"lines.py": PLUGIN, "engine.py": ENGINE, "main.py": GREENLETS}
    for name, text in written.items():
        (tmp_path / name).write_text(text)
    (tmp_path / ".coveragerc").write_text("[run]\nplugins = lines\nbranch = true\n")
    done = footfall("run", "-q", "--no-profile", "main.py")
    call = [(-22, 123), (123, 124), (124, 125), (125, 226), (226, -22)]
    found = {path: arcs for (path, _, context), arcs in read_traced(tmp_path / ".coverage").items() if context == ""}
    assert found == {f"{n}.tpl": call for n in range(int(done.stdout))}


def by_coverage(directory: pathlib.Path, option: str) -> dict[tuple[str, str, str], list[Any]]:
    """Return what the C tracer has of the plugin's files."""
    environment = {**os.environ, "COVERAGE_CORE": "ctrace", "COVERAGE_FILE": "theirs"}
    command = [sys.executable, "-m", "coverage", "run", option, "main.py"]
    subprocess.run(command, cwd=directory, env=environment, check=True, timeout=60)
    return read_traced(directory / "theirs")


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="coverage.py has plugins with its C tracer only")
def test_frames_are_found_among_others(footfall: Footfall, tmp_path: pathlib.Path) -> None:
    """Deep in the stack, in threads that start or wait meanwhile, under a debugger, in tests, beside traced files."""
    rc = "[run]\nplugins = lines\nbranch = true\ndynamic_context = test_function\n"
    written = {"lines.py": PLUGIN, "engine.py": ENGINE, "main.py": MAIN, "other.py": OTHER, ".coveragerc": rc}
    written["deep.py"] = "y = 1\nPage('inner.tpl').walk(y)\ny += 1\n"
    for name, text in written.items():
        (tmp_path / name).write_text(text)
    assert footfall("run", "-q", "--no-profile", "main.py").returncode == 0
    theirs = by_coverage(tmp_path, "--concurrency=thread")
    assert len({path for path, *_ in theirs}) == 13
    assert read_traced(tmp_path / ".coverage") == theirs
    with contextlib.closing(sqlite3.connect(tmp_path / ".coverage")) as data, data:
        query = "select fromno, tono from arc join file on file.id = file_id where path = ?"
        assert {*data.execute(query, (str(tmp_path / "deep.py"),))} >= {(-1, 1), (1, 2), (2, 3), (3, -1)}


IMPORTING = PLUGIN.replace("import os, coverage", "import os, coverage, shared, engine")


@pytest.mark.skipif(not (HAS_PROBES and HAS_CORE), reason="nothing is changed at import there")
def test_modules_that_a_plugin_imports_are_named(footfall: Footfall, tmp_path: pathlib.Path) -> None:
    """They have no probes, so they are not measured; its own files and the plugin's own module are not meant."""
    rc = "[run]\nplugins = lines\nbranch = true\n"
    main = "import shared, engine\nshared.double(2)\nengine.Page('a.tpl').walk(1)\n"
    shared = "def double(x):\n    return 2 * x\n"
    written = {"lines.py": IMPORTING, "engine.py": ENGINE, "main.py": main, "shared.py": shared, ".coveragerc": rc}
    for name, text in written.items():
        (tmp_path / name).write_text(text)
    done = footfall("run", "-q", "--no-profile", "main.py")
    assert done.stderr.count("[plugin-imports]") == 1
    assert f"{tmp_path / 'shared.py'} was imported by a plugin" in done.stderr
    assert {path for path, *_ in read_traced(tmp_path / ".coverage")} == {"a.tpl"}
    assert "shared.py" not in footfall("report").stdout
    again = footfall("run", "-q", "--no-profile", "main.py", env={**os.environ, "FOOTFALL_ENGINE": "settrace"})
    assert again.stderr == ""
    assert "shared.py" in footfall("report").stdout
