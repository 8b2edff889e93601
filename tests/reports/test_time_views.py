"""`footfall report --by`: a profile by test, function, file, line, thread and process, with the error of each share."""

import json
import math

import pytest

from footfall.analyze.profile.calltree import Cost, Frame, Function, Profile, ProfiledThread, Squares
from footfall.analyze.profile.clocks import Clock, reader
from footfall.analyze.profile.rows import rows_from_profile
from footfall.analyze.profile.time_views import VIEWS, standard_error, view_profile
from footfall.cli.reports import report as report_command
from footfall.errors import UsageError
from footfall.record.data.coverage_tables import write_coverage
from footfall.record.data.profile_tables import write_profile
from footfall.record.data.timelines import TreeNode
from footfall.record.run.phase_times import PhaseTime
from footfall.report.hottest import profile_summary
from footfall.report.places import SOURCES
from footfall.report.profile.timetable import TimeTableOptions, render_times, times_by_report
from footfall.report.summary import plain_text
from footfall.report.times import times_report

pytestmark = pytest.mark.any_python

MS = 1_000_000


def cost(samples: int, cpu_share: float = 1.0) -> Cost:
    """So many samples of a millisecond, of which the thread ran for a share."""
    return Cost(wall_ns=samples * MS, cpu_ns=round(samples * MS * cpu_share), gil_ns=samples * MS, samples=samples)


@pytest.fixture
def profile() -> Profile:
    """`main` (a.py) calls `f` (b.py) in two tests; a second thread of another process waits."""
    main, f = Function("/p/a.py", "main", 1), Function("/p/b.py", "f", 10)
    frames = [Frame(main, 2, 2, None, None), Frame(f, 11, 11, None, None), Frame(f, 12, 12, None, None)]
    return Profile(
        frames=frames,
        nodes=[TreeNode(-1, -1), TreeNode(0, 0), TreeNode(1, 1), TreeNode(1, 2), TreeNode(2, 2)],
        threads=[ProfiledThread(7, 7, "main"), ProfiledThread(8, 9, "")],
        costs={
            (1, 0, ""): cost(10),
            (2, 0, "t.py::test_a|setup"): cost(20),
            (2, 0, "t.py::test_a|run"): cost(30),
            (3, 0, "t.py::test_b"): cost(35),
            (4, 0, "t.py::test_a|run"): cost(5),
            (1, 1, ""): cost(400, 0.0),
            (0, 1, ""): cost(100, 0.0),
        },
        n_processes=2,
        n_samples=600,
        interval_ns=MS,
    )


def rows(profile: Profile, by: str, **options: object) -> list[tuple[str, float, float]]:
    """(name, own, total) in milliseconds or samples, as the JSON report has them."""
    report = times_by_report(profile, TimeTableOptions(by, **options))
    unit = 1 if report["clock"] == "samples" else 1000
    found = report["rows"]
    assert isinstance(found, list)
    return [(row["name"], row["self"]["time"] * unit, row["total"]["time"] * unit) for row in found]


EXPECTED = {
    "test": [("t.py::test_a", 55, 55), ("t.py::test_b", 35, 35), ("(outside of tests)", 10, 10)],
    "phase": [("all else", 100, 100)],
    "function": [("f", 90, 90), ("main", 10, 100)],
    "file": [("/p/b.py", 90, 90), ("/p/a.py", 10, 100)],
    "line": [("f", 50, 55), ("f", 40, 40), ("main", 10, 100)],
    "thread": [("main (7 of process 7)", 100, 100), ("thread (9 of process 8)", 0, 0)],
    "process": [("process 7", 100, 100), ("process 8", 0, 0)],
}


@pytest.mark.parametrize("by", VIEWS)
def test_each_view_adds_up(profile, by):
    """Own and whole time of each row, the most first; the phases of a test are one."""
    assert rows(profile, by) == EXPECTED[by]


