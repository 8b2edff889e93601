"""`footfall snapshot`: the results so far of a run that goes on, which is not disturbed."""

import os
import pathlib
import subprocess
import sys
import time

import pytest

from footfall.record.data.coverage_tables import read_coverage

PROGRAM = """\
import os, time

def early():
    return 1

def late():
    return 2

early()
open("begun", "w").close()
while not os.path.exists("go on"):
    time.sleep(0.01)
late()
"""


@pytest.fixture
def running(tmp_path: pathlib.Path):
    """A run that has begun; it ends when the file "go on" is there."""
    (tmp_path / "program.py").write_text(PROGRAM)
    process = subprocess.Popen(
        [*FOOTFALL, "run", "program.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    _wait_for(tmp_path / "begun")
    yield process
    (tmp_path / "go on").touch()
    process.communicate(timeout=60)


FOOTFALL = [sys.executable, "-m", "footfall"]


def _wait_for(path: pathlib.Path) -> None:
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.01)


def _call(directory: pathlib.Path, *arguments: str, status: int = 0) -> str:
    done = subprocess.run([*FOOTFALL, *arguments], cwd=directory, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def _lines(data: pathlib.Path) -> set[int]:
    (found,) = read_coverage(data).files.values()
    return found.lines


def test_what_a_run_has_recorded_so_far(running: subprocess.Popen[bytes], tmp_path: pathlib.Path) -> None:
    """The snapshot has what ran, and a profile; the run ends as ever, with all of it, and removes its directory."""
    text = _call(tmp_path, "snapshot")
    assert "Data snapshot.coverage" in text
    assert "--data-file=snapshot.coverage" in text
    assert 4 in _lines(tmp_path / "snapshot.coverage")
    assert 7 not in _lines(tmp_path / "snapshot.coverage")
    assert not (tmp_path / ".coverage").exists()
    run = next((tmp_path / ".footfall" / "runs").iterdir())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    _call(elsewhere, "snapshot", "-q", str(run), "--data-file=here.data")
    assert _lines(elsewhere / "here.data") == _lines(tmp_path / "snapshot.coverage")
    again = subprocess.Popen(
        [*FOOTFALL, "snapshot", "-q", "--every", "0.1", "--data-file=often.data"], cwd=tmp_path, stderr=subprocess.PIPE
    )
    _wait_for(tmp_path / "often.data")
    (tmp_path / "go on").touch()
    assert running.wait(60) == 0
    assert (again.communicate(timeout=60)[1], again.returncode) == (b"", 0)
    assert {4, 7} <= _lines(tmp_path / ".coverage")
    assert not run.exists()
    assert "[no-run]" in _call(tmp_path, "snapshot", status=2)


@pytest.mark.any_python
def test_a_run_writes_its_data_at_an_interval(tmp_path: pathlib.Path) -> None:
    """The data file of the run has what ran so far, and in the end all of it; nothing else is left."""
    (tmp_path / "program.py").write_text(PROGRAM)
    assert "[append-every]" in _call(tmp_path, "run", "--every=9", "-a", "program.py", status=2)
    words = [*FOOTFALL, "run", "-q", "--every", "0.1", "program.py"]
    process = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE)
    _wait_for(tmp_path / ".coverage")
    assert 7 not in _lines(tmp_path / ".coverage")
    until = time.monotonic() + 60
    while 4 not in _lines(tmp_path / ".coverage"):
        assert time.monotonic() < until
        time.sleep(0.05)
    (tmp_path / "go on").touch()
    assert (process.communicate(timeout=60)[1], process.returncode) == (b"", 0)
    assert {4, 7} <= _lines(tmp_path / ".coverage")
    left = {path.name for path in tmp_path.iterdir()} - {"__pycache__"}
    assert left == {"program.py", "begun", "go on", ".coverage", ".footfall"}


@pytest.mark.any_python
def test_several_runs_need_a_choice(running: subprocess.Popen[bytes], tmp_path: pathlib.Path) -> None:
    """Of a run without records yet, and of one whose supervisor is gone, there is nothing to be had."""
    (run,) = (tmp_path / ".footfall" / "runs").iterdir()
    other = run.with_name(f"20200101-000000-{os.getpid()}")
    other.mkdir()
    (other / "settings").write_bytes((run / "settings").read_bytes())
    assert str(other.relative_to(tmp_path)) in _call(tmp_path, "snapshot", status=2)
    assert "[nothing-recorded]" in _call(tmp_path, "snapshot", str(other), status=3)
    other.rename(other.with_name("20200101-000000-99999999"))
    assert "Data snapshot.coverage" in _call(tmp_path, "snapshot")
