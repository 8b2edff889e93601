"""Where control goes next, line to line, for each statement of a module: this turns a probe's note into an arc.

These are the lines that a tracer would report one after the other, so leaving a `with` goes to its own line
first, and leaving a `try` by `return`, `break`, `continue` or an exception goes to its `finally` first.
An end < 0 means leaving the code object that begins on that line. Lines are first lines of statements.
"""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from footfall.probes.mode import PHANTOM_LINES, PHANTOMS_BEHIND_EXCEPT_STAR
from footfall.probes.syntax import no_code_in

__all__ = ["ModuleFlow", "Ways"]

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_Loop = (ast.For, ast.AsyncFor, ast.While)


class Ways:
    """Where each way out of a block leads; `around` are the ways of the block around it.

    `phantom` is the line that is reported before an exception's destination, or 0. `has_own_phantom`: the compiler's
    code for the block itself reports it, not that for a block around it.
    """

    __slots__ = ("around", "breaks", "continues", "has_own_phantom", "phantom", "raises", "returns")

    def __init__(
        self,
        breaks: int,
        continues: int,
        raises: int,
        returns: int,
        around: "Ways | None" = None,
        phantom: int = 0,
        has_own_phantom: bool = False,
    ) -> None:
        self.phantom = phantom
        self.has_own_phantom = has_own_phantom
        self.around = around
        self.breaks = breaks
        self.continues = continues
        self.raises = raises
        self.returns = returns

    def through(self, line: int) -> "Ways":
        """Return ways that all lead through this line first."""
        return Ways(line, line, line, line)

    def within(self, around: "Ways | None", phantom: int, has_own_phantom: bool) -> "Ways":
        """Return the same ways, as those of a block inside another."""
        return Ways(self.breaks, self.continues, self.raises, self.returns, around, phantom, has_own_phantom)


