"""The coverage reports: the numbers, the text and the JSON of coverage.py, from the same data file."""

import contextlib
import gc
import html
import io
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Iterator

import pytest

from footfall.analyze.profile.calltree import Cost, Frame, Function, Profile, ProfiledThread
from footfall.analyze.profile.clocks import Clock
from footfall.analyze.profile.rows import rows_from_profile
from footfall.cli.main import main
from footfall.errors import FootfallError, UsageError
from footfall.record.data.coverage_tables import FileData, write_coverage
from footfall.record.data.profile_tables import write_profile
from footfall.record.data.timelines import TreeNode
from footfall.report.coverage.text import TableOptions, render_table
from footfall.report.hottest import profile_summary
from footfall.report.profile.collapsed import render_collapsed
from footfall.report.summary import HotSpot, Summary, Times, plain_text, render_summary
from footfall.report.times import time_share_by_file

pytestmark = pytest.mark.any_python

coverage = pytest.importorskip("coverage")

PROGRAM = {
    "main.py": '''\
"""The start."""
import sys
from package.part import Thing, choose, unused

def run(n):
    for i in range(n):
        if i % 2:
            choose(i)
        elif i > 100:
            print("never")
    while True:
        break
    return Thing().value(n)

if __name__ == "__main__":
    try:
        run(5)
    except ValueError:
        print("no")
    finally:
        x = [y for y in range(3) if y]
''',
    "package/__init__.py": "",
    "package/part.py": '''\
import os

class Thing:
    """A class."""
    size = 3

    def value(self, n):
        if n: return n
        return 0

    class Inner:
        def deep(self):
            def local():
                return 1
            return local

    @property
    def skipped(self):  # pragma: no cover
        return 1

def choose(i):
    match i:
        case 1:
            return "one"
        case _:
            with open(os.devnull) as f:
                return f.read()

def unused():
    return {
        1:
            2,
    }
''',
    "package/clean.py": "X = 1\n",
    "package/part10.py": "Y = 1\nif Y:\n    Z = 1\n",
    "package/part9.py": "Y = 1\n",
    "package/only_comment.py": "# nothing\n",
}

TIME_KEYS = {"timestamp", "version"}


@pytest.fixture(scope="module", params=[True, False], ids=["branches", "lines"])
def measured(request, tmp_path_factory) -> pathlib.Path:
    """The directory of a program that ran under coverage.py, with its data file."""
    folder = tmp_path_factory.mktemp("program")
    for name, text in PROGRAM.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "coverage", "run", "--source=.", *(["--branch"] if request.param else [])]
    subprocess.run([*command, "main.py"], cwd=folder, check=True)
    return folder


