"""Profiles that other tools wrote: each format read from a file of the real tool, written and read back, and damaged."""

import gzip
import importlib.util
import json
import marshal
import os
import pathlib
import pstats
import random
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from footfall.analyze.profile.calltree import (
    Cost,
    Frame,
    Function,
    Profile,
    ProfiledThread,
    times_of_functions,
    times_of_lines,
)
from footfall.analyze.profile.clocks import Clock
from footfall.analyze.profile.stacks import collapse_stacks, frames_above
from footfall.cli.main import main
from footfall.errors import FootfallError
from footfall.load.profiles.binary.marshal_data import MarshalError, load_marshal
from footfall.load.profiles.read import read_profile_file
from footfall.load.profiles.text.frame_names import parse_frame
from footfall.record.data.timelines import ThreadTimeline, Timelines, TreeNode
from footfall.report.profile.chrome_trace import render_chrome_trace
from footfall.report.profile.collapsed import render_collapsed, render_perf_collapsed
from footfall.report.profile.gecko import render_gecko
from footfall.report.profile.mojo import render_mojo
from footfall.report.profile.pprof import render_pprof
from footfall.report.profile.pstats import render_pstats
from footfall.report.profile.speedscope import render_speedscope
from footfall.report.site.flame_page import flame_payload
from site_data import make_profile

pytestmark = pytest.mark.any_python

RECORDED = pathlib.Path(__file__).parent / "profiles"
FILES = sorted(path.name for path in RECORDED.iterdir() if path.suffix not in (".py", ".md"))
HAS_ZSTD = importlib.util.find_spec("compression") is not None
MS = 1_000_000


def _run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return int(caught.value.code or 0)


def _read(name: str) -> Profile:
    return read_profile_file(str(RECORDED / name))


def _own(profile: Profile, name: str) -> tuple[int, int, int, int]:
    """Samples, wall, CPU and GIL of all functions whose name ends so."""
    costs = [
        times.own for function, times in times_of_functions(profile).items() if function.qualname.split(".")[-1] == name
    ]
    return tuple(sum(getattr(cost, each) for cost in costs) for each in ("samples", "wall_ns", "cpu_ns", "gil_ns"))


def _stacks(profile: Profile) -> set[str]:
    return {";".join(name.split(" (")[0] for name in stack) for stack, _ in collapse_stacks(profile)}


@pytest.mark.parametrize(
    ("name", "format_", "clocks", "total", "leaf"),
    [
        ("py-spy.raw", "collapsed stacks", "samples", (85, 0, 0, 0), (81, 0, 0, 0)),
        ("py-spy.speedscope.json", "speedscope", "wall", (0, 820 * MS, 0, 0), (0, 710 * MS, 0, 0)),
        ("py-spy.chrome.json", "Chrome trace events", "wall", (0, 884615000, 0, 0), (0, 837691000, 0, 0)),
        ("austin.mojo", "MOJO", "samples wall", (123, 1299423000, 0, 0), (110, 1168934000, 0, 0)),
        ("austin-3.7.txt.gz", "Austin's text", "samples wall", (125, 1351110000, 0, 0), (107, 1139338000, 0, 0)),
        ("austin-3.7-full.txt", "Austin's text", "cpu samples wall", (36, 913289000, 593193000, 0), (30, 742350000, 464710000, 0)),
        ("pyinstrument.pyisession", "pyinstrument's session", "samples wall", (31, 405972142, 0, 0), (30, 396245868, 0, 0)),
        ("pyinstrument.json", "pyinstrument's JSON", "wall", (0, 303912000, 0, 0), (0, 284737000, 0, 0)),
        ("tachyon.collapsed", "collapsed stacks", "samples", (169, 0, 0, 0), (166, 0, 0, 0)),
        ("tachyon.gecko", "Firefox Profiler", "samples", (162, 0, 0, 0), (157, 0, 0, 0)),
        ("tachyon-plain.binary", "profiling.sampling's binary", "gil samples wall", (159, 793767000, 0, 391835000), (156, 774398000, 0, 382563000)),
        ("go.pprof", "pprof", "cpu samples", (13, 0, 130 * MS, 0), (8, 0, 80 * MS, 0)),
        ("perf-trampolines.txt", "perf script", "cpu samples", (13, 0, 130 * MS, 0), (0, 0, 0, 0)),
        ("perf.txt", "perf script", "cpu samples", (10, 0, 100 * MS, 0), (0, 0, 0, 0)),
    ],
)  # fmt: skip
def test_files_of_real_tools(name, format_, clocks, total, leaf) -> None:
    """Totals and a function's own numbers are those that the tool, or a count by hand, finds in the file."""
    profile = _read(name)
    assert profile.origin is not None
    assert (profile.origin.format, " ".join(sorted(profile.origin.clocks))) == (format_, clocks)
    assert profile.origin.notes == ()
    found = profile.total()
    assert (found.samples, found.wall_ns, found.cpu_ns, found.gil_ns) == total
    assert _own(profile, "leaf") == leaf


