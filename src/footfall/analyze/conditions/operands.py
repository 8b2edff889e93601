"""The operands of conditions in a syntax tree, in the groups and in the order in which the compiler tests them.

CPython compiles an expression in one of two ways. If only its truth matters (a test), each operand of `and`, `or` and
`not`, each arm of a ternary and each link of a chained comparison is tested by its own jump. If its value is needed,
the last operand of `and` / `or` is the value: it is tested only if something around it tests the whole expression.

Called by analysis.py. Pure: syntax tree in, values out.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Final

from footfall.analyze.source.parse import PARSE_ERRORS, compile_tree
from footfall.pythons import HAS_TYPE_STATEMENTS
from footfall.record.data.condition_tables import SourcePosition

__all__ = ["Group", "Operand", "find_operands", "position_of"]


@dataclass(frozen=True, slots=True)
class Operand:
    """An expression whose truth is tested. `is_flipped`: the jump tests its `not`."""

    position: SourcePosition
    is_flipped: bool = False
    none_test: type[ast.cmpop] | None = None
    """ast.Is or ast.IsNot if it compares with None: the jump itself may then test for None."""


@dataclass(slots=True)
class Group:
    """Operands whose jumps have the same positions, so that only their order tells them apart."""

    keys: list[SourcePosition]
    operands: list[Operand] = field(default_factory=list)
    values: list[SourcePosition] = field(default_factory=list)
    """What may have produced the value that is compared with None, if that comparison is the whole group."""
    has_constants: bool = False
    """Constants are tested among the operands, so it is not certain how many jumps the compiler leaves for them."""


def position_of(node: ast.expr) -> SourcePosition:
    """Return where an expression is."""
    return SourcePosition(node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)


def find_operands(tree: ast.Module) -> tuple[list[Group], set[Operand]]:
    """Return the groups, and the operands whose outcomes follow from line and branch coverage.

    The latter are the sole operands of an `if` or `while` whose body starts on a later line. Annotations and type
    aliases are skipped, as they are rarely evaluated.
    """
    finder = _Finder()
    _run(finder.visit(tree))
    return finder.groups, finder.known_by_lines


_Walk = Generator["_Walk", None, None]
"""A walk that yields other walks, which must end before it continues."""


def _run(walk: _Walk) -> None:
    """Run a walk to its end. The stack is a list, as a long chain would overflow Python's own."""
    under_way = [walk]
    while under_way:
        inner = next(under_way[-1], None)
        if inner is None:
            under_way.pop()
        else:
            under_way.append(inner)


