"""Samples to trees: times per line, function and thread, from logs made by hand."""

import sys

import pytest

from footfall.analyze.profile.calltree import (
    Cost,
    Function,
    Profile,
    _CodePlaces,
    profile_of_logs,
    times_of_functions,
    times_of_lines,
    times_of_threads,
)
from footfall.analyze.profile.stacks import collapse_stacks
from footfall.formats import UNIT_UNKNOWN
from footfall.record.run.node_table import Node
from footfall.record.run.sample_log import Sample, SampledCode, SampleLog
from made_logs import MS, make_log


def function_times(profile: Profile) -> dict[str, tuple[float, float]]:
    """(own, total) milliseconds by function."""
    return {
        function.qualname: (times.own.wall_ns / MS, times.total.wall_ns / MS)
        for function, times in times_of_functions(profile).items()
    }


def profile_of(*logs: SampleLog) -> Profile:
    """The profile of some logs."""
    profile = profile_of_logs(logs)
    assert profile is not None
    return profile


TREES = {
    "a leaf and its caller": (
        [(0, "main", 1), (1, "f", 11)],
        [(1, 2), (2, 3)],
        {"main": (2, 5), "f": (3, 3)},
    ),
    "recursion counts once": (
        [(0, "main", 1), (1, "f", 11), (2, "f", 11), (3, "f", 12)],
        [(2, 1), (3, 2), (4, 4)],
        {"main": (0, 7), "f": (7, 7)},
    ),
    "mutual recursion": (
        [(0, "f", 1), (1, "g", 11), (2, "f", 2), (3, "g", 12)],
        [(4, 5), (1, 1)],
        {"f": (1, 6), "g": (5, 5)},
    ),
    "the same function below two callers": (
        [(0, "main", 1), (1, "f", 11), (1, "g", 21), (2, "h", 31), (3, "h", 31)],
        [(4, 3), (5, 4)],
        {"main": (0, 7), "f": (0, 3), "g": (0, 4), "h": (7, 7)},
    ),
}


@pytest.mark.parametrize(("nodes", "samples", "expected"), TREES.values(), ids=TREES.keys())
def test_function_times(
    nodes: list[tuple[int, str, int]],
    samples: list[tuple[int, int]],
    expected: dict[str, tuple[float, float]],
) -> None:
    """Own and cumulative time of each function."""
    assert function_times(profile_of(make_log(nodes, samples))) == expected


