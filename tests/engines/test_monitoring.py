"""The monitoring engine in real processes: what it records, and that nothing is lost."""

import importlib.util
import os
import subprocess
import sys
import textwrap

import pytest

from engines import PYTHON
from footfall.analyze.bytecode.branches import find_branches
from footfall.analyze.bytecode.opcodes import OPCODES_BY_VERSION
from footfall.model import EVENT_LEFT, EVENT_LINE, EVENT_RIGHT
from footfall.record.run.record_file import Record, read_record

pytestmark = pytest.mark.skipif(
    sys.implementation.name != "cpython" or sys.version_info < (3, 12),
    reason="sys.monitoring came with CPython 3.12",
)

# lines come from sys.monitoring on 3.12+ when branches are off, branches on 3.14+
_SETTINGS = f"branch\t{int(sys.version_info >= (3, 14))}\ncover\t1\nprofile\t0\n"


@pytest.fixture
def measured(tmp_path):
    """Run a program text in a measured process; returns (completed process, its records)."""
    run_directory = tmp_path / "run"
    run_directory.mkdir()
    (run_directory / "settings").write_text(_SETTINGS)

    def run(text: str, check: bool = True) -> tuple[subprocess.CompletedProcess[str], list[Record]]:
        program = tmp_path / "program.py"
        program.write_text(textwrap.dedent(text))
        environment = {**os.environ, "FOOTFALL_RUN": str(run_directory)}
        done = subprocess.run([PYTHON, str(program)], env=environment, text=True, capture_output=True, check=check)
        return done, [read_record(str(path)) for path in sorted(run_directory.glob("*.rec"))]

    return run


def _lines(records: list[Record], qualname: str) -> set[int]:
    """Lines of the function whose LINE events fired, by the interpreter's own line table."""
    from footfall.analyze.bytecode.linetable import positions

    found = set()
    for record in records:
        for code in record.codes:
            if code.qualname == qualname:
                table = positions(code.line_table, code.first_line)
                found |= {table[unit][0] for unit, event in enumerate(code.events) if event & EVENT_LINE}
    return found


_TWO_WAYS = """
    import os, signal, sys
    def choose(flag):
        if flag:
            return 1
        return 2
    choose({flag})
    {end}
"""


@pytest.mark.parametrize("flag, ran", [(True, {4, 5}), (False, {4, 6})])
def test_lines_that_ran_are_recorded(measured, flag: bool, ran: set[int]) -> None:
    """Exactly the lines that ran have an event."""
    _, records = measured(_TWO_WAYS.format(flag=flag, end=""))
    assert _lines(records, "choose") == ran


