"""`footfall run --duration` and `--max-samples`: the command is ended then, and nothing of what was recorded is lost."""

import pathlib
import subprocess
import sys

import pytest

from footfall.record.data.coverage_tables import read_coverage
from footfall.record.data.profile_tables import read_profile

FOOTFALL = [sys.executable, "-m", "footfall"]
LOOP = """\
import time
def spin():
    end = time.monotonic() + 60
    while time.monotonic() < end: open("begun", "w").close()
spin()
"""
WITH_CHILD = "import subprocess, sys\nsubprocess.run([sys.executable, 'loop.py'])\n"
CATCHES = """\
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
while True:
    open("begun", "w").close(); time.sleep(0.01)
"""


def _run(folder: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    for name, text in (("loop.py", LOOP), ("child.py", WITH_CHILD), ("catches.py", CATCHES)):
        (folder / name).write_text(text)
    return subprocess.run([*FOOTFALL, "run", *arguments], cwd=folder, capture_output=True, text=True, timeout=50)


@pytest.mark.parametrize(
    ("program", "status"),
    [("child.py", 0), ("catches.py", 7)],
    ids=["with a child", "that has a status of its own"],
)
def test_duration(tmp_path, program, status) -> None:
    """The command and its children end; the status is 0 unless the command chooses another; the data are whole."""
    seconds = 2
    while True:
        done = _run(tmp_path, "--duration", str(seconds), program)
        if (tmp_path / "begun").exists() or seconds > 20:
            break
        seconds *= 2  # on a busy machine the program had not even begun
    assert done.returncode == status, done.stderr
    assert f"The command was ended after {seconds} s. [limit-reached]" in done.stderr
    assert "still-running" not in done.stderr
    files = {pathlib.PurePath(path).name: file for path, file in read_coverage(tmp_path / ".coverage").files.items()}
    assert program in files
    if program == "child.py":
        assert {2, 3, 4, 5} <= {line for arc in files["loop.py"].arcs for line in arc}


@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
def test_a_duration_that_is_none_is_refused(tmp_path, value) -> None:
    """A number that compares with nothing, or never comes, would be no limit."""
    done = _run(tmp_path, "--duration", value, "loop.py")
    assert done.returncode == 2
    assert "Invalid value for '--duration'" in done.stderr


def test_a_command_that_ends_before(tmp_path) -> None:
    """Nothing is said, and the status is the command's."""
    done = _run(tmp_path, "--duration", "50", "--max-samples", "1000000", sys.executable, "-c", "raise SystemExit(5)")
    assert done.returncode == 5
    assert "limit-reached" not in done.stderr


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy's sampler does not count")
def test_max_samples(tmp_path) -> None:
    """The command ends when so many samples were taken."""
    done = _run(tmp_path, "--max-samples", "40", "--rate", "200", "loop.py")
    assert done.returncode == 0, done.stderr
    assert "The command was ended after 40 samples. [limit-reached]" in done.stderr
    profile = read_profile(tmp_path / ".coverage")
    assert profile is not None and profile.n_samples >= 40


def test_samples_need_a_profile(tmp_path) -> None:
    """A number of samples without a profile would never be reached."""
    done = _run(tmp_path, "--max-samples", "4", "--no-profile", "loop.py")
    assert done.returncode == 2
    assert "[no-samples]" in done.stderr
