"""Exceptions that leave a line by a way that it also has otherwise, such as the end of an `if` or a `return` there.

Most exceptions need no probe: it is enough to know that a line was reached and nothing behind it. But if a line has
several ways out and an exception takes one of them, an `except` around it sees the exception and the line it comes
from.
"""

from _ast import Raise, Return, match_case, stmt

from footfall.own_builtins import keep_builtins
from footfall.probes.meanings import RAISED, after_phantom
from footfall.probes.syntax import JUMPS, first_line

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from footfall.probes.forms import Forms, Meaning
    from footfall.probes.plan.exits import Exits
    from footfall.probes.syntax import Source

    Watch = tuple[int, int, int]
    """A probe's number, and the first and last line of the file from which an exception makes it fire."""

__all__ = ["Exceptions"]

_MAX_REGIONS = 6
"""How many nested blocks in one function are watched for exceptions: the compiler allows 20, ours included."""


class Exceptions:
    """What is watched in the innermost region.

    A region is a block that an exception leaves for the same line as its end: a function's, that of a `with` statement,
    one before a `finally`. `is_tail` says whether the statement being walked ends the region.
    """

    __slots__ = ("_exits", "_n_regions", "_forms", "_source", "is_tail", "watched")

    def __init__(self, source: "Source", forms: "Forms", exits: "Exits") -> None:
        self._source = source
        self._forms = forms
        self._exits = exits
        self._n_regions = 0
        self.is_tail = False
        self.watched: list[Watch] = []

    @property
    def has_room(self) -> bool:
        """Whether another block may be watched in this function."""
        return self._n_regions < _MAX_REGIONS

    def enter_definition(self) -> int:
        """Count regions anew. Return the argument for `leave_definition`."""
        outside = self._n_regions
        self._n_regions = 0
        return outside

    def leave_definition(self, outside: int) -> None:
        """See `enter_definition`."""
        self._n_regions = outside

    def enter_region(self) -> "tuple[bool, list[Watch]]":
        """Return the argument for `leave_region`."""
        outside = self.is_tail, self.watched
        self.watched = []
        self._n_regions += 1
        self.is_tail = self._source.with_branches and self._n_regions <= _MAX_REGIONS
        return outside

    def leave_region(self, outside: "tuple[bool, list[Watch]]") -> None:
        """See `enter_region`."""
        self._n_regions -= 1
        self.is_tail, self.watched = outside

    def watch_header(self, node: "Any", body: list[stmt], is_left: bool, watched: "list[Watch]") -> None:
        """Watch exceptions on the line of the node that owns `body`, if they leave it like something else there.

        `is_left` says that control may continue from that line. `watched` are those to watch around the node alone.
        """
        if not self._source.with_branches:
            return
        clause = self._exits.phantom_clause
        if clause is not None and clause.watched is not None:
            watches = [self._watch(node, body, level) for level in range(len(clause.chain()))]
            clause.watched.append([*watches, self._watch(node, body)])
            return
        if self.is_tail and is_left:
            self.watched.append(self._watch(node, body))
        # An exception on the line, if the body on that line may also leave like one.
        if any(type(inner) in (Raise, Return) for inner in body) and self._source.is_on_header_line(body):
            watched.append(self._watch(node, body))

    def _watch(self, node: "Any", body: list[stmt], phantom_level: int | None = None) -> "Watch":
        """Return a new probe for exceptions on the line of the node, and which lines of the file these are.

        They meet the phantom line of the clause that is `phantom_level` levels around the innermost one with a phantom
        line, or none.
        """
        meanings: list[Meaning] = [(RAISED, node)]
        number = self._forms.take_number(meanings if phantom_level is None else after_phantom(meanings, phantom_level))
        at = node.pattern if type(node) is match_case else node
        last = body[-1].end_lineno if self._source.is_on_header_line(body) else first_line(body[0]) - 1
        return number, at.lineno, max(at.lineno, last or 0)

    def watch_dead_raise(self, node: Raise, body: list[stmt]) -> "Watch | None":
        """Watch exceptions on the line of a `raise` behind a jump on that line: they go the way that only it has."""
        at = body.index(node)
        first = at
        while first and body[first - 1].end_lineno == body[first].lineno:
            first -= 1
        if not any(type(before) in JUMPS for before in body[first:at]):
            return None
        return self._forms.take_number([(RAISED, node)]), body[first].lineno, node.lineno
