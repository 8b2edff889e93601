"""Plugins that put functions of their own in place of coverage.py's and the library's: the results are coverage.py's.

The plugins are our own, each with the way to act of one that projects use: a template engine's hits that are added in
`Coverage.save`, a parser that excludes other lines, shell scripts that a replaced `Popen` measures.
"""

import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable

import pytest

pytest.importorskip("coverage")

Footfall = Callable[..., subprocess.CompletedProcess[str]]

PLUGINS = {
    # hits are kept in the process and added to the data where coverage.py saves
    "saver.py": """\
import functools
import coverage

hits = {}


class Reporter(coverage.FileReporter):
    def lines(self):
        return set(range(1, self.source().count("\\n") + 1))

    def arcs(self):
        return {(1, 2), (1, 3), (2, 3)}

    def exit_counts(self):
        return {1: 2}


class Saver(coverage.CoveragePlugin):
    def configure(self, config):
        self.branch = config.get_option("run:branch")

    def file_reporter(self, filename):
        return Reporter(filename)


def coverage_init(reg, options):
    if hasattr(coverage.Coverage.save, "inner"):
        return
    plugin = Saver()
    reg.add_configurer(plugin)
    inner = coverage.Coverage.save

    @functools.wraps(inner)
    def save(cov):
        data = cov.get_data()
        if plugin.branch:
            data.add_arcs({path: list(zip([-1, *lines], lines)) for path, lines in hits.items()})
        else:
            data.add_lines(hits)
        data.add_file_tracers(dict.fromkeys(hits, plugin._coverage_plugin_name))
        inner(cov)

    save.inner = inner
    coverage.Coverage.save = save
""",
    # all that is measured passes through it
    "renamer.py": """\
import coverage


def coverage_init(reg, options):
    if coverage.CoverageData.add_arcs.__module__ == __name__:
        return
    inner = coverage.CoverageData.add_arcs

    def add_arcs(data, arcs):
        inner(data, {path.replace("made_", ""): found for path, found in arcs.items()})

    coverage.CoverageData.add_arcs = add_arcs
""",
    "parser.py": """\
import coverage.parser


class Parser(coverage.parser.PythonParser):
    def lines_matching(self, regex):
        matches = inner(self, regex)
        return matches | {at for at, line in enumerate(self.text.split("\\n"), 1) if "not counted" in line}


def coverage_init(reg, options):
    coverage.parser.PythonParser.lines_matching = Parser.lines_matching


inner = coverage.parser.PythonParser.lines_matching
""",
    # writes data files of its own beside coverage.py's
    "starter.py": """\
import os
import subprocess
import coverage


class Starter(coverage.CoveragePlugin):
    def configure(self, config):
        where = os.path.abspath(config.get_option("run:data_file"))
        inner = subprocess.Popen.__init__
        if inner.__module__ == __name__:
            return

        def start(popen, args, *others, **named):
            if coverage.Coverage.current() is not None:
                data = coverage.CoverageData(where, suffix=f"sh.{os.getpid()}")
                data.add_arcs({os.path.abspath(args[1]): [(-1, 1), (1, 2)]})
                data.add_file_tracers({os.path.abspath(args[1]): "saver.Saver"})
                data.write()
            inner(popen, args, *others, **named)

        subprocess.Popen.__init__ = start


def coverage_init(reg, options):
    reg.add_configurer(Starter())
""",
}
PROGRAM = {
    "pages.py": """\
import os
import sys


def render(name, lines):
    hits = sys.modules["saver"].hits
    for line in lines:
        hits.setdefault(os.path.abspath(name), []).append(line)
""",
    "main.py": """\
import multiprocessing
import subprocess
import pages
import made_part


def skipped():  # not counted
    return 1


def work():
    pages.render("child.txt", [1, 3])


pages.render("page.txt", [1, 2])
if len(pages.__name__) > 20:
    made_part.choose(1)
subprocess.run(["sh", "script.sh"], check=True)
if __name__ == "__main__":
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
""",
    "made_part.py": "def choose(x):\n    return 1 if x else 2\n",
    "part.py": "def choose(x):\n    return 1 if x else 2\n",
    "page.txt": "a\nb\nc\n",
    "child.txt": "a\nb\nc\n",
    "script.sh": "true\ntrue\ntrue\n",
    ".coveragerc": """\
[run]
plugins = saver, renamer, parser, starter
branch = true
source = .
parallel = true
concurrency = multiprocessing
omit = saver.py, renamer.py, parser.py, starter.py
""",
}


