"""How near the measured times of tests are to what the tests themselves read, and what reading the clocks costs.

    python bench/test_times.py [--tests 300]

Each test notes what its body took by its own clocks: the difference is what pytest does between our hook and the body.
The cost is that of our hooks alone, called without pytest.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Iterator
from pathlib import Path
from types import MethodType, SimpleNamespace
from typing import Any

import pytest

from footfall.pytest_plugin.phase_times import _PhaseTimes
from footfall.record.data.test_times import read_test_times

_TESTS = """
import json, time
import pytest
NOTED = []
@pytest.fixture
def noted():
    return NOTED
def pytest_sessionfinish():
    with open("own", "w") as file: json.dump(NOTED, file)
"""
_SPIN = """
import pytest
from time import perf_counter_ns as wall, thread_time_ns as cpu
@pytest.mark.parametrize("number", range({n_tests}))
def test_spin(number, noted):
    start_wall, start_cpu = wall(), cpu()
    end = start_cpu + number % 10 * 1_000_000
    while cpu() < end: pass
    noted.append((number, cpu() - start_cpu, wall() - start_wall))
"""


def _differences(n_tests: int) -> dict[str, list[float]]:
    """Return by clock how many microseconds longer each call is by our clocks than by the test's."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "conftest.py").write_text(_TESTS)
        (folder / "test_spin.py").write_text(_SPIN.format(n_tests=n_tests))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "footfall.pytest_plugin"]
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        subprocess.run([*command, "--footfall"], cwd=folder, env=environment, check=True, capture_output=True)
        ours = read_test_times(folder / ".coverage")
        found: dict[str, list[float]] = {"wall": [], "cpu": []}
        for number, cpu, wall in json.loads((folder / "own").read_text()):
            time_of_run = ours[f"test_spin.py::test_spin[{number}]|run"]
            found["wall"].append((time_of_run.wall_ns - wall) / 1000)
            found["cpu"].append((time_of_run.cpu_ns - cpu) / 1000)
        return found


def _cost_us(n_phases: int = 30_000) -> float:
    """Return the microseconds of CPU of one switch, a phase's start or end, with its part of the writing."""
    with tempfile.TemporaryDirectory() as directory:
        times = _PhaseTimes(directory)
        item: Any = SimpleNamespace(nodeid="tests/unit/test_prices.py::TestPrices::test_rounding[1.005-1.01]")
        item.runtest = MethodType(pytest.Function.runtest, item)
        start = time.thread_time()
        for _ in range(n_phases // 3):
            _call(times.pytest_runtest_setup(item))
            _call(times.pytest_runtest_call(item), times.pytest_pyfunc_call(item))
            _call(times.pytest_runtest_teardown(item))
        return (time.thread_time() - start) / n_phases / 2 * 1e6


def _call(*wrappers: Iterator[None]) -> None:
    """Go through hook wrappers that lie in each other, as pytest does."""
    for wrapper in wrappers:
        next(wrapper)
    for wrapper in reversed(wrappers):
        next(wrapper, None)


def main() -> None:
    """Print the differences and the cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", type=int, default=300)
    arguments = parser.parse_args()
    for clock, values in _differences(arguments.tests).items():
        ordered = sorted(values)
        within = sum(value <= 50 for value in values) / len(values)
        print(
            f"{clock:4}  median {statistics.median(values):6.1f} us  95 % {ordered[len(ordered) * 95 // 100]:7.1f} us"
            f"  most {ordered[-1]:8.1f} us  within 50 us: {100 * within:.1f} %"
        )
    clock = min(timeit.repeat(time.thread_time_ns, number=10_000, repeat=5, timer=time.thread_time)) * 100
    print(f"cost of a switch: {min(_cost_us() for _ in range(5)):.2f} us, {clock:.2f} us of them the CPU clock itself")


if __name__ == "__main__":
    main()
