"""Runs of code that is not in a file of its own: archives of any name, made-up names, files that are removed."""

import pathlib
import sys
import zipfile
from collections.abc import Callable

import pytest

MAIN = "import inner\nif inner.value:\n    print('ran')\nelse:\n    print('not')\n"


@pytest.mark.parametrize("name", ["app.pyz", "app"])
def test_a_zip_application(name: str, footfall: Callable[..., object], tmp_path: pathlib.Path) -> None:
    """Its modules are reported from inside of it, whatever it is called."""
    (tmp_path / name).write_bytes(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(tmp_path / name, "a") as archive:
        archive.writestr("__main__.py", MAIN)
        archive.writestr("inner.py", "value = 1\n")
    done = footfall("run", "--no-profile", sys.executable, name)
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "[" not in done.stderr
    report = footfall("report", "-m")
    assert (report.returncode, report.stderr) == (0, "")
    rows = [line.split() for line in report.stdout.splitlines()]
    assert [f"{name}/__main__.py", "4", "1", "2", "1", "67%", "5"] in rows
    assert [f"{name}/inner.py", "1", "0", "0", "0", "100%"] in rows
    for other in ("html", "json", "xml", "lcov"):
        assert footfall(other, "-q").returncode == 0


COMPILING = """\
import os
from pathlib import Path
for number in range(2):
    text = "def cell():\\n    return 1\\ncell()\\n"
    exec(compile(text, os.path.abspath(f"made-up/cell_{number}.py"), "exec"), {})
Path("gone.py").write_text("a = 1\\n")
import gone
os.unlink("gone.py")
"""


@pytest.mark.parametrize("engine", ["", "settrace"])
def test_names_without_a_file(
    engine: str, footfall: Callable[..., object], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are named once, when the command ends, and are in no data and no report, with every engine."""
    if engine:
        monkeypatch.setenv("FOOTFALL_ENGINE", engine)
    monkeypatch.setenv("PYTHONPATH", ".")
    (tmp_path / "main.py").write_text(COMPILING)
    done = footfall("run", "--no-profile", "main.py")
    assert done.returncode == 0
    assert "[source-missing]" in done.stderr
    assert "Coverage 100%" in done.stderr
    assert "1 file)" in done.stderr
    assert "[no-source]" not in done.stderr
    report = footfall("report", "--fail-under=100")
    assert (report.returncode, report.stderr) == (0, "")
    assert [line.split()[0] for line in report.stdout.splitlines() if ".py" in line] == ["main.py"]
    for other in ("html", "json", "xml", "lcov"):
        assert footfall(other, "-q").returncode == 0
