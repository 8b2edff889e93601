"""Every report format against coverage.py's own, from data of coverage.py: two projects, all options, byte for byte.

Replaced on both sides before comparing: version, time, and the comment that says what wrote the file. In JSON the
contexts of a line are sorted first; coverage.py's order changes from run to run.
"""

import contextlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from both_reports import compare_reports, run_ours, run_theirs, without_writer
from footfall.cli.main import main

pytestmark = pytest.mark.any_python

pytest.importorskip("coverage")

LEDGER = {
    "ledger/__init__.py": '"""A ledger & its <accounts>."""\nfrom ledger.book import Book\n',
    "ledger/book.py": '''\
from __future__ import annotations
import typing
if typing.TYPE_CHECKING:
    from collections.abc import Iterable


class Book:
    """Entries, in order."""

    class Closed(Exception):
        pass

    def __init__(self, entries: Iterable[int] = ()) -> None:
        self.entries = list(entries)
        self.is_open = True

    def add(self, amount: int,
            *, times: int = 1) -> int:
        if not self.is_open: raise self.Closed
        for _ in range(times):
            self.entries.append(
                amount,
            )
        else:
            times = 0
        return len(self.entries)

    @property
    def total(self):
        return sum(e for e in self.entries if e)

    @total.setter
    def total(self, value):
        with open(value) as a, \\
             open(value) as b:
            return a, b

    def close(self):
        def undo():
            self.is_open = True
        def undo():  # noqa: F811
            self.is_open = None
        self.is_open = False
        try:
            return undo
        finally:
            if self.entries:
                self.entries.sort()


def classify(amount):
    match amount:
        case 0:
            return "nothing"
        case int(x) if x < 0:
            return "debt"
        case _:
            pass
    while True:
        if amount > 10: break
        amount += 5
    return "assets" if amount > 11 else "a\\"'"


def skipped():  # pragma: no cover
    return 1


def never(a):
    if a:  # pragma: no branch
        return [
            a,
        ]
    yield
''',
    "ledger/deep/er/__init__.py": "",
    "ledger/deep/er/rules10.py": "LIMIT = 3\nif LIMIT > 5:\n    LIMIT = 5\n",
    "ledger/deep/er/rules9.py": "X = lambda: 1\n\f\nY = [\n  X,\n  1]\n",
    "ledger/deep/__init__.py": "# nothing here\n",
    "tools.py": "def helper(x):\n    return x and\\\n        not x\n",
    "start.py": """\
import ledger, tools
from ledger.book import classify
import ledger.deep.er.rules9, ledger.deep.er.rules10

def test_add():
    book = ledger.Book([3])
    book.add(5, times=2)
    book.total

def test_close():
    book = ledger.Book()
    book.close()
    classify(-1)

def test_classify():
    classify(3)

test_add()
test_close()
test_classify()
""",
    ".coveragerc": "[run]\ndynamic_context = test_function\nsource = .\n",
}

CLICK = {
    "start.py": """\
import click
from click.testing import CliRunner

@click.group()
@click.option("--level", type=click.IntRange(0, 3), default=1, show_default=True)
def group(level): pass

@group.command()
@click.argument("names", nargs=-1)
@click.option("-v", "--verbose", count=True)
def hello(names, verbose):
    for name in names:
        click.secho(name, fg="red")

for arguments in (["hello", "a", "b", "-vv"], ["--help"], ["hello", "--nothing"], ["--level=9", "hello"]):
    CliRunner().invoke(group, arguments)
""",
    ".coveragerc": "[run]\nsource_pkgs = click\n",
}


def _measure(folder: pathlib.Path, files: dict[str, str], *options: str) -> pathlib.Path:
    """Write a project, let coverage.py measure it, and leave no configuration in it."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "coverage", "run", *options, "start.py"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (folder / ".coveragerc").unlink(missing_ok=True)
    return folder


@pytest.fixture(scope="module", params=[["--branch"], []], ids=["branches", "lines"])
def ledger(request, tmp_path_factory) -> pathlib.Path:
    """A project of its own, in its directory."""
    return _measure(tmp_path_factory.mktemp("ledger"), LEDGER, *request.param)


@pytest.fixture(scope="module")
def click(tmp_path_factory) -> pathlib.Path:
    """An installed package, measured and reported from elsewhere."""
    return _measure(tmp_path_factory.mktemp("click"), CLICK, "--branch")


@pytest.fixture
def project(ledger: pathlib.Path) -> Iterator[pathlib.Path]:
    """The first project's directory, current."""
    with contextlib.chdir(ledger):
        yield ledger
        pathlib.Path(".coveragerc").unlink(missing_ok=True)


