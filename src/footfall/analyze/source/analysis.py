"""Source text to statements, excluded lines, possible arcs and branch numbers: what a report must know about a file.

The results equal those of coverage.py 7.17's `PythonParser` on the same interpreter. Both depend on it a little:

- Statements are read from the line tables of the compiled code. On 3.14+ a bare annotation (`x: int`) in a module or
  class body is not one, since its code is deferred; 3.11 keeps the code of a generator expression in a suite that it
  drops (`if 0:`). Of 1,660 files, 63 had other statements on 3.14 and 3.15 than before, and one on 3.11.
- Arcs come from the syntax tree and vary only with those statements. Branches differed in none of the 1,660 files.

So a report is comparable with coverage.py's if the same interpreter makes both.

Pure functions: text in, values out. Called by the reports and by `resolve`; analysis phase.
"""

import ast
import gc
import io
import re
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import CodeType
from typing import Final

from footfall.analyze.source.arcs import Flow, Notes, is_irrefutable
from footfall.analyze.source.definitions import Definition, Outline, outline_module
from footfall.analyze.source.exclude import ExclusionRules
from footfall.analyze.source.lines import find_first_lines
from footfall.analyze.source.parse import PARSE_ERRORS, compile_module, compile_source, parse_source
from footfall.analyze.source.with_exits import WithExits, apply_with_exits, find_with_exits
from footfall.errors import FootfallError
from footfall.probes.pieces import can_be_cut, parse_in_pieces

__all__ = ["SourceAnalysis", "SourceError", "analyze_source", "decode_source", "find_code_lines"]

Arc = tuple[int, int]


_MAX_WHOLE_BYTES: Final = 2_000_000
"""A larger source is analysed in pieces, since its tree would take more than 400 MB."""
_FUTURES: Final = 0x1FE0000
"""The flags of code that `from __future__ import ...` sets."""


class SourceError(FootfallError):
    """A measured file does not contain Python source that this interpreter can read."""


@dataclass(frozen=True, slots=True)
class SourceAnalysis:
    """What is known about a file without running it. Lines count from 1; an arc with end < 0 leaves its code object."""

    path: str
    n_lines: int
    statements: frozenset[int]
    """First lines of the statements that count: neither excluded nor docstrings."""
    excluded: frozenset[int]
    raw_statements: frozenset[int]
    """Every line that has bytecode."""
    first_line: Mapping[int, int]
    """Maps each line of a multi-line statement to its first line; other lines are absent."""
    arcs: frozenset[Arc]
    exit_counts: Mapping[int, int]
    """For each line with exits: how many. Excluded lines count neither as starts nor as ends."""
    no_branch: frozenset[int]
    with_exits: WithExits
    definitions: tuple[Definition, ...]
    notes: Mapping[Arc, list[tuple[str, str]]]

    def first_line_of(self, line: int) -> int:
        """Return the first line of the statement that contains `line`; keeps the sign, for the ends of arcs."""
        return self.first_line.get(line, line) if line >= 0 else -self.first_line.get(-line, -line)

    def translate_lines(self, lines: Iterable[int]) -> set[int]:
        """Map recorded lines to the first lines of their statements."""
        first_line = self.first_line
        return {first_line.get(line, line) for line in lines}

    def translate_arcs(self, arcs: Iterable[Arc]) -> set[Arc]:
        """Map recorded arcs to first lines, and make those that leave a `with` lead to what follows."""
        passed = apply_with_exits(self.with_exits, arcs) if self.with_exits else set(arcs)
        first_line = self.first_line
        if not first_line:
            return passed
        moved = [arc for arc in passed if abs(arc[0]) in first_line or abs(arc[1]) in first_line]
        passed.difference_update(moved)
        passed.update([(self.first_line_of(start), self.first_line_of(end)) for start, end in moved])
        return passed

    def arc_description(self, start: int, end: int) -> str:
        """Say what the arc does, to follow "line 4 didn't"."""
        return _describe_action(self.notes.get((start, end), [("", "")])[0][1], end)

    def missing_arc_description(self, start: int, end: int) -> str:
        """Say in a sentence that the arc from a branch line was not taken, and why if that is known."""
        sentences = []
        for cause, action in self.notes.get((start, end), [("", "")]):
            reason = f" because {cause.format(line=start)}" if cause else ""
            sentences.append(f"line {start} didn't {_describe_action(action, end)}{reason}")
        return " or ".join(sentences)


