"""Statements that unwind exceptions: `try` and `with`.

`Handler` in blocks.py says what the functions take and return.
"""

from _ast import AsyncWith, Try, TryStar, With

from footfall.own_builtins import keep_builtins
from footfall.probes.except_star_exits import StarExits
from footfall.probes.finally_exits import Final, is_left_by_branch
from footfall.probes.meanings import ENDED, EXCEPTION, LINE, PHANTOM, RAISED
from footfall.probes.phantom_lines import PhantomClause, choose_clause
from footfall.probes.syntax import JUMPS

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import ExceptHandler, stmt
    from collections.abc import Callable

    from footfall.probes.forms import Meaning
    from footfall.probes.plan.blocks import Blocks

    Walked = tuple[bool, list[Meaning]]
    Walk = Callable[..., bool]
    """`Blocks.block` or `Blocks.region`."""

__all__ = ["walk_try", "walk_with"]


def walk_with(blocks: "Blocks", node: "With | AsyncWith", entry: int, out: "list[stmt]") -> "Walked":
    exits, forms = blocks.exits, blocks.forms
    tail, phantom_clause = exits.tail, exits.phantom_clause
    exits.tail = exits.phantom_clause = None
    completes = blocks.region(node.body, [], known_line=node.lineno)
    if completes and type(node) is AsyncWith and node in blocks.phantoms:
        node.body.append(forms.probe(node.body[-1], [(PHANTOM, node)]))
    exits.tail, exits.phantom_clause = tail, phantom_clause
    out.append(node)
    if completes and type(node) is With and node in blocks.phantoms:
        out.append(forms.probe(node, [(PHANTOM, node)]))
    return True, []  # it may swallow an exception


def walk_try(blocks: "Blocks", node: "Try | TryStar", entry: int, out: "list[stmt]") -> "Walked":
    if node.finalbody:
        return _walk_with_finally(blocks, node, entry, out), []
    exits = blocks.exits
    tail, phantom_clause = exits.tail, exits.phantom_clause
    is_passed = _is_passed_unmatched(blocks, node)
    completes = _walk_body(blocks, node, entry, blocks.block)
    star: StarExits | None = None
    if isinstance(node, TryStar):
        star_completes, star = _walk_star_clauses(blocks, node, phantom_clause)
        completes = star_completes or completes
    else:
        exits.phantom_clause = phantom_clause
        completes = _walk_clauses(blocks, node, blocks.block) or completes
    exits.phantom_clause = phantom_clause
    if node.orelse:
        blocks.block(node.orelse, [])
    exits.tail = tail
    if is_passed:
        _add_unmatched(blocks, node)
    if star is None:
        out.append(node)
    else:
        out.append(star.surround(node, exits.is_in_function, exits.probe, exits.exception_probe))
    return completes, []


def _walk_with_finally(blocks: "Blocks", node: "Try | TryStar", entry: int, out: "list[stmt]") -> bool:
    exits = blocks.exits
    tail, phantom_clause, n_jumps = exits.tail, exits.phantom_clause, exits.n_jumps
    final: Final | None = None
    has_phantom = node in blocks.phantoms and blocks.exceptions.has_room
    if has_phantom or (blocks.source.with_branches and is_left_by_branch(node.finalbody)):
        final = Final(exits.new_name(), len(exits.has_break), tail, has_phantom)
        exits.finals.append(final)
    exits.tail = None  # the `finally` comes first
    is_passed = _is_passed_unmatched(blocks, node)
    completes = _walk_body(blocks, node, entry, blocks.region)
    completes = _walk_clauses(blocks, node, blocks.region) or completes
    if node.orelse:
        blocks.region(node.orelse, [])
    if is_passed:
        _add_unmatched(blocks, node)
    is_left_by_jump = exits.n_jumps > n_jumps
    if final is not None:
        exits.finals.pop()
        final.keep_reasons(node, out)
    exits.tail = tail if final is None else final
    own_clause = PhantomClause(final, [], phantom_clause) if final is not None and has_phantom else None
    exits.phantom_clause = own_clause or phantom_clause
    completes = (
        blocks.region(node.finalbody, [], loop_tail=exits.loop_tails[-1], is_caught=exits.is_caught) and completes
    )
    exits.phantom_clause, exits.tail = phantom_clause, tail
    if own_clause is not None:
        _add_phantom_line(blocks, node, own_clause)
    if is_left_by_jump:
        for around in exits.finals:
            node.finalbody = around.suspend(node.finalbody, exits.new_name(), exits.is_in_function)
    if final is not None and not exits.is_in_function:
        node.finalbody.append(final.forget(node.finalbody[-1]))
    out.append(node)
    return completes


