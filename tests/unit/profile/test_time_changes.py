"""Which functions changed by more than chance: drawn times of many unchanged functions, on a steady and a busy machine."""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys

import pytest

from footfall.analyze.profile.changes.time_changes import FunctionTime, FunctionTimes, averaged, changed_times

pytestmark = pytest.mark.any_python

MS = 1000


def draw(chance: random.Random, expected_ms: list[float], machine: float) -> FunctionTimes:
    """Sampled times (a sample is 1 ms) of one run; `machine` is the relative deviation of what functions really take.

    All are slower or faster by a tenth as well, together.
    """
    found = FunctionTimes(sample_us=MS)
    common = chance.gauss(0, 0.1)
    for line, expected in enumerate(expected_ms, 1):
        taken = expected * math.exp(common + chance.gauss(0, machine))
        samples = round(chance.gauss(taken, math.sqrt(taken)))
        if samples > 0:
            error_us = math.sqrt(samples) * MS
            found.functions["f", f"m{line}.py"] = [FunctionTime(line, samples * MS, error_us)]
    return found


@pytest.mark.parametrize("n_runs", [1, 3], ids=["one run of each", "three runs of each"])
@pytest.mark.parametrize(
    ("n_functions", "machine"), [(100, 0.0), (100, 0.15), (20, 0.15), (12, 0.3), (4, 0.15)], ids=str
)
def test_unchanged_functions_seldom_differ(n_functions: int, machine: float, n_runs: int) -> None:
    """A comparison names a function in one of a hundred cases at most: of 150, more than 5 is unlikely (0.4 %).

    Of the limit itself that is; by standard errors that are taken as known, 40 of 150 do where functions are few.
    """
    chance = random.Random(7)
    n_named = 0
    for _ in range(150 if n_functions < 100 else 50):
        expected = [math.exp(chance.uniform(0, 5)) for _ in range(n_functions)]
        before, now = (averaged([draw(chance, expected, machine) for _ in range(n_runs)]) for _ in range(2))
        found = changed_times(before, now)
        n_named += found.is_decided and bool(found.changes)
    assert n_named <= (5 if n_functions < 100 else 3)


def test_what_changed_is_found() -> None:
    """A function of 100 ms that takes 300 ms, among others, on a machine that is 1.3 times as slow; not those others."""
    chance = random.Random(8)
    expected = [math.exp(chance.uniform(3, 5)) for _ in range(40)]
    now = [ms * 1.3 for ms in expected]
    expected[5], now[5] = 100.0, 300.0
    found = changed_times(draw(chance, expected, 0.05), draw(chance, now, 0.05))
    assert [each.file for each in found.changes] == ["m6.py"]
    assert 1.0 < found.noise.factor < 1.7
    runs = [[draw(chance, each, 0.05) for _ in range(3)] for each in (expected, now)]
    found = changed_times(averaged(runs[0]), averaged(runs[1]))
    assert [each.file for each in found.changes] == ["m6.py"]
    assert found.changes[0].error_us < 40 * MS


def test_one_function_is_compared_by_its_runs() -> None:
    """A program of one function: a single run tells nothing; of five runs each, 1 s -> 2 s is a change."""
    chance = random.Random(9)
    before, now = ([draw(chance, [ms], 0.05) for _ in range(5)] for ms in (1000.0, 2000.0))
    assert not changed_times(before[0], now[0]).is_decided
    assert not changed_times(averaged(before[:2]), now[0]).changes, "two runs are one degree of freedom"
    found = changed_times(averaged(before), averaged(now))
    assert (found.is_decided, len(found.changes)) == (True, 1)
    assert not changed_times(averaged(before[:3]), averaged(before[3:])).changes


ANY_ORDER = """
import random
from test_time_changes import changed_times, draw
chance = random.Random(9)
expected = [chance.uniform(20, 200) for _ in range(40)]
print(changed_times(draw(chance, expected, 0.1), draw(chance, expected, 0.1)))
"""


def test_every_process_finds_the_same() -> None:
    """To the last digit: the order in which sets of names are iterated, which differs between processes, does not count."""
    folder = os.path.dirname(__file__)
    found = {
        subprocess.run(
            [sys.executable, "-c", ANY_ORDER],
            env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": folder},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(4)
    }
    assert len(found) == 1
