"""Random programs: every kind of statement, nested, in one-line and multi-line forms.

`generate_program(seed)` always returns the same text for a seed and a version of Python. The program runs without
arguments, ends by itself, prints nothing, never fails, and stores what it computed in `RESULT`. Used by the comparison
of the source analysis and by the differential tests that run them.
"""

import random
import sys
from collections.abc import Callable

from programs.expressions import NAMES, Callee, Expressions, Scope

__all__ = ["generate_program"]

Lines = list[str]

_PRELUDE = '''\
"""A random program."""
RESULT = []
_state = {seed}

def pick(n):
    global _state
    _state = (_state * 1103515245 + 12345) % 2147483648
    return _state // 65536 % n

def note(value):
    RESULT.append(value)
    return value

def attempt(function):
    try:
        value = note(function())
        return value if isinstance(value, int) else 0
    except Exception as error:
        note(type(error).__name__)
    return 0

def same(function):
    return function

def marked(*values):
    return same

class Oops(Exception):
    pass

class Guard:
    def __init__(self, swallows=0):
        self.swallows = swallows
    def __enter__(self):
        return 3
    def __exit__(self, *error):
        return self.swallows
    async def __aenter__(self):
        return await Nap(2)
    async def __aexit__(self, *error):
        return self.swallows

class Nap:
    def __init__(self, length):
        self.length = length
    def __await__(self):
        for _ in range(2):
            yield
        return self.length

async def count_up(n):
    for i in range(n):
        yield i
        await Nap(1)

def drive(coroutine):
    while True:
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return stop.value

a = b = c = 1
d = 2
TYPE_CHECKING = False
'''

_ERRORS = ("ValueError", "Oops", "KeyError", "ZeroDivisionError", "ValueError, KeyError")
_PRAGMAS = ("  # pragma: no cover", "  # pragma: no branch", "  # comment")


def generate_program(
    seed: int, version: tuple[int, int] = sys.version_info[:2], jumps_in_finally: bool = True, rounds: int = 0
) -> str:
    """Return a program; `jumps_in_finally` allows jumps out of finally clauses, which Python 3.14's compiler warns
    about.

    With `rounds`, all its functions are called that many more times, for compilers that wait until code is hot.
    """
    writer = _Writer(random.Random(seed), version, jumps_in_finally, rounds)
    return _PRELUDE.replace("{seed}", str(seed * 7919 + 17)) + "\n".join(writer.module()) + "\n"


