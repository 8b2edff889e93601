"""The command lines and files of pytest-cov's own documentation, one by one, in a project that is set up for it.

pytest-cov stays out (`PYTEST_DISABLE_PLUGIN_AUTOLOAD`), so footfall answers them. Rows are by page of its documentation.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import pathlib
import sqlite3
import subprocess
import sys

import pytest

pytestmark = pytest.mark.any_python

MODULE = """
import subprocess, sys

def grade(points):
    if points > 50:
        return "passed"
    return "failed"

def in_another():
    code = "import myproj; print(myproj.only_in_other(1))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

def only_in_other(n):
    return n + 1
"""
TEST = """
import pytest
import myproj

@pytest.mark.parametrize("points", [1, 99])
def test_grade(points):
    assert myproj.grade(points) == ("passed" if points == 99 else "failed")

def test_another():
    assert myproj.in_another() == "2\\n"
"""
_WHOLE = "TOTAL 10 0 100%"
_PLAIN = "--cov=myproj tests"

# name: (files, command line, what the output has, files that are written)
ROWS: dict[str, tuple[dict[str, str], str, list[str], list[str]]] = {
    "readme: usage": ({}, _PLAIN, [_WHOLE, "myproj/__init__.py 10 0 100%", "= tests coverage ="], [".coverage"]),
    "config: a file": (
        {".coveragerc": "[run]\nomit = tests/*\n"}, "--cov-config=.coveragerc --cov=myproj tests/", [_WHOLE], []
    ),
    "config: tests are measured too, unless omitted": ({}, "--cov=. tests/", ["tests/test_it.py 7 0 100%"], []),
    "config: addopts in setup.cfg": (
        {"setup.cfg": "[tool:pytest]\naddopts = --cov=myproj --cov-report html\n"}, "", ["Coverage HTML written to dir htmlcov"],
        ["htmlcov/index.html"],
    ),
    "config: addopts in pyproject.toml": (
        {"pyproject.toml": '[tool.pytest.ini_options]\naddopts = "--cov=myproj --cov-report html"\n'}, "",
        ["Coverage HTML written to dir htmlcov"], ["htmlcov/index.html"],
    ),
    "config: sources of the file, --cov without a value": (
        {".coveragerc": "[run]\nsource = myproj\nbranch = true\nparallel = true\n"}, "--cov", ["TOTAL 10 0 2 0 100%"], [".coverage"]
    ),
    "reporting: term": ({}, "--cov-report term --cov=myproj tests/", [_WHOLE], []),
    "reporting: term-missing": ({}, "--cov-report=term-missing --cov=myproj tests/test_it.py::test_grade",
                                ["myproj/__init__.py 10 3 70% 9-10, 13"], []),
    "reporting: skip-covered": (
        {}, "--cov-report term:skip-covered --cov=myproj tests/", ["1 file skipped due to complete coverage."], []
    ),
    "reporting: term-missing:skip-covered": (
        {}, "--cov-report term-missing:skip-covered --cov=myproj tests/", ["1 file skipped due to complete coverage."], []
    ),
    "reporting: files": (
        {},
        "--cov-report html --cov-report xml --cov-report json --cov-report markdown "
        "--cov-report markdown-append:cov-append.md --cov-report lcov --cov=myproj tests/",
        ["Coverage XML written to file coverage.xml"],
        ["htmlcov/index.html", "coverage.xml", "coverage.json", "coverage.md", "cov-append.md", "coverage.lcov"],
    ),
    "reporting: files with places": (
        {},
        "--cov-report html:cov_html --cov-report xml:cov.xml --cov-report json:cov.json --cov-report markdown:cov.md "
        "--cov-report markdown-append:cov-append.md --cov-report lcov:cov.info --cov=myproj tests/",
        ["Coverage HTML written to dir cov_html"],
        ["cov_html/index.html", "cov.xml", "cov.json", "cov.md", "cov-append.md", "cov.info"],
    ),
    "reporting: annotated sources": (
        {}, "--cov-report annotate --cov=myproj tests/", ["Coverage annotated source written next to source"],
        ["myproj/__init__.py,cover"],
    ),
    "reporting: annotated sources with a place": (
        {}, "--cov-report annotate:cov_annotate --cov=myproj tests/", ["Coverage annotated source written to dir cov_annotate"],
        ["cov_annotate"],
    ),
    "reporting: none": ({}, "--cov-report= --cov=myproj tests/", [], [".coverage"]),
    "subprocess-support: patch": (
        {".coveragerc": "[run]\npatch = subprocess\n"}, _PLAIN, [_WHOLE], [".coverage"]
    ),
    "subprocess-support: patch in pyproject.toml": (
        {"pyproject.toml": '[tool.coverage.run]\npatch = ["subprocess"]\n'}, _PLAIN, [_WHOLE], [".coverage"]
    ),
    "xdist: load": ({}, "-p xdist.plugin --cov=myproj -n 2 tests/", [_WHOLE], [".coverage"]),
    "xdist: load, with workers named": ({}, "-p xdist.plugin --cov=myproj --dist load --tx 2*popen tests/", [_WHOLE], []),
    "xdist: each": (
        {}, "-p xdist.plugin --cov=myproj --dist each --tx popen --tx popen tests/", ["6 passed", _WHOLE], [".coverage"]
    ),
    "debuggers: --no-cov": (
        {"setup.cfg": "[tool:pytest]\naddopts = --cov=myproj\n"}, "--no-cov", ["3 passed"], []
    ),
    "tox: one file after another": ({}, "--cov --cov-append --cov-report=term-missing", ["TOTAL 17 0 100%"], [".coverage"]),
}  # fmt: skip
_ON_PYPY = ("readme: usage", "config: addopts in setup.cfg", "xdist: load")
"""There each row takes seconds, and the plugin is the same."""


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    """A package of 10 statements, one of which runs in a process that a test starts."""
    for name, text in {"myproj/__init__.py": MODULE, "tests/test_it.py": TEST, "conftest.py": ""}.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"))
    return tmp_path / "project"


def _run(project: pathlib.Path, line: str) -> subprocess.CompletedProcess[str]:
    names = ("PYTEST", "COVERAGE", "FOOTFALL")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    environment |= {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_PLUGINS": "footfall.pytest_plugin",
        "PYTHONPATH": str(project),
    }
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *line.split()]
    return subprocess.run(
        command, cwd=project, env=environment, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=300
    )


def _words(text: str) -> str:
    """The text with one blank for each gap in a line."""
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


@pytest.mark.parametrize("name", ROWS if sys.implementation.name == "cpython" else _ON_PYPY)
def test_documented_command_lines(project, name: str) -> None:
    """Each prints and writes what pytest-cov's documentation says."""
    files, line, reported, written = ROWS[name]
    if "xdist" in line and importlib.util.find_spec("xdist") is None:
        pytest.skip("needs pytest-xdist")
    for path, text in files.items():
        (project / path).write_text(text)
    done = _run(project, line)
    assert done.returncode == 0, done.stdout + done.stderr
    words = _words(done.stdout)
    for text in reported:
        assert text in words, done.stdout
    for path in written:
        assert (project / path).exists()
    if (
        any(word in line for word in ("--cov-report=term", "--cov-report term"))
        or "--cov=myproj tests" in line
        and "report" not in line
    ):
        assert "TOTAL" in words or "skipped" in words
    elif "--cov-report" in line or "--no-cov" in line:
        assert "TOTAL" not in words
    assert not list(project.glob(".coverage.*"))


