"""`footfall lake flaky`: tests that ran other lines or branches in one shard of a commit than in another."""

import json
import os
import pathlib

import pytest

from footfall.analyze.flaky_tests import Difference, FlakyTest, find_flaky_tests
from footfall.record.data.coverage_tables import FileData, write_coverage
from footfall.record.data.source_ids import blob_id, write_source_ids
from repository import footfall

pytestmark = pytest.mark.any_python

APP = """\
def grade(points):
    if points > 50:
        points = max(
            points, 90)
    return points

class Box:
    size = 1
"""
IMPORT = {(-1, 1), (1, 7), (7, 8), (8, -7), (7, -1)}
HIGH, LOW = {(-1, 2), (2, 3), (3, 4), (4, 5), (5, -1)}, {(-1, 2), (2, 5), (5, -1)}


def _add(name: str, contexts: dict[str, set[tuple[int, int]]], *, has_arcs: bool = True, commit: str = "c") -> None:
    app = os.path.abspath("app.py")
    lines = {label: {abs(line) for arc in arcs for line in arc} for label, arcs in contexts.items()}
    data = FileData({}, contexts) if has_arcs else FileData(lines)
    with write_coverage(name, {app: data}, has_arcs=has_arcs) as connection:
        write_source_ids(connection, {app: blob_id(APP.encode())})
    assert footfall("lake", "add", "coverage-lake", "-q", "--commit", commit, "--shard", name, name) == 0


@pytest.fixture
def here(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A directory with app.py."""
    for package in ("pyarrow", "duckdb"):
        pytest.importorskip(package, reason=f"{package} has no wheel for this Python")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    return tmp_path


def test_what_differs_is_named(here, capsys) -> None:
    """Lines and branches that some runs of a test have, with how many; not what runs on import, nor a test run once."""
    _add("one", {"": IMPORT, "a|run": HIGH, "b|setup": {(-1, 2)}, "b|run": HIGH | LOW, "steady": LOW, "once": HIGH})
    _add("two", {"a|run": LOW, "b|setup": {(-1, 2)}, "b|run": HIGH, "steady": LOW | IMPORT})
    _add("three", {"a|run": LOW, "b|run": HIGH, "steady": LOW})
    _add("four", {"a|run": HIGH}, commit="another")
    assert footfall("lake", "flaky", "--format=json", "--commit=c") == 0
    told = json.loads(capsys.readouterr().out)["tests"]
    assert [(test["name"], test["runs"], test["runs_that_differ"]) for test in told] == [("a", 3, 1), ("b", 3, 1)]
    found = {test["name"]: [tuple(each.values()) for each in test["differences"]] for test in told}
    assert found["a"] == [
        ("app.py", 2, 3, ["one"]),
        ("app.py", 2, 5, ["three", "two"]),
        ("app.py", 3, None, ["one"]),
    ]
    assert found["b"] == [("app.py", 2, 5, ["one"])]
    assert footfall("lake", "flaky", "--commit=c", "--fail") == 1
    assert capsys.readouterr().out == (
        "a: 1 of 3 runs differ from the others\n"
        "  app.py: 2->3, 3 in 1 of 3\n"
        "  app.py: 2->5 in 2 of 3\n"
        "b: 1 of 3 runs differ from the others\n"
        "  app.py: 2->5 in 1 of 3\n"
    )
    assert footfall("lake", "flaky", "--commit=c", "--sql") == 0
    import duckdb

    assert len(duckdb.connect().execute(capsys.readouterr().out).fetchall()) == 4


def test_only_what_all_runs_measured_is_compared(here, capsys) -> None:
    """A shard without branches says nothing about them; its lines are compared."""
    _add("one", {"a": HIGH, "b": LOW})
    _add("two", {"a": HIGH, "b": HIGH}, has_arcs=False)
    assert footfall("lake", "flaky") == 0
    assert capsys.readouterr().out == "b: 1 of 2 runs differ from the others\n  app.py: 3 in 1 of 2\n"
    assert footfall("lake", "flaky", "--shard=one", "--fail") == 0
    assert capsys.readouterr().out.startswith("No test ran other lines")


def test_runs_unlike_the_others_are_counted() -> None:
    """Those whose coverage is not the commonest, which may be to have none of what differs; the largest share first."""
    lines = [Difference("a.py", 1, None, ("x",)), Difference("a.py", 2, None, ("x", "y"))]
    tests = find_flaky_tests([("t", 10, lines[0]), ("t", 10, lines[1]), ("u", 3, lines[1])])
    assert [(test.name, test.n_unlike) for test in tests] == [("u", 1), ("t", 2)]
    assert FlakyTest("none", 2).n_unlike == 0
