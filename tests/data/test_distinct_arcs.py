"""The table that has each file's arcs once says what coverage.py's tables say, or nothing."""

import contextlib
import pathlib
import shutil
import sqlite3

import coverage
import pytest

from footfall.record.data.combine import combine_files
from footfall.record.data.coverage_tables import FileData, StoredCoverage, read_coverage, write_coverage

pytestmark = pytest.mark.any_python

_TABLE = "footfall_distinct_arcs"
_TESTS = [str(number) for number in range(2, 9)]
_FILES = {
    "/a.py": FileData(
        arcs={test: {(-1, 1), (1, int(test)), (int(test), -1)} for test in _TESTS},
        lines={test: {1, int(test), 90} for test in _TESTS},
        inferred={90},
    ),
    "/b.py": FileData(arcs={"2": {(-1, 1), (1, -1)}}, tracer="plugin"),
}


@pytest.fixture
def data(tmp_path: pathlib.Path) -> pathlib.Path:
    """Return a data file of many contexts."""
    with write_coverage(tmp_path / "data", _FILES, has_arcs=True, touched=["/c.py"]):
        pass
    return tmp_path / "data"


def _changed(path: pathlib.Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def _n_kept(path: pathlib.Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"select count(*) from {_TABLE}").fetchone()[0]


def _read_without(path: pathlib.Path) -> StoredCoverage:
    """Return what coverage.py's tables say."""
    other = path.with_name("other")
    shutil.copy(path, other)
    _changed(other, f"delete from {_TABLE}")
    return read_coverage(other)


def test_it_says_what_the_contexts_say(data) -> None:
    """For all files and for one, as it was written and as it was combined, where it is kept as well."""
    combined = data.with_name("combined")
    with write_coverage(data.with_name("more"), {"/a.py": FileData(arcs={"9": {(-1, 70)}})}, has_arcs=True):
        pass
    combine_files([str(data), str(data.with_name("more"))], str(combined))
    for path, n_arcs in (data, 16), (combined, 17):
        assert _n_kept(path) == 2
        found = read_coverage(path)
        assert found == _read_without(path)
        assert len(found.files["/a.py"].arcs) == n_arcs
        assert read_coverage(path, is_wanted=lambda name: name == "/a.py").files["/a.py"] == found.files["/a.py"]
        assert read_coverage(path, ["^2$"]).files["/a.py"].arcs == {(-1, 1), (1, 2), (2, -1), (90, 90)}


@pytest.mark.parametrize(
    "statement",
    [
        "insert into arc select 1, id, 1, 50 from context limit 1",
        "update arc set tono = 50 where tono = 3",
        "delete from arc where tono = 3",
        "delete from arc",
    ],
)
def test_it_says_nothing_after_a_change(data, statement: str) -> None:
    """Another program changed the arcs, and knows nothing of the table."""
    before = read_coverage(data)
    _changed(data, statement)
    assert _n_kept(data) == 0
    after = read_coverage(data)
    assert after == _read_without(data)
    assert after != before


def test_coverage_py_adds_to_it(data) -> None:
    """What coverage.py writes into the file (`coverage run --append`) is in the reports."""
    theirs = coverage.CoverageData(str(data))
    theirs.set_context("of another run")
    theirs.add_arcs({"/a.py": [(1, 60)], "/d.py": [(-1, 1)]})
    theirs.close()
    found = read_coverage(data)
    assert (1, 60) in found.files["/a.py"].arcs
    assert found.files["/d.py"].arcs == {(-1, 1)}