@pytest.mark.parametrize(
    ("name", "stack"),
    [
        ("py-spy.raw", "Thread._bootstrap;Thread._bootstrap_inner;Thread.run;Work.run;leaf"),
        ("py-spy.speedscope.json", "<module>;main;Work.run;leaf"),
        ("py-spy.chrome.json", "<module>;main;Work.run;leaf"),
        ("austin.mojo", "Thread._bootstrap;Thread._bootstrap_inner;Thread.run;Work.run;leaf"),
        ("austin-3.7.txt.gz", "<module>;main;Work.run;leaf"),
        ("tachyon.gecko", "Thread._bootstrap;Thread._bootstrap_inner;Thread.run;Work.run;leaf"),
        ("tachyon-plain.binary", "Thread._bootstrap;Thread._bootstrap_inner;Thread.run;Work.run;leaf"),
        ("go.pprof", "runtime.main;main.main;main.work;main.leaf"),
    ],
)
def test_stacks_of_real_tools(name, stack) -> None:
    """Stacks are whole, the outermost function first."""
    assert stack in _stacks(_read(name))


def test_lines_and_threads_of_real_tools() -> None:
    """Files, lines and threads are where the format has them."""
    profile = _read("py-spy.speedscope.json")
    assert [(thread.name, thread.native_id > 0) for thread in profile.threads] == [("", True), ("worker one", True)]
    lines = {(pathlib.PurePath(path).name, line) for path, line in times_of_lines(profile)}
    assert {("program.py", 9), ("program.py", 20)} & lines
    perf = _read("perf-trampolines.txt")
    assert {thread.name for thread in perf.threads} == {"python3.15", "worker one"}
    places = {(frame.function.qualname, pathlib.PurePath(frame.function.path).name) for frame in perf.frames}
    assert {("leaf", "program.py"), ("Work.run", "program.py"), ("Thread.run", "threading.py")} <= places
    assert any(name == "_PyEval_EvalFrameDefault" or name.startswith("_Py") for name, _ in places)
    assert all("+0x" not in name and "perf-" not in path for name, path in places)
    (process,) = {thread.pid for thread in _read("perf.txt").threads}
    assert process


def test_tachyon_packed_by_zstd() -> None:
    """The samples are unpacked where this Python can; elsewhere the message says what to do."""
    if HAS_ZSTD:
        assert _own(_read("tachyon.binary"), "leaf") == (159, 785583000, 0, 392764000)
    else:
        with pytest.raises(FootfallError, match=r"3\.14.*\[profile-packed\]"):
            _read("tachyon.binary")


def test_cprofile_as_pstats_has_it() -> None:
    """Own times by function, and whole times, are those of pstats; the stacks are said to be inferred."""
    profile = _read("cprofile.pstats")
    expected = {
        (path if path != "~" else "<unknown>", name, line): row[2:4]
        for (path, line, name), row in pstats.Stats(str(RECORDED / "cprofile.pstats")).stats.items()
    }
    times = times_of_functions(profile)
    assert times.keys() == expected.keys()
    for function, (own, total) in expected.items():
        assert times[function].own.wall_ns == pytest.approx(own * 1e9, abs=2)
        if total > 0.01:  # what imports call each other in circles has no stacks that fit
            assert times[function].total.wall_ns == pytest.approx(total * 1e9, rel=0.01), function
    assert profile.origin is not None
    assert [slug for slug, _ in profile.origin.notes] == ["stacks-inferred"]
    assert "<built-in method builtins.exec>;<module>;main;Work.run;leaf" in {
        stack.replace(";run;", ";Work.run;") for stack in _stacks(profile)
    }


