"""A quick share of the exactness command: random programs and a table of constructs under footfall and the C tracer."""

import sys

import pytest

pytest.importorskip("coverage", minversion="7.17")
if sys.implementation.name != "cpython":
    pytest.skip("the C tracer is for CPython; tests/exact.py compares PyPy with its answers", allow_module_level=True)

from exact import Measure, compare_programs, constructs, random_programs
from exact_contexts import compare_contexts
from programs.optimized_constructs import OPTIMIZED_BODIES

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")]

FIRST_SEED = 1000


def test_random_programs() -> None:
    """Statements, exclusions, missing lines and branches, totals and the programs' own results are equal."""
    differences = compare_programs(random_programs(range(FIRST_SEED, FIRST_SEED + 60))).differences
    assert differences == {}


def test_constructs() -> None:
    """The same holds for every construct of the table."""
    differences = compare_programs(constructs()).differences
    assert differences == {}


def test_programs_in_parallel_threads() -> None:
    """The same holds where four threads run all programs at once, in different orders."""
    programs = random_programs(range(FIRST_SEED, FIRST_SEED + 20))
    assert compare_programs(programs, how=Measure(threads=4)).differences == {}


@pytest.mark.parametrize("level", [1, 2])
def test_constructs_that_optimization_leaves_out(level: int) -> None:
    """The same holds under `-O` and `-OO` for asserts, `__debug__` and docstrings."""
    programs = constructs(OPTIMIZED_BODIES)
    assert len(programs) > 60
    assert compare_programs(programs, how=Measure(optimize=level)).differences == {}


@pytest.mark.skipif(sys.version_info < (3, 14), reason="probes do not repeat the line at which a frame waited")
def test_contexts_of_random_programs() -> None:
    """Programs that begin a context at each call and each step of a coroutine: lines and branches of each are equal."""
    assert compare_contexts(range(FIRST_SEED, FIRST_SEED + 25)) == {}
