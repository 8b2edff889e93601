"""Files that a plugin of coverage.py measures (templates): their data is what the C tracer has."""

import os
import pathlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from footfall.pythons import HAS_MONITORING
from footfall.tier import HAS_CORE, IS_PURE_CPYTHON, PURE_VARIABLE
from template_project import FILES, read_traced, write_project

pytest.importorskip("coverage")

Footfall = Callable[..., subprocess.CompletedProcess[str]]

IS_CPYTHON = sys.implementation.name == "cpython"
ENGINES: tuple[dict[str, str], ...] = ({},)
if HAS_CORE:
    ENGINES = ({}, {"FOOTFALL_ENGINE": "settrace"}, {PURE_VARIABLE: "1"})
SAID = "[plugins-settrace]"

# what the C tracer has of two of the files, for where there is none (PyPy)
TEMPLATES = {
    ("a.tpl", "my_plugin.Lines", ""): [
        *((-8, 1), (-8, 2), (-8, 4), (-8, 5), (1, -8), (1, 1), (2, 3), (3, -8), (3, 2), (4, -8), (4, 4)),
        *((5, -8), (5, 5)),
    ],
    ("b.tpl", "my_plugin.Lines", ""): [(-8, 2), (2, -8), (2, 2)],
    ("forked.tpl", "my_plugin.Lines", ""): [(-8, 1), (1, -8), (1, 1)],
}


def name_of_engine(environment: dict[str, str]) -> str:
    return "-".join(environment) or "default"


def run_theirs(directory: pathlib.Path) -> dict[tuple[str, str, str], list[Any]]:
    environment = {**os.environ, "COVERAGE_CORE": "ctrace", "COVERAGE_FILE": "theirs"}
    coverage = [sys.executable, "-m", "coverage"]
    options = ["--concurrency=thread", "-p"]  # one file for each process
    subprocess.run([*coverage, "run", *options, "main.py"], cwd=directory, env=environment, check=True)
    subprocess.run([*coverage, "combine", "-q"], cwd=directory, env=environment, check=True)
    return read_traced(directory / "theirs")


@pytest.mark.parametrize("engine", ENGINES, ids=name_of_engine)
@pytest.mark.parametrize("branch", ["true", "false"], ids=["branches", "lines"])
def test_lines_and_arcs_are_those_of_the_c_tracer(
    footfall: Footfall, tmp_path: pathlib.Path, engine: dict[str, str], branch: str
) -> None:
    """Frames with a source each, and files translated to Python; generators, exceptions, a thread, a forked child."""
    write_project(tmp_path, _coveragerc=FILES[".coveragerc"].replace("true", branch))
    done = footfall("run", "-q", "--no-profile", "main.py", env={**os.environ, **engine})
    assert done.returncode == 0
    is_traced = IS_PURE_CPYTHON or PURE_VARIABLE in engine
    assert done.stderr.count("\n") == is_traced, done.stderr
    assert is_traced == (SAID in done.stderr)
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


CALLABLES = """

class Source:
    def __call__(self, filename, frame):
        return frame.f_locals["self"].filename if frame.f_code.co_name == "render" else None


class Callables(Lines):
    def __init__(self, options):
        super().__init__(options)
        self.line_number_range = functools.partial(Lines.line_number_range, self)
        self.dynamic_source_filename = Source()
"""


@pytest.mark.any_python
def test_functions_of_a_plugin_may_be_any_callables(footfall: Footfall, tmp_path: pathlib.Path) -> None:
    """An object with `__call__` and a partial, instead of methods of the tracer."""
    plugin = FILES["my_plugin.py"]
    assert "Lines(options)" in plugin
    plugin = "import functools\n" + plugin.replace("Lines(options)", "Callables(options)") + CALLABLES
    write_project(tmp_path, main_py='import engine\nengine.Template("a.tpl").render_all({3})\n', my_plugin_py=plugin)
    footfall("run", "-q", "--no-profile", "main.py")
    found = read_traced(tmp_path / ".coverage")
    assert found["a.tpl", "my_plugin.Callables", ""] == [(-8, 3), (3, -8), (3, 3)]


NAMING = """

class Contexts(coverage.CoveragePlugin):
    def dynamic_context(self, frame):
        return "of render" if frame.f_code.co_name == "render" else None
"""


def test_a_program_that_measures_itself(tmp_path: pathlib.Path) -> None:
    """From the start to the stop, also the second time; plugins that name contexts are asked as well."""
    main = """\
import engine, footfall, sys
for lines in {1}, {3}:
    footfall.start()
    engine.Template("a.tpl").render_all(lines)
    print(sys.gettrace() is not None)
    footfall.stop()
    engine.Template("a.tpl").render_all({5})
"""
    plugin = FILES["my_plugin.py"]
    write_project(tmp_path, main_py=main, my_plugin_py=plugin)
    ran = subprocess.run(
        [sys.executable, "main.py"], cwd=tmp_path, check=True, timeout=60, stdout=subprocess.PIPE, text=True
    )
    if HAS_CORE:
        assert ran.stdout == f"{not HAS_MONITORING}\n" * 2, "ordinary code is traced"
    found = read_traced(tmp_path / ".coverage")["a.tpl", "my_plugin.Lines", ""]
    assert found == [(-8, 3), (3, -8), (3, 3)]
    plugin += "    registry.add_dynamic_context(Contexts())\n" + NAMING
    write_project(tmp_path, main_py=main, my_plugin_py=plugin)
    subprocess.run([sys.executable, "main.py"], cwd=tmp_path, check=True, timeout=60)
    assert read_traced(tmp_path / ".coverage")["a.tpl", "my_plugin.Lines", "of render"] == found


