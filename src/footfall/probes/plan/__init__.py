"""Where probes go: one walk over a module's statements that inserts and numbers them.

The measured process runs it to instrument; `analyze/probes/arcs.py` runs it again over the same source and receives
what each number means. So the numbering depends on nothing but the source and the mode.

The walk: `blocks.py` handles straight lists of statements, `compound.py` and `unwinding.py` statements with bodies.
They ask `exits.py` where control goes, and `exceptions.py` which lines to watch. `../forms.py` makes the probes.
"""

from _ast import (
    AST,
    AsyncFor,
    AsyncFunctionDef,
    AsyncWith,
    ClassDef,
    For,
    FunctionDef,
    If,
    ImportFrom,
    Lambda,
    Match,
    Module,
    Pass,
    Try,
    TryStar,
    While,
    With,
    stmt,
)

from footfall.own_builtins import keep_builtins
from footfall.probes.forms import Forms, header_text
from footfall.probes.lambdas import find_lambdas
from footfall.probes.meanings import LINE
from footfall.probes.plan.blocks import Blocks
from footfall.probes.plan.compound import walk_definition, walk_if, walk_loop, walk_match
from footfall.probes.plan.unwinding import walk_try, walk_with
from footfall.probes.syntax import DEFINITIONS, Source, is_docstring

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from footfall.probes.forms import Receiver
    from footfall.probes.plan.blocks import Handler

__all__ = ["insert_probes", "walk_pieces", "write_header"]

_HANDLERS: "dict[type, Handler]" = {
    FunctionDef: walk_definition,
    AsyncFunctionDef: walk_definition,
    ClassDef: walk_definition,
    If: walk_if,
    For: walk_loop,
    AsyncFor: walk_loop,
    While: walk_loop,
    Try: walk_try,
    TryStar: walk_try,
    With: walk_with,
    AsyncWith: walk_with,
    Match: walk_match,
}


def insert_probes(
    tree: Module,
    lines: list[bytes],
    mode: int,
    digest: bytes,
    phantoms: "Mapping[AST, AST]",
    receive: "Receiver | None" = None,
) -> int:
    """Insert probes into `tree` in place and return how many there are, numbered from 0.

    `mode` is that of mode.py; `phantoms` come from `find_phantom_lines`. `lines` is the source, split at line ends; it
    is in UTF-8, or has the same number of bytes before each line's first word. `receive(number, meanings)` gets what
    each probe means, in order of numbers.
    """
    forms = Forms()
    for _, forms in walk_pieces([(tree, phantoms, True)], lines, mode, receive):  # noqa: B007
        pass
    write_header(forms, mode, digest)
    return forms.count


def walk_pieces(
    pieces: "Iterable[tuple[Module, Mapping[AST, AST], bool]]",
    lines: list[bytes],
    mode: int,
    receive: "Receiver | None" = None,
) -> "Iterator[tuple[Module, Forms]]":
    """Insert probes into a module that comes piece by piece; yield each piece, and the Forms that number its probes.

    A piece is a tree, its phantoms, and whether it is the last one. Each piece but the last ends with a statement that
    stands for the next piece; that statement is left out of what is yielded. The other arguments are those of
    `insert_probes`.
    """
    blocks: Blocks | None = None
    has_lambdas = b"lambda" in b"\n".join(lines)
    for tree, phantoms, is_last in pieces:
        lambdas = find_lambdas(tree) if has_lambdas else {}
        next_piece = None if is_last else tree.body[-1]
        if blocks is None:
            blocks = Blocks(Source(lines, mode), Forms(receive), phantoms, _HANDLERS)
            _walk_module(blocks, tree, next_piece, lambdas)
        else:
            blocks.go_on(tree.body, next_piece, phantoms, lambdas)
        yield tree, blocks.forms


def write_header(forms: Forms, mode: int, digest: bytes) -> None:
    """Write into the first probe of a walked module what its probes belong to."""
    assert forms.header is not None
    forms.header.value = header_text(mode, forms.count, digest)


def _walk_module(blocks: Blocks, tree: Module, next_piece: stmt | None, lambdas: "Mapping[AST, list[Lambda]]") -> None:
    """Put the first probe behind the docstring and `__future__` imports, and walk what follows."""
    body: list[Any] = tree.body
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
    first = blocks.forms.probe(at, [(LINE, node) for node in body[:start] if not is_docstring(node)])
    rest = body[start:]
    blocks.begin(rest, next_piece, lambdas)
    body[start:] = [first, *rest]