class ModuleFlow:
    """Answers for one tree, by node: `after` it, its `else`, where it jumps, its other `ways` out.

    `exits` are the ways out of the `finally` or last `except*` around the node, for nodes that end it.

    `mode` is the one in which it was measured (probes/mode.py). `phantom_nodes` are those of `find_phantom_lines`.
    `phantoms` are the lines reported after `try` and `async with` statements, and where control goes from there.
    """

    def __init__(
        self,
        tree: ast.Module,
        first_line: Mapping[int, int],
        mode: int,
        phantom_nodes: Mapping[ast.AST, ast.AST],
    ) -> None:
        self._phantom_nodes = phantom_nodes
        self.phantoms: dict[ast.AST, tuple[int, int]] = {}
        self._first_line = first_line
        # CPython 3.11 leaves a function that ends with the last `except*` from that clause's line, or else from one of
        # `phantom_nodes`.
        self._star_returns_by_clause = bool(mode & PHANTOM_LINES) and not mode & PHANTOMS_BEHIND_EXCEPT_STAR
        self._no_code = no_code_in(mode)
        self.after: dict[ast.AST, int] = {}
        self.enters: dict[ast.AST, int] = {}
        self.leaves: dict[ast.AST, int] = {}
        self.jumps: dict[ast.AST, int] = {}
        self.ways: dict[ast.AST, Ways] = {}
        self.exits: dict[ast.AST, Ways] = {}
        self._is_in_function = False
        self._exits = Ways(-1, -1, -1, -1)  # those at the end of the innermost `finally` or last `except*`
        self._block(tree.body, -1, Ways(-1, -1, -1, -1))

    def line(self, line: int) -> int:
        """Return the first line of the statement that contains `line`."""
        return self._first_line.get(line, line)

    def line_of(self, node: ast.AST) -> int:
        """Return the line on which a statement, handler or case begins."""
        at: Any = node
        kind = type(node)
        if kind is ast.match_case:
            at = at.pattern
        elif kind in _DEFINITIONS and at.decorator_list:
            at = at.decorator_list[0]
        line: int = at.lineno
        return self._first_line.get(line, line)

    def _entry(self, body: Sequence[ast.stmt], after: int) -> int:
        for node in body:
            if not self._is_nothing(node):
                return self.line_of(node)
        return after

    def _is_nothing(self, node: ast.stmt) -> bool:
        """Return whether the compiler emits nothing for the statement, so that control passes over it."""
        if node in self._phantom_nodes:
            return False  # it has at least a line
        if isinstance(node, ast.AnnAssign):
            return node.value is None and node.simple == 1 and self._is_in_function
        return isinstance(node, self._no_code)

    def _block(self, body: Sequence[ast.stmt], after: int, ways: Ways) -> None:
        following = after
        for node in reversed(body):
            self.after[node] = following
            self._statement(node, following, ways)
            if not self._is_nothing(node):
                following = self.line_of(node)

    def _final_block(self, node: ast.Try | ast.TryStar, after: int, ways: Ways) -> None:
        """Walk a `finally` clause, which can continue elsewhere than at `after`."""
        outer = self._exits
        phantom = self._phantom_nodes.get(node)
        phantom_line = outer.phantom  # an exception that leaves the clause leaves the one around it next
        if phantom is not None:
            phantom_line = self.line(phantom.lineno)  # type: ignore[attr-defined]
            self.phantoms[node] = phantom_line, ways.raises
        self._exits = ways.within(outer, phantom_line, phantom is not None)
        self._block(node.finalbody, after, ways)
        self._exits = outer

    def _pass_phantom_line(self, node: ast.If | ast.AsyncWith, line: int) -> None:
        """Lead normal ends within the statement to `line`, the line that is reported before what follows: for
        `async with` its own line."""
        phantom: ast.AST = self._phantom_nodes[node]
        phantom_line = self.line(phantom.lineno)  # type: ignore[attr-defined]
        self.phantoms[node] = phantom_line, line
        inner = {found for statement in node.body for found in ast.walk(statement)}
        if isinstance(node, ast.If):
            inner.update(ast.walk(node))
        for found in inner:
            if isinstance(found, _Loop) and self.after.get(found) == line:
                for jump in ast.walk(found):
                    if isinstance(jump, ast.Break) and self.jumps.get(jump) == line:
                        self.jumps[jump] = line if self.line_of(jump) == phantom_line else phantom_line
        for nexts in (self.after, self.enters, self.leaves):
            for found in inner & nexts.keys():
                if nexts[found] == line and self.line_of(found) != phantom_line:
                    nexts[found] = phantom_line

    def _statement(self, node: ast.stmt, after: int, ways: Ways) -> None:
        self.exits[node] = self._exits
        match node:
            case ast.Return():
                self.jumps[node] = ways.returns
            case ast.Raise():
                self.jumps[node] = ways.raises
                self.ways[node] = ways
            case ast.Break():
                self.jumps[node] = ways.breaks
            case ast.Continue():
                self.jumps[node] = ways.continues
            case ast.If():
                self._if(node, after, ways)
                if node in self._phantom_nodes:
                    self._pass_phantom_line(node, after)
            case ast.For() | ast.AsyncFor() | ast.While():
                self._loop(node, after, ways)
            case ast.Try() | ast.TryStar():
                self._try(node, after, ways)
            case ast.With() | ast.AsyncWith():
                line = self.line_of(node)
                self._block(node.body, line, ways.through(line))
                if isinstance(node, ast.AsyncWith) and node in self._phantom_nodes:
                    self._pass_phantom_line(node, line)
                elif node in self._phantom_nodes:
                    self.phantoms[node] = self.line(self._phantom_nodes[node].lineno), after  # type: ignore[attr-defined]
            case ast.Match():
                self._match(node, after, ways)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                end = -self.line_of(node)
                outer = self._is_in_function
                self._is_in_function = not isinstance(node, ast.ClassDef)
                self._block(node.body, end, Ways(end, end, end, end))
                self._is_in_function = outer

    def _if(self, node: ast.If, after: int, ways: Ways) -> None:
        while True:
            self.after[node] = after
            self.ways[node] = ways
            self.exits[node] = self._exits
            self.enters[node] = self._entry(node.body, after)
            self.leaves[node] = self._entry(node.orelse, after)
            self._block(node.body, after, ways)
            if len(node.orelse) != 1 or not isinstance(node.orelse[0], ast.If):
                break
            node = node.orelse[0]
        self._block(node.orelse, after, ways)

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, after: int, ways: Ways) -> None:
        line = self.line_of(node)
        self.ways[node] = ways
        self.enters[node] = self._entry(node.body, line)
        self.leaves[node] = self._entry(node.orelse, after)
        self._block(node.body, line, Ways(after, line, ways.raises, ways.returns))
        self._block(node.orelse, after, ways)

    def _try(self, node: ast.Try | ast.TryStar, after: int, ways: Ways) -> None:
        outside = ways
        if node.finalbody:
            self._final_block(node, after, ways)
            after = self._entry(node.finalbody, after)
            outside = ways.through(after)
        inside = outside
        if node.handlers:
            handler = self.line(node.handlers[0].lineno)
            inside = Ways(outside.breaks, outside.continues, handler, outside.returns)
        self._block(node.body, self._entry(node.orelse, after), inside)
        self._block(node.orelse, after, outside)
        if isinstance(node, ast.TryStar):
            self._star_handlers(node, after, outside)
            return
        for clause in node.handlers:
            self.ways[clause] = outside
            self.exits[clause] = self._exits
            self._block(clause.body, after, outside)

    def _star_handlers(self, node: ast.TryStar, after: int, outside: Ways) -> None:
        """Walk the `except*` clauses. The rest of an exception group goes to the next one, even if a clause raised."""
        handlers = node.handlers
        for clause, following in zip(handlers, handlers[1:], strict=False):
            line = self.line(following.lineno)
            self._block(clause.body, line, outside.through(line))
        last = handlers[-1]
        self.after[last] = after
        self.ways[last] = outside
        phantom = self._phantom_nodes.get(node) if not node.finalbody else None
        if phantom is not None:
            line = self.line(phantom.lineno)  # type: ignore[attr-defined]
            self.phantoms[node] = line, after
            after = line
        elif after < 0 and self._star_returns_by_clause:
            after = self.line(last.lineno)
        # Leaving the clause also leaves the `finally` that it ends: they are one level.
        outer = self._exits
        self._exits = self.exits[last] = outside.within(outer.around, outer.phantom, outer.has_own_phantom)
        self._block(last.body, after, outside)
        self._exits = outer

    def _match(self, node: ast.Match, after: int, ways: Ways) -> None:
        for index, case in enumerate(node.cases):
            self.after[case] = after
            self.ways[case] = ways
            self.exits[case] = self._exits
            end = after
            if case in self._phantom_nodes:
                end = self.line(self._phantom_nodes[case].lineno)  # type: ignore[attr-defined]
                self.phantoms[case] = end, after
            self.enters[case] = self._entry(case.body, end)
            is_last = index + 1 == len(node.cases)
            self.leaves[case] = after if is_last else self.line_of(node.cases[index + 1])
            self._block(case.body, end, ways)
