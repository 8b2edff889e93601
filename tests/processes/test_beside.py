"""Beside debuggers, trace functions, profilers and other coverage tools, in one process with them.

Each row is a program whose marks say what must have run (marked.py).
"""

import os
import subprocess
import sys

import pytest

from footfall.record.data.coverage_tables import read_coverage
from marked import check_marks, write_program

IS_PYPY = sys.implementation.name == "pypy"
HAS_MONITORING = hasattr(sys, "monitoring")

PROGRAM = """
    import sys
    def f(n):
        if n > 2:  # both
            return "big"
        elif n < 0:  # false
            return "negative"  # missed
        return "small"
    def never():
        return 1  # missed
    total = [f(n) for n in range(5)]
    for word in total:  # both
        assert word in ("big", "small")
"""

BESIDE = {
    "sys.settrace": """
        import sys
        events = []
        def trace(frame, event, arg):
            events.append((event, frame.f_code.co_name))  # any
            return trace  # any
        def f(n):
            if n:  # both
                return 1
            return 0
        sys.settrace(trace)
        f(0)
        sys.settrace(None)
        f(1)
        assert ("call", "f") in events and ("line", "f") in events and ("return", "f") in events
    """,
    "sys.setprofile": """
        import sys
        events = []
        def profile(frame, event, arg):
            events.append(frame.f_code.co_name)  # any
        def f(n):
            if n:  # both
                return 1
            return 0
        sys.setprofile(profile)
        f(0)
        sys.setprofile(None)
        f(1)
        assert "f" in events
    """,
    "cProfile": """
        import cProfile, pstats
        def f(n):
            if n:  # both
                return 1
            return 0
        profile = cProfile.Profile()
        assert profile.runcall(f, 0) == 0
        assert [name for _, _, name in pstats.Stats(profile).stats if name == "f"] == ["f"]
        f(1)
    """,
    "tracemalloc": """
        import tracemalloc
        tracemalloc.start(10)
        def f(n):
            if n:  # both
                return [1] * 1000
            return [0] * 1000
        kept = [f(0), f(1)]
        assert tracemalloc.take_snapshot().statistics("lineno")
        tracemalloc.stop()
    """,
    "faulthandler.dump_traceback_later": """
        import faulthandler, os, tempfile, time
        with tempfile.TemporaryFile() as file:
            faulthandler.dump_traceback_later(0.05, repeat=True, file=file)
            while os.fstat(file.fileno()).st_size == 0:  # both
                time.sleep(0.02)
            faulthandler.cancel_dump_traceback_later()
            file.seek(0)
            assert b"main.py" in file.read()
    """,
    "signal timers": """
        import signal, time
        seen = []
        def handler(number, frame):
            seen.append(number)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        end = time.monotonic() + 0.1
        while time.monotonic() < end:  # both
            pass
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert seen
    """,
    "a trace function of one frame": """
        import sys
        lines = []
        def trace(frame, event, arg):
            lines.append(event)  # missed
            return trace  # missed
        def f():
            sys._getframe().f_trace = trace
            return 1
        before = sys.gettrace()
        f()
        after = sys.gettrace()
        assert before is after
    """,
    "hypothesis": """
        import hypothesis, hypothesis.strategies as st
        def f(n):
            if n > 1000:  # both
                return 1
            return 0
        @hypothesis.settings(database=None, max_examples=200, derandomize=True)
        @hypothesis.given(st.integers())
        def check(n):
            assert f(n) in (0, 1)
        check()
        def after(n):
            if n:  # both
                return 1
            return 0
        after(0)
        after(1)
    """,
}
if IS_PYPY:
    del BESIDE["tracemalloc"]
if HAS_MONITORING:
    BESIDE |= {
        "a tool that restarts events": """
            import sys
            def f(n):
                if n:  # both
                    return 1
                return 0
            sys.monitoring.use_tool_id(3, "other")
            sys.monitoring.set_events(3, sys.monitoring.events.LINE | sys.monitoring.events.PY_START)
            seen = []
            sys.monitoring.register_callback(3, sys.monitoring.events.LINE, lambda code, line: seen.append(line) or sys.monitoring.DISABLE)
            for n in range(5):  # both
                f(0)
                sys.monitoring.restart_events()
            f(1)
            sys.monitoring.set_events(3, 0)
            sys.monitoring.free_tool_id(3)
            assert len(seen) > 10
        """,
    }


