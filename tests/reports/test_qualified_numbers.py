"""What a run said of its numbers is said again by each report of them, and by no other."""

import contextlib
import os
import sqlite3

import pytest

from footfall.record.data.coverage_tables import create_data_file
from footfall.record.data.profile_tables import read_profile
from footfall.record.data.qualifications import add_qualifications, read_qualifications

pytestmark = pytest.mark.any_python

_LINES, _TIMES, _NEITHER = ("not-instrumented", "A."), ("jit-lines", "B."), ("still-running", "C.")


def test_reports_show_what_qualifies_them(footfall, tmp_path) -> None:
    """Coverage reports of data with a profile show times, so they say both; reports of times say what is of these."""
    (tmp_path / "main.py").write_text("x = sum(range(10_000_000))\n")
    assert footfall("run", "-q", "main.py").returncode == 0
    with contextlib.closing(sqlite3.connect(tmp_path / ".coverage")) as connection, connection:
        add_qualifications(connection, [_LINES, _TIMES, _NEITHER, _LINES])
    both = ("[not-instrumented]", "[jit-lines]")
    for report, reported in (
        (("report",), both),
        (("json", "-q", "-o", "-"), both),
        (("report", "--by", "function"), both[1:]),
        (("export", "-o", "out.txt", "--format", "collapsed"), both[1:]),
        (("flame", "-o", "flame.html"), both[1:]),
    ):
        done = footfall(*report)
        assert done.returncode == 0, done.stderr
        assert [done.stderr.count(slug) for slug in (*both, "[still-running]")] == [
            *(int(s in reported) for s in both),
            0,
        ]
    (tmp_path / ".coveragerc").write_text("[run]\ndisable_warnings = jit-lines\n")
    assert footfall("report", "--by", "function").stderr == ""
    assert read_profile(tmp_path / ".coverage") is not None


def test_combined_data_keeps_what_qualifies_each_part(footfall, tmp_path) -> None:
    """Each message once."""
    for name, messages in (("a", [_LINES]), ("b", [_LINES, _TIMES]), ("c", [_NEITHER])):
        with create_data_file(str(tmp_path / f".coverage.{name}")) as connection:
            connection.execute("insert into meta values ('has_arcs', '0')")
            connection.execute("insert into file values (1, ?)", (str(tmp_path / f"{name}.py"),))
            add_qualifications(connection, messages)
    assert footfall("combine", "-q").returncode == 0
    assert read_qualifications(tmp_path / ".coverage", coverage=True, profile=True) == [_LINES, _TIMES]


def test_reports_name_sources_that_were_changed(footfall, tmp_path) -> None:
    """However old the file's time is; not data that was just written, nor text that is the same again."""
    names = ("a.py", "b.py", "c.py")
    for name in names:
        (tmp_path / name).write_text("x = 1\n")
    (tmp_path / "main.py").write_text("import a, b, c\n")
    assert "source-newer" not in footfall("run", "main.py").stderr
    for name in names[:2]:
        (tmp_path / name).write_text("\nx = 1\n")
        os.utime(tmp_path / name, (1, 1))
    (tmp_path / "c.py").write_text("x = 1\n")
    said = "footfall: a.py and 1 more file are not as measured:"
    for report in (("report",), ("json", "-q"), ("xml", "-q"), ("lcov", "-q"), ("html", "-q")):
        assert footfall(*report).stderr.startswith(said), report
    assert footfall("report", "--include=a.py").stderr.startswith("footfall: a.py is not as measured:")
    assert footfall("report", "--include=c.py").stderr == ""
    (tmp_path / ".coveragerc").write_text("[run]\ndisable_warnings = source-newer\n")
    assert footfall("report").stderr == ""
