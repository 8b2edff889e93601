"""VS Code's "Run with Coverage" of its Python extension, with footfall in the place of pytest-cov and of coverage.py.

The programs here make the same checks and calls as the extension's own (python_files/vscode_pytest and unittestadapter
of microsoft/vscode-python), in the same order, and print what those send to the editor.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.any_python

_ANALYSIS = '''
def results(cov, has_branches):
    """Return what the editor gets: by file the lines and the numbers of branches."""
    from coverage.exceptions import NoSource

    files = cov.get_data().measured_files()
    for pattern in cov.config.report_omit or ():
        for file in list(files):
            if pathlib.Path(file).match(pattern):
                files.remove(file)
    found = {}
    for file in files:
        try:
            analysis = cov.analysis2(file)
            branches = cov.branch_stats(file).values() if has_branches else ()
        except NoSource:
            continue
        lines, missed = set(map(int, analysis[1])), set(map(int, analysis[3]))
        found[os.path.basename(file)] = [
            sorted(lines - missed), sorted(missed), sum(taken for _, taken in branches), sum(all for all, _ in branches)
        ]
    return found


def is_new_enough():
    import coverage

    return tuple(map(int, coverage.__version__.split(".")[:2])) >= (7, 7)
'''

_PLUGIN = f"""
import json, os, pathlib

{_ANALYSIS}
has_branches = False


def pytest_load_initial_conftests(early_config, parser, args):
    global has_branches
    plugins = early_config.pluginmanager
    if any("--cov" in arg for arg in args) and not (
        plugins.hasplugin("pytest_cov") or plugins.hasplugin("pytest_cov.plugin")
    ):
        raise RuntimeError("pytest-cov is not installed")
    has_branches = "--cov-branch" in args


def pytest_sessionfinish(session, exitstatus):
    if os.environ.get("COVERAGE_ENABLED") == "True":
        import coverage

        cov = coverage.Coverage()
        cov.load()
        with open("sent.json", "w") as sent:
            json.dump(results(cov, has_branches and is_new_enough()), sent)
"""

_RUN_PYTEST = """
import os, sys
import pytest

sys.path.insert(0, os.getcwd())
pytest.main(["-p", "editor_plugin", *sys.argv[1:], "--cov=.", "--cov-branch", "test_desk.py::test_open", "test_desk.py::test_fails"])
"""

_RUN_UNITTEST = f"""
import json, os, pathlib, sys, unittest

sys.path.insert(0, os.getcwd())

{_ANALYSIS}
import coverage

has_branches = is_new_enough()
cov = coverage.Coverage(branch=has_branches, source=[os.environ["COVERAGE_ENABLED"], os.path.abspath(".")])
cov.start()
unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromName("test_desk.Desk.test_open"))
cov.stop()
cov.save()
cov.load()
with open("sent.json", "w") as sent:
    json.dump(results(cov, has_branches), sent)
"""

_DESK = """\
def greet(name, is_open):
    if is_open:
        return f"Hello {name}"
    for letter in name:
        print(letter)
    return None
"""

_TEST = """\
import unittest
import desk
def test_open():
    assert desk.greet("Ann", True)
def test_fails():
    assert desk.greet("", False)
def test_not_asked_for():
    desk.greet("Bob", False)
class Desk(unittest.TestCase):
    def test_open(self):
        test_open()
"""


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    """A module with a test of pytest that fails, one that does not, and one of unittest; the editor's programs aside."""
    root = tmp_path / "desk"
    root.mkdir()
    for path, text in (
        (root / "desk.py", _DESK),
        (root / "test_desk.py", _TEST),
        (root / ".coveragerc", "[report]\nomit = */not_shown.py\n"),
        (tmp_path / "editor" / "editor_plugin.py", _PLUGIN),
        (tmp_path / "editor" / "run_pytest.py", _RUN_PYTEST),
        (tmp_path / "editor" / "run_unittest.py", _RUN_UNITTEST),
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def _run(project: pathlib.Path, program: str, *arguments: str, enabled: str, path: str = "") -> dict[str, list[object]]:
    """Run one of the editor's programs as it does, and return what it sends."""
    editor = project.parent / "editor"
    given = {
        name: text for name, text in os.environ.items() if not name.startswith(("COVERAGE_", "FOOTFALL_", "PYTEST"))
    }
    given |= {"PYTHONPATH": f"{editor}{os.pathsep}{path}", "COVERAGE_ENABLED": enabled}
    command = [sys.executable, str(editor / program), *arguments]
    done = subprocess.run(command, cwd=project, env=given, capture_output=True, text=True, timeout=120, check=False)
    sent = project / "sent.json"
    assert sent.exists(), done.stdout + done.stderr
    assert "INTERNALERROR" not in done.stdout + done.stderr
    return json.loads(sent.read_text())


@pytest.fixture
def shim(footfall, tmp_path: pathlib.Path) -> str:
    """The directory of a package `coverage` that is footfall's."""
    done = footfall("shim", "shim")
    assert done.returncode == 0, done.stderr
    return str(tmp_path / "shim" / "lib")


@pytest.mark.skipif(importlib.util.find_spec("pytest_cov") is not None, reason="pytest-cov is there itself")
@pytest.mark.parametrize("stops", [True, False], ids=["stops at the first failure", "with coverage.py beside it"])
def test_pytest(project, shim, stops) -> None:
    """Its plugin finds the lines and branches of the tests asked for, and not those of other code."""
    if not stops:
        pytest.importorskip("coverage")
    found = _run(project, "run_pytest.py", *(["-x"] if stops else []), enabled="True", path=shim if stops else "")
    assert found == {
        "desk.py": [[1, 2, 3, 4, 6], [5], 3, 4],
        "test_desk.py": [[1, 2, 3, 4, 5, 6, 7, 9, 10], [8, 11], 0, 0],
    }


def test_unittest(project, shim) -> None:
    """The adapter measures by coverage.py's API, which the package of the shim gives it."""
    found = _run(project, "run_unittest.py", enabled=str(project), path=shim)
    assert found["desk.py"] == [[1, 2, 3], [4, 5, 6], 1, 4]
    assert found["test_desk.py"] == [[1, 2, 3, 4, 5, 7, 9, 10, 11], [6, 8], 0, 0]
