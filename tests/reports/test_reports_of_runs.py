"""What `footfall run` recorded of two real projects opens in coverage.py with the same results, and the other way round.

Every report format and option on one data file, byte for byte; then a run of several processes, with contexts and a
profile, in all commands of both.
"""

import importlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from both_reports import compare_reports, run_ours, run_theirs, without_ours, without_writer

pytestmark = pytest.mark.any_python

pytest.importorskip("coverage")

# a part of each project, as coverage.py analyses all of it anew for each report
MEASURED = {
    "click": "__init__ _textwrap _winconsole decorators exceptions formatting globals parser",
    "rich": "align box cells columns containers errors markup measure padding rule table themes tree",
}
FEW = {"click": "exceptions globals", "rich": "align padding tree"}

START = """\
import io, subprocess, sys

import click
from click.testing import CliRunner
from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from footfall.observe.contexts import switch

@click.group()
@click.option("--level", type=click.IntRange(0, 3), default=1, show_default=True)
def group(level): pass

@group.command()
@click.argument("names", nargs=-1)
@click.option("-v", "--verbose", count=True)
def hello(names, verbose):
    for name in names:
        click.secho(name, fg="red")

def test_commands():
    for arguments in (["hello", "a", "b", "-vv"], ["--help"], ["hello", "--nothing"]):
        CliRunner().invoke(group, arguments)

def test_errors():
    CliRunner().invoke(group, ["--level=9", "hello"])

def test_tables():
    table = Table("name", "size", title="[red]all[/] files", show_lines=True)
    table.add_row("a" * 100, "[b]2[/b]")
    Console(file=io.StringIO(), width=60).print(table)

def test_trees():
    tree = Tree("root")
    tree.add("leaf").add("another")
    Console(file=io.StringIO(), width=60).print(tree)

def call(name):
    switch("__main__." + name)  # what dynamic_context = test_function is to coverage.py
    globals()[name]()
    switch("")

if len(sys.argv) > 1:
    call(sys.argv[1])
else:
    call("test_commands")
    call("test_trees")
    for name in ("test_errors", "test_tables"):
        subprocess.run([sys.executable, __file__, name], check=True)
"""

SETTINGS = "[run]\nbranch = true\ndynamic_context = test_function\nparallel = {parallel}\npatch = subprocess\ninclude =\n{include}"


def _write(folder: pathlib.Path, measured: dict[str, str], *, parallel: bool = False) -> None:
    """Write a program that uses copies of two installed packages, and the settings to measure it."""
    for name in measured:
        package = pathlib.Path(importlib.import_module(name).__file__).parent
        shutil.copytree(package, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "start.py").write_text(START, encoding="utf-8")
    included = [f"    */{package}/{name}.py\n" for package, names in measured.items() for name in names.split()]
    settings = SETTINGS.format(parallel=str(parallel).lower(), include="".join([*included, "    start.py\n"]))
    (folder / ".coveragerc").write_text(settings, encoding="utf-8")


