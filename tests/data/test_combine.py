"""Combining data files: sets united, profiles added up, as coverage.py's own combine where it accepts."""

import contextlib
import os
import pathlib
import shutil
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.errors import FootfallError, UsageError
from footfall.record.data.combine import combine_files, find_inputs, remove_inputs
from footfall.record.data.condition_tables import (
    BranchedCode,
    Place,
    SourcePosition,
    read_conditions,
    text_of_places,
    write_conditions,
)
from footfall.record.data.coverage_tables import FileData, read_contexts_by_line, read_coverage, write_coverage
from footfall.record.data.merging.conditions import ConditionsMerge
from footfall.record.data.merging.coverage import CoverageMerge
from footfall.record.data.merging.profiles import ProfilesMerge
from footfall.record.data.profile_tables import (
    StoredCost,
    StoredFrame,
    StoredProfile,
    StoredThread,
    read_profile,
    write_profile,
)
from footfall.record.data.timelines import Span, Timelines, TreeNode

pytestmark = pytest.mark.any_python

coverage = pytest.importorskip("coverage")

_PATHS = st.sampled_from(["/p/a.py", "/p/b.py", "rel/c.py", "/p/ü ñ.py", "c:\\w\\d.py"])
_CONTEXTS = st.sampled_from(["", "unit", "tests/a.py::test_b|run"])
_LINES = st.dictionaries(_CONTEXTS, st.sets(st.integers(1, 90), max_size=9), max_size=3)
_NUMBERS = st.integers(-60, 60) | st.sampled_from([2**31 - 1, 1 - 2**31])
_ARCS = st.dictionaries(_CONTEXTS, st.sets(st.tuples(_NUMBERS, _NUMBERS), min_size=1, max_size=9), max_size=3)
# (has arcs, path -> context -> lines or arcs, path -> plugin)
_LINE_DATA = st.tuples(st.just(False), st.dictionaries(_PATHS, _LINES, max_size=3))
_ARC_DATA = st.tuples(st.just(True), st.dictionaries(_PATHS, _ARCS, max_size=3))
_PROFILES = st.none() | st.integers(0, 3)

Data = tuple[bool, dict[str, dict[str, set]]]


def _place(line: int) -> Place:
    return Place(SourcePosition(line, 4, line, 9), SourcePosition(line, 0, line, 9))


def _profile(number: int) -> StoredProfile:
    """One run's profile; different numbers are different runs of one program."""
    return StoredProfile(
        n_processes=1,
        n_samples=10 + number,
        n_dropped=number,
        n_late=0,
        interval_ns=1_000_000,
        threads=[
            StoredThread(100 + number, 100 + number, "main", 1e12 * number, 1e11, 0.5),
            StoredThread(100 + number, 9, ""),
        ],
        frames=[
            StoredFrame("/p/a.py", "main", 1, 5, 5, 4, 9),
            StoredFrame("/p/b.py", f"f{number}", 2, 3, 3, None, None),
        ],
        nodes=[TreeNode(-1, -1), TreeNode(0, 0), TreeNode(1, 1)],
        costs=[
            StoredCost(2, 0, "", 10, 10_000_000 + number, 9_000_000, 8_000_000, 2_000_000, number),
            StoredCost(1, 1, "unit", number, 5, 4, 3),
        ],
        timelines=_timelines(number),
        native_calls={number % 2},
    )


def _timelines(number: int) -> Timelines:
    """What the threads of one run did, in an order and at a time that is its own."""
    found = Timelines()
    labels = ["", "unit"] if number % 2 else ["unit", ""]
    for label in labels:
        found.context(label)
    for thread in range(2):
        at = 1000 * number + 7
        for span in ((1, 0, 2, 50 + number, 5, 4), (2, 1, 1, 30, 3, 2), (0, 1, 1, 9, 0, 0)):
            at += span[3]
            found.add(thread, at, Span(*span))
    return found