def test_recursion_in_pstats_is_shared(tmp_path) -> None:
    """What a function took in calls of itself is shared among its callers as the rest of its time."""
    names = {name: ("a.py", line, name) for line, name in enumerate(("one", "two", "fib"), 1)}
    stats = {
        names["one"]: (1, 1, 0.0, 3.0, {}),
        names["two"]: (1, 1, 0.0, 1.0, {}),
        names["fib"]: (2, 9, 4.0, 4.0, {names["one"]: (1, 1, 0.3, 3.0), names["two"]: (1, 1, 0.1, 1.0), names["fib"]: (7, 1, 3.6, 0.1)}),
    }  # fmt: skip
    path = tmp_path / "recursion.pstats"
    path.write_bytes(marshal.dumps(stats))
    assert _costs(read_profile_file(str(path)), "wall", with_lines=False) == {
        ("one (a.py)", "fib (a.py)"): 3_000_000_000,
        ("two (a.py)", "fib (a.py)"): 1_000_000_000,
    }


def test_marshal_reads_what_profiles_hold_and_nothing_else() -> None:
    """Plain values of every version are read as marshal reads them; code, sets and what never ends are refused."""
    stats = {
        ("a.py", 3, "f"): (1, 2**40, 0.5, -1.5, {("~", 0, "é\u20ac"): (1, 1, 0.0, 1e300)}),
        ("b", 1, "x" * 300): None,
    }
    for version in range(5):
        assert load_marshal(marshal.dumps(stats, version)) == stats
    code = marshal.dumps({("a", 1, "f"): compile("1", "f", "exec")})
    for content, why in (
        (code, "which no profile has"),
        (marshal.dumps({1: {2, 3}}), "which no profile has"),
        (marshal.dumps(stats)[:-9], "it ends early"),
        (b"{" * 100, "nested too deeply"),
        (b"\xa8\xff\xff\xff\x7f", "a tuple is too long"),
        (b"\xfbr\x00\x00\x00\x00NN0", "leads nowhere"),
        (b"(\x02\x00\x00\x00\xa9\x01\xa9\x01Nr\x00\x00\x00\x00", "holds others"),
    ):
        with pytest.raises(MarshalError, match=why):
            load_marshal(content)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fib (a b/(c)/fib.py:12)", ("fib", "a b/(c)/fib.py", 12)),
        ("Work.run.<locals>.<lambda> (<string>)", ("Work.run.<locals>.<lambda>", "<string>", 0)),
        ("std::f(int) (libc.so.6)", ("std::f(int)", "libc.so.6", 0)),
        ("operator()(int)", ("operator()(int)", "", 0)),
        ("/usr/lib/a:b.py:main:4", ("main", "/usr/lib/a:b.py", 4)),
        ("<frozen runpy>:run:9", ("run", "<frozen runpy>", 9)),
        ("py::Work.run:/p/w.py", ("Work.run", "/p/w.py", 0)),
        ("a::b:12", ("a::b:12", "", 0)),
        ("_PyEval_EvalFrameDefault", ("_PyEval_EvalFrameDefault", "", 0)),
    ],
)
def test_text_of_a_frame(text, expected) -> None:
    """Name, file and line, in the ways that tools write them."""
    assert tuple(parse_frame(text)) == expected


def _costs(profile: Profile, clock: str, *, with_lines: bool = True) -> dict[tuple[str, ...], int]:
    name = "samples" if clock == "samples" else f"{clock.replace('-', '_')}_ns"
    found = {stack: getattr(cost, name) for stack, cost in collapse_stacks(profile, with_lines) if stack}
    return {stack: value for stack, value in found.items() if value}


