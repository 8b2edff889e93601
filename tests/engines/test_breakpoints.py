"""`breakpoint()` stops where it does without footfall, and what runs around it is measured."""

import os
import re
import subprocess
import sys

import pytest

from conftest import COMMAND
from footfall.record.data.coverage_tables import read_coverage
from marked import check_marks, write_program

_TESTS = """
    def test_first():
        value = 1
        breakpoint()
        value = 2
        if value == 3:  # false
            value = 4  # missed

    def test_last():
        try:
            raise ValueError
        except ValueError as error:
            if str(error):  # false
                value = 5  # missed
            breakpoint()
        value = 6
"""


def _places(command, **options) -> list[str]:
    done = subprocess.run(command, input="n\nc\nn\nc\n", text=True, capture_output=True, timeout=60, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall(r"> \S+\.py\((\d+)\)", done.stdout)


@pytest.mark.parametrize("program", [pytest.param("pytest", marks=pytest.mark.any_python), "custom"])
@pytest.mark.parametrize("option", ["--branch", "--no-branch"])
def test_a_breakpoint_stops_at_its_own_line(tmp_path, program, option) -> None:
    """The same stops as without footfall, by pytest's debugger and by one that a program makes; and exact coverage."""
    path = write_program(tmp_path / "test_program.py", _TESTS)
    if program == "pytest":
        command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", path]
    else:
        with path.open("a") as file:
            file.write("def stop():\n    import pdb\n    pdb.Pdb().set_trace(sys._getframe().f_back)\n")
            file.write("import sys\nsys.breakpointhook = stop\ntest_first()\ntest_last()\n")
        command = [sys.executable, path]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    bare = _places(command, cwd=tmp_path, env=environment)
    assert len(bare) == 4
    options = [option] if option == "--no-branch" else []
    assert _places([COMMAND, "run", "-q", *options, *command], cwd=tmp_path, env=environment) == bare
    check_marks(tmp_path, read_coverage(str(tmp_path / ".coverage")), has_branches=option == "--branch")
