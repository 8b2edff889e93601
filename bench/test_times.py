"""How near the measured times of tests are to other readings of the same clocks, and what reading the clocks costs.

    python bench/test_times.py [--tests 300]

Two other readings of the wall clock and the thread's CPU clock, in the same run:

around  by a hook wrapper like ours, directly around it: what ours has less is what two wrappers take around each other
body    by the test itself: what ours has more is what pytest does between the hook and the test's first line (it
        collects the arguments, and calls it), which is work of the process like any other, and longer where other
        processes have emptied the caches meanwhile or take the processor between the two readings

Ours is right where it is between the two, and as exact as a reading can be where these are near each other. The cost is
that of our hooks alone, called without pytest.
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
from time import perf_counter_ns as wall, thread_time_ns as cpu
NOTED = {"body": {}, "around": {}}
@pytest.fixture
def noted():
    return NOTED["body"]
class Clocks:
    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_pyfunc_call(self, pyfuncitem):
        start_wall, start_cpu = wall(), cpu()
        yield
        end_cpu, end_wall = cpu(), wall()
        NOTED["around"][pyfuncitem.callspec.params["number"]] = end_wall - start_wall, end_cpu - start_cpu
def pytest_collection_finish(session):
    session.config.pluginmanager.register(Clocks())
def pytest_sessionfinish():
    with open("noted", "w") as file: json.dump(NOTED, file)
"""
_SPIN = """
import pytest
from time import perf_counter_ns as wall, thread_time_ns as cpu
@pytest.mark.parametrize("number", range({n_tests}))
def test_spin(number, noted):
    start_wall, start_cpu = wall(), cpu()
    end = start_cpu + number % 10 * 1_000_000
    while cpu() < end: pass
    end_cpu = cpu()
    noted[number] = wall() - start_wall, end_cpu - start_cpu
"""


_Times = dict[int, tuple[int, int]]
"""Nanoseconds by the wall clock and by the CPU clock, by the test's number."""


def _times(n_tests: int) -> dict[str, _Times]:
    """Return the times by who has read the clocks."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "conftest.py").write_text(_TESTS)
        (folder / "test_spin.py").write_text(_SPIN.format(n_tests=n_tests))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "footfall.pytest_plugin"]
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        subprocess.run([*command, "--footfall"], cwd=folder, env=environment, check=True, capture_output=True)
        ours = read_test_times(folder / ".coverage")
        found: dict[str, _Times] = {"ours": {}}
        for number in range(n_tests):
            time_of_run = ours[f"test_spin.py::test_spin[{number}]|run"]
            found["ours"][number] = time_of_run.wall_ns, time_of_run.cpu_ns
        for name, times in json.loads((folder / "noted").read_text()).items():
            found[name] = {int(number): (wall, cpu) for number, (wall, cpu) in times.items()}
        return found


def _print_difference(title: str, longer: _Times, shorter: _Times) -> None:
    """Print by how much one reading is longer than another one."""
    for at, clock in enumerate(("wall", "cpu")):
        values = sorted((longer[number][at] - shorter[number][at]) / 1000 for number in shorter)
        within = sum(abs(value) <= 50 for value in values) / len(values)
        print(
            f"{title:14} {clock:4}  least {values[0]:7.1f} us  median {statistics.median(values):6.1f} us"
            f"  95 % {values[len(values) * 95 // 100]:7.1f} us  most {values[-1]:8.1f} us"
            f"  within 50 us: {100 * within:.1f} %"
        )


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
    times = _times(arguments.tests)
    _print_difference("around - ours", times["around"], times["ours"])
    _print_difference("ours - body", times["ours"], times["body"])
    clock = min(timeit.repeat(time.thread_time_ns, number=10_000, repeat=5, timer=time.thread_time)) * 100
    print(f"cost of a switch: {min(_cost_us() for _ in range(5)):.2f} us, {clock:.2f} us of them the CPU clock itself")


if __name__ == "__main__":
    main()
