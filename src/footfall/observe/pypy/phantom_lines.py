"""PyPy's line events that report a statement which did not run, found by the bytecode.

PyPy gives the clean-up code around statements the line of the statement before it: the start of an exception handler,
what follows a `case` that failed, the end of `except*` clauses, jumps where branches meet, the return at a function's
end. CPython gives such code no line, or that of the statement that continues.

One instruction may belong both to a statement without any of its own (`pass`, text) and to clean-up code. If the
statement at its position has instructions, that statement is dead code that left its position behind; the source tells.
"""

from footfall.own_builtins import keep_builtins
from footfall.probes.source_text import read_source, split_lines
from footfall.pythons import traced_opcodes

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    Position = tuple[int | None, int | None, int | None, int | None]

__all__ = ["PhantomLines"]

_OPCODES = traced_opcodes()
_POP_TOP, _DUP_TOP, _NOP = _OPCODES["pop_top"], _OPCODES["dup_top"], _OPCODES["nop"]
_PUSH_EXC_INFO, _POP_EXCEPT = _OPCODES["push_exc_info"], _OPCODES["pop_except"]
_RERAISE, _PREP_RERAISE_STAR, _RAISE_VARARGS = (
    _OPCODES["reraise"], _OPCODES["prep_reraise_star"], _OPCODES["raise_varargs"]
)  # fmt: skip
_JUMP_FORWARD, _JUMP_ABSOLUTE, _EXTENDED_ARG = (
    _OPCODES["jump_forward"], _OPCODES["jump_absolute"], _OPCODES["extended_arg"]
)  # fmt: skip
_LOAD_CONST, _RETURN_VALUE = _OPCODES["load_const"], _OPCODES["return_value"]
_COPY, _LIST_APPEND = _OPCODES["copy"], _OPCODES["list_append"]
_NEVER_GOES_ON = (_RETURN_VALUE, _JUMP_FORWARD, _JUMP_ABSOLUTE, _RERAISE, _RAISE_VARARGS)
_CLEAN_UP = (_POP_TOP, _DUP_TOP, _PUSH_EXC_INFO)
_NO_POSITION: "Position" = (None, None, None, None)
_UNDERSCORE = ord("_")
_WIDTHS_OF_NOTHING = (len("pass"), len("break"), len("return"))
_NOTHING = {
    b"pass", b"break", b"continue", b"return", b"global", b"nonlocal", b"if", b"while", b"None", b"True", b"False"
}  # fmt: skip
_TEXT = (b'"', b"'", b"...", b"r'", b'r"', b"b'", b'b"')


class PhantomLines:
    """The offsets of such events by code object. Code objects are kept, so that their ids are not reused."""

    def __init__(self) -> None:
        self._offsets: dict[int, frozenset[int]] = {}
        self._codes: list[CodeType] = []
        self._sources: dict[str, list[bytes]] = {}

    def offsets(self, code: "CodeType") -> frozenset[int]:
        """Return the offsets in the bytecode at which an event is a phantom."""
        found = self._offsets.get(id(code))
        if found is None:
            self._codes.append(code)
            found = self._offsets[id(code)] = frozenset(
                _find_phantoms(code, lambda position: self._is_nothing(code.co_filename, position))
            )
        return found

    def _is_nothing(self, filename: str, position: "Position") -> bool:
        """Return whether the statement at a position has no instructions of its own; True if there is no source."""
        line, last_line, column, end_column = position
        if line is None or column is None or end_column is None:
            return True
        if line == last_line and end_column - column in _WIDTHS_OF_NOTHING:
            return True
        lines = self._sources.get(filename)
        if lines is None:
            try:
                lines = split_lines(read_source(filename))
            except (OSError, ValueError):
                lines = []
            self._sources[filename] = lines
        if line > len(lines):
            return True
        text = lines[line - 1][column:]
        if line == last_line:
            text = text[: end_column - column]
        return _has_no_instructions(text)


class _Instruction:
    """An instruction with its EXTENDED_ARGs, at the offset of the first of them, which is that of its events."""

    __slots__ = ("argument", "line", "offset", "opcode", "position")

    def __init__(self, offset: int, opcode: int, argument: int, position: "Position") -> None:
        self.offset = offset
        self.opcode = opcode
        self.argument = argument
        self.position = position
        self.line = position[0]


def _instructions(code: "CodeType") -> list[_Instruction]:
    bytecode = code.co_code
    positions = list(code.co_positions())
    found = []
    argument = start = 0
    for at in range(0, len(bytecode), 2):
        argument = argument << 8 | bytecode[at + 1]
        if bytecode[at] != _EXTENDED_ARG:
            found.append(_Instruction(start, bytecode[at], argument, positions[start // 2]))
            argument = 0
            start = at + 2
    return found


def _find_phantoms(code: "CodeType", is_nothing: "Callable[[Position], bool]") -> list[int]:
    """Return the phantoms' offsets; `is_nothing` tells whether the statement at a position has no instructions."""
    instructions = _instructions(code)
    end = _Instruction(-1, _NOP, 0, _NO_POSITION)
    instructions += (end, end)
    none = code.co_consts.index(None) if None in code.co_consts else -1
    phantoms = []
    line_before = instructions[0].line  # the last line there was
    for index in range(1, len(instructions) - 2):
        before, at, following, next_but_one = instructions[index - 1 : index + 3]
        if before.line is not None:
            line_before = before.line
        if at.line is None:
            continue
        is_inside = at.line == line_before  # within a line: it is not a statement's first instruction
        opcode = at.opcode
        if opcode in _CLEAN_UP:
            is_phantom = at.line != following.line and before.opcode in _NEVER_GOES_ON
            if opcode == _POP_TOP:  # `case _:` and `except:` also begin by dropping a value, on their own line
                is_phantom = is_phantom and is_inside
        elif opcode == _NOP:  # a jump out of nested statements ends there; control falls through to what `pass` becomes
            is_phantom = is_inside and at.line != following.line
        elif opcode in (_JUMP_FORWARD, _JUMP_ABSOLUTE):
            is_phantom = is_inside
        elif opcode == _LIST_APPEND:  # the last `except*` clause ends there
            is_phantom = following.opcode == _PREP_RERAISE_STAR
        elif opcode == _COPY:
            is_phantom = following.opcode == _POP_EXCEPT and next_but_one.opcode == _RERAISE
        elif opcode == _RERAISE:  # a `finally` clause with only `pass` in it has no other instruction
            is_phantom = before.opcode != _PUSH_EXC_INFO and (is_inside or not is_nothing(at.position))
        elif opcode == _LOAD_CONST and following.opcode == _RETURN_VALUE and at.argument == none:
            is_phantom = is_inside or not is_nothing(at.position)
        else:
            is_phantom = False
        if is_phantom:
            phantoms.append(at.offset)
    return phantoms


def _has_no_instructions(text: bytes) -> bool:
    """Return whether text that begins a statement is `pass`, a constant, a jump, a bare annotation, `if` or `while`."""
    end = 0
    while end < len(text) and (text[end : end + 1].isalnum() or text[end] == _UNDERSCORE):
        end += 1
    if text[:end] in _NOTHING or text[:end].isdigit() or text.startswith(_TEXT):
        return True
    return text[end:].lstrip().startswith(b":") and b"=" not in text
