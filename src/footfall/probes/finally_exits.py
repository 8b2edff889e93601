"""Why a `finally` clause was entered, kept in a local of the program's frame, for the branches that end the clause.

If the clause ends with a branch (`if` without `else`, a loop), the line that follows depends on that reason. The reason
is kept only there. No program can name the local, since names can't contain dots.
"""

from _ast import (
    AST,
    Assign,
    AsyncFor,
    AsyncFunctionDef,
    Break,
    ClassDef,
    Compare,
    Constant,
    Continue,
    Del,
    Delete,
    Eq,
    For,
    FunctionDef,
    If,
    Load,
    Match,
    Name,
    Return,
    Store,
    Try,
    TryStar,
    While,
    stmt,
)

from footfall.own_builtins import keep_builtins
from footfall.probes.forms import position_of
from footfall.probes.meanings import BREAK, CONTINUE, EXCEPTION, NORMAL, RETURN
from footfall.probes.syntax import JUMPS

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from footfall.probes.except_star_exits import StarExits

__all__ = ["Final", "is_left_by_branch", "note_jump"]

_JUMPS = {Return: RETURN, Break: BREAK, Continue: CONTINUE}
# A definition on one line is also a line with two ways out: to its own end, and to what follows.
_BRANCHES = (If, For, AsyncFor, While, Match, FunctionDef, AsyncFunctionDef, ClassDef)
_EQ = Eq()
_LOAD = Load()
_STORE = Store()


def is_left_by_branch(body: list[stmt]) -> bool:
    """Return whether the block may be left from a line that has other ways out."""
    last: Any = body[-1]
    if type(last) in (Try, TryStar):
        if type(last) is TryStar and any(type(inner) in JUMPS for inner in last.handlers[-1].body):
            return True  # if all of the clause is on its own line, the way out passes that line
        blocks = [last.body, last.orelse, last.finalbody, *(handler.body for handler in last.handlers)]
        return any(block and is_left_by_branch(block) for block in blocks)
    return type(last) in _BRANCHES


def note_jump(finals: "list[Final]", node: stmt, loop_depth: int, out: list[stmt]) -> bool:
    """Append, before a jump, what keeps the reason in each `try` that the jump leaves; return whether there is any."""
    reason = _JUMPS.get(type(node))
    if reason is None:
        return False
    left = [final for final in finals if reason == RETURN or final.loop_depth == loop_depth]
    if not left:
        return False
    if type(node) is Return and node.value is not None and type(node.value) is not Constant:
        # The value comes first: if it raises, there is no return.
        position = position_of(node.value)
        out.append(Assign([Name(left[0].value_name, _STORE, **position)], node.value, **position_of(node)))
        node.value = Name(left[0].value_name, _LOAD, **position)
    for final in left:
        if reason not in final.reasons:
            final.reasons.append(reason)
        out.append(final.keep(node, reason))
    return True


class Final:
    """The reason of one `try` with a `finally`, and the reasons that occur.

    `around` is the reason of the clause which ends with this statement, if any: leaving this one normally leaves that
    one as well. `has_phantom` says that a phantom line is reported behind the clause after an exception.
    """

    __slots__ = ("_name", "around", "has_phantom", "loop_depth", "reasons", "value_name")

    def __init__(self, number: int, loop_depth: int, around: "Final | StarExits | None", has_phantom: bool) -> None:
        self.around = around
        self.has_phantom = has_phantom
        self._name = f".ff{number}"
        self.value_name = f".fv{number}"
        self.loop_depth = loop_depth
        self.reasons = [NORMAL, EXCEPTION]

    def keep(self, at: AST, reason: int) -> stmt:
        """Return the statement that sets the reason."""
        position = position_of(at)
        return Assign([Name(self._name, _STORE, **position)], Constant(reason, **position), **position)

    def keep_reasons(self, node: "Try | TryStar", out: list[stmt]) -> None:
        """Set the reason to an exception until the statement's parts have completed."""
        out.append(self.keep(node, EXCEPTION))
        for block in [node.orelse or node.body, *(handler.body for handler in node.handlers)]:
            block.append(self.keep(block[-1], NORMAL))

    def suspend(self, body: list[stmt], number: int, is_in_function: bool) -> list[stmt]:
        """Return a `finally` clause inside this `try` that a jump runs on its way out.

        While it runs, the reason is an exception: an exception that leaves the clause replaces the jump, and so does a
        `break` or `continue` that ends within this statement.
        """
        kept = f".fk{number}"
        first, last = position_of(body[0]), position_of(body[-1])
        found = [
            Assign([Name(kept, _STORE, **first)], Name(self._name, _LOAD, **first), **first),
            self.keep(body[0], EXCEPTION),
            *body,
            Assign([Name(self._name, _STORE, **last)], Name(kept, _LOAD, **last), **last),
        ]
        if not is_in_function:
            found.append(Delete([Name(kept, Del(), **last)], **last))
        return found

    def choose(self, at: AST, by_reason: "list[tuple[int, stmt]]") -> stmt:
        """Return the statement that runs what is given for the reason kept; the last one is for any other reason."""
        chosen = by_reason[-1][1]
        for reason, statement in reversed(by_reason[:-1]):
            chosen = self.when(at, reason, [statement], [chosen])
        return chosen

    def when(self, at: AST, reason: int, statements: list[stmt], otherwise: list[stmt]) -> stmt:
        """Return the statement that runs `statements` or `otherwise`, depending on the reason kept."""
        position = position_of(at)
        test = Compare(Name(self._name, _LOAD, **position), [_EQ], [Constant(reason, **position)], **position)
        return If(test, statements, otherwise, **position)

    def forget(self, at: AST) -> stmt:
        """Return the statement that deletes the name from a module's or class's namespace."""
        position = position_of(at)
        return Delete([Name(self._name, Del(), **position)], **position)
