"""Condition coverage: which outcomes of which operands were never seen. Called by the reports; analysis phase.

The syntax tree says which operands there are (operands.py), and the recorded jumps what outcomes they had
(branch_outcomes.py). The code that this interpreter compiles from the same source says which operands are tested at
all: what the compiler folds or drops is not a condition. Copies of one condition (`finally` bodies) count as one.
`find_conditions` depends only on the source and the interpreter, so reports can cache its result.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType

from footfall.analyze.bytecode.opcodes import OPCODES_BY_VERSION
from footfall.analyze.conditions.branch_outcomes import find_places
from footfall.analyze.conditions.operands import Group, Operand, find_operands
from footfall.analyze.source.analysis import SourceAnalysis
from footfall.analyze.source.parse import compile_source, parse_source
from footfall.pythons import OWN
from footfall.record.data.condition_tables import (
    IS_FALSE,
    IS_NONE,
    IS_NOT_NONE,
    IS_TRUE,
    BranchedCode,
    Place,
    SourcePosition,
)

__all__ = [
    "ConditionResult",
    "Conditions",
    "MissingOutcome",
    "can_analyze",
    "compare_conditions",
    "find_conditions",
    "outcomes_by_operand",
]

Outcome = tuple[bool, bool]
"""(seen true, seen false)"""


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of a source, whatever ran.

    `owners` are the operands that count, in the order in which the compiled code tests them, each with the code
    objects that test it, as (qualified name, first line).
    """

    groups: Sequence[Group]
    owners: Mapping[Operand, frozenset[tuple[str, int]]]


@dataclass(frozen=True, slots=True)
class MissingOutcome:
    """An outcome that an operand never had. Columns count characters from 0; the end is after the operand."""

    line: int
    column: int
    end_line: int
    end_column: int
    text: str
    never: bool
    has_run: bool
    """Whether its line ran: if not, the missing line says more."""


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """One file's operands: each has two outcomes. `missing` has the `n_total - n_seen` outcomes not seen, by place."""

    n_total: int
    n_seen: int
    missing: tuple[MissingOutcome, ...]


def can_analyze() -> bool:
    """Return whether this interpreter's bytecode is understood: from CPython 3.14."""
    return sys.implementation.name == "cpython" and OWN in OPCODES_BY_VERSION


def compare_conditions(
    text: str,
    conditions: Conditions,
    analysis: SourceAnalysis,
    executed: Iterable[int],
    codes: Iterable[BranchedCode],
    within: Collection[int] | None = None,
) -> ConditionResult:
    """Compare the conditions of the source `text` with what was seen. `executed` are the first lines of what ran,
    `within` those of the statements that count, None for all.

    Operands on excluded lines, and on lines marked as partial branches, do not count.
    """
    executed = frozenset(executed)
    n_total = n_seen = 0
    missing: list[MissingOutcome] = []
    lines = text.split("\n")
    for position, outcome in sorted(outcomes_by_operand(conditions, codes).items()):
        line = analysis.first_line_of(position.line)
        if line not in analysis.statements or line in analysis.no_branch or (within is not None and line not in within):
            continue
        n_total += 2
        n_seen += sum(outcome)
        for never, is_seen in zip((True, False), outcome, strict=True):
            if not is_seen:
                missing.append(_missing(position, lines, never, line in executed))
    return ConditionResult(n_total, n_seen, tuple(missing))


def find_conditions(text: str) -> Conditions:
    """Return the operands of a source's conditions, except those that line and branch coverage already show.

    Costs a parse and a compilation, about 25 ms for a file of 1,000 lines. Call only if `can_analyze()`.
    """
    groups, known_by_lines = find_operands(parse_source(text))
    matcher = _Matcher(groups)
    owners: dict[Operand, set[tuple[str, int]]] = {}
    for code in _all_codes(compile_source(text)):
        places = find_places(code.co_code, code.co_linetable, code.co_firstlineno, OWN)
        for operand, _ in matcher.match(places, bytes(len(places))):
            owners.setdefault(operand, set()).add((code.co_qualname, code.co_firstlineno))
    return Conditions(
        groups, {operand: frozenset(where) for operand, where in owners.items() if operand not in known_by_lines}
    )


def outcomes_by_operand(conditions: Conditions, codes: Iterable[BranchedCode]) -> dict[SourcePosition, Outcome]:
    """Return what was seen of each operand in the source; nothing was seen of operands in code that never ran.

    Leaves out operands that line and branch coverage already show, operands that the compiler drops, and those whose
    code ran without them, such as when pytest rewrote an assertion.
    """
    matcher = _Matcher(conditions.groups)
    seen: dict[Operand, int] = {}
    has_run: set[tuple[str, int]] = set()
    for ran in codes:
        has_run.add((ran.qualname, ran.first_line))
        for operand, flags in matcher.match(ran.places, ran.in_all_contexts()):
            seen[operand] = seen.get(operand, 0) | flags
    found: dict[SourcePosition, Outcome] = {}
    for operand, where in conditions.owners.items():
        if operand in seen or not where <= has_run:
            found[operand.position] = _outcome(operand, seen.get(operand, 0))
    return found


def _all_codes(code: CodeType) -> Iterator[CodeType]:
    todo = [code]
    while todo:
        code = todo.pop()
        yield code
        todo += [constant for constant in code.co_consts if isinstance(constant, CodeType)]


class _Matcher:
    """Finds the operand that each conditional jump of a code object tests."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._by_key = {key: group for group in groups for key in group.keys}
        self._by_value = {value: group for group in groups for value in group.values}

    def match(self, places: tuple[Place, ...], outcomes: bytes) -> Iterator[tuple[Operand, int]]:
        """Yield operands with the flags of their jumps; groups with a different number of jumps are left out."""
        jumps: dict[int, tuple[Group, list[int]]] = {}
        for place, flags in zip(places, outcomes, strict=False):
            group = self._by_key.get(place.tester) or self._by_value.get(place.tester) or self._by_key.get(place.jump)
            if group is not None:
                jumps.setdefault(id(group), (group, []))[1].append(flags)
        for group, found in jumps.values():
            size = len(group.operands)
            if len(found) == size or (len(found) % size == 0 and not group.has_constants):
                for number, flags in enumerate(found):
                    yield group.operands[number % size], flags


def _outcome(operand: Operand, flags: int) -> Outcome:
    true, false = bool(flags & IS_TRUE), bool(flags & IS_FALSE)
    if operand.none_test is not None:
        is_none = operand.none_test is ast.Is
        true |= bool(flags & (IS_NONE if is_none else IS_NOT_NONE))
        false |= bool(flags & (IS_NOT_NONE if is_none else IS_NONE))
    return (false, true) if operand.is_flipped else (true, false)


def _missing(position: SourcePosition, lines: list[str], never: bool, has_run: bool) -> MissingOutcome:
    start = _characters(lines[position.line - 1], position.column)
    end = _characters(lines[position.end_line - 1], position.end_column)
    if position.line == position.end_line:
        text = lines[position.line - 1][start:end]
    else:
        between = lines[position.line : position.end_line - 1]
        text = " ".join([lines[position.line - 1][start:], *between, lines[position.end_line - 1][:end]])
    text = " ".join(text.split()) if "\n" in text or position.line != position.end_line else text
    return MissingOutcome(position.line, start, position.end_line, end, text, never, has_run)


def _characters(line: str, n_bytes: int) -> int:
    return n_bytes if line.isascii() else len(line.encode("utf-8", "replace")[:n_bytes].decode("utf-8", "ignore"))
