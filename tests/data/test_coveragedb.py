"""The data file: coverage.py reads ours, we read its, and what is no data file is refused."""

import json
import pathlib
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.analyze.profile.rows import profile_from_rows, rows_from_profile
from footfall.cli.reports.json import json_parts
from footfall.config.configuration import Config
from footfall.errors import FootfallError, UsageError
from footfall.load.gather import Coverage, gather
from footfall.record.data.aliases import PathAliases
from footfall.record.data.coverage_tables import (
    FileData,
    numbers_from_numbits,
    numbits_from_numbers,
    read_contexts_by_line,
    read_coverage,
    write_coverage,
)
from footfall.record.data.data_file import check_replaceable
from footfall.record.data.profile_tables import (
    StoredCost,
    StoredFrame,
    StoredProfile,
    StoredThread,
    read_profile,
    write_profile,
)
from footfall.record.data.timelines import TreeNode
from footfall.report.coverage.json import coverage_report

pytestmark = pytest.mark.any_python

coverage = pytest.importorskip("coverage")

_LINES = st.sets(st.integers(1, 300), max_size=20)
_ARCS = st.sets(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), max_size=20)
_CONTEXTS = st.sampled_from(["", "unit", "tests/a.py::test_b|run"])
_PATHS = st.sampled_from(["/p/a.py", "/p/b.py", "rel/c.py", "/p/ü ñ.py"])

ARCS = {
    "/p/a.py": FileData({"": {1, 2, 9}, "t": {3}}, {"": {(-1, 1), (1, 2), (2, -1)}, "t": {(-3, 3), (3, 3)}}),
    "/p/b.py": FileData({"": {7}}, {}),
}


@given(_LINES)
def test_numbits_are_those_of_coverage(lines: set[int]) -> None:
    """Packed line numbers are the same bytes, and unpack to the same numbers."""
    from coverage.numbits import nums_to_numbits

    packed = numbits_from_numbers(lines)
    assert packed == nums_to_numbits(lines)
    assert numbers_from_numbits(packed) == lines


@given(st.dictionaries(_PATHS, st.dictionaries(_CONTEXTS, _LINES, max_size=3), max_size=3))
def test_coverage_reads_the_lines_we_write(tmp_path_factory, files) -> None:
    """Lines come back from coverage.py file by file and context by context, and from ourselves."""
    path = tmp_path_factory.mktemp("data") / ".coverage"
    with write_coverage(path, {name: FileData(lines) for name, lines in files.items()}, has_arcs=False):
        pass
    theirs = coverage.CoverageData(str(path))
    theirs.read()
    assert theirs.measured_files() == set(files)
    assert not theirs.has_arcs()
    for name, by_context in files.items():
        assert set(theirs.lines(name)) == set().union(*by_context.values())
        for context, lines in by_context.items():
            theirs.set_query_context(context)
            assert set(theirs.lines(name)) == lines
            theirs.set_query_contexts(None)
    theirs.close()
    ours = read_coverage(path)
    assert {name: found.lines for name, found in ours.files.items()} == {
        name: set().union(*by_context.values()) for name, by_context in files.items()
    }


@given(st.dictionaries(_PATHS, st.dictionaries(_CONTEXTS, _ARCS, min_size=1, max_size=3), max_size=3))
def test_we_read_the_arcs_that_coverage_writes(tmp_path_factory, files) -> None:
    """Arcs that coverage.py wrote are read with the lines that it finds in them, all or of some contexts."""
    path = tmp_path_factory.mktemp("data") / ".coverage"
    theirs = coverage.CoverageData(str(path))
    theirs.add_arcs({})
    for name, by_context in files.items():
        for context, arcs in by_context.items():
            theirs.set_context(context)
            theirs.add_arcs({name: arcs})
    theirs.write()
    for contexts in ([], ["unit"], ["^t", "unit"]):
        ours = read_coverage(path, contexts)
        theirs.set_query_contexts(contexts or None)
        assert ours.has_arcs
        assert set(ours.files) == theirs.measured_files()
        for name, found in ours.files.items():
            assert found.arcs == set(theirs.arcs(name))
            assert found.lines == set(theirs.lines(name))
    theirs.close()


