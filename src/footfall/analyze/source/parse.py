"""Source text to syntax trees and code, however deep its expressions nest. Called by the rest of analysis.

The compilers of CPython and PyPy recurse once for each level of an expression; a long sum or a chain of calls has as
many levels as terms. They give up at the end of the stack or at `sys.getrecursionlimit`. A program that raised the
limit, or compiled with fewer frames on the stack than a report has, ran code that would be refused here. So code that
is too deep is compiled again in a thread with a large stack.
"""

from __future__ import annotations

import ast
import sys
import threading
import warnings
from collections.abc import Callable
from types import CodeType
from typing import Final, TypeVar

from footfall.tier import HAS_CORE

if HAS_CORE:
    from footfall._core import call_with_room
else:
    call_with_room = None  # type: ignore[assignment]

__all__ = ["PARSE_ERRORS", "compile_module", "compile_source", "compile_tree", "parse_source"]

PARSE_ERRORS: Final = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)
"""What is raised for a source that is not Python, or more than the interpreter can compile."""

_Result = TypeVar("_Result")

# Only the part that is used takes memory.
_STACK_BYTES: Final = 256 << 20
_RECURSION_LIMIT: Final = 50_000


def parse_source(source: str | bytes, path: str = "<source>") -> ast.Module:
    """Return a source's syntax tree. Raises one of PARSE_ERRORS."""
    tree = _with_room(lambda: compile(source, path, "exec", ast.PyCF_ONLY_AST, dont_inherit=True))
    assert isinstance(tree, ast.Module)
    return tree


def compile_source(source: str | bytes, path: str = "<source>", optimize: int = -1) -> CodeType:
    """Return a source's code; `optimize` is as for `compile`. Raises as `parse_source`."""
    code: CodeType = _with_room(lambda: compile(source, path, "exec", dont_inherit=True, optimize=optimize))
    return code


def compile_module(tree: ast.Module, path: str, flags: int) -> CodeType:
    """Return the code of a module, or of a part of one; `flags` are those of its future features. Raises as above."""
    code: CodeType = _with_room(lambda: compile(tree, path, "exec", flags, dont_inherit=True))
    return code


def compile_tree(tree: ast.Expression) -> CodeType:
    """Return the code of an expression. Raises as `parse_source`."""
    code: CodeType = _with_room(lambda: compile(tree, "<expression>", "eval", dont_inherit=True))
    return code


def _with_room(make: Callable[[], _Result]) -> _Result:
    """Call `make`, and again with more stack if it runs out. The program's own warnings were shown when it ran."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return make()
        except (RecursionError, MemoryError) as error:
            first = error
        return _in_large_stack(make, first)


def _in_large_stack(make: Callable[[], _Result], first: Exception) -> _Result:
    """Call `make` in a separate thread. Raises what it raises, or `first` if no such thread can be started."""
    if call_with_room is not None:  # it raises limits that Python code can't raise
        return call_with_room(make)
    made: list[_Result] = []
    failed: list[BaseException] = []

    def call() -> None:
        try:
            made.append(make())
        except BaseException as error:  # any error is passed to the caller
            failed.append(error)

    limit = sys.getrecursionlimit()
    size = threading.stack_size(_STACK_BYTES)
    sys.setrecursionlimit(max(limit, _RECURSION_LIMIT))
    try:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
    except RuntimeError:  # for example if memory is limited
        raise first from None
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(size)
    if failed:
        raise failed[0]
    return made[0]
