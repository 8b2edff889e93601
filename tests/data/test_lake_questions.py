"""Questions to a lake have the answers of the same questions to a data file that combines its shards."""

import contextlib
import json
import pathlib
import shutil
import sqlite3
import subprocess

import pytest

from conftest import COMMAND
from footfall.analyze.minimal_tests import choose_tests
from footfall.record.data.coverage_tables import read_lines_by_context
from footfall.record.data.test_times import write_test_times
from footfall.record.run.phase_times import PhaseTime
from repository import footfall, git

pytestmark = pytest.mark.any_python

APP = """\
import sys

def grade(points, bonus):
    if (points > 50
            and bonus):
        return "good"
    return "poor"

def unused(n):
    for each in range(n):
        print(each)
    if n:  # pragma: no cover
        n = 0

class Box:
    size = 1

    def open(self):
        return [
            self.size,
        ]
"""
CHECKS = """\
import sys
from app import *

def test_good():
    assert grade(95, True) == "good"

def test_poor():
    assert grade(10, True) == "poor"

def test_both():
    test_good()
    assert grade(95, False) == "poor"

def test_box():
    assert Box().open() == [1]

for name in sys.argv[1:]:
    globals()[name]()
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A repository, the data of two runs of it as a lake, and these data combined as `all`."""
    for package in ("pyarrow", "duckdb"):
        pytest.importorskip(package, reason=f"{package} has no wheel for this Python")
    here = tmp_path_factory.mktemp("shop's")
    texts = {"app.py": APP, "checks.py": CHECKS, ".gitignore": "*\n", ".coveragerc": "[run]\nbranch = true\ndynamic_context = test_function\n"}  # fmt: skip
    for name, text in texts.items():
        (here / name).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        git("init", "-q")
        git("add", "-f", "app.py", "checks.py", ".gitignore")
        git("commit", "-qm", "One")
        for name, tests in (("one", ["test_good", "test_box"]), ("two", ["test_poor", "test_both"])):
            command = [COMMAND, "run", "-q", "--no-profile", f"--data-file={name}", "checks.py", *tests]
            subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        with contextlib.closing(sqlite3.connect(here / "two")) as connection, connection:
            times = {"__main__.test_poor|run": PhaseTime(1, 9, 9), "__main__.test_both|run": PhaseTime(1, 5, 5)}
            write_test_times(connection, times, "run")
        connection.close()
        assert footfall("combine", "--keep", "-q", "--data-file=all", "one", "two") == 0
        assert footfall("lake", "add", "coverage-lake", "one", "two", "-q") == 0
    return here


