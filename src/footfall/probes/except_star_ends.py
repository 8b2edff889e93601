"""The line behind the last `except*` clause in CPython 3.11's first patch releases, if that clause ends a function.

The return there has no line of its own, so it gets that of the block laid out before it: the last block of the clause's
body. It is reported when control comes from another line, even if that clause did not run. Later 3.11 releases lay out
the code for an unmatched clause in between, so the return has the clause's line.
"""

from _ast import (
    AST,
    AnnAssign,
    AsyncFor,
    AsyncWith,
    Break,
    Constant,
    ExceptHandler,
    For,
    If,
    Match,
    MatchSingleton,
    MatchValue,
    Try,
    TryStar,
    While,
    With,
    stmt,
)

from footfall.own_builtins import keep_builtins
from footfall.probes.syntax import DEFINITIONS, JUMPS, is_irrefutable, last_with_code

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    NoCode = tuple[type[stmt], ...]

__all__ = ["find_star_end"]

_COMPOUND = (If, For, AsyncFor, While, With, AsyncWith, Try, TryStar, Match)


def find_star_end(clause: ExceptHandler, no_code: "NoCode") -> AST | None:
    """Return the node on whose line the clause is left; None if that is not known.

    `no_code` are the kinds of statements that the compiler generates no code for.
    """
    if last_with_code(clause.body, no_code) is None:
        return clause
    return _end_of(clause.body, no_code)


def _end_of(body: list[stmt], no_code: "NoCode") -> AST | None:
    """Return the node that has the line of the code behind a block: its only way out, or else what is laid out last."""
    last: Any = last_with_code(body, no_code)
    if last is None or (type(last) is AnnAssign and last.value is None):
        return None
    ways = _ways_out(last, no_code)
    return ways[0] if len(ways) == 1 else _last_laid_out(last, no_code)


def _ways_out(node: "Any", no_code: "NoCode") -> list[AST]:
    """Return the nodes that have the line of each way on from a statement; for some kinds, more than there are."""
    kind = type(node)
    if kind in JUMPS:
        return []
    if kind is If:
        return [way for block in (node.body, node.orelse) for way in _ways_out_of(block, node, no_code)]
    if kind is For:
        return [*_ways_out_of(node.orelse, node, no_code), *_breaks(node.body)]
    return [node] if kind not in _COMPOUND else [node, node]


def _ways_out_of(body: list[stmt], owner: AST, no_code: "NoCode") -> list[AST]:
    last = last_with_code(body, no_code)
    return [owner] if last is None else _ways_out(last, no_code)


def _breaks(body: list[stmt]) -> list[AST]:
    """Return the `break` statements of the loop with this body."""
    found: list[AST] = []
    todo: list[Any] = [*body]
    while todo:
        node = todo.pop()
        if type(node) is Break:
            found.append(node)
        elif type(node) in (For, AsyncFor, While):
            todo += node.orelse
        elif type(node) not in DEFINITIONS:
            for part in ("body", "orelse", "finalbody"):
                todo += getattr(node, part, ())
            for part in ("handlers", "cases"):
                for inner in getattr(node, part, ()):
                    todo += inner.body
    return found


def _last_laid_out(node: "Any", no_code: "NoCode") -> AST | None:
    kind = type(node)
    if kind in (With, AsyncWith):
        owner: AST = node
        return owner
    if kind is If:
        return None if type(node.test) is Constant else _end_of(node.orelse or node.body, no_code)
    if kind is AsyncFor:
        return None
    if kind is For:
        return _end_of(node.orelse or node.body, no_code)
    if kind is While:
        if type(node.test) is Constant:
            return None
        test: AST = node
        return _end_of(node.orelse, no_code) if node.orelse else test
    if kind is Try and node.finalbody:
        return _end_of(node.finalbody, no_code)
    if kind in (Try, TryStar) and node.orelse:
        return _end_of(node.orelse, no_code)
    if kind is Try:
        handler: AST = node.handlers[-1]
        return handler if node.handlers[-1].type is not None else _end_of(node.handlers[-1].body, no_code)
    if kind is TryStar:
        return None if node.finalbody else find_star_end(node.handlers[-1], no_code)
    if kind is Match:
        case = node.cases[-1]
        is_plain = case.guard is None and type(case.pattern) in (MatchValue, MatchSingleton)
        return _end_of(case.body, no_code) if is_plain or is_irrefutable(case) else None
    simple: AST = node
    return simple
