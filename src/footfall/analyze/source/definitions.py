"""The functions, classes, docstrings and `case` clauses of a file, reachable or not. Called by analysis.py; analysis.

One walk over statements (never expressions) serves everything that needs them: code objects for arcs, docstrings, what
an exclusion on a signature covers, and the regions of functions and classes.
"""

import ast
from dataclasses import dataclass

__all__ = ["CLASS", "FUNCTION", "CodeRegion", "Definition", "DefinitionNode", "Outline", "outline_module"]

FUNCTION = "function"
CLASS = "class"

DefinitionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_BLOCK_STATEMENTS = frozenset(
    (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
)
_DEFINITIONS = frozenset((ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))


@dataclass(frozen=True, slots=True)
class Definition:
    """A function or class, with the lines of its `def` or `class` and of its body's first and last line.

    `name` has the names of the functions and classes around it before its own, joined by dots; `parent` is the index
    of the innermost of them, or -1.
    """

    kind: str
    name: str
    start: int
    first: int
    last: int
    parent: int


@dataclass(frozen=True, slots=True)
class CodeRegion:
    """The lines of a function or class, including blank lines and comments; there may be none.

    `name` has the names around it, joined by dots. `start` is the line of its `def` or `class`, often not in `lines`.
    """

    kind: str
    name: str
    start: int
    lines: frozenset[int]


class Outline:
    """What the walk finds, outer before inner. `nodes` and `definitions` correspond by index.

    `scopes` are `nodes` and `case` clauses in the order in which the walk met them.
    """

    __slots__ = ("definitions", "docstring_lines", "nodes", "scopes")

    def __init__(self) -> None:
        self.nodes: list[DefinitionNode] = []
        self.definitions: list[Definition] = []
        self.scopes: list[DefinitionNode | ast.match_case] = []
        self.docstring_lines: set[int] = set()


def outline_module(tree: ast.Module) -> Outline:
    """Walk all statements of a file."""
    outline = Outline()
    _note_docstring(outline, tree.body)
    # A stack of our own: a long elif chain nests deeper than Python's recursion limit.
    todo: list[tuple[list[ast.stmt], int]] = [(tree.body, -1)]
    while todo:
        body, parent = todo.pop()
        for node in body:
            kind = type(node)
            if kind in _DEFINITIONS:
                todo.append((node.body, len(outline.nodes)))  # type: ignore[attr-defined]
                _note_definition(outline, node, parent)  # type: ignore[arg-type]
            elif kind in _BLOCK_STATEMENTS:
                todo.extend([(suite, parent) for suite in _suites_of(outline, node)])
    return outline


def _suites_of(outline: Outline, node: ast.stmt) -> list[list[ast.stmt]]:
    """Return the suites of a block statement, and note its `case` clauses."""
    if isinstance(node, ast.Match):
        outline.scopes.extend(node.cases)
        return [case.body for case in node.cases]
    suites: list[list[ast.stmt]] = [node.body]  # type: ignore[attr-defined]
    if isinstance(node, (ast.Try, ast.TryStar)):
        suites += [node.orelse, node.finalbody]
        suites += [handler.body for handler in node.handlers]
    elif not isinstance(node, (ast.With, ast.AsyncWith)):
        suites.append(node.orelse)  # type: ignore[attr-defined]
    return suites


def _note_definition(outline: Outline, node: DefinitionNode, parent: int) -> None:
    kind = CLASS if isinstance(node, ast.ClassDef) else FUNCTION
    name = node.name if parent < 0 else f"{outline.definitions[parent].name}.{node.name}"
    last = node.end_lineno
    assert last is not None  # ast.parse always sets it
    outline.definitions.append(Definition(kind, name, node.lineno, node.body[0].lineno, last, parent))
    outline.nodes.append(node)
    outline.scopes.append(node)
    _note_docstring(outline, node.body)


def _note_docstring(outline: Outline, body: list[ast.stmt]) -> None:
    if (
        body
        and isinstance(first := body[0], ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        outline.docstring_lines.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
