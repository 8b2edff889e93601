"""Files that a plugin of coverage.py measures (templates): their data is what the C tracer has."""

import os
import pathlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from footfall.observe.file_tracers.files import FileTracers, Plugin
from footfall.observe.file_tracers.frames import TracedFrames
from footfall.pythons import HAS_MONITORING
from footfall.settings import Settings
from template_project import FILES, read_traced, write_project

pytest.importorskip("coverage")

Footfall = Callable[..., subprocess.CompletedProcess[str]]

IS_CPYTHON = sys.implementation.name == "cpython"
ENGINES = ("", "settrace") if HAS_MONITORING else ("",)
SAID = "" if HAS_MONITORING else "[plugins-settrace]"

# what the C tracer has of two of the files, for where there is none (PyPy)
TEMPLATES = {
    ("a.tpl", "my_plugin.Lines", ""): [
        *((-8, 1), (-8, 2), (-8, 4), (-8, 5), (1, -8), (1, 1), (2, 3), (3, -8), (3, 2), (4, -8), (4, 4)),
        *((5, -8), (5, 5)),
    ],
    ("b.tpl", "my_plugin.Lines", ""): [(-8, 2), (2, -8), (2, 2)],
    ("forked.tpl", "my_plugin.Lines", ""): [(-8, 1), (1, -8), (1, 1)],
}


def run_theirs(directory: pathlib.Path) -> dict[tuple[str, str, str], list[Any]]:
    environment = {**os.environ, "COVERAGE_CORE": "ctrace", "COVERAGE_FILE": "theirs"}
    coverage = [sys.executable, "-m", "coverage"]
    options = ["--concurrency=thread", "-p"]  # one file for each process
    subprocess.run([*coverage, "run", *options, "main.py"], cwd=directory, env=environment, check=True)
    subprocess.run([*coverage, "combine", "-q"], cwd=directory, env=environment, check=True)
    return read_traced(directory / "theirs")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("branch", ["true", "false"], ids=["branches", "lines"])
def test_lines_and_arcs_are_those_of_the_c_tracer(
    footfall: Footfall, tmp_path: pathlib.Path, engine: str, branch: str
) -> None:
    """Frames with a source each, and files translated to Python; generators, exceptions, a thread, a forked child."""
    write_project(tmp_path, _coveragerc=FILES[".coveragerc"].replace("true", branch))
    done = footfall("run", "-q", "--no-profile", "main.py", env={**os.environ, "FOOTFALL_ENGINE": engine})
    assert done.returncode == 0
    assert done.stderr.count("\n") == bool(SAID), done.stderr
    assert SAID in done.stderr
    ours = read_traced(tmp_path / ".coverage")
    if IS_CPYTHON:
        assert ours == run_theirs(tmp_path)
    if branch == "true":
        assert {key: ours[key] for key in TEMPLATES} == TEMPLATES


def test_lines_belong_to_contexts(footfall: Footfall, tmp_path: pathlib.Path) -> None:
    """A static one, and those that the program begins, each with what ran in it."""
    main = """\
import engine, footfall
for label in "one", "two", "one":
    with footfall.context(label):
        engine.Template("a.tpl").render_all({len(label) if label == "one" else 5})
"""
    write_project(tmp_path, main_py=main)
    footfall("run", "-q", "--no-profile", "--context=all", "main.py")
    assert {key: lines for key, lines in read_traced(tmp_path / ".coverage").items() if lines} == {
        ("a.tpl", "my_plugin.Lines", "all|one"): [(-8, 3), (3, -8), (3, 3)],
        ("a.tpl", "my_plugin.Lines", "all|two"): [(-8, 5), (5, -8), (5, 5)],
    }


NAMING = """

class Contexts(coverage.CoveragePlugin):
    def dynamic_context(self, frame):
        return "of render" if frame.f_code.co_name == "render" else None
"""


def test_a_program_that_measures_itself(tmp_path: pathlib.Path) -> None:
    """From the start to the stop, also the second time; plugins that name contexts are asked as well."""
    main = """\
import engine, footfall
for lines in {1}, {3}:
    footfall.start()
    engine.Template("a.tpl").render_all(lines)
    footfall.stop()
    engine.Template("a.tpl").render_all({5})
"""
    plugin = FILES["my_plugin.py"]
    write_project(tmp_path, main_py=main, my_plugin_py=plugin)
    subprocess.run([sys.executable, "main.py"], cwd=tmp_path, check=True, timeout=60)
    found = read_traced(tmp_path / ".coverage")["a.tpl", "my_plugin.Lines", ""]
    assert found == [(-8, 3), (3, -8), (3, 3)]
    plugin += "    registry.add_dynamic_context(Contexts())\n" + NAMING
    write_project(tmp_path, main_py=main, my_plugin_py=plugin)
    subprocess.run([sys.executable, "main.py"], cwd=tmp_path, check=True, timeout=60)
    assert read_traced(tmp_path / ".coverage")["a.tpl", "my_plugin.Lines", "of render"] == found


RAISING = {
    "for a file": ("def file_tracer(self, filename):", "raise SystemExit(3)"),
    "for a frame": ("def dynamic_source_filename(self, filename, frame):", "1 / 0"),
    "for lines": ("def line_number_range(self, frame):", "return 5"),
    "after some lines": ('node = frame.f_locals["self"]', "1 / (frame.f_lineno < 11)"),
}


