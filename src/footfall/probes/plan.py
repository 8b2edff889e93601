"""Where probes go: one walk over a module's statements that inserts and numbers them.

The measured process runs it to instrument; `analyze.probe_arcs` runs it again over the same source, with a
`note` function, to learn what each number means. So the numbering depends on nothing but the source and
the mode.

Lines: a probe stands before each statement whose start is not implied. A statement that cannot raise implies
the start of the next one. Branches: each way out of a line that has several gets a probe, or shares the one
of the statement it leads to where nothing else leads there.
"""

from _ast import (
    AST,
    AnnAssign,
    Assign,
    AsyncFor,
    AsyncFunctionDef,
    AsyncWith,
    Attribute,
    AugAssign,
    Break,
    ClassDef,
    Constant,
    ExceptHandler,
    Expr,
    For,
    FunctionDef,
    If,
    ImportFrom,
    Lambda,
    Match,
    Module,
    Name,
    Pass,
    Raise,
    Return,
    Try,
    TryStar,
    While,
    With,
    Yield,
    YieldFrom,
    match_case,
    stmt,
)

from footfall.own_builtins import keep_builtins
from footfall.probes.except_star_exits import StarExits
from footfall.probes.finally_exits import Final, is_left_by_branch, note_jump
from footfall.probes.forms import Forms, header_text
from footfall.probes.lambdas import find_lambdas
from footfall.probes.meanings import (
    CASE_FAILED,
    DEFINED,
    ENDED,
    ENTERED,
    EXCEPTION,
    EXITED,
    HEADER_LINE,
    JUMPED,
    LEFT,
    LINE,
    NORMAL,
    RAISED,
    STRAY,
    STRAYED,
    add_reason,
)
from footfall.probes.mode import BRANCHES, RUNS_DOCSTRINGS
from footfall.probes.phantom_lines import StrayClause
from footfall.probes.syntax import (
    DEFINITIONS,
    JUMPS,
    cannot_raise,
    first_line,
    is_docstring,
    is_irrefutable,
    last_with_code,
    no_code_in,
)

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    Note = tuple[int, AST]
    Taker = Callable[[int, list[Note]], None]

__all__ = ["insert_probes", "number_probes"]

_MAY_YIELD = (Expr, Assign, AugAssign, AnnAssign)
_SAFE_VALUES = (type(None), Constant, Name)
_MAX_REGIONS = 6
"""Nested blocks in one function that are watched for exceptions: the compiler nests 20 blocks at most, ours too."""


def insert_probes(
    tree: Module,
    lines: list[bytes],
    mode: int,
    digest: bytes,
    strays: "Mapping[AST, AST]",
    note: "Taker | None" = None,
) -> int:
    """Insert probes into `tree` in place and return how many there are, numbered from 0.

    `mode` is that of probe_mode; `strays` come from `find_strays`.
    `lines` is the source in UTF-8, or with an equal width of what precedes a line's first word, split at line
    ends. `note(number, notes)` is told what each probe means, in order of numbers.
    """
    lambdas = find_lambdas(tree, lines)
    plan = _Plan(lines, mode, note, strays)
    plan.walk_module(tree)
    plan.add_lambdas(lambdas)
    header = plan.forms.header
    assert header is not None
    header.value = header_text(mode, plan.forms.count, digest)
    return plan.forms.count


def number_probes(
    pieces: "Iterable[tuple[Module, Mapping[AST, AST], bool]]", lines: list[bytes], mode: int, note: "Taker"
) -> int:
    """Tell what each probe of a module means that comes piece by piece, and return how many there are.

    A piece is a tree, its strays, and whether it is the last one. Each but the last ends with a statement that stands
    for the next one, and is walked up to that. The trees are changed as by `insert_probes`, which has the other
    arguments, and are no use afterwards.
    """
    plan: _Plan | None = None
    lambdas: list[Lambda] = []
    for tree, strays, is_last in pieces:
        lambdas += find_lambdas(tree if is_last else Module(tree.body[:-1], []), lines)
        if plan is None:
            plan = _Plan(lines, mode, note, strays)
            plan.walk_module(tree, is_last)
        else:
            plan.walk_on(tree, is_last, strays)
    assert plan is not None
    plan.add_lambdas(lambdas)
    return plan.forms.count


