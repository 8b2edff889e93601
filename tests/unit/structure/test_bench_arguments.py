"""Scripts in `bench` take paths as they are seen from where they are started."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from conftest import REPOSITORY

pytestmark = pytest.mark.any_python

SCRIPTS = sorted(REPOSITORY.glob("bench/*.py"))


def test_an_interpreter_may_be_a_relative_path() -> None:
    """The script runs its harness in another directory; the interpreter is found all the same."""
    python = pathlib.Path(sys.executable)
    command = [sys.executable, str(REPOSITORY / "bench/tstl.py"), os.path.join(".", python.name)]
    done = subprocess.run(
        [*command, "--seconds", "0.01", "--rounds", "1"], cwd=python.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert [row.split("|")[2].strip() for row in done.stdout.splitlines()[2:]] == ["none", "no-op", "footfall"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_interpreter_argument_is_made_absolute(script) -> None:
    """An argument that names an interpreter has the type that makes it absolute."""
    arguments = re.findall(r'add_argument\(\s*"(?:--python|pythons?)".*?\)\n', script.read_text(), re.DOTALL)
    assert [text for text in arguments if "type=interpreter_path" not in text] == []
