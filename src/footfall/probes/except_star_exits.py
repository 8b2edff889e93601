"""How the last `except*` clause was left, for the branches that end it.

An exception that no clause matched is raised again behind the last clause, so when that clause ends it is not known
whether control continues there. A local of the program's frame keeps which branch was last, and probes around the whole
statement see both ways out. No program can name the local, since names can't contain dots.
"""

from _ast import (
    AST,
    Assign,
    Compare,
    Constant,
    Del,
    Delete,
    Eq,
    ExceptHandler,
    If,
    Load,
    Name,
    NamedExpr,
    Raise,
    Store,
    Subscript,
    Try,
    TryStar,
    Tuple,
    expr,
    stmt,
)

from footfall.own_builtins import keep_builtins
from footfall.probes.forms import position_of

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from footfall.probes.forms import Meaning

__all__ = ["StarExits"]

_EQ = Eq()
_LOAD = Load()
_STORE = Store()


class StarExits:
    """The branches that leave the last clause of one `try`; their numbers count from 1."""

    __slots__ = ("_exits", "_name", "_phantom_meanings")

    def __init__(self, number: int) -> None:
        self._name = f".fs{number}"
        self._exits: list[tuple[AST, list[Meaning]]] = []
        self._phantom_meanings: list[Meaning] = []

    def keep(self, at: AST, meanings: "list[Meaning]") -> stmt:
        """Return the statement that remembers this way out."""
        self._exits.append((at, meanings))
        position = position_of(at)
        return Assign([Name(self._name, _STORE, **position)], Constant(len(self._exits), **position), **position)

    def keep_before(self, value: expr, meanings: "list[Meaning]") -> expr:
        """Return an expression that remembers the way out and then is `value`."""
        self._exits.append((value, meanings))
        position = position_of(value)
        number = Constant(len(self._exits), **position)
        pair = Tuple([NamedExpr(Name(self._name, _STORE, **position), number, **position), value], _LOAD, **position)
        return Subscript(pair, Constant(1, **position), _LOAD, **position)

    def keep_phantom(self, node: "Try | TryStar", meanings: "list[Meaning]") -> None:
        """Report `meanings` with each way on once there was an exception, even if no clause ran."""
        first = node.handlers[0]
        assert first.type is not None
        first.type = self.keep_before(first.type, [])
        self._phantom_meanings = meanings

    def surround(
        self,
        node: stmt,
        is_in_function: bool,
        left: "Callable[[AST, list[Meaning]], stmt]",
        raised: "Callable[[AST, list[Meaning]], stmt]",
    ) -> stmt:
        """Return the statement with probes made by `left` and `raised` for the ways out that were remembered."""
        if not self._exits:
            return node
        position = position_of(node)
        start = Assign([Name(self._name, _STORE, **position)], Constant(0, **position), **position)
        numbered = list(enumerate(self._exits, 1))
        on_raise = [self._when(number, raised(at, meanings)) for number, (at, meanings) in numbered if meanings]
        on_end = [
            self._when(number, left(at, meanings + self._phantom_meanings)) for number, (at, meanings) in numbered
        ]
        handler = ExceptHandler(None, None, [*on_raise, Raise(**position)], **position)
        forget: list[stmt] = []
        if not is_in_function:  # the name is in a module's or class's namespace
            forget = [Delete([Name(self._name, Del(), **position)], **position)]
        return Try([start, node], [handler], on_end, forget, **position)

    def _when(self, number: int, probe: stmt) -> stmt:
        position = position_of(probe)
        test = Compare(Name(self._name, _LOAD, **position), [_EQ], [Constant(number, **position)], **position)
        return If(test, [probe], [], **position)
