"""One damaged record, name or file costs nothing else: what is whole is in the data, what is not is named and kept."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import damage_fuzz
from footfall.analyze.profile.calltree import Profile, ProfiledThread, times_of_threads
from footfall.analyze.profile.rows import rows_from_profile
from footfall.analyze.resolve import resolve
from footfall.analyze.resolved_run import RunData
from footfall.record.data.condition_tables import read_conditions, write_conditions
from footfall.record.data.coverage_tables import read_coverage, write_coverage
from footfall.record.data.profile_tables import read_profile, write_profile
from footfall.record.run.directory import RunDirectory, remove_run_directory
from footfall.settings import read_settings

Footfall = Callable[..., subprocess.CompletedProcess[str]]

PROGRAM = """\
import footfall, lib, subprocess, sys, time
if "child" not in sys.argv:
    subprocess.run([sys.executable, "main.py", "child"], check=True)
end = time.process_time() + 0.05
while time.process_time() < end:
    lib.work(3)
if "contexts" in sys.argv:
    for label in ("one", "two"):
        with footfall.context(label):
            lib.work(2)
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
def kept_run(tmp_path: Path, footfall: Footfall, request: pytest.FixtureRequest) -> Path:
    """The run directory of a program with one child, not resolved away.

    Its parameter: "contexts" for a program that switches them, "settrace" for that engine.
    """
    kind = getattr(request, "param", "")
    (tmp_path / "main.py").write_text(PROGRAM)
    (tmp_path / "lib.py").write_text(LIBRARY)
    env = os.environ | {"FOOTFALL_KEEP": "1"} | ({"FOOTFALL_ENGINE": kind} if kind == "settrace" else {})
    done = footfall("run", "--quiet", sys.executable, "main.py", kind, env=env)
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


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy's records need no knowledge of its version")
def test_records_of_an_unknown_python_stay(kept_run: Path, footfall: Footfall) -> None:
    """What is left out, since a newer footfall knows it, is not removed."""
    for path in kept_run.glob("*.smp"):
        data = path.read_bytes()
        path.write_bytes(data[:20] + (0x03F00000).to_bytes(4, "little") + data[24:])
    done = footfall("resolve", "--quiet", kept_run)
    assert done.returncode == 0 and "is left out: it ran Python 3.240" in done.stderr
    assert "is kept, for a footfall that knows that Python; remove it when you need it no more" in done.stderr
    assert kept_run.is_dir()


@pytest.mark.any_python
@pytest.mark.slow
@pytest.mark.parametrize("kept_run", ["", "contexts", "settrace"], indirect=True)
def test_random_damage_of_a_record_never_stops_the_rest(kept_run: Path, tmp_path: Path) -> None:
    """No other exception, a data file that can be written and read, and all of the other process in it."""
    _damage_at_random(kept_run, tmp_path / "fuzzed", ".rec")


@pytest.mark.any_python
@pytest.mark.slow
@pytest.mark.parametrize("ending", [".smp", ".vmprof"])
def test_random_damage_of_a_sample_log_never_stops_the_rest(kept_run: Path, tmp_path: Path, ending: str) -> None:
    """As for a record."""
    if not list(kept_run.glob("*" + ending)):
        pytest.skip("this interpreter writes none")
    _damage_at_random(kept_run, tmp_path / "fuzzed", ending)


def _damage_at_random(kept_run: Path, data_file: Path, ending: str) -> None:
    """Resolve the run many times, each with other damage in its first process's file."""
    victim = max(kept_run.glob("*" + ending), key=lambda path: path.stat().st_size)
    data = victim.read_bytes()
    victim.unlink()
    rest = resolve(kept_run)
    assert rest.files
    damaged = damage_fuzz.mutations(data, 1)
    for number in range(int(os.environ.get("FUZZ_RECORDS", "60"))):
        victim.write_bytes(next(damaged))
        try:
            run = resolve(kept_run)
            _assert_within(rest, run)
            with write_coverage(data_file, run.files, has_arcs=run.has_arcs) as connection:
                write_conditions(connection, run.conditions)
                if run.profile is not None:
                    write_profile(connection, rows_from_profile(run.profile), "id")
            read_coverage(data_file)
            read_conditions(data_file)
            assert (read_profile(data_file, has_timelines=True) is None) == (run.profile is None)
        except BaseException as error:
            error.add_note(f"mutation {number} of {victim}")
            raise


def _assert_within(rest: RunData, run: RunData) -> None:
    """Whatever a run has without a file is there with the file, damaged."""
    for path, data in rest.files.items():
        for found, expected in ((run.files[path].lines, data.lines), (run.files[path].arcs, data.arcs)):
            for context in expected:
                assert expected[context] <= found[context], (path, context)
    if rest.profile is not None:
        assert run.profile is not None
        assert run.profile.n_samples >= rest.profile.n_samples
        assert _samples_of_threads(rest.profile) <= _samples_of_threads(run.profile)


def _samples_of_threads(profile: Profile) -> set[tuple[ProfiledThread, int]]:
    return set(zip(profile.threads, (cost.samples for cost in times_of_threads(profile)), strict=True))


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


@pytest.mark.any_python
@pytest.mark.slow
def test_every_report_of_a_damaged_data_file_ends_with_a_message(kept_run: Path, tmp_path: Path) -> None:
    """A short version of what tests/damage_fuzz.py does at length."""
    script = Path(damage_fuzz.__file__)
    command = [sys.executable, str(script), ".coverage", "--runs", os.environ.get("FUZZ_DATA", "8")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
