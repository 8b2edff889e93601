"""A project with settings for coverage.py that don't ask for branches keeps its totals, whatever way it is measured by."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import sysconfig
from collections.abc import Callable

import pytest

from both_reports import compare_reports, run_ours

pytestmark = pytest.mark.any_python

pytest.importorskip("coverage")

Footfall = Callable[..., subprocess.CompletedProcess[str]]

SHIM = os.path.join(sysconfig.get_path("scripts"), "footfall-coverage")
# every line runs, and one way of two is not taken
PROGRAM = "def test_name(x=1):\n    if x:\n        x = 2\n    assert x\ntest_name()\n"
SETTINGS = "[run]\ninclude = test_*.py\n[report]\nfail_under = 100\nshow_missing = true\n"


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    (tmp_path / "test_program.py").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / ".coveragerc").write_text(SETTINGS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_totals_are_those_of_coverage(footfall: Footfall, folder: pathlib.Path, capsys) -> None:
    """The summary, all reports and their thresholds; `--branch` and footfall's own setting ask for more."""
    done = footfall("run", "--no-profile", "test_program.py")
    assert done.returncode == 0 and "Coverage 100%" in done.stderr and "branch" not in done.stderr, done.stderr
    ours = (folder / ".coverage").read_bytes()
    subprocess.run([sys.executable, "-m", "coverage", "run", "test_program.py"], check=True, timeout=60)
    theirs = (folder / ".coverage").read_bytes()
    for command in ("report", "json", "xml", "lcov"):
        reports = []
        for data in (ours, theirs):
            (folder / ".coverage").write_bytes(data)
            compare_reports(capsys, command)  # exit status, too
            reports.append(run_ours(capsys, command, *([] if command == "report" else ["-o", "-"])))
        assert reports[0][0] == 0
    (folder / ".coverage").write_bytes(ours)
    assert run_ours(capsys, "html")[0] == 0
    done = footfall("run", "--branch", "test_program.py")
    assert "Coverage 86%" in done.stderr and run_ours(capsys, "report")[0] == 2
    (folder / "pyproject.toml").write_text("[tool.footfall]\nbranch = true\n", encoding="utf-8")
    assert "Coverage 86%" in footfall("run", "test_program.py").stderr


def test_a_pytest_session_keeps_its_threshold(folder: pathlib.Path) -> None:
    """By footfall's options and by pytest-cov's; both also where the configuration asks for branches."""
    for option in ("--footfall", "--cov"):
        for more, status in (("", 0), ("[run]\nbranch = true\n", 1)):
            (folder / ".coveragerc").write_text(SETTINGS.replace("[run]\n", more or "[run]\n"), encoding="utf-8")
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", option, "--footfall-no-profile"],
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == status, (option, more, done.stdout, done.stderr)


def test_the_shim_has_the_defaults_of_coverage(folder: pathlib.Path) -> None:
    """`footfall-coverage` without any configuration: no branches, no summary; the commands are footfall's."""
    (folder / ".coveragerc").unlink()

    def shim(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([SHIM, *arguments], capture_output=True, text=True, timeout=60)

    done = shim("run", "test_program.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert shim("report", "--format=total").stdout == "100\n"
    shim("run", "--branch", "test_program.py")
    assert shim("report", "--format=total").stdout == "86\n"
    assert [len(line.split()) for line in shim("report").stdout.splitlines()[::2]] == [6, 6, 6]  # no times
    assert (
        shim("report", "--data-file=none").returncode
        == shim("run", "none.py").returncode
        == shim("none").returncode
        == 1
    )
    assert shim("report", "--fail-under=90").returncode == 2
    (folder / "broken.py").write_text("def (\n", encoding="utf-8")
    assert shim("run", "broken.py").returncode == 1
    for word in ("report", "html"):
        done = shim(word)
        assert (done.returncode, done.stdout) == (1, ""), "nothing was measured, whatever time it took"
    assert shim("help").stdout.startswith("Usage: footfall-coverage ")
    assert (shim().stdout, shim().returncode) == (shim("help").stdout, 0), "no error to coverage.py"
    assert shim("help", "help").stdout == shim("help").stdout
    done = shim("help", "nosuch", "report")
    assert (done.returncode, done.stderr) == (0, ""), "nor is that"
    assert done.stdout == f"Don't know topic 'nosuch'\n{shim('report', '--help').stdout}"
    inside = shim("debug", "sqlite")
    assert (inside.returncode, inside.stderr.splitlines()[0].split()[-1]) == (0, "[option-ignored]")
