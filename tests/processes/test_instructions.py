"""Measured programs take no more instructions than is on record, relative to the same programs without footfall."""

import pytest

from instructions import PROGRAMS, WHY_NOT, above, ratio_of, recorded


@pytest.mark.slow
@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "it can be counted")
@pytest.mark.parametrize("program", PROGRAMS)
def test_measured_programs_take_no_more_instructions_than_on_record(program: str) -> None:
    """`python tests/support/instructions.py --update` writes the record anew; the reason belongs in the commit."""
    ratio = ratio_of(program)
    assert not above(ratio, recorded()[program]), f"{program}: {ratio:.4f}, on record {recorded()[program]}"


def test_more_than_the_margin_is_above() -> None:
    """Three per cent are allowed, and fewer instructions than on record are well."""
    assert above(1.04, 1.0)
    assert not above(1.02, 1.0)
    assert not above(0.5, 1.0)
