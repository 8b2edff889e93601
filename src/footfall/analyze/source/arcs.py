"""Possible arcs: which line can follow which, for every code object of a file. Called by analysis.py; analysis phase.

The arcs are coverage.py's (from its AST analysis, not the bytecode), since branch numbers must be comparable:

- an arc is (from, to), both first lines of statements; to = -line means leaving the code object that begins there;
- a `raise` goes to the first handler of the nearest `try`, and nowhere from inside a handler or a try/finally;
- `break`, `continue` and `return` skip `finally` clauses; a finally's own exits follow the try's normal ones;
- a constant test has one exit, and statements that the compiler dropped do not exist;
- a `with` is left through its own line, which `Flow.with_exits` then removes again.
"""

import ast
from collections.abc import Callable, Sequence

from footfall.analyze.source.blocks import Block, Exit, FunctionBlock, LoopBlock, TryBlock

__all__ = ["Flow", "Notes", "is_irrefutable"]

Notes = dict[tuple[int, int], list[tuple[str, str]]]
"""For an arc: pairs of why it was not taken and what it does, each possibly empty. `{line}` stands for its start."""

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_DEFINITIONS = frozenset((ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))


class Flow:
    """Collects the arcs of one file, one code object at a time.

    `first_lines` maps lines inside multi-line statements; `lines` are the first lines that have bytecode, at least
    those of the statements to be added next.
    """

    __slots__ = (
        "_blocks",
        "_first_lines",
        "_is_empty",
        "_lines",
        "_module_exits",
        "_open_withs",
        "arcs",
        "notes",
        "with_ends",
        "with_entries",
        "with_starts",
    )

    def __init__(self, first_lines: dict[int, int], lines: set[int]) -> None:
        self.arcs: set[tuple[int, int]] = set()
        self.notes: Notes = {}
        self.with_starts: set[int] = set()
        self.with_entries: set[tuple[int, int]] = set()
        self.with_ends: set[tuple[int, int]] = set()
        self._first_lines = first_lines
        self._lines = lines
        self._blocks: list[Block] = []
        self._open_withs: set[int] = set()
        self._module_exits: list[Exit] = []
        self._is_empty = True

    # Code objects

    def add_to_module(self, tree: ast.Module) -> None:
        """Add the arcs of a sequence of top-level statements, which follows what was added before."""
        self._is_empty = self._is_empty and not tree.body
        self._module_exits = self._follow(tree.body, self._module_exits)

    def end_module(self) -> None:
        """Add the arcs out of a file's top level."""
        if self._is_empty:
            self._link(1, -1, "", "")
        for line, cause in self._module_exits:
            self._link(line, -1, cause, "exit the module")

    def add_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Add the arcs inside a function."""
        block = FunctionBlock(self._start_of(node), node.name)
        self._blocks.append(block)
        for line, cause in self._follow(node.body, []):
            self._link(line, -block.start, cause, f"return from function {node.name!r}")
        self._blocks.pop()

    def add_class(self, node: ast.ClassDef) -> None:
        """Add the arcs of a class body."""
        start = self._start_of(node)
        for line, cause in self._follow(node.body, []):
            self._link(line, -start, cause, f"exit class {node.name!r}")

    # Statements: each handler takes a node and the line it starts on, and returns its exits

    def _follow(self, body: Sequence[ast.stmt], exits: list[Exit]) -> list[Exit]:
        """Link `exits` to the first statement of `body`, and so on through it; return the exits of the last one."""
        lines = self._lines
        for node in body:
            line = self._start_of(node)
            if line not in lines:
                continue
            for start, cause in exits:
                self._link(start, line, cause, "")
            handler = _HANDLERS.get(type(node))
            exits = [(line, "")] if handler is None else handler(self, node, line)
        return exits

    def _start_of(self, node: ast.stmt) -> int:
        line: int = node.lineno
        if type(node) in _DEFINITIONS and node.decorator_list:  # type: ignore[attr-defined]
            line = node.decorator_list[0].lineno  # type: ignore[attr-defined]
        return self._first_lines.get(line, line)

    def _link(self, start: int, end: int, cause: str, action: str) -> None:
        arc = (start, end)
        self.arcs.add(arc)
        if start in self._open_withs:
            self.with_entries.add(arc)
        if cause or action:
            notes = self.notes.setdefault(arc, [])
            if (cause, action) not in notes:
                notes.append((cause, action))

    def _follow_definition(self, node: _Definition, line: int) -> list[Exit]:
        last = line
        for decorator in node.decorator_list[1:]:
            start = self._first_lines.get(decorator.lineno, decorator.lineno)
            if start != last:
                self._link(last, start, "", "")
            last = start
        if node.decorator_list:
            self._link(last, node.lineno, "", "")
        return [(node.lineno, "")]

    def _follow_if(self, node: ast.If, line: int) -> list[Exit]:
        exits: list[Exit] = []
        while True:
            constant = _evaluate_constant(node.test)
            if constant is not False:
                exits += self._follow(node.body, [(line, "the condition on line {line} was never true")])
            if constant is True:
                return exits
            skipped: list[Exit] = [(line, "the condition on line {line} was always true")]
            # An `elif` is a lone `if` in the `else`. Looping here keeps long chains off the stack.
            if len(node.orelse) != 1 or type(following := node.orelse[0]) is not ast.If:
                return exits + self._follow(node.orelse, skipped)
            following_line = self._start_of(following)
            if following_line not in self._lines:
                return exits + skipped
            for start, cause in skipped:
                self._link(start, following_line, cause, "")
            node, line = following, following_line

    def _follow_loop(self, node: ast.For | ast.AsyncFor | ast.While, line: int) -> list[Exit]:
        if isinstance(node, ast.While):
            entered = "the condition on line {line} was never true"
            ended = "the condition on line {line} was always true"
            is_endless = _evaluate_constant(node.test) is not None
        else:
            entered = "the loop on line {line} never started"
            ended = "the loop on line {line} didn't complete"
            is_endless = False
        block = LoopBlock(line)
        self._blocks.append(block)
        for start, cause in self._follow(node.body, [(line, entered)]):
            self._link(start, line, cause, "")
        self._blocks.pop()
        if node.orelse:
            return block.breaks + self._follow(node.orelse, [(line, ended)])
        return block.breaks if is_endless else [*block.breaks, (line, ended)]

    def _follow_match(self, node: ast.Match, line: int) -> list[Exit]:
        exits: list[Exit] = []
        last = line
        for case in node.cases:
            start = self._first_lines.get(case.pattern.lineno, case.pattern.lineno)
            self._link(last, start, "the pattern on line {line} always matched", "")
            exits += self._follow(case.body, [(start, "the pattern on line {line} never matched")])
            last = start
        if not is_irrefutable(node.cases[-1]):
            exits.append((last, "the pattern on line {line} always matched"))
        return exits

    def _follow_try(self, node: ast.Try, line: int) -> list[Exit]:
        block = TryBlock(None)
        if node.handlers:
            handler_line = node.handlers[0].lineno
            block.handler_line = self._first_lines.get(handler_line, handler_line)
        self._blocks.append(block)
        exits = self._follow(node.body, [(line, "")])
        # The handlers and the else are still inside the block if there is a finally.
        block.handler_line = None
        if not node.finalbody:
            self._blocks.pop()
        handled: list[Exit] = []
        for handler in node.handlers:
            start = self._first_lines.get(handler.lineno, handler.lineno)
            handled += self._follow(handler.body, [(start, "the exception caught by line {line} didn't happen")])
        if node.orelse:
            exits = self._follow(node.orelse, exits)
        exits = exits + handled
        if not node.finalbody:
            return exits
        self._blocks.pop()
        final_exits = self._follow(node.finalbody, exits)
        return final_exits if exits else []

    def _follow_with(self, node: ast.With | ast.AsyncWith, line: int) -> list[Exit]:
        self._open_withs.add(line)
        self.with_starts.add(line)
        exits = self._follow(node.body, [(line, "")])
        self._open_withs.discard(line)
        for start, _ in exits:
            self._link(start, line, "", "")
            self.with_ends.add((start, line))
        return [(line, "")] if exits else []

    def _follow_break(self, node: ast.Break, line: int) -> list[Exit]:
        for block in reversed(self._blocks):
            if isinstance(block, LoopBlock):
                block.breaks.append((line, "the break on line {line} wasn't executed"))
                break
        return []

    def _follow_continue(self, node: ast.Continue, line: int) -> list[Exit]:
        for block in reversed(self._blocks):
            if isinstance(block, LoopBlock):
                self._link(line, block.start, "the continue on line {line} wasn't executed", "")
                break
        return []

    def _follow_return(self, node: ast.Return, line: int) -> list[Exit]:
        for block in reversed(self._blocks):
            if isinstance(block, FunctionBlock):
                action = f"return from function {block.name!r}"
                self._link(line, -block.start, "the return on line {line} wasn't executed", action)
                break
        return []

    def _follow_raise(self, node: ast.Raise, line: int) -> list[Exit]:
        cause = "the raise on line {line} wasn't executed"
        for block in reversed(self._blocks):
            if isinstance(block, TryBlock):
                if block.handler_line is not None:
                    self._link(line, block.handler_line, cause, "")
                break
            if isinstance(block, FunctionBlock):
                self._link(line, -block.start, cause, f"except from function {block.name!r}")
                break
        return []


_HANDLERS: dict[type[ast.stmt], Callable[..., list[Exit]]] = {
    ast.AsyncFor: Flow._follow_loop,
    ast.AsyncFunctionDef: Flow._follow_definition,
    ast.AsyncWith: Flow._follow_with,
    ast.Break: Flow._follow_break,
    ast.ClassDef: Flow._follow_definition,
    ast.Continue: Flow._follow_continue,
    ast.For: Flow._follow_loop,
    ast.FunctionDef: Flow._follow_definition,
    ast.If: Flow._follow_if,
    ast.Match: Flow._follow_match,
    ast.Raise: Flow._follow_raise,
    ast.Return: Flow._follow_return,
    ast.Try: Flow._follow_try,
    ast.TryStar: Flow._follow_try,
    ast.While: Flow._follow_loop,
    ast.With: Flow._follow_with,
}


def is_irrefutable(case: ast.match_case) -> bool:
    """Return whether this `case` matches anything that reaches it: no guard, and a wildcard or bare name (last)."""
    pattern = case.pattern
    while isinstance(pattern, ast.MatchOr):
        pattern = pattern.patterns[-1]
    while isinstance(pattern, ast.MatchAs) and pattern.pattern is not None:
        pattern = pattern.pattern
    return case.guard is None and isinstance(pattern, ast.MatchAs)


def _evaluate_constant(test: ast.expr) -> bool | None:
    """Return the truth of a test made of constants, `not`, `and`, `or` and `__debug__`; None for any other."""
    is_flipped = False
    while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, is_flipped = test.operand, not is_flipped
    value = _evaluate_unflipped(test)
    return None if value is None else value != is_flipped


def _evaluate_unflipped(test: ast.expr) -> bool | None:
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.Name):
        return __debug__ if test.id == "__debug__" else None
    if isinstance(test, ast.BoolOp):
        values = [_evaluate_constant(part) for part in test.values]
        if None not in values:
            return any(values) if isinstance(test.op, ast.Or) else all(values)
    return None
