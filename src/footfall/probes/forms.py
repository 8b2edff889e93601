"""What a probe looks like in a syntax tree, which number it has, and how a module says that it contains probes.

A probe is a comparison of a constant string, the mark, with the probe's number. By itself it does nothing: the two are
never equal. When the module's code is armed, another object replaces the mark in the constants, and the comparison
stores an event. Without the C core, statement probes store into that object directly.

The number is text on CPython. The compiler merges equal constants in a function, so an integer could be the program's
own, and code that rewrites integer constants (`code.replace(co_consts=...)`) would change which probe it is.
"""

import sys
from _ast import (
    AST,
    Assign,
    BoolOp,
    Compare,
    Constant,
    Eq,
    ExceptHandler,
    Expr,
    Load,
    MatchAs,
    Or,
    Pass,
    Raise,
    Store,
    Subscript,
    Try,
    Tuple,
    expr,
    match_case,
    stmt,
)

from footfall.own_builtins import keep_builtins
from footfall.tier import HAS_CORE

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Meaning = tuple[int, AST]
    """A kind of meanings.py and the node that it describes."""
    Receiver = Callable[[int, list[Meaning]], None]

__all__ = [
    "EQUAL_MARK",
    "EVENT_MARK",
    "HEADER",
    "MARK",
    "PLAN_VERSION",
    "Forms",
    "header_text",
    "position_of",
    "read_header",
]

PLAN_VERSION = 17
"""Incremented whenever the numbering of probes changes, so that no cached bytecode is used with other meanings."""

MARK = chr(0) + "footfall probe"
"""The constant in place of the module's events until the code is armed. It is not a constant of this module itself: a
measured program may import the module, which would then be taken for one with probes.
"""
HEADER = chr(0) + "footfall module "
"""The beginning of the first probe's mark; the rest says what the module's probes belong to."""

EVENT_MARK = MARK + " event"
"""The constant in place of the 1 that statement probes store, on CPython."""

EQUAL_MARK = MARK + " equal"
"""The mark of probes in expressions, if statement probes have a form of their own."""

_EQ = Eq()
_LOAD = Load()
_STORE = Store()
_OR = Or()
_new = AST.__new__
_NUMBERS_ARE_TEXT = sys.implementation.name == "cpython"
_STORES_DIRECTLY = not _NUMBERS_ARE_TEXT or not HAS_CORE
"""Whether statement probes store into the events: where a comparison would call Python."""


def header_text(mode: int, n_probes: int, digest: bytes) -> str:
    """Return the first probe's mark: plan version, mode (see mode.py), number of probes, source digest."""
    return f"{HEADER}{PLAN_VERSION} {mode} {n_probes} {digest.hex()}"


def read_header(mark: str) -> tuple[int, int, bytes] | None:
    """Return mode, number of probes and source digest; None if another plan version made the code."""
    version, mode, n_probes, digest = mark[len(HEADER) :].split()
    if int(version) != PLAN_VERSION:
        return None
    return int(mode), int(n_probes), bytes.fromhex(digest)


