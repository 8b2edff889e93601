"""`footfall lake gaps` has the numbers of the same questions to data files that have what the shards have."""

import json
import os
import pathlib

import pytest

from footfall.formats import COLLECTOR_PATH
from footfall.record.data.coverage_tables import FileData, write_coverage
from footfall.record.data.profile_tables import StoredCost, StoredFrame, StoredProfile, StoredThread, write_profile
from footfall.record.data.source_ids import blob_id, write_source_ids
from footfall.record.data.timelines import TreeNode
from repository import footfall, git

pytestmark = pytest.mark.any_python

APP = """\
import json

def grade(points):
    if points > 50:
        return "good"
    return json.dumps(
        points,
    )

def unused(n):
    for each in range(n):
        print(each)

class Box:
    def open(self):
        def inner():
            return 1
        if self:  # pragma: no cover
            return 0
        return inner
"""
MACHINERY = "<frozen importlib._bootstrap>"


def _profile(app: str, cpu: int) -> StoredProfile:
    """Samples in lines of app.py, in a library, C, the collector and an import that they call, and outside."""
    places = [
        (app, "<module>", 1, 1),
        (app, "grade", 3, 7),
        ("/lib/json.py", "dumps", 10, 12),
        (app, "unused", 10, 12),
        (MACHINERY, "_find_and_load", 1, 2),
        (app, "Box.open", 15, 19),
        (COLLECTOR_PATH, "<gc>", 0, 0),
        (app, "<native> parse (fast.so)", 0, 7),
        (app, "Box.open.<locals>.inner", 16, 17),
        (app, "grade", 3, 5),
    ]
    frames = [StoredFrame(path, name, first, line, line, None, None) for path, name, first, line in places]
    tree = [(-1, -1), (0, 0), (1, 1), (2, 2), (3, 3), (1, 4), (5, 2), (5, 8), (2, 6), (2, 7), (1, 5), (0, 2), (1, 9)]
    costs = [
        StoredCost(node, 0, "a|run" if node % 2 else "", node, 10**node % 7919, cpu * 7**node % 7907, 0)
        for node in range(len(tree))
    ]
    threads = [StoredThread(1, 1, "MainThread")]
    return StoredProfile(1, sum(cost.samples for cost in costs), 0, 0, 10, threads, frames, [TreeNode(*node) for node in tree], costs)  # fmt: skip


def _write(name: str, text: str, arcs: dict[str, set[tuple[int, int]]], cpu: int | None, run: str = "") -> None:
    app = os.path.abspath("app.py")
    with write_coverage(name, {app: FileData({}, arcs)}, has_arcs=True) as connection:
        write_source_ids(connection, {app: blob_id(text.encode())})
        if cpu is not None:
            write_profile(connection, _profile(app, cpu), run or name)


IMPORT = {(-1, 1), (1, 3), (3, 10), (10, 14), (14, -1), (-14, 15), (15, -14)}
GOOD, POOR = {(-3, 4), (4, 5), (5, -3)}, {(-3, 4), (4, 6), (6, -3)}


