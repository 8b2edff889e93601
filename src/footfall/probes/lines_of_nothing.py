"""Statements without instructions that have a line all the same, by PyPy's compiler.

It gives what leaves a `case`, and what raises again at the end of a `finally` clause, the position of the statement
that it visited last. It has made nothing by then of a `global`, a bare annotation or an `assert` under `-O`, so that is
the statement's only instruction: where it ends a `case`, the statement has a line like any other; where it ends a
`finally` clause, only for an exception that entered the clause. CPython gives such instructions no line.
"""

from _ast import (
    AST,
    AnnAssign,
    Match,
    Module,
    Try,
    TryStar,
    stmt,
)

from footfall.own_builtins import keep_builtins
from footfall.probes.syntax import last_visited

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["find_lines_of_nothing"]


def find_lines_of_nothing(tree: Module, no_code: tuple[type[stmt], ...]) -> dict[AST, AST]:
    """Return these statements, each by itself where it ends a `case`, by the `try` where it ends a `finally` clause.

    `no_code` are the kinds of statements of which the compiler makes nothing.
    """
    found: dict[AST, AST] = {}
    blocks: list[Any] = [tree.body]
    while blocks:
        for node in blocks.pop():
            kind = type(node)
            if kind is Match:
                for case in node.cases:
                    blocks.append(case.body)
                    end = last_visited(case.body)
                    if _is_nothing(end, no_code) and end.lineno != case.pattern.lineno:
                        found[end] = end
                continue
            blocks.extend(getattr(node, part) for part in ("body", "orelse", "finalbody") if hasattr(node, part))
            if kind in (Try, TryStar):
                blocks.extend(handler.body for handler in node.handlers)
                if node.finalbody:
                    end = last_visited(node.finalbody)
                    if _is_nothing(end, no_code) and end not in found:
                        found[node] = end
    return found


def _is_nothing(node: "Any", no_code: tuple[type[stmt], ...]) -> bool:
    """Whether the compiler makes nothing of a statement. Of a bare annotation it does in a module or class."""
    kind = type(node)
    return kind in no_code or (kind is AnnAssign and node.value is None and node.simple == 1)