class Forms:
    """Makes probes and reports what they mean to `receive`; in the measured process there is no receiver.

    Numbers count from 0 in order of creation, so they follow from the source and the mode alone.
    """

    __slots__ = ("_receive", "count", "header")

    def __init__(self, receive: "Receiver | None" = None) -> None:
        self._receive = receive
        self.count = 0
        self.header: Constant | None = None

    def report(self, number: int, meanings: "list[Meaning]") -> None:
        """Report what a probe means; one probe may be reported more than once."""
        if self._receive is not None:
            self._receive(number, meanings)

    def probe(self, at: AST, meanings: "list[Meaning]") -> stmt:
        """Return a new probe with these meanings as a statement, at the position of `at`."""
        if self._receive is not None:
            self._receive(self.count, meanings)
        return self.statement(at)

    def probe_before(self, value: expr, meanings: "list[Meaning]") -> expr:
        """Return an expression that fires a new probe with these meanings and then is `value`."""
        self.report(self.count, meanings)
        return self.before(value)

    def take_number(self, meanings: "list[Meaning]") -> int:
        """Return the number of a new probe with these meanings, whose form is made later."""
        number = self.count
        self.count = number + 1
        self.report(number, meanings)
        return number

    def statement(self, at: AST) -> stmt:
        """Return a probe as a statement, at the position of `at`."""
        number = self.count
        self.count = number + 1
        if number and not _STORES_DIRECTLY:
            return _statement_of_mark(number, at)
        position = position_of(at)
        mark = Constant(MARK, **position)
        if number == 0:
            self.header = mark
        else:
            slot = Subscript(mark, _number(number, position), _STORE, **position)
            return Assign([slot], Constant(EVENT_MARK if _NUMBERS_ARE_TEXT else 1, **position), **position)
        compare = Compare(mark, [_EQ], [_number(number, position)], **position)
        return Expr(compare, **position)

    def expression(self, at: AST) -> expr:
        """Return a probe as an expression, which is always false."""
        number = self.count
        self.count = number + 1
        position = position_of(at)
        mark = EQUAL_MARK if _STORES_DIRECTLY else MARK
        return Compare(Constant(mark, **position), [_EQ], [_number(number, position)], **position)

    def before(self, value: expr) -> expr:
        """Return an expression that fires a probe and then is `value`."""
        return BoolOp(_OR, [self.expression(value), value], **position_of(value))

    def after(self, value: expr) -> expr:
        """Return an expression that evaluates `value`, fires a probe and then is that value."""
        position = position_of(value)
        pair = Tuple([value, self.expression(value)], _LOAD, **position)
        return Subscript(pair, Constant(0, **position), _LOAD, **position)

    def case(self, at: AST) -> match_case:
        """Return a `case` that fires a probe when it is reached and never matches."""
        position = position_of(at)
        return match_case(MatchAs(**position), self.expression(at), [Pass(**position)])

    def last_case(self, at: AST, body: stmt) -> match_case:
        """Return a `case` that matches whatever is left."""
        return match_case(MatchAs(**position_of(at)), None, [body])

    def watched(self, statements: list[stmt], lines: "list[tuple[int, int, int]]") -> stmt:
        """Return the statements with probes that fire when an exception leaves them from certain lines.

        `lines` are (probe number, first line, last line). The mark is compared with the three numbers, and finds the
        exception's line in the traceback.
        """
        return self.guarded(statements, [self.watch(statements[0], watch) for watch in lines], [])

    def watch(self, at: AST, lines: tuple[int, int, int]) -> stmt:
        """Return the probe for an `except` clause; see `watched`."""
        position = position_of(at)
        mark = EQUAL_MARK if _STORES_DIRECTLY else MARK
        watch: Any = lines  # the compiler takes tuples as constants, whatever type checkers say
        if _NUMBERS_ARE_TEXT:
            number, first, last = lines
            watch = f"\0{number} {first} {last}\0"
        compare = Compare(Constant(mark, **position), [_EQ], [Constant(watch, **position)], **position)
        return Expr(compare, **position)

    def guarded(self, statements: list[stmt], on_error: list[stmt], on_end: list[stmt]) -> stmt:
        """Return the statements with others that run when an exception leaves them or when none does."""
        position = position_of(statements[0])
        handler = ExceptHandler(None, None, [*on_error, Raise(**position)], **position)
        return Try(statements, [handler], on_end, [], **position)

    def unmatched(self, at: ExceptHandler, probe: stmt) -> ExceptHandler:
        """Return a last `except` clause with a probe, for exceptions that the clauses before did not match."""
        position = position_of(at)
        return ExceptHandler(None, None, [probe, Raise(**position)], **position)


def _statement_of_mark(number: int, at: "Any") -> Expr:
    """Return the comparison of the mark with a number as a statement.

    Nodes get all their fields at once: constructors set them one by one, in twice the time, and most probes of a module
    are made here.
    """
    position = position_of(at)
    mark, value, compare, statement = _new(Constant), _new(Constant), _new(Compare), _new(Expr)
    mark.__dict__ = {**position, "value": MARK}
    value.__dict__ = {**position, "value": _number_value(number)}
    compare.__dict__ = {**position, "left": mark, "ops": [_EQ], "comparators": [value]}
    statement.__dict__ = {**position, "value": compare}
    return statement


def _number(number: int, position: "dict[str, Any]") -> Constant:
    """Return a probe's number as it is compared with the mark."""
    return Constant(_number_value(number), **position)


def _number_value(number: int) -> "int | str":
    """Return what a probe's number is in the code. `read_numbers` in C, or observe/pure/probes/hooks.py, reads it."""
    return f"\0{number}\0" if _NUMBERS_ARE_TEXT else number


def position_of(node: AST) -> "Any":
    """Return a node's position as arguments for another node."""
    at: Any = node
    return {
        "lineno": at.lineno,
        "col_offset": at.col_offset,
        "end_lineno": at.end_lineno,
        "end_col_offset": at.end_col_offset,
    }