def run_row(footfall, folder, text: str, *command: object, **options: object):
    """Run `main.py` (or a command) measured; compare its marks."""
    write_program(folder / "main.py", text)
    done = footfall("run", "-q", *(command or ["main.py"]), **options)
    assert done.returncode == 0, done.stderr
    check_marks(folder, read_coverage(folder / ".coverage"))
    return done


@pytest.mark.parametrize("text", BESIDE.values(), ids=BESIDE.keys())
def test_with_other_tools(footfall, tmp_path, text: str) -> None:
    """Both the other tool and ours see what they should."""
    assert run_row(footfall, tmp_path, text).stderr == ""


@pytest.mark.skipif(not HAS_MONITORING, reason="this version has no sys.monitoring")
def test_freed_tools_are_reported(footfall, tmp_path) -> None:
    """A program that frees everybody's tools ends measuring where `sys.monitoring` is the engine, which is said."""
    text = """
        import sys
        def f(n):
            if n:
                return 1
            return 0
        f(1)
        for number in range(6):
            if sys.monitoring.get_tool(number):
                sys.monitoring.free_tool_id(number)
        f(0)
        after = 1
    """
    path = write_program(tmp_path / "main.py", text)
    done = footfall("run", "-q", "main.py")
    assert done.returncode == 0
    lines = read_coverage(tmp_path / ".coverage").files[str(path)].lines
    if sys.version_info >= (3, 14):
        assert done.stderr.count("[tool-freed]") == 1
        assert {1, 2, 3, 4, 6, 7, 8, 9} <= lines
    else:  # probes
        assert (done.stderr, lines) == ("", {1, 2, 3, 4, 5, 6, 7, 8, 10, 11})


PDB = {
    "breakpoint": (["main.py"], "breakpoint()", "n\nn\ns\nn\nc\n"),
    "set_trace": (["main.py"], "import pdb; pdb.set_trace()", "n\nn\ns\nn\nc\n"),
    "python -m pdb": (["-m", "pdb", "main.py"], "pass", "b 6\nc\nn\nc\nc\nc\nc\nc\nq\n"),
    "quit": (["main.py"], "breakpoint()", "c\n"),
}


@pytest.mark.parametrize("engine", ["", "settrace"], ids=["default", "settrace"])
@pytest.mark.parametrize(("command", "call", "commands"), PDB.values(), ids=PDB.keys())
def test_debugger(footfall, tmp_path, command: list[str], call: str, commands: str, engine: str) -> None:
    """A debugger stops where it is told, and what is stepped through and what comes after is measured."""
    text = f"""
        import sys
        def f(n):
            value = n
            return value
        {call}
        x = f(1)
        y = f(2)
        print(x + y)
    """
    write_program(tmp_path / "main.py", text)
    environment = {**os.environ, **({"FOOTFALL_ENGINE": engine} if engine else {})}
    done = footfall("run", "-q", sys.executable, *command, input=commands, env=environment)
    assert "(Pdb)" in done.stdout and "\n3\n" in done.stdout.replace("(Pdb) ", "\n")
    if engine == "settrace":
        return  # the debugger takes the trace function from us, as it does from coverage.py
    check_marks(tmp_path, read_coverage(tmp_path / ".coverage"))


@pytest.mark.skipif(IS_PYPY, reason="coverage.py has no C tracer there")
@pytest.mark.parametrize("core", ["ctrace", "sysmon"])
def test_coverage_in_the_same_process(footfall, tmp_path, core: str) -> None:
    """coverage.py gives the results that it gives alone, and so do we."""
    pytest.importorskip("coverage")
    if core == "sysmon" and sys.version_info < (3, 12):
        core = "pytrace"
    write_program(tmp_path / "main.py", PROGRAM)
    environment = {**os.environ, "COVERAGE_CORE": core}
    command = [sys.executable, "-m", "coverage", "run", "--branch", "main.py"]
    subprocess.run([*command[:4], "--data-file=alone", *command[4:]], cwd=tmp_path, env=environment, check=True)
    done = footfall("run", "-q", *command[:4], "--data-file=beside", *command[4:], env=environment)
    assert done.returncode == 0, done.stderr
    check_marks(tmp_path, read_coverage(tmp_path / ".coverage"))
    alone, beside = (read_coverage(tmp_path / name).files[str(tmp_path / "main.py")] for name in ("alone", "beside"))
    assert (alone.lines, alone.arcs) == (beside.lines, beside.arcs)
