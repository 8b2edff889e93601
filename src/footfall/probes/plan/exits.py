"""The ways out of the statement being walked: where its end leads, and the jumps in it.

Where an end leads is known, except for a `finally` clause or the last `except*` clause: these are left from one line
for several reasons, which a local of the program's frame keeps (finally_exits.py, except_star_exits.py).
"""

from _ast import AST, Break, Constant, Name, Raise, Return, stmt

from footfall.own_builtins import keep_builtins
from footfall.probes.except_star_exits import StarExits
from footfall.probes.finally_exits import note_jump
from footfall.probes.meanings import AFTER_PHANTOM, EXCEPTION, JUMPED, NORMAL, add_reason, after_phantom
from footfall.probes.phantom_lines import PhantomClause, choose_clause

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from footfall.probes.finally_exits import Final
    from footfall.probes.forms import Forms, Meaning

    Tail = Final | StarExits | None
    """The clause that is left when a statement completes, None if its end leads to one place."""
    State = tuple[list[bool], list[Final], Tail, bool, PhantomClause | None]

__all__ = ["Exits"]

_SAFE_VALUES = (type(None), Constant, Name)


class Exits:
    """What surrounds the statement being walked, as far as it tells where the statement leads."""

    __slots__ = (
        "_n_names",
        "_forms",
        "finals",
        "has_break",
        "is_caught",
        "is_in_function",
        "loop_tails",
        "n_jumps",
        "phantom_clause",
        "tail",
    )

    def __init__(self, forms: "Forms") -> None:
        self._forms = forms
        self._n_names = 0
        self.tail: Tail = None
        self.loop_tails: list[Tail] = [None]
        """For each loop around, what a `break` ends."""
        self.has_break: list[bool] = []
        """For each loop around, whether a `break` was met."""
        self.finals: list[Final] = []
        """The `try` statements around that keep a reason."""
        self.n_jumps = 0
        """The number of jumps met that leave a `try` of `finals`."""
        self.is_caught = False
        """Whether an exception leads elsewhere than a `return`: to an `except`."""
        self.is_in_function = False
        self.phantom_clause: PhantomClause | None = None
        """The `finally` with a phantom line behind it that an exception in the statement would leave next."""

    def enter_definition(self, is_function: bool) -> "State":
        """Forget what is around: nothing leads out of a definition's body.

        Return the argument for `leave_definition`.
        """
        outside = self.has_break, self.finals, self.tail, self.is_in_function, self.phantom_clause
        self.has_break = []
        self.finals = []
        self.tail = None
        self.is_in_function = is_function
        self.phantom_clause = None
        return outside

    def leave_definition(self, outside: "State") -> None:
        """See `enter_definition`."""
        self.has_break, self.finals, self.tail, self.is_in_function, self.phantom_clause = outside

    def new_name(self) -> int:
        """Return a number that no other local of ours has."""
        self._n_names += 1
        return self._n_names

    def probe(self, at: AST, meanings: "list[Meaning]") -> stmt:
        """Return a probe on the way out of a block; one for each reason, if a `finally` ends with the block."""
        return self._probe_at(self.tail, at, meanings, 0)

    def _probe_at(self, tail: "Tail", at: AST, meanings: "list[Meaning]", level: int) -> stmt:
        if tail is None:
            return self._forms.probe(at, meanings)
        if isinstance(tail, StarExits):
            return tail.keep(at, meanings)
        exits = []
        for reason in tail.reasons:
            if reason == NORMAL:
                exits.append((reason, self._probe_at(tail.around, at, meanings, level + 1)))
            elif reason == EXCEPTION and level == 0 and not tail.has_phantom:
                exits.append((reason, self.raise_probe(at, meanings, reason)))
            else:
                reported = AFTER_PHANTOM if reason == EXCEPTION and tail.has_phantom else reason
                exits.append((reason, self._forms.probe(at, add_reason(meanings, reported, level))))
        return tail.choose(at, exits)

    def raise_probe(self, at: AST, meanings: "list[Meaning]", reason: int = NORMAL) -> stmt:
        """Return a probe on the way of an exception, valid for `reason`; one for each line to which it leads."""
        probe = self._forms.probe(at, add_reason(meanings, reason))
        if self.phantom_clause is None:
            return probe
        clauses = self.phantom_clause.chain()
        probes = [self._forms.probe(at, after_phantom(meanings, level)) for level in range(len(clauses))]
        return choose_clause(clauses, at, [*probes, probe])

    def exception_probe(self, at: AST, meanings: "list[Meaning]") -> stmt:
        """Return a probe on the way of an exception that is raised again, valid for that reason alone."""
        return self.raise_probe(at, meanings, EXCEPTION)

    def add_jump(self, node: "Any", chain: int, shares_line: bool, out: list[stmt]) -> None:
        """Report the jump that follows in `out`, by a probe of its own if it may lead to several lines.

        `chain` is the probe that implies that the jump is reached. `shares_line`: its line has other ways out.
        """
        kind = type(node)
        if kind is Break and self.loop_tails[-1] is not None:
            self.tail = self.loop_tails[-1]
            out.append(self.probe(node, [(JUMPED, node)]))
        elif kind is Raise and self.phantom_clause is not None:
            out.append(self.raise_probe(node, [(JUMPED, node)]))
        else:
            if shares_line and self.is_caught and kind is Return and not isinstance(node.value, _SAFE_VALUES):
                # It is a jump only once its value is there: failing to get the value leads elsewhere.
                chain = self._forms.count
                node.value = self._forms.after(node.value)
            self._forms.report(chain, [(JUMPED, node)])

    def keep_jump(self, node: "Any", out: list[stmt]) -> None:
        """Make the `try` statements and loops around aware of the jump that follows in `out`."""
        if self.finals:
            self.n_jumps += note_jump(self.finals, node, len(self.has_break), out)
        if type(node) is Break and self.has_break:
            self.has_break[-1] = True