@pytest.mark.parametrize(
    ("ending", "render", "clocks"),
    [
        (".txt", lambda profile: render_collapsed(profile, with_lines=True), ["samples"]),
        (".pb.gz", render_pprof, ["samples", "cpu", "wall", "gil", "gil-wait"]),
        (".json", lambda profile: render_speedscope(profile, Clock.CPU), ["cpu"]),
        (".json", lambda profile: render_speedscope(profile, Clock.WALL), ["wall"]),
        (".json", lambda profile: render_speedscope(profile, Clock.GIL), ["gil"]),
        (".json", lambda profile: render_speedscope(profile, Clock.GIL_WAIT), ["gil-wait"]),
        (".json", lambda profile: render_speedscope(profile, Clock.SAMPLES), ["samples"]),
        (".json", lambda profile: [render_gecko(profile)], ["samples", "cpu"]),
        (".json", lambda profile: render_chrome_trace(profile, Clock.WALL), ["wall"]),
        (".json", lambda profile: render_chrome_trace(profile, Clock.CPU), ["cpu"]),
        (".mojo", lambda profile: render_mojo(profile, Clock.WALL), ["wall", "samples"]),
        (".mojo", lambda profile: render_mojo(profile, Clock.CPU), ["cpu"]),
        (".txt", lambda profile: render_perf_collapsed(profile, with_lines=True), ["samples"]),
    ],
    ids=[
        "collapsed",
        "pprof",
        "speedscope-cpu",
        "speedscope-wall",
        "speedscope-gil",
        "speedscope-gil-wait",
        "speedscope-samples",
        "gecko",
        "chrome-wall",
        "chrome-cpu",
        "mojo-wall",
        "mojo-cpu",
        "perf",
    ],
)
def test_what_is_written_is_read_back(tmp_path, ending, render, clocks) -> None:
    """Stacks with lines and what they cost by each clock that the format has are the same again."""
    profile = make_profile(tmp_path)
    profile.timelines = Timelines()  # the sums; the order in time here is not of the same run
    path = tmp_path / f"profile{ending}"
    parts = list(render(profile))
    path.write_bytes(b"".join(parts) if isinstance(parts[0], bytes) else "".join(parts).encode())
    found = read_profile_file(str(path))
    assert found.origin is not None
    assert found.origin.clocks >= set(clocks)
    for clock in clocks:
        assert _costs(found, clock) == _costs(profile, clock)


@pytest.mark.parametrize(
    ("render", "clock"),
    [
        (lambda profile: [render_gecko(profile)], "cpu"),
        (lambda profile: render_mojo(profile, Clock.WALL), "wall"),
        (lambda profile: render_collapsed(profile, clock=Clock.WALL), "samples"),
    ],
    ids=["gecko", "mojo", "collapsed"],
)
@pytest.mark.parametrize("has_order", [True, False])
def test_formats_in_microseconds_lose_no_time(tmp_path, render, clock, has_order) -> None:
    """What is left of a sample's time goes to the next one: each thread's sum is less than a microsecond short."""
    profile = Profile(threads=[ProfiledThread(1, 1, "one")], interval_ns=1_000_000)
    for number in range(1000):
        profile.frames.append(Frame(Function("a.py", f"function_{number}", 1), number + 1, number + 1, None, None))
        profile.nodes.append(TreeNode(0, number))
        profile.costs[number + 1, 0, ""] = Cost(wall_ns=1_999, cpu_ns=1_999, samples=1)
    if has_order:
        timeline = ThreadTimeline(0)
        for number in range(1000):
            timeline.append(number + 1, 0, 1, 1_999, 1_999, 0)
        profile.timelines = Timelines({0: timeline}, [""])
    parts = [part if isinstance(part, bytes) else part.encode() for part in render(profile)]
    path = tmp_path / "profile"
    path.write_bytes(b"".join(parts))
    unit = 1 if clock == "samples" else 1000
    assert sum(_costs(read_profile_file(str(path)), clock).values()) // unit == 1_999


def test_pprof_keeps_threads_tests_and_functions(tmp_path) -> None:
    """Everything but the order in time and where code ends is read back from pprof."""
    profile = make_profile(tmp_path)
    path = tmp_path / "profile.pb"
    path.write_bytes(gzip.decompress(b"".join(render_pprof(profile))))
    found = read_profile_file(str(path))
    assert set(found.threads) == set(profile.threads)
    assert {key[2] for key in found.costs} == {key[2] for key in profile.costs}
    kept = {(each.function, each.line, each.column) for each in profile.frames}
    assert {(each.function, each.line, each.column) for each in found.frames} <= kept


def test_order_in_time_and_threads_are_read_back(tmp_path) -> None:
    """What a thread did one after the other is the same again from speedscope, Chrome's and MOJO's files of a profile."""
    profile = _read("py-spy.speedscope.json")
    for index, parts in enumerate(
        (
            render_speedscope(profile, Clock.WALL),
            render_chrome_trace(profile, Clock.WALL),
            render_mojo(profile, Clock.WALL),
            render_perf_collapsed(profile, clock=Clock.WALL),
        )
    ):
        path = tmp_path / f"profile{index}"
        path.write_bytes(b"".join(part if isinstance(part, bytes) else part.encode() for part in parts))
        found = read_profile_file(str(path))
        assert {each.native_id for each in found.threads} == {each.native_id for each in profile.threads}
        if index == 3:
            assert {each.name for each in found.threads} == {"thread", "worker one"}
            break
        for number, timeline in profile.timelines.threads.items():
            (again,) = (
                found.timelines.threads[at]
                for at, thread in enumerate(found.threads)
                if thread.native_id == profile.threads[number].native_id
            )
            assert _in_order(found, again) == _in_order(profile, timeline)


