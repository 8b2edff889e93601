"""`footfall combine`, and the runs that make something to combine, as a user calls them."""

import json
import os
import pathlib
import shutil
import sqlite3

import pytest

from footfall.record.data.coverage_tables import FileData, read_coverage, write_coverage
from footfall.record.data.profile_tables import read_profile

pytestmark = pytest.mark.any_python

PROGRAM = """\
import sys

def which(n):
    if n > 1:
        return "many"
    return "one"

print(which(len(sys.argv)))
"""


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    return tmp_path


def _data(path: pathlib.Path, *lines: int, arcs: set[tuple[int, int]] | None = None) -> pathlib.Path:
    path.parent.mkdir(exist_ok=True)
    name = str(path.parent / "program.py")
    data = FileData({"": set(lines)}, {} if arcs is None else {"": arcs})
    with write_coverage(path, {name: data}, has_arcs=arcs is not None):
        pass
    return path


def _lines(path: pathlib.Path) -> set[int]:
    (found,) = read_coverage(path).files.values()
    return found.lines


def test_parallel_runs_combine(footfall, project) -> None:
    """Two runs in parallel mode leave two files; profile reports say to combine; the result has what both have."""
    for arguments in ([], ["x"]):
        done = footfall("run", "--parallel-mode", "program.py", *arguments)
        assert done.returncode == 0 and "footfall combine" in done.stderr
    parts = sorted(project.glob(".coverage.*.pid*.X??????x"))
    assert len(parts) == 2
    for command in (["flame"], ["export", "--format=pprof"], ["report", "--by=line"]):
        done = footfall(*command)
        assert done.returncode == 3 and "2 files .coverage.* to join: run `footfall combine`" in done.stderr
    done = footfall("combine")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("Combined 2 files into .coverage in ")
    assert not any(part.exists() for part in parts)
    assert {4, 5, 6} <= _lines(project / ".coverage")
    profile = read_profile(project / ".coverage")
    assert profile is not None and profile.n_processes == 2
    assert footfall("report").returncode == 0


def test_the_setting_parallel_is_obeyed(footfall, project) -> None:
    """A project that is set up for coverage.py's parallel mode goes on as it did: run, combine, report; erase too."""
    (project / ".coveragerc").write_text("[run]\nparallel = true\n", encoding="utf-8")
    assert footfall("run", "program.py").returncode == 0
    assert not (project / ".coverage").exists()
    assert footfall("combine", "--keep", "-q").stderr == ""
    assert (project / ".coverage").exists()
    assert len(list(project.glob(".coverage.*"))) == 1
    assert footfall("run", "--append", "program.py").returncode == 2


def test_append_adds_to_the_data(footfall, project) -> None:
    """`run --append` unites what ran and adds times; what can't be added to is said before the command runs."""
    assert footfall("run", "--no-branch", "program.py").returncode == 0
    assert 5 not in _lines(project / ".coverage")
    done = footfall("run", "-a", "program.py", "x")
    assert done.returncode == 0, done.stderr
    assert {5, 6} <= _lines(project / ".coverage")
    assert read_profile(project / ".coverage").n_processes == 2
    (project / ".coverage").write_bytes((project / ".coverage").read_bytes()[:5000])
    done = footfall("run", "-a", "program.py")
    assert done.returncode == 3 and "data-corrupt" in done.stderr and done.stdout == ""
    assert sorted(entry.name for entry in project.glob(".coverage*")) == [".coverage"]


def test_append_combines_with_what_is_there(footfall, project) -> None:
    """`combine --append` keeps the data file's own; without it the data file is made anew, as by coverage.py."""
    target = _data(project / ".coverage", 1)
    _data(project / ".coverage.2", 2)
    assert footfall("combine", "--append", "--keep").returncode == 0
    assert _lines(target) == {1, 2}
    assert footfall("combine", "--keep").returncode == 0
    assert _lines(target) == {2}


def test_the_result_named_among_the_files_is_kept(footfall, project) -> None:
    """Naming the data file with others means its data too; alone there is nothing to combine, and it stays."""
    target = _data(project / ".coverage", 1)
    _data(project / "more.cov", 2)
    assert footfall("combine", ".coverage", "more.cov").returncode == 0
    assert _lines(target) == {1, 2}
    assert not (project / "more.cov").exists()
    done = footfall("combine", "./.coverage")
    assert done.returncode == 1 and "no-data-to-combine" in done.stderr
    assert _lines(target) == {1, 2}