class _Finder:
    """`visit` takes statements, and expressions whose value is needed; `test` takes expressions whose truth is."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.known_by_lines: set[Operand] = set()

    def visit(self, *nodes: ast.AST) -> _Walk:
        """Walk nodes in order; the children of a node without a method here are walked too."""
        todo = [*reversed(nodes)]
        while todo:
            node = todo.pop()
            method = _METHODS.get(type(node))
            if method is not None:
                yield method(self, node)
            else:
                todo += reversed([*ast.iter_child_nodes(node)])

    # Statements

    def if_or_while(self, node: ast.If | ast.While) -> _Walk:
        operands: list[Operand] = []
        yield self.test(node.test, operands)
        if len(operands) == 1 and node.body[0].lineno > (node.test.end_lineno or 0):
            self.known_by_lines.update(operands)
        yield self.visit(*node.body, *node.orelse)

    def assertion(self, node: ast.Assert) -> _Walk:
        yield self.test(node.test)
        if node.msg is not None:
            yield self.visit(node.msg)

    def match_case(self, node: ast.match_case) -> _Walk:
        yield self.visit(node.pattern)
        if node.guard is not None:
            yield self.test(node.guard)
        yield self.visit(*node.body)

    def except_handler(self, node: ast.ExceptHandler) -> _Walk:
        # the test whether the exception matches has the type's position, so a condition there can't be told from it
        if node.type is not None and not isinstance(node.type, ast.BoolOp | ast.Compare):
            yield self.visit(node.type)
        yield self.visit(*node.body)

    def annotated(self, node: ast.AnnAssign) -> _Walk:
        yield self.visit(node.target, *([] if node.value is None else [node.value]))

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> _Walk:
        yield self.visit(*node.decorator_list, node.args, *node.body)

    def class_(self, node: ast.ClassDef) -> _Walk:
        yield self.visit(*node.decorator_list, *node.bases, *node.keywords, *node.body)

    def annotation(self, node: ast.AST) -> _Walk:
        """Skip the node: a type alias, or a parameter without its default."""
        yield from ()

    # Values

    def boolean(self, node: ast.BoolOp) -> _Walk:
        group = Group([])
        yield self._collect(node, group, is_tested=False)
        self._add(group)

    def ternary(self, node: ast.IfExp) -> _Walk:
        yield self.test(node.test)
        yield self.visit(node.body, node.orelse)

    def comparison(self, node: ast.Compare) -> _Walk:
        yield self.visit(node.left, *node.comparators)
        if len(node.ops) > 1:
            self._add(Group([position_of(node)], _links(node)[:-1]))

    def comprehension(self, node: ast.comprehension) -> _Walk:
        yield self.visit(node.iter)
        n_groups = len(self.groups)
        for each in node.ifs:
            yield self.test(each)
        # one instruction may store the loop variable and load it for the first test, with the position of the store
        for group in self.groups[n_groups : n_groups + 1]:
            if group.values:
                group.values += [position_of(each) for each in ast.walk(node.target) if isinstance(each, ast.Name)]

    def _collect(self, node: ast.expr, group: Group, *, is_tested: bool) -> _Walk:
        """Add the operands of nested `and` / `or`: jumps between them may get each other's positions."""
        if isinstance(node, ast.BoolOp):
            group.keys.append(position_of(node))
            is_or = isinstance(node.op, ast.Or)
            last = len(node.values) - 1
            for number, value in enumerate(node.values):
                truth = _truth_of_constant(value)
                if truth is not None and (is_tested or number < last):
                    group.has_constants = True
                if truth is None:
                    yield self._collect(value, group, is_tested=is_tested or number < last)
                elif truth == is_or and isinstance(value, ast.Constant):
                    break  # the rest is dropped; after other constants, such as (), it is not
            return
        if isinstance(node, ast.IfExp):
            if _truth_of_constant(node.test) is not None:
                group.has_constants = True
            yield self.test(node.test)
            yield self._collect(node.body, group, is_tested=False)
            yield self._collect(node.orelse, group, is_tested=False)
        else:
            yield self.visit(node)
        if is_tested:
            is_flipped = False
            while isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
                node, is_flipped = node.operand, not is_flipped
            group.operands.append(Operand(position_of(node), is_flipped))

    def _add(self, group: Group) -> None:
        if group.operands:
            self.groups.append(group)

    # Tests

    def test(self, node: ast.expr, found: list[Operand] | None = None) -> _Walk:
        """Add the operands of an expression of which only the truth matters, also to `found`."""
        while isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            node = node.operand
        if isinstance(node, ast.BoolOp):
            for value in node.values:
                yield self.test(value, found)
            return
        if isinstance(node, ast.IfExp):
            for part in (node.test, node.body, node.orelse):
                yield self.test(part, found)
            return
        if isinstance(node, ast.Compare) and len(node.ops) > 1:
            yield self.visit(node.left, *node.comparators)
            group = Group([position_of(node)], _links(node))
        else:
            yield self.visit(node)
            none_test = _none_test(node.ops[0], node.comparators[0]) if isinstance(node, ast.Compare) else None
            values = [position_of(node.left)] if none_test and isinstance(node, ast.Compare) else []
            group = Group([position_of(node)], [Operand(position_of(node), none_test=none_test)], values)
        self._add(group)
        if found is not None:
            found += group.operands


_METHODS: Final[Mapping[type[ast.AST], Callable[..., _Walk]]] = {
    ast.AnnAssign: _Finder.annotated,
    ast.Assert: _Finder.assertion,
    ast.AsyncFunctionDef: _Finder.function,
    ast.BoolOp: _Finder.boolean,
    ast.ClassDef: _Finder.class_,
    ast.Compare: _Finder.comparison,
    ast.ExceptHandler: _Finder.except_handler,
    ast.FunctionDef: _Finder.function,
    ast.If: _Finder.if_or_while,
    ast.IfExp: _Finder.ternary,
    ast.While: _Finder.if_or_while,
    ast.arg: _Finder.annotation,
    ast.comprehension: _Finder.comprehension,
    ast.match_case: _Finder.match_case,
    **({ast.TypeAlias: _Finder.annotation} if HAS_TYPE_STATEMENTS else {}),
}


def _links(node: ast.Compare) -> list[Operand]:
    sides = [node.left, *node.comparators]
    found = []
    for left, op, right in zip(sides, node.ops, node.comparators, strict=False):
        first, last = position_of(left), position_of(right)
        where = SourcePosition(first.line, first.column, last.end_line, last.end_column)
        found.append(Operand(where, none_test=_none_test(op, right)))
    return found


def _none_test(op: ast.cmpop, right: ast.expr) -> type[ast.cmpop] | None:
    is_none = isinstance(right, ast.Constant) and right.value is None
    return type(op) if is_none and isinstance(op, ast.Is | ast.IsNot) else None


_CONSTANT_PARTS = (ast.Constant, ast.UnaryOp, ast.BinOp, ast.Tuple, ast.operator, ast.unaryop, ast.expr_context)


def _truth_of_constant(node: ast.expr) -> bool | None:
    """Return the truth of an expression that the compiler folds to a constant; None for any other."""
    if isinstance(node, ast.Constant):
        return bool(node.value)
    if isinstance(node, ast.Name) and node.id == "__debug__":
        return __debug__
    if not all(isinstance(part, _CONSTANT_PARTS) for part in ast.walk(node)):
        return None
    try:
        code = compile_tree(ast.Expression(node))
    except PARSE_ERRORS:
        return None  # more than the compiler can fold
    # code as short as one load has nothing left to compute, so eval costs nothing and can't fail
    return bool(eval(code)) if len(code.co_code) == len(compile("0", "", "eval").co_code) else None