def _in_order(profile: Profile, timeline: ThreadTimeline) -> list[tuple[list[tuple[str, int]], int]]:
    spans = []
    for span in timeline:
        frames = [profile.frames[each] for each in frames_above(profile, span.node)]
        spans.append(([(frame.function.qualname, frame.line) for frame in frames], span.wall_ns))
    return spans


def test_pstats_is_read_back(tmp_path) -> None:
    """Own and whole times by function, and by caller, are the same again."""
    profile = make_profile(tmp_path)
    path = tmp_path / "profile.pstats"
    path.write_bytes(render_pstats(profile, Clock.WALL))
    before, after = (
        marshal.loads(path.read_bytes()),
        marshal.loads(render_pstats(read_profile_file(str(path)), Clock.WALL)),
    )
    for key, row in before.items():
        assert after[key][2:4] == pytest.approx(row[2:4], abs=1e-7)
        for caller, edge in row[4].items():
            assert after[key][4][caller][2:] == pytest.approx(edge[2:], abs=1e-7)


@pytest.mark.parametrize("name", FILES)
def test_damaged_files(tmp_path, name) -> None:
    """Of what is damaged or cut off either the rest is read, or a message says why not; nothing else happens."""
    whole = (RECORDED / name).read_bytes()
    whole = gzip.decompress(whole) if name.endswith(".gz") else whole
    rng = random.Random(name)
    path = tmp_path / "damaged"
    for number in range(16):
        content = bytearray(whole)
        if number % 2:
            for _ in range(5):
                content[rng.randrange(len(content))] = rng.randrange(256)
        else:
            del content[rng.randrange(len(content)) :]
        path.write_bytes(content)
        try:
            profile = read_profile_file(str(path))
        except FootfallError as error:
            assert error.slug.startswith("profile-")
        else:
            assert profile.origin is not None


@pytest.mark.parametrize(
    ("content", "samples", "note"),
    [
        (b"a;b 3\nnonsense\na;b;c 4\n", 7, "1 line could not be read and is left out."),
        (b"a;b 3\na;b;c 99999999999999999999\n", 3, "1 line could not be read"),
        (gzip.compress(b"a;b 3\n" * 20_000)[:-4], 60_000, "its compressed data end early"),
        (b"P1;T2;a.py:f:3 10\nP1;T2;a.py:f:3\n", 1, "1 line could not be read"),
        (b"MOJ\x01\x02\x05abc\x00\x03\x07\x00\x00\x09\x09\x05\x05\x07\x09\x12\x02\x05abc\x00\x05", 1, "ends within an event"),
        (b"c 1 2.0: cpu-clock: \n\t 12 f+0x1 (/bin/x)\n\nc 1 3.0: 5 page-faults: \n\t 12 f (/bin/x)\n", 1, "1 of page-faults are left out"),
    ],
    ids=["a line", "a number", "gzip", "Austin", "MOJO", "a second event"],
)  # fmt: skip
def test_what_is_left_out_is_said(tmp_path, capsys, content, samples, note) -> None:
    """Numbers without a part of the file come with a message that says so, in every report."""
    path = tmp_path / "profile"
    path.write_bytes(content)
    profile = read_profile_file(str(path))
    assert profile.n_samples == samples
    assert profile.origin is not None
    assert note in profile.origin.notes[0][1]
    assert _run("export", str(path), "-f", "collapsed", "-o", "-") == 0
    assert note in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        b"\n" * 60_000 + b"x",
        b"a " * 30_000 + b"x",
        b" " * 60_000 + b"x",
        b"a 1" + b" " * 60_000 + b"x",
        b"P1;T1;a:b:3 1" + b" " * 60_000 + b"x 1 2 3",
        b"c 1 2.0: cycles: \n\t 12 f (/bin/x)\n\n" + b"c 1 " * 100_000,
        b"a(" * 100_000 + b")" * 100_000 + b" 3\n",
    ],
    ids=["newlines", "words", "spaces", "a number and spaces", "Austin", "perf", "parentheses"],
)
def test_text_that_is_hard_to_match(tmp_path, content) -> None:
    """Reading takes time with the length of the text only: the suite's limit for a test is far away."""
    path = tmp_path / "text"
    path.write_bytes(content)
    try:
        read_profile_file(str(path))
    except FootfallError as error:
        assert error.slug == "profile-unknown"


