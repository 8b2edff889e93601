"""`footfall tests`: the table, and which tests a git diff touches, with a real repository."""

import json
import pathlib

import pytest

from footfall.analyze import changes
from footfall.errors import UsageError
from footfall.session.git import diff_since
from repository import footfall, git
from site_data import INVOICE, SEND, TOTAL, write_project

pytestmark = pytest.mark.any_python


@pytest.fixture
def project(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    data = write_project(tmp_path)
    git("init")
    git("add", "shop")
    git("commit", "-m", "first")
    return data


def _changed(project: pathlib.Path, capsys: pytest.CaptureFixture[str], *more: str) -> list[str]:
    assert footfall("tests", "--data-file", str(project), "--changed", *more) == 0
    return capsys.readouterr().out.splitlines()


def _edit(old: str, new: str) -> None:
    path = pathlib.Path("shop/invoice.py")
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_table_has_the_slowest_first(project, capsys) -> None:
    """Time, lines and what only a test runs, by test."""
    assert footfall("tests", "--data-file", str(project)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["CPU", "Wall", "Lines", "Only", "it", "Test"]
    assert lines[1].split()[:6] == ["70", "ms", "140", "ms", "6", "1"]
    assert SEND in lines[1]
    assert "(slowest shop/invoice.py:9)" in lines[1]
    assert TOTAL in lines[2]
    assert footfall("tests", "--data-file", str(project), "--slow", "-n", "1") == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert footfall("tests", "--data-file", str(project), "--format=json") == 0
    first = json.loads(capsys.readouterr().out)["tests"][0]
    assert first["name"] == SEND
    assert first["only"] == {"shop/invoice.py": "19"}


def test_a_changed_line_touches_the_tests_that_ran_it(project, capsys) -> None:
    """A change in `send` touches one test, one in `total` both, the fastest first; in `retry` or a comment none."""
    assert _changed(project, capsys) == []
    _edit("invoice.total([1, 2])", "invoice.total([1])")
    assert _changed(project, capsys) == [SEND]
    _edit("found += item", "found = found + item")
    assert _changed(project, capsys) == [TOTAL, SEND]
    assert _changed(project, capsys, "-n", "1") == [TOTAL]
    git("checkout", "shop")
    _edit("n -= 1", "n -= 2")
    assert _changed(project, capsys) == []


def test_an_inserted_line_touches_its_neighbours(project, capsys) -> None:
    """A line put into a function touches the tests that ran the lines around it."""
    _edit("def send(invoice):\n", "def send(invoice):\n    print(invoice)\n")
    assert _changed(project, capsys) == [TOTAL, SEND]  # the line before, `def send`, runs on import
    git("checkout", "shop")
    _edit("        found = 0\n", "        found = 0\n        print(found)\n")
    assert _changed(project, capsys) == [TOTAL, SEND]


def test_what_runs_on_import_touches_all_tests_of_the_file(project, capsys) -> None:
    """A changed signature or constant can change any test that uses the file; so does a file that is gone."""
    _edit("class Invoice:", "class Invoice(object):")
    assert _changed(project, capsys) == [TOTAL, SEND]
    git("checkout", "shop")
    git("mv", "shop/invoice.py", "shop/bill.py")
    assert _changed(project, capsys) == []  # the same lines under another name
    pathlib.Path("shop/bill.py").write_text(INVOICE.replace("[1, 2]", "[3]"), encoding="utf-8")
    git("add", "shop")
    assert _changed(project, capsys) == [SEND]
    git("rm", "-f", "shop/bill.py")
    assert _changed(project, capsys) == [TOTAL, SEND]


def test_changed_test_files_are_run_whole(project, capsys) -> None:
    """A test file that the diff touches is named itself, in place of its tests."""
    pathlib.Path("tests").mkdir()
    pathlib.Path("tests/test_invoice.py").write_text("def test_total(): pass\n")
    git("add", "tests")
    _edit("found += item", "found = found + item")
    assert _changed(project, capsys) == ["tests/test_invoice.py"]


def test_a_named_revision_and_wrong_ones(project, capsys) -> None:
    """`--changed=REV` looks further back; what git refuses is said with its reason."""
    _edit("invoice.total([1, 2])", "invoice.total([1])")
    git("commit", "-am", "second")
    assert _changed(project, capsys) == []
    assert footfall("tests", "--data-file", str(project), "--changed=HEAD~1") == 0
    assert capsys.readouterr().out.splitlines() == [SEND]
    assert footfall("tests", "--data-file", str(project), "--changed=nowhere") == 3
    errors = capsys.readouterr().err
    assert ". Name a revision of this repository" in errors and "[git-failed]" in errors
    with pytest.raises(UsageError, match="bad-revision"):
        diff_since("--output=x")


def test_outside_of_a_repository_is_an_error(project, capsys, tmp_path, monkeypatch) -> None:
    """A revision's name would be of no help there."""
    monkeypatch.chdir(tmp_path.parent)  # the project is a repository
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent.parent))
    assert footfall("tests", "--data-file", str(project), "--changed") == 3
    assert "Call it inside the repository that was measured" in capsys.readouterr().err