@pytest.fixture
def project(measured: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A copy of it, to work in."""
    monkeypatch.chdir(shutil.copytree(measured, tmp_path / "shop"))
    # the lines of a data file are those of the paths in it
    pathlib.Path(".coveragerc").write_text(f"[paths]\nhere =\n  .\n  {measured}\n", encoding="utf-8")
    monkeypatch.setenv("COVERAGE_FILE", "all")
    return tmp_path / "shop"


def test_who_tests_a_line(project, answer) -> None:
    """Each line, also inside a statement of several, a blank or excluded one; some lines; the file."""
    lines = (1, 2, 5, 6, 11, 13, 20, 22, "4-7", "8-21")
    places = [*(f"app.py:{line}" for line in lines), "app.py"]
    found = {}
    for place in places:
        asked = json.loads(answer("query", "who", "tests", place, "--data-file=all"))
        found[place] = asked["tests"]
        theirs = json.loads(answer("lake", "who-tests", place, "--format=json"))
        assert (theirs["tests"], theirs["n_tests"]) == (asked["tests"], asked["n_tests"]), place
        assert theirs["is_run_outside_tests"] == asked["is_run_outside_tests"], place
    assert found["app.py:6"] == ["__main__.test_both", "__main__.test_good"]
    assert found["app.py:20"] == ["__main__.test_box"]
    assert answer("lake", "who-tests", "app.py:5-7") == "__main__.test_both\n__main__.test_good\n__main__.test_poor\n"


def test_what_the_lake_does_not_know(project, capsys) -> None:
    """A file that nothing ran of, lines that are none, a commit that is not there."""
    for arguments, status, slug in (
        (["who-tests", "other.py:1"], 3, "file-not-measured"),
        (["who-tests", "app.py:9-3"], 2, "query-unknown"),
        (["report", "--commit=abc"], 3, "no-shard"),
        (["report", "--lake=nowhere"], 3, "no-lake"),
    ):
        assert footfall("lake", *arguments) == status
        assert f"[{slug}]" in capsys.readouterr().err


def test_the_report_is_that_of_the_combined_data(project, answer) -> None:
    """Statements, branches and what is missing, in the same table; the numbers of JSON too."""
    assert answer("lake", "report", "-m") == answer("report", "-m", "--data-file=all")
    ours = json.loads(answer("lake", "report", "--format=json"))
    theirs = json.loads(answer("json", "-o", "-", "--data-file=all"))
    assert ours["totals"] == theirs["totals"]
    for name, file in theirs["files"].items():
        assert ours["files"][name] == {key: file[key] for key in ("summary", "missing_lines", "missing_branches")}
    one, *_ = (each for each in pathlib.Path("coverage-lake").rglob("shard=*"))
    ours = answer("lake", "report", "-m", "--shard", one.name.partition("=")[2])
    assert ours in [answer("report", "-m", f"--data-file={name}") for name in ("one", "two")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (7, ["__main__.test_both", "__main__.test_poor"]),
        (6, ["__main__.test_good", "__main__.test_both"]),
        (20, ["__main__.test_box"]),
        (16, ["__main__.test_box", "__main__.test_good", "__main__.test_both", "__main__.test_poor"]),
        (11, []),
    ],
    ids=["one branch", "the other", "inside a statement", "what runs on import", "what no test runs"],
)
def test_tests_of_a_change(project, answer, line, expected) -> None:
    """The tests that ran a changed statement, the fastest first; all of the file's where it runs on import."""
    lines = APP.splitlines()
    lines[line - 1] = lines[line - 1].replace("1", "2") + "  # changed"
    if line == 20:
        lines[line - 1] = "            self.size + 0,"
    pathlib.Path("app.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert json.loads(answer("lake", "tests", "--changed", "--format=json")) == expected
    assert json.loads(answer("tests", "--changed", "--format=json", "--data-file=all")) == expected


def test_the_sql_gives_the_answer(project, answer) -> None:
    """What --sql prints is all that DuckDB needs, whatever the names contain."""
    import duckdb

    pathlib.Path("coverage-lake").rename("it's [a] lake*")
    place = "who-tests", "app.py:6", "--lake", "it's [a] lake*"
    sql = answer("lake", *place, "--sql")
    assert "".join(f"{test}\n" for (test,) in duckdb.connect().execute(sql).fetchall() if test) == answer(
        "lake", *place
    )
    for question in (["tests", "--changed"], ["tests"], ["report"], ["minimize"]):
        assert duckdb.connect().execute(answer("lake", *question, "--sql", *place[2:])).description
    assert footfall("lake", "who-tests", "a'b.py", *place[2:]) == 3


def test_few_tests_run_what_all_run(project, answer) -> None:
    """The chosen tests run every line that the tests run, and each adds some."""
    chosen = json.loads(answer("lake", "minimize", "--format=json"))
    names = [each["name"] for each in chosen["tests"]]
    assert chosen["n_tests"] == 4 and set(names) < {f"__main__.test_{name}" for name in ("good", "poor", "both", "box")}
    ran = read_lines_by_context("all")
    for by_test in ran.values():
        everything = set().union(*by_test.values())
        assert everything == set().union(*(by_test.get(name, set()) for name in ["", *names]))
    assert all(each["adds_lines"] for each in chosen["tests"])


def test_tests_are_chosen_by_what_they_add() -> None:
    """The one that adds most first, by name among equals; a line that also ran elsewhere needs none."""
    ran = {"a": {"x": 0b0111}, "b": {"x": 0b0111}, "c": {"x": 0b0001, "y": 0b1}, "d": {"y": 0b1}, "e": {"z": 0b1}}
    assert choose_tests(ran, {"z": 0b1}) == [("a", 3), ("c", 1)]
    assert choose_tests({}, {}) == []


def test_which_commit_is_meant(project, answer, capsys) -> None:
    """The nearest ancestor of HEAD in the lake, before one that was added later; a repository has to be named."""
    first = git("rev-parse", "HEAD")
    git("commit", "-q", "--allow-empty", "-m", "Two")
    assert footfall("lake", "add", "coverage-lake", "one", "--commit=ffff", "-q", "--repository=shop") == 0
    (name,) = {path.parts[1].partition("=")[2] for path in pathlib.Path("coverage-lake").rglob("shard.parquet")} - {"shop"}  # fmt: skip
    name = name.replace("%27", "'")
    asked = ("lake", "report", "--format=json")
    capsys.readouterr()
    assert json.loads(answer(*asked))["commit"] == "ffff"  # of the repository here
    assert json.loads(answer(*asked, "--repository", name))["commit"] == first
    assert footfall("lake", "add", "coverage-lake", "two", "--commit=ffff", "-q", f"--repository={name}") == 0
    assert json.loads(answer(*asked, "--repository", name))["commit"] == first
    assert json.loads(answer(*asked, "--repository", name, "--commit=fff"))["commit"] == "ffff"
    assert footfall("lake", "report", "--commit", "f") == 0
    pathlib.Path(".git").rename("no-git")
    pathlib.Path("elsewhere").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir("elsewhere")
        assert footfall("lake", "report", "--lake=../coverage-lake") == 2
    assert "[which-shards]" in capsys.readouterr().err


def test_shards_of_different_texts_have_no_report(project, answer, capsys) -> None:
    """Line 6 of one text is not line 6 of another: the file is named and left out; likewise one without its text."""
    path = pathlib.Path("app.py")
    path.write_text("# new\n" + APP, encoding="utf-8")
    with contextlib.closing(sqlite3.connect("one")) as connection, connection:
        blob = git("hash-object", "app.py")
        connection.execute("update footfall_source set blob = ? where path like '%app.py'", (blob,))
    connection.close()
    assert footfall("lake", "add", "coverage-lake", "one", "-q", "--repository", "shop's0") == 0
    capsys.readouterr()
    assert footfall("lake", "report", "--format=json", "--repository", "shop's0") == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["left_out"] == ["app.py"]
    assert "It is not in the total. [source-unknown]" in output.err