def _walk_body(blocks: "Blocks", node: "Try | TryStar", entry: int, walk: "Walk") -> bool:
    """Walk what is between `try` and the first clause, with `walk` if no `except` follows."""
    exits, exceptions = blocks.exits, blocks.exceptions
    tail, is_tail, is_caught = exits.tail, exceptions.is_tail, exits.is_caught
    exceptions.is_tail = False
    exits.phantom_clause = None
    exits.is_caught = is_caught or bool(node.handlers)
    if node.orelse:
        exits.tail = None  # it comes next
    completes = (blocks.block if node.handlers else walk)(node.body, [], known_line=node.lineno, chain=entry)
    exits.tail, exceptions.is_tail, exits.is_caught = tail, is_tail, is_caught
    return completes


def _walk_clauses(blocks: "Blocks", node: "Try | TryStar", walk: "Walk") -> bool:
    completes = False
    for clause in node.handlers:
        completes = _walk_clause(blocks, clause, walk) or completes
    return completes


def _walk_star_clauses(
    blocks: "Blocks", node: TryStar, phantom_clause: PhantomClause | None
) -> "tuple[bool, StarExits | None]":
    """Walk `except*` clauses. If there are probes for branches, also return what keeps how the last clause was left."""
    exits = blocks.exits
    *clauses, last = node.handlers
    tail = exits.tail
    exits.tail = None
    completes = False
    for clause in clauses:
        completes = _walk_clause(blocks, clause, blocks.region) or completes
    if not blocks.source.with_branches:
        return _walk_clause(blocks, last, blocks.region) or completes, None
    if phantom_clause is not None:
        exits.phantom_clause = PhantomClause(phantom_clause.final, None, phantom_clause.around)
    exits.tail = star = StarExits(exits.new_name())
    ends_with_jump = blocks.source.is_on_header_line(last.body) and any(type(inner) in JUMPS for inner in last.body)
    completes = _walk_clause(blocks, last, blocks.region) or completes
    if ends_with_jump:
        # The way out passes the clause's line, which matters if its body ends with a jump.
        assert last.type is not None
        last.type = star.keep_before(last.type, [(ENDED, last)])
    if node in blocks.phantoms:
        star.keep_phantom(node, [(PHANTOM, node)])
    exits.tail = tail
    return completes, star


def _walk_clause(blocks: "Blocks", clause: "ExceptHandler", walk: "Walk") -> bool:
    meanings: list[Meaning] = [(LINE, clause)]
    if clause.type is not None:
        clause.type = blocks.forms.probe_before(clause.type, meanings)
        meanings = []
    return walk(clause.body, meanings, known_line=clause.lineno)


def _is_passed_unmatched(blocks: "Blocks", node: "Try | TryStar") -> bool:
    """Return whether to watch exceptions that no clause matches. Called before the walk, which changes the clauses.

    They leave from the last clause's line, which has several ways out if statements on it are behind a jump.
    """
    last = node.handlers[-1] if node.handlers and type(node) is Try and blocks.source.with_branches else None
    return (
        last is not None
        and last.type is not None
        and blocks.source.is_on_header_line(last.body)
        and any(type(inner) in JUMPS for inner in last.body[:-1])
    )


def _add_unmatched(blocks: "Blocks", node: "Try | TryStar") -> None:
    """Watch exceptions that no clause matches."""
    last = node.handlers[-1]
    probe = blocks.exits.raise_probe(last, [(RAISED, last)])
    node.handlers.append(blocks.forms.unmatched(last, probe))


def _add_phantom_line(blocks: "Blocks", node: "Try | TryStar", clause: PhantomClause) -> None:
    """Watch both ways out of the `finally` clause of `node` when an exception entered it."""
    exits, forms = blocks.exits, blocks.forms
    body, final = node.finalbody, clause.final
    at = body[-1]
    on_error: list[stmt] = [exits.raise_probe(at, [(PHANTOM, node)])]
    watched = clause.watched or []
    on_error += [forms.watch(at, watches[0]) for watches in watched]
    around = clause.chain()[1:]
    otherwise = [choose_clause(around, at, [forms.watch(at, each) for each in watches[1:]]) for watches in watched]
    ends = [final.when(at, EXCEPTION, on_error, otherwise)]
    if not exits.is_in_function:
        ends.append(final.forget(at))
    on_end = [final.when(at, EXCEPTION, [exits.raise_probe(at, [(PHANTOM, node)])], [])]
    node.finalbody = [forms.guarded(body, ends, on_end)]
