"""Without what only POSIX systems have, footfall measures in Python and reports the same: as near to Windows as Linux gets.

Windows itself is another matter: its paths are tested by their names alone (tests/unit/test_windows_paths.py).
"""

import functools
import json
import pathlib
import shutil
import site
import subprocess
import sys
import sysconfig
from collections.abc import Callable

import pytest

from conftest import REPOSITORY
from footfall.record.data.coverage_tables import read_coverage
from marked import check_marks, write_program

pytestmark = pytest.mark.skipif(sys.implementation.name == "pypy", reason="PyPy itself needs its module posix")

MAIN = """
    import subprocess, sys, threading
    import library
    def spin(n):
        total = 0
        for i in range(n):  # both
            total += i % 7
        return total
    found = []
    thread = threading.Thread(target=lambda: found.append(library.choose(1)))
    thread.start()
    thread.join()
    if found == [1]:  # true
        spin(2_000_000)
    else:
        never = 1  # missed
    done = subprocess.run([sys.executable, "child.py"])
    sys.exit(done.returncode)
"""
CHILD = """
    import os, sys
    import library
    assert not hasattr(os, "fork")
    try:
        import fcntl
        never = 1  # missed
    except ImportError:
        pass
    print(library.choose(0), flush=True)
    sys.exit(3)
"""
LIBRARY = """
    def choose(x):
        if x:  # both
            return 1
        return 2
"""
Run = Callable[..., str]
TESTS = """
    import library
    import pytest
    @pytest.mark.parametrize("x", [0, 1])
    def test_choice(x):
        assert library.choose(x) == 2 - x
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python that has footfall and the other packages of this one, and begins each process without POSIX."""
    folder = tmp_path_factory.mktemp("without_posix")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
    paths = {"base": str(folder), "platbase": str(folder)}
    packages = pathlib.Path(sysconfig.get_path("purelib", "venv", vars=paths))
    shutil.copy(REPOSITORY / "tests/support/without_posix.py", packages)
    ours = sysconfig.get_path("purelib")
    assert ours in site.getsitepackages()
    (packages / "a.pth").write_text("import without_posix\n", encoding="utf-8")
    (packages / "b.pth").write_text(f"import site; site.addsitedir({ours!r})\n", encoding="utf-8")
    return str(folder / "bin" / "python")


@pytest.fixture
def run_python(python: str, tmp_path: pathlib.Path) -> Run:
    """Return a function that gives that Python arguments and returns what it printed, if it ends as expected."""

    def run(*arguments: str, status: int = 0) -> str:
        done = subprocess.run([python, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert "-failed]" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    return run


@pytest.fixture
def footfall(run_python: Run) -> Run:
    """Return a function that does the same for a command of footfall."""
    return functools.partial(run_python, "-m", "footfall")


def test_a_run_is_measured_with_its_children(footfall, tmp_path: pathlib.Path) -> None:
    """Lines and branches of a program, its thread and its child; a profile by the Python thread; the command's status."""
    for name, source in {"main.py": MAIN, "child.py": CHILD, "library.py": LIBRARY}.items():
        write_program(tmp_path / name, source)
    footfall("run", "--source=.", "main.py", status=3)
    check_marks(tmp_path, read_coverage(tmp_path / ".coverage"))
    assert "spin" in footfall("export", "--format", "collapsed", "-o", "-")


@pytest.mark.any_python
def test_reports_and_pytest_work(footfall, run_python, monkeypatch, tmp_path: pathlib.Path) -> None:
    """A run of pytest and the plugin give contexts; the data combine, and reports of each kind are written."""
    write_program(tmp_path / "library.py", LIBRARY)
    write_program(tmp_path / "test_library.py", TESTS)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # other plugins import what is Linux's
    pytest = ("-m", "pytest", "-q", "-p", "footfall.pytest_plugin", "--footfall-context=test")
    footfall("run", "--parallel-mode", *pytest)
    run_python(*pytest, "--footfall", "--footfall-report=none", "--footfall-data-file=.coverage.plugin")
    footfall("combine")
    assert "library.py" in footfall("report", "--show-missing")
    footfall("html")
    assert (tmp_path / "htmlcov" / "index.html").exists()
    footfall("json", "-o", "c.json")
    assert json.loads((tmp_path / "c.json").read_bytes())["files"]["library.py"]["summary"]["percent_covered"] == 100
    assert "Python alone" in footfall("debug", "sys")


@pytest.mark.any_python
@pytest.mark.parametrize(
    ("arguments", "slug"),
    [
        (["attach", "1"], "core-missing"),
        (["overhead", "true"], "not-on-this-system"),
        (["run", "--save-signal=USR1", "true"], "not-on-this-system"),
    ],
)
def test_what_the_system_has_not_is_refused(run_python, arguments: list[str], slug: str) -> None:
    """With a reason, before anything is done."""
    assert f"[{slug}]" in run_python("-m", "footfall", *arguments, status=3)