@pytest.mark.skipif(sys.version_info < (3, 14), reason="one-shot branch events came with 3.14")
@pytest.mark.parametrize("flag, direction", [(True, EVENT_LEFT), (False, EVENT_RIGHT)])
def test_one_direction_of_a_branch_is_recorded(measured, flag: bool, direction: int) -> None:
    """A branch that went one way has that direction's flag and not the other's."""
    _, [record] = measured(_TWO_WAYS.format(flag=flag, end=""))
    [choose] = [code for code in record.codes if code.qualname == "choose"]
    [(source, _left, _right)] = find_branches(choose.code, OPCODES_BY_VERSION[sys.version_info[:2]])
    assert choose.events[source // 2] == direction


def test_a_full_disk_stops_recording_and_not_the_program(tmp_path) -> None:
    """When space cannot be reserved the program goes on, and its record keeps why."""
    run_directory = tmp_path / "run"
    run_directory.mkdir()
    (run_directory / "settings").write_text(_SETTINGS)
    functions = "\n".join(f"def f{n}(x):\n    y = x + {n}\n    return y\nf{n}({n})" for n in range(2000))
    program = tmp_path / "program.py"
    # a file size limit stands in for the full disk: reserving fails the same way
    program.write_text(
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300000, 300000))\n"
        f"{functions}\nprint('finished')\n"
    )
    done = subprocess.run(
        [PYTHON, str(program)],
        env={**os.environ, "FOOTFALL_RUN": str(run_directory)},
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout == "finished\n"
    assert "record-full" not in done.stderr
    [path] = run_directory.glob("*.rec")
    record = read_record(str(path))
    assert record.header.stopped_errno != 0
    assert {code.qualname for code in record.codes} >= {"f0", "f1"}


def test_an_interpreter_that_is_not_measured_imports_nothing_of_footfall() -> None:
    """Without FOOTFALL_RUN the start hook loads no module."""
    environment = {key: value for key, value in os.environ.items() if key != "FOOTFALL_RUN"}
    done = subprocess.run(
        [sys.executable, "-c", "import sys; print([name for name in sys.modules if 'footfall' in name])"],
        env=environment,
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_a_missing_run_directory_is_reported_once_and_the_program_runs(tmp_path) -> None:
    """A stale FOOTFALL_RUN costs one line on stderr, not the program."""
    done = subprocess.run(
        [sys.executable, "-c", "print('ran')"],
        env={**os.environ, "FOOTFALL_RUN": str(tmp_path / "gone")},
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout == "ran\n"
    assert done.stderr.count("[run-unreadable]") == 1


_STAND_INS = """
    import sys
    monitoring = sys.monitoring
    tool = next(tool for tool in range(6) if monitoring.get_tool(tool) == "footfall")
    start = monitoring.register_callback(tool, monitoring.events.PY_START, None)
    monitoring.register_callback(tool, monitoring.events.PY_START, start)
    code = compile("x = 1", __file__, "exec")
    start(code.replace(co_name="real", co_qualname="real"), 0)
    start(code.replace(co_name="fake", co_qualname="fake", co_code=bytes(20)), 0)
    exec("import _testcapi; start(_testcapi.code_newempty(__file__, 'empty', 1), 0)" if {has_testcapi} else "")
"""


def test_code_objects_without_pythons_bytecode_are_left_out(measured) -> None:
    """Extensions report events of their own with such code objects; no line of theirs is Python's."""
    has_testcapi = importlib.util.find_spec("_testcapi") is not None
    _, [record] = measured(_STAND_INS.format(has_testcapi=has_testcapi))
    assert {code.qualname for code in record.codes} & {"real", "fake", "empty"} == {"real"}


_ONE_LINERS = """
    import dis, sys

    def choose(n):
        return n if n < 2 else choose(n - 1) + choose(n - 2)
    def odd(n):
        return [6 // x for x in range(n, -1, -1) if x % 2 or n < 2]
    def down(n):
        while n: n -= 1
    def far(n):
        return SUM if n > 2 else 0
    def steps(n):
        for i in range(n): yield i if i % 2 else -i
    def pairs(n):
        for i in range(n):
            for j in range(i):
                n += j
    def apart(n):
        return (n if n > 2
                else -n)
    functions = choose, odd, down, far, steps, pairs, apart

    def run():
        for n in (6, 1):
            for function in functions:
                try:
                    list(function(n)) if function is steps else function(n)
                except ZeroDivisionError:  # the handler of the comprehension
                    pass

    def trace(frame, event, arg):
        print(frame.f_code.co_name, event, frame.f_lineno - frame.f_code.co_firstlineno)
        return trace if frame.f_code.co_name in traced else None
    traced = {function.__name__ for function in functions}

    run()
    for _ in range(2):
        left = [
            (function.__name__, each.offset)
            for function in functions
            for each in dis.get_instructions(function, adaptive=True)
            if each.opname == "INSTRUMENTED_LINE"
        ]
        print("left", left, file=sys.stderr)
        if "footfall" in sys.modules:
            from footfall.observe import contexts
            contexts.switch("another")
        run()
    sys.settrace(trace)
    run()
    sys.settrace(None)
""".replace("SUM", " + ".join(["n"] * 120))


def test_jumps_within_a_line_leave_nothing_behind(measured) -> None:
    """CPython sends no LINE event at their targets, so the places would never be switched off; others see no difference."""
    done, records = measured(_ONE_LINERS)
    assert done.stderr == "left []\nleft []\n"
    assert done.stdout.count("line") > 50
    command = [sys.executable, "-c", textwrap.dedent(_ONE_LINERS)]
    assert done.stdout == subprocess.run(command, text=True, capture_output=True, check=True).stdout
    assert len(_lines(records, "apart")) == 2