@pytest.mark.parametrize(
    ("content", "slug"),
    [
        (b"just some text\nof several lines\n", "profile-unknown"),
        (b"\x7fELF\x02\x01\x01" + bytes(100), "profile-unknown"),
        (b'{"a": 1}', "profile-unknown"),
        (b'{"a": ', "profile-damaged"),
        (b"[" * 100_000, "profile-damaged"),
        (b'{"shared": {"frames": []}, "profiles": []}', "profile-empty"),
        (b"# austin: 3.7.0\n# mode: memory\n\nP1;T1;a:b:1 2\n", "profile-without-time"),
        (b"MOJ\x09", "profile-version"),
        (b"HCAT" + bytes(200), "profile-version"),
        (b"{0", "profile-empty"),
        (
            b"\x0a\x04\x08\x01\x10\x02\x12\x06\x08\x01\x10\xc0\x84\x3d\x22\x06\x08\x01\x22\x02\x08\x01\x2a\x04\x08\x01\x10\x03\x32\x00",
            "profile-damaged",
        ),
    ],
    ids=[
        "text",
        "ELF",
        "JSON",
        "cut JSON",
        "deep JSON",
        "no stack",
        "memory",
        "MOJO 9",
        "Tachyon 0",
        "no function",
        "pprof without names",
    ],
)
def test_what_can_not_be_shown(tmp_path, capsys, content, slug) -> None:
    """The message says what it is, or what is read; the status is 3 and there is no traceback."""
    path = tmp_path / "file"
    path.write_bytes(content)
    assert _run("flame", str(path), "-o", str(tmp_path / "flame.html")) == 3
    assert f"[{slug}]" in capsys.readouterr().err
    assert not (tmp_path / "flame.html").exists()


def test_a_collapsed_stack_without_a_frame(tmp_path) -> None:
    """py-spy writes it for samples that saw no Python code; it counts as that, and is no damage."""
    path = tmp_path / "py-spy.raw"
    path.write_text("<module> (w.py:7);main (w.py:6) 93\n 9\n")
    profile = read_profile_file(str(path))
    assert {node: cost.samples for (node, _, _), cost in profile.costs.items()} == {0: 9, 2: 93}
    assert profile.origin is not None and not profile.origin.notes


def test_collapsed_stacks_that_begin_as_json_does(tmp_path) -> None:
    """perf's name for what it has no symbol of, in brackets, does not make a file JSON."""
    path = tmp_path / "stacks"
    path.write_text("[unknown] (/usr/bin/python3);main 5\n[vdso];main 2\n")
    assert read_profile_file(str(path)).n_samples == 7


def test_formats_that_count_samples_refuse_times_alone(tmp_path, capsys) -> None:
    """A profile that has times alone is not written as one without any sample."""
    written = tmp_path / "a.gecko.json"
    assert _run("export", str(RECORDED / "py-spy.speedscope.json"), "-o", str(written)) == 3
    assert "[clock-unknown]" in capsys.readouterr().err
    assert not written.exists()


def test_threads_with_one_id_in_a_trace(tmp_path) -> None:
    """py-spy names a thread from its second sample on: the stacks of both names are kept apart in the trace."""
    path = tmp_path / "stacks"
    path.write_text("thread (7);a;b 3\nthread (7): MainThread;a;c 2\nthread (7): MainThread;d 4\n")
    profile = read_profile_file(str(path))
    trace = tmp_path / "trace.json"
    trace.write_text("".join(render_chrome_trace(profile, Clock.SAMPLES)))
    found = {";".join(stack): cost.samples for stack, cost in collapse_stacks(read_profile_file(str(trace)))}
    assert found == {"a;b": 3, "a;c": 2, "d": 4}


def test_trace_that_ends_early(tmp_path) -> None:
    """Of a list of events that a killed program left, all that are whole count, and calls end with the last of them."""
    path = tmp_path / "trace.json"
    path.write_text(
        '[{"ph": "B", "pid": 1, "tid": 2, "ts": 10, "name": "f"}, {"ph": "X", "pid": 1, "tid": 2, "ts": 12, "dur": 3, "name": "g"},\n'
        '{"ph": "E", "pid": 1, "tid": 2, "ts": 20}, {"ph": "B", "pid": 1, "tid": 2, "ts": 30, "name": "h"},'
        ' {"ph": "i", "pid": 1, "tid": 2, "ts": 31, "na'
    )
    profile = read_profile_file(str(path))
    assert _costs(profile, "wall", with_lines=False) == {("f",): 7000, ("f", "g"): 3000}
    assert "ends early" in profile.origin.notes[0][1]


