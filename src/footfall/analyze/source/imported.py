"""Which lines must have run in a module that was imported: what no branch, exception or loop can pass by.

For modules that were imported before measuring began. Called by `resolve`; analysis phase.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from footfall.analyze.source.analysis import find_code_lines
from footfall.analyze.source.parse import compile_source, parse_source

__all__ = ["infer_lines"]


def infer_lines(source: bytes, optimize: int = 0) -> set[int]:
    """Return the first lines of the statements that ran, given that the module's import came to its end.

    `optimize` is the level it was compiled with, as for `compile`: with 1 and 2, asserts leave no code.
    Decorators count as lines of their own. Raises one of PARSE_ERRORS.
    """
    code_lines = find_code_lines(compile_source(source, optimize=optimize))
    return set(_lines_of_body(parse_source(source).body, code_lines))


def _lines_of_body(body: list[ast.stmt], code_lines: set[int]) -> Iterator[int]:
    for statement in body:
        if not _has_code(statement, code_lines):
            continue
        yield statement.lineno
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from (decorator.lineno for decorator in statement.decorator_list)
        if isinstance(statement, ast.ClassDef):
            yield from _lines_of_body(statement.body, code_lines)
        elif isinstance(statement, ast.Try | ast.TryStar):
            if statement.handlers:
                yield from _first_line(statement.body, code_lines)
            else:  # an exception would have ended the import
                yield from _lines_of_body(statement.body, code_lines)
            yield from _lines_of_body(statement.finalbody, code_lines)
        elif isinstance(statement, ast.With):
            # begun, and perhaps left by an exception that was held back
            yield from _first_line(statement.body, code_lines)


def _has_code(statement: ast.stmt, code_lines: set[int]) -> bool:
    """Whether anything of a statement runs: nothing of an assert that was compiled away, nor of `x: int` on 3.14."""
    if hasattr(statement, "body"):
        return True
    return not code_lines.isdisjoint(range(statement.lineno, (statement.end_lineno or statement.lineno) + 1))


def _first_line(body: list[ast.stmt], code_lines: set[int]) -> Iterator[int]:
    """The line on which a body begins to run: its first statement's, or that of the first decorator it has."""
    for statement in body:
        if _has_code(statement, code_lines):
            decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
            yield min([statement.lineno, *(decorator.lineno for decorator in decorators)])
            return
