"""A code object stays itself while its probes are taken out: hash, equality, membership."""

import subprocess
import sys
from pathlib import Path

import pytest

from conftest import COMMAND

_PROGRAM = """
import types

def f(n):
    for i in range(n):
        if i:
            n += 1
        else:
            n -= 1
    return n

def copy(code):
    return code.replace()

before = copy(f.__code__)
known = {f.__code__}
value = hash(f.__code__)
for _ in range(3000):
    f(3)
print(f.__code__ in known, hash(f.__code__) == value, f.__code__ == before, before == f.__code__)
print(f.__code__ != f.__code__.replace(co_name="g"), f(3))
"""


@pytest.mark.parametrize("options", [[], ["--no-branch"]], ids=["branches", "lines"])
def test_hash_and_equality_survive_measuring(tmp_path: Path, options: list[str]) -> None:
    """What is true of code objects in a plain run is true in a measured one."""
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    plain = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=True)
    measured = subprocess.run(
        [COMMAND, "run", "-q", *options, str(program)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert measured.stdout == plain.stdout
    assert plain.stdout.startswith("True True True True")