CYTHONS = "import coverage\n\n\nclass Plugin(coverage.CoveragePlugin):\n    pass\n"
BY_MODULE = """\
from Cython.Coverage import Plugin


class Ours(Plugin):
    pass


def coverage_init(registry, options):
    registry.add_file_tracer(Ours())
"""
BY_FUNCTION = """\
import sys, Cython.Coverage
import footfall.compat

cov = footfall.compat.Coverage(plugins=[lambda registry: registry.add_file_tracer(Cython.Coverage.Plugin())])
with cov.collect():
    print(sys.gettrace() is not None)
"""


@pytest.mark.skipif(IS_PURE_CPYTHON, reason="settrace measures the files of all plugins here")
def test_a_plugin_of_cythons_class_is_traced_however_it_is_registered(
    footfall: Footfall, tmp_path: pathlib.Path
) -> None:
    """By a module of the project, also as a class that inherits from it, and by a function."""
    (tmp_path / "Cython").mkdir()
    (tmp_path / "Cython" / "Coverage.py").write_text(CYTHONS)
    (tmp_path / "ours.py").write_text(BY_MODULE)
    (tmp_path / ".coveragerc").write_text("[run]\nplugins = ours\n")
    (tmp_path / "main.py").write_text("pass\n")
    assert "Cython's modules need the engine settrace" in footfall("run", "-q", "--no-profile", "main.py").stderr
    (tmp_path / ".coveragerc").unlink()
    (tmp_path / "main.py").write_text(BY_FUNCTION)
    done = subprocess.run([sys.executable, "main.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "True\n", done.stderr


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


ANSWERING = '''\
import sys, warnings
import footfall.compat


class Answering:
    """A plugin and a file tracer in one, whose answers are given."""

    def __init__(self, answers):
        self.answers = {"tracer": self, "dynamic": False, "source": "/a/source", "named": "/a/source", "lines": (1, 2)}
        self.answers.update(answers)

    def answer(self, name):
        answer = self.answers[name]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def file_tracer(self, filename):
        return self.answer("tracer") if filename.startswith("/code/") else None

    def has_dynamic_source_filename(self):
        return self.answer("dynamic")

    def source_filename(self):
        return self.answer("source")

    def dynamic_source_filename(self, filename, frame):
        return self.answer("named")

    def line_number_range(self, frame):
        return self.answer("lines")

    def find_executable_files(self, directory):
        return []


def attempt(plugin):
    try:
        for filename in "/code/one.py", "/code/two.py":
            exec(compile("x = 1\\nfor y in range(3):\\n    x += y\\n", filename, "exec"), {})
        plugin.answers["lines"] = (3, 4)
        exec(compile("x = 1", "/code/three.py", "exec"), {})
        for x in range(99):  # a signal's exception has time to come
            pass
    except KeyboardInterrupt:
        print("passed on")
        plugin.answers["lines"] = (7, 8)
        exec(compile("x = 1", "/code/four.py", "exec"), {})


def run(answers):
    cov = footfall.compat.Coverage(data_file=None, branch=True, plugins=[lambda reg: reg.add_file_tracer(plugin)])
    plugin = Answering(answers)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with cov.collect():
            attempt(plugin)
        data = cov.get_data()
    n_disabled = sum("Disabling plug-in 'None.Answering'" in str(each.message) for each in caught)
    print(n_disabled, plugin._coverage_enabled, [sorted(data.arcs(path)) for path in data.measured_files() if "/a/" in path])


'''

ANSWERS = {
    "sense": ("{}", "0 True [[(-1, 1), (-1, 3), (1, 2), (2, -1), (2, 1), (3, 4), (4, -1)]]"),
    "no lines": ("{'lines': (-1, -1)}", "0 True [[(-1, -1), (-1, 3), (3, 4), (4, -1)]]"),
    "no tracer": ("{'tracer': 5}", ""),
    "an error about its kind": ("{'dynamic': KeyError('kind')}", ""),
    "no source": ("{'source': None}", ""),
    "a source that is no text": ("{'source': b'/a/source'}", ""),
    "an error about the source": ("{'source': OSError('source')}", ""),
    "a number for a frame": ("{'dynamic': True, 'named': 17}", ""),
    "what can't be looked up": ("{'dynamic': True, 'named': ['/a/source']}", ""),
    "one line": ("{'lines': 5}", ""),
    "a list": ("{'lines': [1, 2]}", ""),
    "three lines": ("{'lines': (1, 2, 3)}", ""),
    "text": ("{'lines': ('1', '2')}", ""),
    "more lines than any file has": ("{'lines': (1, 1 << 40)}", ""),
    "a number that no register holds": ("{'lines': (-1 << 80, 1 << 80)}", ""),
    "an exit": ("{'lines': SystemExit(3)}", ""),
    "a full stack, which is no fault of the plugin's": (
        "{'lines': RecursionError()}",
        "0 True [[(-1, -1), (-1, 3), (3, 4), (4, -1)]]",
    ),
    "Ctrl-C, which is the program's": (
        "{'lines': KeyboardInterrupt()}",
        "passed on\n0 True [[(-1, -1), (-1, 7), (7, 8), (8, -1)]]",
    ),
}
"""What a plugin answers, and what comes of it; "" is that it is switched off."""


@pytest.mark.any_python
@pytest.mark.parametrize("engine", ENGINES, ids=name_of_engine)
def test_senseless_answers_switch_off(tmp_path: pathlib.Path, engine: dict[str, str]) -> None:
    """It is said once; nothing is raised, and what was told of the plugin's files is taken back."""
    program = ANSWERING + "".join(f"run({answers})\n" for answers, _ in ANSWERS.values())
    (tmp_path / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env={**os.environ, **engine},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    expected = [result or "1 False []" for _, result in ANSWERS.values()]
    assert done.stdout.splitlines() == "\n".join(expected).splitlines()
