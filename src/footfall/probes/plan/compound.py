"""Statements with bodies that only branch: `if`, loops, `match`, and definitions.

Branches: if a line has several ways out, each gets a probe, or shares that of the statement it leads to if nothing else
leads there. `Handler` in blocks.py says what the functions take and return.
"""

from _ast import Attribute, ClassDef, Constant, Expr, If, Name, Yield, YieldFrom

from footfall.own_builtins import keep_builtins
from footfall.probes.meanings import CASE_FAILED, DEFINED, EXITED, HEADER_LINE, LEFT, LINE, PHANTOM
from footfall.probes.syntax import is_irrefutable

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import AsyncFor, AsyncFunctionDef, For, FunctionDef, Match, While, match_case, stmt

    from footfall.probes.forms import Meaning
    from footfall.probes.plan.blocks import Blocks
    from footfall.probes.plan.exceptions import Watch

    Walked = tuple[bool, list[Meaning]]

__all__ = ["walk_definition", "walk_if", "walk_loop", "walk_match"]


def walk_definition(
    blocks: "Blocks", node: "FunctionDef | AsyncFunctionDef | ClassDef", entry: int, out: "list[stmt]"
) -> "Walked":
    forms, source = blocks.forms, blocks.source
    decorators = node.decorator_list
    number = entry
    for index, decorator in enumerate(decorators):
        if type(decorator) not in (Name, Attribute):  # those count as evaluated when they are reached
            number = forms.count
            decorators[index] = forms.after(decorator)
        is_last = index + 1 == len(decorators)
        forms.report(number, [(HEADER_LINE, node) if is_last else (LINE, decorators[index + 1])])
    is_one_line = source.with_branches and source.is_on_header_line(node.body)
    meanings: list[Meaning] = [(EXITED, node)] if is_one_line else []
    if not meanings and type(node) is not ClassDef and source.has_no_lines(node.body):
        meanings = [(LINE, node)]  # its calls return from there
    last = node.body[-1]
    may_be_closed = is_one_line and type(last) is Expr and type(last.value) in (Yield, YieldFrom)
    blocks.definition(node.body, [] if may_be_closed else meanings, type(node) is not ClassDef)
    if may_be_closed:
        node.body.append(forms.probe(last, meanings))
    out.append(node)
    meanings = [(DEFINED, node)] if is_one_line else []
    if meanings and getattr(node, "type_params", None):
        meanings.append((EXITED, node))  # the scope of type parameters is a code object of its own, run and left here
    return True, meanings


def walk_if(blocks: "Blocks", node: If, entry: int, out: "list[stmt]") -> "Walked":
    source, exits, forms = blocks.source, blocks.exits, blocks.forms
    top = node
    watched: list[Watch] = []
    completes = False
    meanings: list[Meaning] = []
    while True:
        orelse = node.orelse
        is_left = not orelse or source.is_on_header_line(node.body)
        blocks.exceptions.watch_header(node, node.body, is_left, watched)
        completes = blocks.body(node, node.body) or completes
        meanings = [(LEFT, node)] if source.with_branches else []
        if not orelse:
            if completes and meanings:
                orelse.append(exits.probe(node, meanings))
                meanings = []
            completes = True
            break
        if len(orelse) != 1 or type(orelse[0]) is not If:
            completes = blocks.block(orelse, meanings) or completes
            meanings = []
            break
        # An `elif`: looping here keeps long chains off the stack.
        following = orelse[0]
        meanings.append((LINE, following))
        orelse.insert(0, forms.probe(following, meanings))
        node = following
    out.append(forms.watched([top], watched) if watched else top)
    if top in blocks.phantoms:
        out.append(forms.probe(top, [(PHANTOM, top)]))
    return completes, meanings


def walk_loop(blocks: "Blocks", node: "For | AsyncFor | While", entry: int, out: "list[stmt]") -> "Walked":
    exits, exceptions = blocks.exits, blocks.exceptions
    watched: list[Watch] = []
    exceptions.watch_header(node, node.body, not node.orelse, watched)
    tail, is_tail = exits.tail, exceptions.is_tail
    exits.tail = None
    exceptions.is_tail = False
    exits.has_break.append(False)
    exits.loop_tails.append(tail)
    blocks.body(node, node.body)
    exits.loop_tails.pop()
    has_break = exits.has_break.pop()
    exits.tail, exceptions.is_tail = tail, is_tail
    meanings: list[Meaning] = [(LEFT, node)] if blocks.source.with_branches else []
    out.append(blocks.forms.watched([node], watched) if watched else node)
    if node.orelse:
        return blocks.block(node.orelse, meanings) or has_break, []
    if has_break and meanings:
        node.orelse.append(exits.probe(node, meanings))
        meanings = []
    return True, meanings


def walk_match(blocks: "Blocks", node: "Match", entry: int, out: "list[stmt]") -> "Walked":
    forms, source = blocks.forms, blocks.source
    cases: list[match_case] = []
    watched: list[Watch] = []
    completes = False
    before: match_case | None = None
    for case in node.cases:
        meanings: list[Meaning] = [(LINE, case.pattern)]
        if before is not None:
            meanings.append((CASE_FAILED, before))
        if before is not None or type(node.subject) not in (Name, Constant):
            forms.report(forms.count, meanings)
            cases.append(forms.case(case.pattern))
        else:
            forms.report(entry, meanings)
        cases.append(case)
        is_left = case is node.cases[-1] and not is_irrefutable(case)
        blocks.exceptions.watch_header(case, case.body, is_left or source.is_on_header_line(case.body), watched)
        completes = _walk_case_body(blocks, case) or completes
        before = case
    node.cases = cases
    out.append(forms.watched([node], watched) if watched else node)
    if before is None or is_irrefutable(before):
        return completes, []
    meanings = [(LEFT, before)] if source.with_branches else []
    if completes and meanings:
        cases.append(forms.last_case(before.pattern, blocks.exits.probe(before.pattern, meanings)))
        meanings = []
    return True, meanings


def _walk_case_body(blocks: "Blocks", case: "match_case") -> bool:
    if case not in blocks.phantoms:
        return blocks.body(case, case.body)
    exits = blocks.exits
    tail = exits.tail
    exits.tail = None  # the phantom line comes first
    completes = blocks.body(case, case.body)
    exits.tail = tail
    if completes:
        case.body.append(exits.probe(case.body[-1], [(PHANTOM, case)]))
    return completes