def _write(path: pathlib.Path, data: Data, profile: int | None = None, inferred: int = -1) -> str:
    """Make a data file of ours; with a profile it has conditions too, of which some are the same in all.

    Of the lines below 100, those that leave `inferred` when divided by 3 are inferred.
    """
    has_arcs, files = data
    if has_arcs:
        content = {name: FileData({}, {label: set(arcs) for label, arcs in by.items()}) for name, by in files.items()}
    else:
        content = {name: FileData({label: set(lines) for label, lines in by.items()}) for name, by in files.items()}
    for each in content.values():
        ends = {end for arcs in each.arcs.values() for arc in arcs for end in arc}
        each.inferred = {line for line in ends.union(*each.lines.values()) if 0 < line < 100 and line % 3 == inferred}
    with write_coverage(path, content, has_arcs=has_arcs) as connection:
        if profile is not None:
            write_profile(connection, _profile(profile))
            codes = [
                BranchedCode("f", 1, text_of_places([_place(2), _place(3)]), {"": bytes([1, profile])}),
                BranchedCode(f"g{profile}", 5, text_of_places([_place(6)]), {"unit": b"\2"}),
            ]
            write_conditions(connection, {"/p/a.py": codes})
    return str(path)


def _write_theirs(path: pathlib.Path, data: Data) -> None:
    has_arcs, files = data
    theirs = coverage.CoverageData(str(path))
    (theirs.add_arcs if has_arcs else theirs.add_lines)({})
    for name, by_context in files.items():
        theirs.touch_file(name)
        for label, found in by_context.items():
            theirs.set_context(label)
            (theirs.add_arcs if has_arcs else theirs.add_lines)({name: found})
    theirs.write()
    theirs.close()


def _rows(path: str, query: str) -> list[tuple]:
    connection = sqlite3.connect(path)
    try:
        return sorted(connection.execute(query).fetchall(), key=repr)
    finally:
        connection.close()


def _content(path: str) -> object:
    """All that a data file says, whatever its numbers and the order of its rows."""
    tables = "join file on file.id = file_id join context on context.id = context_id"
    conditions = read_conditions(path)
    profile = read_profile(path, has_timelines=True)
    return (
        read_coverage(path),
        read_contexts_by_line(path),
        _rows(path, f"select path, context, fromno, tono from arc {tables}"),
        _rows(path, f"select path, context, numbits from line_bits {tables} where length(numbits) > 0"),
        _rows(path, "select context from context"),
        conditions
        and {
            (name, code.qualname, code.places, *code.outcomes.items())
            for name in conditions
            for code in conditions[name]
        },
        profile and _profile_content(profile),
    )


def _profile_content(profile: StoredProfile) -> object:
    def stack(node: int) -> tuple:
        return () if node == 0 else (*stack(profile.nodes[node].parent), profile.frames[profile.nodes[node].frame])

    costs = [(stack(cost.node), profile.threads[cost.thread], *cost[2:]) for cost in profile.costs]
    totals = (profile.n_processes, profile.n_samples, profile.n_dropped, profile.n_late, profile.interval_ns)
    labels = profile.timelines.labels
    timelines = [
        (profile.threads[thread], line.start_ns, [(stack(span.node), labels[span.context], *span[2:]) for span in line])
        for thread, line in profile.timelines.threads.items()
    ]
    native_calls = sorted(profile.frames[number] for number in profile.native_calls)
    order = (sorted(timelines, key=repr), profile.timelines.step_ns)
    return totals, sorted(costs, key=repr), sorted(profile.threads), *order, native_calls


def _combine(target: pathlib.Path, *inputs: str) -> str:
    result = combine_files(inputs, str(target))
    assert result.failed == []
    return str(target)


@settings(deadline=None, max_examples=12)
@given(st.lists(_LINE_DATA, min_size=1, max_size=4) | st.lists(_ARC_DATA, min_size=1, max_size=4))
def test_the_result_is_that_of_coverage(tmp_path_factory, files: list[Data]) -> None:
    """From files of coverage.py, lines alone or all with arcs, both combine to the same content."""
    folder = tmp_path_factory.mktemp("data")
    for number, data in enumerate(files):
        _write_theirs(folder / f".coverage.{number}", data)
    parts = sorted(map(str, folder.glob(".coverage.*")))
    ours = _combine(folder / "ours", *parts)
    theirs = coverage.Coverage(data_file=str(folder / "theirs"), config_file=False)
    theirs.combine(parts, keep=True)
    theirs.save()
    theirs.get_data().close()
    mine, expected = _content(ours), _content(str(folder / "theirs"))
    if not expected[2]:
        mine[0].has_arcs = False  # of branch data in which nothing ran coverage.py makes line data
    assert mine[:4] == expected[:4]


