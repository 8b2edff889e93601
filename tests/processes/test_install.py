"""The package as pip installed it: the hook, the command, the C core, and what the source distribution holds."""

import fnmatch
import importlib.metadata
import os
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


def test_the_source_distribution_holds_all_that_is_compiled():
    """Every C file and the hook are named by MANIFEST.in, so that an sdist can be built from."""
    manifest = (REPOSITORY / "MANIFEST.in").read_text(encoding="utf-8").split("\n")
    included = next(line.split()[2:] for line in manifest if line.startswith("recursive-include native"))
    for path in (REPOSITORY / "native").rglob("*.*"):
        assert any(fnmatch.fnmatch(path.name, pattern) for pattern in included), path
    named = next(line.split()[1:] for line in manifest if line.startswith("include "))
    assert "footfall.pth" in named
    assert all((REPOSITORY / name).exists() for name in named)
