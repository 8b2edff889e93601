"""`footfall diff`: what changed between two data files, with real repositories and one real run."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from footfall.analyze.coverage_changes import match_lines
from footfall.analyze.profile.calltree import Cost, Frame, Function, Profile, ProfiledThread, TreeNode
from footfall.analyze.profile.rows import rows_from_profile
from footfall.record.data.combine import combine_files
from footfall.record.data.coverage_tables import FileData, write_coverage
from footfall.record.data.profile_tables import write_profile
from footfall.record.data.source_ids import blob_id, read_source_ids, write_source_ids
from footfall.record.data.timelines import Timelines
from repository import footfall, git

pytestmark = pytest.mark.any_python

BEFORE = """\
def choose(x):
    if x > 1:
        return "big"
    return "small"


def unused():
    return 1
"""
NOW = """\
\"\"\"Moved down by a new function.\"\"\"


def new():
    return 0


def choose(x):
    if x > 1:
        return "big"
    return "small"


def unused():
    return 1
"""


@pytest.fixture
def here(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    git("init")
    pathlib.Path(".gitignore").write_text("*.data\n.footfall\n")
    return tmp_path


def record(
    data: str, text: str, arcs: set[tuple[int, int]], *, has_ids: bool = True, profile: Profile | None = None
) -> None:
    """Write m.py and a data file in which these of its arcs ran."""
    path = pathlib.Path("m.py")
    path.write_text(text)
    name = str(path.resolve())
    with write_coverage(data, {name: FileData(arcs={"": arcs})}, has_arcs=True) as connection:
        if has_ids:
            write_source_ids(connection, {name: blob_id(text.encode())})
        if profile is not None:
            write_profile(connection, rows_from_profile(profile))


AT_IMPORT = {(-1, 1), (1, 7), (7, -1)}
BIG, SMALL, UNUSED = {(-1, 2), (2, 3), (3, -1)}, {(-1, 2), (2, 4), (4, -1)}, {(-7, 8), (8, -7)}
NOW_AT_IMPORT = {(-1, 1), (1, 4), (4, 8), (8, 14), (14, -1)}
NOW_BIG, NOW_UNUSED = {(-8, 9), (9, 10), (10, -8)}, {(-14, 15), (15, -14)}


def difference(before: str, after: str, capsys: pytest.CaptureFixture[str], status: int = 0) -> dict:
    """Return what the command writes as JSON."""
    assert footfall("diff", before, after, "--format", "json") == status
    return json.loads(capsys.readouterr().out)


def test_lines_that_moved_are_the_same_lines(here, capsys) -> None:
    """The text before comes from git; new statements are neither covered nor uncovered."""
    record("a.data", BEFORE, AT_IMPORT | BIG | SMALL)
    git("add", ".")
    git("commit", "-m", "before")
    record("b.data", NOW, NOW_AT_IMPORT | NOW_BIG | NOW_UNUSED)
    found = difference("a.data", "b.data", capsys, status=1)["coverage"]
    file = found["files"]["m.py"]
    assert (file["uncovered_lines"], file["covered_lines"]) == ([11], [15])
    assert file["uncovered_branches"] == [[9, 11]]
    assert (file["added_lines"], file["added_missing_lines"]) == ([4, 5], [5])
    assert found["not_compared"] == {}
    assert footfall("diff", "a.data", "b.data") == 1
    text = capsys.readouterr().out
    assert "No longer covered:\nm.py: 11\n" in text
    assert "Newly covered:\nm.py: 15\n" in text
    assert "m.py: 2 statements, 1 not run: 5\n" in text
    assert footfall("diff", "a.data", "b.data", "--fail-on", "slower") == 0
    assert footfall("diff", "b.data", "a.data", "--fail-on", "uncovered") == 1, "15 is no longer covered the other way"


def test_a_branch_of_a_line_that_still_runs(here, capsys) -> None:
    """Line 2 and both lines behind it run in both; only one way out of it is new or lost where nothing else is."""
    text = "def f(x):\n    if x:\n        x = 1\n    return x\n"
    record("a.data", text, {(-1, 1), (1, -1), (-1, 2), (2, 3), (3, 4), (2, 4), (4, -1)})
    record("b.data", text, {(-1, 1), (1, -1), (-1, 2), (2, 3), (3, 4), (4, -1)})
    file = difference("a.data", "b.data", capsys, status=1)["coverage"]["files"]["m.py"]
    assert (file["uncovered_lines"], file["uncovered_branches"]) == ([], [[2, 4]])
    file = difference("b.data", "a.data", capsys)["coverage"]["files"]["m.py"]
    assert (file["covered_lines"], file["covered_branches"]) == ([], [[2, 4]])


@pytest.mark.parametrize("why", ["git does not have it", "two texts were combined", "no ids and newer than the data"])
def test_a_source_that_is_not_known_is_left_out(here, capsys, why: str) -> None:
    """Never are lines compared with those of another text: the file is named and in no total."""
    record("a.data", BEFORE, AT_IMPORT | BIG, has_ids=why != "no ids and newer than the data")
    os.utime("a.data", ns=(10**18, 10**18))
    record("b.data", NOW, NOW_AT_IMPORT)
    before = "a.data"
    if why == "two texts were combined":
        before = "both.data"
        combine_files(["a.data", "b.data"], before)
    found = difference(before, "b.data", capsys)["coverage"]
    assert list(found["not_compared"]) == ["m.py"]
    assert found["files"] == {}
    assert found["before"]["num_statements"] == found["now"]["num_statements"] == 0


def test_combined_data_of_one_text_keeps_its_id(here) -> None:
    """Also when combined twice; data that does not say which text it is of makes it unknown."""
    record("a.data", BEFORE, AT_IMPORT | BIG)
    record("b.data", BEFORE, AT_IMPORT | SMALL)
    record("c.data", BEFORE, AT_IMPORT, has_ids=False)
    name = str(pathlib.Path("m.py").resolve())
    combine_files(["a.data", "b.data"], "ab.data")
    assert read_source_ids("ab.data") == {name: blob_id(BEFORE.encode())}
    combine_files(["c.data", "ab.data"], "abc.data")
    assert read_source_ids("abc.data") == {name: ""}


def test_a_file_of_which_nothing_runs_any_more(here, capsys) -> None:
    """What ran of it is no longer covered while the file is there; a file that was removed is not."""
    record("a.data", BEFORE, AT_IMPORT)
    git("add", ".")
    git("commit", "-m", "before")
    with write_coverage("b.data", {}, has_arcs=True, touched=[str(pathlib.Path("other.py").resolve())]):
        pathlib.Path("other.py").write_text("x = 1\n")
    assert footfall("diff", "a.data", "b.data") == 1
    assert "as nothing of them ran:\nm.py\n" in capsys.readouterr().out
    os.unlink("m.py")
    assert footfall("diff", "a.data", "b.data") == 0
    assert "No longer there:\nm.py\n" in capsys.readouterr().out


def made_profile(**ms_by_name: int) -> Profile:
    """A profile of functions with so much own CPU time, a sample for each millisecond."""
    path = str(pathlib.Path("m.py").resolve())
    functions = [Function(path, name, line) for line, name in enumerate(ms_by_name, 1)]
    frames = [Frame(function, function.first_line, function.first_line, None, None) for function in functions]
    nodes = [TreeNode(-1, -1), *(TreeNode(0, k) for k in range(len(frames)))]
    costs = {
        (k, 0, ""): Cost(wall_ns=ms * 10**6, cpu_ns=ms * 10**6, gil_ns=0, samples=ms)
        for k, ms in enumerate(ms_by_name.values(), 1)
    }
    total = sum(ms_by_name.values())
    return Profile(frames, nodes, [ProfiledThread(1, 1, "main")], costs, 1, total, 0, 0, 1_000_000, Timelines())


def test_functions_that_are_slower_by_more_than_noise(here, capsys) -> None:
    """400 -> 440 samples is within three standard errors, 400 -> 800 is not; --noise leaves out small shares."""
    record("a.data", BEFORE, AT_IMPORT, profile=made_profile(same=400, slow=400, fast=400, little=100_000))
    record("b.data", BEFORE, AT_IMPORT, profile=made_profile(same=440, slow=800, fast=100, little=102_000))
    times = difference("a.data", "b.data", capsys, status=1)["times"]
    assert [each["function"] for each in times["slower"]] == ["slow"]
    assert [each["function"] for each in times["faster"]] == ["fast"]
    assert times["clock"] == "cpu"
    assert footfall("diff", "a.data", "b.data", "--fail-on", "uncovered", "--noise", "1") == 0
    assert "little" in capsys.readouterr().out
    assert footfall("diff", "a.data", "a.data") == 0
    assert "Nothing else changed." in capsys.readouterr().out


def test_a_run_records_which_text_it_saw(here) -> None:
    pathlib.Path("m.py").write_text(BEFORE + "choose(1)\n")
    command = [sys.executable, "-m", "footfall", "run", "--data-file", "a.data", sys.executable, "m.py"]
    subprocess.run(command, check=True, capture_output=True)
    ids = read_source_ids("a.data")
    assert ids == {str(pathlib.Path("m.py").resolve()): git("hash-object", "m.py")}


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (b"a\nb\nc\n", b"a\nb\nc\n", {1: 1, 2: 2, 3: 3, 4: 4}),
        (b"a\nb\nc\n", b"a\nx\nb\nc\n", {1: 1, 2: 3, 3: 4, 4: 5}),
        (b"a\nb\nc\n", b"b\r\nz\rc", {2: 1, 3: 3}),
        (b"a\n", b"", {2: 1}),
    ],
)
def test_lines_are_matched_by_their_text(before: bytes, now: bytes, expected: dict[int, int]) -> None:
    assert match_lines(before, now) == expected