@settings(deadline=None, max_examples=12)
@given(st.lists(st.tuples(_LINE_DATA | _ARC_DATA, _PROFILES, st.integers(-1, 2)), min_size=3, max_size=3))
def test_order_grouping_and_repetition_change_nothing(tmp_path_factory, files) -> None:
    """Of any mixture of lines (some inferred), arcs, conditions and profiles: A+B is B+A, (A+B)+C is A+(B+C), and A+(A+B) is A+B."""
    folder = tmp_path_factory.mktemp("data")
    a, b, c = (_write(folder / name, *data) for name, data in zip("abc", files, strict=True))
    ab = _combine(folder / "ab", a, b)
    assert _content(ab) == _content(_combine(folder / "ba", b, a))
    left = _combine(folder / "left", ab, c)
    assert _content(left) == _content(_combine(folder / "right", a, _combine(folder / "bc", b, c)))
    assert _content(left) == _content(_combine(folder / "all", c, b, a))
    assert _content(_combine(folder / "again", a, ab, b)) == _content(ab)
    one = _combine(folder / "one", a)
    assert _content(_combine(folder / "twice", one, a)) == _content(one)


def test_profiles_add_up_run_by_run(tmp_path: pathlib.Path) -> None:
    """Two runs have the times of both; a run that is in already, under another name or combined, is not added."""
    nothing: Data = (False, {})
    parts = [_write(tmp_path / str(number), nothing, number) for number in range(3)]
    both = _combine(tmp_path / "both", *parts[:2])
    profile = read_profile(both)
    assert profile is not None
    assert (profile.n_processes, profile.n_samples, len(profile.threads)) == (2, 21, 4)
    assert len(profile.frames) == 3  # main is one in both
    assert sum(cost.wall_ns for cost in profile.costs) == 20_000_011
    result = combine_files([both, *parts], str(tmp_path / "all"))
    assert result.n_known_runs == 2
    everything = read_profile(tmp_path / "all")
    assert everything is not None and everything.n_processes == 3
    with contextlib.closing(sqlite3.connect(both)) as connection:
        n_rows = connection.execute("select count(*) from footfall_cost_sum").fetchone()[0]
    assert n_rows < len(profile.costs)
    for path in (both, parts[0]):  # with sums that combining wrote, and without
        by_thread, summed = read_profile(path), read_profile(path, by_thread=False)
        assert by_thread is not None and summed is not None
        expected: dict[tuple[int, str], list[int]] = {}
        for cost in by_thread.costs:
            numbers = expected.setdefault((cost.node, cost.context), [0] * 6)
            numbers[:] = map(sum, zip(numbers, cost[3:], strict=True))
        assert {(cost.node, cost.context): [*cost[3:]] for cost in summed.costs} == expected
        assert {cost.thread for cost in summed.costs} == {0}


def test_lines_without_branches_join_those_with(tmp_path: pathlib.Path) -> None:
    """Lines that only line data has are there, no branch is made up, and the files are noted."""
    lines = _write(tmp_path / "lines", (False, {"/p/a.py": {"": {1, 7}, "t": {8}}, "/p/c.py": {"": {1}}}))
    arcs = _write(tmp_path / "arcs", (True, {"/p/a.py": {"": {(-1, 1), (1, 2), (2, -1)}}, "/p/b.py": {"": {(1, -1)}}}))
    found = read_coverage(_combine(tmp_path / "both", lines, arcs))
    assert found.has_arcs
    assert found.files["/p/a.py"].lines == {1, 2, 7, 8}
    assert {(start, end) for start, end in found.files["/p/a.py"].arcs if start != end} == {(-1, 1), (1, 2), (2, -1)}
    assert found.lines_only == {"/p/a.py", "/p/c.py"}
    theirs = coverage.CoverageData(str(tmp_path / "both"))
    theirs.read()
    assert set(theirs.lines("/p/a.py")) == {1, 2, 7, 8}
    theirs.close()


