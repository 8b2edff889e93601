"""Places in bytecode that the engine `monitoring` watches beyond first events, as its C part does (docs/engines.md).

In native/engines/monitoring/places: except_star_ends.c, the ends of `except*` statements; cold_jumps.c, jumps without
an event by which handlers continue. Numbers are of code units (2 bytes).
"""

from footfall.own_builtins import keep_builtins
from footfall.pythons import HAS_BRANCH_EVENTS, handler_opcodes

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

__all__ = [
    "ExceptStarEnds",
    "find_cold_jumps",
    "find_except_star_ends",
    "find_first_line",
    "find_first_traced",
    "is_stand_in",
]

_CACHE = 0
_MAX_PLACES = 1 << 22
_TO_NOT_TAKEN = 2
"""While INSTRUCTION events are on, BRANCH_LEFT names the NOT_TAKEN that follows the jump and its cache."""
_OPCODES = handler_opcodes() if HAS_BRANCH_EVENTS else {}
_RESUME = (lambda: None).__code__.co_code[0]
_BRANCHES = [_OPCODES.get(name) for name in ("for_iter", "pop_jump_if_none", "pop_jump_if_not_none")]
_TESTS = [_OPCODES.get(name) for name in ("pop_jump_if_false", "pop_jump_if_true")]
_OF_HANDLERS = [_OPCODES.get(name) for name in ("check_exc_match", "with_except_start")]


class ExceptStarEnds:
    """The conditional jumps at the ends of `except*` statements, and where the code's first handler begins."""

    __slots__ = ("ends", "first", "n_units")

    def __init__(self, ends: list[int], first: int, n_units: int) -> None:
        self.ends = ends
        self.first = first
        self.n_units = n_units

    def is_watched(self, unit: int, is_line: bool) -> bool:
        """Return whether an event at a unit stays on: a line that may lead to an end, or the end itself."""
        if not self.first <= unit <= self.ends[-1] + _TO_NOT_TAKEN:
            return False
        return is_line or self._number(unit) < len(self.ends)

    def place(self, unit: int, line_unit: int) -> int:
        """Return the place that records which way the end at `unit` went after the line that begins at `line_unit`."""
        return (1 + self._number(unit)) * self.n_units + (line_unit if line_unit < self.n_units else unit)

    def _number(self, unit: int) -> int:
        for number, end in enumerate(self.ends):
            if unit in (end, end + _TO_NOT_TAKEN):
                return number
        return len(self.ends)


def find_except_star_ends(code: "CodeType", bytecode: bytes) -> ExceptStarEnds | None:
    """Return the `except*` statements of a code object; None if it has none."""
    if not code.co_exceptiontable or _OPCODES.get("call_intrinsic_2", -1) not in bytecode:
        return None
    opcodes = bytecode[::2]
    first = opcodes.find(_OPCODES["push_exc_info"])
    if first < 0:
        return None
    lines: dict[int, int | None] = {}
    for start, end, line in code.co_lines():
        lines.update(dict.fromkeys(range(start // 2, end // 2), line))
    ends = [unit for unit in range(first, len(opcodes)) if lines.get(unit) is None and _is_end(opcodes, unit)]
    if not ends or len(ends) * len(opcodes) > _MAX_PLACES:
        return None
    return ExceptStarEnds(ends, first, len(opcodes))


def _is_end(opcodes: bytes, unit: int) -> bool:
    """Return whether PREP_RERAISE_STAR, COPY and the jump are there."""
    if opcodes[unit] != _OPCODES["pop_jump_if_not_none"]:
        return False
    before = unit - 1
    while before > 0 and opcodes[before] == _OPCODES["extended_arg"]:
        before -= 1
    return before > 0 and opcodes[before] == _OPCODES["copy"] and opcodes[before - 1] == _OPCODES["call_intrinsic_2"]


def find_cold_jumps(bytecode: bytes) -> list[int]:
    """Return the jumps in handlers, behind a branch there, that have no event."""
    opcodes = bytecode[::2]
    first = opcodes.find(_OPCODES["push_exc_info"])
    found = []
    branches = False
    for unit in range(max(first, 0), len(opcodes) if first >= 0 else 0):
        branches = branches or _is_branch(opcodes, unit)
        if branches and opcodes[unit] == _OPCODES["jump_backward_no_interrupt"]:
            before = _unit_before(opcodes, unit)
            if before >= 0 and opcodes[before] != _RESUME:  # a loop around SEND also ends with such a jump
                found.append(unit)
    return found


def _unit_before(opcodes: bytes, unit: int) -> int:
    """Return the instruction before, skipping caches and EXTENDED_ARG; -1 at the start."""
    unit -= 1
    while unit >= 0 and opcodes[unit] in (_CACHE, _OPCODES["extended_arg"]):
        unit -= 1
    return unit


def _is_branch(opcodes: bytes, unit: int) -> bool:
    """Return whether it is a conditional jump of the program, not one that matches an `except` or leaves a `with`."""
    opcode = opcodes[unit]
    if opcode in _BRANCHES:
        return True
    if opcode not in _TESTS:
        return False
    tester = _unit_before(opcodes, unit)
    if tester >= 0 and opcodes[tester] == _OPCODES["to_bool"]:
        tester = _unit_before(opcodes, tester)
    return tester < 0 or opcodes[tester] not in _OF_HANDLERS


def find_first_traced(bytecode: bytes) -> int:
    """Return the unit of the first RESUME, before which nothing is traced; the number of units if there is none."""
    opcodes = bytecode[::2]
    at = opcodes.find(_RESUME)
    return len(opcodes) if at < 0 else at


def find_first_line(bytecode: bytes) -> int:
    """Return the unit behind the first RESUME and its cache, where the first LINE event is."""
    opcodes = bytecode[::2]
    unit = find_first_traced(bytecode) + 1
    while unit < len(opcodes) and opcodes[unit] == _CACHE:
        unit += 1
    return unit


def is_stand_in(code: "CodeType", bytecode: bytes) -> bool:
    """Return whether a code object was not made by the Python compiler: extensions make some for their own events."""
    if find_first_traced(bytecode) >= len(bytecode) // 2:
        return True
    return len(bytecode) <= 8 and len(code.co_linetable) == 2 and not code.co_consts
