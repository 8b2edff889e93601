"""Lines that CPython 3.11 reports although their statement did not run.

Its compiler (Python/compile.c) gives an instruction the position of the last statement it visited, wherever control
comes from. This shows in two places: the end of a `finally` clause that an exception entered, also when an exception
leaves it there, and the end of the body of an `async with`. Statements that forget the position behind them (UNSET_LOC)
are harmless, except a `with` or `if` that ends one of several branches at the end of an `except ... as e` clause which
ends its function: there the return gets the line of the branch that is laid out before it (guarantee_lineno_for_exits).
Early patch releases have two more places, which the mode tells: the end of a `case`, and of an `except*` clause that
ends its function (except_star_ends). Python 3.12 has no such lines.
"""

from _ast import (
    AST,
    AnnAssign,
    AsyncFor,
    AsyncFunctionDef,
    AsyncWith,
    Break,
    ClassDef,
    Constant,
    Continue,
    Expr,
    For,
    FunctionDef,
    If,
    Match,
    MatchAs,
    Module,
    Return,
    Try,
    TryStar,
    While,
    With,
    stmt,
)

from footfall.own_builtins import keep_builtins
from footfall.probes.meanings import EXCEPTION, NORMAL
from footfall.probes.mode import LINES_OF_NOTHING, PHANTOM_LINES, PHANTOMS_BEHIND_CASES, PHANTOMS_BEHIND_EXCEPT_STAR
from footfall.probes.syntax import JUMPS, last_visited, last_with_code, no_code_in

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from footfall.probes.finally_exits import Final

    Watch = tuple[int, int, int]

__all__ = ["PhantomClause", "choose_clause", "find_phantom_lines"]

_COMPOUND = (
    AsyncFor, AsyncFunctionDef, AsyncWith, ClassDef, For, FunctionDef, If, Match, Try, TryStar, While, With,
)  # fmt: skip


class PhantomClause:
    """A `finally` clause with a phantom line behind it, while it is walked.

    `watched` says what to compare with the exception that leaves the clause: if an exception entered it; else, if one
    entered the clause around it, and so on; if none entered any. It is None if that exception is not the one that left
    the line: an `except*` clause's exception becomes part of a group. `around` is the clause that an exception leaves
    next if no exception entered this one.
    """

    __slots__ = ("around", "final", "watched")

    def __init__(self, final: "Final", watched: "list[list[Watch]] | None", around: "PhantomClause | None") -> None:
        self.final = final
        self.watched = watched
        self.around = around

    def chain(self) -> "list[PhantomClause]":
        """Return this one and those around it."""
        found = [self]
        while found[-1].around is not None:
            found.append(found[-1].around)
        return found


def choose_clause(clauses: list[PhantomClause], at: AST, statements: list[stmt]) -> stmt:
    """Return a statement that runs the one for the first clause that an exception entered, the last one if none."""
    chosen = statements[-1]
    for clause, statement in zip(reversed(clauses), reversed(statements[:-1]), strict=True):
        chosen = clause.final.choose(at, [(EXCEPTION, statement), (NORMAL, chosen)])
    return chosen


