"""One straight list of statements: a probe before each whose start is not implied, and what follows from how it ends.

A statement that cannot raise implies the start of the next one. Statements with bodies are passed to the functions of
`compound.py` and `unwinding.py`, which come back here for their blocks.
"""

from _ast import AnnAssign, Assign, AugAssign, Expr, If, Raise, Yield, YieldFrom, match_case, stmt

from footfall.own_builtins import keep_builtins
from footfall.probes.meanings import ENDED, ENTERED, LINE
from footfall.probes.plan.exceptions import Exceptions
from footfall.probes.plan.exits import Exits
from footfall.probes.syntax import DEFINITIONS, JUMPS, cannot_raise, first_line, is_docstring, last_with_code

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import AST, Lambda
    from collections.abc import Callable, Mapping
    from typing import Any

    from footfall.probes.forms import Forms, Meaning
    from footfall.probes.plan.exceptions import Watch
    from footfall.probes.plan.exits import Tail
    from footfall.probes.syntax import Source

    Handler = Callable[["Blocks", Any, int, list[stmt]], tuple[bool, list[Meaning]]]
    """Walks a statement with bodies and appends it to the list.

    The number is the probe that implies its start. Returns whether it can complete normally, and what the probe behind
    it must report.
    """

__all__ = ["Blocks"]

_MAY_YIELD = (Expr, Assign, AugAssign, AnnAssign)


