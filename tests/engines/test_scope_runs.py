"""Which files a whole run lists: launchers, start files and environments are not the project's, as with coverage.py."""

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPTS = sysconfig.get_path("scripts")

pytest.importorskip("coverage")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tested module, a package with a launcher of its name, and a start file of a tool; commands are on PATH."""
    files = {
        "lib.py": "def double(x):\n    if x:\n        return x * 2\n    return x\n",
        "test_lib.py": "from lib import double\ndef test_double():\n    assert double(2) == 4 and double(0) == 0\n",
        "tool/__init__.py": "def main():\n    return 0\n",
        "bin/tool": "import sys\nsys.path.insert(0, '')\nfrom tool import main\nif __name__ == '__main__':\n    sys.exit(main())\n",
        "start/sitecustomize.py": "import os\nif not os:\n    print('never')\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setenv("PATH", SCRIPTS + os.pathsep + os.environ["PATH"])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "start"))
    monkeypatch.setenv("COVERAGE_CORE", "pytrace" if sys.implementation.name == "pypy" else "ctrace")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # quicker
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _result(command: list[str], report: list[str]) -> dict[str, object]:
    """Run and report; return what was missing by file, and the totals."""
    done = subprocess.run(command, text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    reported = subprocess.run([*report, "-o", "out.json"], text=True, capture_output=True, timeout=60)
    assert reported.returncode == 0, reported.stdout + reported.stderr
    found = json.loads(Path("out.json").read_text(encoding="utf-8"))
    totals = found["totals"]
    missing = {name: (file["missing_lines"], file.get("missing_branches")) for name, file in found["files"].items()}
    return {**missing, "totals": (totals["num_statements"], totals.get("num_branches"), totals["missing_lines"])}


_PYTEST = ["pytest", "-q", "-p", "no:cacheprovider"]


@pytest.mark.parametrize(
    ("options", "command"),
    [
        pytest.param([], _PYTEST, marks=pytest.mark.any_python),
        pytest.param(["--source=."], _PYTEST, marks=pytest.mark.any_python),
        (["--source=tool"], ["bin/tool"]),
        (["--include=bin/*,tool/*"], ["bin/tool"]),
    ],
    ids=["nothing-said", "source-here", "source-package-named-as-its-launcher", "include"],
)
def test_a_command_lists_the_files_that_coverage_lists(
    project: Path, footfall: Callable[..., object], options: list[str], command: list[str]
) -> None:
    """`footfall run COMMAND` measures the files that `coverage run` of the same script measures."""
    script = os.path.join(SCRIPTS, command[0]) if command[0] == "pytest" else command[0]
    if not os.path.exists(script):
        pytest.skip("pytest has no launcher here")
    python = [sys.executable, "-m"]
    theirs = _result(
        [*python, "coverage", "run", "--branch", *options, script, *command[1:]], [*python, "coverage", "json"]
    )
    start = [] if command[0] == "pytest" else [sys.executable]
    ours = _result([*python, "footfall", "run", "--quiet", *options, *start, *command], [*python, "footfall", "json"])
    assert ours == theirs


@pytest.mark.any_python
@pytest.mark.parametrize("option", ["--footfall", "--cov="])
def test_a_pytest_that_measures_itself_lists_no_launcher(project: Path, option: str) -> None:
    """`pytest --footfall` and `pytest --cov` without configuration report the project's files alone."""
    if not os.path.exists(os.path.join(SCRIPTS, "pytest")):
        pytest.skip("pytest has no launcher here")
    ours = _result(
        ["pytest", "-q", "-p", "footfall.pytest_plugin", option, "test_lib.py"],
        [sys.executable, "-m", "footfall", "json"],
    )
    assert sorted(ours) == ["lib.py", "test_lib.py", "totals"]
