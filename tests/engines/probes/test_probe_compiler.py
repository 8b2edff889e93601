"""The probe compiler is loaded by the first file that is measured, and by nothing that the program has in its way."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from footfall.record.data.coverage_tables import read_coverage

pytestmark = pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy loads it at the start")

PROGRAM = """\
import builtins, marshal, sys, threading
asked = []

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        asked.append(name)

def compilers():
    return sorted(name for name in sys.modules if name.startswith(("footfall.probes.plan", "_ast")))

def in_the_way(name, *args, **named):
    asked.append(name)
    return plain(name, *args, **named)

before = compilers()
sys.meta_path.insert(0, Finder)
plain, builtins.__import__ = builtins.__import__, in_the_way
threads = [threading.Thread(target=__import__, args=(name,)) for name in ("one", "two", "three")]
for thread in threads: thread.start()
for thread in threads: thread.join()
import lib
print(before, [name for name in asked if name.startswith(("footfall", "_ast"))], len(compilers()) > 3, lib.f(1))
"""


def test_it_is_loaded_once_it_is_needed(
    footfall: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """By one of several threads, without the program's finders and its `__import__`."""
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.py").write_text("for i in range(2):\n    x = i\n")
    (tmp_path / "lib.py").write_text("def f(x):\n    if x:\n        return x\n    return 0\n")
    has_probes = sys.version_info < (3, 14)
    done = footfall("run", "-q", sys.executable, "-c", PROGRAM)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"[] [] {has_probes} 1\n", "")
    files = read_coverage(tmp_path / ".coverage").files
    assert {Path(path).name: len(data.lines) for path, data in files.items()} == {
        "one.py": 2, "two.py": 2, "three.py": 2, "lib.py": 3,
    }  # fmt: skip