class Blocks:
    """One walk of a module. Methods insert probes in place and return whether the block can complete normally."""

    __slots__ = (
        "_handlers",
        "_lambdas",
        "_next_piece",
        "_resumed",
        "exceptions",
        "exits",
        "forms",
        "source",
        "phantoms",
    )

    def __init__(
        self,
        source: "Source",
        forms: "Forms",
        phantoms: "Mapping[AST, AST]",
        handlers: "dict[type, Handler]",
    ) -> None:
        self.source = source
        self.forms = forms
        self.exits = Exits(forms)
        self.exceptions = Exceptions(source, forms, self.exits)
        self.phantoms = phantoms
        self._handlers = handlers
        # For a module that comes in pieces: the statement that stands for the next one; `known_line` and `chain` there.
        self._next_piece: stmt | None = None
        self._resumed = (0, -1)
        self._lambdas: Mapping[AST, list[Lambda]] = {}

    def begin(self, body: list[stmt], next_piece: stmt | None, lambdas: "Mapping[AST, list[Lambda]]") -> None:
        """Walk the first piece of a module, up to the statement that stands for the next piece.

        `lambdas` are those of each statement.
        """
        self._next_piece = next_piece
        self._lambdas = lambdas
        self.region(body, [], chain=0)

    def go_on(
        self,
        body: list[stmt],
        next_piece: stmt | None,
        phantoms: "Mapping[AST, AST]",
        lambdas: "Mapping[AST, list[Lambda]]",
    ) -> None:
        """Walk the next piece of a module."""
        self._next_piece = next_piece
        self._lambdas = lambdas
        self.phantoms = phantoms
        known_line, chain = self._resumed
        self.region(body, [], known_line, chain)

    def definition(self, body: list[stmt], meanings: "list[Meaning]", is_function: bool) -> None:
        """Walk the body of a function or class."""
        exits = self.exits.enter_definition(is_function)
        regions = self.exceptions.enter_definition()
        start = 1 if is_docstring(body[0]) else 0
        rest = body[start:]
        if rest:
            self.region(rest, meanings)
            body[start:] = rest
        elif meanings:
            body.append(self.forms.probe(body[0], meanings))
        self.exceptions.leave_definition(regions)
        self.exits.leave_definition(exits)

    def region(
        self,
        body: "list[Any]",
        meanings: "list[Meaning]",
        known_line: int = 0,
        chain: int = -1,
        loop_tail: "Tail" = None,
        is_caught: bool = False,
    ) -> bool:
        """Walk a block that an exception leaves for the same line as its end.

        In it, an exception on a line that has several ways out, as in the test of an `if`, takes one of them. A `break`
        out of the block goes by other lines, so `loop_tail` is None, but not out of a `finally`.
        """
        exits = self.exits
        was_caught = exits.is_caught
        outside = self.exceptions.enter_region()
        exits.is_caught = is_caught
        exits.loop_tails.append(loop_tail)
        completes = self.block(body, meanings, known_line, chain, is_region=True)
        exits.loop_tails.pop()
        exits.is_caught = was_caught
        self.exceptions.leave_region(outside)
        return completes

    def body(self, owner: "Any", body: list[stmt]) -> bool:
        """Walk the body of an `if`, a loop or a `case`, which may be on its owner's line."""
        if not self.source.with_branches:
            line = owner.pattern.lineno if type(owner) is match_case else owner.lineno
            return self.block(body, [], known_line=line)
        meanings: list[Meaning] = [(ENTERED, owner)]
        if not self.source.is_on_header_line(body):
            return self.block(body, meanings)
        last = body[-1]
        completes = self.block(body, meanings, known_line=body[0].lineno, is_owned=True)
        if completes and type(owner) in (If, match_case):
            body.append(self.exits.probe(last, [(ENDED, owner)]))
        return completes

    def block(
        self,
        body: "list[Any]",
        meanings: "list[Meaning]",
        known_line: int = 0,
        chain: int = -1,
        is_owned: bool = False,
        is_region: bool = False,
    ) -> bool:
        """Walk one straight list of statements.

        The first probe must report `meanings` (if there are any, there is one). `known_line` was reached if the block
        was. `chain` implies the first statement's start, or is -1. `is_owned`: it is on its owner's line.
        """
        exits, exceptions = self.exits, self.exceptions
        with_branches, no_code = self.source.with_branches, self.source.no_code
        out: list[stmt] = []
        completes = True
        dead_raise: Watch | None = None
        tail, is_tail = exits.tail, exceptions.is_tail
        last = last_with_code(body, no_code, self.phantoms)
        for node in body:
            if node is self._next_piece:
                self._leave_for_next_piece(meanings, known_line, chain)
                meanings = []
                break
            exits.tail, exceptions.is_tail = (tail, is_tail) if node is last else (None, False)
            kind = type(node)
            if kind in no_code and node not in self.phantoms:
                out.append(node)
                continue
            line = first_line(node)
            is_shared_jump = kind in JUMPS and with_branches and (is_owned or node is not body[-1])
            chain = self._report_start(node, meanings, chain, line != known_line, is_shared_jump, out)
            handler = self._handlers.get(kind)
            if handler is not None:
                start = len(out)
                completes, meanings = handler(self, node, chain, out)
                if is_region and node is last and exceptions.watched:
                    out[start:] = [self.forms.watched(out[start:], exceptions.watched)]
                known_line = node.lineno if kind in DEFINITIONS else 0
            else:
                meanings = []
                if kind in JUMPS:
                    if kind is Raise and not completes and with_branches and not is_owned:
                        dead_raise = exceptions.watch_dead_raise(node, body) or dead_raise
                    completes = False
                    if chain >= 0 and with_branches:
                        exits.add_jump(node, chain, is_owned or line == known_line or node is not body[-1], out)
                    exits.keep_jump(node, out)
                out.append(node)
                known_line = line
            chain = self._chain_after(node, kind, chain, out)
            if self._lambdas and node in self._lambdas:
                self._add_lambdas(self._lambdas[node])
        exits.tail, exceptions.is_tail = tail, is_tail
        if meanings:
            out.append(exits.probe(body[-1], meanings))
        body[:] = out if dead_raise is None else [self.forms.watched(out, [dead_raise])]
        return completes

    def _report_start(
        self,
        node: "Any",
        meanings: "list[Meaning]",
        chain: int,
        is_new_line: bool,
        is_shared_jump: bool,
        out: list[stmt],
    ) -> int:
        """Report a statement's start: by a probe before it, or by `chain`, the probe that implies it.

        Returns the probe that implies the statement's end, if it can't raise. `is_shared_jump`: it is a jump that
        shares its line with other ways out, and what comes before it may raise.
        """
        forms = self.forms
        if meanings or (is_new_line and chain < 0):
            meanings.append((LINE, node))
            chain = forms.count
            at = node if first_line(node) == node.lineno else node.decorator_list[0]
            out.append(forms.probe(at, meanings))
        elif chain >= 0:
            forms.report(chain, [(LINE, node)])
        elif is_shared_jump:
            chain = forms.count
            out.append(forms.probe(node, [(LINE, node)]))
        return chain

    def _chain_after(self, node: "Any", kind: type, chain: int, out: list[stmt]) -> int:
        """Return the probe that implies the start of the statement after this one, or -1."""
        if self.source.with_branches and kind in _MAY_YIELD and type(node.value) in (Yield, YieldFrom):
            # If it is resumed in another context, it counts there as well: the next arc begins on its line.
            chain = self.forms.count
            out.append(self.forms.probe(node, [(LINE, node)]))
            return chain
        return chain if cannot_raise(node) else -1

    def _add_lambdas(self, lambdas: "list[Lambda]") -> None:
        """Add probes for calls of the lambdas in a statement of the module."""
        for node in lambdas:
            node.body = self.forms.probe_before(node.body, [(LINE, node)])

    def _leave_for_next_piece(self, meanings: "list[Meaning]", known_line: int, chain: int) -> None:
        """Keep where the next piece continues.

        `meanings` are of this piece's nodes, for the first probe there as well.
        """
        if meanings:
            self.forms.report(self.forms.count, meanings)
            known_line, chain = 0, -1
        self._resumed = known_line, chain
