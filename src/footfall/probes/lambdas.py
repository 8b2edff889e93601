"""Which functions need a probe of their own because no statement in them gets one: lambdas.

The line of a lambda runs with the statement around it, but also whenever the lambda is called, perhaps in another
context.
"""

from _ast import AST, Lambda, Module

from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["find_lambdas"]

_NOT_RUN = ("annotation", "returns")
"""Fields that `from __future__ import annotations` turns into text, our probes included."""


def find_lambdas(tree: Module) -> dict[AST, list[Lambda]]:
    """Return the lambdas in each statement of a module, in source order; those of annotations are left out."""
    found = {node: _lambdas_in(node) for node in tree.body}
    return {node: lambdas for node, lambdas in found.items() if lambdas}


def _lambdas_in(statement: AST) -> list[Lambda]:
    found: list[Lambda] = []
    todo: list[AST] = [statement]
    while todo:
        node = todo.pop()
        if type(node) is Lambda:
            found.append(node)
        for field in node._fields:
            value: Any = getattr(node, field, None)
            if isinstance(value, AST):
                if field not in _NOT_RUN:
                    todo.append(value)
            elif type(value) is list:
                todo += [inner for inner in value if isinstance(inner, AST)]
    found.sort(key=_place)
    return found


def _place(node: Lambda) -> tuple[int, int]:
    return node.lineno, node.col_offset
