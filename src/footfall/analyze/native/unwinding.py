"""The functions on a recorded C stack, youngest first: each frame's caller is found with the tables of its file."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, NamedTuple

from footfall.analyze.native.code_files import CodeFile, CodeFiles, MappedCode, mapped_code
from footfall.analyze.native.frame_tables import RETURN_ADDRESS, FrameTableError, Row, Rule, evaluate
from footfall.record.run.sample_log import CStack, Mappings

__all__ = ["NativeFrame", "Unwinder"]

STACK_POINTER: Final = 7
INTERPRETER: Final = "i"
_MAX_FRAMES: Final = 10_000
_KEPT_BY_CALLS: Final = frozenset((3, 6, 12, 13, 14, 15))
"""rbx, rbp and r12 to r15: a function returns with them as they were. Of the others, nothing is known in its caller."""
_MASK: Final = 0xFFFFFFFFFFFFFFFF


class NativeFrame(NamedTuple):
    """One C function's frame, or a part of it that is an inlined function's."""

    stack_pointer: int
    kind: str
    """What the file is: `i` the interpreter's, `s` the system's, `p` the program's own."""
    name: str
    """The function's; "" if it is not known."""
    library: str


class _Place(NamedTuple):
    """What is known about an instruction."""

    kind: str
    name: str
    library: str
    row: Row | None
    inlined: tuple[str, ...] = ()
    """Functions that are inlined there, innermost first."""


class Unwinder:
    """Unwinds the C stacks of one run. What is found about an instruction is kept."""

    def __init__(self) -> None:
        self.n_stacks = 0
        self.n_incomplete = 0
        """Number of stacks of which the oldest part could not be unwound."""
        self.files = CodeFiles()
        self._mappings: dict[int, tuple[Mappings, _MappedPlaces]] = {}
        self._last: dict[int, _Walk] = {}

    def unwind(self, stack: CStack, thread: int) -> list[NativeFrame]:
        """Return the frames that are known, youngest first; all of them up to the end of what was recorded, if the
        tables allow it.

        `thread` is any number: where the last stack with it has the same content, it is not unwound again.
        """
        known = self._mappings.get(id(stack.mappings))
        if known is None:
            known = self._mappings[id(stack.mappings)] = (stack.mappings, _MappedPlaces(stack.mappings, self.files))
        walk = _Walk(stack, known[1])
        walk.run(self._last.get(thread))
        self._last[thread] = walk
        self.n_stacks += 1
        self.n_incomplete += not walk.is_complete
        return walk.frames


class _MappedPlaces:
    """Instructions, by their addresses in the process, while the same files are mapped."""

    def __init__(self, mappings: Mappings, files: CodeFiles) -> None:
        self._mapped = mapped_code(mappings)
        self._starts = [each.start for each in self._mapped]
        self._time_ns = mappings.time_ns
        self._files = files
        self._known: dict[int, _Place | None] = {}

    def find(self, address: int) -> _Place | None:
        """Return what is known about an instruction; None if it is in no file."""
        if address not in self._known:
            self._known[address] = self._find(address)
        return self._known[address]

    def _find(self, address: int) -> _Place | None:
        number = bisect_right(self._starts, address) - 1
        if number < 0 or address >= self._mapped[number].end:
            return None
        mapped: MappedCode = self._mapped[number]
        file: CodeFile = self._files.find(mapped.path, self._time_ns)
        in_file = file.address_of(mapped, address)
        if in_file is None:
            return _Place(mapped.kind, "", file.name, None)
        row = file.row(in_file)
        inlined = file.inlined_at(in_file) if mapped.kind != INTERPRETER else ()
        return _Place(mapped.kind, file.function(in_file, row), file.name, row, inlined)


class _Walk:
    """From one frame to the next older one."""

    def __init__(self, stack: CStack, places: _MappedPlaces) -> None:
        self.frames: list[NativeFrame] = []
        self.is_complete = False
        """Whether the end of the recorded stack was reached."""
        self._states: dict[int, tuple[list[int], int]] = {}
        """By stack pointer: the registers in that frame, and its number."""
        self._registers = list(stack.registers)
        self._first = stack.registers[STACK_POINTER]
        self._content = stack.content
        self._end = self._first + len(stack.content)
        self._places = places

    def run(self, last: _Walk | None) -> None:
        """Find all frames, from `last` on those that are the same as there."""
        if last is not None and (last._end, last._places) != (self._end, self._places):
            last = None
        self.is_complete = self._follow(last)

    def _follow(self, last: _Walk | None) -> bool:
        address = self._registers[RETURN_ADDRESS]
        end = self._end
        while len(self.frames) < _MAX_FRAMES:
            place = self._places.find(address)
            if place is None:
                return False
            here = self._registers[STACK_POINTER]
            if self.frames:
                if last is not None and self._goes_on_as(last, here):
                    return last.is_complete
                self._states[here] = (self._registers, len(self.frames))
            for name in (*place.inlined, place.name):
                self.frames.append(NativeFrame(here, place.kind, name, place.library))
            if here >= end:
                return True
            if place.row is None:
                return False
            try:
                frame_address = self._step(place.row)
            except FrameTableError:
                return False
            if frame_address > end:
                return True  # the rest of what was recorded is in this frame
            if frame_address <= here or not self._registers[RETURN_ADDRESS]:
                return False
            address = self._registers[RETURN_ADDRESS] - 1  # in the call, which may be its function's last instruction
        return False

    def _goes_on_as(self, last: _Walk, here: int) -> bool:
        """Take over the older frames of the last walk if it was in the same state; return whether it was."""
        state = last._states.get(here)
        size = self._end - here
        if state is None or state[0] != self._registers or size < 0:
            return False
        if size and self._content[-size:] != last._content[-size:]:
            return False
        number = state[1]
        shift = len(self.frames) - number
        self.frames += last.frames[number:]
        self._states.update(
            (pointer, (registers, at + shift)) for pointer, (registers, at) in last._states.items() if at >= number
        )
        return True

    def _load(self, address: int) -> int:
        at = address - self._first
        if not 0 <= at <= len(self._content) - 8:
            raise FrameTableError("that part of the stack was not recorded")
        return int.from_bytes(self._content[at : at + 8], "little")

    def _step(self, row: Row) -> int:
        """Go to the caller; return the address at which the frame ended, and the caller's begins."""
        before = self._registers
        if row.base >= 0:
            frame_address = (before[row.base] + row.offset) & _MASK
        else:
            frame_address = evaluate(row.expression, before, self._load)
        if frame_address > self._end:
            return frame_address
        registers = [value if register in _KEPT_BY_CALLS else 0 for register, value in enumerate(before)]
        for register, rule in row.rules:
            if register < len(registers):
                registers[register] = self._caller_value(rule, frame_address, before)
        registers[STACK_POINTER] = frame_address
        self._registers = registers
        return frame_address

    def _caller_value(self, rule: Rule, frame_address: int, before: list[int]) -> int:
        kind, value = rule
        if isinstance(value, bytes):
            place = evaluate(value, before, self._load, frame_address)
            return self._load(place) if kind == "expression" else place
        if kind == "offset":
            return self._load(frame_address + value)
        if kind == "value":
            return (frame_address + value) & _MASK
        return before[value] if kind == "register" else 0
