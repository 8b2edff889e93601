"""The probes of a source with what each of them says, for people. Called by `footfall debug probes`."""

from __future__ import annotations

import ast
from typing import Final, NamedTuple

from footfall.analyze.probes.arcs import Arc, meaning_of_note
from footfall.analyze.probes.flow import ModuleFlow
from footfall.analyze.source.analysis import decode_source
from footfall.analyze.source.lines import find_first_lines
from footfall.analyze.source.parse import PARSE_ERRORS, parse_source
from footfall.errors import FootfallError
from footfall.probes import meanings as probe_notes
from footfall.probes.meanings import NORMAL, split_reason
from footfall.probes.phantom_lines import find_strays
from footfall.probes.plan import insert_probes
from footfall.probes.source_text import split_lines

__all__ = ["ListedProbe", "list_probes", "with_probes"]

_KINDS: Final = {
    probe_notes.LINE: "line",
    probe_notes.ENTERED: "entered",
    probe_notes.LEFT: "left",
    probe_notes.ENDED: "ended",
    probe_notes.JUMPED: "jumped",
    probe_notes.RAISED: "raised",
    probe_notes.CASE_FAILED: "case failed",
    probe_notes.EXITED: "exited",
    probe_notes.DEFINED: "defined",
    probe_notes.HEADER_LINE: "header line",
    probe_notes.STRAY: "line of the compiler",
}
_REASONS: Final = {
    probe_notes.EXCEPTION: "by an exception",
    probe_notes.RETURN: "by return",
    probe_notes.BREAK: "by break",
    probe_notes.CONTINUE: "by continue",
    probe_notes.STRAYED: "by an exception",
}


class ListedProbe(NamedTuple):
    """One thing that a hit of a probe says; a probe may say several."""

    number: int
    line: int
    """The line that was reached."""
    arc: Arc | None
    """The arc that was taken, where it tells of one."""
    kind: str
    """Why the probe stands there, in a word or some."""


def list_probes(source: bytes, mode: int) -> list[ListedProbe]:
    """Return what each probe of the source says, by number, for a mode of probes/mode.py.

    Raises FootfallError (`not-python`).
    """
    found: list[ListedProbe] = []
    tree, strays = _parse(source, mode)
    flow = ModuleFlow(tree, find_first_lines(decode_source(source)), mode, strays)

    def take(number: int, notes: list[tuple[int, ast.AST]]) -> None:
        for kind, node in notes:
            line, arc = meaning_of_note(flow, kind, node)
            bare, reason, _ = split_reason(kind)
            text = _KINDS[bare] if reason == NORMAL else f"{_KINDS[bare]} {_REASONS[reason]}"
            found.append(ListedProbe(number, line, arc, text))

    insert_probes(tree, split_lines(source), mode, b"", strays, take)
    return found


def with_probes(source: bytes, mode: int) -> str:
    """Return the source as it is compiled, with its probes: comparisons of a constant with the probe's number.

    Raises FootfallError (`not-python`).
    """
    tree, strays = _parse(source, mode)
    insert_probes(tree, split_lines(source), mode, b"", strays)
    return ast.unparse(ast.fix_missing_locations(tree))


def _parse(source: bytes, mode: int) -> tuple[ast.Module, dict[ast.AST, ast.AST]]:
    try:
        tree = parse_source(source)
    except PARSE_ERRORS as error:
        raise FootfallError("not-python", f"Can't parse the source: {error or type(error).__name__}.") from error
    return tree, find_strays(tree, mode)
