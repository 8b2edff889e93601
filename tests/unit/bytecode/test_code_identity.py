"""A code object stays itself while its probes are taken out: hash, equality, membership."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import COMMAND
from footfall.model import ENGINE_VARIABLE

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


_EXTRA_MODULE = """
def f(n):
    for i in range(n):
        if i:
            n += 1
    return n

def kept(n):
    for i in range(n):
        if i:
            n += 1
    return n
"""

_EXTRA_PROGRAM = """
import ctypes, gc, sys

freed = []
free = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(freed.append)
new = sys.version_info >= (3, 12)
request = ctypes.pythonapi["PyUnstable_Eval_RequestCodeExtraIndex" if new else "_PyEval_RequestCodeExtraIndex"]
request.restype = ctypes.c_ssize_t
index = request(free)
set_extra = ctypes.pythonapi["PyUnstable_Code_SetExtra" if new else "_PyCode_SetExtra"]
set_extra.argtypes = [ctypes.py_object, ctypes.c_ssize_t, ctypes.c_void_p]
import module
for _ in range(3000):
    module.f(3)
    module.kept(3)
set_extra(module.kept.__code__, index, 100)
for _ in range(3000):
    module.kept(3)
del sys.modules["module"], module
gc.collect()
print(freed)
"""


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy's code objects have no slots")
def test_slots_of_other_tools_are_left_alone(tmp_path: Path) -> None:
    """A function that a program registers for the ends of code objects is called for those that it marked only."""
    (tmp_path / "module.py").write_text(_EXTRA_MODULE)
    program = tmp_path / "program.py"
    program.write_text(_EXTRA_PROGRAM)
    plain = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=True)
    for engine in ("", "settrace", "monitoring"):
        measured = subprocess.run(
            [COMMAND, "run", "-q", "--no-profile", str(program)],
            cwd=tmp_path,
            env={**os.environ, ENGINE_VARIABLE: engine},
            capture_output=True,
            text=True,
            check=True,
        )
        assert measured.stdout == plain.stdout, engine
    assert plain.stdout == "[100]\n"