@pytest.mark.parametrize(
    ("head", "thread", "samples", "cpu_ns"),
    [
        ("python3 7 1.25: 100 cpu-clock:u: ", (0, 7, "python3"), 1, 100),
        ("worker one 6/7 [001] 1.25: 4 cpu_core/cycles/P: ", (6, 7, "worker one"), 1, 0),
        (":-1 -1/-1 [001] d..1. 1.25: task-clock:ppp:", (0, 0, ":-1"), 1, 1),
        ("python3 7 ", (0, 7, "python3"), 1, 0),
        ("python3 6/7 [000] 1.25:", (6, 7, "python3"), 1, 0),
    ],
    ids=["cpu-clock", "hybrid", "no thread", "no event", "no event, a time"],
)
def test_first_lines_of_perf_script(tmp_path, head, thread, samples, cpu_ns) -> None:
    """Each way in which `perf script -F` may print a sample's thread."""
    path = tmp_path / "script.txt"
    path.write_text(f"# captured on: a day\n#\n{head}\n\t 12 inner+0x1 (/bin/x)\n\t 13 main (/bin/x (deleted))\n\n")
    profile = read_profile_file(str(path))
    assert [tuple(each) for each in profile.threads] == [thread]
    total = profile.total()
    assert (total.samples, total.cpu_ns) == (samples, cpu_ns)
    assert _costs(profile, "samples") == {("main (/bin/x (deleted):0)", "inner (/bin/x:0)"): 1}


def test_sampled_trace(tmp_path) -> None:
    """Samples of a trace name their stacks by number."""
    path = tmp_path / "trace.json"
    frames = {"1": {"name": "main"}, "2": {"name": "f (a.py:3)", "parent": "1"}, "3": {"name": "loop", "parent": "3"}}
    samples = [{"tid": 5, "ts": 1, "sf": number, "weight": weight} for number, weight in (("2", 3), (1, 2), ("3", 1))]
    path.write_text(json.dumps({"traceEvents": [], "stackFrames": frames, "samples": samples}))
    profile = read_profile_file(str(path))
    assert _costs(profile, "samples", with_lines=False) == {("main",): 2, ("main", "f (a.py)"): 3}
    assert profile.origin.notes == (("profile-damaged", "1 event could not be read and is left out."),)


def test_a_pipe_and_two_files(tmp_path, capsys) -> None:
    """`-` is stdin; two profiles of tools are compared, and refused where they have nothing in common."""
    done = subprocess.run(
        [sys.executable, "-m", "footfall", "export", "-", "-f", "collapsed", "-o", "-"],
        input=(RECORDED / "py-spy.raw").read_bytes(),
        capture_output=True,
        check=True,
    )
    assert sum(int(line.rpartition(b" ")[2]) for line in done.stdout.splitlines()) == 85
    named = str(tmp_path / "pipe")
    os.mkfifo(named)
    assert _run("flame", named, "-o", str(tmp_path / "flame.html")) == 3
    assert "it is no regular file" in capsys.readouterr().err
    page = tmp_path / "difference.html"
    files = [
        str(RECORDED / name)
        for name in ("austin.mojo", "tachyon-plain.binary", "py-spy.speedscope.json", "tachyon.collapsed")
    ]
    assert _run("flame", *files[:2], "-o", str(page)) == 0
    assert '"clocks":["wall","samples"]' in page.read_text(encoding="utf-8")
    assert _run("diff", *files[:2], "--fail-on", "none") == 0
    assert "leaf" in capsys.readouterr().out
    assert _run("diff", *files[1:3]) == 3
    assert "[samples-unknown]" in capsys.readouterr().err
    assert _run("flame", *files[2:], "-o", str(page)) == 3
    assert _run("export", files[0], "--clock", "cpu", "-o", str(tmp_path / "x.pstats")) == 3
    assert capsys.readouterr().err.count("[clock-unknown]") == 2
    samples = tmp_path / "samples.txt"
    samples.write_text("main;work 3\n")
    assert _run("export", str(samples), "-o", str(tmp_path / "samples.pstats")) == 3
    assert "pstats holds seconds, and the profile has samples without times." in capsys.readouterr().err
    assert _run("export", str(samples), "-o", str(tmp_path / "samples.trace.json")) == 0
    assert "[samples-as-times]" in capsys.readouterr().err
    assert _run("flame", "-", "-", "-o", str(page)) == 2
    assert "[too-many-files]" in capsys.readouterr().err


