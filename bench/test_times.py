"""How near the measured times of tests are to what the tests themselves read, and what reading the clocks costs.

    python bench/test_times.py [--tests 300]

Each test notes what its call took by its own clocks: the difference is what pytest does between our hook and the test.
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
from pathlib import Path
from types import SimpleNamespace

from footfall.pytest_plugin.phase_times import _PhaseTimes
from footfall.record.data.test_times import read_test_times

_TESTS = """
import json, time
import pytest
WALL, CPU = time.perf_counter_ns, time.thread_time_ns
READ = []
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    start = WALL(), CPU()
    result = yield
    wall, cpu = WALL() - start[0], CPU() - start[1]
    READ.append([pyfuncitem.nodeid + "|run", wall, cpu])
    return result
def pytest_sessionfinish():
    with open("own", "w") as file: json.dump(READ, file)
"""
_SPIN = """
import time, pytest
@pytest.mark.parametrize("number", range({n_tests}))
def test_spin(number):
    end = time.thread_time_ns() + number % 10 * 1_000_000
    while time.thread_time_ns() < end: pass
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
        for label, wall, cpu in json.loads((folder / "own").read_text()):
            found["wall"].append((ours[label].wall_ns - wall) / 1000)
            found["cpu"].append((ours[label].cpu_ns - cpu) / 1000)
        return found


def _cost_us(n_phases: int = 30_000) -> float:
    """Return the microseconds of one switch, a phase's start or end, with its part of the writing."""
    with tempfile.TemporaryDirectory() as directory:
        times = _PhaseTimes(directory)
        item = SimpleNamespace(nodeid="tests/unit/test_prices.py::TestPrices::test_rounding[1.005-1.01]")
        start = time.perf_counter()
        for _ in range(n_phases // 3):
            for hook in (times.pytest_runtest_setup, times.pytest_runtest_call, times.pytest_runtest_teardown):
                wrapper = hook(item)
                next(wrapper)
                next(wrapper, None)
        return (time.perf_counter() - start) / n_phases / 2 * 1e6


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
    print(f"cost of a switch: {min(_cost_us() for _ in range(5)):.2f} us")


if __name__ == "__main__":
    main()
