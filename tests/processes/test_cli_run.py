"""`footfall run` as a supervisor: the command is unchanged, signals reach it, nothing it did is lost."""

import fcntl
import os
import pathlib
import re
import signal
import stat
import subprocess
import sys
import termios

import pytest

from conftest import COMMAND
from engines import Engine, each_engine
from footfall.model import ENGINE_VARIABLE
from footfall.record.data.coverage_tables import read_coverage
from footfall.record.run.record_file import read_record
from footfall.session.finish import KEEP_VARIABLE

WAIT_SECONDS = 30


def _write(path: pathlib.Path, text: str) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _start(folder: pathlib.Path, *arguments: object, **options: object) -> subprocess.Popen[str]:
    command = [COMMAND, "run", *map(str, arguments)]
    return subprocess.Popen(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def test_streams_arguments_and_status_are_the_command_s_own(footfall, tmp_path) -> None:
    """stdin, stdout, arguments that look like ours, environment and exit status go through."""
    _write(tmp_path / "p.py", "import os, sys\nprint(sys.argv, sys.stdin.read(), os.environ['X'])\nsys.exit(7)\n")
    done = footfall("run", "-q", "p.py", "--source", "-q", "a b", input="hello", env={**os.environ, "X": "y"})
    assert (done.returncode, done.stdout, done.stderr) == (7, "['p.py', '--source', '-q', 'a b'] hello y\n", "")


def test_open_files_are_inherited(tmp_path) -> None:
    """A descriptor that was passed to us reaches the command, as a make jobserver's must."""
    _write(tmp_path / "p.py", "import os, sys\nos.write(int(sys.argv[1]), b'through')\n")
    reading, writing = os.pipe()
    process = _start(tmp_path, "-q", "p.py", writing, pass_fds=[writing])
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"through"
    process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 0


@pytest.mark.any_python
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT])
def test_we_die_of_the_command_s_signal_after_writing_its_data(footfall, tmp_path, number: signal.Signals) -> None:
    """A command that a signal killed leaves its data, and a caller sees that signal."""
    script = _write(tmp_path / "p.py", f"import os\nx = 1\nos.kill(os.getpid(), {int(number)})\nnever = 1\n")
    done = footfall("run", "p.py")
    assert done.returncode == -number
    assert "Coverage" in done.stderr
    assert read_coverage(tmp_path / ".coverage").files[str(script)].lines == {1, 2, 3}


WAITING = """\
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {wanted})
print("ready", flush=True)
got = signal.sigwait({wanted})
more = signal.sigtimedwait({wanted}, 0.2) if hasattr(signal, "sigtimedwait") else None
print(got, "again" if more else "once", flush=True)
"""


@pytest.mark.any_python
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_sent_to_us_reaches_the_command(tmp_path, number: signal.Signals) -> None:
    """A signal for the supervisor alone is passed on once; the supervisor stays until the command ends."""
    _write(tmp_path / "p.py", WAITING.replace("{wanted}", f"{{{int(number)}}}"))
    process = _start(tmp_path, "-q", "p.py")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    output, errors = process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, output, errors) == (0, f"{int(number)} once\n", "")
    assert (tmp_path / ".coverage").exists()


@pytest.mark.any_python
def test_control_c_in_a_terminal_reaches_the_command_once(tmp_path) -> None:
    """The terminal sends SIGINT to both; we don't send it again, and go on to write the data."""
    _write(tmp_path / "p.py", WAITING.replace("{wanted}", f"{{{int(signal.SIGINT)}}}"))
    master, terminal = os.openpty()

    def own_terminal() -> None:
        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    process = _start(tmp_path, "-q", "p.py", stdin=terminal, preexec_fn=own_terminal)
    os.close(terminal)
    assert process.stdout.readline() == "ready\n"
    os.write(master, b"\x03")
    output, errors = process.communicate(timeout=WAIT_SECONDS)
    os.close(master)
    assert (process.returncode, output, errors) == (0, f"{int(signal.SIGINT)} once\n", "")
    assert (tmp_path / ".coverage").exists()


