"""Statements without instructions that PyPy's compiler gives a line anyway.

It gives the instructions that leave a `case`, and those that raise again at the end of a `finally` clause, the position
of the statement that it visited last. If that is a `global`, a bare annotation or an `assert` under `-O`, for which it
generates nothing, this is the statement's only instruction. At the end of a `case`, the statement then has a line like
any other; at the end of a `finally` clause, only for an exception that entered the clause. CPython gives such
instructions no line.
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
    """Return these statements, by themselves if they end a `case`, and by the `try` if they end a `finally` clause.

    `no_code` are the kinds of statements that the compiler generates no code for.
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
    """Return whether the compiler makes no code of a statement. Of a bare annotation in a module or class it does."""
    kind = type(node)
    return kind in no_code or (kind is AnnAssign and node.value is None and node.simple == 1)