@pytest.fixture
def here(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A directory with app.py, and two data files of it."""
    for package in ("pyarrow", "duckdb"):
        pytest.importorskip(package, reason=f"{package} has no wheel for this Python")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("cpu", [1, 0, None], ids=["CPU time", "wall time", "no profile"])
def test_gaps_are_those_of_the_combined_data(here, answer, cpu) -> None:
    """The same functions in the same order, with the same times: also of lines in libraries, C and imports."""
    _write("one", APP, {"": IMPORT, "a|run": GOOD}, cpu)
    _write("two", APP, {"": IMPORT, "b|run": {(-16, 17), (17, -16)}}, cpu)
    answer("combine", "--keep", "-q", "--data-file=all", "one", "two")
    answer("lake", "add", "coverage-lake", "one", "two", "-q", "--commit=a/b")
    for data_file, shards in (("all", ()), ("one", ("--shard=one",))):
        answer("lake", "add", "coverage-lake", "one", "-q", "--commit=c2", "--shard=one")
        asked = ("lake", "gaps", "--commit", "c2" if shards else "a/b", *shards)
        ours = json.loads(answer(*asked, "--format=json"))
        theirs = json.loads(answer("gaps", "--format=json", f"--data-file={data_file}"))
        place = {key: ours.pop(key) for key in ("repository", "commit", "left_out")}
        assert place["left_out"] == [] and ours == theirs
        assert len(theirs["gaps"]) > 2 and bool(theirs["untested_seconds"]) == (cpu is not None)
        assert answer(*asked, "-n1") == answer("gaps", "-n1", f"--data-file={data_file}")
    import duckdb

    rows = duckdb.connect().execute(answer(*asked, "--sql")).fetchall()
    assert [row[:3] for row in rows] == [(gap["file"], gap["function"], gap["start_line"]) for gap in theirs["gaps"]]
    assert footfall(*asked, "--fail") == (cpu is not None)


def test_a_run_counts_once(here, answer) -> None:
    """The times of a run that two shards have are not added up; as by `footfall combine`."""
    _write("one", APP, {"": IMPORT}, 1, "same")
    _write("two", APP, {"": IMPORT, "b|run": GOOD}, 1, "same")
    answer("combine", "--keep", "-q", "--data-file=all", "one", "two")
    answer("lake", "add", "coverage-lake", "one", "two", "-q")
    ours = json.loads(answer("lake", "gaps", "--format=json"))
    theirs = json.loads(answer("gaps", "--format=json", "--data-file=all"))
    assert {key: ours[key] for key in theirs} == theirs


def _report(answer, data_file: str) -> dict:
    """The functions and files of a data file: (statements, missing, branches, missing) and seconds by the CPU clock."""
    told = json.loads(answer("json", "-o", "-", "--data-file", data_file))
    keys = ("num_statements", "missing_lines", "num_branches", "missing_branches", "percent_covered")
    (file,) = told["files"].values()
    found = {name: [part["summary"][key] for key in keys] for name, part in file["functions"].items() if name}
    return {**found, "app.py": [file["summary"][key] for key in keys]}


def test_history_has_the_numbers_of_each_commit(here, answer) -> None:
    """Coverage of a function and of a file as each commit's data have it, the earliest first, with its time."""
    git("init", "-q")
    after = APP.replace("    return json", "    # longer\n    return json").replace("unused", "used")
    commits, expected = [], []
    for number, (text, poor) in enumerate(((APP, POOR), (after, {(-3, 4), (4, 7), (7, -3)}))):
        (here / "app.py").write_text(text, encoding="utf-8")
        git("add", "app.py")
        git("commit", "-qm", "A change")
        commits.append(git("rev-parse", "HEAD"))
        names = [f"good{number}", f"poor{number}"][number:]
        _write(f"good{number}", text, {"": {(-1, 1), (1, 3)}, "a|run": GOOD}, 1)
        _write(f"poor{number}", text, {"b|run": poor}, 1 + number)
        answer("combine", "--keep", "-q", f"--data-file=all{number}", *names)
        answer("lake", "add", "coverage-lake", "-q", *names)
        expected.append(_report(answer, f"all{number}"))
    answer("lake", "add", "coverage-lake", "-q", "poor0", "--commit=of another branch")

    def asked(*arguments: str) -> list[dict]:
        return json.loads(answer("lake", "history", *arguments, "--format=json"))["history"]

    keys = ("statements", "missing_lines", "branches", "missing_branches", "percent_covered")
    for name, place in (("grade", "grade"), ("Box.open", "app.py:open"), ("app.py", "app.py")):
        rows = asked(place)
        assert [row["commit"] for row in rows] == commits and [row["shards"] for row in rows] == [2, 1]
        assert [[row[key] for key in keys] for row in rows] == [each[name] for each in expected]
    assert [row["commit"] for row in asked("unused")] == commits[:1]
    for number, commit in enumerate(commits):
        told = json.loads(answer("lake", "gaps", "--format=json", "--commit", commit))
        own = {gap["function"]: gap["own_seconds"] for gap in told["gaps"]}
        row = asked("Box.open")[number]
        assert row["own_seconds"] == own["Box.open"] > 0 and row["total_seconds"] == told["total_seconds"]
    assert answer("lake", "history", "app.py").count("app.py:1\n") == 2
    import duckdb

    rows = duckdb.connect().execute(answer("lake", "history", "grade", "--sql")).fetchall()
    assert [row[0] for row in rows] == commits
    assert footfall("lake", "history", "nothing") == 3