@pytest.fixture
def program(measured: pathlib.Path, tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """The measured program's directory, current, with no configuration left in it."""
    with contextlib.chdir(measured):
        yield measured
        for name in (".coveragerc", "ours.json", "theirs.json"):
            pathlib.Path(name).unlink(missing_ok=True)


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    output = capsys.readouterr()
    status = ended.value.code
    assert isinstance(status, int)
    return status, output.out, output.err


def _theirs(*arguments: str) -> tuple[int, str]:
    from coverage.cmdline import main as coverage_main

    text = io.StringIO()
    with contextlib.redirect_stdout(text), warnings.catch_warnings():
        # it leaves its databases to the garbage collector, which may complain about them in any later test
        warnings.simplefilter("ignore", ResourceWarning)
        status = coverage_main(list(arguments))
        gc.collect(1)
    return status or 0, text.getvalue()


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize(
    "options",
    [
        [],
        ["-m"],
        ["--skip-covered"],
        ["--skip-covered", "--skip-empty", "-m"],
        ["--sort=-cover"],
        ["--sort=miss"],
        ["--sort=-Stmts"],
        ["--sort=-name"],
        ["--precision=3", "-m"],
        ["--include=package/*"],
        ["--include=*part*", "--omit=*9*"],
        ["--omit=main.py"],
        ["--fail-under=99"],
        ["--fail-under=10"],
        ["--fail-under=87.55"],
    ],
    ids=" ".join,
)
def test_the_text_report_is_that_of_coverage(capsys, options: list[str]) -> None:
    """The table, the last lines and the exit status are the same, character for character."""
    status, text, errors = _run(capsys, "report", *options)
    assert (status, text) == _theirs("report", *options)
    assert errors == ""


CONFIGURATIONS = [
    "[report]\nexclude_also =\n    if i % 2:\n    class Inner\nshow_missing = yes\n",
    "[report]\nexclude_lines =\n    except\nprecision = 1\n",
    "[report]\nfail_under = 95\nskip_covered = true\nsort = cover\n",
    "[report]\npartial_also =\n    elif\nomit = *part9*\n",
    "[report]\npartial_branches_always =\nshow_missing = 1\n",
]


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_the_configuration_shapes_both_alike(capsys, program, configuration: str) -> None:
    """Settings from a .coveragerc give the same table and exit status as coverage.py."""
    (program / ".coveragerc").write_text(configuration, encoding="utf-8")
    status, text, _ = _run(capsys, "report")
    assert (status, text) == _theirs("report")


def _without_times(path: str) -> dict[str, object]:
    report = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    report["meta"] = {key: value for key, value in report["meta"].items() if key not in TIME_KEYS}
    report.pop("footfall", None)
    return report


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize(
    "options", [[], ["--pretty-print"], ["--include=package/*"], ["--fail-under=99"], ["--show-contexts"]], ids=" ".join
)
def test_the_json_report_is_that_of_coverage(capsys, options: list[str]) -> None:
    """All of format 3 is the same but for version and time: files, functions, classes, totals."""
    status, _, _ = _run(capsys, "json", "-o", "ours.json", *options)
    assert status == _theirs("json", "-o", "theirs.json", *options)[0]
    ours, theirs = _without_times("ours.json"), _without_times("theirs.json")
    assert ours == theirs
    assert list(ours["files"]) == list(theirs["files"])


def test_coverage_reports_the_same_from_our_copy(capsys, program, tmp_path) -> None:
    """The data read and written again by us gives coverage.py's reports the same numbers."""
    theirs = coverage.CoverageData(str(program / ".coverage"))
    theirs.read()
    files = {
        name: FileData({"": set(theirs.lines(name))}, {"": set(theirs.arcs(name) or ())})
        for name in theirs.measured_files()
    }
    copy = tmp_path / "copy"
    with write_coverage(copy, files, has_arcs=theirs.has_arcs(), touched=theirs.measured_files()):
        pass
    theirs.close()
    before = _theirs("report", "-m")
    assert _theirs("report", "-m", f"--data-file={copy}") == before
    assert _theirs("html", "-q", f"--data-file={copy}", "-d", str(tmp_path / "html"))[0] == 0


@pytest.mark.usefixtures("program")
def test_paths_of_another_machine_are_mapped(capsys, tmp_path) -> None:
    """With `[paths]`, data whose files were elsewhere is reported on the files here, as coverage.py does it."""
    elsewhere = tmp_path / "elsewhere"
    data = coverage.CoverageData(str(elsewhere))
    data.add_lines({"/ci/build/package/part9.py": [1], str(pathlib.Path("package/part10.py").resolve()): [1, 2]})
    data.write()
    data.close()
    pathlib.Path(".coveragerc").write_text("[paths]\nhere =\n    package\n    /ci/*/package\n", encoding="utf-8")
    option = f"--data-file={elsewhere}"
    status, text, _ = _run(capsys, "report", option)
    assert (status, text) == _theirs("report", option)
    assert "part9" in text


def test_a_file_that_cannot_be_read_is_listed(capsys, tmp_path, monkeypatch) -> None:
    """A missing source, or one that is no Python, ends no report, is in no total, and fails any threshold unless ignored."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.py").write_text("a = 1\n", encoding="utf-8")
    (tmp_path / "bad.py").write_text("a = = 1\n", encoding="utf-8")
    (tmp_path / "page.html").write_text("<p>= =</p>", encoding="utf-8")
    for name, slug, why in (
        ("gone.py", "no-source", f"No source for code: '{tmp_path}/gone.py'. No such file"),
        ("bad.py", "not-python", f"Couldn't parse '{tmp_path}/bad.py' as Python source: 'invalid syntax' at line 1."),
    ):
        files = {str(tmp_path / each): FileData({"": {1}}) for each in ("good.py", "page.html", name)}
        with write_coverage(".coverage", files, has_arcs=False):
            pass
        for format_ in ("text", "markdown"):
            status, text, errors = _run(capsys, "report", f"--format={format_}")
            assert (status, errors.count(f"[{slug}]")) == (0, 1)
            table, _, note = text.partition("Not in the total:\n")
            assert "100%" in table.splitlines()[-2]
            assert note.startswith(f"{name}: {why}")
            assert len(note.splitlines()) == 1
        assert _run(capsys, "json", "-q")[0] == 0
        ours = json.loads(pathlib.Path("coverage.json").read_text(encoding="utf-8"))
        assert ours["footfall"]["unreadable_files"][name].endswith(f"[{slug}]")
        assert ours["totals"]["num_statements"] == 1
        assert _run(capsys, "html", "-q")[0] == 0
        page = pathlib.Path("htmlcov/index.html").read_text(encoding="utf-8")
        assert f"<pre>Not in the total:\n{name}: {html.escape(why)}" in page
        for command in ("report", "json", "xml", "lcov", "html", "annotate"):
            status, text, errors = _run(capsys, command, "--fail-under=50")
            assert (status, f"[{slug}]" in errors) == (2, True), command
            assert "Coverage failure: 1 file can't be read, fail-under is 50." in text
            assert _run(capsys, command, "--fail-under=50", "-i")[0] == 0
        status, text, errors = _run(capsys, "report", "-i")
        assert status == 0
        assert f"[{slug}]" in errors
        assert text.splitlines()[-1].split() == ["TOTAL", "1", "0", "100%"]
        assert _run(capsys, "report", "good.py", name)[0] == 3
        assert _run(capsys, "report", f"--include={name}")[0] == 3


def test_a_file_is_found_by_any_name_of_it(capsys, tmp_path, monkeypatch) -> None:
    """With relative names in the data too: given as it is there, absolute, or by a way round."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.py").write_text("a = 1\nb = 2\n", encoding="utf-8")
    for is_relative in (True, False):
        (tmp_path / ".coveragerc").write_text(f"[run]\nrelative_files = {is_relative}\n", encoding="utf-8")
        stored = "in/a.py" if is_relative else str(tmp_path / "in/a.py")
        with write_coverage(".coverage", {stored: FileData({"": {1}})}, has_arcs=False):
            pass
        for name in ("in/a.py", str(tmp_path / "in/a.py"), "in/../in/./a.py"):
            status, text, _ = _run(capsys, "report", name)
            assert (status, text.splitlines()[-1].split()) == (0, ["TOTAL", "2", "1", "50%"])
            if ".." not in name:  # coverage.py takes that for another file, of which nothing ran
                assert (status, text) == _theirs("report", name)


