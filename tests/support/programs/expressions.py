"""Expressions for random programs: all with integer values, on one line or several. Used by `programs`."""

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace

__all__ = ["Callee", "Expressions", "Scope"]

NAMES = ("a", "b", "c", "d")


@dataclass(frozen=True)
class Callee:
    """A function that a program may call here; `cost` is an upper bound for the statements that a call runs."""

    name: str
    kind: str  # plain, generator, coroutine, async generator
    cost: int


@dataclass(frozen=True)
class Scope:
    """What is allowed at one place of a program. `factor` is the product of the loops around it in its function."""

    kind: str = "module"  # or function, generator, coroutine, async generator, class
    in_loop: bool = False
    can_raise: bool = False
    can_leave: bool = True  # False inside except*, where jumps out are syntax errors
    factor: int = 1
    callees: tuple[Callee, ...] = ()

    @property
    def is_async(self) -> bool:
        return self.kind in ("coroutine", "async generator")

    @property
    def can_return(self) -> bool:
        return self.can_leave and self.kind not in ("module", "class")

    @property
    def can_yield(self) -> bool:
        return self.kind in ("generator", "async generator")

    def inside(self, **changes: object) -> "Scope":
        """Return this scope with some properties changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass
class Expressions:
    """Makes expressions from a seeded random source and tracks what a function's body may cost."""

    chance: random.Random
    version: tuple[int, int] = sys.version_info[:2]
    spent: list[int] = field(default_factory=lambda: [0])
    n_names: int = 0

    def often(self, share: float) -> bool:
        """Return True with that probability."""
        return self.chance.random() < share

    def new_name(self, prefix: str) -> str:
        """Return a name that occurs nowhere else."""
        self.n_names += 1
        return f"{prefix}{self.n_names}"

    def afford(self, cost: int, limit: int = 1200) -> bool:
        """Add `cost` to that of the function being written and return True, unless that exceeds the limit."""
        if self.spent[-1] + cost > limit:
            return False
        self.spent[-1] += cost
        return True

    def expression(self, scope: Scope, depth: int = 2) -> str:
        """Return an expression with an integer value."""
        makers: list[Callable[[Scope, int], str]] = [self._simple]
        if depth > 0:
            makers += [
                self._sum,
                self._ternary,
                self._lambda,
                self._comprehension,
                self._lines,
                self._text,
                self._display,
            ]
            makers += [self._call] * 3
            if scope.can_raise:
                makers.append(lambda scope, depth: self.chance.choice(("(6 // pick(3))", "{0: 1, 1: 2}[pick(3)]")))
            if scope.is_async:
                makers.append(self._await)
        return self.chance.choice(makers)(scope, depth - 1)

    def condition(self, scope: Scope, depth: int = 2) -> str:
        """Return an expression whose truth is (nearly always) unpredictable."""
        first = self.chance.choice(("pick(2)", "pick(3)", "not pick(2)", "pick(3) == 1", "a % 2", "1 < pick(5) < 4"))
        if depth <= 0 or self.often(0.5):
            return first
        second = self.condition(scope, depth - 1)
        join = self.chance.choice(("and", "or"))
        forms = [
            f"{first} {join} {second}",
            f"({first}\n    {join} {second})",
            f"({first} {join}\n    ({second}))",
            f"{first} {join} \\\n    {second}",
            f"not ({first} {join} {second})",
            f"({second} if {first} else pick(2))",
            f"any([{first} for _ in range(2)])",
            f"all({first} {join} _ for _ in (1, 0, 2))",
        ]
        if scope.kind != "class":
            forms.append(f"((w := {first}) {join} w)")
        return self.chance.choice(forms)

    def _simple(self, scope: Scope, depth: int) -> str:
        return self.chance.choice((*NAMES, "pick(4)", "1", "7"))

    def _sum(self, scope: Scope, depth: int) -> str:
        return f"{self.expression(scope, depth)} + {self.expression(scope, depth)}"

    def _ternary(self, scope: Scope, depth: int) -> str:
        gap = self.chance.choice((" ", "\n    "))
        one, other = self.expression(scope, depth), self.expression(scope, depth)
        return f"({one}{gap}if {self.condition(scope, 1)}{gap}else {other})"

    def _lambda(self, scope: Scope, depth: int) -> str:
        inner = self._inner(scope, depth)
        return self.chance.choice((f"(lambda x: x + {inner})(1)", f"(lambda x=2:\n    {inner} +\n    x)()"))

    def _inner(self, scope: Scope, depth: int) -> str:
        """Return an expression for a lambda or comprehension: no await, and in a class no assignment either."""
        kind = "class" if scope.kind == "class" else "function"
        return self.expression(Scope(kind=kind, can_raise=scope.can_raise), depth)

    def _comprehension(self, scope: Scope, depth: int) -> str:
        inner = self._inner(scope, depth)
        test = self.chance.choice(("", " if pick(2)", "\n    if x"))
        gap = self.chance.choice((" ", "\n    "))
        return self.chance.choice((
            f"sum([x +{gap}{inner}{gap}for x in range(3){test}])",
            f"sum({inner}{gap}for x in (1, 2){gap}for y in range(x){test})",
            f"len({{x: {inner}{gap}for x in range(2){test}}})",
            f"sum({{x for x in range(3){test}}})",
        ))  # fmt: skip

    def _lines(self, scope: Scope, depth: int) -> str:
        one, other = self.expression(scope, depth), self.expression(scope, depth)
        return self.chance.choice((
            f"(\n    {one}\n    + {other}\n)",
            f"max({one},\n    {other},  # comment )\n    1)",
            f"sum([\n    {one},\n\n    {other}])",
            f"min(\n    {one}, {other})",
        ))  # fmt: skip

    def _text(self, scope: Scope, depth: int) -> str:
        forms = [
            'len("""two\nlines # (\n""")',
            "len('a \\\nb')",
            'len(f"{a!r:>4}")',
            'len(f"""{b}\n{c + 1:d}""")',
            'len(r"\\\\")',
        ]
        if self.version >= (3, 12):
            forms += ['len(f"{"x" + f"{a}{"}"}"}")', 'len(f"{a:{len("]")}}{{")', 'len(f"{\n    b # }\n    + 1}")']
        if self.version >= (3, 14):
            forms += ['len(t"{a + 1}{"x"}".interpolations)']
        return self.chance.choice(forms)

    def _display(self, scope: Scope, depth: int) -> str:
        one = self.expression(scope, depth)
        return self.chance.choice((f"[{one}, 2,\n    3][0]", f"{{'k': {one},\n    **{{}}}}['k']", f"(1, {one})[1]"))

    def _call(self, scope: Scope, depth: int) -> str:
        kinds = {"plain", "generator"} | ({"coroutine", "async generator"} if scope.is_async else set())
        callees = [callee for callee in scope.callees if callee.kind in kinds]
        if not callees:
            return self._simple(scope, depth)
        callee = self.chance.choice(callees)
        if not self.afford(callee.cost * scope.factor):
            return self._simple(scope, depth)
        argument = self.expression(scope, 0)
        call = f"({callee.name}({argument}) or 0)"
        if callee.kind == "generator":
            call = f"sum({callee.name}({argument}))"
        if callee.kind == "coroutine":
            call = f"(await {callee.name}({argument}) or 0)"
        if callee.kind == "async generator":
            call = f"sum([v async for v in {callee.name}({argument})])"
        if not scope.can_raise:
            # Only plain calls: there is no await in the function that catches.
            return f"attempt(lambda: {call})" if callee.kind in ("plain", "generator") else argument
        return call

    def _await(self, scope: Scope, depth: int) -> str:
        return self.chance.choice(("(await Nap(a))", "sum([v async for v in count_up(2)])", "(await\n    Nap(2))"))