FORMATS = ["report", "report -m", "report --format=markdown", "report --format=markdown -m", "report --format=total"]
FORMATS += ["json", "json --pretty-print", "xml", "lcov"]
SELECTIONS = ["--include=*/ledger/*,*/click/c*", "--omit=*book*,*core*", "--fail-under=99.5", "--fail-under=12"]
SELECTED = [f"{name} {selection}" for name in ("report -m", "json", "xml", "lcov") for selection in SELECTIONS]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("command", [*FORMATS, *SELECTED])
def test_a_report_is_that_of_coverage(capsys, command: str) -> None:
    """The same bytes and the same exit status, for each format and selection of files."""
    compare_reports(capsys, command)


@pytest.mark.parametrize("command", [*FORMATS, *SELECTED[::5]])
def test_a_report_of_an_installed_package_is_that_of_coverage(capsys, click, command: str) -> None:
    """The same for files outside of the current directory."""
    with contextlib.chdir(click):
        compare_reports(capsys, command)


CONFIGURATIONS = {
    "skips": "[report]\nskip_covered = true\nskip_empty = true\nprecision = 2\n",
    "sorted": "[report]\nsort = -cover\nshow_missing = true\nformat = markdown\n",
    "rules": "[report]\nexclude_also =\n    raise\n    case _\npartial_also =\n    for \nfail_under = 50\n",
    "flat xml": "[xml]\npackage_depth = 1\n[lcov]\nline_checksums = true\n",
    "sources": "[run]\nsource =\n    ledger\n    nowhere\n[xml]\npackage_depth = 2\n",
    "ignoring": "[report]\nignore_errors = true\nomit = */deep/*\n",
    "contexts": "[report]\ncontexts =\n    test_add\n    _close\n",
}


@pytest.mark.parametrize("format_", ["report", "json", "xml", "lcov"])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_configuration_shapes_each_format_alike(capsys, project, name: str, format_: str) -> None:
    """Settings from a .coveragerc have the same effect on every format."""
    (project / ".coveragerc").write_text(CONFIGURATIONS[name], encoding="utf-8")
    compare_reports(capsys, format_)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    "options",
    [
        "report --contexts=test_add",
        "report --contexts=nothing,close$ -m",
        "report --contexts=nothing",
        "json --contexts=test_.*ify",
        "report --skip-covered --no-skip-covered",
        "report --skip-covered --skip-empty --precision=1",
        "report -i --sort=-miss --format=markdown",
        "xml --skip-empty",
        "report start.py",
        "report -m start.py start.py",
        "json --fail-under=100 start.py",
        "lcov -i start.py",
        "xml --include=start.py start.py",
    ],
)
def test_options_do_the_same(capsys, options: str) -> None:
    """Options and file arguments, of measured files and of others, as in coverage.py."""
    compare_reports(capsys, options)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("format_", ["json", "xml", "lcov"])
def test_stdout_has_the_same(capsys, format_: str) -> None:
    """With `-o -` a report goes to stdout, the same bytes and nothing else."""
    (status, ours), (their_status, theirs) = run_ours(capsys, format_, "-o", "-"), run_theirs(format_, "-o", "-")
    assert (status, without_writer(ours)) == (their_status, without_writer(theirs))


def test_annotated_sources_are_the_same(capsys, ledger: pathlib.Path, click: pathlib.Path) -> None:
    """The same copies under the same names, in a directory for all."""
    for where in (ledger, click):
        with contextlib.chdir(where):
            assert run_ours(capsys, "annotate", "-q", "-d", "a")[0] == run_theirs("annotate", "-d", "b")[0] == 0
            ours, theirs = (
                {path.name: re.sub(rb"(?m) +$", b"", path.read_bytes()) for path in pathlib.Path(name).iterdir()}
                for name in ("a", "b")  # a form feed before a line's first word is a blank in theirs
            )
            assert len(ours) > 3 and ours == theirs
            shutil.rmtree("a")
            shutil.rmtree("b")


