"""`footfall.hypothesis`: Hypothesis finds inputs by the code that they run."""

import subprocess
import sys

import pytest

LIBRARY = """\
def unlock(bits):
    opened = 0
    for bit in bits:
        if bit != opened % 2:
            return opened
        opened += 1
        if opened == 1:
            continue
        if opened == 4:
            continue
        if opened == 7:
            continue
        if opened == 10:
            continue
        if opened == 13:
            continue
        if opened == 16:
            raise SystemExit("opened")
    return opened
"""

PROGRAM = """\
import sys
import lib
from hypothesis import Phase, given, settings, strategies
from footfall.hypothesis import explore

def check(bits):
    best.append(lib.unlock(bits))

if "explore" in sys.argv:
    check = explore(check) if "bare" in sys.argv else explore(source=["lib"])(check)
best = []
try:
    settings(max_examples=600, database=None, deadline=None, derandomize=True, phases=[Phase.generate, Phase.target])(
        given(strategies.lists(strategies.integers(0, 3), max_size=24))(check)
    )()
except SystemExit as error:
    print(error)
else:
    print("best", max(best))
"""


def test_inputs_that_run_more_are_preferred(tmp_path):
    """Sixteen right guesses in a row are found by the branches on the way, and not without them."""
    pytest.importorskip("hypothesis")
    (tmp_path / "lib.py").write_text(LIBRARY)
    (tmp_path / "program.py").write_text(PROGRAM)

    def run(*arguments: str) -> str:
        command = [sys.executable, "program.py", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert run("explore") == "opened\n"
    assert run("explore", "bare") == "opened\n"
    assert run().startswith("best ")