def test_line_times() -> None:
    """A line's own time is its leaves', its total that of all stacks through it, once each."""
    log = make_log(
        [(0, "main", 1), (1, "f", 11), (2, "f", 11), (3, "f", 12), (1, "f", 12)],
        [(1, 1), (3, 2), (4, 4), (5, 8)],
    )
    found = {
        line: (times.own.wall_ns // MS, times.total.wall_ns // MS)
        for (_, line), times in times_of_lines(profile_of(log)).items()
    }
    assert found == {1: (1, 15), 11: (2, 6), 12: (12, 12)}


def test_processes_and_threads_merge() -> None:
    """Equal stacks of two processes are one branch; their threads stay apart."""
    nodes = [(0, "main", 1), (1, "f", 11)]
    profile = profile_of(make_log(nodes, [(2, 3)], pid=1), make_log(nodes, [(2, 4), (0, 1)], pid=2))
    assert len(profile.nodes) == 3
    assert [thread.pid for thread in profile.threads] == [1, 2]
    assert [cost.wall_ns // MS for cost in times_of_threads(profile)] == [3, 5]
    assert profile.total() == Cost(8 * MS, 4 * MS, 8 * MS, 3)
    assert profile.n_processes == 2


def test_waiting_for_the_gil_is_a_part_of_wall_time() -> None:
    """Time of waiting, and time of which that is not known, are summed by line and thread; both stay 0 for a holder."""
    log = make_log([(0, "main", 1), (1, "f", 11)], [(2, 1), (2, 2), (2, 4), (1, 8)])
    states = [(True, False), (False, True), (False, None), (False, False)]
    log.samples = [
        sample._replace(holds_gil=holds, waits_for_gil=waits)
        for sample, (holds, waits) in zip(log.samples, states, strict=True)
    ]
    profile = profile_of(log)
    own = {line: times.own for (_, line), times in times_of_lines(profile).items()}
    for cost in (own[11], profile.total()):
        assert (cost.gil_ns, cost.gil_wait_ns, cost.gil_untold_ns) == (MS, 2 * MS, 4 * MS)
    assert (own[1].gil_wait_ns, own[1].gil_untold_ns) == (0, 0)


def test_no_logs_no_profile() -> None:
    """A run without a sampled process has no profile."""
    assert profile_of_logs([]) is None


def test_collapsed_stacks() -> None:
    """Stacks are outermost first; lines are distinguished when asked for."""
    profile = profile_of(make_log([(0, "main", 1), (1, "f", 11), (1, "f", 12)], [(2, 3), (3, 4), (0, 1)]))
    assert {stack: cost.samples for stack, cost in collapse_stacks(profile)} == {
        ("main (/p/a.py)", "f (/p/a.py)"): 2,
        (): 1,
    }
    assert {stack for stack, _ in collapse_stacks(profile, with_lines=True)} == {
        ("main (/p/a.py:1)", "f (/p/a.py:11)"),
        ("main (/p/a.py:1)", "f (/p/a.py:12)"),
        (),
    }


def test_contexts_and_paths_are_asked_for() -> None:
    """The caller names contexts and maps paths."""
    log = make_log([(0, "main", 1)], [(1, 1)])
    log.samples = [sample._replace(context=context) for sample in log.samples for context in (0, 7)]
    profile = profile_of_logs([log], lambda log, path: "/abs" + path, lambda log: {7: "test_x"})
    assert profile is not None
    assert [key[2] for key in profile.costs] == ["", "test_x"]
    assert profile.frames[0].function.path == "/abs/p/a.py"


def test_units_become_positions() -> None:
    """A unit is looked up in the location table; one without a line takes the line before it."""
    log = make_log([], [])
    log.units_are_lines = False
    log.codes[1] = SampledCode("/p/b.py", "f", 1, b"\x80\x00\xf8")
    for number, unit in enumerate((0, 1, UNIT_UNKNOWN), start=1):
        log.nodes[number] = Node(0, 1, unit)
        log.samples.append(Sample(0, number, 0, MS, MS, 0, False, 1))
    profile = profile_of(log)
    assert [(frame.line, frame.column) for frame in profile.frames] == [(1, 0), (1, None)]
    assert times_of_functions(profile)[Function("/p/b.py", "f", 1)].own.samples == 3


def test_the_beginning_of_a_module_is_its_first_line() -> None:
    """Its first instruction has the line 0, which would be no place."""
    log = make_log([], [])
    log.units_are_lines = False
    log.codes[1] = SampledCode("/p/b.py", "<module>", 1, b"\xf0\x03\x01\x01\x01")
    log.nodes[1] = Node(0, 1, 0)
    log.samples.append(Sample(0, 1, 0, MS, MS, 0, False, 1))
    assert [(frame.line, frame.end_line, frame.column) for frame in profile_of(log).frames] == [(1, 1, None)]


def test_deep_recursion_is_summed() -> None:
    """A stack of 20,000 frames needs no recursion of ours."""
    nodes = [(number, "f", 11) for number in range(20_000)]
    assert function_times(profile_of(make_log(nodes, [(20_000, 5)]))) == {"f": (5, 5)}


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy's location tables have another format")
def test_the_place_of_a_unit_does_not_depend_on_how_many_are_asked_for() -> None:
    """Single positions and all at once are the same, also past the end and where an instruction has no line."""
    code = test_the_place_of_a_unit_does_not_depend_on_how_many_are_asked_for.__code__
    sampled = SampledCode("/p/a.py", code.co_name, code.co_firstlineno, code.co_linetable)
    log = SampleLog("1-0.smp")
    units = [*range(len(code.co_code) // 2 + 2), 0xFFFFFFFF]
    together = _CodePlaces(log, sampled, None)
    assert [together.frame(unit) for unit in units] == [_CodePlaces(log, sampled, None).frame(unit) for unit in units]
    assert len({frame.line for frame in map(together.frame, units)}) > 5