def test_what_is_no_file_is_not_read(capsys, tmp_path, monkeypatch) -> None:
    """A pipe or a device would be waited for, or read for ever; a link may lead to itself."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.py").write_text("a = 1\n", encoding="utf-8")
    os.mkfifo("pipe.py")
    os.mkdir("folder.py")
    os.symlink("loop.py", "loop.py")
    os.symlink("/dev/zero", "device.py")
    with open("large.py", "wb") as file:
        file.truncate(1 << 40)
    names = ("pipe.py", "folder.py", "loop.py", "device.py", "large.py")
    files = {str(tmp_path / each): FileData({"": {1}}) for each in ("good.py", *names, "good.py/inside.py")}
    with write_coverage(".coverage", files, has_arcs=False):
        pass
    status, text, errors = _run(capsys, "report")
    assert (status, errors.count("[no-source]")) == (0, 6)
    assert text.splitlines()[4].split() == ["TOTAL", "1", "0", "100%"]
    for reason in ("no regular file", "symbolic links", "more than 64 MB", "Not a directory"):
        assert reason in text


@pytest.mark.parametrize("name", ["packed.zip", "packed.pyz", "packed"])
def test_a_source_in_a_zip_file_is_read(name, capsys, tmp_path, monkeypatch) -> None:
    """A module that was imported from a zip file is reported with its source from there, whatever the file's name is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "inner.py").write_text("a = 1\nif a:\n    b = 2\n", encoding="utf-8")
    os.rename(shutil.make_archive("archive", "zip", "in"), name)
    with write_coverage(".coverage", {str(tmp_path / name / "inner.py"): FileData({"": {1, 2}})}, has_arcs=False):
        pass
    status, text, _ = _run(capsys, "report", "-m")
    assert status == 0
    assert text.splitlines()[-1].split() == ["TOTAL", "3", "1", "67%"]
    if name.endswith(".zip"):  # the only name that coverage.py knows of these
        assert (0, text) == _theirs("report", "-m")