class _Plan:
    """One walk. Block methods return whether the block can be completed normally."""

    __slots__ = (
        "_breaks",
        "_carried",
        "_entry",
        "_finals",
        "_is_caught",
        "_is_in_function",
        "_is_tail",
        "_lines",
        "_loop_tails",
        "_n_jumps",
        "_n_names",
        "_n_regions",
        "_next_piece",
        "_no_code",
        "_note",
        "_runs_docstrings",
        "_strays",
        "_stray_clause",
        "_tail",
        "_watched",
        "_with_branches",
        "forms",
    )

    def __init__(self, lines: list[bytes], mode: int, note: "Taker | None", strays: "Mapping[AST, AST]") -> None:
        self.forms = Forms()
        self._lines = lines
        self._with_branches = bool(mode & BRANCHES)
        self._no_code = no_code_in(mode)
        self._runs_docstrings = bool(mode & RUNS_DOCSTRINGS)
        self._note = note
        self._breaks: list[bool] = []  # of the loops around, whether a `break` was met
        self._entry = 0  # the probe that implies the start of the statement being handled
        self._finals: list[Final] = []  # of the `try` statements around that keep a reason
        # that whose `finally` is left by completing the statement being handled
        self._tail: Final | StarExits | None = None
        self._loop_tails: list[Final | StarExits | None] = [None]  # of the loops around, what a `break` ends
        self._is_in_function = False
        self._n_names = 0
        self._n_jumps = 0  # that leave a `try` of `_finals`
        # In the innermost block that an exception leaves for the line to which its end leads (a function's, a
        # `with` statement's, one before a `finally`): whether the statement being handled ends it; what is watched.
        self._is_tail = False
        self._is_caught = False  # whether an exception leads elsewhere than a `return`: to an `except`
        self._watched: list[tuple[int, int, int]] = []
        self._n_regions = 0
        self._strays = strays
        # The `finally` with a stray line behind it that an exception in the statement being handled would leave next.
        self._stray_clause: StrayClause | None = None
        # Of a module that comes in pieces: the statement that stands for the next one.
        self._next_piece: stmt | None = None
        self._carried = (0, -1)  # what is `known_line` and `chain` there

    # Blocks

    def walk_module(self, tree: Module, is_last_piece: bool = True) -> None:
        body: list[Any] = tree.body
        self._next_piece = None if is_last_piece else body[-1]
        start = 1 if body and is_docstring(body[0]) else 0
        while start < len(body) and type(body[start]) is ImportFrom and body[start].module == "__future__":
            start += 1
        if start < len(body):
            at: Any = body[start]
            if type(at) in DEFINITIONS and at.decorator_list:
                at = at.decorator_list[0]
        elif body:
            at = body[-1]
        else:
            at = Pass(lineno=1, col_offset=0, end_lineno=1, end_col_offset=0)
        first = self._probe(at, [(LINE, node) for node in body[:start] if not is_docstring(node)])
        rest = body[start:]
        self._walk_region(rest, [], chain=0)
        body[start:] = [first, *rest]

    def walk_on(self, tree: Module, is_last_piece: bool, strays: "Mapping[AST, AST]") -> None:
        """Walk the next piece of a module."""
        self._strays = strays
        self._next_piece = None if is_last_piece else tree.body[-1]
        self._walk_region(tree.body, [], *self._carried)

    def add_lambdas(self, lambdas: "list[Lambda]") -> None:
        """See the calls of lambdas."""
        for node in lambdas:
            self._tell(self.forms.count, [(LINE, node)])
            node.body = self.forms.before(node.body)

    def _walk_definition_body(self, body: list[stmt], notes: "list[Note]", is_function: bool) -> None:
        outside = self._breaks, self._finals, self._tail, self._is_in_function, self._n_regions
        stray_clause = self._stray_clause
        self._stray_clause = None
        self._breaks = []
        self._finals = []
        self._tail = None
        self._is_in_function = is_function
        self._n_regions = 0
        start = 1 if is_docstring(body[0]) else 0
        rest = body[start:]
        if rest:
            self._walk_region(rest, notes)
            body[start:] = rest
        elif notes:
            body.append(self._probe(body[0], notes))
        self._breaks, self._finals, self._tail, self._is_in_function, self._n_regions = outside
        self._stray_clause = stray_clause

    def _walk_region(
        self,
        body: "list[Any]",
        notes: "list[Note]",
        known_line: int = 0,
        chain: int = -1,
        loop_tail: "Final | StarExits | None" = None,
        is_caught: bool = False,
    ) -> bool:
        """Walk a block that an exception leaves for the line to which its end leads.

        There an exception on a line that has several ways out, as in the test of an `if`, takes one of them.
        A `break` out of the block goes by other lines, so `loop_tail` is None, but not out of a `finally`.
        """
        outside = self._is_tail, self._is_caught, self._watched
        self._is_caught = is_caught
        self._watched = []
        self._n_regions += 1
        self._loop_tails.append(loop_tail)
        self._is_tail = self._with_branches and self._n_regions <= _MAX_REGIONS
        completes = self._walk_block(body, notes, known_line, chain, is_region=True)
        self._n_regions -= 1
        self._loop_tails.pop()
        self._is_tail, self._is_caught, self._watched = outside
        return completes

    def _watch_exceptions(
        self, node: "Any", body: list[stmt], is_left: bool, watched: list[tuple[int, int, int]]
    ) -> None:
        """See exceptions on the line of the node that owns `body`, where they go the way of something else there.

        `is_left` says that control may go on from that line. `watched` are those to see around the node alone.
        """
        if not self._with_branches:
            return
        if self._stray_clause is not None and self._stray_clause.watched is not None:
            self._stray_clause.watched.append(
                (self._watch_lines(node, body, STRAYED), self._watch_lines(node, body, NORMAL))
            )
            return
        if self._is_tail and is_left:
            self._watched.append(self._watch_lines(node, body))
        # An exception where the body, on that line too, may leave likewise.
        if any(type(inner) in (Raise, Return) for inner in body) and self._is_one_line(body):
            watched.append(self._watch_lines(node, body))

    def _watch_lines(self, node: "Any", body: list[stmt], reason: int = NORMAL) -> tuple[int, int, int]:
        """Return a new probe for exceptions on the line of the node, and which lines of the file that are."""
        number = self.forms.count
        self.forms.count = number + 1
        self._tell(number, add_reason([(RAISED, node)], reason))
        at = node.pattern if type(node) is match_case else node
        last = body[-1].end_lineno if self._is_one_line(body) else first_line(body[0]) - 1
        return number, at.lineno, max(at.lineno, last or 0)

    def _walk_block(
        self,
        body: "list[Any]",
        notes: "list[Note]",
        known_line: int = 0,
        chain: int = -1,
        is_owned: bool = False,
        is_region: bool = False,
    ) -> bool:
        """Insert probes into one straight list of statements, in place.

        `notes` must be told by the first probe (with any, there is one). `known_line` was certainly reached
        when the block is. `chain` is the probe that implies the first statement's start, or -1. `is_owned` says that
        the block stands on the line of an `if`, a loop or a `case`.
        """
        out: list[stmt] = []
        completes = True
        dead_raise: tuple[int, int, int] | None = None
        tail, is_tail = self._tail, self._is_tail
        last = last_with_code(body, self._no_code, self._strays)
        for node in body:
            if node is self._next_piece:
                if notes:  # of this piece's nodes: what the first probe of the next one tells, and there is one
                    self._tell(self.forms.count, notes)
                    notes, known_line, chain = [], 0, -1
                self._carried = known_line, chain
                break
            self._tail = tail if node is last else None
            self._is_tail = is_tail and node is last
            kind = type(node)
            if kind in self._no_code and node not in self._strays:
                out.append(node)
                continue
            line = first_line(node)
            shares_line = is_owned or line == known_line or node is not body[-1]
            if notes or (line != known_line and chain < 0):
                notes.append((LINE, node))
                chain = self.forms.count
                at = node if line == node.lineno else node.decorator_list[0]
                out.append(self._probe(at, notes))
            elif chain >= 0:
                self._tell(chain, [(LINE, node)])
            elif kind in JUMPS and self._with_branches and (is_owned or node is not body[-1]):
                # It shares its line with other ways out, and what stands before it may raise.
                chain = self.forms.count
                out.append(self._probe(node, [(LINE, node)]))
            known_line = line
            handler = _HANDLERS.get(kind)
            if handler is not None:
                self._entry = chain
                start = len(out)
                completes, notes = handler(self, node, out)
                if is_region and node is last and self._watched:
                    out[start:] = [self.forms.watched(out[start:], self._watched)]
                known_line = node.lineno if kind in DEFINITIONS else 0
            else:
                notes = []
                if kind in JUMPS:
                    if kind is Raise and not completes and self._with_branches and not is_owned:
                        dead_raise = self._watch_dead_raise(node, body) or dead_raise
                    completes = False
                    if chain >= 0 and self._with_branches:
                        if kind is Break and self._loop_tails[-1] is not None:
                            self._tail = self._loop_tails[-1]
                            out.append(self._exit_probe(node, [(JUMPED, node)]))
                        elif kind is Raise and self._stray_clause is not None:
                            out.append(self._raise_probe(node, [(JUMPED, node)]))
                        else:
                            self._tell_jump(chain, node, shares_line)
                    if self._finals:
                        self._n_jumps += note_jump(self._finals, node, len(self._breaks), out)
                    if kind is Break and self._breaks:
                        self._breaks[-1] = True
                out.append(node)
            if self._with_branches and kind in _MAY_YIELD and type(node.value) in (Yield, YieldFrom):
                # Gone on from in another context, it counts there as well: the next arc begins on its line.
                chain = self.forms.count
                out.append(self._probe(node, [(LINE, node)]))
            elif not cannot_raise(node):
                chain = -1
        self._tail, self._is_tail = tail, is_tail
        if notes:
            out.append(self._exit_probe(body[-1], notes))
        body[:] = out if dead_raise is None else [self.forms.watched(out, [dead_raise])]
        return completes

    def _watch_dead_raise(self, node: Raise, body: list[stmt]) -> tuple[int, int, int] | None:
        """See exceptions on the line of a `raise` behind a jump on that line: they go the way that only it has."""
        at = body.index(node)
        first = at
        while first and body[first - 1].end_lineno == body[first].lineno:
            first -= 1
        if not any(type(before) in JUMPS for before in body[first:at]):
            return None
        number = self.forms.count
        self.forms.count = number + 1
        self._tell(number, [(RAISED, node)])
        return number, body[first].lineno, node.lineno

    def _tell_jump(self, chain: int, node: "Any", shares_line: bool) -> None:
        """Tell of a jump: when it is reached, or once its value is there, where failing to get it leads elsewhere."""
        if shares_line and self._is_caught and type(node) is Return and not isinstance(node.value, _SAFE_VALUES):
            chain = self.forms.count
            value: Any = node.value
            node.value = self.forms.after(value)
        self._tell(chain, [(JUMPED, node)])

    def _probe(self, at: AST, notes: "list[Note]") -> stmt:
        if self._note is not None:
            self._note(self.forms.count, notes)
        return self.forms.statement(at)

    def _exit_probe(self, at: AST, notes: "list[Note]") -> stmt:
        """Return a probe on the way out of a block; one for each reason why, where a `finally` ends with it."""
        return self._exit_of(self._tail, at, notes, 0)

    def _exit_of(self, tail: "Final | StarExits | None", at: AST, notes: "list[Note]", level: int) -> stmt:
        if tail is None:
            return self._probe(at, notes)
        if isinstance(tail, StarExits):
            return tail.keep(at, notes)
        exits = []
        for reason in tail.reasons:
            if reason == NORMAL:
                exits.append((reason, self._exit_of(tail.around, at, notes, level + 1)))
            elif reason == EXCEPTION and level == 0 and not tail.has_stray:
                exits.append((reason, self._raise_probe(at, notes, reason)))
            else:
                told = STRAYED if reason == EXCEPTION and tail.has_stray else reason
                exits.append((reason, self._probe(at, add_reason(notes, told, level))))
        return tail.choose(at, exits)

    def _is_one_line(self, body: list[stmt]) -> bool:
        """Whether the body begins on the line of its header, as in `if x: y`."""
        first = body[0]
        if first.lineno > len(self._lines):
            return False
        before = self._lines[first.lineno - 1][: first.col_offset]
        if before and not before.isspace():
            return True
        return first.lineno > 1 and self._lines[first.lineno - 2].rstrip(b"\r").endswith(b"\\")

    def _walk_body(self, owner: "Any", body: list[stmt]) -> bool:
        """Walk the body of an `if`, a loop or a `case` that may stand on its owner's line."""
        if not self._with_branches:
            line = owner.pattern.lineno if type(owner) is match_case else owner.lineno
            return self._walk_block(body, [], known_line=line)
        notes: list[Note] = [(ENTERED, owner)]
        if not self._is_one_line(body):
            return self._walk_block(body, notes)
        last = body[-1]
        completes = self._walk_block(body, notes, known_line=body[0].lineno, is_owned=True)
        if completes and type(owner) in (If, match_case):
            body.append(self._exit_probe(last, [(ENDED, owner)]))
        return completes

    # Statements with bodies: each appends to `out` and returns whether it can be completed normally, and what
    # the probe after it must tell

    def _walk_definition(
        self, node: "FunctionDef | AsyncFunctionDef | ClassDef", out: list[stmt]
    ) -> "tuple[bool, list[Note]]":
        decorators = node.decorator_list
        number = self._entry
        for index, decorator in enumerate(decorators):
            if type(decorator) not in (Name, Attribute):  # those count as evaluated when they are reached
                number = self.forms.count
                decorators[index] = self.forms.after(decorator)
            is_last = index + 1 == len(decorators)
            self._tell(number, [(HEADER_LINE, node) if is_last else (LINE, decorators[index + 1])])
        is_one_line = self._with_branches and self._is_one_line(node.body)
        notes: list[Note] = [(EXITED, node)] if is_one_line else []
        if not notes and type(node) is not ClassDef and self._has_no_lines(node.body):
            notes = [(LINE, node)]  # its calls return from there
        last = node.body[-1]
        may_be_closed = is_one_line and type(last) is Expr and type(last.value) in (Yield, YieldFrom)
        self._walk_definition_body(node.body, [] if may_be_closed else notes, type(node) is not ClassDef)
        if may_be_closed:
            node.body.append(self._probe(last, notes))
        out.append(node)
        notes = [(DEFINED, node)] if is_one_line else []
        if notes and getattr(node, "type_params", None):
            notes.append((EXITED, node))  # the scope of type parameters is code of its own, run and left here
        return True, notes

    def _has_no_lines(self, body: list[stmt]) -> bool:
        """Whether a function's body has no statement with a line."""
        start = 1 if is_docstring(body[0]) and not self._runs_docstrings else 0
        return last_with_code(body[start:], self._no_code) is None

    def _tell(self, number: int, notes: "list[Note]") -> None:
        if self._note is not None:
            self._note(number, notes)

    def _walk_if(self, node: If, out: list[stmt]) -> "tuple[bool, list[Note]]":
        top = node
        watched: list[tuple[int, int, int]] = []
        completes = False
        notes: list[Note] = []
        while True:
            orelse = node.orelse
            self._watch_exceptions(node, node.body, not orelse or self._is_one_line(node.body), watched)
            body_completes = self._walk_body(node, node.body)
            completes = completes or body_completes
            notes = [(LEFT, node)] if self._with_branches else []
            if not orelse:
                if completes and notes:
                    orelse.append(self._exit_probe(node, notes))
                    notes = []
                completes = True
                break
            if len(orelse) != 1 or type(orelse[0]) is not If:
                completes = self._walk_block(orelse, notes) or completes
                notes = []
                break
            # An `elif`: going round here keeps long chains off the stack.
            following = orelse[0]
            notes.append((LINE, following))
            orelse.insert(0, self._probe(following, notes))
            node = following
        out.append(self.forms.watched([top], watched) if watched else top)
        if top in self._strays:
            out.append(self._probe(top, [(STRAY, top)]))
        return completes, notes

    def _walk_loop(self, node: "For | AsyncFor | While", out: list[stmt]) -> "tuple[bool, list[Note]]":
        self._breaks.append(False)
        tail, is_tail = self._tail, self._is_tail
        watched: list[tuple[int, int, int]] = []
        self._watch_exceptions(node, node.body, not node.orelse, watched)
        self._tail = None
        self._is_tail = False
        self._loop_tails.append(tail)
        self._walk_body(node, node.body)
        self._loop_tails.pop()
        self._tail, self._is_tail = tail, is_tail
        has_break = self._breaks.pop()
        notes: list[Note] = [(LEFT, node)] if self._with_branches else []
        out.append(self.forms.watched([node], watched) if watched else node)
        if node.orelse:
            return self._walk_block(node.orelse, notes) or has_break, []
        if has_break and notes:
            node.orelse.append(self._exit_probe(node, notes))
            notes = []
        return True, notes

    def _walk_try(self, node: "Try | TryStar", out: list[stmt]) -> "tuple[bool, list[Note]]":
        tail = self._tail
        final = None
        n_jumps = self._n_jumps
        has_stray = node in self._strays and self._n_regions < _MAX_REGIONS
        if node.finalbody:
            self._tail = None  # the `finally` comes first
            if has_stray or (self._with_branches and is_left_by_branch(node.finalbody)):
                final = Final(self._new_name(), len(self._breaks), tail, has_stray)
                self._finals.append(final)
        is_tail, is_caught = self._is_tail, self._is_caught
        stray_clause = self._stray_clause
        self._is_tail = False
        self._stray_clause = None
        self._is_caught = is_caught or bool(node.handlers)
        walk = self._walk_region if node.finalbody else self._walk_block
        walk_body = self._walk_block if node.handlers else walk
        inner_tail = self._tail
        if node.orelse:
            self._tail = None  # it comes next
        completes = walk_body(node.body, [], known_line=node.lineno, chain=self._entry)
        self._tail = inner_tail
        self._is_tail, self._is_caught = is_tail, is_caught
        if type(node) is Try and not node.finalbody:
            self._stray_clause = stray_clause
        star: StarExits | None = None
        for handler in node.handlers:
            if type(node) is TryStar:
                walk_body = self._walk_region
                self._tail = None
                if handler is node.handlers[-1] and self._with_branches and not node.finalbody:
                    if stray_clause is not None:
                        self._stray_clause = StrayClause(stray_clause.final, None)
                    self._tail = star = StarExits(self._new_name())
            else:
                walk_body = walk
            completes = self._walk_handler(handler, walk_body) or completes
        if star is not None:
            self._keep_passed_by(node, star)
            if node in self._strays:
                star.keep_stray(node, [(STRAY, node)])
            self._tail = tail
        if not node.finalbody:
            self._stray_clause = stray_clause
        if node.orelse:
            walk(node.orelse, [])
        self._tail = tail if not node.finalbody else None
        if type(node) is Try and self._with_branches:
            self._add_unmatched(node)
        if final is not None:
            self._finals.pop()
            final.keep_reasons(node, out)
        self._tail = tail if final is None else final
        if node.finalbody:
            is_left_by_jump = self._n_jumps > n_jumps
            own_clause = StrayClause(final, []) if final is not None and has_stray else None
            self._stray_clause = own_clause or stray_clause
            completes = (
                self._walk_region(node.finalbody, [], loop_tail=self._loop_tails[-1], is_caught=self._is_caught)
                and completes
            )
            self._stray_clause = stray_clause
            if own_clause is not None:
                self._add_stray_line(node, own_clause)
            if is_left_by_jump:
                for around in self._finals:
                    node.finalbody = around.suspend(node.finalbody, self._new_name(), self._is_in_function)
        self._tail = tail
        if final is not None and not self._is_in_function:
            node.finalbody.append(final.forget(node.finalbody[-1]))
        if star is None:
            out.append(node)
        else:
            out.append(star.surround(node, self._is_in_function, self._exit_probe, self._star_raise_probe))
        return completes, []

    def _new_name(self) -> int:
        """Return a number that no other local of ours has."""
        self._n_names += 1
        return self._n_names

    def _raise_probe(self, at: AST, notes: "list[Note]", reason: int = NORMAL) -> stmt:
        """Return a probe on the way of an exception, true for `reason`; one for each line to which it leads."""
        probe = self._probe(at, add_reason(notes, reason))
        if self._stray_clause is None:
            return probe
        strayed = self._probe(at, add_reason(notes, STRAYED))
        return self._stray_clause.final.choose(at, [(EXCEPTION, strayed), (NORMAL, probe)])

    def _star_raise_probe(self, at: AST, notes: "list[Note]") -> stmt:
        return self._raise_probe(at, notes, EXCEPTION)

    def _keep_passed_by(self, node: "Try | TryStar", star: StarExits) -> None:
        """The last clause's line is passed by on the way out, which counts where its body ends with a jump."""
        last = node.handlers[-1]
        if self._is_one_line(last.body) and any(type(inner) in JUMPS for inner in last.body):
            assert last.type is not None
            last.type = star.keep_before(last.type, [(ENDED, last)])

    def _add_stray_line(self, node: "Try | TryStar", clause: StrayClause) -> None:
        """See both ways out of the `finally` clause of `node` when an exception entered it."""
        body, final = node.finalbody, clause.final
        at = body[-1]
        on_error: list[stmt] = [self._raise_probe(at, [(STRAY, node)])]
        watched = clause.watched or []
        on_error += [self.forms.watch(at, watch) for watch, _ in watched]
        otherwise = [self.forms.watch(at, watch) for _, watch in watched]
        ends = [final.when(at, EXCEPTION, on_error, otherwise)]
        if not self._is_in_function:
            ends.append(final.forget(at))
        on_end = [final.when(at, EXCEPTION, [self._raise_probe(at, [(STRAY, node)])], [])]
        node.finalbody = [self.forms.guarded(body, ends, on_end)]

    def _add_unmatched(self, node: Try) -> None:
        """See exceptions that no clause matches, where the last clause's line has statements behind a jump."""
        last = node.handlers[-1] if node.handlers else None
        if (
            last is not None
            and last.type is not None
            and self._is_one_line(last.body)
            and any(type(inner) in JUMPS for inner in last.body[:-1])
        ):
            node.handlers.append(self.forms.unmatched(last, self._raise_probe(last, [(RAISED, last)])))

    def _walk_handler(self, handler: ExceptHandler, walk: "Callable[..., bool]") -> bool:
        notes: list[Note] = [(LINE, handler)]
        if handler.type is not None:
            self._tell(self.forms.count, notes)
            handler.type = self.forms.before(handler.type)
            notes = []
        return walk(handler.body, notes, known_line=handler.lineno)

    def _walk_with(self, node: "With | AsyncWith", out: list[stmt]) -> "tuple[bool, list[Note]]":
        tail, stray_clause = self._tail, self._stray_clause
        self._tail = self._stray_clause = None
        completes = self._walk_region(node.body, [], known_line=node.lineno)
        if completes and type(node) is AsyncWith and node in self._strays:
            node.body.append(self._probe(node.body[-1], [(STRAY, node)]))
        self._tail, self._stray_clause = tail, stray_clause
        out.append(node)
        if completes and type(node) is With and node in self._strays:
            out.append(self._probe(node, [(STRAY, node)]))
        return True, []  # it may swallow an exception

    def _walk_match(self, node: Match, out: list[stmt]) -> "tuple[bool, list[Note]]":
        entry = self._entry
        cases: list[match_case] = []
        watched: list[tuple[int, int, int]] = []
        completes = False
        before: match_case | None = None
        for case in node.cases:
            notes: list[Note] = [(LINE, case.pattern)]
            if before is not None:
                notes.append((CASE_FAILED, before))
            if before is not None or type(node.subject) not in (Name, Constant):
                self._tell(self.forms.count, notes)
                cases.append(self.forms.case(case.pattern))
            else:
                self._tell(entry, notes)
            cases.append(case)
            is_left = case is node.cases[-1] and not is_irrefutable(case)
            self._watch_exceptions(case, case.body, is_left or self._is_one_line(case.body), watched)
            completes = self._walk_case_body(case) or completes
            before = case
        node.cases = cases
        out.append(self.forms.watched([node], watched) if watched else node)
        if before is None or is_irrefutable(before):
            return completes, []
        notes = [(LEFT, before)] if self._with_branches else []
        if completes and notes:
            cases.append(self.forms.last_case(before.pattern, self._exit_probe(before.pattern, notes)))
            notes = []
        return True, notes

    def _walk_case_body(self, case: match_case) -> bool:
        if case not in self._strays:
            return self._walk_body(case, case.body)
        tail = self._tail
        self._tail = None  # the stray line comes first
        completes = self._walk_body(case, case.body)
        self._tail = tail
        if completes:
            case.body.append(self._exit_probe(case.body[-1], [(STRAY, case)]))
        return completes


_HANDLERS: "dict[type, Callable[[_Plan, Any, list[stmt]], tuple[bool, list[Note]]]]" = {
    FunctionDef: _Plan._walk_definition,
    AsyncFunctionDef: _Plan._walk_definition,
    ClassDef: _Plan._walk_definition,
    If: _Plan._walk_if,
    For: _Plan._walk_loop,
    AsyncFor: _Plan._walk_loop,
    While: _Plan._walk_loop,
    Try: _Plan._walk_try,
    TryStar: _Plan._walk_try,
    With: _Plan._walk_with,
    AsyncWith: _Plan._walk_with,
    Match: _Plan._walk_match,
}
