"""What a step of the program means in its source, for `footfall.capture()`: statements, and directions of branches.

Both are as in reports: statements by their first lines, without docstrings, and branches as lines that can continue at
several others.
"""

from __future__ import annotations

import dis
from functools import lru_cache
from types import CodeType
from typing import Any, Final

from footfall.analyze.probes.arcs import ProbeMeaning, find_resumptions, meanings_of_source
from footfall.analyze.source.analysis import SourceAnalysis, analyze_source, decode_source
from footfall.analyze.source.exclude import ExclusionRules
from footfall.analyze.source.source_file import read_source_file
from footfall.errors import FootfallError
from footfall.observe.capture.tracing import NO_LINE
from footfall.probes.source_text import digest_source

__all__ = ["SourceMeanings", "lines_of_branch"]

_NOTHING: ProbeMeaning = (frozenset(), frozenset())


class SourceMeanings:
    """Answers for one series. A source is analyzed when it is first asked for."""

    def __init__(self) -> None:
        self._of_files: dict[str, SourceAnalysis | None] = {}
        self._of_probes: dict[tuple[str, int, bytes], tuple[ProbeMeaning, ...]] = {}

    def statement(self, path: str, line: int) -> int | None:
        """Return the first line of the statement that contains a line of a file; None if it does not count as one."""
        return _statement(self._analysis(path), line)

    def of_arc(self, path: str, start: int, end: int) -> ProbeMeaning:
        """Return the lines and branches of a step from line to line, which may leave the code (end < 0)."""
        analysis = self._analysis(path)
        arcs = {(start, end)} if start != NO_LINE else set()
        if arcs and analysis is not None:
            # Leaving a `with` from the second line of a condition: the exits of `with` are known by first lines.
            arcs.add((analysis.first_line_of(start), analysis.first_line_of(end)))
        return _meaning(analysis, {end} if end > 0 else set(), arcs)

    def of_probe(self, path: str, mode: int, digest: bytes, text: bytes | None, number: int) -> ProbeMeaning:
        """Return the lines and branches of one probe of a text; a text of None is the file's contents."""
        key = path, mode, digest
        if key not in self._of_probes:
            self._of_probes[key] = _meanings_of_text(path, mode, digest, text)
        found = self._of_probes[key]
        return found[number] if number < len(found) else _NOTHING

    def of_event(self, path: str, *what: Any) -> tuple[str, frozenset[int], frozenset[tuple[int, int]]] | None:
        """Return the path with what an event of `sys.monitoring` means: of a line, or of a branch's code, offset and
        destination."""
        if len(what) == 1:
            line = self.statement(path, what[0])
            return path, frozenset(() if line is None else (line,)), frozenset()
        pair = lines_of_branch(*what)
        return None if pair is None else (path, frozenset(), self.of_arc(path, *pair)[1])

    def _analysis(self, path: str) -> SourceAnalysis | None:
        if path not in self._of_files:
            try:
                self._of_files[path] = _analyze(path, read_source_file(path))
            except (OSError, FootfallError):
                self._of_files[path] = None  # only the lines that ran are known
        return self._of_files[path]


@lru_cache(maxsize=256)
def _analyze(path: str, source: bytes) -> SourceAnalysis:
    # With the file's own name, the compiler would put probes in.
    return analyze_source(decode_source(source), f"<{path}>", ExclusionRules((), (), ()))


def _meanings_of_text(path: str, mode: int, digest: bytes, text: bytes | None) -> tuple[ProbeMeaning, ...]:
    try:
        source = read_source_file(path) if text is None else text
        if digest_source(source) != digest:
            return ()
        analysis = _analyze(path, source)
        resumed = find_resumptions(source, mode)
        return tuple(
            _meaning(analysis, lines - {resumed.get(number)}, arcs)
            for number, (lines, arcs) in enumerate(meanings_of_source(source, mode))
        )
    except (OSError, FootfallError):
        return ()


def _statement(analysis: SourceAnalysis | None, line: int) -> int | None:
    if analysis is None:
        return line
    first = analysis.first_line_of(line)
    return first if first in analysis.statements else None


def _meaning(
    analysis: SourceAnalysis | None,
    lines: set[int] | frozenset[int],
    arcs: set[tuple[int, int]] | frozenset[tuple[int, int]],
) -> ProbeMeaning:
    statements = {_statement(analysis, line) for line in lines} - {None}
    branches: set[tuple[int, int]] = set()
    if analysis is not None:
        translated = analysis.translate_arcs(arcs) & analysis.arcs
        branches = {arc for arc in translated if analysis.exit_counts.get(arc[0], 0) > 1}
    return frozenset(statements), frozenset(branches)  # type: ignore[arg-type]


@lru_cache(maxsize=1024)
def _instructions(code: CodeType) -> dict[int, tuple[dis.Instruction, int | None]]:
    """Return the instructions of a code object by offset, each with its line."""
    found: dict[int, tuple[dis.Instruction, int | None]] = {}
    for instruction in dis.get_instructions(code):
        line = None if instruction.positions is None else instruction.positions.lineno
        found[instruction.offset] = (instruction, line)
    return found


_JUMPS: Final = ("JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT")


def lines_of_branch(code: CodeType, offset: int, destination: int) -> tuple[int, int] | None:
    """Return the branch's line and the next line that the program reaches; None if there is no line."""
    instructions = _instructions(code)
    if offset not in instructions or instructions[offset][1] is None:
        return None
    line = instructions[offset][1]
    assert line is not None
    order = sorted(instructions)
    following = dict(zip(order, order[1:], strict=False))
    at: int | None = destination
    seen: set[int] = set()
    while at in instructions and at not in seen:
        seen.add(at)
        instruction, its_line = instructions[at]
        name = instruction.opname
        if its_line is not None and its_line != line and name != "RESUME":
            return line, its_line
        if name in ("RETURN_VALUE", "RETURN_CONST"):
            return line, -code.co_firstlineno
        if name in _JUMPS:
            at = instruction.argval
        elif name in ("RAISE_VARARGS", "RERAISE") or "JUMP_IF" in name or name in ("FOR_ITER", "SEND"):
            break
        else:
            at = following.get(at)
    return line, line
