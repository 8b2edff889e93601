"""One damaged record, name or file costs nothing else: what is whole is in the data, what is not is named and kept."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from damage_fuzz import mutations
from footfall.analyze.profiles import rows_from_profile
from footfall.analyze.resolve import resolve
from footfall.errors import FootfallError
from footfall.observe.settings import read_settings
from footfall.record.conditionsdb import write_conditions
from footfall.record.coveragedb import read_coverage, write_coverage
from footfall.record.profiledb import write_profile
from footfall.record.rundir import RunDirectory, remove_run_directory

Footfall = Callable[..., subprocess.CompletedProcess[str]]

PROGRAM = """\
import lib, subprocess, sys, time
if len(sys.argv) == 1:
    subprocess.run([sys.executable, "main.py", "child"], check=True)
end = time.process_time() + 0.05
while time.process_time() < end:
    lib.work(3)
"""

LIBRARY = """\
def work(n):
    total = 0
    for i in range(n):
        if i % 2:
            total += i
    return total
"""


@pytest.fixture
def kept_run(tmp_path: Path, footfall: Footfall) -> Path:
    """The run directory of a program with one child, not resolved away."""
    (tmp_path / "main.py").write_text(PROGRAM)
    (tmp_path / "lib.py").write_text(LIBRARY)
    env = os.environ | {"FOOTFALL_KEEP": "1"}
    done = footfall("run", "--quiet", sys.executable, "main.py", env=env)
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / ".footfall" / "runs").iterdir()
    return run


def test_a_damaged_record_costs_no_other(kept_run: Path, footfall: Footfall, tmp_path: Path) -> None:
    """The other process's is in the data, the damage is said, and the run directory stays."""
    whole = read_coverage(tmp_path / ".coverage").files[str(tmp_path / "lib.py")].lines
    largest = max(kept_run.glob("*.rec"), key=lambda path: path.stat().st_size)
    data = largest.read_bytes()
    largest.write_bytes(data[:16] + b"\xff" * 32 + data[48:])
    done = footfall("resolve", "--quiet", kept_run)
    assert done.returncode == 0
    assert "[record-corrupt]" in done.stderr
    assert f"is kept for its damaged records; remove it when you have seen to them: {kept_run}" in done.stderr
    assert read_coverage(tmp_path / ".coverage").files[str(tmp_path / "lib.py")].lines == whole
    assert kept_run.is_dir()


@pytest.mark.parametrize("ending", [".rec", ".smp", ".vmprof"])
def test_random_damage_never_stops_the_rest(kept_run: Path, tmp_path: Path, ending: str) -> None:
    """No other exception, and a data file that can be written and read, with the other process's lines in it."""
    files = sorted(kept_run.glob("*" + ending))
    if not files:
        pytest.skip("this interpreter writes none")
    other = min(kept_run.glob("*.rec"), key=lambda path: path.stat().st_size)
    victim = next((file for file in files if file != other), files[0])
    data = victim.read_bytes()
    damaged = mutations(data, 1)
    for _ in range(int(os.environ.get("FUZZ_RECORDS", "60"))):
        victim.write_bytes(next(damaged))
        run = resolve(kept_run)
        assert str(tmp_path / "lib.py") in run.files or victim == other
        with write_coverage(tmp_path / "fuzzed", run.files, has_arcs=run.has_arcs) as connection:
            write_conditions(connection, run.conditions)
            if run.profile is not None:
                write_profile(connection, rows_from_profile(run.profile), "id")
        read_coverage(tmp_path / "fuzzed")


def test_a_run_directory_takes_no_parent_along(tmp_path: Path) -> None:
    """Only `.footfall/runs`, which we made, goes when it is empty."""
    foreign = tmp_path / "mine" / "run"
    ours = tmp_path / ".footfall" / "runs" / "run"
    for path in (foreign, ours):
        path.mkdir(parents=True)
        remove_run_directory(RunDirectory(path))
    assert (tmp_path / "mine").is_dir()
    assert not (tmp_path / ".footfall" / "runs").exists()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_settings_that_are_no_file_do_not_hold_the_reader_up(tmp_path: Path, make: Callable[[str], None]) -> None:
    """It reads at the start of every measured interpreter."""
    make(str(tmp_path / "settings"))
    with pytest.raises((OSError, ValueError)):
        read_settings(str(tmp_path))


def test_a_data_file_replaces_only_files(tmp_path: Path) -> None:
    """Not a pipe, a device or a directory; a link stays, and what it leads to is written."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    os.symlink("/dev/null", tmp_path / "device")
    for name in ("pipe", "directory", "device"):
        before = (tmp_path / name).lstat().st_mode
        with pytest.raises(FootfallError, match="data-unwritable"), write_coverage(tmp_path / name, {}, has_arcs=False):
            pass
        assert (tmp_path / name).lstat().st_mode == before
    os.symlink("real", tmp_path / "link")
    with write_coverage(tmp_path / "link", {}, has_arcs=False):
        pass
    assert (tmp_path / "link").is_symlink()
    assert read_coverage(tmp_path / "real").files == {}


def test_an_html_report_overwrites_no_page_of_others(tmp_path: Path, footfall: Footfall) -> None:
    """Nor what a link there leads to; an earlier report of ours or of coverage.py is replaced."""
    (tmp_path / "main.py").write_text("x = 1\n")
    assert footfall("run", "--quiet", sys.executable, "main.py").returncode == 0
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("mine")
    done = footfall("html", "-d", site)
    assert (done.returncode, (site / "index.html").read_text()) == (3, "mine")
    assert "[output-unwritable]" in done.stderr
    (site / ".gitignore").write_text("# Created by coverage.py\n*\n")
    assert footfall("html", "-d", site).returncode == 0
    assert footfall("html", "-d", site).returncode == 0
    shutil.move(site / "index.html", tmp_path / "page")
    os.symlink(tmp_path / "page", site / "index.html")
    before = (tmp_path / "page").read_bytes()
    assert footfall("html", "-d", site).returncode == 3
    assert (tmp_path / "page").read_bytes() == before


def test_every_report_of_a_damaged_data_file_ends_with_a_message(kept_run: Path, tmp_path: Path) -> None:
    """A short version of what tests/damage_fuzz.py does at length."""
    script = Path(__file__).with_name("damage_fuzz.py")
    command = [sys.executable, str(script), ".coverage", "--runs", os.environ.get("FUZZ_DATA", "8")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
