"""The C extension that works out records of CPython 3.14 and later: the same answers as the Python it stands in for."""

import pathlib
import random
import sys
import types
from collections.abc import Iterator

import pytest

from conftest import REPOSITORY
from footfall.analyze.bytecode.arcs import arcs_of_code, walk_arcs
from footfall.analyze.bytecode.branches import find_branches, list_branches
from footfall.analyze.bytecode.instructions import find_steering, lines_of_units, steering_instructions
from footfall.analyze.bytecode.linetable import position, positions, read_positions
from footfall.analyze.bytecode.opcodes import CONSTANT_TESTS_BY_VERSION, OPCODES_BY_VERSION
from footfall.analyze.conditions.branch_outcomes import find_condition_jumps
from footfall.record.run.record_file import RecordedCode

condition_jumps = pytest.importorskip("footfall._decode", reason="no C extension for this interpreter").condition_jumps
VERSION = sys.version_info[:2]
OPS = OPCODES_BY_VERSION.get(VERSION)
pytestmark = pytest.mark.skipif(OPS is None, reason="this version records no branches")

STAR = """
def f(x):
    for n in range(x):
        try:
            with open(n) as a, x:
                g()
        except* ValueError:
            a = 1
        except* (KeyError, TypeError) as e:
            if e:
                b = 2
        finally:
            yield x and (a or b)

async def g(x):
    async for a in x:
        async with a as b:
            [await i async for i in a if i]
    else:
        return await b
"""


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _all_codes() -> Iterator[types.CodeType]:
    """Every other function of this project's, some of the standard library's, and what neither has."""
    library = pathlib.Path(types.__file__).parent
    paths = [
        *(REPOSITORY / "src").rglob("*.py"),
        *(library / "asyncio").glob("*.py"),
        *sorted(library.glob("[ab]*.py")),
    ]
    for path in paths:
        yield from list(_codes(compile(path.read_bytes(), str(path), "exec")))[::2]
    yield from _codes(compile(STAR, "star", "exec"))


def _recorded(code: types.CodeType, branches: tuple[tuple[int, int, int], ...]) -> RecordedCode:
    return RecordedCode(
        path=code.co_filename,
        context="",
        qualname=code.co_qualname,
        first_line=code.co_firstlineno,
        co_flags=code.co_flags,
        version=sys.hexversion,
        line_table=code.co_linetable,
        code=code.co_code,
        exception_table=code.co_exceptiontable,
        branches=branches,
        events=b"",
    )


def _random_events(chance: random.Random, recorded: RecordedCode) -> bytes:
    n_units = len(recorded.code) // 2
    density = chance.choice((0.02, 0.3, 0.9))
    flags = chance.choice((0x7F, 0x07, 0x2F))
    places = n_units * (1 + _n_star_ends(recorded))
    return bytes(chance.randrange(128) & flags if chance.random() < density else 0 for _ in range(places))