def test_contexts_are_in_the_data_and_the_report(project) -> None:
    """`--cov-context=test` labels by test id and phase; coverage.py's own JSON report shows them, as ours does."""
    (project / ".coveragerc").write_text("[html]\nshow_contexts = True\n[json]\nshow_contexts = True\n")
    done = _run(project, "--cov=myproj --cov-context=test --cov-report=html --cov-report=json tests/")
    assert done.returncode == 0, done.stdout + done.stderr
    with contextlib.closing(sqlite3.connect(project / ".coverage")) as data:
        labels = {label for (label,) in data.execute("select context from context")}
    assert {"tests/test_it.py::test_grade[1]|run", "tests/test_it.py::test_another|run"} <= labels
    report = json.loads((project / "coverage.json").read_text())
    contexts = report["files"]["myproj/__init__.py"]["contexts"]
    assert contexts["5"] == ["tests/test_it.py::test_grade[99]|run"]
    assert contexts["13"] == [""]  # in a process that the test started, as by coverage.py
    assert contexts["9"] == ["tests/test_it.py::test_another|run"]
    assert (project / "htmlcov" / "index.html").exists()


def test_a_plugin_finds_the_data_when_tests_are_over(project) -> None:
    """One that reads it in pytest_sessionfinish, as VS Code's does, sees what the tests ran, and the end has all of it."""
    pytest.importorskip("coverage")
    (project / "conftest.py").write_text(
        "import json\n"
        "def pytest_sessionfinish():\n"
        "    import coverage\n"
        "    cov = coverage.Coverage()\n"
        "    cov.load()\n"
        "    data = cov.get_data()\n"
        "    lines = {path: sorted(data.lines(path)) for path in data.measured_files()}\n"
        "    open('seen.json', 'w').write(json.dumps(lines))\n"
        "    only_at_the_end = 1\n"
    )
    for append, test in (("", "test_grade"), ("--cov-append", "test_another")):
        line = f"--cov=. {append} tests/test_it.py::{test}"
        done = _run(project, line)
        assert done.returncode == 0, done.stdout + done.stderr
        seen = json.loads((project / "seen.json").read_text())
        conftest = str(project / "conftest.py")
        (module,) = (path for path in seen if path.endswith("myproj/__init__.py"))
        assert (13 in seen[module]) == bool(append) and 5 in seen[module]
        with contextlib.closing(sqlite3.connect(project / ".coverage")) as data:
            assert data.execute("select count(*) from footfall_run").fetchone()[0] == 1 + bool(append)
            query = "select numbits from line_bits join file on file.id = file_id where path = ?"
            ran = int.from_bytes(data.execute(query, [conftest]).fetchone()[0], "little")
        assert ran >> 9 & 1 and (9 in seen[conftest]) == bool(append)


