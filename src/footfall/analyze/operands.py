"""The operands of conditions in a syntax tree, in the groups and in the order in which the compiler tests them.

CPython compiles an expression in one of two ways. Where only its truth matters (a test), each operand of `and`, `or`
and `not`, each arm of a ternary and each link of a chained comparison is tested by its own jump. Where its value is
wanted, the last operand of `and` / `or` is the value: it is tested only when something around it tests the whole.

Called by conditions. Pure: syntax tree in, values out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from footfall.record.conditionsdb import SourcePosition

__all__ = ["Group", "Operand", "find_operands", "position_of"]


@dataclass(frozen=True, slots=True)
class Operand:
    """An expression whose truth is tested. `is_flipped`: the jump tests `not` of it."""

    position: SourcePosition
    is_flipped: bool = False
    none_test: type[ast.cmpop] | None = None
    """ast.Is or ast.IsNot where it compares with None: the jump may test for None itself."""


@dataclass(slots=True)
class Group:
    """Operands whose jumps have the same positions and are told apart by their order only."""

    keys: list[SourcePosition]
    operands: list[Operand] = field(default_factory=list)
    values: list[SourcePosition] = field(default_factory=list)
    """What may have made the value that is compared with None, where that is all there is."""
    has_constants: bool = False
    """Constants are tested among the operands: how many jumps the compiler leaves for them is not known for sure."""


def position_of(node: ast.expr) -> SourcePosition:
    """Return where an expression is."""
    return SourcePosition(node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)


def find_operands(tree: ast.Module) -> tuple[list[Group], set[Operand]]:
    """Return the groups, and those operands that line and branch coverage tell of already.

    Told are the only operands of an `if` or `while` whose body starts on a later line. Not looked into: annotations
    and type aliases, which as a rule nobody evaluates.
    """
    finder = _Finder()
    finder.visit(tree)
    return finder.groups, finder.told


class _Finder(ast.NodeVisitor):
    """`visit` takes statements, and expressions whose value is wanted; `test` those whose truth is."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.told: set[Operand] = set()

    # Statements

    def visit_If(self, node: ast.If | ast.While) -> None:
        """Also for `while`."""
        operands = self.test(node.test)
        if len(operands) == 1 and node.body[0].lineno > (node.test.end_lineno or 0):
            self.told.update(operands)
        self._visit_all([*node.body, *node.orelse])

    visit_While = visit_If

    def visit_Assert(self, node: ast.Assert) -> None:
        self.test(node.test)
        if node.msg is not None:
            self.visit(node.msg)

    def visit_match_case(self, node: ast.match_case) -> None:
        self.visit(node.pattern)
        if node.guard is not None:
            self.test(node.guard)
        self._visit_all(node.body)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        # the test whether the exception fits has the type's position: a condition in its place can't be told from it
        if node.type is not None and not isinstance(node.type, ast.BoolOp | ast.Compare):
            self.visit(node.type)
        self._visit_all(node.body)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._visit_all([node.target] if node.value is None else [node.target, node.value])

    def visit_TypeAlias(self, node: ast.AST) -> None:
        """Evaluated when asked for."""

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Also for `async def`."""
        self._visit_all([*node.decorator_list, node.args, *node.body])

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit_all([*node.decorator_list, *node.bases, *node.keywords, *node.body])

    def visit_arg(self, node: ast.arg) -> None:
        """Only an annotation."""

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    # Values

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        group = Group([])
        self._collect(node, group, is_tested=False)
        self._add(group)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.test(node.test)
        self.visit(node.body)
        self.visit(node.orelse)

    def visit_Compare(self, node: ast.Compare) -> None:
        self.generic_visit(node)
        if len(node.ops) > 1:
            self._add(Group([position_of(node)], _links(node)[:-1]))

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self.visit(node.iter)
        n_groups = len(self.groups)
        for each in node.ifs:
            self.test(each)
        # one instruction may store the loop's variable and load it for the first test, with the place of the storing
        for group in self.groups[n_groups : n_groups + 1]:
            if group.values:
                group.values += [position_of(each) for each in ast.walk(node.target) if isinstance(each, ast.Name)]

    def _collect(self, node: ast.expr, group: Group, *, is_tested: bool) -> None:
        """Add the operands of nested `and` / `or`: jumps between them take each other's positions."""
        if isinstance(node, ast.BoolOp):
            group.keys.append(position_of(node))
            is_or = isinstance(node.op, ast.Or)
            last = len(node.values) - 1
            for number, value in enumerate(node.values):
                truth = _truth_of_constant(value)
                if truth is not None and (is_tested or number < last):
                    group.has_constants = True
                if truth is None:
                    self._collect(value, group, is_tested=is_tested or number < last)
                elif truth == is_or and isinstance(value, ast.Constant):
                    break  # what follows is dropped; after other constants, such as (), it is not
            return
        if isinstance(node, ast.IfExp):
            if _truth_of_constant(node.test) is not None:
                group.has_constants = True
            self.test(node.test)
            self._collect(node.body, group, is_tested=False)
            self._collect(node.orelse, group, is_tested=False)
        else:
            self.visit(node)
        if is_tested:
            is_flipped = False
            while isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
                node, is_flipped = node.operand, not is_flipped
            group.operands.append(Operand(position_of(node), is_flipped))

    def _add(self, group: Group) -> None:
        if group.operands:
            self.groups.append(group)

    # Tests

    def test(self, node: ast.expr) -> list[Operand]:
        """Add and return the operands of an expression of which only the truth is asked."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return self.test(node.operand)
        if isinstance(node, ast.BoolOp):
            return [operand for value in node.values for operand in self.test(value)]
        if isinstance(node, ast.IfExp):
            return [operand for part in (node.test, node.body, node.orelse) for operand in self.test(part)]
        if isinstance(node, ast.Compare) and len(node.ops) > 1:
            self.generic_visit(node)
            group = Group([position_of(node)], _links(node))
        else:
            self.visit(node)
            none_test = _none_test(node.ops[0], node.comparators[0]) if isinstance(node, ast.Compare) else None
            values = [position_of(node.left)] if none_test and isinstance(node, ast.Compare) else []
            group = Group([position_of(node)], [Operand(position_of(node), none_test=none_test)], values)
        self._add(group)
        return group.operands


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
    """The truth of what the compiler makes a constant; None for all else."""
    if isinstance(node, ast.Constant):
        return bool(node.value)
    if isinstance(node, ast.Name) and node.id == "__debug__":
        return __debug__
    if not all(isinstance(part, _CONSTANT_PARTS) for part in ast.walk(node)):
        return None
    code = compile(ast.Expression(node), "", "eval")
    # as long as the code of one load: nothing is left to compute, so that this costs nothing and can't fail
    return bool(eval(code)) if len(code.co_code) == len(compile("0", "", "eval").co_code) else None