def write(directory: pathlib.Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (directory / name).write_text(text)


def read_pages(path: pathlib.Path) -> dict[tuple[str, str], set[tuple[int, int]]]:
    """Return the arcs of a data file's files that a plugin added, by file and plugin."""
    tables = "arc join file on file.id = arc.file_id join tracer on tracer.file_id = file.id"
    found: dict[tuple[str, str], set[tuple[int, int]]] = {}
    connection = sqlite3.connect(path)
    for name, tracer, start, end in connection.execute(f"select path, tracer, fromno, tono from {tables}"):
        found.setdefault((pathlib.Path(name).name, tracer), set()).add((start, end))
    connection.close()
    return found


def test_what_plugins_add_and_exclude_is_as_with_coverage_py(footfall: Footfall, tmp_path: pathlib.Path) -> None:
    """Saved by a process and its forked child, renamed while it is written, excluded by a parser, written beside."""
    write(tmp_path, {**PLUGINS, **PROGRAM})
    coverage = [sys.executable, "-m", "coverage"]
    core = "pytrace" if sys.implementation.name == "pypy" else "ctrace"
    environment = {**os.environ, "COVERAGE_CORE": core, "PYTHONPATH": "."}

    def run(*arguments: str) -> str:
        return subprocess.check_output([*coverage, *arguments], cwd=tmp_path, env=environment, text=True, timeout=60)

    run("run", "main.py")
    run("combine")
    theirs = run("report", "-m")
    assert all(name in theirs for name in ("page.txt", "child.txt", "script.sh", "part.py", "main.py"))
    shutil.move(tmp_path / ".coverage", tmp_path / "theirs")

    done = footfall("run", "-q", "--no-profile", "main.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert footfall("combine").returncode == 0
    assert footfall("report", "-m").stdout == theirs
    ours = read_pages(tmp_path / ".coverage")
    assert set(ours) == {(name, "saver.Saver") for name in ("page.txt", "child.txt", "script.sh")}
    assert ours == read_pages(tmp_path / "theirs")


FAILING = {
    "saving.py": """\
import coverage


def coverage_init(reg, options):
    def save(cov):
        raise OSError("no room")

    coverage.Coverage.save = save
""",
    "parsing.py": """\
import coverage.parser


def coverage_init(reg, options):
    coverage.parser.PythonParser.lines_matching = lambda self, regex: self.lines
""",
    "html.py": """\
import coverage.html


def coverage_init(reg, options):
    coverage.html.HtmlReporter.report = lambda self, morfs: 100.0
""",
    "quiet.py": """\
import coverage, subprocess


class Quiet(coverage.CoveragePlugin):
    def configure(self, config):
        subprocess.run(["true"], check=True)


def coverage_init(reg, options):
    reg.add_configurer(Quiet())
""",
}


def test_a_plugin_that_fails_or_acts_where_we_do_not_is_named(footfall: Footfall, tmp_path: pathlib.Path) -> None:
    """What was measured is reported nonetheless. A plugin that replaces nothing is not named."""
    write(
        tmp_path, {**FAILING, "main.py": "x = 1\n", ".coveragerc": "[run]\nplugins = saving, parsing, html_, quiet\n"}
    )
    (tmp_path / "html.py").rename(tmp_path / "html_.py")
    done = footfall("run", "--no-profile", "main.py")
    assert done.returncode == 0
    assert done.stderr.count("OSError: no room") == 2, "once for the process, once for the run"
    assert "plugin parsing failed on a Python file: AttributeError" in done.stderr
    assert "plugin html_ replaces coverage.html.HtmlReporter.report, which footfall does not call" in done.stderr
    assert done.stderr.count("[plugin-inactive]") == 1
    assert "Coverage 100%  (0 of 1 statement missing; 1 file)" in done.stderr
    done = footfall("report")
    assert "1      0   100%" in done.stdout
    assert "[plugin-inactive]" in done.stderr
    assert "plugin parsing failed" in done.stderr
    (tmp_path / ".coveragerc").write_text("[run]\nplugins = quiet\n")
    assert footfall("run", "-q", "--no-profile", "main.py").stderr == ""


def test_plugins_are_not_loaded_within_the_librarys_imports(footfall: Footfall, tmp_path: pathlib.Path) -> None:
    """With `-m`, runpy imports `importlib` first: loading plugins right then would find it incomplete."""
    write(tmp_path, {**PLUGINS, "main.py": "import json, pages\npages.render('page.txt', [1, 2])\n"})
    write(tmp_path, {name: PROGRAM[name] for name in ("pages.py", "page.txt")})
    (tmp_path / ".coveragerc").write_text("[run]\nplugins = saver\nomit = saver.py\n")
    done = footfall("run", "-q", "--no-profile", "-m", "main")
    assert (done.returncode, done.stderr) == (0, "")
    assert "page.txt       3      1    67%" in footfall("report").stdout


@pytest.mark.any_python
def test_links_among_what_plugins_saved_are_not_followed(footfall: Footfall, tmp_path: pathlib.Path) -> None:
    """The data files in the run directory are copied for all to read: not so what someone linked there."""
    program = """\
import os
for name in "plugin-files.coverage.1", "plugins.coverage.1":
    os.symlink(os.path.abspath("secret"), os.path.join(os.environ["FOOTFALL_RUN"], name))
with open(os.path.join(os.environ["FOOTFALL_RUN"], "plugins.coverage.2"), "w") as file:
    file.write("no data")
"""
    write(tmp_path, {**PLUGINS, "main.py": program, ".coveragerc": "[run]\nplugins = saver\n"})
    write(tmp_path, {"secret": "of one user\n"})
    done = footfall("run", "-q", "--no-profile", "main.py")
    assert done.returncode == 0
    assert done.stderr.count("a symbolic link, which no measured process made") == 2
    assert "/plugins.coverage.2: it is not a data file of coverage.py or footfall" in done.stderr
    assert not (tmp_path / ".coverage.1").exists()
