"""The total of a run without looking at files that ran as before: equal to what a report counts."""

import os
import sqlite3
from contextlib import closing

import pytest

from footfall.config.configuration import Config, canonical_path, canonical_paths
from footfall.load.gather import gather
from footfall.load.known_numbers import KnownNumbers
from footfall.record.data.coverage_tables import (
    LINES_ONLY_TABLE,
    FileData,
    read_coverage,
    stored_from_files,
    write_coverage,
)
from footfall.record.data.source_ids import blob_id, write_source_ids

pytestmark = pytest.mark.any_python

SOURCE = "def f(a):\n    if a:\n        return 1\n    return (\n        2\n    )\n\n\nf(1)\n"
RAN = {(-1, 1), (1, 9), (9, -1), (-1, 2), (2, 3), (3, -1)}


def _stored(files, *, has_arcs=True):
    """What a data file of these files contains, written and read again, after a check that no file is needed for it."""
    touched = ["/nothing/ran.py"]
    with write_coverage(".coverage", files, has_arcs=has_arcs, touched=touched):
        pass
    stored = read_coverage(".coverage")
    assert stored_from_files(files, has_arcs=has_arcs, touched=touched) == stored
    del stored.files[touched[0]]
    return stored


@pytest.mark.parametrize("has_arcs", [True, False], ids=["branches", "lines"])
def test_what_was_written_is_known_without_reading_it(tmp_path, monkeypatch, has_arcs):
    """Several contexts, lines without arcs, inferred lines and file tracers come out as from the file."""
    monkeypatch.chdir(tmp_path)
    arcs = {"": {(1, 2), (-1, 1)}, "a": {(2, -1)}} if has_arcs else {}
    python = FileData(lines={"": {1, 2, 7}, "a": {2}, "b": {4}}, arcs=arcs, inferred={7})
    traced = FileData(lines={"": {3}}, tracer="plug.in")
    stored = _stored({"/b.py": python, "/a.html": traced}, has_arcs=has_arcs)
    assert stored.files["/b.py"].lines == {1, 2, 4, 7}


def test_a_file_that_ran_as_before_is_only_counted(tmp_path, monkeypatch):
    """The total is the same with and without known numbers; other ways through the file, texts, settings are not."""
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "m.py"
    source.write_text(SOURCE, encoding="utf-8")

    def count(arcs=RAN, text=SOURCE, saved="", **settings):
        """Return the total, and whether the file was looked at, `saved` with another text since it ran."""
        source.write_text(saved or text, encoding="utf-8")
        stored = _stored({str(source): FileData(lines={"": {1}}, arcs={"": set(arcs)})})
        config = Config(branch=True, **settings)
        with KnownNumbers(".coverage", {str(source): blob_id(text.encode())}) as known:
            found = gather(config, ".coverage", stored=stored, known=known)
        assert found.total == gather(config, ".coverage", stored=stored).total
        return found.total, bool(found.files)

    assert count(saved=SOURCE + "f(2)\n")[1]
    first, was_read = count()
    assert was_read and (first.n_missing, first.n_missing_branches) == (1, 1)
    assert count() == (first, False)
    for other in ({"arcs": RAN | {(2, 4), (4, -1)}}, {"text": SOURCE + "f(2)\n"}, {"exclude_also": ["return"]}):
        total, was_read = count(**other)
        assert was_read and total != first
        assert count(**other) == (total, False)
    assert count() == (first, False)
    with closing(sqlite3.connect(".footfall/cache/analyses.sqlite", isolation_level=None)) as cache:
        for key, data in cache.execute("select key, data from analysis").fetchall():
            damaged = data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]  # a bit, which SQLite does not notice
            cache.execute("update analysis set data = ? where key = ?", (damaged, key))
    assert count() == (first, True)


def test_a_file_without_a_known_text_is_always_looked_at(tmp_path, monkeypatch):
    """Sources that could not be read when the run ended have no id."""
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "m.py"
    source.write_text(SOURCE, encoding="utf-8")
    stored = _stored({str(source): FileData(arcs={"": set(RAN)})})
    for _ in range(2):
        with KnownNumbers(".coverage", {}) as known:
            assert gather(Config(branch=True), ".coverage", stored=stored, known=known).files


def test_a_report_of_known_numbers_is_that_of_the_sources(tmp_path, monkeypatch):
    """Of files that are as measured, changed, gone and no Python, with branches known in part: also what is said of
    them."""
    monkeypatch.chdir(tmp_path)
    texts = {"changed.py": SOURCE, "gone.py": SOURCE, "no.py": "f(:\n", "same.py": SOURCE}
    files = {str(tmp_path / name): FileData(arcs={"": set(RAN)}) for name in texts}
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with write_coverage(".coverage", files, has_arcs=True) as connection:
        write_source_ids(connection, {path: blob_id(SOURCE.encode()) for path in files})
        connection.execute(f"create table {LINES_ONLY_TABLE} as select path from file where path like '%same.py'")
    (tmp_path / "changed.py").write_text("g = 0\n" + SOURCE, encoding="utf-8")
    (tmp_path / "gone.py").unlink()
    whole = gather(Config(branch=True), ".coverage")
    assert [each.name for each in whole.numbers] == ["changed.py", "same.py"]
    assert whole.changed == ["changed.py"] and len(whole.unreadable) == 2
    for n_known in (0, 2):
        with KnownNumbers(".coverage") as known:
            found = gather(Config(branch=True), ".coverage", known=known)
        assert len(found.counted) == n_known and len(found.files) == 2 - n_known
        for name in ("numbers", "total", "changed", "warnings"):
            assert getattr(found, name) == getattr(whole, name)
        assert [each[:3] for each in found.unreadable] == [each[:3] for each in whole.unreadable]


def test_many_paths_are_canonical_like_each_of_them(tmp_path, monkeypatch):
    """Links to files and folders, in the middle too, dots, relative names, and names of nothing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "real" / "inner" / "a.py").touch()
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "real" / "b.py").symlink_to("inner/a.py")
    names = [
        "a.py",
        "folder/inner/a.py",
        "folder/b.py",
        "folder/../x.py",
        "folder/inner/..",
        "no/such/file",
        "",
        ".",
        "/",
    ]
    paths = [*names, *(os.path.join(tmp_path, name) for name in names), f"{tmp_path}//folder/./inner/a.py", "/é/ü.py"]
    assert canonical_paths(paths) == [canonical_path(path) for path in paths]
