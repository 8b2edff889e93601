"""The settrace engine in real processes: the behaviour of the default engine, and its own choices and duties."""

import marshal
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import exact
import footfall
from footfall.analyze.resolve import resolve
from footfall.analyze.resolved_run import RunData
from footfall.model import ENGINE_SETTRACE, RUN_VARIABLE
from footfall.record.run.directory import RunSettings, make_run_directory
from footfall.record.run.record_file import read_record

IS_CPYTHON = sys.implementation.name == "cpython"


class Measured:
    """Runs program texts in measured processes of one run directory."""

    def __init__(self, work: Path) -> None:
        self.program = work / "program.py"
        self.run_directory = work / "run"
        self.run_directory.mkdir()

    def run(
        self, text: str, engine: str = "settrace", branch: int = 1, arguments: tuple[str, ...] = (), **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the text; its lines count from 1 after the dedent."""
        self.program.write_text(textwrap.dedent(text).lstrip("\n"))
        settings = f"branch\t{branch}\ncover\t1\nprofile\t0\nengine\t{engine}\n"
        (self.run_directory / "settings").write_text(settings)
        environment = {**os.environ, RUN_VARIABLE: str(self.run_directory), **variables}
        command = [sys.executable, *(arguments or [str(self.program)])]
        return subprocess.run(command, env=environment, text=True, capture_output=True, timeout=60)

    def data(self) -> RunData:
        return resolve(self.run_directory)

    def lines(self) -> set[int]:
        """Lines of the program that ran, in all its processes."""
        return self.data().files[str(self.program.resolve())].lines[""]

    def arcs(self) -> set[tuple[int, int]]:
        return self.data().files[str(self.program.resolve())].arcs[""]


@pytest.fixture
def measured(tmp_path: Path) -> Measured:
    """A program and a run directory of its own."""
    return Measured(tmp_path)


both_engines = pytest.mark.parametrize("engine", ["", "settrace"], ids=["default engine", "settrace"])

_TWO_WAYS = """
    import os, signal, sys
    def choose(flag):
        if flag:
            return 1
        return 2
    choose({flag})
    {end}
"""


def test_many_pairs_in_one_function(measured) -> None:
    """A function whose pairs outgrow the first room for them loses none."""
    branches = "".join(f"    if x > {n}: y = {n}\n" for n in range(2000))
    measured.run(f"def f(x):\n    y = 0\n{branches}    return y\nf(0)\nf(1000)\nf(5000)\n")
    assert measured.lines() == set(range(1, 2007))
    assert {(n, n + 1) for n in range(2, 2003)} <= measured.arcs()


def test_a_full_disk_stops_recording_and_not_the_program(measured) -> None:
    """When space cannot be reserved the program goes on, and its record keeps why."""
    if IS_CPYTHON:  # each code object has room of its own in the record
        much = "\n".join(f"def f{n}(x):\n    y = x + {n}\n    return y\nf{n}({n})" for n in range(9000))
    else:  # each file has
        much = "x = y = 1\n" * 4
        for n in range(200):
            (measured.program.parent / f"module{n}.py").write_text("x = 1\n")
            much += f"import module{n}\n"
    done = measured.run(  # a file size limit stands in for the full disk: reserving fails the same way
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300000, 300000))\n"
        f"{much}\nprint('finished')\n"
    )
    assert done.stdout == "finished\n"
    assert "record-full" not in done.stderr
    [path] = measured.run_directory.glob("*.rec")
    assert read_record(str(path)).header.stopped_errno != 0
    assert {1, 2, 3, 4, 5, 6, 7} <= measured.lines()


def test_a_program_may_put_the_trace_function_back(measured) -> None:
    """sys.settrace(sys.gettrace()), as debuggers and decorators do it, loses nothing that comes after."""
    program = """
        import sys
        def quiet(function):
            saved = sys.gettrace()
            sys.settrace(None)
            function()
            sys.settrace(saved)
            after = 1
        def not_seen():
            pass
        def seen(flag):
            if flag:
                return 1
        quiet(not_seen)
        seen(1)
    """
    done = measured.run(program)
    assert (done.returncode, done.stderr) == (0, "")
    assert {2, 3, 4, 7, 11, 12, 13, 14} <= measured.lines()
    assert 9 not in measured.lines()


@pytest.mark.parametrize("branch", [0, 1], ids=["lines", "branches"])
def test_the_engine_is_in_the_header(measured, branch) -> None:
    """The record says which engine measured, and the settings' key asks for it."""
    measured.run("x = 1\n", branch=branch)
    [path] = measured.run_directory.glob("*.rec")
    header = read_record(str(path)).header
    assert (header.engine, header.has_branches) == (ENGINE_SETTRACE, bool(branch))


def test_the_environment_variable_comes_first(measured) -> None:
    """FOOTFALL_ENGINE overrides the setting."""
    measured.run("x = 1\n", engine="", FOOTFALL_ENGINE="settrace")
    [path] = measured.run_directory.glob("*.rec")
    assert read_record(str(path)).header.engine == ENGINE_SETTRACE


_IMPOSSIBLE = "monitoring" if not IS_CPYTHON or sys.version_info < (3, 14) else "probes"


@pytest.mark.parametrize("engine", ["fastest", _IMPOSSIBLE], ids=lambda name: f"engine {name}")
def test_an_impossible_engine_is_reported_once_and_the_default_used(measured, engine) -> None:
    """The program is measured all the same, and one line names the setting."""
    done = measured.run("x = 1\nif x:\n    x = 2\n", engine)
    assert done.stderr == ""
    assert measured.lines() == {1, 2, 3}
    assert [slug for slug, _ in measured.data().messages] == ["engine-unusable"]


@pytest.mark.skipif(not IS_CPYTHON or sys.version_info < (3, 12), reason="sys.monitoring came with CPython 3.12")
def test_without_a_free_tool_settrace_measures(measured) -> None:
    """Where six tools have taken sys.monitoring, the run falls back to settrace and says so once."""
    start = (  # without site, the program is in time to take the tools before footfall starts
        "import sys; [sys.monitoring.use_tool_id(n, 'taken') for n in range(6)];"
        f"sys.path[:0] = [{str(Path(footfall.__file__).parent.parent)!r}, {str(measured.program.parent)!r}];"
        "import footfall.observe.start; import program"
    )
    branch = int(sys.version_info >= (3, 14))
    done = measured.run("x = 1\nif x:\n    x = 2\n", "", branch, ("-S", "-c", start))
    assert done.returncode == 0
    assert [slug for slug, _ in measured.data().messages] == ["no-tool-id"]
    assert measured.lines() == {1, 2, 3}


@pytest.mark.skipif(not IS_CPYTHON, reason="coverage.py has no C tracer on PyPy")
@pytest.mark.parametrize("programs", ["constructs", "random"])
def test_pairs_are_those_of_the_c_tracer(tmp_path, programs) -> None:
    """Every arc of every program is the same as coverage.py's C tracer records, and no other is there."""
    texts = exact.constructs() if programs == "constructs" else exact.random_programs(range(50))
    work = tmp_path.resolve()
    directory = exact._write_programs(texts, work)
    exact._run(directory, work, str(work / "arcs"), COVERAGE_CORE="ctrace")
    expected = {name: set(arcs) for name, arcs in marshal.loads((work / "arcs").read_bytes()).items()}
    settings = RunSettings(cwd=str(work), branch=True, profile=False, source_dir=[str(directory)])
    run = make_run_directory(settings).path
    exact._run(directory, work, **{RUN_VARIABLE: str(run), "FOOTFALL_ENGINE": "settrace"})
    data = resolve(run)
    assert data.messages == []
    found = {Path(path).stem: file.arcs[""] for path, file in data.files.items()}
    different = {name: found.get(name, set()) ^ expected.get(name, set()) for name in texts}
    assert {name: arcs for name, arcs in different.items() if arcs} == {}