def test_data_without_tests_is_reported(project, capsys) -> None:
    """A run without contexts can't say which test ran what."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(project, isolation_level=None)) as connection:
        connection.execute("drop table footfall_profile")
        connection.execute("delete from arc where context_id <> (select id from context where context = '')")
    assert footfall("tests", "--data-file", str(project)) == 3
    assert "[no-contexts]" in capsys.readouterr().err


def test_times_of_tests_without_their_lines(project, capsys) -> None:
    """The profile alone tells tests apart: their times are shown, no lines, and a change touches none that is known."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(project, isolation_level=None)) as connection:
        connection.execute("delete from arc where context_id <> (select id from context where context = '')")
    assert footfall("tests", "--data-file", str(project)) == 0
    printed = capsys.readouterr()
    assert "[lines-by-test-unknown]" in printed.err
    assert printed.out.splitlines()[0].split() == ["CPU", "Wall", "Test"]
    assert footfall("tests", "--data-file", str(project), "--format=json") == 0
    first = json.loads(capsys.readouterr().out)["tests"][0]
    assert (first["lines"], first["only_lines"]) == (None, None)
    assert first["samples"] > 0
    _edit("invoice.total([1, 2])", "invoice.total([1])")
    assert footfall("tests", "--data-file", str(project), "--changed") == 3
    assert "[no-contexts]" in capsys.readouterr().err


def test_unusual_names_in_diffs() -> None:
    """Quoted names, new and removed files, renames, binary files and hunks without counts are read."""
    text = "\n".join(
        [
            'diff --git "a/\\303\\244 \\"b\\".py" "b/\\303\\244 \\"b\\".py"', "index 1..2 100644",
            '--- "a/\\303\\244 \\"b\\".py"', '+++ "b/\\303\\244 \\"b\\".py"', "@@ -3 +3,2 @@ def f():", "-x", "+y",
            "@@ -9,0 +11 @@", "+z",
            "diff --git a/new.py b/new.py", "new file mode 100644", "--- /dev/null", "+++ b/new.py", "@@ -0,0 +1 @@", "+1",
            "diff --git a/old.py b/old.py", "deleted file mode 100644", "--- a/old.py", "+++ /dev/null", "@@ -1 +0,0 @@", "-1",
            "diff --git a/x.py b/y.py", "similarity index 100%", "rename from x.py", "rename to y.py",
            "diff --git a/p.png b/p.png", "Binary files a/p.png and b/p.png differ",
        ]
    )  # fmt: skip
    found = changes.parse_diff(text)
    assert [(each.old_name, each.new_name) for each in found] == [
        ('ä "b".py', 'ä "b".py'), ("", "new.py"), ("old.py", ""), ("x.py", "y.py"), ("p.png", "p.png"),
    ]  # fmt: skip
    assert [each.is_binary for each in found] == [False, False, False, False, True]
    assert found[0].old_lines == {3, 9, 10}


def test_text_that_looks_like_a_diff_is_text() -> None:
    """A changed line may begin as the lines do that name files and places."""
    text = "\n".join(
        [
            "diff --git a/x.py b/x.py", "--- a/x.py", "+++ b/x.py",
            "@@ -3,2 +3,3 @@", "--- old.sql", "-diff --git a/n b/n", "+++ new.sql", "+@@ -90 +90 @@", "+Binary files",
            "\\ No newline at end of file", "diff --git a/z.py b/z.py", "--- a/z.py", "+++ b/z.py", "@@ -1,0 +2 @@", "+",
        ]
    )  # fmt: skip
    first, second = changes.parse_diff(text)
    assert (first.old_name, first.new_name, first.old_lines, first.new_lines) == ("x.py", "x.py", {3, 4}, {3, 4, 5})
    assert (second.new_name, second.old_lines, second.new_lines) == ("z.py", {1, 2}, {2})


def test_a_file_that_git_takes_for_binary_touches_all_its_tests(project, capsys) -> None:
    """git shows no lines of it, and any may have changed."""
    pathlib.Path(".gitattributes").write_text("*.py -diff\n")
    _edit("n -= 1", "n -= 2")
    assert _changed(project, capsys) == [TOTAL, SEND]
