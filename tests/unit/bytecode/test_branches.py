"""Branches worked out from bytecode are the interpreter's own."""

import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from footfall.analyze.bytecode.branches import find_branches
from footfall.analyze.bytecode.opcodes import OPCODES_BY_VERSION

pytestmark = pytest.mark.skipif(not hasattr(types.CodeType, "co_branches"), reason="co_branches came with CPython 3.14")

_LIBRARY = Path(types.__file__).parent
_MODULES = [
    "argparse.py",
    "asyncio/base_events.py",
    "asyncio/staggered.py",
    "contextlib.py",
    "datetime.py",
    "dataclasses.py",
    "inspect.py",
    "ast.py",
    "json/decoder.py",
    "typing.py",
]


def _code_objects(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _code_objects(constant)


_ASYNC = """
async def f(xs):
    async for x in xs:
        async with x:
            yield x
    kept = [y async for y in xs if y]
"""


@pytest.mark.parametrize(
    "text", [_ASYNC, *((_LIBRARY / name).read_text() for name in _MODULES)], ids=["async", *_MODULES]
)
def test_branches_are_those_of_co_branches(text: str) -> None:
    """Every code object of real modules gives the same source, left and right offsets."""
    ops = OPCODES_BY_VERSION[sys.version_info[:2]]
    for code in _code_objects(compile(text, "<module>", "exec")):
        assert find_branches(code.co_code, ops) == tuple(sorted(code.co_branches()))