def find_phantom_lines(tree: Module, mode: int) -> dict[AST, AST]:
    """Return the statement or pattern whose line is reported behind a `try`, `async with`, `with`, `if` or `case`.

    Places at which no phantom line can be reported are left out. `mode` is that of probes/mode.py; with
    LINES_OF_NOTHING the result is that of `find_lines_of_nothing`, and without that or PHANTOM_LINES it is empty.
    """
    no_code = no_code_in(mode)
    if mode & LINES_OF_NOTHING:
        # PyPy's: `instrument` imports it there.
        from footfall.probes.lines_of_nothing import find_lines_of_nothing

        return find_lines_of_nothing(tree, no_code)
    if not mode & PHANTOM_LINES:
        return {}
    found: dict[AST, AST] = {}
    _add_behind_clauses(found, tree.body)
    if mode & PHANTOMS_BEHIND_EXCEPT_STAR:
        _add_behind_stars(found, tree.body, no_code)
    # Blocks to visit; whether a `return` and whether a `break` in it runs code of surrounding blocks on its way out.
    blocks: list[tuple[Any, bool, bool]] = [(tree.body, False, False)]
    while blocks:
        body, unwinds_return, unwinds_loop = blocks.pop()
        for node in body:
            kind = type(node)
            if kind not in _COMPOUND:
                continue
            if kind is Match:
                blocks.extend((case.body, unwinds_return, unwinds_loop) for case in node.cases)
                if mode & PHANTOMS_BEHIND_CASES:
                    _add_behind_cases(found, node, (unwinds_return, unwinds_loop), no_code)
            elif kind is If:
                blocks.append((node.body, unwinds_return, unwinds_loop))
                blocks.append((node.orelse, unwinds_return, unwinds_loop))
            elif kind in (For, AsyncFor, While):
                blocks.append((node.body, unwinds_return, False))
                blocks.append((node.orelse, unwinds_return, unwinds_loop))
            elif kind in (With, AsyncWith):
                blocks.append((node.body, True, True))
                if kind is AsyncWith:
                    _add(found, node, node.body, _last_visited(node.body, True, True), no_code)
            elif kind in (Try, TryStar):
                inner = (True, True) if node.finalbody else (unwinds_return, unwinds_loop)
                blocks.append((node.body, *inner))
                blocks.append((node.orelse, *inner))
                blocks.extend((handler.body, *inner) for handler in node.handlers)
                if node.finalbody:
                    blocks.append((node.finalbody, unwinds_return, unwinds_loop))
                    last = _last_visited(node.finalbody, unwinds_return, unwinds_loop)
                    _add(found, node, node.finalbody, last, no_code)
            else:
                blocks.append((node.body, False, False))
                if kind is not ClassDef:
                    _add_behind_clauses(found, node.body)
                if mode & PHANTOMS_BEHIND_EXCEPT_STAR:
                    _add_behind_stars(found, node.body, no_code)
    return found


def _add_behind_cases(
    found: dict[AST, AST], node: Match, unwinds: tuple[bool, bool], no_code: tuple[type[stmt], ...]
) -> None:
    """Add each case whose end is left by a jump: all but a default case behind others."""
    for case in node.cases:
        end = case.body[-1]
        if type(end) not in _COMPOUND and type(end) not in no_code and type(end) is not AnnAssign:
            continue  # it is on the line of the jump
        if len(node.cases) > 1 and _is_default(case.pattern) and case.guard is None:
            continue
        last: Any = _last_visited(case.body, *unwinds)
        if last is not None and last.lineno != case.pattern.lineno:
            found[case] = last


def _add_behind_stars(found: dict[AST, AST], body: list[stmt], no_code: tuple[type[stmt], ...]) -> None:
    """Look for `except*` clauses that end a function, class or module."""
    from footfall.probes.except_star_ends import find_star_end  # imported by `instrument` where the compiler has them

    blocks = [body]
    while blocks:
        last: Any = last_with_code(blocks.pop(), no_code)
        kind = type(last)
        if kind in (If, For, AsyncFor, While):
            blocks.append(last.orelse)
        if kind is If:
            blocks.append(last.body)
        elif kind is Match:
            blocks.extend(case.body for case in last.cases)
        elif kind in (Try, TryStar):
            if last.finalbody:
                blocks.append(last.finalbody)
                continue
            blocks.append(last.orelse or last.body)
            if kind is Try:
                blocks.extend(handler.body for handler in last.handlers)
                continue
            clause = last.handlers[-1]
            end = find_star_end(clause, no_code)
            if end is not None and end.lineno != clause.lineno:  # type: ignore[attr-defined]
                found[last] = end


def _add_behind_clauses(found: dict[AST, AST], body: list[stmt]) -> None:
    """Look for `except ... as e` clauses that end a function or module, and for branches that end them."""
    blocks = [body]
    while blocks:
        block = blocks.pop()
        last: Any = block[-1] if block else None
        if type(last) is If:
            blocks += [last.body, last.orelse]
        elif type(last) is Try and not last.finalbody:
            blocks.append(last.orelse)
            for handler in last.handlers:
                if handler.name is not None and type(handler.body[-1]) is If:
                    _add_behind_branches(found, handler.body[-1])