@pytest.mark.parametrize("order", [1, -1], ids=["inferred first", "seen first"])
@pytest.mark.parametrize("has_arcs", [False, True], ids=["lines", "arcs"])
def test_inferred_lines_stay_so_until_a_run_sees_them(tmp_path: pathlib.Path, has_arcs: bool, order: int) -> None:
    """What was inferred in one data file and seen in another was seen; the rest stays inferred, under its mapped name."""

    def lines(*numbers: int) -> dict[str, set]:
        return {"": {(number, number) for number in numbers} if has_arcs else set(numbers)}

    a, b, c = (str(tmp_path / name) for name in ("a.py", "b.py", "c.py"))
    pathlib.Path(a).touch()
    late = _write(tmp_path / "late", (has_arcs, {"/ci/a.py": lines(1, 2, 3, 4, 5), b: lines(1, 2)}), inferred=1)
    whole = _write(tmp_path / "whole", (has_arcs, {a: lines(1, 2), c: lines(1)}))
    combine_files([late, whole][::order], str(tmp_path / "both"), paths=[[str(tmp_path), "/ci"]])
    found = {path: (file.lines, file.inferred) for path, file in read_coverage(tmp_path / "both").files.items()}
    assert found == {a: ({1, 2, 3, 4, 5}, {4}), b: ({1, 2}, {1}), c: ({1}, set())}


@pytest.mark.parametrize("row", [("/p/a.py", "text"), (7, b"1"), ("/p/a.py", bytes(3 << 20))])
def test_inferred_lines_that_are_none_are_damage(tmp_path: pathlib.Path, row: tuple) -> None:
    """A row that is no set of lines makes the file a damaged one, for the reports as for combining."""
    path = _write(tmp_path / "bad", (False, {"/p/a.py": {"": {1}}}), inferred=1)
    connection = sqlite3.connect(path)
    connection.execute("drop table footfall_inferred")
    connection.execute("create table footfall_inferred (path, numbits)")
    connection.execute("insert into footfall_inferred values (?, ?)", row)
    connection.commit()
    connection.close()
    with pytest.raises(FootfallError, match="inferred"):
        read_coverage(path)
    good = _write(tmp_path / "good", (False, {"/p/a.py": {"": {1}}}))
    assert [name for name, _ in combine_files([path, good], str(tmp_path / "both")).failed] == [path]


def test_plugins_are_kept_and_a_conflict_is_reported(tmp_path: pathlib.Path) -> None:
    """The name of the plugin that measured a file stays; of two, one is taken whatever the order, with a warning."""
    for name, plugin in (("a", "django"), ("b", "jinja"), ("c", "")):
        theirs = coverage.CoverageData(str(tmp_path / name))
        theirs.add_lines({"/p/page.html": [1]})
        theirs.add_file_tracers({"/p/page.html": plugin} if plugin else {})
        theirs.write()
        theirs.close()
    files = [str(tmp_path / name) for name in "cab"]
    result = combine_files(files, str(tmp_path / "all"))
    assert [slug for slug, _ in result.warnings] == ["plugins-differ"]
    assert read_coverage(tmp_path / "all").files["/p/page.html"].tracer == "django"
    combine_files(files[::-1], str(tmp_path / "reversed"))
    assert read_coverage(tmp_path / "reversed").files["/p/page.html"].tracer == "django"


