"""The probes of a source and what each of them means, for people. Called by `footfall debug probes`."""

from __future__ import annotations

import ast
from typing import Final, NamedTuple

from footfall.analyze.probes.arcs import Arc, lines_of_meaning
from footfall.analyze.probes.flow import ModuleFlow
from footfall.analyze.source.analysis import decode_source
from footfall.analyze.source.lines import find_first_lines
from footfall.analyze.source.parse import PARSE_ERRORS, parse_source
from footfall.errors import FootfallError
from footfall.probes import meanings
from footfall.probes.meanings import NORMAL, split_reason
from footfall.probes.phantom_lines import find_phantom_lines
from footfall.probes.plan import insert_probes
from footfall.probes.source_text import split_lines

__all__ = ["ListedProbe", "list_probes", "with_probes"]

_KINDS: Final = {
    meanings.LINE: "line",
    meanings.ENTERED: "entered",
    meanings.LEFT: "left",
    meanings.ENDED: "ended",
    meanings.JUMPED: "jumped",
    meanings.RAISED: "raised",
    meanings.CASE_FAILED: "case failed",
    meanings.EXITED: "exited",
    meanings.DEFINED: "defined",
    meanings.HEADER_LINE: "header line",
    meanings.PHANTOM: "line of the compiler",
}
_REASONS: Final = {
    meanings.EXCEPTION: "by an exception",
    meanings.RETURN: "by return",
    meanings.BREAK: "by break",
    meanings.CONTINUE: "by continue",
    meanings.AFTER_PHANTOM: "by an exception",
    meanings.AFTER_OUTER_PHANTOM: "by an exception",
}


class ListedProbe(NamedTuple):
    """One thing that an executed probe means; a probe may mean several."""

    number: int
    line: int
    """The line that was reached."""
    arc: Arc | None
    """The arc that was taken, if the probe means one."""
    kind: str
    """Why the probe is there, in a few words."""


def list_probes(source: bytes, mode: int) -> list[ListedProbe]:
    """Return what each probe of the source means, sorted by number, for a mode of probes/mode.py.

    Raises FootfallError (`not-python`).
    """
    found: list[ListedProbe] = []
    tree, phantoms = _parse(source, mode)
    flow = ModuleFlow(tree, find_first_lines(decode_source(source)), mode, phantoms)

    def receive(number: int, reported: list[tuple[int, ast.AST]]) -> None:
        for kind, node in reported:
            line, arc = lines_of_meaning(flow, kind, node)
            bare, reason, _ = split_reason(kind)
            text = _KINDS[bare] if reason == NORMAL else f"{_KINDS[bare]} {_REASONS[reason]}"
            found.append(ListedProbe(number, line, arc, text))

    insert_probes(tree, split_lines(source), mode, b"", phantoms, receive)
    return found


def with_probes(source: bytes, mode: int) -> str:
    """Return the source as compiled with its probes, which are comparisons of a constant with the probe's number.

    Raises FootfallError (`not-python`).
    """
    tree, phantoms = _parse(source, mode)
    insert_probes(tree, split_lines(source), mode, b"", phantoms)
    return ast.unparse(ast.fix_missing_locations(tree))


def _parse(source: bytes, mode: int) -> tuple[ast.Module, dict[ast.AST, ast.AST]]:
    try:
        tree = parse_source(source)
    except PARSE_ERRORS as error:
        raise FootfallError("not-python", f"Can't parse the source: {error or type(error).__name__}.") from error
    return tree, find_phantom_lines(tree, mode)
