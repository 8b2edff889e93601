"""Functions for the probe tests: instrument a program, run it in this process, and read what its probes report."""

from __future__ import annotations

import ast
import sys
import types

from footfall.analyze.probes.arcs import arcs_of_events, meanings_of_source
from footfall.probes.forms import HEADER, MARK
from footfall.probes.mode import mode_here
from footfall.probes.phantom_lines import find_phantom_lines
from footfall.probes.plan import insert_probes
from footfall.probes.source_text import digest_source, split_lines

Arcs = set[tuple[int, int]]


class RecordingMark:
    """Replaces the mark and records the numbers that it is compared with, or that something is stored under."""

    def __init__(self, n_probes: int) -> None:
        self.events = bytearray(n_probes)

    def __eq__(self, other: object) -> bool:
        number, *lines = _numbers_of(other)
        if lines:
            first, last = lines
            error = sys.exception()
            assert error is not None and error.__traceback__ is not None
            if first <= error.__traceback__.tb_lineno <= last:
                self.events[number] = 1
            return False
        self.events[number] = 1
        return False

    def __setitem__(self, number: int, value: int) -> None:
        self.events[number] = value

    __hash__ = None  # type: ignore[assignment]


def _numbers_of(constant: object) -> list[int]:
    """Read what a mark is compared with: text on CPython, else one number or three."""
    if isinstance(constant, str):
        assert constant[0] == constant[-1] == "\0"
        return [int(number) for number in constant[1:-1].split()]
    return list(constant) if isinstance(constant, tuple) else [constant]  # type: ignore[list-item]


def instrument(source: str, filename: str, with_branches: bool = True) -> tuple[types.CodeType, int]:
    """Return the program's code with probes in it, unarmed, and how many there are."""
    data = source.encode()
    tree = compile(source, filename, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    mode = mode_here(with_branches)
    count = insert_probes(tree, split_lines(data), mode, digest_source(data), find_phantom_lines(tree, mode))
    return compile(tree, filename, "exec", dont_inherit=True), count


def run_with_probes(source: str, filename: str, with_branches: bool = True) -> tuple[set[int], Arcs]:
    """Run the program and return the lines and arcs that its probes report.

    An exception of the program only ends it.
    """
    code, mark = armed(source, filename, with_branches)
    try:
        exec(code, {"__name__": "__main__", "__file__": filename})
    except Exception:
        pass
    return arcs_of_events(meanings_of_source(source.encode(), mode_here(with_branches)), bytes(mark.events))


def armed(source: str, filename: str, with_branches: bool = True) -> tuple[types.CodeType, RecordingMark]:
    """Return the program's code with probes that record, and what they record into."""
    code, count = instrument(source, filename, with_branches)
    mark = RecordingMark(count)
    return _armed(code, mark), mark


def _armed(code: types.CodeType, mark: RecordingMark) -> types.CodeType:
    constants: list[object] = []
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            constants.append(_armed(constant, mark))
        elif isinstance(constant, str) and constant.startswith((MARK, HEADER)):
            constants.append(mark)
        else:
            constants.append(constant)
    return code.replace(co_consts=tuple(constants))
