"""Costs that can be counted are not above those on record: what is loaded, and what stays instrumented."""

import pytest

from counted import NAME, count, grown, recorded

pytestmark = pytest.mark.any_python


def test_counted_costs_are_not_above_the_record() -> None:
    """`python tests/support/counted.py --update` writes the record anew; the reason belongs in the commit."""
    on_record = recorded()
    if not on_record:
        pytest.skip(f"no figures are on record for {NAME}")
    assert grown(count(), on_record) == []


def test_growth_is_named() -> None:
    """More of a list's names, numbers above the margin, and what was never on record; less of anything is well."""
    on_record = {"start": ["a", "b"], "left": {"LINE": 1}, "commands": {"run": {"footfall": 100, "library": []}}}
    found = {
        "start": ["a", "c"],
        "left": {"LINE": 1, "JUMP": 2},
        "commands": {"run": {"footfall": 103, "library": ["json"]}, "report": {"footfall": 104, "library": []}},
    }
    assert grown(found, on_record) == [
        "commands, report, footfall: 104, on record None",
        "commands, run, library: json is new",
        "left, JUMP: 2, on record None",
        "start: c is new",
    ]
    assert grown(on_record, found) == ["start: b is new"]
    assert grown({"run": 104}, {"run": 100}) == ["run: 104, on record 100"]