def test_annotated_sources_of_one_directory_are_the_same(capsys, project: pathlib.Path) -> None:
    """Each copy is beside its source; another run writes it anew."""
    run_ours(capsys, "annotate", "-q", "--include=*/bo*,start*")
    copies = {path: path.read_bytes() for path in project.rglob("*,cover")}
    assert len(copies) == 2
    assert run_theirs("annotate", "--include=*/bo*,start*")[0] == 0
    assert {path: path.read_bytes() for path in project.rglob("*,cover")} == copies
    for path in copies:
        path.unlink()


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("options", ["--show-contexts", "--show-contexts --contexts=_add,classify"])
def test_contexts_are_shown_alike(capsys, options: str) -> None:
    """The contexts of each line are the same ones."""
    status, _ = run_ours(capsys, "json", "-o", "ours", *options.split())
    assert status == run_theirs("json", "-o", "theirs", *options.split())[0]
    written = [json.loads(without_writer(pathlib.Path(name).read_text("utf-8"))) for name in ("ours", "theirs")]
    for report in written:
        for file in report["files"].values():
            for part in (file, *file["functions"].values(), *file["classes"].values()):
                part["contexts"] = {line: sorted(labels) for line, labels in part["contexts"].items()}
    assert written[0] == written[1]


def test_relative_data_is_reported_alike(capsys, tmp_path, monkeypatch) -> None:
    """With relative_files, names in the data and sources in the settings are taken as they are."""
    monkeypatch.chdir(tmp_path)
    settings = "[run]\nrelative_files = true\nbranch = true\nsource = ./ledger/,.\n"
    _measure(tmp_path, {**LEDGER, ".coveragerc": settings})
    (tmp_path / ".coveragerc").write_text("[run]\nrelative_files = true\nsource = ledger\n", encoding="utf-8")
    for command in ("report -m", "json", "xml", "lcov", "report start.py"):
        compare_reports(capsys, command)


def test_names_are_escaped_alike(capsys, tmp_path, monkeypatch) -> None:
    """Names with what XML, Markdown and terminals give a meaning to are written as coverage.py writes them."""
    monkeypatch.chdir(tmp_path)
    for name in ("a&b.py", "<c>.py", "d|*e_f.py", "g\nh.py", "i\x1bj.py", "ü n.py"):
        (tmp_path / name).write_text("a = 1\nif a > 1:\n    b = 2\n", encoding="utf-8")
    (tmp_path / "start.py").write_text(
        "import glob, runpy\nfor n in sorted(glob.glob('*.py')):\n    if n != 'start.py': runpy.run_path(n)\n",
        encoding="utf-8",
    )
    subprocess.run([sys.executable, "-m", "coverage", "run", "--branch", "start.py"], check=True)
    for command in ("report -m", "report -m --format=markdown", "json", "xml", "lcov"):
        compare_reports(capsys, command)


def test_a_file_below_two_sources_is_named_from_the_nearest(capsys, project) -> None:
    """Where sources are nested, XML names each file from the inner one; coverage.py's choice changes by chance."""
    (project / ".coveragerc").write_text("[run]\nsource = .,ledger/deep,ledger\n", encoding="utf-8")
    _, text = run_ours(capsys, "xml", "-o", "-")
    names = set(re.findall(r'filename="([^"]*)"', text))
    rules = {"er/__init__.py", "er/rules9.py", "er/rules10.py"}
    assert names == {"start.py", "tools.py", "__init__.py", "book.py"} | rules


def test_an_unknown_report_format_is_an_error(capsys, project) -> None:
    """An unknown format is a usage error with its slug, also from the settings."""
    (project / ".coveragerc").write_text("[report]\nformat = fancy\n", encoding="utf-8")
    for arguments in (["report", "--format=fancy"], ["report"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        assert "[bad-format]" in capsys.readouterr().err