def test_nothing_to_combine_is_an_error(footfall, project) -> None:
    """Exit 1 with a next step; nothing is made."""
    done = footfall("combine")
    assert done.returncode == 1
    assert done.stderr.startswith("footfall: No data to combine") and "[no-data-to-combine]" in done.stderr
    assert footfall("combine", "nowhere").returncode == 2
    assert not (project / ".coverage").exists()


@pytest.mark.parametrize("command", ["combine", "report"])
def test_where_no_file_can_be_used_there_is_none(footfall, project, command) -> None:
    """Not by `combine`, nor by a report that combines first; what can't be used stays."""
    names = [".coverage.host.pid7.Xabcdefx", ".coverage.host.pid8.Xabcdefx"]
    for name in names:
        (project / name).write_text("my notes\n")
    done = footfall(command)
    assert done.returncode and "Traceback" not in done.stderr
    assert all(name in done.stderr for name in names)
    assert sorted(path.name for path in project.glob(".coverage*")) == names


def test_damaged_files_are_named_and_stay(footfall, project) -> None:
    """The good ones are combined and removed; the exit status says that something is missing."""
    good = _data(project / ".coverage.good", 1, 2)
    bad = {
        ".coverage.cut": good.read_bytes()[:5000],
        ".coverage.empty": b"",
        ".coverage.text": b"my notes\n",
    }
    for name, content in bad.items():
        (project / name).write_bytes(content)
    done = footfall("combine")
    assert done.returncode == 1
    for name in bad:
        assert sum(name in line for line in done.stderr.splitlines()) == 1
        assert (project / name).read_bytes() == bad[name]
    assert "Combined 1 file into .coverage" in done.stderr and "3 files could not be used" in done.stderr
    assert not good.exists()
    assert _lines(project / ".coverage") == {1, 2}
    done = footfall("combine")
    assert done.returncode == 1 and "no-usable-data" in done.stderr
    assert _lines(project / ".coverage") == {1, 2}


def test_the_same_file_twice_counts_once(footfall, project) -> None:
    """Copies are known by their content, and removed like the others."""
    shutil.copy(_data(project / ".coverage.1", 1), project / ".coverage.2")
    done = footfall("combine")
    assert "Combined 1 file" in done.stderr and "skipped 1 duplicate" in done.stderr
    assert not list(project.glob(".coverage.*"))


def test_what_is_no_data_file_is_not_overwritten(footfall, project) -> None:
    """The name of the result may hold something else."""
    (project / "notes").write_text("mine\n", encoding="utf-8")
    _data(project / "notes.1", 1)
    done = footfall("combine", "--data-file=notes")
    assert done.returncode == 3 and "data-foreign" in done.stderr
    assert (project / "notes").read_text(encoding="utf-8") == "mine\n"
    assert (project / "notes.1").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind this user")
def test_inputs_in_a_read_only_directory_stay(footfall, project) -> None:
    """The result is made; what can't be removed is said."""
    part = _data(project / "artifacts" / ".coverage.1", 1)
    part.parent.chmod(0o555)
    try:
        done = footfall("combine", "artifacts")
    finally:
        part.parent.chmod(0o755)
    assert done.returncode == 0 and "input-kept" in done.stderr
    assert part.exists() and _lines(project / ".coverage") == {1}


def test_reports_mark_unknown_branches(footfall, project) -> None:
    """Branches that only data without branches can have taken count as missing, with a warning."""
    _data(project / ".coverage.lines", 1, 3, 4, 5, 8)
    _data(project / ".coverage.arcs", arcs={(-1, 1), (1, 3), (3, 8), (8, -1), (-3, 4), (4, 6), (6, -3)})
    assert footfall("combine").returncode == 0
    done = footfall("report")
    assert "branches-partly-known" in done.stderr
    found = json.loads(footfall("json", "-o", "-").stdout)["files"]["program.py"]
    assert found["missing_lines"] == [] and found["missing_branches"] == [[4, 5]]


def test_coverage_combines_and_reads_what_we_made(footfall, project) -> None:
    """Our combined file is a data file of coverage.py's, and its files of parallel mode are found."""
    coverage = pytest.importorskip("coverage")
    theirs = coverage.CoverageData(str(project / ".coverage"), suffix=True)
    theirs.add_lines({str(project / "program.py"): [1, 3]})
    theirs.write()
    theirs.close()
    assert footfall("combine").returncode == 0
    data = coverage.CoverageData(str(project / ".coverage"))
    data.read()
    assert sorted(data.lines(str(project / "program.py"))) == [1, 3]
    data.close()
    connection = sqlite3.connect(project / ".coverage")
    assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    connection.close()
