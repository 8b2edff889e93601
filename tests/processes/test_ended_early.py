"""Commands that fail before any of the project's code, and runs that are interrupted when the command has ended."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.any_python


def test_a_script_that_is_no_python_shows_its_own_error(footfall, tmp_path) -> None:
    """Its error and status, and one line of ours without tables."""
    (tmp_path / "main.py").write_text("def f(:\n")
    done = footfall("run", "--rate=1", "main.py")  # the interpreter's start may take long enough for a sample
    assert done.returncode == 1
    *error, ours = done.stderr.splitlines()
    assert error[-1].startswith("SyntaxError: ")
    assert ours.startswith("footfall: No Python file of the project ran before the command ended with status 1.")
    assert ours.endswith("[no-data-collected]")
    assert "report" not in done.stdout + done.stderr


def test_a_run_without_samples_reports_why(footfall, tmp_path) -> None:
    """Not a table of zeros."""
    done = footfall("run", "--no-cover", "--rate=1", sys.executable, "-c", "pass")
    assert "0 of" not in done.stderr and "No samples" in done.stderr
    assert "flame" not in done.stderr


def test_sources_of_which_nothing_ran_have_a_total(footfall, tmp_path) -> None:
    """The summary counts what reports count, in added runs too; a command that failed shows no tables."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text("a = 1\nb = 2\n")
    run = ("run", "--rate=1", "--source=src", "--data-file=data")
    code = (sys.executable, "-c", "import sys; sys.exit(len(sys.argv) > 1)")
    assert "Coverage" not in footfall(*run, *code, "failed").stderr
    for append in ((), ("--append",)):
        assert "Coverage 0%  (2 of 2 statements missing" in footfall(*run, *append, *code).stderr
    assert footfall("report", "--data-file=data", "--format=total").stdout == "0\n"


_INTERRUPTS = """
import os, signal
import footfall.session.finish as finish
def resolve(*arguments):
    os.kill(os.getpid(), signal.{name})
    raise AssertionError
finish.resolve = resolve
from footfall.cli.main import main
main()
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_while_results_are_made_names_what_is_kept(footfall, tmp_path, name) -> None:
    """The way on is a command that works, and the status is that of the signal."""
    (tmp_path / "main.py").write_text("x = 1\n")
    command = [
        sys.executable,
        "-c",
        _INTERRUPTS.format(name=name),
        "run",
        "--data-file=other",
        sys.executable,
        "main.py",
    ]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, env=dict(os.environ), timeout=60)
    assert done.returncode == -getattr(signal, name)
    (line,) = done.stderr.splitlines()
    assert line.endswith("[finish-interrupted]")
    assert footfall(*line.partition("try again with: footfall ")[2].split()[:-1]).returncode == 0
    assert (tmp_path / "other").exists()


_KILLED = """
import os, signal
{functions}
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_all_and_little_more_than_it_recorded(footfall, tmp_path, monkeypatch) -> None:
    """Its files grow as they are filled, at first in small steps; what was written at any size of file is read."""
    monkeypatch.setenv("FOOTFALL_KEEP", "1")
    for n_functions, most_bytes in ((1, 64 << 10), (500, None)):
        functions = "\n".join(f"def f{n}(a):\n    if a:\n        return {n}\nf{n}({n} % 2)" for n in range(n_functions))
        (tmp_path / "main.py").write_text(_KILLED.format(functions=functions))
        done = footfall("run", "--data-file=killed", sys.executable, "main.py")
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert "damaged" not in done.stderr
        (run,) = (tmp_path / ".footfall" / "runs").iterdir()
        (record,) = run.glob("*.rec")
        assert most_bytes is None or record.stat().st_size <= most_bytes
        shutil.rmtree(run)
        report = json.loads(footfall("json", "--data-file=killed", "-o", "-").stdout)
        (file,) = report["files"].values()
        assert file["summary"]["missing_lines"] == n_functions // 2 + (n_functions == 1)
