"""`footfall export`: each format, read back by its own reader."""

import gzip
import json
import pathlib
import pstats
import sys

import pytest

from footfall.analyze.profile.calltree import Cost, Frame, Function, Profile, ProfiledThread
from footfall.analyze.profile.clocks import Clock
from footfall.cli.main import main
from footfall.record.data.timelines import Timelines, TreeNode
from footfall.report.profile.collapsed import render_collapsed
from footfall.report.profile.gecko import render_gecko
from footfall.report.profile.pprof import render_pprof
from footfall.report.profile.pstats import render_pstats
from footfall.report.profile.speedscope import render_speedscope
from protobuf_schemas import read_message
from site_data import SEND, TOTAL, make_profile, write_project

pytestmark = pytest.mark.any_python


def _run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return int(caught.value.code or 0)


def test_pstats_reads_it(tmp_path) -> None:
    """Own and whole time by function and by caller; recursion is counted once."""
    path = tmp_path / "run.pstats"
    path.write_bytes(render_pstats(make_profile(tmp_path)))
    stats = pstats.Stats(str(path))
    assert stats.total_tt == pytest.approx(0.1)
    rows = {name: row for (_, _, name), row in stats.stats.items()}
    assert rows["send"][:4] == (100, 100, 0, pytest.approx(0.1))
    assert rows["Invoice.total"][2:4] == (pytest.approx(0.08), pytest.approx(0.08))
    ((caller, row),) = rows["Invoice.total"][4].items()
    assert caller[2] == "send"
    assert row[2:] == (pytest.approx(0.08), pytest.approx(0.08))
    stats.print_callers()


def test_recursion_in_pstats(tmp_path) -> None:
    """A function below itself: whole time once, own time all, and by its caller the outermost call only."""
    fib = Frame(Function("/p/fib.py", "fib", 1), 2, 2, None, None)
    nodes = [TreeNode(-1, -1), TreeNode(0, 0), TreeNode(1, 0), TreeNode(2, 0)]
    costs = {(node, 0, ""): Cost(10**9, 10**9, 0, 1) for node in (1, 2, 3)}
    profile = Profile([fib], nodes, [ProfiledThread(1, 1, "main")], costs, 1, 3, 0, 0, 10**6)
    path = tmp_path / "run.pstats"
    path.write_bytes(render_pstats(profile))
    ((_, row),) = pstats.Stats(str(path)).stats.items()
    assert row[2:4] == (3, 3)


def test_protobuf_reads_pprof(tmp_path) -> None:
    """Every clock is a value, stacks are innermost first, labels name thread and test; no field is unknown."""
    profile = read_message(
        "perftools.profiles.Profile", gzip.decompress(b"".join(render_pprof(make_profile(tmp_path))))
    )
    texts = profile.string_table
    assert texts[0] == ""
    assert [(texts[each.type], texts[each.unit]) for each in profile.sample_type] == [
        ("samples", "count"), ("cpu", "nanoseconds"), ("wall", "nanoseconds"), ("gil", "nanoseconds"),
        ("gil-wait", "nanoseconds"),
    ]  # fmt: skip
    values = [sum(sample.value[i] for sample in profile.sample) for i in range(5)]
    assert values == [100, 10**8, 2 * 10**8, 5 * 10**7, 25 * 10**6]
    functions = {each.id: texts[each.name] for each in profile.function}
    locations = {each.id: (functions[each.line[0].function_id], each.line[0].line) for each in profile.location}
    stacks = {tuple(locations[each] for each in sample.location_id): sample for sample in profile.sample}
    sample = stacks[("Invoice.total", 9), ("send", 19)]
    labels = {texts[label.key]: texts[label.str] or label.num for label in sample.label}
    assert labels == {"thread": "main", "thread_id": 77, "pid": 77, "context": f"{SEND}|run"}
    assert texts[profile.default_sample_type] == "cpu"
    assert profile.period == 1_000_000
    whole = profile.SerializeToString()
    profile.DiscardUnknownFields()
    assert profile.SerializeToString() == whole


def _without_order(profile: Profile) -> Profile:
    """The profile as a data file has it that was written before the order in time was kept."""
    profile.timelines = Timelines()
    return profile


