"""Which lines must have run in a module that was imported: what no branch, exception or loop can pass by.

For modules that were imported before measuring began. Called by `resolve`; analysis phase.
"""

from __future__ import annotations

import ast

from footfall.analyze.parse import parse_source

__all__ = ["infer_lines"]


def infer_lines(source: bytes) -> set[int]:
    """Return the first lines of the statements that ran, given that the module's import came to its end.

    Decorators count as lines of their own. Raises one of PARSE_ERRORS.
    """
    lines: set[int] = set()
    _add_body(parse_source(source).body, lines)
    return lines


def _add_body(body: list[ast.stmt], lines: set[int]) -> None:
    for statement in body:
        lines.add(statement.lineno)
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            lines.update(decorator.lineno for decorator in statement.decorator_list)
        if isinstance(statement, ast.ClassDef):
            _add_body(statement.body, lines)
        elif isinstance(statement, ast.Try | ast.TryStar):
            _add_try(statement, lines)
        elif isinstance(statement, ast.With):
            lines.add(_first_line(statement.body[0]))  # begun, and perhaps left by an exception that was held back


def _add_try(statement: ast.Try | ast.TryStar, lines: set[int]) -> None:
    if statement.handlers:
        lines.add(_first_line(statement.body[0]))
    else:  # an exception would have ended the import
        _add_body(statement.body, lines)
    _add_body(statement.finalbody, lines)


def _first_line(statement: ast.stmt) -> int:
    """The line on which a statement begins to run: its first decorator's, where it has one."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])