@pytest.mark.parametrize(
    ("options", "slug", "status"),
    [
        (["--sort=colour"], "bad-sort", 2),
        (["--precision=-1"], "bad-precision", 2),
        (["--fail-under=101"], "bad-fail-under", 2),
        (["--include=nothing/*"], "no-report-data", 3),
        (["--include=a**b"], "bad-glob", 2),
        (["--data-file=nowhere"], "no-data", 3),
    ],
)
@pytest.mark.usefixtures("program")
def test_what_a_report_cannot_do_is_an_error(capsys, options: list[str], slug: str, status: int) -> None:
    """Each wrong option has its slug and exit status."""
    code, _, errors = _run(capsys, "report", *options)
    assert code == status
    assert f"[{slug}]" in errors
    assert "Traceback" not in errors


def _profile(folder: pathlib.Path) -> Profile:
    """Main calls part and waits: 30 ms of CPU in part, 10 ms in main, 60 ms of waiting in main."""
    part, main_file = str(folder / "package" / "part.py"), str(folder / "main.py")
    run, choose = Function(main_file, "run", 5), Function(part, "choose", 22)
    return Profile(
        frames=[Frame(run, 8, 8, 12, 21), Frame(choose, 28, 28, None, None), Frame(run, 6, 6, 4, 8)],
        nodes=[TreeNode(-1, -1), TreeNode(0, 0), TreeNode(1, 1), TreeNode(0, 2)],
        threads=[ProfiledThread(1, 1, "main")],
        costs={
            (2, 0, ""): Cost(30_000_000, 30_000_000, 30_000_000, 30),
            (3, 0, ""): Cost(70_000_000, 10_000_000, 10_000_000, 70),
            (0, 0, ""): Cost(5_000_000, 0, 0, 5),
        },
        n_processes=1,
        n_samples=105,
        n_dropped=2,
        interval_ns=1_000_000,
    )


def _copy_with_profile(program: pathlib.Path, target: pathlib.Path) -> None:
    shutil.copy(program / ".coverage", target)
    with contextlib.closing(sqlite3.connect(target)) as connection:
        write_profile(connection, rows_from_profile(_profile(program)))
        connection.commit()


def test_time_is_a_column_of_the_table(capsys, program, tmp_path) -> None:
    """With a profile the table has each file's own share of CPU time, and is sorted by it when asked."""
    data = tmp_path / "data"
    _copy_with_profile(program, data)
    status, text, _ = _run(capsys, "report", f"--data-file={data}", "--sort=-time")
    assert status == 0
    header, _, first, second, *rest = text.splitlines()
    assert header.split()[-1] == "Time"
    assert (first.split()[0], first.split()[-1]) == ("package/part.py", "75.0%")
    assert (second.split()[0], second.split()[-1]) == ("main.py", "25.0%")
    assert rest[-1].split()[-1] == "100.0%"
    assert _theirs("report", f"--data-file={data}") == _theirs("report")


def test_times_are_in_the_json_report(capsys, program, tmp_path) -> None:
    """The key "footfall" has own and whole times by file, function and line; the rest stays coverage.py's."""
    data = tmp_path / "data"
    _copy_with_profile(program, data)
    _run(capsys, "json", f"--data-file={data}", "-o", "ours.json")
    _theirs("json", f"--data-file={data}", "-o", "theirs.json")
    assert _without_times("ours.json") == _without_times("theirs.json")
    times = json.loads(pathlib.Path("ours.json").read_text(encoding="utf-8"))["footfall"]["times"]
    run = times["files"]["main.py"]["functions"]["run"]
    assert run["own"]["cpu_seconds"] == pytest.approx(0.01)
    assert run["total"]["cpu_seconds"] == pytest.approx(0.04)
    assert run["start_line"] == 5
    assert times["files"]["package/part.py"]["lines"]["28"]["own"]["samples"] == 30
    assert (times["samples"], times["dropped_samples"]) == (105, 2)


