"""What a step of the program means by its source, for `footfall.capture()`: statements, and directions of branches.

Both are as reports have them: by the first lines of statements, without docstrings; branches are lines that can go on
to several others.
"""

from __future__ import annotations

from functools import lru_cache

from footfall.analyze.probes.arcs import ProbeMeaning, find_resumptions, meanings_of_source
from footfall.analyze.source.analysis import SourceAnalysis, analyze_source, decode_source
from footfall.analyze.source.exclude import ExclusionRules
from footfall.analyze.source.source_file import read_source_file
from footfall.errors import FootfallError
from footfall.observe.capture.tracing import NO_LINE
from footfall.probes.source_text import digest_source

__all__ = ["SourceMeanings"]

_NOTHING: ProbeMeaning = (frozenset(), frozenset())


class SourceMeanings:
    """Answers for one series. Sources are looked at when they are first asked for."""

    def __init__(self) -> None:
        self._of_files: dict[str, SourceAnalysis | None] = {}
        self._of_probes: dict[tuple[str, int, bytes], tuple[ProbeMeaning, ...]] = {}

    def statement(self, path: str, line: int) -> int | None:
        """Return the first line of the statement that a line of a file is in, None where it counts as none."""
        return _statement(self._analysis(path), line)

    def of_arc(self, path: str, start: int, end: int) -> ProbeMeaning:
        """Return the lines and branches of a step from line to line, which may leave the code (end < 0)."""
        analysis = self._analysis(path)
        arcs = {(start, end)} if start != NO_LINE else set()
        if arcs and analysis is not None:
            # Out of a `with` from a condition's second line: exits of `with` are known by the first lines.
            arcs.add((analysis.first_line_of(start), analysis.first_line_of(end)))
        return _meaning(analysis, {end} if end > 0 else set(), arcs)

    def of_probe(self, path: str, mode: int, digest: bytes, text: bytes | None, number: int) -> ProbeMeaning:
        """Return those of one probe of a text; None stands for what is in the file."""
        key = path, mode, digest
        if key not in self._of_probes:
            self._of_probes[key] = _meanings_of_text(path, mode, digest, text)
        found = self._of_probes[key]
        return found[number] if number < len(found) else _NOTHING

    def _analysis(self, path: str) -> SourceAnalysis | None:
        if path not in self._of_files:
            try:
                self._of_files[path] = _analyze(path, read_source_file(path))
            except (OSError, FootfallError):
                self._of_files[path] = None  # nothing is known of it but the lines that ran
        return self._of_files[path]


@lru_cache(maxsize=256)
def _analyze(path: str, source: bytes) -> SourceAnalysis:
    # Under the file's name the compiler would put probes in.
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
