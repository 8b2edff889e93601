"""`footfall attach` under PyPy: its own interpreter can't read others."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.implementation.name == "cpython", reason="CPython can")
@pytest.mark.parametrize("command", ["attach", "dump", "top"])
def test_footfall_under_pypy_reports_what_is_needed(command: str) -> None:
    """The error names CPython, whatever the process runs."""
    done = subprocess.run(
        [sys.executable, "-m", "footfall", command, str(os.getppid())], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 3 and "[attach-needs-cpython]" in done.stderr