def _n_star_ends(recorded: RecordedCode) -> int:
    """How many fields of events must follow the first: one for each jump without a line that ends an `except*`."""
    lines = lines_of_units(recorded.line_table, recorded.first_line, len(recorded.code) // 2)
    units = {source // 2 for source, _, _ in recorded.branches}
    return sum(recorded.code[2 * unit] == OPS.pop_jump_if_not_none and lines[unit] < 0 for unit in units)


def _answer(work, *arguments):
    """What it returns, or that it refused."""
    try:
        return work(*arguments)
    except ValueError:
        return "refused"


@pytest.mark.slow
def test_the_same_answers() -> None:
    """Tables of every code object; lines and arcs of random events, whole runs and contexts; also of `except*`, whose events have more fields."""
    chance = random.Random(1)
    n_compared = n_with_stars = 0
    for code in _all_codes():
        branches = list_branches(code.co_code, OPS)
        assert find_branches(code.co_code, OPS) == branches
        assert steering_instructions(code.co_code, OPS) == find_steering(code.co_code, OPS)
        assert positions(code.co_linetable, code.co_firstlineno) == read_positions(
            code.co_linetable, code.co_firstlineno
        )
        tables = code.co_code, code.co_linetable, code.co_firstlineno
        expected = [*positions(*tables[1:]), None]
        assert [position(*tables[1:], unit) for unit in (0, 1, len(expected) // 2, len(expected) - 1)] == [
            expected[min(unit, len(expected) - 1)] for unit in (0, 1, len(expected) // 2, len(expected) - 1)
        ]
        jumps = condition_jumps(*tables, OPS, CONSTANT_TESTS_BY_VERSION[VERSION])
        assert jumps == find_condition_jumps(*tables, VERSION)
        recorded = _recorded(code, branches)
        n_with_stars += _n_star_ends(recorded)
        for has_exits, is_partial in ((True, False), (True, True), (False, False)):
            events = recorded._replace(events=_random_events(chance, recorded))
            expected = walk_arcs(events, OPS, has_exits, is_partial)
            assert arcs_of_code(events, has_exits, is_partial) == expected, (
                code.co_filename,
                code.co_qualname,
                events.events,
            )
            n_compared += 1
    assert n_compared > 2000
    assert n_with_stars


def test_damage_is_refused_alike_and_never_read_past() -> None:
    """Tables with wrong bytes or cut short are refused, or give what they give in Python."""
    chance = random.Random(2)
    n_refused = n_answered = 0
    codes = list(_all_codes())
    for _ in range(5_000):
        code = chance.choice(codes)
        recorded = _recorded(code, list_branches(code.co_code, OPS))
        for name in chance.sample(("code", "line_table", "exception_table", "branches"), chance.randrange(1, 3)):
            recorded = recorded._replace(**{name: _damaged(chance, getattr(recorded, name))})
        n_events = max(0, len(recorded.code) // 2 + chance.choice((0, 0, 0, -1, 1)))
        recorded = recorded._replace(events=bytes(chance.randrange(128) for _ in range(n_events)))
        assert find_branches(recorded.code, OPS) == list_branches(recorded.code, OPS)
        assert steering_instructions(recorded.code, OPS) == find_steering(recorded.code, OPS)
        assert positions(recorded.line_table, 5) == read_positions(recorded.line_table, 5)
        jumps = condition_jumps(recorded.code, recorded.line_table, 5, OPS, CONSTANT_TESTS_BY_VERSION[VERSION])
        assert jumps == find_condition_jumps(recorded.code, recorded.line_table, 5, VERSION)
        is_partial = bool(chance.randrange(2))
        ours = _answer(arcs_of_code, recorded, True, is_partial)
        if ours != "refused":
            assert ours == walk_arcs(recorded, OPS, True, is_partial)
        n_refused += ours == "refused"
        n_answered += ours != "refused"
    assert n_refused > 100
    assert n_answered > 100


def _damaged(chance: random.Random, table):
    if isinstance(table, tuple):
        return tuple(tuple(chance.choice((n, n, n + 2, 0, 10**6, -2)) for n in branch) for branch in table)
    if not table or chance.random() < 0.2:
        return bytes(chance.randrange(256) for _ in range(chance.randrange(40)))
    if chance.random() < 0.3:
        return table[: chance.randrange(len(table))]
    at = chance.randrange(len(table))
    return table[:at] + bytes([chance.randrange(256)]) + table[at + 1 :]


@pytest.mark.parametrize("ops", [(), (1,) * 20, (256,) * 21, ("a",) * 21, None])
def test_wrong_opcodes_are_refused(ops) -> None:
    """A list of opcodes that is not one is an error, not a crash."""
    from footfall._decode import CodeGraph

    with pytest.raises((TypeError, ValueError)):
        CodeGraph(b"\x01\x00" * 4, b"", b"", 1, (), ops)
    with pytest.raises((TypeError, ValueError)):
        find_branches.__wrapped__(b"\x01\x00" * 4, ops)
