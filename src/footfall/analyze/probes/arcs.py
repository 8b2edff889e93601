"""Probe events and source to executed lines and arcs. Called by `resolve`.

The source is walked again by the same code that numbered the probes when the source was measured.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Protocol

from footfall.analyze.probes.flow import ModuleFlow
from footfall.analyze.source.analysis import decode_source
from footfall.analyze.source.lines import find_first_lines
from footfall.analyze.source.parse import PARSE_ERRORS, parse_source
from footfall.analyze.source.source_file import read_source_file
from footfall.errors import FootfallError
from footfall.probes.meanings import (
    AFTER_OUTER_PHANTOM,
    AFTER_PHANTOM,
    BREAK,
    CASE_FAILED,
    CONTINUE,
    DEFINED,
    ENDED,
    ENTERED,
    EXCEPTION,
    EXITED,
    HEADER_LINE,
    JUMPED,
    LEFT,
    LINE,
    NORMAL,
    PHANTOM,
    RAISED,
    RETURN,
    split_reason,
)
from footfall.probes.phantom_lines import find_phantom_lines
from footfall.probes.pieces import parse_in_pieces
from footfall.probes.plan import walk_pieces
from footfall.probes.source_text import digest_source, read_kept_text, split_lines
from footfall.record.run.record_file import ProbedModule

__all__ = [
    "Arc",
    "MeaningsStore",
    "ProbeMeaning",
    "arcs_of_events",
    "find_resumptions",
    "lines_of_meaning",
    "meanings_of_module",
    "meanings_of_source",
]

Arc = tuple[int, int]
ProbeMeaning = tuple[frozenset[int], frozenset[Arc]]
"""What an event of one probe means: lines that were reached, arcs that were taken."""


class MeaningsStore(Protocol):
    """Keeps meanings by source and mode between runs."""

    def get(self, source: bytes, mode: int) -> tuple[ProbeMeaning, ...] | None:
        """Return the stored meanings, or None if there are none."""

    def put(self, source: bytes, mode: int, meanings: tuple[ProbeMeaning, ...]) -> None:
        """Store meanings."""


def meanings_of_module(
    module: ProbedModule, store: MeaningsStore | None = None, run_directory: str = ""
) -> tuple[ProbeMeaning, ...]:
    """Return each probe's meaning, in order of numbers, from the store if it is there; else it is put there.

    If a loader had changed the file's text, the text that ran is in the run directory.
    Raises FootfallError if the source no longer exists or is not the one that was measured.
    """
    source = read_kept_text(run_directory, module.digest) if run_directory else None
    if source is None:
        source = _read_source(module)
    meanings = None if store is None else store.get(source, module.mode)
    if meanings is None or len(meanings) != len(module.events):
        meanings = meanings_of_source(source, module.mode)
        if store is not None:
            store.put(source, module.mode, meanings)
    if len(meanings) != len(module.events):
        raise FootfallError(
            "source-changed",
            f"Can't resolve {module.path}: {len(module.events)} probes were recorded, {len(meanings)} are expected.",
            "Run again with the same version of footfall.",
        )
    return meanings


def arcs_of_events(meanings: tuple[ProbeMeaning, ...], events: bytes) -> tuple[set[int], set[Arc]]:
    """Join the meanings of the probes whose byte in `events` is set."""
    lines: set[int] = set()
    arcs: set[Arc] = set()
    for (probe_lines, probe_arcs), event in zip(meanings, events, strict=True):
        if event:
            lines |= probe_lines
            arcs |= probe_arcs
    return lines, arcs


@lru_cache(maxsize=64)
def meanings_of_source(source: bytes, mode: int) -> tuple[ProbeMeaning, ...]:
    """Return each probe's meaning, in order of numbers, for a source measured in that mode (probes/mode.py).

    Raises FootfallError if the source is not Python.
    """
    lines: dict[int, list[int]] = {}
    arcs: dict[int, list[Arc]] = {}

    def receive(flow: ModuleFlow, number: int, reported: list[tuple[int, ast.AST]]) -> None:
        for kind, node in reported:
            line, arc = lines_of_meaning(flow, kind, node)
            lines.setdefault(number, []).append(line)
            if arc is not None:
                arcs.setdefault(number, []).append(arc)

    count = _walk(source, mode, receive)
    return tuple((frozenset(lines.pop(n, ())), frozenset(arcs.pop(n, ()))) for n in range(count))


def find_resumptions(source: bytes, mode: int) -> dict[int, int]:
    """Return, by number, the line of each probe after a `yield`, which says that control came back there.

    The line is among the probe's meanings because with contexts an arc begins there; it was not reached at that point.
    Raises as `meanings_of_source`.
    """
    found: dict[int, int] = {}
    reached: set[ast.AST] = set()

    def receive(flow: ModuleFlow, number: int, reported: list[tuple[int, ast.AST]]) -> None:
        for kind, node in reported:
            if kind == LINE and type(getattr(node, "value", None)) in (ast.Yield, ast.YieldFrom):
                if node in reached:
                    found[number] = flow.line_of(node)
                reached.symmetric_difference_update((node,))

    if b"yield" in source:
        _walk(source, mode, receive)
    return found


def _walk(source: bytes, mode: int, receive: Callable[[ModuleFlow, int, list[tuple[int, ast.AST]]], None]) -> int:
    """Call `receive` with each probe's number and what it reports, more than once for some; return the number of
    probes."""
    first_lines = find_first_lines(decode_source(source))
    flow: ModuleFlow

    def find_pieces() -> Iterator[tuple[ast.Module, Mapping[ast.AST, ast.AST], bool]]:
        nonlocal flow
        for tree, is_last in parse_in_pieces(source, parse_source):
            phantoms = find_phantom_lines(tree, mode)
            flow = ModuleFlow(tree, first_lines, mode, phantoms)
            yield tree, phantoms, is_last

    try:
        count = 0
        lines = split_lines(source)
        for _, forms in walk_pieces(
            find_pieces(), lines, mode, lambda number, reported: receive(flow, number, reported)
        ):
            count = forms.count
    except PARSE_ERRORS as error:
        raise FootfallError(
            "not-python", f"Can't parse the measured source: {error or type(error).__name__}."
        ) from error
    return count


def lines_of_meaning(flow: ModuleFlow, kind: int, node: ast.AST) -> tuple[int, Arc | None]:
    """Return the line that was reached if a meaning of this kind is reported, and the arc, if there is one."""
    if kind == LINE:
        return flow.line_of(node), None
    kind, reason, level = split_reason(kind)
    line = flow.line_of(node)
    if kind == LINE:
        return line, None
    if kind == PHANTOM:
        line, end = flow.phantoms[node]
        return line, (line, end if reason == NORMAL else _exit(flow, node, line, reason, level))
    if kind in (HEADER_LINE, EXITED, DEFINED):
        last = flow.line(node.lineno)  # type: ignore[attr-defined]
        after = flow.after.get(node) if reason == NORMAL else _exit(flow, node, last, reason, level)
        ends = {EXITED: -line, DEFINED: after}
        end_line = ends.get(kind)
        return last, None if end_line is None else (last, end_line)
    if reason != NORMAL:
        return line, (line, _exit(flow, node, line, reason, level))
    if kind == RAISED:
        return line, (line, flow.ways[node].raises)
    nexts = {
        ENTERED: flow.enters,
        LEFT: flow.leaves,
        CASE_FAILED: flow.leaves,
        ENDED: flow.after,
        JUMPED: flow.jumps,
    }[kind]
    return line, (line, nexts[node])


def _exit(flow: ModuleFlow, node: ast.AST, line: int, reason: int, level: int) -> int:
    """Return where control goes from `line` at the end of a block around the node, for a reason other than NORMAL.

    Level 0 is the innermost block with other ways to continue from its end, 1 the one around it. For
    AFTER_OUTER_PHANTOM only blocks with their own phantom line count.
    """
    ways = flow.exits[node]
    while level:
        assert ways.around is not None
        if reason != AFTER_OUTER_PHANTOM or ways.has_own_phantom:
            level -= 1
        ways = ways.around
    if reason == AFTER_OUTER_PHANTOM:
        reason = AFTER_PHANTOM
    ends = {
        AFTER_PHANTOM: ways.raises if ways.phantom == line else ways.phantom,
        EXCEPTION: ways.raises,
        RETURN: ways.returns,
        BREAK: ways.breaks,
        CONTINUE: ways.continues,
    }
    return ends[reason]


def _read_source(module: ProbedModule) -> bytes:
    try:
        source = read_source_file(module.path)
    except OSError as error:
        raise FootfallError(
            "source-unreadable",
            f"Can't read the measured source {module.path}: {error.strerror or error}.",
            "Put it back.",
        ) from error
    if digest_source(source) != module.digest:
        raise FootfallError(
            "source-changed",
            f"{module.path} is not the source that was measured any more.",
            "Run again without editing it meanwhile.",
        )
    return source
