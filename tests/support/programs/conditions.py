"""Random programs that are full of conditions: operands in every place and shape, most of them with few outcomes.

`generate_conditions(seed)` returns the same text for the same seed. The programs end, never fail, and store what they
computed in `RESULT`. Used by the differential test of condition coverage.
"""

import random

__all__ = ["generate_conditions"]

_NAMES = ("a", "b", "c", "d")
_PRELUDE = """\
RESULT = []

def same(value):
    return value

def note(value):
    RESULT.append(repr(value))
    return value

"""


def generate_conditions(seed: int) -> str:
    """Return one program of three functions, each called a few times."""
    chance = random.Random(seed)
    maker = _Maker(chance)
    parts = [_PRELUDE]
    for number in range(3):
        parts.append(f"def f{number}(a, b, c, d):\n" + "\n".join(maker.body(1, chance.randint(2, 4))) + "\n\n")
        for _ in range(chance.randint(1, 3)):
            values = ", ".join(chance.choice(("0", "1", "2", "None")) for _ in _NAMES)
            parts.append(f"try:\n    note(f{number}({values}))\nexcept Exception as error:\n    note(type(error))\n")
    return "".join(parts)


class _Maker:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def leaf(self) -> str:
        one, two = self.chance.choice(_NAMES), self.chance.choice(_NAMES)
        return self.chance.choice(
            (one, one, one, f"{one} is None", f"{one} is not None", f"same({one}) is None", f"{one} == {two}",
             f"{one} in ({two}, 1)", f"{one} not in (0, 1)", "0", "1", "None", "()", f"({one} := {two})",
             f"not {one}", f"{one} is {two}", f"same({one})", f"[{one}][0]", f'f"{{{one}}}"')
        )  # fmt: skip

    def expression(self, depth: int) -> str:
        if depth <= 0:
            return self.leaf()
        make = self.expression
        kind = self.chance.randrange(13)
        one, two, three = (make(depth - 1) for _ in range(3))
        name = self.chance.choice(_NAMES)
        if kind < 4:
            operator = self.chance.choice((" and ", " or ", "\n and ", " or\n "))
            return f"({operator.join((one, two, three)[: self.chance.randint(2, 3)])})"
        if kind == 4:
            return f"(not {one})"
        if kind == 5:
            return f"({one} if {two} else {three})"
        if kind == 6:
            return f"(({one}) != ({two}) == ({three}))"
        if kind == 7:
            return f"({self.chance.randint(0, 2)} < len(str({one})) <= {self.chance.randint(1, 4)} != {name!s})"
        if kind == 8:
            return f"(lambda {name}: {one})({self.chance.choice(('0', '1', name))})"
        if kind == 9:
            return f"[{self.quiet(depth)} for x in (0, 1, None) if {self.quiet(depth)} if x is not None]"
        if kind == 10:
            return f"any({self.quiet(depth)} for x in (0, 1) for {name} in (x, 2) if {self.quiet(depth)} or x)"
        if kind == 11:
            return f"{{x: {self.quiet(depth)} for x in (1, 2) if {self.quiet(depth)} and x}}"
        return f"same(({one}) and ({two}))"

    def quiet(self, depth: int) -> str:
        """Return an expression without assignments, which comprehensions forbid in places; or the loop's own name."""
        if self.chance.random() < 0.3:
            return "x"
        while ":=" in (found := self.expression(min(depth - 1, 1))):
            pass
        return found

    def body(self, indent: int, n: int, in_loop: bool = False) -> list[str]:
        return [line for _ in range(n) for line in self.statement(indent, in_loop)]

    def statement(self, indent: int, in_loop: bool) -> list[str]:
        margin = "    " * indent
        test = self.expression(self.chance.randint(0, 2))
        name = self.chance.choice(_NAMES)
        kind = self.chance.randrange(13 if indent < 3 else 6)
        plain = [f"{margin}{name} = {test}"]
        if kind == 0:
            return [f"{margin}try: assert {test}, 'no'", f"{margin}except AssertionError: note('failed')"]
        if kind == 1:
            return [f"{margin}if {test}: note(1)"]
        if kind == 2 and in_loop:
            return [f"{margin}if {test}: {self.chance.choice(('continue', 'break'))}"]
        if kind == 3 and self.chance.random() < 0.4:
            return [f"{margin}if {test}: return {self.expression(1)}"]
        if kind < 6:
            return plain

        def body(inside: bool = in_loop) -> list[str]:
            return self.body(indent + 1, self.chance.randint(1, 2), inside)

        if kind < 9:
            found = [f"{margin}if {test}:", *body()]
            if self.chance.random() < 0.5:
                found += [f"{margin}elif {self.expression(1)}:", *body()]
            return found + ([f"{margin}else:", *body()] if self.chance.random() < 0.5 else [])
        if kind == 9:
            return [f"{margin}for {name} in (0, 1, None):", *body(True)]
        if kind == 10:
            loop = f"n{indent}"
            return [f"{margin}{loop} = 3", f"{margin}while {loop} and ({loop} := {loop} - 1) and {test}:", *body(True)]
        if kind == 11:
            handler = [f"{margin}except TypeError:", *body()] if self.chance.random() < 0.5 else []
            return [f"{margin}try:", *body(), *handler, f"{margin}finally:", *self.body(indent + 1, 1)]
        cases = [f"{margin}    case {pattern} if {self.expression(1)}: note(2)" for pattern in ("None", "0 | 1", "[_]")]
        return [f"{margin}match {test}:", *cases, f"{margin}    case _ if {test}: note(3)"]