@pytest.mark.parametrize("name", ["gc", "import", "not read", "frames left out"])
def test_the_rows_of_json_and_what_has_none_are_the_total(profile, name):
    """What is no place in a source has no row, also where that is too little for a text's digits."""
    profile.frames.append(Frame(Function(f"<{name}>", f"<{name}>", 0), 0, 0, None, None))
    profile.nodes.append(TreeNode(1, len(profile.frames) - 1))
    profile.costs[len(profile.nodes) - 1, 0, ""] = Cost(wall_ns=1000, cpu_ns=1000, gil_ns=1000, samples=1)
    report = times_by_report(profile, TimeTableOptions("line"))
    own = sum(row["self"]["time"] for row in report["rows"])
    assert report["without_row"] == {name: 1e-6}
    assert own + 1e-6 == pytest.approx(report["total"], rel=1e-9)
    assert "In no row" not in plain_text(render_times(profile, TimeTableOptions("line")))
    profile.costs[len(profile.nodes) - 1, 0, ""] = cost(50)
    assert "In no row" in plain_text(render_times(profile, TimeTableOptions("line")))


PYTEST, UNITTEST = "/v/lib/python3.14/site-packages/_pytest", "/usr/lib/python3.14/unittest"
STACKS = {
    "tests": [(f"{PYTEST}/runner.py", "pytest_runtest_call"), ("/p/test_a.py", "test_a"), ("<import>", "<import a>")],
    "fixtures, setting up": [
        (f"{PYTEST}/runner.py", "pytest_runtest_setup"),
        (f"{UNITTEST}/case.py", "TestCase._callTestMethod"),
    ],
    "fixtures, tearing down": [(f"{UNITTEST}/case.py", "TestCase._callTearDown")],
    "collection": [(f"{PYTEST}/main.py", "Session.perform_collect"), ("<import>", "<import test_a>")],
    "imports": [("/v/bin/pytest", "<module>"), ("<import>", "<import pytest>"), (f"{PYTEST}/config.py", "<module>")],
    "all else": [("/p/runner.py", "pytest_runtest_call"), (f"{PYTEST}/terminal.py", "write")],
}


def test_phases_follow_from_the_outermost_function() -> None:
    """Of several processes that run tests each has its rows; what pytest's names in other files do is nothing."""
    frames, nodes, costs = [], [TreeNode(-1, -1)], {}
    for number, stack in enumerate(STACKS.values(), 1):
        parent = 0
        for path, name in stack:
            frames.append(Frame(Function(path, name, 1), 1, 1, None, None))
            nodes.append(TreeNode(parent, len(frames) - 1))
            parent = len(nodes) - 1
        costs[parent, 0, ""] = cost(10 * number)
    profile = Profile(frames, nodes, [ProfiledThread(7, 7, ""), ProfiledThread(8, 8, "")], costs, 2, 210, 0, 0, MS)
    assert dict((name, own) for name, own, _ in rows(profile, "phase")) == {
        name: pytest.approx(10 * number) for number, name in enumerate(STACKS, 1)
    }
    costs[3, 1, ""] = cost(5)
    found = [name for name, _, _ in rows(profile, "phase")]
    assert "tests (process 8)" in found
    assert "imports (process 7)" in found


def test_sorting_and_other_clocks(profile):
    """By whole time, by name, by samples; wall time and looks count the waiting thread as well."""
    assert [name for name, _, _ in rows(profile, "function", sort="total")] == ["main", "f"]
    assert [name for name, _, _ in rows(profile, "file", sort="name")] == ["/p/a.py", "/p/b.py"]
    assert [name for name, _, _ in rows(profile, "function", sort="samples")] == ["main", "f"]
    assert rows(profile, "function", clock=Clock.WALL) == [("main", 410, 500), ("f", 90, 90)]
    assert rows(profile, "process", clock=Clock.SAMPLES) == [("process 8", 500, 500), ("process 7", 100, 100)]
    assert len(rows(profile, "line", count=2)) == 2
    with pytest.raises(UsageError, match="bad-sort"):
        rows(profile, "line", sort="cover")