def _add_behind_branches(found: dict[AST, AST], test: "Any") -> None:
    """Add each `with` and `if` that ends a branch, in the order in which copies of the return are laid out.

    The branch that comes last is first, then the others; without an `else`, the failure of the last test comes before
    the last of these. A copy without a line gets the line of the copy before.
    """
    branches: list[Any] = [test.body]
    while len(test.orelse) == 1 and type(test.orelse[0]) is If:
        test = test.orelse[0]
        branches.append(test.body)
    if test.orelse:
        branches.append(test.orelse)
        *laid_out, last = branches
    else:
        *laid_out, last = branches
        laid_out[-1:-1] = [test]
    before = _jump_in(last) or _last_laid_out(last[-1])
    for branch in laid_out:
        if branch is test:
            before = test
        elif _jump_in(branch) is None:
            end = branch[-1]
            if not _ends_without_line(end):
                before = _last_laid_out(end)
            elif before is not None:
                found[end] = before


def _ends_without_line(node: "Any") -> bool:
    """Return whether what leads out of the statement has no line: two ways meet there, or it is behind a `with`."""
    if type(node) is With:
        return _jump_in(node.body) is None
    if type(node) is not If or node.orelse or not _is_plain(node):
        return False
    return type(node.body[-1]) is not If or _ends_without_line(node.body[-1])


def _last_laid_out(node: "Any") -> AST | None:
    """Return the node that has the line of the last way out of a statement; None if that is not known."""
    kind = type(node)
    if kind not in _COMPOUND or kind is With:
        last: AST = node
        return last
    if kind is For and not node.orelse and _is_plain(node):
        loop: AST = node
        return loop
    if kind is Try and not node.finalbody and not node.orelse and node.handlers[-1].name is None:
        body = node.handlers[-1].body
        is_known = type(body[-1]) not in _COMPOUND and _jump_in(body) is None
        end: AST | None = body[-1] if is_known else None
        return end
    return None


def _is_plain(node: "Any") -> bool:
    """Return whether no statement in it is a jump, or contains statements other than an `if`."""
    todo = [node]
    while todo:  # a long `elif` chain nests deeper than Python's recursion limit
        node = todo.pop()
        inner = [*node.body, *node.orelse]
        if _jump_in(inner) is not None:
            return False
        for each in inner:
            if type(each) is If:
                todo.append(each)
            elif type(each) in _COMPOUND:
                return False
    return True


def _jump_in(block: list[stmt]) -> AST | None:
    """Return the statement of the block that nothing continues from."""
    return next((node for node in block if type(node) in JUMPS), None)


def _add(found: dict[AST, AST], owner: AST, body: list[stmt], last: "Any", no_code: tuple[type[stmt], ...]) -> None:
    if last is None:
        return
    is_one_line = all(type(node) not in _COMPOUND and node.lineno == last.lineno for node in body)
    if is_one_line and last_with_code(body, no_code) is not None:
        return
    found[owner] = last


def _last_visited(body: list[stmt], unwinds_return: bool, unwinds_loop: bool) -> AST | None:
    """Return the node whose position the compiler has after `body`; None if it has none."""
    node: Any = last_visited(body)
    kind = type(node)
    if kind in (For, With, AsyncWith, Try, TryStar):
        return None
    if (kind is Return and unwinds_return) or (kind in (Break, Continue) and unwinds_loop):
        return None
    if kind is Expr and type(node.value) is not Constant:
        return None
    if kind is Match:
        pattern: AST = node.cases[-1].pattern
        return None if _is_default(pattern) and len(node.cases) > 1 else pattern
    last: AST = node
    return last


def _is_default(pattern: AST) -> bool:
    return type(pattern) is MatchAs and pattern.pattern is None and pattern.name is None
