"""`footfall report --diff`: coverage and time of what changed, with real repositories."""

import contextlib
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys

import pytest

from footfall.analyze.patch import lines_of_python, patch_file
from footfall.analyze.profile.rows import rows_from_profile
from footfall.analyze.results import compare
from footfall.analyze.source.analysis import analyze_source
from footfall.analyze.source.exclude import ExclusionRules
from footfall.record.data.coverage_tables import FileData, read_coverage, write_coverage
from footfall.record.data.profile_tables import write_profile
from footfall.record.data.source_ids import blob_id, write_source_ids
from repository import footfall, git
from site_data import INVOICE, make_profile, payloads, write_project

pytestmark = pytest.mark.any_python

RETRY = INVOICE[INVOICE.index("    def retry") : INVOICE.index("def send")]
LOOP = "            if item > 0 and item < 100:\n                found += item\n"


@pytest.fixture
def project(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A repository with main and, checked out and without a commit of its own, feature."""
    monkeypatch.chdir(tmp_path)
    git("init")
    pathlib.Path(".gitignore").write_text("shop.data*\n.footfall\n")
    data = write_project(tmp_path, make_profile(tmp_path, retry_ms=300))
    source = pathlib.Path("shop/invoice.py")
    source.write_text(INVOICE.replace(RETRY, "").replace(LOOP, "            found += item\n"), encoding="utf-8")
    git("add", ".")
    git("commit", "-m", "first")
    git("checkout", "-b", "feature")
    source.write_text(INVOICE, encoding="utf-8")
    os.utime(data)
    return data


@pytest.fixture
def report(project, capsys):
    """Call the report; return what it printed, after its exit status was compared."""

    def call(*arguments: str, status: int = 0, revision: str = "main") -> str:
        assert footfall("report", "--data-file", str(project), "--diff", revision, *arguments) == status
        captured = capsys.readouterr()
        return captured.out + captured.err

    return call


def test_the_table_is_of_what_changed(report) -> None:
    """Statements, branches and time of changed lines alone; the sentence names the hottest function among the untested."""
    lines = report().splitlines()
    row = next(line for line in lines if line.startswith("shop/invoice.py")).split()
    assert row == ["shop/invoice.py", "6", "3", "4", "1", "40%", "95.0%", "8->7,", "13-15"]
    assert lines[-1] == (
        "6 new lines since main, 3 untested, all in the hottest function"
        " (Invoice.retry in shop/invoice.py, 75.0 % of the time); 3 of 4 branches not taken; they take 95.0 % of the time."
    )


def test_relative_names_have_their_times(project, report, capsys) -> None:
    """With `relative_files` coverage names files from here, and the profile in full."""
    expected = report()
    pathlib.Path(".coveragerc").write_text("[run]\nrelative_files = true\n")
    assert "95.0 % of the time" in expected
    relative = {os.path.relpath(path): data for path, data in _stored(project).items()}
    with write_coverage(project, relative, has_arcs=True) as connection:
        write_profile(connection, rows_from_profile(make_profile(project.parent, retry_ms=300)))
    assert report() == expected
    assert footfall("report", "--data-file", str(project)) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("shop/invoice.py"))
    assert row.split()[-1] == "95.0%"  # without what `send` called
    assert footfall("gaps", "--data-file", str(project)) == 0
    assert "75.0 % of the time" in capsys.readouterr().out
    assert footfall("html", "--data-file", str(project), "-d", "site") == 0
    (page,) = [page for path, page in payloads(pathlib.Path("site")).items() if "invoice" in path]
    assert page["heat"]


def test_a_function_that_is_not_the_hottest_is_not_called_so(tmp_path, report) -> None:
    """`total`, which was tested, takes more."""
    project = tmp_path / "shop.data"
    with write_coverage(project, _stored(project), has_arcs=True) as connection:
        write_profile(connection, rows_from_profile(make_profile(tmp_path, retry_ms=30)))
    assert "in a function that takes time (Invoice.retry in shop/invoice.py, 23.1 % of the time)" in report()


def _stored(data: pathlib.Path) -> dict[str, FileData]:
    stored = read_coverage(data, ())
    return {path: FileData(arcs={"": found.arcs}) for path, found in stored.files.items()}


def test_each_format(report) -> None:
    """The same numbers, for comments, programs, GitHub and GitLab; `total` is the percentage alone."""
    assert report("--format=total") == "40\n"
    markdown = report("--format=markdown")
    assert markdown.startswith("### Patch coverage: 40%\n\n| Name ")
    assert "Invoice.retry in shop/invoice.py" in markdown
    git("branch", "x<b>_y", "main")
    assert "6 new lines since x\\<b\\>\\_y, 3" in report("--format=markdown", revision="x<b>_y")
    found = json.loads(report("--format=json"))
    assert found["base"] == git("rev-parse", "main")
    assert found["totals"]["percent_covered"] == 40.0
    file = found["files"]["shop/invoice.py"]
    assert (file["executed_lines"], file["missing_lines"]) == ([8, 9, 12], [13, 14, 15])
    assert file["missing_branches"] == [[8, 7], [13, 14], [13, 15]]
    assert found["times"]["hottest_untested_function"]["is_hottest"]
    assert report("--format=github").splitlines()[:2] == [
        "::warning file=shop/invoice.py,line=13,endLine=15,title=Not run::lines 13 to 15 did not run",
        "::warning file=shop/invoice.py,line=8,endLine=8,title=Branch not taken"
        "::line 8 didn't jump to line 7 because the condition on line 8 was always true",
    ]
    first, second = json.loads(report("--format=gitlab"))
    assert first["location"] == {"path": "shop/invoice.py", "lines": {"begin": 13, "end": 15}}
    assert (first["severity"], second["severity"]) == ("major", "minor")
    assert first["fingerprint"] != second["fingerprint"]


def test_the_threshold_is_of_the_patch(report) -> None:
    """2 below it; a report for programs stays whole, with the message on stderr."""
    report("--fail-under-patch=40")
    assert "total of 40 is less than fail-under-patch=41" in report("--fail-under-patch=41", status=2)
    assert report("--fail-under-patch=41", "--format=total", status=2).startswith("40\n")
    text = report("--fail-under-patch=41", "--format=gitlab", status=2)
    assert json.loads(text[: text.rindex("]") + 1])
    assert "is not between 0 and 100" in report("--fail-under-patch=101", status=2)


def test_what_others_did_since_on_the_branch_is_not_in_it(project, report) -> None:
    """The diff begins where the branches parted, and takes commits and the working tree together."""
    git("commit", "-am", "retry")
    git("checkout", "main")
    pathlib.Path("shop/invoice.py").write_text("x = 1\n")
    git("commit", "-am", "others")
    git("checkout", "feature")
    os.utime(project)
    assert "6 new lines since main, 3 untested" in report()
    assert "No line of measured code is new since HEAD." in report(revision="HEAD")
    assert report("--format=total", "--fail-under-patch=100", revision="HEAD") == "100\n"


def test_deleted_lines_and_renames_are_not_new(project, report) -> None:
    """Of a file with another name only what changed in it counts."""
    git("commit", "-am", "retry")
    path = pathlib.Path("shop/invoice.py")
    path.write_text(INVOICE.replace('"""Invoices </script><b>&amp;."""\n', ""), encoding="utf-8")
    os.utime(project)
    assert "No line of measured code is new" in report(revision="HEAD")
    path.write_text(INVOICE.replace("return found", "return +found"), encoding="utf-8")
    git("mv", "shop/invoice.py", "shop/bill.py")
    _write(project, "shop/bill.py", {6, 7, 8, 9, 10})
    assert "1 new line since HEAD, none untested" in report(revision="HEAD")


def _write(data: pathlib.Path, name: str, lines: set[int]) -> None:
    """Write a data file with lines alone, of one file."""
    data.unlink()
    with write_coverage(data, {os.path.abspath(name): FileData(lines={"": lines})}, has_arcs=False):
        pass


@pytest.mark.parametrize("name", ["neu ä.py", 'a"b.py', "*.py", "tool"])
@pytest.mark.parametrize("is_tracked", [True, False])
def test_a_new_file_is_all_new(project, report, name: str, is_tracked: bool) -> None:
    """Whether git knows it already or not, whatever its name."""
    pathlib.Path(name).write_text("x = 1\nif x:\n    y = 2\nelse:\n    y = 3\n")
    if is_tracked:
        git("add", ".")
    _write(project, name, {1, 2, 3})
    assert json.loads(report("--format=json", "--include=" + name.replace("*", "[*]")))["files"][name][
        "missing_lines"
    ] == [5]
    git("add", ".")
    git("commit", "-m", "new")
    assert "No line of measured code is new" in report(revision="HEAD")


def test_names_are_from_the_top_for_services_and_from_here_for_readers(report, monkeypatch) -> None:
    """Called in a sub-directory it finds the same."""
    monkeypatch.chdir("shop")
    assert "\ninvoice.py " in report()
    assert "file=shop/invoice.py," in report("--format=github")


def test_settings_of_git_change_nothing(report, monkeypatch) -> None:
    """Of prefixes, context, colours and relative names."""
    monkeypatch.chdir("shop")
    expected = report()
    for name, value in {
        "diff.noprefix": "true", "diff.mnemonicPrefix": "true", "diff.interHunkContext": "20", "diff.relative": "true",
        "color.ui": "always", "diff.context": "9", "diff.external": "false",
    }.items():  # fmt: skip
        git("config", name, value)
    assert report() == expected


def test_links_and_submodules_have_no_lines(report) -> None:
    """A link named like a source is a name in git, a submodule a commit."""
    expected = report()
    os.symlink("<_script><i>helper.py", "shop/link.py")
    git("init", "lib.py")
    pathlib.Path("lib.py/inner.py").write_text("x = 1\n")
    git("-C", "lib.py", "add", ".")
    git("-C", "lib.py", "commit", "-m", "inner")
    git("add", ".")
    assert report() == expected
    git("config", "diff.submodule", "diff")
    assert report() == expected


def test_a_changed_file_that_is_not_in_the_data_is_named(report) -> None:
    """It does not fail the threshold: tests and scripts may be left out on purpose. One that --omit leaves out is not named."""
    pathlib.Path("setup.py").write_text("x = 1\n")
    pathlib.Path("notes.txt").write_text("x\n")
    pathlib.Path("empty.py").write_text("")
    text = report("--fail-under-patch=40")
    assert text.endswith("Changed, and not in the total:\nsetup.py: it is not in the data\n")
    assert "::warning file=setup.py,title=Not in the patch coverage::it is not in the data" in report("--format=github")
    assert "setup.py" not in report("--omit=setup.py")
    assert "setup.py" not in report("shop/invoice.py")


def test_a_changed_file_that_is_not_to_be_measured_is_not_named(report) -> None:
    """By `source`, packages, `omit` or `include` of the configuration; a file inside of these is."""
    for name in ("setup.py", "shop/unused.py"):
        pathlib.Path(name).write_text("x = 1\n")
    for setting in ("source = shop", "source = ./shop", "source_pkgs = shop", "omit = setup.py", "include = shop/*"):
        pathlib.Path(".coveragerc").write_text(f"[run]\n{setting}\n")
        named = report().partition("Changed, and not in the total:\n")[2]
        assert named == "shop/unused.py: it is not in the data\n", setting


def test_a_source_written_after_the_data_has_no_numbers(project, report) -> None:
    """Its lines may be others by now: no threshold is reached until the tests ran again."""
    path = pathlib.Path("shop/invoice.py")
    written_ns = path.stat().st_mtime_ns
    os.utime(project, ns=(written_ns, written_ns))
    assert "[source-newer]" not in report("--fail-under-patch=40")
    os.utime(project, ns=(written_ns - 1, written_ns - 1))
    text = report("--fail-under-patch=40", status=2)
    assert "shop/invoice.py: it was written after the data was" in text
    assert "[source-newer]" in text
    assert "Patch coverage failure: 1 changed file without numbers" in text
    assert json.loads(report("--format=json").partition("\nfootfall:")[0])["files"] == {}


def test_data_that_identifies_its_source(project, report) -> None:
    """A fresh checkout is newer than its data and is what was measured; another text is not, however old it is."""
    path = pathlib.Path("shop/invoice.py")
    with contextlib.closing(sqlite3.connect(project)) as connection, connection:
        write_source_ids(connection, {str(path.resolve()): blob_id(path.read_bytes())})
    written_ns = path.stat().st_mtime_ns
    os.utime(project, ns=(written_ns - 1, written_ns - 1))
    assert "[source-newer]" not in report("--fail-under-patch=40")
    path.write_text(path.read_text() + "# other\n")
    os.utime(path, ns=(written_ns - 9, written_ns - 9))
    text = report("--fail-under-patch=40", status=2)
    assert "shop/invoice.py: its text is not the one that was measured" in text
    assert "[source-newer]" in text


def test_data_that_a_report_combines_is_as_old_as_its_parts(project, report) -> None:
    """The combined file is new, what is in it is not."""
    part = pathlib.Path(shutil.copy(project, f"{project}.host.pid1.Xabcdefx"))
    written_ns = pathlib.Path("shop/invoice.py").stat().st_mtime_ns
    os.utime(part, ns=(written_ns - 1, written_ns - 1))
    assert "[source-newer]" in report()


def test_a_file_without_lines_in_the_diff_has_no_numbers(report) -> None:
    """Where .gitattributes says that it is to be taken for binary."""
    pathlib.Path(".gitattributes").write_text("*.py -diff\n")
    text = report("--fail-under-patch=1", status=2)
    assert "shop/invoice.py: git shows no lines of it" in text
    assert "[diff-binary]" in text


def test_a_changed_file_that_is_no_python_has_no_numbers(project, report) -> None:
    """It is unreadable for all reports, unless these are to ignore it."""
    pathlib.Path("shop/invoice.py").write_text("def (\n")
    os.utime(project)
    assert "shop/invoice.py: " in report("--fail-under-patch=1", status=2).partition("not in the total:")[2]
    assert "not in the data" not in report("--ignore-errors")


def test_options_that_conflict_are_an_error(project, report, capsys) -> None:
    """A revision that is not here, no common history, options of the whole report."""
    assert "There is no commit 'nowhere'" in report(revision="nowhere", status=2)
    assert "[bad-revision]" in report(revision="--output=x", status=2)
    assert "[bad-revision]" in report(revision="", status=2)
    git("checkout", "--orphan", "other")
    git("commit", "-am", "alone")
    assert "[no-merge-base]" in report(status=3)
    assert "[diff-whole]" in report("--by=test", status=2)
    assert "[diff-whole]" in report("--fail-under=3", status=2)
    assert "[bad-format]" in report("--format=yaml", status=2)
    assert footfall("report", "--data-file", str(project), "--fail-under-patch=3") == 2
    assert "[diff-missing]" in capsys.readouterr().err


def test_outside_of_a_repository(report, monkeypatch, tmp_path) -> None:
    """The help says where to call it."""
    monkeypatch.chdir(tmp_path.parent)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent.parent))
    assert "Call it inside the repository" in report(status=3)


def test_names_of_others_are_shown_and_do_nothing(project, report) -> None:
    """A name with line ends or Markdown in it neither forges a line nor a table."""
    name = "a\n::error::b%0A|<b>,c:d.py"
    pathlib.Path(name).write_text("if 0:\n    x = 1\ny = 2\n")
    _write(project, name, {1})
    assert "\n::error" not in report() + report("--format=markdown") + report("--format=github")
    assert "file=a%0A%3A%3Aerror%3A%3Ab%250A|<b>%2Cc%3Ad.py,line=3" in report("--format=github")
    assert "\\|\\<b\\>" in report("--format=markdown")


def _patch(text: str, new_lines: set[int], executed: set[int]):
    analysis = analyze_source(text, "x.py", ExclusionRules.from_settings())
    return patch_file(compare(analysis, executed, None), analysis, new_lines, "x.py")


def test_a_statement_is_new_with_any_of_its_lines() -> None:
    """Comments and blanks are nothing; excluded lines are not to be covered."""
    text = (
        "x = [\n    1,\n    2,\n]\n# comment\n\nif x:\n    y = 1\n    z = 1  # pragma: no cover\n    u = 2\n    v = 3\n"
    )
    patched = _patch(text, {3, 5, 6, 9, 8, 11}, {1, 7})
    assert patched.result.statements == {1, 8, 11}
    assert patched.result.excluded == {9}
    assert patched.result.missing == {8, 11}
    assert patched.missing_ranges == ((8, 8), (11, 11))  # line 10 is none of them
    assert patched.missing_text == "8, 11"


def test_lines_are_counted_as_python_does() -> None:
    """A carriage return alone ends a line for Python, and none for git."""
    assert lines_of_python(b"a\r\nb\r\nc", {2}) == {2}
    assert lines_of_python(b"a\rb\nc\rd\re\nf\n", {2, 3}) == {3, 4, 5, 6}


@pytest.mark.skipif(sys.version_info < (3, 14) or sys.implementation.name != "cpython", reason="knows no conditions")
def test_conditions_of_changed_lines(tmp_path, monkeypatch, report) -> None:
    """Outcomes of operands on changed lines that were never seen, with those of a real run."""
    program = pathlib.Path("main.py")
    program.write_text("def f(a, b):\n    return 1 if a or b else 2\n\n\nf(0, 1)\n")
    git("add", "main.py")
    git("commit", "-m", "main")
    program.write_text(program.read_text() + "def g(a, b):\n    return 1 if a and b else 2\n\n\ng(1, 1)\n")
    subprocess.run([sys.executable, "-m", "footfall", "run", "--data-file=shop.data", "main.py"], check=True)
    text = report(revision="HEAD")
    assert "main.py:7:16 a never false" in text
    assert "main.py:2" not in text
    found = json.loads(report("--format=json", revision="HEAD"))["files"]["main.py"]["conditions"]
    assert (found["total"], found["seen"]) == (4, 2)
    assert "title=Outcome never seen::a was never false" in report("--format=github", revision="HEAD")