def test_the_error_is_the_binomials(profile):
    """Of 100 samples with a running clock, whatever the waiting thread adds; one and nothing have none."""
    view = view_profile(profile, "function", reader(Clock.CPU), SOURCES)
    assert (view.n_samples, view.total) == (100, 100 * MS)
    report = times_by_report(profile, TimeTableOptions("function"))
    assert report["rows"][0]["self"]["share"] == pytest.approx(0.9)
    assert report["rows"][0]["self"]["error"] == pytest.approx(math.sqrt(0.9 * 0.1 / 100))
    assert standard_error(0.5, 0) == standard_error(1.0, 9) == standard_error(0.0, 9) == 0.0


def test_samples_that_came_late_are_worth_fewer(profile):
    """Of 100 samples, one of which counts for half of the time, the error is that of four; of equal ones, of all."""
    profile.squares = [Squares(cpu=(50 * MS) ** 2 + 99 * (50 * MS / 99) ** 2, wall=1.0), Squares()]
    assert view_profile(profile, "function", reader(Clock.CPU), SOURCES).n_samples == 4
    profile.squares[0].cpu = 100.0 * MS**2
    assert view_profile(profile, "function", reader(Clock.CPU), SOURCES).n_samples == 100
    assert view_profile(profile, "function", reader(Clock.SAMPLES), SOURCES).n_samples == 500


def test_text_shows_the_slowest_lines_of_a_test(profile):
    """Under each test its lines with their part of its time; at the end what was left out, and the clock."""
    text = plain_text(render_times(profile, TimeTableOptions("test", count=1)))
    first, row, *others = text.splitlines()
    assert first.split() == ["Time", "Time%", "+-", "Samples", "Test"]
    assert row.split() == ["0.055", "s", "55.0", "5.0", "55", "t.py::test_a"]
    assert [line.split() for line in others[:2]] == [
        ["90.9%", "0.050", "s", "/p/b.py:11"],
        ["9.1%", "0.005", "s", "/p/b.py:12"],
    ]
    assert others[-2] == "2 more; -n 0 shows all." and "CPU time, 0.100 s in all; 600 samples" in others[-1]


def test_lines_of_a_measured_test_have_shares_and_no_times(profile):
    """A sample of 5 ms in a test of 0.3 ms says where it was, not how long."""
    times = {"t.py::test_a|run": PhaseTime(1, MS, 300_000)}
    text = plain_text(render_times(profile, TimeTableOptions("test", count=3), times))
    measured = [line.split() for line in text.splitlines()]
    at = next(number for number, words in enumerate(measured) if words[-1:] == ["t.py::test_a"])
    assert measured[at][:2] == ["0.0003", "s"]
    assert measured[at + 1 : at + 3] == [["90.9%", "/p/b.py:11"], ["9.1%", "/p/b.py:12"]]


def test_command(profile, tmp_path, footfall):
    """Text and JSON from a data file; what can't be is said."""
    with write_coverage(tmp_path / ".coverage", {}, has_arcs=False) as connection:
        write_profile(connection, rows_from_profile(profile))
    done = footfall("report", "--by", "function", "--sort", "total", "-n", 1)
    assert done.returncode == 0 and done.stdout.splitlines()[1].endswith("main  /p/a.py:1")
    found = json.loads(footfall("report", "--by", "test", "--format", "json", "--contexts", "test_b").stdout)
    assert [row["name"] for row in found["rows"]] == ["t.py::test_b"]
    assert found["rows"][0]["slowest_lines"] == [{"file": "/p/b.py", "line": 12, "time": 0.035, "share": 1.0}]
    for wrong, slug in (
        (["--by", "file", "--format", "markdown"], "bad-format"),
        (["--by", "file", "--sort", "cover"], "bad-sort"),
        (["-n", "3"], "by-missing"),
        (["--by", "file", "--contexts", "("], "bad-pattern"),
        (["--by", "file", "a.py"], "by-whole"),
        (["--by", "file", "--include", "a.py"], "by-whole"),
        (["--by", "file", "--fail-under", "90"], "by-whole"),
    ):
        done = footfall("report", *wrong)
        assert done.returncode == 2 and f"[{slug}]" in done.stderr


