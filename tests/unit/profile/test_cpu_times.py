"""CPU times of samples that saw a thread asleep go to those that saw it run."""

import pytest

from footfall.analyze.profile.calltree import profile_of_logs, times_of_lines
from footfall.record.run.sample_log import Sample
from made_logs import make_log

pytestmark = pytest.mark.any_python

# line 1 computes, line 2 waits
NODES = [(0, "f", 1), (0, "f", 2)]
RUNS, WAITS = 1, 2


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        pytest.param([(RUNS, 5, 0), (WAITS, 3, 0), (RUNS, 1, 0)], {1: 9, 2: 0}, id="kept for the next that runs"),
        pytest.param([(RUNS, 5, 0), (WAITS, 3, 0), (WAITS, 0, 0)], {1: 8, 2: 0}, id="at the end, to the last that ran"),
        pytest.param([(WAITS, 3, 0), (WAITS, 2, 0)], {1: 0, 2: 5}, id="none runs"),
        pytest.param([(RUNS, 5, 0), (WAITS, 3, 1), (RUNS, 1, 2)], {1: 6, 2: 3}, id="each context has its own"),
    ],
)
def test_cpu_time_of_a_thread_that_sleeps(samples, expected) -> None:
    """A sample of a sleeping thread has none; nothing is lost, and no context gets the time of another."""
    log = make_log(NODES, [])
    log.samples = [
        Sample(0, node, at, 1_000, cpu_ns, context, node == RUNS, 1, is_asleep=node == WAITS)
        for at, (node, cpu_ns, context) in enumerate(samples, 1)
    ]
    profile = profile_of_logs([log], contexts=lambda _: {0: "", 1: "b", 2: "c"})
    assert profile is not None
    assert {line: times.own.cpu_ns for (_, line), times in times_of_lines(profile).items()} == expected
    assert sum(sum(each.cpu_ns) for each in profile.timelines.threads.values()) == sum(expected.values())
