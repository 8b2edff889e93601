"""coverage.py's plugins: those that set options have the effect that they have under coverage.py."""

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable

import pytest

pytestmark = pytest.mark.any_python

PROGRAM = """\
import sys


def choose(x):
    if x:  # pragma: one way
        return 1
    raise NotImplementedError


def unused():  # pragma: skip me
    return 2


choose(1)
"""

CONFIGURER = """\
from coverage import CoveragePlugin


class Strict(CoveragePlugin):
    def __init__(self, marks):
        self.marks = marks

    def configure(self, config):
        assert config.get_option("run:source") is None
        config.set_option("run:branch", True)
        lines = config.get_option("report:exclude_lines")
        assert any("no" in line for line in lines)
        config.set_option("report:exclude_lines", sorted({*lines, *self.marks, "raise NotImplementedError"}))
        config.get_option("report:partial_branches").append("pragma: one way")
        config.set_option("strict_plugin:seen", "yes")
        assert config.get_option("strict_plugin:seen") == "yes"
        if not config.get_option("report:fail_under"):
            config.set_option("report:fail_under", 95)
        try:
            config.set_option("report:no_such_thing", 1)
        except Exception:
            config.set_option("report:precision", 2)


def coverage_init(reg, options):
    reg.add_configurer(Strict(options["marks"].split()))
"""


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "main.py").write_text(PROGRAM)
    (tmp_path / "strict_plugin.py").write_text(CONFIGURER)
    return tmp_path


SETTINGS = {
    ".coveragerc": "[run]\nplugins = strict_plugin\n[strict_plugin]\nmarks = pragma:.skip\n",
    "setup.cfg": "[coverage:run]\nplugins = strict_plugin\n[coverage:strict_plugin]\nmarks = pragma:.skip\n",
    "pyproject.toml": '[tool.coverage.run]\nplugins = ["strict_plugin"]\n[tool.coverage.strict_plugin]\nmarks = "pragma:.skip"\n',
}


@pytest.mark.parametrize("name", SETTINGS)
def test_what_a_plugin_sets_is_in_force(
    footfall: Callable[..., subprocess.CompletedProcess[str]], project: pathlib.Path, name: str
) -> None:
    """Branches, excluded lines, precision and threshold: the same report and status as coverage.py's."""
    (project / name).write_text(SETTINGS[name])
    assert footfall("run", "-q", "--no-profile", "main.py").stderr == ""
    ours = footfall("report", "-m")
    theirs_env = {**os.environ, "COVERAGE_FILE": "theirs"}
    coverage = [sys.executable, "-m", "coverage"]
    subprocess.run([*coverage, "run", "main.py"], cwd=project, env=theirs_env, check=True)
    theirs = subprocess.run([*coverage, "report", "-m"], cwd=project, env=theirs_env, capture_output=True, text=True)
    assert (ours.stdout, ours.returncode) == (theirs.stdout, theirs.returncode)
    assert "100.00%" in ours.stdout


FAILING = {
    "raises": ("def coverage_init(reg, options):\n    1 / 0\n", "ZeroDivisionError"),
    "half": (
        "class P:\n    def configure(self, config):\n        config.set_option('report:fail_under', 100)\n        1 / 0\n"
        "def coverage_init(reg, options):\n    reg.add_configurer(P())\n",
        "ZeroDivisionError",
    ),
    "exits": ("raise SystemExit(3)\n", "SystemExit"),
    "is none": ("x = 1\n", "coverage_init"),
    "needs what is not there": ("import no_such_package.core\n", "Install what has the module no_such_package"),
    "is no plugin": (
        "def coverage_init(reg, options):\n    reg.add_file_tracer(object())\n",
        "AttributeError",
    ),
}


@pytest.mark.parametrize(("plugin", "reason"), FAILING.values(), ids=FAILING)
def test_a_plugin_that_fails_is_named_and_is_not_the_end(
    footfall: Callable[..., subprocess.CompletedProcess[str]], project: pathlib.Path, plugin: str, reason: str
) -> None:
    """What it set before is taken back; the others are applied."""
    (project / "bad_plugin.py").write_text(plugin)
    settings = SETTINGS[".coveragerc"].replace("strict_plugin", "bad_plugin, strict_plugin", 1)
    (project / ".coveragerc").write_text(settings + "[report]\nprecision = 1\n")
    done = footfall("run", "--no-profile", "main.py")
    assert done.returncode == 0
    assert done.stderr.count("[plugins-ignored]") == 1
    assert "bad_plugin" in done.stderr
    assert reason in done.stderr
    done = footfall("json", "-o", "-")
    totals = json.loads(done.stdout.partition("\nCoverage failure")[0])["totals"]
    assert totals["percent_covered"] == 100
    assert done.returncode == 0


def test_without_coverage_py_the_message_names_what_to_install(
    footfall: Callable[..., subprocess.CompletedProcess[str]], project: pathlib.Path
) -> None:
    (project / "coverage.py").write_text("raise ModuleNotFoundError('No module named coverage', name='coverage')\n")
    (project / ".coveragerc").write_text(SETTINGS[".coveragerc"])
    environment = {**os.environ, "PYTHONPATH": str(project)}
    assert "pip install coverage" in footfall("run", "--no-profile", "main.py", env=environment).stderr


@pytest.mark.parametrize("imported", ["import coverage.plugin", "from coverage import CoveragePlugin"])
def test_where_the_shim_is_in_place_of_coverage_py_the_message_says_so(
    footfall: Callable[..., subprocess.CompletedProcess[str]], project: pathlib.Path, imported: str
) -> None:
    assert footfall("shim", "shim").returncode == 0
    (project / "needing.py").write_text(f"{imported}\n")
    (project / ".coveragerc").write_text("[run]\nplugins = needing\n")
    environment = {**os.environ, "PYTHONPATH": str(project / "shim" / "lib")}
    told = footfall("report", env=environment).stderr
    assert "`footfall shim` comes first: unset PYTHONPATH. [plugins-ignored]" in told


WRONG = """\
import coverage


class Wrong(coverage.CoveragePlugin):
    def configure(self, config):
        config.set_option("report:fail_under", 100)
        config.set_option({option!r}, {value!r})


def coverage_init(reg, options):
    reg.add_configurer(Wrong())
"""


@pytest.mark.parametrize(("option", "value"), [("report:precision", "2"), ("run:data_file", 3), ("run:omit", 3)])
def test_a_plugin_that_sets_a_wrong_value_is_ignored_with_what_it_set_before(
    footfall: Callable[..., subprocess.CompletedProcess[str]], project: pathlib.Path, option: str, value: object
) -> None:
    """In coverage.py such a value ends the report, or the run, with a traceback."""
    (project / "wrong.py").write_text(WRONG.format(option=option, value=value))
    (project / ".coveragerc").write_text("[run]\nplugins = wrong\nomit = wrong.py\n")
    for command in ("run", "-q", "--no-profile", "main.py"), ("report",):
        done = footfall(*command)
        assert done.returncode == 0, "fail_under is not in force"
        assert f"TypeError: {option} is " in done.stderr
        assert done.stderr.count("[plugins-ignored]") == 1