def _run(folder: pathlib.Path, *command: str) -> None:
    subprocess.run([sys.executable, "-m", *command], cwd=folder, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> pathlib.Path:
    """A directory with the data of a run of ours, without times, which coverage.py's table has no column for."""
    folder = tmp_path_factory.mktemp("recorded")
    _write(folder, MEASURED)
    _run(folder, "footfall", "run", "-q", "--no-profile", "start.py")
    (folder / ".coveragerc").unlink()
    return folder


REPORTS = """\
report
report -m
report -m --format=markdown
report --format=total
report --format=total --precision=3
report -m --skip-covered --skip-empty --sort=-cover
report --sort=miss --precision=2 --include=*/rich/*
report -m --omit=*/rich/*,start.py --contexts=test_(commands|trees)
report --contexts=test_errors --skip-covered --format=markdown
report --fail-under=99
report --fail-under=10
json
json --pretty-print
json --contexts=test_tables --fail-under=99 --include=*/rich/t*
xml
xml --skip-empty --omit=*/click/*
xml --fail-under=99 --include=start.py,*/rich/*
lcov
lcov --fail-under=99 --include=*/rich/*
"""


@pytest.mark.parametrize("command", REPORTS.splitlines())
def test_a_report_of_our_data_is_that_of_coverage(capsys, recorded, monkeypatch, command: str) -> None:
    """From data of `footfall run`, all formats and options give the same bytes and exit status."""
    monkeypatch.chdir(recorded)
    compare_reports(capsys, command)


SETTINGS_BY_REPORT = {
    "xml": "[xml]\npackage_depth = 1\n[report]\ncontexts = test_errors\n",
    "lcov": "[lcov]\nline_checksums = true\n[report]\ncontexts = test_trees\n",
}


@pytest.mark.parametrize("format_", SETTINGS_BY_REPORT)
def test_settings_that_have_no_option_do_the_same(capsys, recorded, monkeypatch, format_: str) -> None:
    """Contexts, depth of XML's packages, checksums of LCOV's lines."""
    monkeypatch.chdir(recorded)
    (recorded / "settings").write_text(SETTINGS_BY_REPORT[format_], encoding="utf-8")
    compare_reports(capsys, f"{format_} --rcfile=settings")


@pytest.mark.parametrize("format_", ["report -m", "json", "xml", "lcov"])
def test_a_source_that_is_gone_is_left_out_alike(capsys, recorded, monkeypatch, format_: str) -> None:
    """With -i the other files are reported; without, coverage.py fails, and ours names the file below the others."""
    monkeypatch.chdir(recorded)
    source = recorded / "rich/table.py"
    source.rename(recorded / "kept")
    try:
        compare_reports(capsys, f"{format_} -i", warning="no-source")
        status, text = run_ours(capsys, "report", warning="no-source")
        assert (status, run_theirs("report")[0]) == (0, 1)
        assert text.startswith(run_theirs("report", "-i")[1])
        assert "Not in the total:\nrich/table.py: No source for code" in text
    finally:
        (recorded / "kept").rename(source)


def _show_contexts(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """Return the files of both JSON reports with contexts, those of a line sorted."""
    assert run_ours(capsys, "json", "-o", "ours", "--show-contexts")[0] == 0
    assert run_theirs("json", "-q", "-o", "theirs", "--show-contexts")[0] == 0
    found = []
    for name in ("ours", "theirs"):
        files = json.loads(pathlib.Path(name).read_text(encoding="utf-8"))["files"]
        for file in files.values():
            for part in (file, *file["functions"].values(), *file["classes"].values()):
                part["contexts"] = {line: sorted(labels) for line, labels in part["contexts"].items()}
        found.append(files)
    return found


def _compare_all(capsys: pytest.CaptureFixture[str]) -> None:
    """Compare what both tell of the data file `.coverage` here, the sites too."""
    ours, theirs = _show_contexts(capsys)
    assert ours == theirs
    contexts = {label for file in ours.values() for labels in file["contexts"].values() for label in labels}
    assert contexts == {"", *(f"__main__.test_{name}" for name in ("commands", "errors", "tables", "trees"))}
    for command in ("report --format=total --precision=6", "json", "xml", "lcov"):
        compare_reports(capsys, command)
    assert run_ours(capsys, "html", "-q", "-d", "ours.html")[0] == 0
    assert run_theirs("html", "-q", "--show-contexts", "-d", "theirs.html")[0] == 0
    status = json.loads(pathlib.Path("theirs.html/status.json").read_text(encoding="utf-8"))["files"]
    theirs = {}
    for file in status.values():
        numbers = file["index"]["nums"]
        n_missing = numbers["n_missing"] + numbers["n_missing_branches"]
        n_all = numbers["n_statements"] + numbers["n_branches"]
        theirs[file["index"]["file"]] = pytest.approx(100 * (n_all - n_missing) / n_all if n_all else 100)
    assert json.loads(pathlib.Path("ours.html/footfall.json").read_text(encoding="utf-8"))["files"] == theirs
    assert set(theirs) == set(ours)


def test_data_goes_both_ways(capsys, tmp_path, monkeypatch) -> None:
    """A run of several processes of each tool, alone and both in one, reads and combines the same in either."""
    _write(tmp_path, FEW, parallel=True)
    monkeypatch.chdir(tmp_path)
    _run(tmp_path, "footfall", "run", "-q", "start.py")
    (our_data,) = tmp_path.glob(".coverage.*")
    our_data.rename(tmp_path / "ours.data")
    _run(tmp_path, "coverage", "run", "start.py")
    their_data = [shutil.move(path, tmp_path / path.name[1:]) for path in tmp_path.glob(".coverage.*")]
    assert len(their_data) == 3
    (tmp_path / ".coveragerc").unlink()

    shutil.copy("ours.data", ".coverage")
    _compare_all(capsys)
    totals = {}
    for name, parts in {"ours": ["ours.data"], "theirs": their_data, "both": ["ours.data", *their_data]}.items():
        for tool in ("footfall", "coverage"):
            os.unlink(".coverage")
            _run(tmp_path, tool, "combine", "-q", "--keep", *map(str, parts))
            if (name, tool) in (("theirs", "footfall"), ("both", "coverage")):
                _compare_all(capsys)
            totals[name, tool] = without_writer(without_ours(run_ours(capsys, "json", "-o", "-")[1]))
        assert totals[name, "footfall"] == totals[name, "coverage"]
