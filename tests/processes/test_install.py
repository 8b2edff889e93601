"""The package as pip installed it: the hook, the command, the C core, and what the source distribution holds."""

import fnmatch
import importlib.metadata
import os
import shutil
import subprocess
import sys

import pytest

from conftest import COMMAND, REPOSITORY
from footfall._version import VERSION


@pytest.fixture(scope="module")
def installed():
    """Names of the installed files, relative to site-packages."""
    files = importlib.metadata.files("footfall")
    assert files is not None
    return [str(file) for file in files]


def test_the_hook_is_at_the_root_of_site_packages(installed):
    """`footfall.pth` lands where site reads it."""
    assert "footfall.pth" in installed
    assert "footfall/py.typed" in installed


def test_the_core_is_compiled_on_cpython_only(installed):
    """CPython gets the C core, PyPy is pure Python."""
    has_core = any(fnmatch.fnmatch(name, "footfall/_core.*.so") for name in installed)
    assert has_core == (sys.implementation.name == "cpython")


def test_version_stands_in_one_place():
    """The distribution's version is `_version.py`'s."""
    assert importlib.metadata.version("footfall") == VERSION


def test_an_interpreter_that_is_not_measured_imports_nothing_of_ours():
    """Without FOOTFALL_RUN the hook looks at the environment and does no more."""
    text = "import sys; print([name for name in sys.modules if 'footfall' in name])"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_a_removed_run_is_reported_and_nothing_breaks(tmp_path):
    """FOOTFALL_RUN may outlive its run directory: the program runs, one line says why it is not measured."""
    environment = {**os.environ, "FOOTFALL_RUN": str(tmp_path / "gone")}
    done = subprocess.run([sys.executable, "-c", "print(7)"], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "7\n")
    assert done.stderr.count("\n") == 1 and "[run-unreadable]" in done.stderr


def test_the_command_prints_its_version():
    """`footfall --version` runs from the environment's scripts."""
    done = subprocess.run([COMMAND, "--version"], capture_output=True, text=True, check=True)
    assert VERSION in done.stdout


@pytest.mark.any_python
def test_what_is_measured_needs_no_dependency_and_the_command_names_it(tmp_path):
    """Installed with --no-deps a program measures itself; the command line says what it lacks."""
    hidden = "import sys\nfor name in ('click', 'rich', 'textual', 'elftools'): sys.modules[name] = None\n"
    measure = "import footfall\nwith footfall.measure(): exec(compile('a = 1\\n', 'program.py', 'exec'))\n"
    plugin = "import footfall.pytest_plugin, footfall.pytest_plugin.as_pytest_cov\n"
    python = [sys.executable, "-c"]
    done = subprocess.run([*python, hidden + plugin + measure], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert (tmp_path / ".coverage").exists()
    command = hidden + "from footfall.__main__ import main\nmain(arguments=['report'])"
    done = subprocess.run([*python, command], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "needs click" in done.stderr and "[dependency-missing]" in done.stderr


def test_the_source_distribution_holds_all_that_is_compiled():
    """Every C file and the hook are named by MANIFEST.in, so that an sdist can be built from."""
    manifest = (REPOSITORY / "MANIFEST.in").read_text(encoding="utf-8").split("\n")
    included = next(line.split()[2:] for line in manifest if line.startswith("recursive-include native"))
    for path in (REPOSITORY / "native").rglob("*.*"):
        assert any(fnmatch.fnmatch(path.name, pattern) for pattern in included), path
    named = next(line.split()[1:] for line in manifest if line.startswith("include "))
    assert "footfall.pth" in named
    assert all((REPOSITORY / name).exists() for name in named)


@pytest.mark.any_python
def test_a_build_without_a_compiler_is_one_in_python(tmp_path):
    """Nothing fails for want of a compiler, unless the C core is asked for; what is built has nothing compiled in it."""
    for name in ("native", "src"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("setup.py", "pyproject.toml", "footfall.pth", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, tmp_path)
    environment = {
        name: value for name, value in os.environ.items() if name not in ("FOOTFALL_WERROR", "FOOTFALL_CORE")
    }
    command = [sys.executable, "setup.py", "-q", "build", "--build-lib", "built"]
    done = subprocess.run(command, cwd=tmp_path, env={**environment, "CC": "false"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "without its C core" in done.stderr or sys.implementation.name != "cpython"
    assert (tmp_path / "built/footfall.pth").exists() and (tmp_path / "built/footfall/tier.py").exists()
    assert not [*(tmp_path / "built").rglob("*.so")]
    if sys.implementation.name == "cpython":
        required = {**environment, "CC": "false", "FOOTFALL_CORE": "require"}
        assert subprocess.run(command, cwd=tmp_path, env=required, capture_output=True).returncode != 0


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy has no C core")
def test_without_the_core_coverage_is_the_same_and_the_rest_says_why(tmp_path):
    """`FOOTFALL_PURE=1` measures in Python, the profile too; `dump` is refused, and `debug sys` says why."""
    program = "def f(a):\n    if a:\n        return 1\n    return 2\nprint(f(1))\n"
    program += "import concurrent.futures, time\ntime.sleep(0.1)\n"  # it loads the module that makes interpreters
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    found = {}
    for pure in ("", "1"):
        environment = {**os.environ, "FOOTFALL_PURE": pure}
        run = _footfall(tmp_path, environment, "run", "--branch", "program.py")
        assert (run.returncode, run.stdout) == (0, "1\n"), run.stderr
        assert run.stderr.count("[sampler-fallback]") == (pure == "1")
        assert "[interpreter-unsampled]" not in run.stderr
        found[pure] = _footfall(tmp_path, environment, "lcov", "-o", "-").stdout
    assert found[""] == found["1"]
    assert "DA:4,0" in found["1"]
    shown = _footfall(tmp_path, environment, "debug", "sys").stdout
    assert "measured by: Python alone: FOOTFALL_PURE is set" in shown
    assert "sampler: a Python thread" in shown
    refused = _footfall(tmp_path, environment, "dump", "1")
    assert refused.returncode == 3 and "[core-missing]" in refused.stderr


def _footfall(directory, environment, *arguments):
    return subprocess.run([COMMAND, *arguments], cwd=directory, env=environment, capture_output=True, text=True)
