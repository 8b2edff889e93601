"""Which functions changed by more than chance: drawn times of many unchanged functions, on a steady and a busy machine."""

from __future__ import annotations

import math
import random

import pytest

from footfall.analyze.profile.time_changes import FunctionTime, FunctionTimes, averaged, changed_times

pytestmark = pytest.mark.any_python

MS = 1000


def draw(chance: random.Random, expected_ms: list[float], machine: float) -> FunctionTimes:
    """Sampled times (a sample is 1 ms) of one run; `machine` is the relative deviation of what functions really take."""
    found = FunctionTimes(sample_us=MS)
    for line, expected in enumerate(expected_ms, 1):
        taken = expected * math.exp(chance.gauss(0, machine))
        samples = round(chance.gauss(taken, math.sqrt(taken)))
        if samples > 0:
            error_us = math.sqrt(samples) * MS
            found.functions["f", f"m{line}.py"] = [FunctionTime(line, samples * MS, error_us)]
    return found


@pytest.mark.parametrize(
    ("machine", "most"), [(0.0, 2), (0.15, 6)], ids=["steady machine", "runs of a function differ by 15 %"]
)
def test_unchanged_functions_seldom_differ(machine: float, most: int) -> None:
    """Of 40 comparisons few name a function; by three standard errors of sampling alone 10 and 37 would."""
    chance = random.Random(7)
    n_named = 0
    for _ in range(40):
        expected = [math.exp(chance.uniform(0, 5)) for _ in range(100)]
        n_named += bool(changed_times(draw(chance, expected, machine), draw(chance, expected, machine)).changes)
    assert n_named <= most


def test_what_changed_is_found() -> None:
    """A function of 100 ms that takes 300 ms, among others, on a machine that is 1.3 times as slow; not those others."""
    chance = random.Random(8)
    expected = [math.exp(chance.uniform(3, 5)) for _ in range(40)]
    now = [ms * 1.3 for ms in expected]
    expected[5], now[5] = 100.0, 300.0
    found = changed_times(draw(chance, expected, 0.05), draw(chance, now, 0.05))
    assert [each.file for each in found.changes] == ["m6.py"]
    assert 1.2 < found.spread.factor < 1.4
    runs = [[draw(chance, each, 0.05) for _ in range(3)] for each in (expected, now)]
    found = changed_times(averaged(runs[0]), averaged(runs[1]))
    assert [each.file for each in found.changes] == ["m6.py"]
    assert found.changes[0].error_us < 40 * MS