@pytest.mark.any_python
@pytest.mark.parametrize(("where", "what"), RAISING.values(), ids=RAISING)
def test_a_plugin_that_fails_is_named_once_and_switched_off(
    footfall: Footfall, tmp_path: pathlib.Path, where: str, what: str
) -> None:
    """The program and the rest of its data are as without the plugin."""
    failing = FILES["my_plugin.py"].replace(where, f"{where}\n        {what}", 1)
    alone = FILES["main.py"].replace("os.fork()", "1").replace("os.waitpid(pid, 0)", "")
    write_project(tmp_path, my_plugin_py=failing, main_py=alone)
    done = footfall("run", "-q", "--no-profile", "main.py")
    assert done.returncode == 0
    assert done.stderr.count("[plugin-failed]") == 1, done.stderr
    assert "my_plugin.Lines" in done.stderr
    assert read_traced(tmp_path / ".coverage") == {}
    assert "main.py" in footfall("report").stdout
    connection = sqlite3.connect(tmp_path / ".coverage")
    assert {pathlib.Path(path).suffix for (path,) in connection.execute("select path from file")} == {".py"}
    connection.close()


class _Answering:
    """A plugin, a file tracer and a scope in one, whose answers are given."""

    _coverage_plugin_name = "a.Plugin"

    def __init__(self, **answers: Any) -> None:
        self.answers = {"tracer": self, "dynamic": False, "source": "/a/source", "named": "/a/source", "lines": (1, 2)}
        self.answers |= answers

    def file_tracer(self, filename: str) -> Any:
        return self._answer("tracer")

    def has_dynamic_source_filename(self) -> Any:
        return self._answer("dynamic")

    def source_filename(self) -> Any:
        return self._answer("source")

    def dynamic_source_filename(self, filename: str, frame: object) -> Any:
        return self._answer("named")

    def line_number_range(self, frame: object) -> Any:
        return self._answer("lines")

    def _answer(self, name: str) -> Any:
        answer = self.answers[name]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def canonical_name(self, filename: str, namespace: object) -> str:
        return filename

    def decide_traced(self, filename: str, namespace: object) -> str | None:
        return "/measured" if filename.startswith("/a/") else None


class _Told:
    """A record file in memory."""

    def __init__(self) -> None:
        self.pairs: list[tuple[int, int]] = []

    def context(self) -> int:
        return 0

    def note(self, path: str, name: str) -> None:
        """Which plugin measures a file is of no interest here."""

    def add(self, path: str, context: int, start: int, end: int) -> None:
        self.pairs.append((start, end))


SENSELESS: dict[str, dict[str, Any]] = {
    "no tracer": {"tracer": 5},
    "an error about its kind": {"dynamic": KeyError("kind")},
    "no source": {"source": None},
    "a source that is no text": {"source": b"/a/source"},
    "an error about the source": {"source": OSError("source")},
    "a number for a frame": {"dynamic": True, "named": 17},
    "what can't be looked up": {"dynamic": True, "named": ["/a/source"]},
    "one line": {"lines": 5},
    "a list": {"lines": [1, 2]},
    "three lines": {"lines": (1, 2, 3)},
    "text": {"lines": ("1", "2")},
    "more lines than any file has": {"lines": (1, 1 << 40)},
    "an exit": {"lines": SystemExit(3)},
}


@pytest.mark.any_python
@pytest.mark.parametrize("answers", SENSELESS.values(), ids=SENSELESS)
def test_a_senseless_answer_switches_off(answers: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """It is said once, in the words of the error; nothing is raised, and what was told of the plugin's files is taken back."""
    plugin = _Answering(**answers)
    files = FileTracers(Settings("/run"), plugin)  # type: ignore[arg-type]
    files._plugins = [Plugin(plugin)]
    failed: list[str] = []
    files.on_failure.append(lambda each: failed.append(each.name))
    told = _Told()
    frames = TracedFrames(files, told, True)
    frame = sys._getframe()
    for filename in "/code/one.py", "/code/two.py":
        traced = files.find(filename, {})
        if traced is not None and frames.begin(frame, traced, 0):
            frames.line(frame)
            frames.end(frame)
    assert told.pairs == []
    assert failed == ["a.Plugin"]
    assert capsys.readouterr().err.count("a.Plugin failed and is switched off") == 1
    assert files.find("/code/three.py", {}) is None


@pytest.mark.any_python
def test_errors_of_the_program_are_passed_on() -> None:
    """Ctrl-C in a plugin's function ends the program as it would anywhere; a full stack is no fault of the plugin's."""
    plugin = _Answering(lines=KeyboardInterrupt())
    files = FileTracers(Settings("/run"), plugin)  # type: ignore[arg-type]
    files._plugins = [Plugin(plugin)]
    traced = files.find("/code/one.py", {})
    assert traced is not None
    told = _Told()
    frames = TracedFrames(files, told, True)
    frame = sys._getframe()
    assert frames.begin(frame, traced, -9)
    with pytest.raises(KeyboardInterrupt):
        frames.line(frame)
    plugin.answers["lines"] = RecursionError()
    frames.line(frame)
    plugin.answers["lines"] = (3, 4)
    frames.line(frame)
    assert told.pairs == [(-9, 3), (3, 4)]