def _describe_action(action: str, end: int) -> str:
    return action or ("jump to the function exit" if end < 0 else f"jump to line {end}")


_LEADING_FORM_FEEDS = re.compile(rb"^[ \t\f]*\f", re.MULTILINE)


def decode_source(data: bytes) -> str:
    r"""Decode source by its BOM or PEP 263 comment (UTF-8 without one); line ends become "\n", and the last is added.

    Form feeds become blanks, as in coverage.py, except before a line's first word: Python counts the indentation
    from there (coverage.py cannot read such a file). Bytes that are invalid in the encoding become U+FFFD.
    Raises SourceError if the encoding is not known.
    """
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\f" in data:
        data = _LEADING_FORM_FEEDS.sub(b"", data).replace(b"\f", b" ")
    text = data.decode(_encoding_of(data), "replace")
    return text if not text or text[-1] == "\n" else text + "\n"


def _encoding_of(data: bytes) -> str:
    """Return the encoding that the first two lines declare. Raises SourceError if it is not known."""
    second_end = data.find(b"\n", data.find(b"\n") + 1)
    declaring = data if second_end < 0 else data[:second_end]
    if declaring.isascii() and b"coding" not in declaring and b"\0" not in declaring:
        return "utf-8"
    try:
        return tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    except SyntaxError as error:
        raise SourceError("not-python", f"Can't decode the source: {error}.", "Correct its coding comment.") from error


def analyze_source(text: str, path: str, rules: ExclusionRules) -> SourceAnalysis:
    """Analyse one file's source; `path` is for messages. Raises SourceError if it is not Python source.

    Costs one parse and one compilation, about 10 ms for a file of 1,000 lines.
    """
    # The tree is freed before this returns; without a pause the collector walks all of it again and again.
    paused = gc.isenabled()
    gc.disable()
    try:
        return _analyze(text, path, rules)
    finally:
        if paused:
            gc.enable()


def _analyze(text: str, path: str, rules: ExclusionRules) -> SourceAnalysis:
    first_lines = find_first_lines(text)
    excluded = rules.find_excluded(text, first_lines)
    structure = _structure_from_pieces(text, path, first_lines, excluded)
    if structure is None:
        structure = _Structure(first_lines, excluded)
        tree, code = _compile(text, path)
        structure.add(tree, find_code_lines(code) if tree.body else set())
    raw_statements, excluded, flow = structure.raw_statements, structure.excluded, structure.flow
    flow.end_module()
    ignored = excluded | structure.docstring_lines
    statements = {first_lines.get(line, line) for line in raw_statements - ignored} - ignored
    with_exits = find_with_exits(flow)
    arcs = {arc for arc in apply_with_exits(with_exits, flow.arcs) if arc[0] != arc[1]}
    exit_counts = _count_exits(arcs, excluded)
    return SourceAnalysis(
        path=path,
        n_lines=len(text.splitlines()),
        statements=frozenset(statements),
        excluded=frozenset(excluded),
        raw_statements=frozenset(raw_statements),
        first_line=first_lines,
        arcs=frozenset(arcs),
        exit_counts=exit_counts,
        no_branch=rules.find_no_branch(text, first_lines),
        with_exits=with_exits,
        definitions=tuple(structure.definitions),
        notes=_keep_branch_notes(flow.notes, exit_counts),
    )