def test_the_fixture_cov_is_of_the_class_that_programs_know(project) -> None:
    """What a test does to pause and go on changes nothing, and what it looks up is there."""
    pytest.importorskip("coverage")
    (project / "tests" / "test_it.py").write_text(
        "import coverage, myproj\n"
        "def test(cov):\n"
        "    assert isinstance(cov, coverage.Coverage) and cov.get_option('run:source') is None\n"
        "    cov.stop()\n"
        "    myproj.grade(1)\n"
        "    cov.start()\n"
        "    cov.save()\n"
    )
    done = _run(project, "--cov=myproj --cov-report=term-missing tests")
    assert done.returncode == 0 and "myproj/__init__.py 10 4 60% 5, 9-10, 13" in _words(done.stdout), done.stdout


def test_the_data_file_is_for_coverage_tools(project) -> None:
    """tox's report environment: two runs appended, then `coverage report` and `coverage html` on what is left there."""
    pytest.importorskip("coverage")
    assert _run(project, "--cov=myproj --cov-append tests/test_it.py::test_grade").returncode == 0
    assert _run(project, "--cov=myproj --cov-append tests/test_it.py::test_another").returncode == 0
    for command in (["report"], ["html", "-d", "site"]):
        done = subprocess.run(
            [sys.executable, "-m", "coverage", *command], cwd=project, text=True, capture_output=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert command[0] == "html" or _WHOLE in _words(done.stdout)
    assert (project / "site" / "index.html").exists()