def test_who_holds_the_gil_and_who_waits_for_it(profile, tmp_path, footfall):
    """By thread, time with the GIL is shown beside time of waiting for it and its share of what is known; so in JSON."""
    for (node, thread, _), each in profile.costs.items():
        if thread == 1:
            each.gil_ns, each.gil_wait_ns, each.gil_untold_ns = (
                0,
                each.wall_ns // 2 * (node != 0),
                100 * MS * (node == 0),
            )
    text = plain_text(render_times(profile, TimeTableOptions("thread", Clock.GIL)))
    lines = [line.split() for line in text.splitlines()]
    assert lines[0] == ["Time", "Time%", "+-", "Waits", "Waits%", "+-", "Unknown%", "Samples", "Thread"]
    assert lines[1][:9] == ["0.100", "s", "100.0", "0.0", "0.000", "s", "0.0", "0.0", "0.0"]
    assert lines[2][4:9] == ["0.200", "s", "40.0", "2.2", "20.0"]
    waiting = plain_text(render_times(profile, TimeTableOptions("function", Clock.GIL_WAIT)))
    assert "Not counted: 0.100 s of 0.600 s" in waiting
    assert "Waits" not in plain_text(render_times(profile, TimeTableOptions("thread", Clock.WALL)))
    found = times_by_report(profile, TimeTableOptions("thread", Clock.GIL))["rows"][1]["gil"]
    assert found == {"held_seconds": 0.0, "waited_seconds": 0.2, "untold_seconds": 0.1, "wall_seconds": 0.5}
    threads = times_report(profile)["times"]["threads"]
    assert [(each["process"], each["gil_seconds"], each["gil_wait_seconds"]) for each in threads] == [
        (7, 0.1, 0),
        (8, 0, 0.2),
    ]
    assert rows(profile, "function", clock=Clock.GIL_WAIT)[0] == ("main", 200, 200)
    for each in profile.costs.values():
        each.gil_wait_ns, each.gil_untold_ns = 0, each.wall_ns
    assert "No sample could tell" in plain_text(render_times(profile, TimeTableOptions("thread", Clock.GIL)))
    with write_coverage(tmp_path / ".coverage", {}, has_arcs=False) as connection:
        write_profile(connection, rows_from_profile(profile))
    assert "no sample could tell" in footfall("report", "--by", "thread", "--clock", "gil-wait").stderr


def test_what_pypys_sampler_does_not_know(profile, tmp_path, footfall):
    """Wall times, the GIL and lines: no number is shown as such."""
    for each in profile.costs.values():
        each.gil_ns, each.wall_ns = 0, each.cpu_ns
    profile.frames = [
        frame._replace(line=frame.function.first_line, end_line=frame.function.first_line, column=None)
        for frame in profile.frames
    ]
    with write_coverage(tmp_path / ".coverage", {}, has_arcs=False) as connection:
        write_profile(connection, rows_from_profile(profile))
    for clock in ("wall", "gil", "gil-wait"):
        for command in (["report", "--by", "file"], ["export", "-o", "x.pstats"], ["flame"]):
            assert "[clock-unknown]" in footfall(*command, "--clock", clock).stderr
    assert footfall("report", "--by", "file", "--clock", "samples").returncode == 0
    assert "each line is a function's first" in footfall("report", "--by", "line").stdout
    found = profile_summary(profile, 5)
    assert found.hot_functions and not found.hot_lines and not found.other_lines


def test_the_commands_choices_are_the_views():
    """They are written twice so that the command need not import the analysis."""
    assert report_command._VIEWS == VIEWS
