"""The decoder of location tables, against the interpreter's own `co_positions()`."""

import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.analyze.bytecode.linetable import positions

pytestmark = pytest.mark.skipif(sys.implementation.name != "cpython", reason="PyPy's location tables are its own")

PROGRAMS = {
    "one line": "x = 1",
    "a call over several lines": "f(\n    1,\n    2,\n)(\n 3)",
    "a column past 128": "x" * 200 + " = 1 + 2",
    "a line past 4000": "\n" * 5000 + "x = [i for i in range(3)]",
    "lines that go back": "x = (\n  a\n  if b else\n  c\n)",
    "non-ASCII text": "é = 'ééé'; ü = é + é",
    "functions": "def f(a, b=1):\n    try:\n        return a + b\n    finally:\n        print(a)\n",
    "a class with decorators": "@d\nclass A:\n    @property\n    def x(self):\n        yield 1\n",
    "with, match and for": "with a as b:\n  for i in b:\n    match i:\n      case 1: pass\n      case [x, *y]: q(x)\n",
}


def nested(code: types.CodeType) -> list[types.CodeType]:
    """The code object and all that it holds."""
    found = [code]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found += nested(constant)
    return found


@pytest.mark.parametrize("source", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_equal_to_the_interpreter(source: str) -> None:
    """Every unit of every code object has the position that the interpreter tells."""
    for code in nested(compile(source, "program.py", "exec")):
        assert positions(code.co_linetable, code.co_firstlineno) == list(code.co_positions())


def test_equal_on_standard_library_modules() -> None:
    """Real modules decode as the interpreter decodes them."""
    import argparse
    import inspect
    import typing

    for module in (argparse, inspect, typing):
        with open(module.__file__ or "", encoding="utf-8") as file:
            source = file.read()
        for code in nested(compile(source, "module.py", "exec")):
            assert positions(code.co_linetable, code.co_firstlineno) == list(code.co_positions())


@given(st.binary(max_size=60), st.integers(0, 2**31 - 1))
def test_damaged_tables_do_not_raise(table: bytes, first_line: int) -> None:
    """Any bytes give a list with at most 8 units for each byte."""
    assert len(positions(table, first_line)) <= 8 * len(table)


def test_impossible_numbers_end_the_table() -> None:
    """Memory that was reused while it was read can spell a number of any size: no line is one that a database can't hold."""
    huge = bytes([0x80 | 14 << 3, *[0x7F] * 20, 0x01, 0, 0, 0])
    assert positions(b"\x80\x00" + huge, 1) == [(1, 1, 0, 0)]
