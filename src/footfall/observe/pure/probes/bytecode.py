"""Where bytecode loads constants one after the other, as statement probes do."""

import sys

from footfall.own_builtins import keep_builtins
from footfall.pythons import traced_opcodes

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Opcodes", "runs_of_constants"]

_PYPY = traced_opcodes() if sys.implementation.name == "pypy" else None  # later the finders could be the program's


class Opcodes:
    """The numbers of NOP, STORE_SUBSCR, LOAD_CONST and EXTENDED_ARG in this interpreter."""

    def __init__(self) -> None:
        if _PYPY is not None:
            self.nop, self.store, self.load, self.extended = (
                _PYPY[name] for name in ("nop", "store_subscr", "load_const", "extended_arg")
            )
            return
        # each code begins with RESUME; in the last one, every name takes LOAD_NAME and POP_TOP
        nothing = compile("pass\npass", "", "exec", dont_inherit=True).co_code
        store = compile("'a'['b'] = 'c'", "", "exec", dont_inherit=True).co_code
        names = compile("\n".join(f"a{number}" for number in range(257)), "", "exec", dont_inherit=True).co_code
        self.nop, self.store, self.load, self.extended = nothing[2], store[8], store[2], names[2 + 256 * 4]


def runs_of_constants(bytecode: bytes, opcodes: Opcodes) -> "Iterator[tuple[list[tuple[int, int]], int, int]]":
    """Yield instructions that load constants one after the other: the offset and constant of each.

    With them come the opcode that follows and its offset.
    """
    load, extended = opcodes.load, opcodes.extended
    loads: list[tuple[int, int]] = []
    argument = begin = 0
    for at in range(0, len(bytecode), 2):
        opcode = bytecode[at]
        argument = argument << 8 | bytecode[at + 1]
        if opcode == extended:
            continue
        if opcode == load:
            loads.append((begin, argument))
        elif loads:
            yield loads, opcode, at
            loads = []
        argument = 0
        begin = at + 2