@pytest.mark.parametrize("order", [1, -1])
def test_paths_of_other_machines_become_those_here(tmp_path: pathlib.Path, monkeypatch, order: int) -> None:
    """`[paths]` holds for coverage, conditions and profile; relative names are found in absolute ones, in any order."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    elsewhere = _write(tmp_path / "1", (False, {"/ci/7/src/a.py": {"": {1}}}))
    windows = _write(tmp_path / "2", (False, {"c:\\ci\\src\\a.py": {"": {2}}}))
    here = _write(tmp_path / "3", (False, {"src/a.py": {"": {3}}}))
    inputs = [elsewhere, windows, here][::order]
    combine_files(inputs, "mapped", paths=[["src", "/ci/*/src", "c:\\ci\\src"]])
    mapped = read_coverage("mapped").files
    assert mapped[str(tmp_path / "src" / "a.py")].lines == {1, 2}
    combine_files(inputs, "relative", is_relative=True)
    assert {name: found.lines for name, found in read_coverage("relative").files.items()} == {"src/a.py": {1, 2, 3}}


def _target(path: pathlib.Path) -> sqlite3.Connection:
    """An open data file without rows."""
    with write_coverage(path, {}, has_arcs=False) as connection:
        connection.execute("delete from meta where key = 'has_arcs'")
    return sqlite3.connect(path)


@settings(deadline=None, max_examples=12)
@given(st.lists(st.tuples(_LINE_DATA | _ARC_DATA, _PROFILES), min_size=2, max_size=4))
def test_little_memory_gives_the_same(tmp_path_factory, files) -> None:
    """Writing what is held after each piece instead of at the end changes nothing."""
    folder = tmp_path_factory.mktemp("data")
    inputs = [_write(folder / str(number), *data) for number, data in enumerate(files)]
    target = _target(folder / "small")
    merges = CoverageMerge(target, str, 0), ConditionsMerge(target, str, 0), ProfilesMerge(target, str, 0)
    for path in inputs:
        source = sqlite3.connect(path)
        merges[0].add(source, 1 << 40)
        merges[1].add(merges[1].read(source, path))
        merges[2].add(merges[2].read(source, path))
        source.close()
    for merge in merges:
        merge.finish()
    target.commit()
    target.close()
    expected = _content(_combine(folder / "all", *inputs))
    found = _content(str(folder / "small"))
    if not any(
        "c:" in name for (_, content), _ in files for name in content
    ):  # names as they are, without combine's mapping
        assert found == expected


GOOD: Data = (True, {"/p/a.py": {"": {(-1, 1), (1, -1)}}})

# What other programs, a full disk or a hostile machine may have left under a data file's name.
DAMAGES = {
    "arc of no file": "insert into arc values (77, 1, 1, 2)",
    "arc of no context": "insert into arc values (1, 77, 1, 2)",
    "arc of text": "insert into arc values (1, 1, 'x', 2)",
    "arc of texts in commas": "insert into arc values (1, 1, '1,2', 2)",
    "arc of nothing": "insert into arc values (1, 1, 5, null)",
    "arc of a fraction": "insert into arc values (1, 1, 1.5, 2)",
    "arc out of range": "insert into arc values (1, 1, 4, 4294967296)",
    "line of text": "insert into line_bits values (1, 1, 'text')",
    "endless lines": "insert into line_bits values (1, 1, zeroblob(3000000))",
    "file without a name": "insert into file values (9, x'00')",
    "file of a cut name": "insert into file values (9, '/p/' || char(0) || 'x')",
    "file of no text": "insert into file values (9, cast(x'ff' as text))",
    "context without a name": "insert into context values (9, null)",
    "plugin of no file": "insert into tracer values (77, 'p')",
    "no arcs": "drop table arc",
    "endless arcs": "drop table arc; create view arc as with recursive n(n) as (select 1 union all select n + 1 from n)"
    " select 1 as file_id, 1 as context_id, n as fromno, 1 as tono from n",
    "computed arcs": "drop table arc; create table arc (file_id, context_id, fromno, tono as (fromno + 1))",
    "virtual arcs": "drop table arc; create virtual table arc using fts5(file_id, context_id, fromno, tono)",
    "another schema": "update coverage_schema set version = 6",
    "cost of no node": "update footfall_cost set node_id = 9",
    "cost of text": "update footfall_cost set wall_ns = 'x'",
    "negative cost": "update footfall_cost set cpu_ns = -1",
    "call of no frame": "insert into footfall_native_call values (99)",
    "calls of texts": "drop table footfall_native_call; create table footfall_native_call (frame_id);"
    " insert into footfall_native_call values ('x')",
    "endless calls": "drop table footfall_native_call; create view footfall_native_call as with recursive n(n) as"
    " (select 0 union all select n + 1 from n) select n as frame_id from n",
    "timeline of no thread": "update footfall_timeline set thread_id = 99 where thread_id = 0",
    "timeline of text": "update footfall_timeline set nodes = 'x'",
    "another profile": "update footfall_profile set format = 99",
    "runs of no threads": "insert into footfall_run values ('x', 0, 99, 1, 1, 1, 1, 1)",
    "runs with less": "drop table footfall_run; create table footfall_run (a); insert into footfall_run values (1)",
    "conditions of no code": "insert into footfall_conditions values (99, '', x'01')",
    "conditions of text": "insert into footfall_conditions values (0, '', 'x')",
    "code of no places": "update footfall_conditions_code set places = x'00'",
    "another format": "update footfall_conditions_format set format = 99",
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named_and_leaves_the_others_alone(tmp_path: pathlib.Path, name: str) -> None:
    """A file that does not fit is told with its reason; nothing of it is in the result, all of the others is."""
    good = _write(tmp_path / "1", GOOD, 1)
    other = _write(tmp_path / "3", (True, {"/p/b.py": {"": {(1, 2)}}}), 2)
    expected = _content(_combine(tmp_path / "expected", good, other))
    bad = _write(tmp_path / "2", (True, {"/p/a.py": {"": {(5, 6)}}, "/p/bad.py": {"bad": {(1, 2)}}}), 3)
    connection = sqlite3.connect(bad)
    try:
        connection.executescript(DAMAGES[name])
    except sqlite3.OperationalError as error:
        pytest.skip(str(error))  # a SQLite without FTS5
    finally:
        connection.close()
    result = combine_files([good, bad, other], str(tmp_path / "all"))
    assert [path for path, _ in result.failed] == [bad]
    assert result.failed[0][1].slug in ("data-corrupt", "data-schema")
    assert bad in result.failed[0][1].message
    assert result.used == [good, other]
    assert _content(str(tmp_path / "all")) == expected


def test_unknown_tables_are_reported(tmp_path: pathlib.Path) -> None:
    """What a later footfall adds does not go silently."""
    path = _write(tmp_path / "1", GOOD)
    connection = sqlite3.connect(path)
    connection.execute("create table footfall_future (x)")
    connection.close()
    result = combine_files([path], str(tmp_path / "all"))
    assert [slug for slug, _ in result.warnings] == ["table-left-out"]


def test_a_place_that_cannot_be_written_is_not_the_inputs_fault(tmp_path: pathlib.Path) -> None:
    """An error while the result is written says so, and the old result stays."""
    path = _write(tmp_path / "1", GOOD)
    target = pathlib.Path(_write(tmp_path / "all", GOOD))
    before = target.read_bytes()
    (tmp_path / f"all.{os.getpid()}.footfall-new").mkdir()
    with pytest.raises(FootfallError, match="data-unwritable"):
        combine_files([path], str(target))
    assert target.read_bytes() == before


def test_inputs_are_files_directories_and_patterns(tmp_path: pathlib.Path) -> None:
    """Without names, the data file's neighbours; with a directory, those there; what is no data file by name is not."""
    names = [
        ".coverage.1",
        ".coverage.host.pid7.Xabcdefx",
        ".coverage.1-journal",
        ".coverage.7.footfall-new",
        ".coverage",
    ]
    for folder in (tmp_path, tmp_path / "[x]" / "y"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".coverage.d").mkdir()
        for name in names:
            (folder / name).touch()
    data_file = str(tmp_path / ".coverage")
    here = [str(tmp_path / name) for name in names[:2]]
    there = [str(tmp_path / "[x]" / "y" / name) for name in names[:2]]
    assert find_inputs(data_file, []) == here
    assert find_inputs(data_file, [str(tmp_path / "[x]" / "y")]) == there
    assert find_inputs(data_file, [str(tmp_path / "**" / ".coverage.[12]")]) == [here[0], there[0]]
    assert find_inputs(data_file, [there[0], there[0]]) == [there[0]]
    with pytest.raises(UsageError, match="no-such-path"):
        find_inputs(data_file, [str(tmp_path / "gone")])


def test_the_result_is_never_removed(tmp_path: pathlib.Path) -> None:
    """A name that leads to the result by a linked directory is spared."""
    target = tmp_path / ".coverage"
    target.touch()
    (tmp_path / "link").symlink_to(tmp_path)
    shutil.copy(target, tmp_path / ".coverage.1")
    inputs = [str(tmp_path / "link" / ".coverage"), str(tmp_path / ".coverage.1"), str(tmp_path / "gone")]
    assert remove_inputs(inputs, str(target)) == []
    assert target.exists() and not (tmp_path / ".coverage.1").exists()