@pytest.mark.any_python
def test_a_terminal_gets_colours_and_no_color_is_honoured(tmp_path) -> None:
    """The summary is coloured on a terminal, plain with NO_COLOR."""
    _write(tmp_path / "p.py", "x = 1\n")
    shown = []
    for extra in ({}, {"NO_COLOR": "1"}):
        master, terminal = os.openpty()
        plain = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        environment = {**plain, "TERM": "xterm", **extra}
        subprocess.run([COMMAND, "run", "p.py"], cwd=tmp_path, stderr=terminal, env=environment, check=True)
        os.close(terminal)
        shown.append(os.read(master, 100_000).decode())
        os.close(master)
    assert "\x1b[" in shown[0]
    assert "\x1b[" not in shown[1]
    assert "100%" in re.sub(r"\x1b\[[\d;]*m", "", shown[0])


@pytest.mark.any_python
def test_a_killed_supervisor_s_run_can_be_resolved(footfall, tmp_path) -> None:
    """After SIGKILL of the supervisor the run directory is left, found and made into a data file."""
    script = _write(tmp_path / "p.py", "print('ready', flush=True)\ninput()\nlast = 1\n")
    process = _start(tmp_path, "p.py", stdin=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    process.kill()
    process.communicate("\n", timeout=WAIT_SECONDS)
    assert not (tmp_path / ".coverage").exists()
    (run,) = (tmp_path / ".footfall" / "runs").iterdir()
    named = footfall("resolve", "elsewhere").stderr
    assert str(run.relative_to(tmp_path)) in named
    done = footfall("resolve", run.relative_to(tmp_path))
    assert done.returncode == 0
    assert {1, 2} <= read_coverage(tmp_path / ".coverage").files[str(script)].lines
    assert not run.exists()


@pytest.mark.any_python
def test_nothing_is_lost_when_the_data_file_cannot_be_written(footfall, tmp_path) -> None:
    """Then the run directory is kept, the message has the command that tries again, and that works."""
    _write(tmp_path / "p.py", "import os\nos.mkdir('.coverage')\n")
    done = footfall("run", "p.py")
    assert done.returncode == 3
    assert "[data-unwritable]" in done.stderr
    again = re.search(r"footfall (resolve \S+)", done.stderr)
    (tmp_path / ".coverage").rmdir()
    assert footfall(*again[1].split()).returncode == 0
    assert footfall("report").returncode == 0


@pytest.mark.any_python
def test_a_kept_run_directory_is_erased_with_the_data(footfall, tmp_path) -> None:
    """FOOTFALL_KEEP keeps the run directory; `erase` removes it."""
    _write(tmp_path / "p.py", "x = 1\n")
    done = footfall("run", "p.py", env={**os.environ, "FOOTFALL_KEEP": "1"})
    (run,) = (tmp_path / ".footfall" / "runs").iterdir()
    assert str(run) in done.stderr
    assert any(entry.suffix == ".rec" for entry in run.iterdir())
    footfall("erase")
    assert not run.exists()


@pytest.mark.any_python
def test_an_unwritable_working_directory_is_no_obstacle(footfall, tmp_path) -> None:
    """The run and its data go to a temporary directory, which the message names."""
    script = _write(tmp_path / "p.py", "x = 1\n")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = footfall("run", script, cwd="/proc", env={**os.environ, "TMPDIR": str(temporary)})
    assert done.returncode == 0
    assert "[data-elsewhere]" in done.stderr
    data = re.search(r"footfall report --data-file=(\S+?)`", done.stderr)[1]
    (run,) = temporary.iterdir()
    assert [str(entry) for entry in run.iterdir() if entry.is_file()] == [data]
    assert footfall("report", f"--data-file={data}").returncode == 0


@pytest.mark.any_python
def test_the_next_command_names_the_data_file(footfall, tmp_path) -> None:
    """However another file was chosen for this run; one that the settings name needs no option."""
    _write(tmp_path / "p.py", "x = 1\n")
    _write(tmp_path / "test_p.py", "def test(): pass\n")
    with_other = {**os.environ, "COVERAGE_FILE": "a file"}
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--footfall", "--footfall-data-file=b"]
    for done, option in (
        (footfall("run", "p.py"), ""),
        (footfall("run", "--data-file=a", "p.py"), " --data-file=a"),
        (footfall("run", "p.py", env=with_other), " --data-file='a file'"),
        (subprocess.run(tests, cwd=tmp_path, capture_output=True, text=True, check=True), " --data-file=b"),
    ):
        assert f"Next footfall report -m{option}   footfall html{option}\n" in done.stdout + done.stderr
    _write(tmp_path / ".coveragerc", "[run]\ndata_file = c\n")
    assert "Next footfall report -m   footfall html\n" in footfall("run", "p.py").stderr


_SHELL = "#!/bin/sh\nexec true 'x\n"

_COMMANDS = {
    "a-script-without-a-suffix": (["start", "a"], "start a"),
    "its-path": (["./start"], "./start"),
    "a-script-that-can-be-executed": (["executable"], "./executable"),
    "one-without-a-first-line": (["./plain"], "./plain"),
    "a-directory": (["folder"], "folder"),
    "branches-by-name": (["--branch", "start"], "start"),
    "a-shell-script": (["./shell"], "footfall run /bin/sh ./shell. [not-executable]"),
    "a-shell-script-by-its-suffix": (["words.sh"], "footfall run sh words.sh. [not-executable]"),
    "text": (["text"], "is no Python script (invalid syntax on line 1)."),
    "a-directory-without-main": (["empty"], "'empty' is a directory without __main__.py."),
    "a-directory-named-as-a-script": (["empty.py"], "'empty.py' is a directory without __main__.py."),
    "a-pipe": (["./pipe"], "'./pipe' is not a file."),
    "a-script-without-its-suffix": (["whole"], "There is a script here: footfall run whole.py. [no-such-command]"),
    "nothing": (["./nothing"], "No file './nothing'."),
    "code": (["-c", "x = 1"], "footfall run python -c CODE. [no-command]"),
}


@pytest.mark.any_python
@pytest.mark.parametrize(("arguments", "expected"), _COMMANDS.values(), ids=_COMMANDS)
def test_what_can_be_run_runs_and_what_cannot_gets_a_next_step(
    footfall, tmp_path, arguments: list[str], expected: str
) -> None:
    """Python without a suffix runs as with `coverage run`; the rest gets a message that fits."""
    program = "import sys\nprint(*sys.argv)\n"
    files = {
        "start": program,
        "executable": f"#!{sys.executable}\n{program}",
        "plain": program,
        "folder/__main__.py": program,
        "whole.py": program,
        "shell": _SHELL,
        "words.sh": "exec true 'x\n",
        "text": "some words\n",
        "empty/data": "",
        "empty.py/data": "",
    }
    for name, text in files.items():
        file = _write(tmp_path / name, text)
        if name in ("executable", "plain"):
            file.chmod(0o755)
    os.mkfifo(tmp_path / "pipe")
    done = footfall("run", "-q", *arguments)
    if expected.endswith((".", "]")):
        assert done.returncode == 2
        assert expected in done.stderr
    else:
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{expected}\n", "")


@pytest.mark.any_python
@pytest.mark.parametrize(("status", "ours"), [(5, 5), (0, 3)])
def test_a_command_that_runs_no_python_is_reported(footfall, tmp_path, status: int, ours: int) -> None:
    """A failure's status stays, a success is none of ours; nothing is left, the data of an earlier run neither."""
    _write(tmp_path / "p.py", "x = 1\n")
    assert footfall("run", "-q", "p.py").returncode == 0
    done = footfall("run", "sh", "-c", f"exit {status}")
    assert done.returncode == ours
    assert "[nothing-recorded]" in done.stderr
    assert not (tmp_path / ".coverage").exists()
    assert not (tmp_path / ".footfall" / "runs").exists()
    assert footfall("report").returncode != 0


@pytest.mark.any_python
def test_data_of_an_earlier_run_stays_when_it_is_added_to(footfall, tmp_path) -> None:
    """With --append a run that records nothing says so and takes nothing away."""
    script = _write(tmp_path / "p.py", "x = 1\n")
    assert footfall("run", "-q", "p.py").returncode == 0
    done = footfall("run", "--append", "true")
    assert (done.returncode, "[nothing-recorded]" in done.stderr) == (3, True)
    assert read_coverage(tmp_path / ".coverage").files[str(script)].lines == {1}


@pytest.mark.any_python
def test_data_of_an_earlier_run_is_gone_while_the_command_runs(footfall, tmp_path) -> None:
    """So nothing of it is left when the supervisor is killed; a file that is no data file is not touched."""
    _write(tmp_path / "p.py", "import os\nprint(os.path.exists('.coverage'))\n")
    assert footfall("run", "-q", "p.py").stdout == footfall("run", "-q", "p.py").stdout == "False\n"
    foreign = _write(tmp_path / "notes", "mine\n")
    assert footfall("run", "-q", "--data-file=notes", "p.py").returncode == 3
    assert foreign.read_text(encoding="utf-8") == "mine\n"


@pytest.fixture
def bare(tmp_path: pathlib.Path) -> str:
    """A Python without footfall."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "other")], check=True)
    return str(tmp_path / "other" / "bin" / "python")


def test_a_python_that_can_find_no_footfall_is_named_with_the_remedy(footfall, tmp_path, bare: str) -> None:
    """An interpreter of another environment, by itself or on a script's first line, is told from no Python at all."""
    tool = _write(tmp_path / "tool", f"#!{bare} -I\nprint('ran')\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    for arguments in ([bare, "-E", "-c", "print('ran')"], ["./tool"]):
        done = footfall("run", *arguments)
        assert (done.returncode, done.stdout) == (3, "ran\n")
        assert f"install it: uv pip install --python {bare} footfall. [no-footfall-there]" in done.stderr


def test_a_python_without_the_start_hook_reports_what_is_missing(footfall, bare: str) -> None:
    """A package on PYTHONPATH has no start hook; the message says that, not that there is no footfall."""
    packages = os.path.dirname(os.path.dirname(sys.modules["footfall"].__file__))
    done = footfall("run", bare, "-E", "-c", "", env={**os.environ, "PYTHONPATH": packages})
    assert done.returncode == 3
    assert "footfall.pth is in none of its site directories" in done.stderr
    assert "[no-start-hook]" in done.stderr


def test_a_command_that_is_not_measured_itself_is_named(footfall, tmp_path, bare: str) -> None:
    """Where only processes that the command started were measured, that is said; the data has these."""
    script = _write(tmp_path / "p.py", "x = 1\n")
    start = f"import subprocess; subprocess.run([{sys.executable!r}, 'p.py'], check=True)"
    done = footfall("run", "-q", bare, "-I", "-c", start)
    assert done.returncode == 0
    assert f"{bare} was not measured itself" in done.stderr
    assert "[main-unmeasured]" in done.stderr
    assert read_coverage(tmp_path / ".coverage").files[str(script)].lines == {1}


@pytest.mark.any_python
@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("echo 3 9 cpython False True False True .so", "3.9,"),
        ("echo 3 14 cpython False True False False .so", "3.14, free-threaded,"),
        ('case "$2" in *importlib*) exit 1;; esac; echo 2 7', "2.7,"),  # which can't parse what others are asked
    ],
    ids=["old", "no GIL", "Python 2"],
)
def test_a_python_that_is_not_measured_is_named(footfall, tmp_path, answer: str, name: str) -> None:
    """A Python that footfall does not measure is said to be that."""
    other = _write(tmp_path / "python3.9", f"#!/bin/sh\n{answer}\n")
    other.chmod(other.stat().st_mode | stat.S_IXUSR)
    done = footfall("run", "./python3.9")
    assert f"is Python {name} and footfall measures" in done.stderr
    assert "[python-unsupported]" in done.stderr