class _Writer(Expressions):
    """Writes statements; each method returns lines, indented from 0."""

    def __init__(self, chance: random.Random, version: tuple[int, int], jumps_in_finally: bool, rounds: int) -> None:
        super().__init__(chance, version)
        self.jumps_in_finally = jumps_in_finally
        self.rounds = rounds

    def module(self) -> Lines:
        scope = Scope()
        lines: Lines = []
        for _ in range(self.chance.randint(2, 5)):
            added, callee = self._function(scope, 3)
            lines += added
            scope = scope.inside(callees=(*scope.callees, callee))
            lines += self._visit(callee)
        lines += self._suite(scope, 3, self.chance.randint(2, 6))
        for callee in scope.callees:
            lines += self._visit(callee) * self.chance.randint(1, 3)
        if self.rounds:
            visits = [line for callee in scope.callees for line in self._visit(callee)]
            lines += [f"for _ in range({self.rounds}):", *_indent([*visits, "del RESULT[:-20]"])]
        return [*lines, f"RESULT.extend([{', '.join(NAMES)}])"]

    def _visit(self, callee: Callee) -> Lines:
        call = f"{callee.name}(pick(5))"
        forms = {"generator": f"list({call})", "coroutine": f"drive({call})"}
        if callee.kind == "async generator":
            runner = self.new_name("runner")
            return [
                f"async def {runner}():",
                f"    return [v async for v in {call}]",
                f"attempt(lambda: drive({runner}()))",
            ]
        return [f"attempt(lambda: {forms.get(callee.kind, call)})"]

    # Suites

    def _suite(self, scope: Scope, depth: int, length: int | None = None) -> Lines:
        lines: Lines = []
        for _ in range(length or self.chance.choice((1, 1, 2, 3))):
            if depth > 1 and self.often(0.08) and scope.kind != "class":
                added, callee = self._function(scope, depth - 1)
                scope = scope.inside(callees=(*scope.callees, callee))
            else:
                added = self._statement(scope, depth)
            lines += added
            if self.often(0.08):
                lines.append(self.chance.choice(("", "# a comment", "    # an odd comment", "...", "'a string'")))
        return lines

    def _statement(self, scope: Scope, depth: int) -> Lines:
        if not self.afford(scope.factor) or depth <= 0 or self.often(0.35):
            return self._simple_line(scope)
        makers: list[Callable[[Scope, int], Lines]] = [
            self._if, self._if, self._for, self._while, self._try, self._try, self._with, self._match, self._constant_test,
            self._class,
        ]  # fmt: skip
        if self.often(0.15):
            makers = [self._try_star]
        return self.chance.choice(makers)(scope, depth - 1)

    def _clause(self, header: str, scope: Scope, depth: int) -> Lines:
        """Return `header` with a suite, on the same line or below."""
        if self.often(0.3):
            # coverage.py fails if a jump and more statements follow on the line of a `with`.
            length = 1 if "with " in header else self.chance.choice((1, 1, 2))
            statements = [self._one_liner(scope) for _ in range(length)]
            return [f"{header}: {'; '.join(statements)}"]
        pragma = self.chance.choice(_PRAGMAS) if self.often(0.06) else ""
        return [f"{header}:{pragma}", *_indent(self._suite(scope, depth))]

    # Simple statements

    def _simple_line(self, scope: Scope) -> Lines:
        if self.often(0.1):
            return ["; ".join((self._one_liner(scope), self._one_liner(scope))) + self.chance.choice(("", ";"))]
        if self.often(0.03) and scope.kind != "class":
            # Lines without bytecode, never alone: coverage.py fails on a `with` around nothing else.
            return [self.chance.choice(("x: int", "global zz")), self._one_liner(scope)]
        statement = self._one_liner(scope)
        if self.often(0.02):
            statement += self.chance.choice(_PRAGMAS)
        return [statement]

    def _one_liner(self, scope: Scope) -> str:
        name = self.chance.choice(NAMES)
        plain = [
            lambda: f"{name} = {self.expression(scope)}",
            lambda: f"{name} = {self.expression(scope)}",
            lambda: f"{name} += {self.expression(scope, 1)}",
            lambda: f"note({self.expression(scope)})",
            lambda: f"note({self.expression(scope)})",
            lambda: f"t = [{name}, 2]; del t[0]; del t",
            lambda: f"a, *_ = ({self.expression(scope, 1)},\n    4)",
            lambda: f"x: int = {self.expression(scope, 1)}",
            lambda: f"assert {name} == {name}, 'never'",
            lambda: self.chance.choice(("pass", "import math", "from os import (\n    path,\n    sep)", "x: int; pass", "global zz; pass")),
        ]  # fmt: skip
        if scope.kind == "class":
            plain.pop()
        if scope.can_yield:
            plain += [lambda: f"yield {self.expression(scope, 1)}"] * 4
        if scope.kind == "generator":
            plain += [lambda: f"a = (yield {name}) or 2", lambda: "yield from range(\n    2)"]
        if scope.is_async:
            plain += [lambda: f"{name} = await Nap({name})"] * 2
        if self.often(0.25) and (jumps := self._jumps(scope)):
            return self.chance.choice(jumps)
        return self.chance.choice(plain)()

    def _jumps(self, scope: Scope) -> Lines:
        jumps: Lines = []
        if scope.can_raise:
            jumps += [
                "raise ValueError",
                "raise Oops('why')",
                "raise KeyError(\n    1) from None",
                "assert pick(3), 'seldom'",
            ]
        if scope.in_loop:
            jumps += ["break", "continue"] * 2
        if scope.can_return:
            value = "" if scope.kind == "async generator" else f" {self.expression(scope)}"
            jumps += ["return", f"return{value}"]
        return jumps

    # Compound statements

    def _if(self, scope: Scope, depth: int) -> Lines:
        lines = self._clause(f"if {self.condition(scope)}", scope, depth)
        while self.often(0.3):
            lines += self._clause(f"elif {self.condition(scope)}", scope, depth)
        if self.often(0.4):
            lines += self._clause("else", scope, depth)
        return lines

    def _constant_test(self, scope: Scope, depth: int) -> Lines:
        test = self.chance.choice(
            ("0", "1", "True", "not 0", "__debug__", "not __debug__", "0 or 1", "TYPE_CHECKING", "None")
        )
        lines = self._clause(f"if {test}", scope, depth)
        if self.often(0.5):
            lines += self._clause("else", scope, depth)
        return lines

    def _loop_scope(self, scope: Scope) -> Scope:
        return scope.inside(in_loop=True, factor=scope.factor * 3)

    def _for(self, scope: Scope, depth: int) -> Lines:
        inner = self._loop_scope(scope)
        name = self.chance.choice(NAMES)
        source = self.chance.choice(
            ("range(3)", "range(pick(4))", "(1, 2)", "[\n    0, pick(2)]", "zip((1, 2), (3, 4))")
        )
        target = f"({name}, _)" if source.startswith("zip") else name
        head = "for"
        if scope.is_async and self.often(0.5):
            # The body must not leave the loop: when an abandoned generator ends is not known on PyPy.
            lines = [f"async for {name} in count_up({self.chance.randint(0, 3)}):", f"    note({name})"]
        else:
            lines = self._clause(f"{head} {target} in {source}", inner, depth)
        if self.often(0.3):
            lines += self._clause("else", scope, depth)
        return lines

    def _while(self, scope: Scope, depth: int) -> Lines:
        inner = self._loop_scope(scope)
        count = self.new_name("n")
        if self.often(0.15):
            return [f"{count} = 0", f"while {count} < 3: {count} += 1"]
        test = self.chance.choice(
            (f"{count} < 3", "True", "1", self.condition(scope), f"{count} < 2 and (\n    pick(3))", "0")
        )
        stop = [f"{count} += 1", f"if {count} > 3: break"]
        if self.often(0.5):
            stop[1:] = [f"if {count} > 3:", "    break"]
        lines = [f"{count} = 0", f"while {test}:", *_indent([*stop, *self._suite(inner, depth)])]
        if self.often(0.3):
            lines += self._clause("else", scope, depth)
        return lines

    def _try(self, scope: Scope, depth: int) -> Lines:
        handlers = [self.chance.choice(_ERRORS) for _ in range(self.chance.choice((0, 1, 1, 2)))]
        catch_all = self.chance.choice(("", "Exception", "Exception as e")) if self.often(0.5) else None
        has_finally = self.often(0.4) or not (handlers or catch_all is not None)
        can_raise = scope.can_raise or catch_all is not None
        lines = self._clause("try", scope.inside(can_raise=can_raise), depth)
        for errors in handlers:
            errors = f"({errors})" if "," in errors and (self.version < (3, 14) or self.often(0.5)) else errors
            lines += self._clause(f"except {errors}", scope, depth)
        if catch_all is not None:
            lines += self._clause(f"except {catch_all}".rstrip(), scope, depth)
        if (handlers or catch_all is not None) and self.often(0.3):
            lines += self._clause("else", scope, depth)
        if has_finally:
            # A yield here would make closing the generator fail.
            kind = {"generator": "function", "async generator": "async generator"}.get(scope.kind, scope.kind)
            jumps = self.jumps_in_finally
            inner = scope.inside(kind=kind, can_leave=scope.can_leave and jumps, in_loop=scope.in_loop and jumps)
            lines += self._clause("finally", inner, depth)
        return lines

    def _try_star(self, scope: Scope, depth: int) -> Lines:
        inner = scope.inside(can_leave=False, in_loop=False)
        body = self._suite(scope.inside(can_raise=True), depth)
        if self.often(0.5):
            body.append("raise ExceptionGroup('some', [ValueError(1), Oops()])")
        lines = ["try:", *_indent(body)]
        lines += self._clause(f"except* {self.chance.choice(('Oops', '(Oops, KeyError)'))}", inner, depth)
        return lines + self._clause("except* Exception", inner, depth)

    def _with(self, scope: Scope, depth: int) -> Lines:
        swallows = self.chance.choice(("", "pick(2)", "1"))
        items = self.chance.choice((
            f"Guard({swallows})",
            f"Guard({swallows}) as a",
            f"Guard(), Guard({swallows})",
            f"(Guard({swallows}) as a,\n    Guard())",
            "(\n    Guard(\n    1),\n    Guard() as b\n)",
            f"Guard({swallows}), \\\n    Guard()",
        ))  # fmt: skip
        head = "async with" if scope.is_async and self.often(0.5) else "with"
        swallows_all = swallows == "1" and items.startswith(("Guard(1)", "(Guard(1)"))
        return self._clause(f"{head} {items}", scope.inside(can_raise=scope.can_raise or swallows_all), depth)

    def _match(self, scope: Scope, depth: int) -> Lines:
        subject = self.chance.choice(
            ("pick(4)", "(pick(2), pick(3))", "{'k': pick(2)}", "[pick(2),\n    a]", "Guard(pick(2))")
        )
        patterns = [
            "0",
            "1 | 2",
            "(0, y)",
            "[1, *_]",
            "{'k': 1, **rest}",
            "Guard(swallows=1)",
            "int(y)",
            "(\n    3)",
            "-1",
            "[_, _]",
        ]
        cases: Lines = []
        for _ in range(self.chance.randint(1, 3)):
            guard = f" if {self.condition(scope, 1)}" if self.often(0.3) else ""
            cases += self._clause(f"case {self.chance.choice(patterns)}{guard}", scope, depth)
        if self.often(0.5):
            cases += self._clause(
                self.chance.choice(("case _", "case other", "case (1 | _)", "case _ if pick(2)")), scope, depth
            )
        return [f"match {subject}:", *_indent(cases)]

    def _class(self, scope: Scope, depth: int) -> Lines:
        name = self.new_name("Class")
        header = f"class {name}" + self.chance.choice(("", "(Guard)", "(\n    object)"))
        if self.version >= (3, 12) and self.often(0.2):
            header = f"class {name}[T]"
        if self.often(0.2):
            return [*self._decorators(), f"{header}: pass"]
        inner = Scope(kind="class", can_raise=scope.can_raise, factor=scope.factor, callees=())
        lines = ['"""Doc\nstring."""'] if self.often(0.3) else []
        lines += self._suite(inner, min(depth, 1))
        method, callee = self._function(inner.inside(factor=1), min(depth, 1), is_method=True)
        lines += method
        lines = [*self._decorators(), f"{header}:", *_indent(lines)]
        if callee.kind == "plain" and self.afford(callee.cost * scope.factor):
            lines.append(f"attempt(lambda: {name}.{callee.name}(None, 2))")
        return lines

    # Functions

    def _decorators(self) -> Lines:
        lines: Lines = []
        while self.often(0.2):
            lines.append(self.chance.choice(("@same", "@marked(\n    1,\n    2)", "@marked(1)", "@(\n    same)")))
        return lines

    def _function(self, scope: Scope, depth: int, is_method: bool = False) -> tuple[Lines, Callee]:
        name = self.new_name("function")
        kind = self.chance.choice(("plain", "plain", "plain", "generator", "coroutine", "async generator"))
        keyword = "async def" if kind in ("coroutine", "async generator") else "def"
        parameter = "[T]" if self.version >= (3, 12) and self.often(0.1) else ""
        hint = self.chance.choice(("", "", ": int", ": (\n    int)"))
        first = "self, " if is_method else ""
        signature = self.chance.choice((
            f"{keyword} {name}{parameter}({first}p{hint})",
            f"{keyword} {name}{parameter}({first}p{hint}) -> int",
            f"{keyword} {name}{parameter}(\n    {first}p{hint}=pick(2),  # default\n)",
        ))  # fmt: skip
        if kind == "plain" and self.often(0.1):
            return [*self._decorators(), f"{signature}: return p + {self.chance.randint(1, 3)}"], Callee(name, kind, 2)
        self.spent.append(0)
        inner_kind = "function" if kind == "plain" else kind
        inner = Scope(kind=inner_kind, can_raise=True, callees=scope.callees)
        body = self._suite(inner, depth, self.chance.randint(1, 5))
        cost = self.spent.pop() + 10
        start = ["'''Doc.\n'''"] if self.often(0.2) else []
        if scope.kind == "function" and self.often(0.3):
            start += ["nonlocal a", "a += p; b = c = d = 1"]
        elif self.often(0.2):
            start += ["global d", "a = b = c = p"]
        else:
            start += ["a = b = c = d = p"]
        if kind in ("generator", "async generator"):
            start.append("yield a")
        if kind == "coroutine" and self.often(0.5):
            start.append("await Nap(1)")
        if self.version >= (3, 12) and self.often(0.05):
            start.append("type Alias = (\n    int)")
        pragma = self.chance.choice(_PRAGMAS) if self.often(0.04) else ""
        return [*self._decorators(), f"{signature}:{pragma}", *_indent([*start, *body])], Callee(name, kind, cost)


def _indent(lines: Lines) -> Lines:
    """Indent statements, including their continuation lines and lines inside strings, where it does no harm."""
    return ["    " + line.replace("\n", "\n    ") for line in lines]
