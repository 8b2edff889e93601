"""A few rounds of tests/sampler_stress.py: whatever is freed while it is read, no crash and no wrong name."""

from __future__ import annotations

import random
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy has its own sampler")


@pytest.mark.parametrize("end", ["ends", "threads at the end", "_exit", "exec", "killed"])
def test_programs_of_many_kinds_are_unharmed(end: str) -> None:
    """Sampled every 5 us, a program that does several things at once ends as it does alone."""
    from sampler_stress import run_round

    assert run_round(random.Random(end), 1.0, 5, end) == ""


def test_names_of_code_freed_during_sampling() -> None:
    """A code object that is freed while its name is read is not recorded under what came into its memory."""
    from sampler_stress import run_program

    assert run_program(["copies"], "ends", 2.0, 5) == ""
