"""Which lines must have run in an imported module: those that no branch, exception or loop can skip.

For modules that were imported before measuring started. Called by `resolve`; analysis phase.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from footfall.analyze.source.analysis import find_code_lines
from footfall.analyze.source.parse import compile_source, parse_source

__all__ = ["infer_lines"]


def infer_lines(source: bytes, optimize: int = 0) -> set[int]:
    """Return the first lines of the statements that ran, given that the module's import completed.

    `optimize` is the level it was compiled with, as for `compile`: with 1 and 2, asserts leave no code.
    Decorators count as separate lines. Raises one of PARSE_ERRORS.
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
            # it began, and an exception that was suppressed may have left it
            yield from _first_line(statement.body, code_lines)


def _has_code(statement: ast.stmt, code_lines: set[int]) -> bool:
    """Return whether a statement has code: not an assert that was compiled away, nor `x: int` on 3.14."""
    if hasattr(statement, "body"):
        return True
    return not code_lines.isdisjoint(range(statement.lineno, (statement.end_lineno or statement.lineno) + 1))


def _first_line(body: list[ast.stmt], code_lines: set[int]) -> Iterator[int]:
    """Yield the line where a body begins to run: its first statement's, or that of this statement's first decorator."""
    for statement in body:
        if _has_code(statement, code_lines):
            decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
            yield min([statement.lineno, *(decorator.lineno for decorator in decorators)])
            return
