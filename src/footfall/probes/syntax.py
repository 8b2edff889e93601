"""What the probe plan needs to know about a single statement, or about its place in the source."""

from _ast import (
    Assert,
    Assign,
    AsyncFor,
    AsyncFunctionDef,
    Break,
    ClassDef,
    Constant,
    Continue,
    Expr,
    For,
    FunctionDef,
    Global,
    If,
    MatchAs,
    MatchOr,
    Name,
    Nonlocal,
    Pass,
    Raise,
    Return,
    Try,
    TryStar,
    While,
    match_case,
    stmt,
)

from footfall.own_builtins import keep_builtins
from footfall.probes.mode import BRANCHES, NO_ASSERTS, RUNS_DOCSTRINGS

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import AST
    from collections.abc import Container
    from typing import Any

__all__ = [
    "DEFINITIONS",
    "JUMPS",
    "Source",
    "cannot_raise",
    "first_line",
    "is_docstring",
    "is_irrefutable",
    "last_visited",
    "last_with_code",
    "no_code_in",
]

DEFINITIONS = (FunctionDef, AsyncFunctionDef, ClassDef)
_NO_CODE = (Global, Nonlocal)
JUMPS = (Return, Raise, Break, Continue)


def last_visited(body: "list[stmt]") -> "Any":
    """Return the statement whose position the compiler has after `body`; it may have no instructions."""
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
            return node


class Source:
    """The text of a module, and what its mode says about it.

    `lines` is the source, split at line ends; it is in UTF-8, or has the same number of bytes before each line's first
    word.
    """

    __slots__ = ("_lines", "_runs_docstrings", "no_code", "with_branches")

    def __init__(self, lines: list[bytes], mode: int) -> None:
        self._lines = lines
        self._runs_docstrings = bool(mode & RUNS_DOCSTRINGS)
        self.with_branches = bool(mode & BRANCHES)
        self.no_code = no_code_in(mode)

    def is_on_header_line(self, body: list[stmt]) -> bool:
        """Return whether the body begins on the line of its header, as in `if x: y`."""
        first = body[0]
        if first.lineno > len(self._lines):
            return False
        before = self._lines[first.lineno - 1][: first.col_offset]
        if before and not before.isspace():
            return True
        return first.lineno > 1 and self._lines[first.lineno - 2].rstrip(b"\r").endswith(b"\\")

    def has_no_lines(self, body: list[stmt]) -> bool:
        """Return whether a function's body has no statement with a line."""
        start = 1 if is_docstring(body[0]) and not self._runs_docstrings else 0
        return last_with_code(body[start:], self.no_code) is None


def cannot_raise(node: "Any") -> bool:
    """Return whether the next statement is sure to be reached from `node`."""
    kind = type(node)
    if kind is Pass:
        return True
    if kind is Expr:
        return type(node.value) is Constant
    if kind is Assign:
        return type(node.value) is Constant and all(type(target) is Name for target in node.targets)
    if kind is FunctionDef:
        arguments = node.args
        return not (
            node.decorator_list
            or arguments.defaults
            or arguments.kw_defaults
            or node.returns is not None
            or getattr(node, "type_params", None)
            or any(argument.annotation is not None for argument in arguments.args)
            or any(argument.annotation is not None for argument in arguments.posonlyargs)
            or any(argument.annotation is not None for argument in arguments.kwonlyargs)
            or (arguments.vararg is not None and arguments.vararg.annotation is not None)
            or (arguments.kwarg is not None and arguments.kwarg.annotation is not None)
        )
    return False


def is_irrefutable(case: match_case) -> bool:
    if case.guard is not None:
        return False
    pattern = case.pattern
    while type(pattern) is MatchOr:
        pattern = pattern.patterns[-1]
    while type(pattern) is MatchAs and pattern.pattern is not None:
        pattern = pattern.pattern
    return type(pattern) is MatchAs and pattern.pattern is None


def no_code_in(mode: int) -> tuple[type[stmt], ...]:
    """Return the kinds of statements that the compiler generates no code for in a mode of mode.py."""
    return (*_NO_CODE, Assert) if mode & NO_ASSERTS else _NO_CODE


def last_with_code(body: list[stmt], no_code: tuple[type[stmt], ...], with_line: "Container[AST]" = ()) -> stmt | None:
    """Return the last statement that is not of a kind in `no_code`, or is one of `with_line` anyway."""
    for node in reversed(body):
        if type(node) not in no_code or node in with_line:
            return node
    return None


def is_docstring(node: "Any") -> bool:
    is_text: bool = type(node) is Expr and type(node.value) is Constant and type(node.value.value) is str
    return is_text


def first_line(node: "Any") -> int:
    at = node.decorator_list[0] if type(node) in DEFINITIONS and node.decorator_list else node
    line: int = at.lineno
    return line