def test_switched_off_start_hooks_are_suspected(footfall, tmp_path) -> None:
    """With `python -S` there is no start hook; the message says what kept it from running."""
    _write(tmp_path / "p.py", "x = 1\n")
    done = footfall("run", sys.executable, "-S", "p.py")
    assert done.returncode == 3
    assert "its start hook did not run" in done.stderr
    assert "[nothing-recorded]" in done.stderr


@pytest.mark.any_python
@pytest.mark.parametrize("ending", ["kill -INT $$", "trap 'exit 130' INT; kill -INT $PPID; sleep 20 >&- 2>&- & wait"])
def test_what_ended_the_command_before_it_began_is_named(footfall, tmp_path, ending: str) -> None:
    """A program that a signal ended before Python had begun is not suspected of -S."""
    tool = _write(tmp_path / "python3", f"#!/bin/sh\n{ending}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    done = footfall("run", "./python3", "p.py")
    assert done.returncode in (-signal.SIGINT, 130)
    assert "SIGINT ended it before its Python had begun" in done.stderr
    assert "-S" not in done.stderr


_POOL = """
import multiprocessing, sys
def double(x):
    return 2 * x
if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
        print(pool.map(double, [1, 2]))
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_helpers_of_multiprocessing_do_not_outlive_the_command(footfall, tmp_path, method: str) -> None:
    """They end a moment after the command, which is waited for; a daemon goes on and is named."""
    script = _write(tmp_path / "p.py", _POOL)
    done = footfall("run", "-q", "--no-profile", "p.py", method)  # PyPy's profile ends with the first thread
    assert (done.returncode, done.stdout, done.stderr) == (0, "[2, 4]\n", "")
    assert 4 in read_coverage(tmp_path / ".coverage").files[str(script)].lines


PROJECT = {
    "start.py": "import one.used\nimport plain\n",
    "one/__init__.py": "",
    "one/used.py": "x = 1\n",
    "one/unused.py": "y = 1\n",
    "one/sub/__init__.py": "",
    "one/sub/unused.py": "y = 1\n",
    "one/data/no_package.py": "y = 1\n",
    "one/with.dot.py": "y = 1\n",
    "plain.py": "z = 1\n",
    "other/__init__.py": "",
}


@pytest.mark.any_python
@pytest.mark.parametrize(
    "options",
    [
        ["--source=."],
        ["--source=one"],
        ["--source=one,plain"],
        ["--source=one.sub"],
        ["--source=.", "--omit=*/sub/*"],
        [],
    ],
    ids=" ".join,
)
def test_files_that_never_ran_are_in_the_data_as_with_coverage(footfall, tmp_path, options: list[str]) -> None:
    """The same files are measured, or counted as never run, as by coverage.py with the same sources."""
    pytest.importorskip("coverage")
    for name, text in PROJECT.items():
        _write(tmp_path / name, text)
    subprocess.run(
        [sys.executable, "-m", "coverage", "run", "--data-file=theirs", *options, "start.py"], cwd=tmp_path, check=True
    )
    done = footfall("run", "-q", "--data-file=ours", *options, "start.py")
    assert done.returncode == 0
    assert set(read_coverage(tmp_path / "ours").files) == set(read_coverage(tmp_path / "theirs").files)


@pytest.mark.any_python
def test_relative_files_are_stored_relative(footfall, tmp_path) -> None:
    """With `relative_files` the data file names files from the project's directory."""
    for name, text in PROJECT.items():
        _write(tmp_path / name, text)
    _write(tmp_path / ".coveragerc", "[run]\nrelative_files = true\nsource = one\n")
    assert footfall("run", "-q", "start.py").returncode == 0
    assert set(read_coverage(tmp_path / ".coverage").files) == {
        f"one/{name}.py" for name in ("__init__", "used", "unused", "sub/__init__", "sub/unused")
    }
    assert "one/unused.py" in footfall("report").stdout


@each_engine
def test_the_configured_engine_reaches_the_measured_process(footfall, tmp_path, monkeypatch, engine: Engine) -> None:
    """`engine` of [tool.footfall] says which engine runs; the record's header names it."""
    monkeypatch.setenv(KEEP_VARIABLE, "1")
    settings = (
        f"[tool.footfall]\nengine = '{engine.name}'\n[tool.coverage.run]\nbranch = {str(engine.branch).lower()}\n"
    )
    _write(tmp_path / "pyproject.toml", settings)
    script = _write(tmp_path / "p.py", "x = 1\nif x:\n    x = 2\n")
    assert footfall("run", "-q", "p.py").returncode == 0
    [path] = tmp_path.glob(".footfall/runs/*/*.rec")
    header = read_record(str(path)).header
    assert (header.engine, header.has_branches) == (engine.number, engine.branch)
    assert read_coverage(tmp_path / ".coverage").files[str(script)].lines == {1, 2, 3}


@each_engine
def test_the_engine_of_the_environment_holds_for_children_with_another_one(
    footfall, tmp_path, monkeypatch, engine: Engine
) -> None:
    """FOOTFALL_ENGINE comes before the configuration, in a child with an empty environment too."""
    monkeypatch.setenv(KEEP_VARIABLE, "1")
    monkeypatch.setenv(ENGINE_VARIABLE, engine.name)
    _write(tmp_path / ".coveragerc", f"[run]\nbranch = {engine.branch}\n")
    _write(tmp_path / "c.py", "x = 1\n")
    _write(tmp_path / "p.py", "import subprocess, sys\nsubprocess.run([sys.executable, 'c.py'], env={}, check=True)\n")
    assert footfall("run", "-q", "p.py").returncode == 0
    headers = [read_record(str(path)).header for path in tmp_path.glob(".footfall/runs/*/*.rec")]
    assert [header.engine for header in headers] == [engine.number] * 2
