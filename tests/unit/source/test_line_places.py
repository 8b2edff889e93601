"""Tables by line: which function a line is named by, texts of one name, and what has no line."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest

from footfall.analyze.gaps import times_in_files
from footfall.analyze.profile.calltree import Cost, Frame, Function, Profile, ProfiledThread, times_of_functions
from footfall.analyze.profile.clocks import Clock
from footfall.analyze.profile.rows import rows_from_profile
from footfall.analyze.test_costs import find_tests
from footfall.cli.main import main
from footfall.live.model import LiveModel, Measure, _Log
from footfall.record.data.coverage_tables import FileData, write_coverage
from footfall.record.data.profile_tables import write_profile
from footfall.record.data.timelines import TreeNode
from footfall.record.run.node_table import Node
from footfall.record.run.sample_log import Sample, SampledCode, SampledThread, SampleLog
from footfall.report.hottest import profile_summary
from footfall.report.places import SOURCES
from footfall.report.profile.timetable import TimeTableOptions, render_times, times_by_report
from footfall.report.site.changes import changes_payload, numbers_from_json, numbers_of_report, numbers_to_json
from footfall.report.site.flame_page import flame_payload
from footfall.report.summary import Summary, plain_text, render_summary
from footfall.report.times import times_report
from site_data import payloads

MS = 1_000_000

MAIN = Function("/p/main.py", "<module>", 1)
IMPORT_JSON, IMPORT_RE = Function("<import>", "<import json>", 0), Function("<import>", "<import re>", 0)
COLLECTOR = Function("<gc>", "<gc>", 0)


def profile_of(*stacks: tuple[Iterable[tuple[Function, int]], int], label: str = "", cpu: bool = True) -> Profile:
    """A profile of (stack, milliseconds); a stack is (function, line), outermost first."""
    profile = Profile(threads=[ProfiledThread(1, 1, "main")], n_processes=1, interval_ns=MS)
    for stack, ms in stacks:
        node = 0
        for function, line in stack:
            frame = Frame(function, line, line, None, None)
            if frame not in profile.frames:
                profile.frames.append(frame)
            child = TreeNode(node, profile.frames.index(frame))
            if child not in profile.nodes:
                profile.nodes.append(child)
            node = profile.nodes.index(child)
        cost = profile.costs.setdefault((node, 0, label), Cost())
        cost.add(Cost(ms * MS, ms * MS if cpu else 0, 0, ms))
        profile.n_samples += ms
    return profile


def rows(profile: Profile, by: str) -> list[tuple[str, str, int, int]]:
    """(name, file, line, own ms) as `report --by` has them."""
    report = times_by_report(profile, TimeTableOptions(by))
    assert isinstance(report["rows"], list)
    return [
        (row["name"], row.get("file", ""), row.get("line", 0), round(1000 * row["self"]["time"]))
        for row in report["rows"]
        if row["self"]["time"]
    ]


@pytest.fixture
def shared_names() -> Profile:
    """`costly` and `cheap` are of two texts called <string>; a line of main.py is a function's and its generator's."""
    costly, cheap = Function("<string>", "costly", 2), Function("<string>", "cheap", 2)
    total, inner = Function("/p/main.py", "total", 4), Function("/p/main.py", "total.<locals>.<genexpr>", 5)
    return profile_of(
        ([(MAIN, 9), (costly, 3)], 60),
        ([(MAIN, 9), (cheap, 3)], 10),
        ([(MAIN, 9), (total, 5), (inner, 5)], 25),
        ([(MAIN, 9), (total, 5)], 5),
    )


@pytest.mark.any_python
def test_a_line_is_named_by_what_took_the_most_time(shared_names: Profile) -> None:
    """One row for a line of a file; of a name that is no file each function's own, in the table and the summary."""
    expected = [
        ("costly", "<string>", 3, 60),
        ("total.<locals>.<genexpr>", "/p/main.py", 5, 30),
        ("cheap", "<string>", 3, 10),
    ]
    assert rows(shared_names, "line") == expected
    spots = profile_summary(shared_names, 10).hot_lines
    assert [(spot.name, spot.place, spot.self_ns // MS) for spot in spots] == [
        (name, f"{path}:{line}", ms) for name, path, line, ms in expected
    ]
    shared_names.frames.reverse()  # whatever the order they come in
    last = len(shared_names.frames) - 1
    shared_names.nodes[1:] = [TreeNode(node.parent, last - node.frame) for node in shared_names.nodes[1:]]
    assert rows(shared_names, "line") == expected


@pytest.mark.any_python
def test_json_and_tests_keep_texts_apart(shared_names: Profile) -> None:
    """The JSON report has lines of a name that is no file under their functions; a test's slowest lines are as many."""
    files = times_report(shared_names)["times"]["files"]
    assert files["<string>"]["lines"] == {}
    functions = files["<string>"]["functions"]
    assert functions["costly"]["lines"]["3"]["own"]["samples"] == 60
    assert functions["cheap"]["lines"]["3"]["own"]["samples"] == 10
    assert files["/p/main.py"]["lines"]["5"]["own"]["samples"] == 30
    shared_names.costs = {(node, thread, "t.py::test"): cost for (node, thread, _), cost in shared_names.costs.items()}
    (test,) = find_tests({}, shared_names, SOURCES, {})
    found = sorted((place.path, place.line, place.name, cost.samples) for place, cost in test.lines.items())
    assert found == [("/p/main.py", 5, "", 30), ("<string>", 3, "cheap", 10), ("<string>", 3, "costly", 60)]


@pytest.mark.any_python
def test_texts_under_one_name_that_could_be_a_files(tmp_path: Path) -> None:
    """`exec(compile(text, "made.py", "exec"))`, twice: no such file is in the directory, so each text has its rows."""
    made = str(tmp_path / "made.py")
    first, second = Function(made, "<module>", 1), Function(made, "load", 2)
    profile = profile_of(([(MAIN, 9), (first, 3)], 20), ([(MAIN, 9), (second, 3)], 10))
    assert rows(profile, "line") == [("<module>", made, 3, 20), ("load", made, 3, 10)]
    Path(made).write_text("x = 1\n")
    assert rows(profile, "line") == [("<module>", made, 3, 30)]


@pytest.fixture
def with_imports() -> Profile:
    """Two imports below main.py, one of which runs a library's module, and a collection."""
    library = Function("/usr/lib/python3.13/json/__init__.py", "<module>", 1)
    return profile_of(
        ([(MAIN, 1), (IMPORT_JSON, 0)], 30),
        ([(MAIN, 1), (IMPORT_JSON, 0), (library, 7)], 20),
        ([(MAIN, 2), (IMPORT_RE, 0)], 10),
        ([(MAIN, 3), (COLLECTOR, 0)], 15),
        ([(MAIN, 3)], 25),
    )


@pytest.mark.any_python
def test_each_import_is_a_row_and_no_place(with_imports: Profile) -> None:
    """Imports and the collector are rows by function, by name; by line and file they are in a note, not in a row."""
    assert rows(with_imports, "function") == [
        ("<import json>", "<import>", 0, 30),
        ("<module>", "/p/main.py", 1, 25),
        ("<module>", "/usr/lib/python3.13/json/__init__.py", 1, 20),
        ("<gc>", "<gc>", 0, 15),
        ("<import re>", "<import>", 0, 10),
    ]
    assert [(path, line, ms) for _, path, line, ms in rows(with_imports, "line")] == [
        ("/p/main.py", 3, 25),
        ("/usr/lib/python3.13/json/__init__.py", 7, 20),
    ]
    assert [name for name, *_ in rows(with_imports, "file")] == ["/p/main.py", "/usr/lib/python3.13/json/__init__.py"]
    text = plain_text(render_times(with_imports, TimeTableOptions("line")))
    assert "In no row: garbage collection 0.015 s, finding and loading modules 0.040 s." in text
    assert "In no row" not in plain_text(render_times(with_imports, TimeTableOptions("function")))
    times = times_report(with_imports)["times"]
    assert set(times["files"]) == {"/p/main.py", "/usr/lib/python3.13/json/__init__.py"}
    assert times["without_source"]["<import json>"]["total"]["samples"] == 50


@pytest.mark.any_python
def test_the_summary_has_the_project_first(with_imports: Profile) -> None:
    """Then, under a heading of their own, libraries and imports; footfall's own code is in neither."""
    own = Function("/venv/lib/python3.13/site-packages/footfall/observe/start.py", "start", 1)
    profile = with_imports
    profile.frames.append(Frame(own, 5, 5, None, None))
    profile.nodes.append(TreeNode(0, len(profile.frames) - 1))
    profile.costs[len(profile.nodes) - 1, 0, ""] = Cost(100 * MS, 100 * MS, 0, 100)
    text = plain_text(render_summary(Summary(None, False, 0, "d", True, profile_summary(profile, 10))))
    _, lines, functions = text.split("Hottest ", 2)[0], *text.split("Hottest functions, own CPU time\n")
    assert (
        lines.index("/p/main.py:3") < lines.index("libraries and the interpreter") < lines.index("json/__init__.py:7")
    )
    assert "<import" not in lines and "<gc>" not in lines
    project, other = functions.split("Hottest functions in libraries and the interpreter, own CPU time\n")
    assert project.split() == ["12.5%", "25", "ms", "/p/main.py:1", "<module>"]
    assert other.index("<import json>") < other.index("json/__init__.py:1") < other.index("<gc>")
    assert "observe/start.py" not in text
    assert "start.py" not in plain_text(render_times(profile, TimeTableOptions("function")))
    assert "In no row: footfall itself 0.100 s." in plain_text(render_times(profile, TimeTableOptions("function")))


@pytest.mark.any_python
def test_a_table_has_the_project_first(with_imports: Profile) -> None:
    """Other code stands under its heading with a third of the rows that were asked for; JSON has one ranking."""

    def shown(count: int) -> list[str]:
        lines = plain_text(render_times(with_imports, TimeTableOptions("function", count=count))).splitlines()
        rows = lines[1 : lines.index("")]
        return [row if row.startswith("In ") else row.split(maxsplit=9)[9] for row in rows]

    heading = "In libraries and the interpreter:"
    project, other = (
        ["<module>  /p/main.py:1"],
        ["<import json>", "<module>  json/__init__.py:1", "<gc>", "<import re>"],
    )
    assert shown(0) == [*project, heading, *other]
    assert shown(1) == project
    assert shown(3) == [*project, heading, *other[:2]]
    assert rows(with_imports, "function")[0][0] == "<import json>"
    assert "3 more; -n 0 shows all." in plain_text(render_times(with_imports, TimeTableOptions("function", count=2)))


@pytest.mark.any_python
def test_gaps_do_not_count_imports_and_collections(with_imports: Profile) -> None:
    """A line that imports, or at which a collection began, has its own time; code below an import its own too."""
    below = Function("/p/part.py", "<module>", 1)
    deeper = profile_of(([(MAIN, 1), (IMPORT_JSON, 0), (below, 4)], 8), ([(MAIN, 1), (IMPORT_JSON, 0)], 5))
    assert times_in_files(with_imports, ["/p/main.py"], lambda cost: cost.samples) == {"/p/main.py": {3: 25}}
    found = times_in_files(deeper, ["/p/main.py", "/p/part.py"], lambda cost: cost.samples)
    assert found == {"/p/part.py": {4: 8}}


@pytest.mark.any_python
def test_wall_time_is_called_so() -> None:
    """Where no sample has CPU time, the summary and the tables say that their times are wall times."""
    waits = profile_of(([(MAIN, 3)], 25), cpu=False)
    runs = profile_of(([(MAIN, 3)], 25))
    reported = "No thread was seen to use CPU time, so these are wall times."
    for profile, is_wall in ((waits, True), (runs, False)):
        text = plain_text(render_summary(Summary(None, False, 0, "d", True, profile_summary(profile, 10))))
        assert ("Hottest lines, own wall time" in text) is is_wall
        assert ("25 ms of wall time in all" in text) is is_wall
        assert ("25 ms of CPU time in all" in text) is not is_wall
        assert (reported in text) is is_wall
        table = plain_text(render_times(profile, TimeTableOptions("line")))
        assert (reported in table) is is_wall
        assert "wall times" not in plain_text(render_times(profile, TimeTableOptions("line", Clock.WALL)))


def _two_of_a_name(first: int, second: int, first_ms: int, second_ms: int) -> Profile:
    """A property and its setter, of one name, that begin at two lines."""
    return profile_of(*_pair_of_a_name(first, second, first_ms, second_ms))


def _pair_of_a_name(
    first: int, second: int, first_ms: int, second_ms: int
) -> list[tuple[list[tuple[Function, int]], int]]:
    getter, setter = (Function("/p/a.py", "C.value", line) for line in (first, second))
    return [([(getter, first + 1)], first_ms), ([(setter, second + 1)], second_ms)]


OTHERS = [([(Function("/p/a.py", f"other_{number}", 1), 2)], 500) for number in range(10)]
"""What did not change, and so tells how much runs differ."""


SAME_NAME = {
    "at the same lines each is compared": ((10, 20, 500, 100), [("C.value", 20, 400_000, 100_000)]),
    "at other lines they count together": ((11, 21, 500, 100), [("C.value (2 of that name)", 11, 900_000, 600_000)]),
    "with as much together nothing is said": ((11, 21, 100, 800), []),
}


@pytest.mark.any_python
@pytest.mark.parametrize(("now", "expected"), SAME_NAME.values(), ids=SAME_NAME)
def test_changes_of_functions_with_one_name(
    now: tuple[int, int, int, int], expected: list[tuple[str, int, int, int]]
) -> None:
    """Never is the time of one function held against that of another that has its name."""

    def numbers(profile: Profile):
        return numbers_of_report(None, profile, times_of_functions(profile), {})

    before = numbers(profile_of(*_pair_of_a_name(10, 20, 500, 400), *OTHERS))
    for earlier in (before, numbers_from_json(json.loads(json.dumps(numbers_to_json(before))))):
        changes = changes_payload(earlier, numbers(profile_of(*_pair_of_a_name(*now), *OTHERS)), {}, "")
        found = [(row[0], row[2], row[4], row[5]) for row in changes["functions"]] if changes else []
        assert found == expected


@pytest.mark.any_python
def test_a_flame_graph_of_two_profiles_matches_names() -> None:
    """One function that moved is matched; several of a name are, one by one, where they begin at the same lines."""

    def functions(before: Profile, now: Profile) -> list[tuple[str, int]]:
        payload = flame_payload(
            now, shown=str, pages={}, coverage_of=lambda _: None, is_library=lambda _: False, before=before
        )
        return [(name, line) for _, name, line, _ in payload["functions"]]

    same = _two_of_a_name(10, 20, 5, 4)
    assert functions(same, _two_of_a_name(10, 20, 5, 1)) == [("C.value", 10), ("C.value", 20)]
    assert functions(same, _two_of_a_name(11, 21, 5, 1)) == [("C.value", 11)]
    one, moved = (profile_of(([(Function("/p/a.py", "f", line), line)], 5)) for line in (3, 4))
    assert functions(one, moved) == [("f", 4)]


TEXTS = """
import time
costly = "def costly():\\n    end = time.process_time() + 0.3\\n    while time.process_time() < end: pass\\n"
cheap = "def cheap():\\n    end = time.process_time() + 0.05\\n    while time.process_time() < end: pass\\n"
for text in (costly, cheap):
    exec(text)
costly()
cheap()
"""


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy's samples have functions only")
def test_sources_of_one_name_are_distinguished_in_a_run(
    footfall: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """The summary and the table of a real run name the function that took the time."""
    (tmp_path / "main.py").write_text(TEXTS)
    run = footfall("run", "--no-cover", sys.executable, "main.py")
    assert run.returncode == 0, run.stderr
    hottest = run.stderr.split("own CPU time\n", 1)[1].splitlines()[0]
    assert hottest.endswith("<string>:3  costly")
    found = json.loads(footfall("report", "--by=line", "--format=json").stdout)["rows"]
    of_texts = {row["name"]: row["self"]["time"] for row in found if (row["file"], row["line"]) == ("<string>", 3)}
    assert of_texts["costly"] > 2 * of_texts["cheap"] > 0


@pytest.mark.any_python
def test_top_distinguishes_functions_of_one_name() -> None:
    """Rows are by function, and stand-ins have no line."""
    log = SampleLog("1-0.smp")
    log.pid, log.units_are_lines = 1, True
    log.threads[0] = SampledThread(1, "main")
    log.codes = {1: SampledCode("/p/a.py", "C.value", 10, b""), 2: SampledCode("/p/a.py", "C.value", 20, b"")}
    log.codes[3] = SampledCode("<gc>", "<gc>", 0, b"")
    for number, node in enumerate((Node(0, 1, 11), Node(0, 2, 21), Node(2, 3, 0)), 1):
        log.nodes[number] = node
    log.samples = [Sample(0, node, 0, ms * MS, ms * MS, 0, True, 1) for node, ms in ((1, 5), (2, 3), (3, 2))]
    read = _Log.__new__(_Log)  # as if it had been followed up to here
    read.follower, read.stacks = SimpleNamespace(log=log), {}
    model = LiveModel()
    model._add(read)
    rows_by_function = model.rows(Measure.CPU, by_line=False, by_total=False)
    functions = [(row.spot.name, row.spot.first_line, row.own // MS) for row in rows_by_function]
    assert functions == [("C.value", 10, 5), ("C.value", 20, 3), ("<gc>", 0, 2)]
    lines = [(row.spot.line, row.own // MS) for row in model.rows(Measure.CPU, by_line=True, by_total=False)]
    assert lines == [(11, 5), (21, 3)]


@pytest.fixture
def profile_alone(shared_names: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data file as `attach` and `run --no-cover` leave it, in the current directory."""
    monkeypatch.chdir(tmp_path)
    with write_coverage(tmp_path / ".coverage", {}, has_arcs=False) as connection:
        write_profile(connection, rows_from_profile(shared_names))
    return tmp_path


def _main(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return int(caught.value.code or 0)


@pytest.mark.any_python
def test_a_profile_without_coverage_is_reported(profile_alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`report` shows the times, `html` makes a site of them, both with status 0; no page says anything of coverage."""
    assert _main("report", "-m") == 0
    shown = capsys.readouterr()
    assert "costly  <string>:2" in shown.out and "Cover" not in shown.out
    assert "[no-coverage]" in shown.err
    assert _main("html") == 0
    site = profile_alone / "htmlcov"
    assert sorted(path.name for path in site.glob("*.html")) == ["flame.html", "index.html"]
    pages = payloads(site)
    assert pages["index.html"]["hot"][0][:3] == ["costly", "<string>", 2]
    assert sum(pages["flame.html"]["costs"][3]) == 100
    assert [is_own for name, _, is_own in pages["flame.html"]["files"]] == [1, 1]
    assert json.loads((site / "footfall.json").read_text())["total"] is None


@pytest.mark.any_python
@pytest.mark.parametrize(
    "arguments",
    [["json"], ["xml"], ["lcov"], ["gaps"], ["annotate"], ["report", "--format=total"], ["report", "main.py"]],
    ids=lambda arguments: " ".join(arguments),
)
def test_what_needs_coverage_reports_that_there_is_none(
    profile_alone: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """Not that an option is to be looked at, and nothing is written."""
    assert _main(*arguments) == 3
    error = capsys.readouterr().err
    assert "has a profile and no coverage" in error and "footfall html" in error and "[no-coverage]" in error
    assert [path.name for path in profile_alone.iterdir() if path.name != ".footfall"] == [".coverage"]


@pytest.mark.any_python
@pytest.mark.parametrize("command", ["report", "html"])
def test_no_coverage_reaches_no_threshold(
    profile_alone: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """The times are shown, and the status is that of a total which is too low."""
    assert _main(command, "--fail-under=1") == 2
    assert "there is no coverage in .coverage, fail-under is 1" in capsys.readouterr().out


@pytest.mark.any_python
@pytest.mark.parametrize("uses_cpu", [True, False], ids=["CPU time", "wall time"])
def test_the_coverage_table_names_the_time_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], uses_cpu: bool
) -> None:
    """A note below it where the shares are of wall time, unless that was asked for."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text("x = 1\ny = 2\n")
    function = Function(str(tmp_path / "a.py"), "<module>", 1)
    with write_coverage(tmp_path / ".coverage", {function.path: FileData({"": {1, 2}})}, has_arcs=False) as connection:
        write_profile(connection, rows_from_profile(profile_of(([(function, 2)], 5), cpu=uses_cpu)))
    note = "Time is wall time: no thread was seen to use CPU time."
    assert _main("report") == 0
    assert (note in capsys.readouterr().out) is not uses_cpu
    assert _main("report", "--clock=wall") == 0
    assert note not in capsys.readouterr().out