def test_arcs_and_lone_lines_come_back(tmp_path: pathlib.Path) -> None:
    """With arcs, a line that no arc names is kept all the same; touched files are there, empty."""
    path = tmp_path / "new" / "data"
    with write_coverage(path, ARCS, has_arcs=True, touched=["/p/never.py"]):
        pass
    theirs = coverage.CoverageData(str(path))
    theirs.read()
    assert theirs.measured_files() == {"/p/a.py", "/p/b.py", "/p/never.py"}
    assert set(theirs.lines("/p/a.py")) == {1, 2, 3, 9}
    assert set(theirs.lines("/p/b.py")) == {7}
    assert theirs.lines("/p/never.py") == []
    assert (2, -1) in theirs.arcs("/p/a.py")
    assert theirs.measured_contexts() == {"", "t"}
    contexts = read_contexts_by_line(path)["/p/a.py"]
    assert contexts == {1: {""}, 2: {""}, 9: {""}, 3: {"t"}}
    assert {line: set(names) for line, names in theirs.contexts_by_lineno("/p/a.py").items()} == contexts
    theirs.close()


def test_the_json_report_is_made_file_by_file(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text is that of the json module, and with many contexts no part of it is more than a file's."""
    monkeypatch.chdir(tmp_path)
    labels = [f"tests/test_work.py::test_{number}" for number in range(100)]
    files = {}
    for number in range(20):
        path = tmp_path / f"m{number}.py"
        path.write_text("def f(a):\n    if a:\n        a = 1\n    return a\n" * 5)
        files[str(path)] = FileData(arcs={label: {(line, line + 1) for line in range(1, 16)} for label in labels})
    config = Config(json_show_contexts=True)
    with write_coverage(config.data_file, files, has_arcs=True):
        pass
    for indent in (None, 4):
        config.json_pretty_print = bool(indent)
        parts = list(json_parts(config, gather(config, config.data_file)))
        whole = "".join(parts)
        report = json.loads(whole)
        assert whole == json.dumps(report, indent=indent)
        assert report["files"]["m3.py"]["contexts"]["16"] == sorted(labels)
        assert max(map(len, parts)) < len(whole) / 15
    empty = Coverage(has_arcs=True)
    assert list(json.loads("".join(coverage_report(empty, 0)))) == ["meta", "files", "totals"]


def test_nothing_is_replaced_when_writing_fails(tmp_path: pathlib.Path) -> None:
    """An error while a data file is written leaves the old one and no other file."""
    path = tmp_path / ".coverage"
    with write_coverage(path, {}, has_arcs=False):
        pass
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError), write_coverage(path, ARCS, has_arcs=True):
        raise ZeroDivisionError
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [".coverage"]


def test_a_place_that_cannot_be_written_is_an_error_with_its_reason(tmp_path: pathlib.Path) -> None:
    """A data file below a plain file can't be."""
    (tmp_path / "plain").write_text("", encoding="utf-8")
    with pytest.raises(FootfallError) as caught, write_coverage(tmp_path / "plain" / "data", {}, has_arcs=False):
        pass
    assert caught.value.slug == "data-unwritable"


def _database(path: pathlib.Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def _damaged(path: pathlib.Path) -> None:
    with write_coverage(path, ARCS, has_arcs=True):
        pass
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)


