"""`footfall shim DIRECTORY`: what calls, runs or imports `coverage` gets footfall; with coverage.py installed too."""

from __future__ import annotations

import os
import pathlib
import shlex
import subprocess
import sys
from collections.abc import Callable

import pytest

Footfall = Callable[..., subprocess.CompletedProcess[str]]

PROGRAM = "import subprocess, sys\nif sys.argv[1:]:\n    print('child')\nelse:\n    subprocess.run([sys.executable, __file__, 'x'])\n"

THEIRS = f"{shlex.quote(sys.executable)} -c 'import sys; from coverage.cmdline import main; sys.exit(main())'"
"""What the script `coverage` that coverage.py installs does."""


@pytest.fixture
def shell(footfall: Footfall, tmp_path: pathlib.Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Run a line of a shell in which `coverage` is footfall."""
    done = footfall("shim", "a b")
    assert done.returncode == 0, done.stderr
    (tmp_path / "main.py").write_text(PROGRAM, encoding="utf-8")
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("COVERAGE", "FOOTFALL"))}
    environment["PATH"] = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", f"{done.stdout}\n{line}"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def test_commands_and_imports_are_of_footfall(shell, footfall: Footfall, tmp_path: pathlib.Path) -> None:
    """By name and by `-m`; classes and exceptions are those of footfall.compat wherever coverage.py has them."""
    python = shlex.quote(sys.executable)
    done = shell(
        f"coverage run main.py && coverage3 report --format=total && {python} -m coverage report --format=total"
    )
    assert (done.returncode, done.stdout) == (0, "child\n100\n100\n"), done.stderr
    assert shell(f"{python} -m coverage run --branch -m main && coverage debug sys").returncode == 0
    assert shell("coverage report --data-file=none").returncode == 1, "as coverage.py has it"
    done = shell(f"{THEIRS} report --format=total && {THEIRS} report --data-file=none")
    assert (done.returncode, done.stdout) == (1, "100\n"), "the script of a coverage.py that is installed"
    (tmp_path / "names.py").write_text(
        "import coverage, coverage.control, coverage.data, footfall.compat\n"
        "from coverage.exceptions import CoverageException\n"
        "assert coverage.Coverage is coverage.control.Coverage is footfall.compat.Coverage\n"
        "assert coverage.CoverageData is coverage.data.CoverageData\n"
        "assert CoverageException is coverage.CoverageException\n"
        "assert '.'.join(map(str, coverage.version_info[:3])) == coverage.__version__\n",
        encoding="utf-8",
    )
    done = shell("coverage run names.py && coverage report --format=markdown")
    assert done.returncode == 0, done.stderr
    assert "names.py" in done.stdout and "coverage/" not in done.stdout, "the shim's own package is not measured"


@pytest.mark.any_python
def test_what_is_there_stays(footfall: Footfall, tmp_path: pathlib.Path) -> None:
    """Another program of that name is not overwritten; making the same again does nothing."""
    (tmp_path / "shim/bin").mkdir(parents=True)
    (tmp_path / "shim/bin/coverage").write_text("other", encoding="utf-8")
    done = footfall("shim", "shim")
    assert done.returncode == 3 and "[output-unwritable]" in done.stderr
    assert (tmp_path / "shim/bin/coverage").read_text(encoding="utf-8") == "other"
    assert footfall("shim", "new").stdout == footfall("shim", "new").stdout != ""


def test_processes_that_ask_for_it_are_measured(shell, tmp_path: pathlib.Path) -> None:
    """`coverage.process_startup()` in sitecustomize.py: each process leaves a file, those of footfall's commands none."""
    (tmp_path / ".coveragerc").write_text(
        "[run]\nparallel = true\nsource = .\nomit = hooks/*, a b/*\nconcurrency = multiprocessing\n", encoding="utf-8"
    )
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks/sitecustomize.py").write_text("import coverage\ncoverage.process_startup()\n", encoding="utf-8")
    start = 'export PYTHONPATH="$PWD/hooks:$PYTHONPATH" COVERAGE_PROCESS_START="$PWD/.coveragerc"\n'
    done = shell(start + f"{shlex.quote(sys.executable)} main.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "child\n", "")
    assert len(list(tmp_path.glob(".coverage.*"))) == 2
    done = shell(start + "coverage combine -q && coverage report --format=total")
    assert (done.returncode, done.stdout) == (0, "100\n"), done.stderr
    assert list(tmp_path.glob(".coverage.*")) == []
    done = shell(start + f"{THEIRS} report --format=total; ls .coverage.*")
    assert (done.stdout, done.stderr.count("no-data")) == ("100\n", 0), "coverage.py's own script is a command too"
    done = shell(start + "coverage run main.py; ls .coverage.*; coverage report --format=total")
    assert done.stdout.startswith("child\n.coverage.") and done.stdout.endswith("\n100\n"), (done.stdout, done.stderr)
    assert done.stdout.count(".coverage.") == 1, "a run's processes are all in its data file"