def test_speedscope(tmp_path) -> None:
    """A profile for each thread, in the order of time with the chosen clock's weights; frames have file, line and column."""
    file = json.loads("".join(render_speedscope(make_profile(tmp_path), Clock.WALL)))
    frames = file["shared"]["frames"]
    main_thread, worker = file["profiles"]
    assert main_thread["unit"] == "nanoseconds"
    rows = [
        (frames[sample[-1]]["line"] if sample else 0, weight // 1_000_000)
        for sample, weight in zip(main_thread["samples"], main_thread["weights"], strict=True)
    ]
    assert rows == [(8, 60), (0, 40), (9, 40), (8, 20), (9, 60)]
    assert main_thread["endValue"] - main_thread["startValue"] == 220_000_000
    assert worker["samples"][0] == [] and worker["weights"] == [100_000_000, 40_000_000]
    assert frames[0] == {"name": "send", "file": str(tmp_path / "shop/invoice.py"), "line": 19, "col": 12}
    by_cpu = json.loads("".join(render_speedscope(make_profile(tmp_path), Clock.CPU)))["profiles"][0]
    assert [frames[sample[-1]]["line"] for sample in by_cpu["samples"]] == [8, 9, 9]
    assert sum(by_cpu["weights"]) == 80_000_000
    assert (
        json.loads("".join(render_speedscope(make_profile(tmp_path), Clock.SAMPLES)))["profiles"][0]["unit"] == "none"
    )


def test_no_part_of_a_wide_speedscope_file_is_large() -> None:
    """Frames and weights of a profile with many of them are written in parts, and are all there."""
    profile = Profile(threads=[ProfiledThread(1, 1, "one")])
    n_frames = 10_000
    for number in range(n_frames):
        profile.frames.append(Frame(Function("a.py", f"function_{number}", 1), number, number, None, None))
        profile.nodes.append(TreeNode(0, number))
        profile.costs[number + 1, 0, ""] = Cost(samples=number + 1)
    parts = list(render_speedscope(profile, Clock.SAMPLES))
    assert max(map(len, parts)) < sum(map(len, parts)) / 2
    file = json.loads("".join(parts))
    assert [each["line"] for each in file["shared"]["frames"]] == list(range(n_frames))
    assert file["profiles"][0]["weights"] == list(range(1, n_frames + 1))
    assert file["profiles"][0]["samples"] == [[number] for number in range(n_frames)]


def test_speedscope_of_sums(tmp_path) -> None:
    """Without the order in time each stack is there once, with its sum."""
    file = json.loads("".join(render_speedscope(_without_order(make_profile(tmp_path)), Clock.WALL)))
    frames = file["shared"]["frames"]
    main_thread, worker = file["profiles"]
    assert main_thread["endValue"] == 160_000_000
    stacks = [[frames[each]["name"] for each in sample] for sample in main_thread["samples"]]
    assert sorted(zip(stacks, main_thread["weights"], strict=True)) == [
        (["send", "Invoice.total"], 60_000_000), (["send", "Invoice.total"], 100_000_000),
    ]  # fmt: skip
    assert worker["endValue"] == 40_000_000


@pytest.mark.parametrize("has_order", [True, False], ids=["in order", "sums"])
def test_gecko(tmp_path, has_order: bool) -> None:
    """Threads with as many samples as were taken; stacks lead to their callers; CPU time adds up."""
    profile = make_profile(tmp_path)
    file = json.loads(render_gecko(profile if has_order else _without_order(profile)))
    assert file["meta"]["version"] == 24
    assert file["meta"]["interval"] == 1.0
    main_thread, worker = file["threads"]
    assert [len(each["samples"]["data"]) for each in (main_thread, worker)] == [80, 20]
    delta = main_thread["samples"]["schema"]["threadCPUDelta"]
    assert sum(row[delta] for row in main_thread["samples"]["data"]) == 80_000
    times = [row[1] for row in main_thread["samples"]["data"]]
    assert times == sorted(times)
    stacks = main_thread["stackTable"]["data"]
    names = main_thread["stringTable"]
    prefix, frame = stacks[main_thread["samples"]["data"][-1][0]]
    assert names[main_thread["frameTable"]["data"][frame][0]].startswith("Invoice.total (")
    assert names[main_thread["frameTable"]["data"][stacks[prefix][1]][0]].startswith("send (")
    assert all(stack[0] is None or stack[0] < number for number, stack in enumerate(stacks))
    lines = {}
    for row in main_thread["frameTable"]["data"]:
        lines.setdefault(names[row[0]].rpartition("/")[2], set()).add(row[4])
    assert lines == {"invoice.py:18)": {19}, "invoice.py:5)": {8, 9}}, "a function is one, whatever lines of it ran"


def test_gecko_has_moments(tmp_path) -> None:
    """Samples are spread over the time that they stand for; where no Python code ran there are none."""
    file = json.loads(render_gecko(make_profile(tmp_path)))
    origin = min(row[1] for row in file["threads"][0]["samples"]["data"])
    times = [round(row[1] - origin) for row in file["threads"][0]["samples"]["data"]]
    assert times == [*range(0, 60, 2), *range(100, 140, 2), *range(160, 220, 2)]
    assert round(file["threads"][1]["samples"]["data"][0][1] - origin) == 100


@pytest.mark.parametrize("name", ["run.txt", "run.speedscope.json", "run.pb.gz", "run.gecko.json", "run.pstats"])
def test_the_ending_chooses_the_format(name, tmp_path, monkeypatch, capsys) -> None:
    """`-o` with a format's usual ending needs no --format; the file is written and named."""
    monkeypatch.chdir(tmp_path)
    data = write_project(tmp_path)
    assert _run("export", "--data-file", str(data), "-o", name) == 0
    assert (tmp_path / name).stat().st_size > 100
    assert name in capsys.readouterr().err


def test_what_export_refuses(tmp_path, monkeypatch, capsys) -> None:
    """No format, an unknown one, and data without a profile are said with the next step."""
    monkeypatch.chdir(tmp_path)
    data = write_project(tmp_path)
    assert _run("export", "--data-file", str(data)) == 2
    assert "[bad-format]" in capsys.readouterr().err
    assert _run("export", "--data-file", str(data), "-o", "x.svg") == 2
    assert _run("export", "--data-file", str(data), "--format=svg") == 2
    capsys.readouterr()
    assert _run("export", "--data-file", str(pathlib.Path("nowhere")), "--format=pprof") == 3
    assert "[no-data]" in capsys.readouterr().err


def test_contexts_choose_what_is_exported(tmp_path, monkeypatch, capsys) -> None:
    """With --contexts only the time in those tests is written."""
    monkeypatch.chdir(tmp_path)
    data = write_project(tmp_path)
    assert _run("export", "--data-file", str(data), "--format=collapsed", "-o", "-", "--contexts=test_total") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith(" 30")
    assert TOTAL not in line
    assert _run("export", "--data-file", str(data), "--format=collapsed", "-o", "none.txt", "--contexts=nothing") == 3
    assert "[nothing-selected]" in capsys.readouterr().err
    assert not pathlib.Path("none.txt").exists()


def _deep_profile(depth: int) -> Profile:
    """One stack of so many frames of two functions that call each other, with a cost at its end and in its middle."""
    frames = [
        Frame(Function("/p/deep.py", name, line), line + 1, line + 1, None, None) for name, line in (("f", 1), ("g", 5))
    ]
    nodes = [TreeNode(-1, -1), *(TreeNode(at, at % 2) for at in range(depth))]
    costs = {(at, 0, ""): Cost(10**6, 10**6, 0, 1) for at in (depth // 2, depth)}
    return Profile(frames, nodes, [ProfiledThread(1, 1, "main")], costs, 1, 2, 0, 0, 10**6)


RENDERERS = {
    "collapsed": render_collapsed,
    "speedscope": render_speedscope,
    "pprof": render_pprof,
    "gecko": lambda profile: [render_gecko(profile)],
    "pstats": lambda profile: [render_pstats(profile)],
}


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy has no tracemalloc")
@pytest.mark.parametrize("format_", RENDERERS)
def test_a_deep_stack_takes_memory_by_its_frames(format_) -> None:
    """Stacks are written one at a time: to keep those of all callers would take 100 MB for 5,000 frames."""
    tracemalloc = pytest.importorskip("tracemalloc")
    profile = _deep_profile(5000)
    tracemalloc.start()
    try:
        size = sum(map(len, RENDERERS[format_](profile)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 100
    assert peak < 10_000_000


def test_deep_stacks_are_whole() -> None:
    """Each format has both stacks of 3,000 and 1,500 frames."""
    profile = _deep_profile(3000)
    lines = [line.split(";") for line in render_collapsed(profile)]
    assert sorted(map(len, lines)) == [1500, 3000]
    assert lines[0][:2] == ["f (/p/deep.py)", "g (/p/deep.py)"]
    (thread,) = json.loads("".join(render_speedscope(profile)))["profiles"]
    assert [len(stack) for stack in thread["samples"]] == [1500, 3000]
    assert thread["samples"][0][:3] == [0, 1, 0]
    assert len(gzip.decompress(b"".join(render_pprof(profile)))) > 4500


def test_functions_of_one_name_are_distinguished(tmp_path) -> None:
    """A property and its setter are two frames of collapsed stacks and two rows of pstats; what has no source has no place."""
    frames = [Frame(Function("/p/a.py", "C.value", line), line, line, None, None) for line in (3, 7)]
    frames.append(Frame(Function("<gc>", "<gc>", 0), 0, 0, None, None))
    nodes = [TreeNode(-1, -1), TreeNode(0, 0), TreeNode(0, 1), TreeNode(1, 2)]
    costs = {(node, 0, ""): Cost(10**9, 10**9, 0, node) for node in (1, 2, 3)}
    profile = Profile(frames, nodes, [ProfiledThread(1, 1, "main")], costs, 1, 3, 0, 0, 10**6)
    assert list(render_collapsed(profile)) == [
        "C.value (/p/a.py:3) 1\n",
        "C.value (/p/a.py:3);<gc> 3\n",
        "C.value (/p/a.py:7) 2\n",
    ]
    path = tmp_path / "run.pstats"
    path.write_bytes(render_pstats(profile))
    assert set(pstats.Stats(str(path)).stats) == {
        ("/p/a.py", 3, "C.value"),
        ("/p/a.py", 7, "C.value"),
        ("~", 0, "<gc>"),
    }
