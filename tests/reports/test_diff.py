"""`footfall diff`: what changed between two data files, with real repositories and one real run."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from footfall.analyze.coverage_changes import match_lines
from footfall.analyze.profile.calltree import Cost, Frame, Function, Profile, ProfiledThread, Squares
from footfall.analyze.profile.rows import rows_from_profile
from footfall.record.data.combine import combine_files
from footfall.record.data.coverage_tables import FileData, write_coverage
from footfall.record.data.profile_tables import write_profile
from footfall.record.data.source_ids import blob_id, read_source_ids, write_source_ids
from footfall.record.data.timelines import Timelines, TreeNode
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
    return recorded_profile({name: (ms, ms) for name, ms in ms_by_name.items()}, sum(ms_by_name.values()))


def recorded_profile(functions_: dict[str, tuple[int, int]], squares: int) -> Profile:
    """A profile of functions with so many samples that stand for so much own CPU time (ms); `squares` in ms squared."""
    path = str(pathlib.Path("m.py").resolve())
    functions = [Function(path, name, line) for line, name in enumerate(functions_, 1)]
    frames = [Frame(function, function.first_line, function.first_line, None, None) for function in functions]
    nodes = [TreeNode(-1, -1), *(TreeNode(0, k) for k in range(len(frames)))]
    costs = {
        (k, 0, ""): Cost(wall_ns=ms * 10**6, cpu_ns=ms * 10**6, gil_ns=0, samples=samples)
        for k, (samples, ms) in enumerate(functions_.values(), 1)
    }
    total = sum(samples for samples, _ in functions_.values())
    squared = [Squares(cpu=squares * 1e12)]
    return Profile(
        frames, nodes, [ProfiledThread(1, 1, "main")], costs, 1, total, 0, 0, 1_000_000, Timelines(), squared
    )


def test_functions_that_are_slower_by_more_than_noise(here, capsys) -> None:
    """400 -> 440 samples is within the error of sampling, 400 -> 800 is not; --noise leaves out small shares."""
    rest = {f"rest{number}": 100_000 for number in range(8)}
    record("a.data", BEFORE, AT_IMPORT, profile=made_profile(same=400, slow=400, fast=400, little=100_000, **rest))
    record("b.data", BEFORE, AT_IMPORT, profile=made_profile(same=440, slow=800, fast=100, little=103_000, **rest))
    times = difference("a.data", "b.data", capsys, status=1)["times"]
    assert [each["function"] for each in times["slower"]] == ["slow"]
    assert [each["function"] for each in times["faster"]] == ["fast"]
    assert times["clock"] == "cpu"
    assert footfall("diff", "a.data", "b.data", "--fail-on", "uncovered", "--noise", "1") == 0
    assert "little" in capsys.readouterr().out
    assert footfall("diff", "a.data", "a.data") == 0
    assert "Nothing else changed." in capsys.readouterr().out


UNDER_LOAD = (
    (
        2861,
        {"main": (4, 16), "build": (5, 14), "<gc>": (3, 7), "iterencode": (37, 105), "raw_decode": (19, 52)}
        | {"findall": (19, 62), "count": (11, 30), "sieve": (34, 111), "bubble": (9, 35), "objects": (37, 119)}
        | {"_split": (8, 21), "_wrap": (6, 23), "fib": (10, 41), "add": (21, 68), "init": (4, 13), "get": (2, 9)},
    ),
    (
        3190,
        {"main": (1, 1), "build": (8, 29), "<gc>": (1, 2), "iterencode": (30, 87), "raw_decode": (23, 76)}
        | {"findall": (23, 62), "count": (14, 46), "sieve": (27, 76), "bubble": (7, 21), "objects": (35, 125)}
        | {"_split": (19, 79), "_wrap": (1, 1), "fib": (13, 32), "add": (22, 91), "init": (6, 18), "get": (2, 7)},
    ),
    (
        2780,
        {"main": (9, 32), "build": (8, 17), "<gc>": (4, 13), "iterencode": (30, 84), "raw_decode": (18, 54)}
        | {"findall": (19, 58), "count": (10, 34), "sieve": (36, 124), "bubble": (6, 20), "objects": (39, 136)}
        | {"_split": (14, 34), "_wrap": (2, 5), "fib": (10, 34), "add": (20, 61), "init": (6, 20), "get": (9, 27)},
    ),
)
"""Three recordings of one program on a busy machine, where a sample came every 3 ms and stood for up to 15."""


def test_runs_of_one_program_on_a_busy_machine_do_not_differ(here, capsys) -> None:
    """Few samples that stand for much, 1 ms -> 32 ms and 21 ms -> 79 ms, are chance; the same of many are not."""
    for name, (squares, functions) in zip("abc", UNDER_LOAD, strict=True):
        record(f"{name}.data", BEFORE, AT_IMPORT, profile=recorded_profile(functions, squares))
    for before, after in ("ab", "bc", "ca"):
        times = difference(f"{before}.data", f"{after}.data", capsys)["times"]
        assert times["slower"] == times["faster"] == []
    slower = recorded_profile(UNDER_LOAD[1][1] | {"main": (12, 60)}, UNDER_LOAD[1][0])
    record("d.data", BEFORE, AT_IMPORT, profile=slower)
    assert [each["function"] for each in difference("b.data", "d.data", capsys, status=1)["times"]["slower"]] == [
        "main"
    ]


def test_a_slower_machine_is_not_the_functions(here, capsys) -> None:
    """All take 1.4 times as long, and one of them three times: that one is slower, and none is faster."""
    times = {f"f{k}": 1000 + 100 * k for k in range(10)}
    record("a.data", BEFORE, AT_IMPORT, profile=made_profile(**times))
    slower = {name: ms * 14 // 10 for name, ms in times.items()} | {"f5": 4500, "f6": 1600}
    record("b.data", BEFORE, AT_IMPORT, profile=made_profile(**slower))
    found = difference("a.data", "b.data", capsys, status=1)["times"]
    assert [each["function"] for each in found["slower"]] == ["f5"]
    assert found["faster"] == []
    assert round(found["common_factor"], 2) == 1.4
    assert footfall("diff", "a.data", "b.data") == 1
    assert "The middle one of 10 functions changed by +40 %" in capsys.readouterr().out


def test_few_functions_do_not_tell_the_machine(here, capsys) -> None:
    """Three functions take 1.4 times as long, by the code or by the machine: none is said to be slower, status 0."""
    for name, factor in (("a", 10), ("b", 14)):
        record(f"{name}.data", BEFORE, AT_IMPORT, profile=made_profile(f=100 * factor, g=120 * factor, h=90 * factor))
    found = difference("a.data", "b.data", capsys)["times"]
    assert (found["is_decided"], found["slower"]) == (False, [])
    assert [each["function"] for each in found["undecided"]] == ["g", "f", "h"]
    assert footfall("diff", "a.data", "b.data") == 0
    text = capsys.readouterr().out
    assert "3 functions with enough samples in both are too few to tell, 8 are needed." in text
    assert "--before" in text
    assert "by the code or by the machine:\n1.200 s -> 1.680 s (+40 %)  g" in text


def test_several_runs_show_how_much_they_differ(here, capsys) -> None:
    """`wild` takes 300 to 900 ms in runs of one program: of two runs nothing tells whether 500 -> 800 is a change.

    Of six runs it is none; 1000 -> 1300 is one where runs differ by 10 ms.
    """
    for side, runs in (("a", (500, 300, 900)), ("b", (800, 400, 850))):
        for number, ms in enumerate(runs):
            steady = {"steady": (1000 if side == "a" else 1300) + number * 10, "same": 2000, "still": 1500 + number}
            record(f"{side}{number}.data", BEFORE, AT_IMPORT, profile=made_profile(wild=ms, **steady))
    single = difference("a0.data", "b0.data", capsys)["times"]
    assert [each["function"] for each in single["undecided"]] == ["steady", "wild"]
    more = ["--before", "a1.data", "--before", "a2.data", "--after", "b1.data", "--after", "b2.data"]
    assert footfall("diff", "a0.data", "b0.data", *more, "--format", "json", "--fail-on", "none") == 0
    times = json.loads(capsys.readouterr().out)["times"]
    assert [each["function"] for each in times["slower"]] == ["steady"]
    assert times["before_seconds"] == pytest.approx(5.078, abs=0.001), "the mean of three"


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
