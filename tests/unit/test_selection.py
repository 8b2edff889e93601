"""The choice of tests: which arguments of pytest stand for which tests, and what a limit of time leaves."""

import pytest

from footfall.analyze.selection import Selection, choose, covers

pytestmark = pytest.mark.any_python


@pytest.mark.parametrize(
    ("argument", "name", "expected"),
    [
        ("tests/a.py", "tests/a.py::test_x[1]", True),
        ("tests", "tests/a.py::test_x", True),
        ("tests/", "tests/a.py", True),
        (".", "tests/a.py::test_x", True),
        ("tests/a.py::A", "tests/a.py::A::test_x", True),
        ("tests/a.py::test_x", "tests/a.py::test_x[1]", True),
        ("tests/a.py::test_x[1]", "tests/a.py::test_x[1]", True),
        ("tests/a.py::test_x", "tests/a.py::test_xy", False),
        ("tests/a", "tests/a.py::test_x", False),
        ("test", "tests/a.py", False),
        ("tests/a.py", "tests/a.py[1]", False),
    ],
)
def test_an_argument_runs_what_is_below_it(argument: str, name: str, expected: bool) -> None:
    """A folder, a file, a class, a function with its parameters; never what only begins alike."""
    assert covers(argument, name) is expected


def test_a_limit_counts_what_is_run_in_any_case() -> None:
    """Arguments take their time first, then the fastest tests that are affected."""
    times = {"a.py::x": 5, "a.py::y": 1, "b.py::z": 3, "c.py::w": 4, "d.py::v": 1}
    found = {"b.py::z", "c.py::w", "a.py::x"}
    assert choose(times, found, ["a.py", "a.py::x"]) == Selection(["b.py::z", "c.py::w"], ["a.py"], [], 0)
    assert choose(times, found, ["a.py"], limit_ns=9) == Selection(["b.py::z"], ["a.py"], ["c.py::w"], 4)
    assert choose(times, found, [], limit_ns=12).names == ["b.py::z", "c.py::w", "a.py::x"]
    assert choose(times, found, [], gone=["c.py"]).names == ["b.py::z", "a.py::x"]
