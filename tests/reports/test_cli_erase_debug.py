"""`footfall erase` removes what is ours alone; `footfall debug` tells what there is."""

import pathlib

import pytest

from footfall.record.data.coverage_tables import FileData, write_coverage


@pytest.mark.any_python
def test_erase_removes_caches_and_nothing_else(footfall, tmp_path) -> None:
    """After a run and a report nothing of ours is left; a file that is not ours stays, and so does its directory."""
    (tmp_path / "program.py").write_text("print(1)\n", encoding="utf-8")
    for foreign in (False, True):
        footfall("run", "program.py")
        footfall("report")
        assert (tmp_path / ".footfall" / "cache").is_dir()
        if foreign:
            (tmp_path / ".footfall" / "notes").touch()
        assert footfall("erase").returncode == 0
        left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
        assert left == ({"program.py", ".footfall/notes", ".footfall/.gitignore"} if foreign else {"program.py"})


@pytest.mark.any_python
def test_erase_spares_a_directory_of_anothers(footfall, tmp_path) -> None:
    """A `.footfall` without our marker, or one that is a link, is not ours."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "cache").mkdir(parents=True)
    (elsewhere / ".gitignore").write_text("*\n", encoding="utf-8")
    (tmp_path / ".footfall").symlink_to(elsewhere)
    assert footfall("erase").returncode == 0
    assert (elsewhere / "cache").is_dir()
    (tmp_path / ".footfall").unlink()
    (tmp_path / ".footfall" / "cache").mkdir(parents=True)
    assert footfall("erase").returncode == 0
    assert (tmp_path / ".footfall" / "cache").is_dir()


def _data(path: pathlib.Path) -> None:
    with write_coverage(path, {"/p/a\x1b[31m.py": FileData({"": {1, 2}})}, has_arcs=False):
        pass


@pytest.mark.any_python
def test_erase_removes_parallel_files_in_parallel_mode(footfall, tmp_path) -> None:
    """Only where the configuration says so, as coverage.py; what is no data file stays."""
    names = [".coverage.1", ".coverage.notes"]
    _data(tmp_path / names[0])
    (tmp_path / names[1]).write_text("mine", encoding="utf-8")
    assert footfall("erase").returncode == 0
    assert all((tmp_path / name).exists() for name in names)
    (tmp_path / ".coveragerc").write_text("[run]\nparallel = true\n", encoding="utf-8")
    done = footfall("erase")
    assert done.returncode == 0 and "foreign-kept" in done.stderr
    assert [(tmp_path / name).exists() for name in names] == [False, True]


@pytest.mark.any_python
def test_debug_shows_what_there_is(footfall, tmp_path) -> None:
    """Each topic says the main things; names in data files can't write escape codes to the terminal."""
    _data(tmp_path / ".coverage")
    (tmp_path / ".coverage.bad").write_bytes(b"no data")
    system = footfall("debug", "sys").stdout
    assert "engine: " in system and "start hook: " in system and "footfall.pth" in system
    assert "data_file: .coverage" in footfall("debug", "config").stdout
    done = footfall("debug", "data")
    assert done.returncode == 1 and "data-foreign" in done.stderr
    assert "table file: 1 rows" in done.stdout and "2 lines" in done.stdout and "\x1b" not in done.stdout
    assert footfall("debug", "data", ".coverage").returncode == 0
    assert footfall("debug", "nonesuch").returncode == 2


def test_debug_shows_probes_with_their_lines(footfall, tmp_path) -> None:
    """What each probe says stands below the line that it reports: number, arc, kind. A source that is none is named."""
    (tmp_path / "app.py").write_text("for i in range(2):\n    if i:\n        break\nelse:\n    i = '\x1b'\n")
    (tmp_path / "bad.py").write_text("for\n")
    done = footfall("debug", "probes", "app.py", "bad.py")
    assert done.returncode == 1 and "bad.py: Can't parse the source" in done.stderr
    shown = done.stdout.splitlines()
    first, second, third = (
        shown.index(line) for line in ("    1  for i in range(2):", "    2      if i:", "    3          break")
    )
    assert any(line.endswith(" 1 -> 2 (entered)") for line in shown[first:second])
    assert any(line.endswith(" 1 -> 5 (left)") for line in shown[first:second])
    assert any(line.endswith(" 2 -> 3 (entered)") for line in shown[second:third])
    assert any(line.endswith(" 2 -> 1 (left)") for line in shown[second:third])
    assert "\x1b" not in done.stdout
    done = footfall("debug", "probes", "--instrumented", "app.py")
    assert (
        done.stdout.count("footfall probe")
        == len({line.split()[0] for line in shown if line.lstrip().startswith("#")}) - 1
    )
    assert footfall("debug", "probes").returncode == 2
    assert footfall("debug", "sys", "--instrumented").returncode == 2