def test_stacks_are_collapsed(capsys, program, tmp_path) -> None:
    """`flame` writes one line for each stack, outermost first, to a file or to stdout; files of coverage.py have none."""
    data = tmp_path / "data"
    _copy_with_profile(program, data)
    status, text, _ = _run(capsys, "flame", f"--data-file={data}", "-o", "-")
    assert status == 0
    main_file, part = program / "main.py", program / "package" / "part.py"
    assert sorted(text.splitlines()) == sorted(
        ["(no Python code) 5", f"run ({main_file}) 70", f"run ({main_file});choose ({part}) 30"]
    )
    assert "".join(render_collapsed(_profile(program))) == text
    _run(capsys, "flame", f"--data-file={data}", "-o", str(tmp_path / "new" / "stacks.txt"), "--lines")
    assert f"choose ({part}:28) 30" in (tmp_path / "new" / "stacks.txt").read_text(encoding="utf-8")
    _, text, _ = _run(capsys, "flame", f"--data-file={data}", "-o", "-", "--clock=cpu")
    assert f"run ({main_file}) 10000\n" in text
    status, _, errors = _run(capsys, "flame")
    assert status == 3
    assert "[no-profile]" in errors


def test_the_clock_is_cpu_time_where_there_is_some(program) -> None:
    """Shares are of CPU time; without any (PyPy), of the time between samples. Time outside Python is left out."""
    profile = _profile(program)
    main_file = str(program / "main.py")
    assert time_share_by_file(profile, [main_file])[main_file] == pytest.approx(25)
    for cost in profile.costs.values():
        cost.cpu_ns = 0
    assert time_share_by_file(profile, [main_file])[main_file] == pytest.approx(70)


def test_a_clock_is_chosen_afterwards(capsys, program, tmp_path) -> None:
    """`report --clock` takes the shares of another clock of the same recording."""
    data = tmp_path / "data"
    _copy_with_profile(program, data)
    profile = _profile(program)
    main_file = str(program / "main.py")
    assert time_share_by_file(profile, [main_file], Clock.GIL)[main_file] == pytest.approx(25)
    assert time_share_by_file(profile, [main_file], Clock.SAMPLES)[main_file] == pytest.approx(70)
    for clock, share in (("cpu", "25"), ("wall", "70"), ("gil", "25"), ("samples", "70")):
        _, text, _ = _run(capsys, "report", f"--data-file={data}", f"--clock={clock}")
        (row,) = [line for line in text.splitlines() if line.startswith("main.py")]
        assert f" {share}" in row


def test_the_summary_names_the_hottest_first(program) -> None:
    """Lines and functions are ranked by own time, with places that can be clicked on."""
    times = profile_summary(_profile(program), 10)
    assert [(spot.name, spot.place) for spot in times.hot_lines] == [
        ("choose", "package/part.py:28"),
        ("run", "main.py:6"),
    ]
    assert [(spot.name, spot.place, round(spot.percent)) for spot in times.hot_functions] == [
        ("choose", "package/part.py:22", 75),
        ("run", "main.py:5", 25),
    ]
    assert len(profile_summary(_profile(program), 1).hot_lines) == 1


def test_the_summary_shows_what_comes_next() -> None:
    """Data file and next commands are named, with --data-file where it is not the usual one; no control characters."""
    spot = HotSpot("f\x1b[31m", "a.py:3", 1_500_000_000, 75.0)
    times = Times(2_000_000_000, 99, 1, 1, 2_000_000, [spot], [spot])
    text = plain_text(render_summary(Summary(None, False, 0, "x/data", False, times)))
    assert "f\\x1b[31m" in text
    assert "75.0%     1.50 s  a.py:3" in text
    assert "99 samples of 1 process, 500 a second, 2.00 s of CPU time in all; 1 dropped (1.0%)" in text
    assert "footfall flame --data-file=x/data" in text
    assert "footfall report -m" not in text


def test_relative_files_are_reported_from_the_project(capsys, program, tmp_path, monkeypatch) -> None:
    """Data with relative paths is reported on the project it is in now, as coverage.py does it."""
    copy = tmp_path / "moved"
    shutil.copytree(program, copy)
    monkeypatch.chdir(copy)
    pathlib.Path(".coveragerc").write_text(
        "[run]\nrelative_files = true\n[report]\ninclude = package/*\n", encoding="utf-8"
    )
    with write_coverage(
        ".coverage", {"package/part10.py": FileData({"": {1, 2}})}, has_arcs=False, touched=["main.py"]
    ):
        pass
    status, text, _ = _run(capsys, "report", "-m")
    assert (status, text) == _theirs("report", "-m")
    assert "part10" in text


def test_an_empty_table_has_its_total() -> None:
    """No results give a header and a total of nothing, as all files may be skipped."""
    assert render_table([], TableOptions()).splitlines()[-1].split() == ["TOTAL", "0", "0", "100%"]
    assert issubclass(UsageError, FootfallError)
