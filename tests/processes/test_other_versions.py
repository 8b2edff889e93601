"""A program of one Python version that starts programs of others: they are measured where footfall is installed for them.

Each row is programs whose marks say what must have run (marked.py), under all versions together.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import footfall.observe.on_path
from footfall.record.data.coverage_tables import read_coverage
from interpreters import OTHERS, PYPY, environment_of
from marked import check_marks, write_program

_NEWEST = sys.version_info >= (3, 14)
_CPYTHON = (OTHERS[0] if _NEWEST else OTHERS[-1]) if OTHERS else None
"""The one whose engine differs most from ours."""

MAIN = """
    import os, subprocess, sys
    import library
    assert library.choose(0) == 2
    done = subprocess.run([{python!r}, "child.py"], env={{}}, capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("1 2\\n", "", 3), done
    pid = os.fork()
    if pid == 0:  # both
        os.execv({python!r}, [{python!r}, "child.py", "again"])
    assert os.waitpid(pid, 0)[1] == 3 << 8
"""
CHILD = """
    import sys
    import library
    def values(n):
        try:
            for i in range(n):  # both
                if i:  # both
                    yield library.choose(i)
        finally:
            ended = 1
    found = [value for value in values(2)]
    match sys.argv:
        case [_, "again"]:
            again = 1
        case _:
            first = 1
    print(*found, library.choose(0), flush=True)
    if library.choose(2) == 2:  # false
        never = 1  # missed
    sys.exit(3)
"""
LIBRARY = """
    def choose(x):
        if x:  # both
            return 1
        return 2
"""


def _write(folder: Path, python: str, mark: str = "") -> None:
    write_program(folder / "main.py", MAIN.format(python=python))
    write_program(folder / "child.py", CHILD)
    write_program(folder / "library.py", LIBRARY)


@pytest.mark.any_python
@pytest.mark.parametrize("python", [_CPYTHON, PYPY], ids=["CPython", "PyPy"])
def test_another_version_is_measured(footfall, tmp_path, python: str | None) -> None:
    """What another version ran is in the data like our own, of one file that both ran too."""
    if python is None or (python == PYPY and sys.implementation.name == "pypy"):
        pytest.skip("no such interpreter but ours is here")
    other = environment_of(python, tmp_path / "other", with_footfall=True)
    work = tmp_path / "work"
    work.mkdir()
    _write(work, other)
    done = footfall("run", "-q", "main.py", cwd=work)
    assert (done.returncode, done.stderr) == (0, "")
    check_marks(work, read_coverage(work / ".coverage"))


@pytest.mark.any_python
@pytest.mark.skipif(_CPYTHON is None, reason="no other version is here")
def test_a_version_without_footfall_runs_as_ever(footfall, tmp_path) -> None:
    """A Python for which footfall is not installed runs its program unmeasured, and nothing of ours is in its way."""
    other = environment_of(str(_CPYTHON), tmp_path / "other", with_footfall=False)
    work = tmp_path / "work"
    work.mkdir()
    _write(work, other)
    done = footfall("run", "-q", "main.py", cwd=work, env={**os.environ, "PYTHONSAFEPATH": ""})
    assert (done.returncode, done.stderr) == (0, "")
    files = read_coverage(work / ".coverage").files
    assert set(files) == {str(work / "main.py"), str(work / "library.py")}
    assert files[str(work / "library.py")].lines == {1, 2, 4}


OWN_PATH = """
    import os, sys
    import customized
    print(*sys.path, customized.done, sys.modules["sitecustomize"].__file__, flush=True)
    os.environ["PYTHONPATH"] = "other"
"""


@pytest.mark.any_python
@pytest.mark.parametrize("python", [sys.executable, _CPYTHON, PYPY], ids=["our version", "another CPython", "PyPy"])
def test_a_python_without_footfall_is_measured_by_this_one(footfall, tmp_path, python: str | None) -> None:
    """`footfall run PYTHON` measures an environment without footfall, and what it starts; its path is as ever."""
    if python is None or (python == PYPY and sys.implementation.name == "pypy"):
        pytest.skip("no such interpreter but ours is here")
    other = environment_of(python, tmp_path / "other", with_footfall=False)
    work, site = tmp_path / "work", tmp_path / "site"
    work.mkdir()
    site.mkdir()
    _write(work, other)
    write_program(work / "main.py", OWN_PATH + MAIN.format(python=other))
    write_program(site / "sitecustomize.py", "import customized\ncustomized.done = 1\n")
    write_program(site / "customized.py", "")
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    bare = subprocess.run([other, "main.py"], cwd=work, env=environment, capture_output=True, text=True, check=True)
    done = footfall("run", other, "main.py", cwd=work, env=environment)
    assert (done.returncode, done.stdout) == (0, bare.stdout), done.stderr
    found = read_coverage(work / ".coverage")
    check_marks(work, found)
    assert {Path(path).parent for path in found.files} == {work, site}
    tier = "its C core" if python == sys.executable and sys.implementation.name == "cpython" else "Python alone"
    assert f"measures in it for this run, by {tier}" in done.stderr and "[other-environment]" in done.stderr
    assert not [*(tmp_path / "other").rglob("*footfall*")]


@pytest.mark.any_python
def test_a_start_that_fails_leaves_the_program_as_it_is(tmp_path) -> None:
    """The start hook's package is incomplete. With and without a stderr, the program's own customization follows."""
    hook = tmp_path / "footfall" / "observe" / "on_path"
    hook.mkdir(parents=True)
    (tmp_path / "footfall" / "__init__.py").touch()
    shutil.copy(Path(footfall.observe.on_path.__file__).with_name("sitecustomize.py"), hook)
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("print('own')\n")
    environment = {**os.environ, "FOOTFALL_RUN": "/nowhere", "PYTHONPATH": f"{hook}{os.pathsep}{own}"}
    for closing, said in ("", "[start-failed]"), ("exec 2>&-; ", ""):
        command = ["sh", "-c", closing + 'exec "$0" -S -c "import sitecustomize"', sys.executable]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (0, "own\n"), done.stderr
        assert done.stderr.strip()[-len("[start-failed]") :] == said
