"""Lines that CPython 3.11 reports where their statement did not run.

Its compiler (Python/compile.c) gives an instruction the position of the last statement it visited, wherever control
comes from. Two places show that: the end of a `finally` clause that an exception entered, also when an exception
leaves it there, and the end of the body of an `async with`. Statements that forget the position behind them
(UNSET_LOC) are harmless. Python 3.12 has no such lines.
"""

import sys
from _ast import (
    AST,
    AsyncFor,
    AsyncFunctionDef,
    AsyncWith,
    Break,
    ClassDef,
    Constant,
    Continue,
    Expr,
    For,
    FunctionDef,
    If,
    Match,
    MatchAs,
    Module,
    Return,
    Try,
    TryStar,
    While,
    With,
    stmt,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from footfall.observe.probe_finals import Final

    Watch = tuple[int, int, int]

__all__ = ["HAS_STRAYS", "StrayClause", "find_strays"]

HAS_STRAYS = sys.implementation.name == "cpython" and sys.version_info[:2] == (3, 11)

_COMPOUND = (
    AsyncFor, AsyncFunctionDef, AsyncWith, ClassDef, For, FunctionDef, If, Match, Try, TryStar, While, With,
)  # fmt: skip


class StrayClause:
    """A `finally` clause with a stray line behind it while it is walked.

    `watched` are what to compare with the exception that leaves it: when an exception entered it, and else. It is None
    where that exception is not the one that left the line: an `except*` clause's is made part of a group.
    """

    __slots__ = ("final", "watched")

    def __init__(self, final: "Final", watched: "list[tuple[Watch, Watch]] | None") -> None:
        self.final = final
        self.watched = watched


def find_strays(tree: Module) -> dict[AST, AST]:
    """Return the statement or pattern whose line is reported behind each `try` with a `finally` and `async with`.

    Those are left out behind which no line can be reported that did not run.
    """
    found: dict[AST, AST] = {}
    # Blocks to visit; whether a `return` and whether a `break` in it run code of blocks around on their way out.
    blocks: list[tuple[Any, bool, bool]] = [(tree.body, False, False)]
    while blocks:
        body, unwinds_return, unwinds_loop = blocks.pop()
        for node in body:
            kind = type(node)
            if kind not in _COMPOUND:
                continue
            if kind is Match:
                blocks.extend((case.body, unwinds_return, unwinds_loop) for case in node.cases)
            elif kind is If:
                blocks.append((node.body, unwinds_return, unwinds_loop))
                blocks.append((node.orelse, unwinds_return, unwinds_loop))
            elif kind in (For, AsyncFor, While):
                blocks.append((node.body, unwinds_return, False))
                blocks.append((node.orelse, unwinds_return, unwinds_loop))
            elif kind in (With, AsyncWith):
                blocks.append((node.body, True, True))
                if kind is AsyncWith:
                    _add(found, node, node.body, _last_visited(node.body, True, True))
            elif kind in (Try, TryStar):
                inner = (True, True) if node.finalbody else (unwinds_return, unwinds_loop)
                blocks.append((node.body, *inner))
                blocks.append((node.orelse, *inner))
                blocks.extend((handler.body, *inner) for handler in node.handlers)
                if node.finalbody:
                    blocks.append((node.finalbody, unwinds_return, unwinds_loop))
                    _add(found, node, node.finalbody, _last_visited(node.finalbody, unwinds_return, unwinds_loop))
            else:
                blocks.append((node.body, False, False))
    return found


def _add(found: dict[AST, AST], owner: AST, body: list[stmt], last: "Any") -> None:
    if last is None or all(type(node) not in _COMPOUND and node.lineno == last.lineno for node in body):
        return
    found[owner] = last


def _last_visited(body: list[stmt], unwinds_return: bool, unwinds_loop: bool) -> AST | None:
    """Return the node whose position the compiler has after `body`; None when it has none."""
    while True:
        node: Any = body[-1]
        kind = type(node)
        if kind is If:
            body = node.orelse or node.body
        elif kind in (For, AsyncFor, While) and node.orelse:
            body = node.orelse
        elif kind in (Try, TryStar) and node.finalbody:
            body = node.finalbody
        elif kind is TryStar and node.orelse:
            body = node.orelse
        else:
            break
    if kind in (For, With, AsyncWith, Try, TryStar):
        return None
    if (kind is Return and unwinds_return) or (kind in (Break, Continue) and unwinds_loop):
        return None
    if kind is Expr and type(node.value) is not Constant:
        return None
    if kind is Match:
        pattern: AST = node.cases[-1].pattern
        is_default = type(pattern) is MatchAs and pattern.pattern is None and pattern.name is None
        return None if is_default and len(node.cases) > 1 else pattern
    last: AST = node
    return last
