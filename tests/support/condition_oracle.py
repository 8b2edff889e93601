"""What the operands of a program's conditions really were: each is wrapped in the source, and that program is run.

`instrument(text)` returns another program that computes the same and calls `_seen(number, value)` for each operand
(`_left` for chained comparisons) from builtins; `record` runs such programs in a directory and writes the results.

    python tests/support/condition_oracle.py DIRECTORY RESULTS SEEN
"""

import ast
import builtins
import marshal
import operator
import sys

from exact_runner import run_programs

__all__ = ["instrument"]

Position = tuple[int, int, int, int]
_ORDERED = {ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne"}


def instrument(name: str, text: str) -> str:
    """Return the source of a program that reports each operand under `name`."""
    tree = _Wrapper(name).visit(ast.parse(text))
    return ast.unparse(ast.fix_missing_locations(tree))


def _position(node: ast.expr, last: ast.expr | None = None) -> Position:
    end = last or node
    return node.lineno, node.col_offset, end.end_lineno or 0, end.end_col_offset or 0


class _Wrapper(ast.NodeTransformer):
    def __init__(self, name: str) -> None:
        self.name = name

    def call(self, function: str, *arguments: object) -> ast.Call:
        values = [each if isinstance(each, ast.expr) else ast.Constant(each) for each in arguments]
        return ast.Call(ast.Name(function, ast.Load()), values, [])

    def wrap(self, node: ast.expr, new: ast.expr, is_flipped: bool = False) -> ast.expr:
        return (
            new
            if isinstance(node, ast.Constant)
            else self.call(
                "_seen", self.name, ast.Tuple([ast.Constant(n) for n in _position(node)], ast.Load()), is_flipped, new
            )
        )

    def truth(self, node: ast.expr) -> ast.expr:
        """Wrap an expression of which only the truth matters."""
        match node:
            case ast.UnaryOp(ast.Not(), operand):
                return ast.UnaryOp(ast.Not(), self.truth(operand))
            case ast.BoolOp(op, values):
                return ast.BoolOp(op, [self.truth(value) for value in values])
            case ast.IfExp(test, body, orelse):
                return ast.IfExp(self.truth(test), self.truth(body), self.truth(orelse))
            case ast.Compare(ops=[_, _, *_]):
                return self.chain(node, len(node.ops))
        return self.wrap(node, self.visit(node))

    def chain(self, node: ast.Compare, n_links: int) -> ast.expr:
        """Wrap the left side of each link, so that it reports the comparison; but not for `in` and `is`."""
        sides = [node.left, *node.comparators]
        positions = [_position(left, right) for left, right in zip(sides, sides[1:], strict=False)]
        new = [self.visit(side) for side in sides]
        if all(type(op) in _ORDERED for op in node.ops):
            for number in range(len(node.ops)):
                place = ast.Tuple([ast.Constant(n) for n in positions[number]], ast.Load())
                new[number] = self.call("_left", self.name if number < n_links else "", place, new[number])
        return ast.Compare(new[0], node.ops, new[1:])

    def value(self, node: ast.expr, is_tested: bool) -> ast.expr:
        """Wrap the operands of `and` and `or` whose value is used."""
        if isinstance(node, ast.BoolOp):
            *first, last = node.values
            return ast.BoolOp(node.op, [*(self.value(each, True) for each in first), self.value(last, is_tested)])
        if not is_tested:
            return self.visit(node)
        inner, is_flipped = node, False
        while isinstance(inner, ast.UnaryOp) and isinstance(inner.op, ast.Not):
            inner, is_flipped = inner.operand, not is_flipped
        return self.wrap(inner, self.visit(node), is_flipped)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        return self.value(node, False)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        return self.chain(node, len(node.ops) - 1) if len(node.ops) > 1 else self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        return ast.IfExp(self.truth(node.test), self.visit(node.body), self.visit(node.orelse))

    def visit_comprehension(self, node: ast.comprehension) -> ast.comprehension:
        return ast.comprehension(node.target, self.visit(node.iter), [self.truth(x) for x in node.ifs], node.is_async)

    def visit_test(self, node: ast.If | ast.While | ast.Assert) -> ast.AST:
        test = node.test
        node.test = ast.Constant(True)
        self.generic_visit(node)
        node.test = self.truth(test)
        return node

    visit_If = visit_While = visit_Assert = visit_test

    def visit_match_case(self, node: ast.match_case) -> ast.match_case:
        guard = None if node.guard is None else self.truth(node.guard)
        return ast.match_case(node.pattern, guard, [self.visit(statement) for statement in node.body])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node


def record(directory: str, results_path: str, seen_path: str) -> None:
    """Run the programs and write what they computed and, for each, [position, outcome] pairs."""
    seen: dict[str, set[tuple[Position, bool]]] = {}

    def note(name: str, position: Position, is_flipped: bool, value: object) -> object:
        seen.setdefault(name, set()).add((position, bool(value) is not is_flipped))
        return value

    class Left:
        """The left side of a link; the value it stands for is on the right of the previous link."""

        def __init__(self, name: str, position: Position, value: object) -> None:
            self.pending, self.value = (name, position), value

        def compare(self, function: str, other: object) -> object:
            other = other.value if isinstance(other, Left) else other
            found = getattr(operator, function)(self.value, other)
            if self.pending[0]:
                note(*self.pending, False, found)
            return found

    for each in _ORDERED.values():
        setattr(Left, f"__{each}__", lambda self, other, each=each: self.compare(each, other))
    vars(builtins).update(_seen=note, _left=Left)
    results = run_programs(directory)
    for path, value in ((results_path, results), (seen_path, {name: sorted(each) for name, each in seen.items()})):
        with open(path, "wb") as file:
            marshal.dump(value, file)


if __name__ == "__main__":
    record(*sys.argv[1:])
