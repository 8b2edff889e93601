"""`footfall lake add` and `extract`: a data file as Parquet, and from there back, with all that it had."""

import pathlib
import sqlite3
import sys

import pytest

from conftest import REPOSITORY
from footfall.cli.main import main
from footfall.record.data.combine import combine_files
from footfall.record.data.coverage_tables import FileData, write_coverage
from footfall.record.data.qualifications import add_qualifications
from footfall.record.lake import parquet
from footfall.record.lake.layout import find_shards
from footfall.record.lake.schema import TABLES

pytestmark = pytest.mark.any_python

PROGRAM = """\
import os, time

def grade(points, bonus):
    if points > 50 and (bonus or points > 90):
        return "good"
    return "poor"

def spin(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass

def test_good():
    assert grade(95, False) == "good"
    spin(0.05)

def test_poor():
    assert grade(10, True) == "poor"

spin(0.05)
test_good()
child = os.fork()
if not child:
    test_poor()
    os._exit(0)
os.waitpid(child, 0)
"""

Normal = dict[str, list[str]]


def _contents(path: pathlib.Path) -> Normal:
    """All rows of a data file by table, with names in place of the numbers that are the writer's choice."""
    connection = sqlite3.connect(path)
    files = dict(connection.execute("select id, path from file"))
    contexts = dict(connection.execute("select id, context from context"))
    found = {}
    for (table,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
        rows = connection.execute(f"select * from {table}").fetchall()
        if table in ("arc", "line_bits"):
            rows = [(files[row[0]], contexts[row[1]], *row[2:]) for row in rows]
        elif table in ("tracer", "footfall_distinct_arcs"):
            rows = [(files[row[0]], *row[1:]) for row in rows]
        elif table in ("file", "context"):
            rows = [row[1:] for row in rows]
        found[table] = sorted(map(repr, rows))
    connection.close()
    return found


def _run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([*map(str, arguments)])
    return int(caught.value.code or 0)


@pytest.fixture
def here(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    pytest.importorskip("pyarrow", reason="pyarrow has no wheel for this Python")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _combined(here: pathlib.Path) -> pathlib.Path:
    """Data with what one run does not have: lines beside arcs, a plugin's file, inferred lines, odd names, messages."""
    odd = str(here / "odd 'näme'\n.py")
    lines = {
        odd: FileData({"": {1, 2}, "test 'a'\nb|run": {2, 70000}}, inferred={1}),
        str(here / "page.html"): FileData({"": {3}}, tracer="some.plugin"),
    }
    arcs = {str(here / "program.py"): FileData({}, {"x|setup": {(-1, 1), (1, -1)}, "x|run": {(1, 3), (3, -1)}})}
    for name, files in (("one", lines), ("two", arcs)):
        with write_coverage(here / name, files, has_arcs=name == "two", touched=["/not/run.py"]) as connection:
            add_qualifications(connection, [("record-damaged", f"Part of {name} is lost.")])
    combine_files([str(here / "one"), str(here / "two")], str(here / "all"))
    return here / "all"


def test_a_run_comes_back_whole(footfall, here) -> None:
    """Contexts, branches, conditions, the profile of two processes: each table of the data file has the same rows."""
    (here / "program.py").write_text(PROGRAM, encoding="utf-8")
    (here / ".coveragerc").write_text("[run]\nbranch = true\ndynamic_context = test_function\n", encoding="utf-8")
    done = footfall("run", "program.py")
    assert done.returncode == 0, done.stderr
    before = _contents(here / ".coverage")
    assert len(before["context"]) == 3 and before["footfall_cost"] and before["arc"]
    assert ("footfall_conditions" in before) == (sys.version_info >= (3, 14) and sys.implementation.name == "cpython")
    assert footfall("export", "--format=parquet", "-o", "lake").returncode == 0
    done = footfall("lake", "extract", "lake", "-o", "back")
    assert done.returncode == 0 and done.stderr == "Wrote back from 1 shard of lake\n"
    assert _contents(here / "back") == before


@pytest.mark.parametrize("name", ["one", "all"])
def test_other_data_comes_back_whole(here, name, monkeypatch) -> None:
    """Of lines, of lines beside arcs; also when no more than one row is in memory at a time."""
    monkeypatch.setattr(parquet, "_MOST_BYTES", 1)
    _combined(here)
    assert _run("lake", "add", "lake", name, "-q") == 0
    assert _run("lake", "extract", "lake", "-o", "back", "-q") == 0
    assert _contents(here / "back") == _contents(here / name)


def test_several_shards_are_combined(here, capsys) -> None:
    """Several selected shards become what `footfall combine` makes of their data files; the same file is added once."""
    _combined(here)
    for _ in range(2):
        assert _run("lake", "add", "lake", "one", "two", "--commit=c1") == 0
    assert len(find_shards("lake")) == 2
    assert _run("lake", "extract", "lake", "-o", "back") == 0
    assert _contents(here / "back") == _contents(here / "all")
    assert "from 2 shards of lake" in capsys.readouterr().err


def test_names_stay_inside_the_lake(here, capsys) -> None:
    """No name of a repository, commit or shard leads out of the directory, and each is found again."""
    _combined(here)
    names = ("--repository=../../up", "--commit=..", "--shard=007/ü")
    assert _run("lake", "add", "a/b/c/lake", "one", *names) == 0
    assert {path.parts[len(here.parts) :][:4] for path in here.rglob("*.parquet")} == {("a", "b", "c", "lake")}
    assert _run("lake", "extract", "a/b/c/lake", *names, "-o", "back") == 0
    assert _contents(here / "back") == _contents(here / "one")
    assert _run("lake", "extract", "a/b/c/lake", "--shard=7", "-o", "back") == 3
    assert "[no-shard]" in capsys.readouterr().err
    assert _run("lake", "add", "a/b/c/lake", "one", "--commit=" + 300 * "x") == 2
    assert "[partition-name]" in capsys.readouterr().err


@pytest.mark.parametrize(
    "statement",
    [
        "update line_bits set numbits = 'text'",
        "update line_bits set file_id = 99 where rowid = 1",
        "update footfall_message set text = x'ff'",
        "update context set context = x'ff' where context = ''",
        "update footfall_inferred set numbits = 5",
    ],
)
def test_damaged_data_is_refused(here, statement, capsys) -> None:
    """What is no data of its kind does not get into the lake, and leaves nothing there."""
    path = here / "one"
    _combined(here)
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
    assert _run("lake", "add", "lake", "one") == 3
    assert "[data-corrupt]" in capsys.readouterr().err
    assert not list(here.rglob("*.parquet"))


def test_damaged_and_other_lakes_are_refused(here, capsys) -> None:
    """A file that is cut short, a later format, and a directory without a lake are told apart."""
    import pyarrow.parquet as pq

    assert _run("lake", "extract", "lake") == 3
    assert "[no-lake]" in capsys.readouterr().err
    _combined(here)
    assert _run("lake", "add", "lake", "one") == 0
    (file,) = (here / "lake").rglob("lines_by_test.parquet")
    content = file.read_bytes()
    file.write_bytes(content[:-20])
    assert _run("lake", "extract", "lake", "-o", "back") == 3
    assert "[lake-damaged]" in capsys.readouterr().err
    file.write_bytes(content)
    pq.write_table(pq.read_table(file).replace_schema_metadata({"footfall_lake_format": "99"}), file)
    assert _run("lake", "extract", "lake", "-o", "back") == 3
    assert "has format 99" in capsys.readouterr().err
    assert not (here / "back").exists()


@pytest.mark.parametrize("option", [["-f", "parquet"], ["-f", "parquet", "-o", "-"], ["-f", "parquet", "-o", "d", "--lines"]])  # fmt: skip
def test_parquet_is_a_directory_of_all_data(option, capsys) -> None:
    """Exporting Parquet to no directory, or a part of the profile, is refused before anything is read."""
    assert _run("export", *option) == 2
    assert "[bad-format]" in capsys.readouterr().err


def test_without_pyarrow_it_says_what_to_install(tmp_path, monkeypatch, capsys) -> None:
    """The message names the extra."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with write_coverage("data", {"/x.py": FileData({"": {1}})}, has_arcs=False):
        pass
    assert _run("lake", "add", "lake", "data") == 3
    assert "pip install 'footfall[lake]' [lake-extra]" in capsys.readouterr().err
    assert not (tmp_path / "lake").exists()


def test_every_table_is_documented() -> None:
    """docs/lake.md has each table with each of its columns, in order, and no other."""
    text = (REPOSITORY / "docs" / "lake.md").read_text(encoding="utf-8")
    documented = {}
    for row in text.partition("\n## Tables\n")[2].partition("\n## ")[0].splitlines():
        if row.startswith("| `"):
            name, columns, _ = (cell.strip() for cell in row.strip("|").split("|", 2))
            documented[name.strip("`")] = [column.strip(" `") for column in columns.split(",")]
    assert documented == {name: list(columns) for name, columns in TABLES.items()}