class _Structure:
    """What the statements of a file are, collected from its pieces in order."""

    def __init__(self, first_lines: dict[int, int], excluded: set[int]) -> None:
        self._first_lines = first_lines
        self._lines: set[int] = set()
        self.raw_statements: set[int] = set()
        self.excluded = set(excluded)
        self.docstring_lines: set[int] = set()
        self.definitions: list[Definition] = []
        self.flow = Flow(first_lines, self._lines)

    def add(self, tree: ast.Module, raw_statements: set[int]) -> None:
        """Add a sequence of the file's statements, and the lines in it that have code."""
        self.raw_statements |= raw_statements
        self._lines.update([self._first_lines.get(line, line) for line in raw_statements])
        n_before = len(self.definitions)
        outline = outline_module(tree)
        self.docstring_lines |= outline.docstring_lines
        self.definitions += [
            replace(each, parent=each.parent + n_before) if n_before and each.parent >= 0 else each
            for each in outline.definitions
        ]
        if self.excluded:
            _extend_exclusions(self.excluded, outline, raw_statements)
        self.flow.add_to_module(tree)
        for node in outline.nodes:
            if isinstance(node, ast.ClassDef):
                self.flow.add_class(node)
            else:
                self.flow.add_function(node)


def _structure_from_pieces(text: str, path: str, first_lines: dict[int, int], excluded: set[int]) -> _Structure | None:
    """Collect the structure of a large source; None if it is small, or if the whole must be known at once."""
    source = text.encode("utf-8", "surrogatepass")
    if len(source) <= _MAX_WHOLE_BYTES or not can_be_cut(source):
        return None
    structure = _Structure(first_lines, excluded)
    futures = 0
    try:
        for tree, is_last in parse_in_pieces(source, lambda part: parse_source(part.decode(), path)):
            code = compile_module(tree, path, futures)
            futures |= code.co_flags & _FUTURES
            lines = find_code_lines(code)
            if not is_last:
                next_line = tree.body.pop().lineno
                if all(line != next_line for _, _, line in code.co_lines()):
                    return None  # it is never reached: the compiler drops everything that follows
                lines.discard(next_line)  # the next piece shows whether it has code
            structure.add(tree, lines)
    except PARSE_ERRORS:  # analysing the whole source reports it
        return None
    return structure


def _compile(text: str, path: str) -> tuple[ast.Module, CodeType]:
    try:
        return parse_source(text, path), compile_source(text, path)
    except SyntaxError as error:
        message = f"Couldn't parse {path!r} as Python source: {error.msg!r} at line {error.lineno}."
    except PARSE_ERRORS as error:
        message = f"Couldn't parse {path!r} as Python source: {error or type(error).__name__}."
    raise SourceError("not-python", message, "Leave it out with --omit, or skip all such files with --ignore-errors.")


def find_code_lines(code: CodeType) -> set[int]:
    """Return all lines in the line tables of `code` and the code inside it.

    Annotations that are deferred until requested (3.14, `__annotate__`) do not count: usually nothing requests them.
    """
    found: set[int | None] = set()
    todo = [code]
    while todo:
        code = todo.pop()
        todo += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        if code.co_name != "__annotate__":
            found.update([line for _, _, line in code.co_lines()])
    found -= {None, 0}
    return found  # type: ignore[return-value]


def _extend_exclusions(excluded: set[int], outline: Outline, raw_statements: set[int]) -> None:
    """Exclude what belongs to an excluded signature or decorator, and a `case _` whose whole body is excluded."""
    for scope in outline.scopes:
        if isinstance(scope, ast.match_case):
            if is_irrefutable(scope):
                last = scope.body[-1].end_lineno or 0
                inside = raw_statements.intersection(range(scope.body[0].lineno, last + 1))
                if inside and inside <= excluded:
                    excluded.update(range(scope.pattern.lineno, scope.pattern.end_lineno + 1))
            continue
        first = min((decorator.lineno for decorator in scope.decorator_list), default=scope.lineno)
        if not excluded.isdisjoint(range(first, scope.lineno + 1)):
            excluded.update(range(first, (scope.end_lineno or first) + 1))


def _count_exits(arcs: Iterable[Arc], excluded: set[int]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for start, end in arcs:
        if start not in excluded and end not in excluded:
            counts[start] = counts.get(start, 0) + 1
    return counts


def _keep_branch_notes(notes: Notes, exit_counts: Mapping[int, int]) -> Notes:
    """Drop the notes that no report shows: those of lines with one exit."""
    return {arc: note for arc, note in notes.items() if exit_counts.get(arc[0], 0) > 1}