# name -> (maker, slug when read, whether a run may replace it)
BAD_FILES = {
    "missing": (lambda path: None, "no-data", True),
    "empty": (lambda path: path.write_bytes(b""), "no-data", True),
    "text": (lambda path: path.write_text("my notes\n"), "data-foreign", False),
    "old format": (lambda path: path.write_text("!coverage.py: This is private"), "data-schema", True),
    "another database": (lambda path: _database(path, "create table mail (id)"), "data-foreign", False),
    "another schema": (
        lambda path: _database(
            path, "create table coverage_schema (version)", "insert into coverage_schema values (99)"
        ),
        "data-schema",
        True,
    ),
    "damaged": (_damaged, "data-corrupt", True),
    "cut": (lambda path: (_damaged(path), path.write_bytes(path.read_bytes()[:300])), "data-corrupt", True),
    "without tables": (
        lambda path: _database(
            path, "create table coverage_schema (version)", "insert into coverage_schema values (7)"
        ),
        "data-corrupt",
        True,
    ),
    "a directory": (lambda path: path.mkdir(), "data-unreadable", False),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_what_is_no_data_file_is_refused_by_name(tmp_path: pathlib.Path, name: str) -> None:
    """Reading names what is wrong; writing spares what is not coverage data."""
    maker, slug, is_replaceable = BAD_FILES[name]
    path = tmp_path / "file"
    maker(path)
    with pytest.raises(FootfallError) as caught:
        read_coverage(path)
    assert caught.value.slug == slug
    assert caught.value.help
    if is_replaceable:
        check_replaceable(path)
    else:
        with pytest.raises(FootfallError):
            check_replaceable(path)


@pytest.mark.parametrize("row", ["77, 1, 1, 2", "1, 1, 'x', 2", "1, 1, 5, null", "1, 1, 1.5, 2", "null, 1, 1, 2"])
def test_rows_that_do_not_fit_are_damage(tmp_path: pathlib.Path, row: str) -> None:
    """An arc of an unknown file, or one whose ends are no lines, is reported as a damaged data file."""
    path = tmp_path / ".coverage"
    with write_coverage(path, ARCS, has_arcs=True) as connection:
        connection.execute(f"insert into arc values ({row})")
    with pytest.raises(FootfallError, match="damaged"):
        read_coverage(path)


PROFILE = StoredProfile(
    n_processes=1,
    n_samples=11,
    n_dropped=3,
    n_late=1,
    interval_ns=1_000_000,
    threads=[StoredThread(4711, 4711, "main", 1e12, 2.5e11, 0.0), StoredThread(4711, 4712, "")],
    frames=[
        StoredFrame("/p/a.py", "main", 1, 5, 5, 4, 9),
        StoredFrame("/p/a.py", "Class.method", 10, 12, 13, None, None),
    ],
    nodes=[TreeNode(-1, -1), TreeNode(0, 0), TreeNode(1, 1)],
    costs=[StoredCost(2, 0, "", 10, 10_000_000, 9_000_000, 8_000_000), StoredCost(0, 1, "t", 1, 1_000_000, 0, 0)],
)


def test_a_profile_comes_back_and_does_not_disturb_coverage(tmp_path: pathlib.Path) -> None:
    """A data file with a profile gives it back whole, and coverage.py reads its coverage as before."""
    path = tmp_path / ".coverage"
    with write_coverage(path, ARCS, has_arcs=True) as connection:
        write_profile(connection, PROFILE)
    stored = read_profile(path)
    assert stored == PROFILE
    assert rows_from_profile(profile_from_rows(stored)) == PROFILE
    theirs = coverage.CoverageData(str(path))
    theirs.read()
    assert set(theirs.lines("/p/b.py")) == {7}
    theirs.close()


def test_a_file_of_coverage_has_no_profile(tmp_path: pathlib.Path) -> None:
    """None says that nothing was sampled."""
    theirs = coverage.CoverageData(str(tmp_path / ".coverage"))
    theirs.add_lines({"/p/a.py": [1]})
    theirs.write()
    theirs.close()
    assert read_profile(tmp_path / ".coverage") is None


@pytest.mark.parametrize(
    "change",
    [
        "update footfall_node set parent_id = 5",
        "delete from footfall_thread",
        "update footfall_thread set cpu_squares = -1",
        "update footfall_thread set cpu_squares = 'x'",
        "update footfall_cost set node_id = 9",
    ],
)
def test_a_profile_that_does_not_fit_together_is_damage(tmp_path: pathlib.Path, change: str) -> None:
    """A number that points nowhere is found when the profile is read."""
    path = tmp_path / ".coverage"
    with write_coverage(path, {}, has_arcs=False) as connection:
        write_profile(connection, PROFILE)
        connection.execute(change)
    with pytest.raises(FootfallError, match="damaged"):
        read_profile(path)


@pytest.mark.parametrize("patterns", [["src", "/ci/*"], ["src*", "/ci/src"], ["s?c", "/ci/src"], ["s*"], []])
def test_wildcards_are_refused_where_coverage_refuses_them(patterns: list[str]) -> None:
    """At the end of a pattern of `[paths]`, and in the directory here."""
    from coverage.exceptions import ConfigError
    from coverage.files import PathAliases as Theirs

    try:
        for pattern in patterns[1:]:
            Theirs().add(pattern, patterns[0])
    except ConfigError:
        with pytest.raises(UsageError, match="wildcard"):
            PathAliases([patterns], relative=False)
    else:
        PathAliases([patterns], relative=False)


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize(
    "patterns", [["src", "/ci/*/src"], ["./src", "*/site-packages"], ["src/", "c:\\work\\src", "build/**/lib/"]]
)
@pytest.mark.parametrize(
    "path",
    [
        "/ci/job/src/a.py",
        "/ci/job/src/gone.py",
        "/x/site-packages/a.py",
        "c:\\work\\src\\a.py",
        "else/src/a.py",
        "a.py",
    ],
)
def test_paths_are_mapped_as_in_coverage(tmp_path, monkeypatch, patterns, path, relative) -> None:
    """`[paths]` maps a recorded path to the file that coverage.py finds."""
    from coverage.files import PathAliases as Theirs
    from coverage.files import set_relative_directory

    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    set_relative_directory()
    theirs = Theirs(relative=relative)
    for pattern in patterns[1:]:
        theirs.add(pattern, patterns[0])
    assert PathAliases([patterns], relative=relative).map(path) == theirs.map(path)
