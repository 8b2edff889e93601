"""Thresholds of files and directories, the ratchet, and the table as a tree."""

import json
import pathlib

import pytest

from footfall.record.data.coverage_tables import FileData, write_coverage
from repository import footfall

pytestmark = pytest.mark.any_python


@pytest.fixture
def project(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Files of ten lines, each with so many that ran."""
    monkeypatch.chdir(tmp_path)
    record({"src/core/a.py": 10, "src/core/b10.py": 8, "src/core/b9.py": 9, "src/web/c.py": 5, "top.py": 10})
    return tmp_path


def record(n_executed: dict[str, int]) -> None:
    files = {}
    for name, number in n_executed.items():
        path = pathlib.Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"x{k} = {k}\n" for k in range(10)))
        files[str(path.resolve())] = FileData(lines={"": set(range(1, number + 1))})
    with write_coverage(".coverage", files, has_arcs=False):
        pass


THRESHOLDS = {
    "each file that a pattern finds": (["src/core/*=90"], ["src/core/b10.py has 80%, its threshold is 90%"]),
    "reached": (["src/core/*=80", "src/web/=50", "top.py=100"], []),
    "a directory together": (["src/=81", "src/core/=90"], ["src/ has 80%, its threshold is 81%"]),
    "in any folder": (["b*.py=85"], ["src/core/b10.py has 80%, its threshold is 85%"]),
    "of nothing": (["src/cor/*=1"], ["no file of the report is src/cor/*, its threshold is 1%"]),
}


@pytest.mark.parametrize(("thresholds", "missed"), THRESHOLDS.values(), ids=THRESHOLDS)
def test_thresholds_of_files(project, capsys, thresholds: list[str], missed: list[str]) -> None:
    """By the command line and by the configuration, and then in every report that has an exit status."""
    options = [word for each in thresholds for word in ("--fail-under-file", each)]
    assert footfall("report", *options) == (2 if missed else 0)
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if "failure" in line] == [f"Coverage failure: {each}" for each in missed]
    pathlib.Path("pyproject.toml").write_text(f"[tool.footfall]\nfail_under_files = {json.dumps(thresholds)}\n")
    assert footfall("json", "-o", "-") == (2 if missed else 0)


def test_a_threshold_ignores_files_that_were_not_asked_for(project) -> None:
    assert footfall("report", "top.py", "--fail-under-file", "src/core/*=90") == 0
    assert footfall("report", "src/core/b10.py", "--fail-under-file", "src/core/*=90") == 2


@pytest.mark.parametrize("text", ["90", "=90", "a.py=x", "a.py=101", "a.py=-1", "a.py=nan"])
def test_what_is_no_threshold(project, capsys, text: str) -> None:
    assert footfall("report", "--fail-under-file", text) == 2
    assert "[bad-fail-under]" in capsys.readouterr().err


def test_the_ratchet_never_lets_coverage_fall(project, capsys) -> None:
    """It rises with each update, a file that fell fails beside a total that rose, and files that are gone do not."""
    command = ("report", "--ratchet", "ratchet.json")
    assert footfall(*command) == 3, "there is none yet"
    assert "--update-ratchet" in capsys.readouterr().err
    assert footfall(*command, "--update-ratchet") == 0
    assert footfall(*command) == 0
    record({"src/core/a.py": 10, "src/core/b9.py": 8, "src/web/c.py": 10, "src/new.py": 7})
    assert footfall(*command, "--update-ratchet") == 2
    out = capsys.readouterr().out
    assert "failure: src/core/b9.py fell from 90% to 80%\n" in out
    assert "total fell" not in out
    content = json.loads(pathlib.Path("ratchet.json").read_text())
    assert content["files"] == {"src/core/a.py": 100, "src/core/b9.py": 90, "src/new.py": 70, "src/web/c.py": 100}
    assert content["total"] == 87.5
    assert footfall("report", "src/new.py", "--ratchet", "ratchet.json") == 0, "the total is not of this report"


@pytest.mark.parametrize("content", ["", "[]", '{"format": 2}', '{"format": 1, "total": 1, "files": {"a": 1e9}}'])
def test_a_file_that_is_no_ratchet(project, capsys, content: str) -> None:
    pathlib.Path("ratchet.json").write_text(content)
    assert footfall("report", "--ratchet", "ratchet.json") == 3
    assert "[bad-ratchet]" in capsys.readouterr().err
    assert footfall("report", "--ratchet", "ratchet.json", "--update-ratchet") == 3
    assert pathlib.Path("ratchet.json").read_text() == content


def test_a_part_of_the_report_is_no_ratchet(project, capsys) -> None:
    assert footfall("report", "--update-ratchet") == 2
    assert "[ratchet-missing]" in capsys.readouterr().err
    assert footfall("report", "top.py", "--ratchet", "r.json", "--update-ratchet") == 2
    assert "[ratchet-whole]" in capsys.readouterr().err


TREE = """\
Name         Stmts   Miss  Cover
--------------------------------
src/            40      8    80%
  core/         30      3    90%
    a.py        10      0   100%
    b9.py       10      1    90%
    b10.py      10      2    80%
  web/          10      5    50%
    c.py        10      5    50%
top.py          10      0   100%
--------------------------------
TOTAL           50      8    84%
"""


def test_the_table_as_a_tree(project, capsys) -> None:
    """Directories have the totals of all below them, of files that are not shown too."""
    assert footfall("report", "--tree") == 0
    assert capsys.readouterr().out == TREE
    assert footfall("report", "--tree", "--skip-covered") == 0
    lines = [line for line in TREE.splitlines() if "100%" not in line]
    assert capsys.readouterr().out.splitlines()[:-2] == lines
    assert footfall("report", "--tree", "src/core/a.py", "src/core/b9.py") == 0
    rows = capsys.readouterr().out.splitlines()[2:5]
    assert [row.split()[0] for row in rows] == ["src/core/", "a.py", "b9.py"]
    assert footfall("report", "--tree", "--format", "markdown") == 0
    rows = capsys.readouterr().out.splitlines()[2:6]
    assert [row.split()[1] for row in rows] == ["src/", "src/core/", "src/core/a.py", "src/core/b9.py"]
    assert footfall("report", "--tree", "--sort", "miss") == 2