def test_report_of_another_tools_profile(capsys) -> None:
    """Tables show what is known: no errors without samples, no lines without lines."""
    assert _run("report", "--data-file", str(RECORDED / "py-spy.speedscope.json")) == 0
    out = capsys.readouterr().out
    assert re.search(r"0\.710 s +86\.6 +0\.710 s +86\.6 +0 +leaf", out)
    assert out.endswith("of how many samples is not known.\n")
    assert _run("report", "--data-file", str(RECORDED / "austin.mojo"), "--by", "line", "--format", "json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["clock"] == "wall"
    assert {(row["name"], row["line"]) for row in report["rows"]} >= {("leaf", 9)}
    assert _run("report", "--data-file", str(RECORDED / "cprofile.pstats"), "--by", "line") == 0
    assert "functions of which no line is known" in capsys.readouterr().out


STACKS = b"main;run (a.py:1);leaf 4\nmain;run (a.py:1);run (a.py:2);leaf 2\nmain;wait 3\nmain;f;g;f;g;h 5\nother 1\n"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--focus", "^run "], "main;run (a.py:1);leaf 4|main;run (a.py:1);run (a.py:2);leaf 2"),
        (["--ignore", "wait|a\\.py|^f$"], "other 1"),
        (["--root", "^run "], "run (a.py:1);leaf 4|run (a.py:1);run (a.py:2);leaf 2"),
        (["--root", "^run ", "--merge"], "run (a.py:1);leaf 4|run (a.py:2);leaf 2"),
        (["--merge"], "main;f;g;h 5|main;run (a.py:1);leaf 4|main;run (a.py:2);leaf 2|main;wait 3|other 1"),
        (["--focus", "leaf", "--ignore", "a.py", "--root", "main"], ""),
    ],
    ids=["focus", "ignore", "root", "root and merge", "merge", "nothing"],
)
def test_parts_of_a_profile(tmp_path, capsys, options, expected) -> None:
    """Stacks with or without a function, from one on, and with recursion joined; what is left of nothing is said."""
    path = tmp_path / "stacks.txt"
    path.write_bytes(STACKS)
    status = _run("export", str(path), "-f", "collapsed", "--lines", "-o", "-", *options)
    captured = capsys.readouterr()
    assert status == (0 if expected else 3)
    assert captured.out.splitlines() == (expected.split("|") if expected else [])
    assert ("[nothing-selected]" in captured.err) is not bool(expected)


def test_part_of_a_profile_in_order_of_time(tmp_path, capsys) -> None:
    """A part keeps its moments, the rest of the time is there with nothing known of it, and shares are of the part."""
    path = tmp_path / "out.speedscope.json"
    assert _run("export", str(RECORDED / "austin.mojo"), "-o", str(path), "--root", "^leaf ") == 0
    whole = json.loads(path.read_text())
    sums = [sum(profile["weights"]) for profile in whole["profiles"]]
    in_leaf = sum(
        weight
        for profile in whole["profiles"]
        for stack, weight in zip(profile["samples"], profile["weights"], strict=True)
        if stack
    )
    assert in_leaf == 1168934000
    assert sum(sums) >= 1299423000
    assert _run("report", "--data-file", str(RECORDED / "austin.mojo"), "--by", "function", "--root", "^leaf ") == 0
    assert "100.0" in capsys.readouterr().out
    assert _run("report", "--root", "x") == 2
    assert _run("report", "--by", "line", "--root", "(") == 2
    err = capsys.readouterr().err
    assert "[by-missing]" in err and "[bad-pattern]" in err


@pytest.mark.parametrize("name", ["perf-trampolines.txt", "austin.mojo", "py-spy.speedscope.json", "go.pprof"])
def test_nodes_of_a_flame_graph_are_each_there_once(name: str) -> None:
    """Also where they are taken as they are, without looking for equal ones, to save memory."""
    profile = _read(name)
    options = {"shown": str, "pages": {}, "coverage_of": lambda _: None, "is_library": lambda _: False}
    quick, looked_up = (flame_payload(each, **options) for each in (profile, replace(profile, origin=None)))
    assert len(set(zip(*quick["nodes"], strict=True))) == len(quick["nodes"][0]) > 5
    assert all(quick[part] == looked_up[part] for part in ("functions", "frames", "nodes", "costs"))
