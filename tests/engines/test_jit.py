"""Coverage under CPython's JIT, with branches that are first taken when their code was compiled."""

import os
import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("coverage", minversion="7.17")
if not hasattr(sys, "_jit") or not sys._jit.is_available():
    pytest.skip("this interpreter has no JIT", allow_module_level=True)

from exact import Measure, compare_programs
from footfall.analyze.resolve import resolve
from footfall.model import ENGINE_MONITORING, ENGINE_SETTRACE, RUN_VARIABLE
from footfall.record.run.directory import RunSettings, make_run_directory
from footfall.record.run.record_file import read_record
from programs.hot_constructs import HOT_CONSTRUCTS


@pytest.fixture(autouse=True)
def jit_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch the JIT on in the processes that a test starts."""
    monkeypatch.setenv("PYTHON_JIT", "1")


@pytest.mark.parametrize("branch", [True, False], ids=["branches", "lines"])
def test_hot_code_is_measured_as_by_the_c_tracer(branch: bool) -> None:
    """All numbers are equal, and what the programs compute."""
    assert compare_programs(HOT_CONSTRUCTS, how=Measure(branch=branch)).differences == {}


def test_the_engine_is_one_that_the_jit_does_not_crash(tmp_path) -> None:
    """`sys.monitoring` on 3.14; settrace on 3.15, which is reported once, at the end."""
    run = make_run_directory(RunSettings(cwd=str(tmp_path), profile=False)).path
    command = [sys.executable, "-c", "import subprocess, sys; subprocess.run([sys.executable, '-c', 'pass'])"]
    done = subprocess.run(command, env={**os.environ, RUN_VARIABLE: str(run)}, text=True, capture_output=True)
    is_safe = sys.version_info < (3, 15)
    engines = {read_record(str(path)).header.engine for path in run.glob("*.rec")}
    assert engines == {ENGINE_MONITORING if is_safe else ENGINE_SETTRACE}
    assert {slug for slug, _ in resolve(run).messages} == (set() if is_safe else {"jit-settrace"})
    assert done.stderr == ""


@pytest.mark.parametrize("options", [(), ("--no-cover",), ("--no-profile",)], ids=" ".join)
def test_inexact_profile_lines_are_reported(footfall, tmp_path, options) -> None:
    """Once for all processes, where there is a profile; not with the JIT off."""
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'pass'])"
    (tmp_path / "main.py").write_text(program)
    done = footfall("run", "-q", *options, "main.py")
    assert (done.returncode, done.stderr.count("[jit-lines]")) == (0, int(options != ("--no-profile",)))
    done = footfall("run", "-q", *options, "main.py", env={**os.environ, "PYTHON_JIT": "0"})
    assert (done.returncode, done.stderr) == (0, "")


_CAPTURED = """
    import footfall, sys
    def count(n):
        total = 0
        for i in range(n):
            if i == n - 1:
                total += 100
            total += 1
        return total
    capture = footfall.capture()
    with capture:
        count(3)
    with capture as again:
        count(20000)
    capture.close()
    fresh = footfall.capture(series="fresh")
    with fresh as seen:
        count(20000)
    print(sorted(again.branches.values()), *map(sorted, seen.branches.values()))
"""


def test_a_capture_names_the_branches_of_hot_code(tmp_path) -> None:
    """The block's branches are its own lines', and one that was seen is not new when compiled code takes it."""
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(_CAPTURED))
    done = subprocess.run([sys.executable, program], cwd=tmp_path, env=os.environ, text=True, capture_output=True)
    assert done.stdout == "[] [(5, 6), (5, 9), (6, 7), (6, 8)]\n", done.stderr
