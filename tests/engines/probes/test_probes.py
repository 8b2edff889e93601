"""Probes and what they say, against coverage.py's C tracer: the same programs, the same lines and branches."""

from __future__ import annotations

import os
import re
import sys
import traceback

import pytest

from footfall.analyze.source.analysis import analyze_source
from footfall.analyze.source.exclude import ExclusionRules
from footfall.probes.forms import HEADER, read_header
from footfall.probes.mode import mode_here
from programs.probed import armed, instrument, run_with_probes

PROGRAMS = {
    "if, elif and else": """\
x = 1
if x:
    y = 2
else:
    y = 3
if not x:
    y = 4
elif x == 2:
    y = 5
elif x == 1:
    y = 6
z = 7
""",
    "loops, break, continue and returns": """\
def f(n):
    \"""doc\"""
    global q
    for i in range(n):
        if i == 3:
            break
        if i == 7: continue
        j = i
    else:
        k = 1
    while n:
        n -= 1
        if n == 1:
            return n
    return 0
f(2); f(5)
for i in []:
    pass
f(0)
""",
    "try with handlers, else and finally": """\
def f(n):
    try:
        if n == 0: raise ValueError
        if n == 1: return 4
        x = 1 / (n - 2)
    except ZeroDivisionError:
        y = 1
    except (TypeError,
            ValueError):
        y = 2
    except KeyError: pass
    else:
        y = 3
    finally:
        if n:
            z = 1
    return y
f(1)
f(2)
f(4)
""",
    "with around jumps": """\
import contextlib
def g(n):
    with contextlib.nullcontext() as c:
        if n: return 2
        for i in range(n):
            pass
    with contextlib.nullcontext() as c, \\
         contextlib.nullcontext() as d:
        if n:
            x = 1
    for i in range(3):
        with contextlib.suppress(ValueError):
            if i == 1: continue
            if i == 2: raise ValueError
    return 5
g(0)
""",
    "match": """\
def h(x):
    match x:
        case 1:
            return 1
        case 2: return 2
        case [a, b] if a:
            y = 1
        case [a, b]:
            y = 2
        case str(): y = 5
        case {"a": 1}:
            y = 6
    return y
h(1); h([0, 1]); h("a")
match h({"a": 1}):
    case 7:
        pass
    case _:
        x = 8
""",
    "definitions and decorators": """\
def deco(*a):
    def inner(f): return f
    return inner
@deco(1)
@deco(
  2)
def f(a=1,
      b=2):
    return a
@staticmethod
def h(): return 3
class A(object):
    \"""d\"""
    x = 1
    def m(self): pass
    def n(self) -> int: return 4
class B: pass
class C:
    \"""only\"""
f()
def g():
    \"""only doc\"""
g()
lambda: 1
A().m()
""",
    "async and generators": """\
import asyncio
async def a():
    for i in range(2):
        yield i
async def m():
    async for i in a():
        if i:
            break
    else:
        x = 1
    x = [i async for i in a() if i]
    async with asyncio.Lock() as l:
        y = 2
    return x
asyncio.run(m())
def gen():
    x = yield 1
    y = yield from [1, 2]
    return 3
list(gen())
next(gen())
""",
    "constant tests and multi-line statements": """\
try:
    a = 1
    b = undefined
    c = 2
except NameError as e:
    d = 3
finally:
    f = 4
while True:
    a += 1
    if a > 5: break
if 0:
    x = 1
if 1:
    x = 2
else:
    x = 3
assert x == 2, "no"
while 0: x = 4
x = [
  i
  for i in range(3)
  if i
]
del x
raise ValueError(
 1)
""",
    "one-line bodies": """\
from __future__ import annotations
import sys; import os
if sys: x = 1; y = 2
if not sys: x = 1
if sys: y = 1
else: y = 2
for i in range(3): x = i
for i in range(3):
    if i: pass
    else: x = 3
while x: x -= 1
try: x = 1 / 0
except ZeroDivisionError: x = 1
else: x = 2
finally: x = 3
with open("/dev/null") as f: x = 1
class D: x = 1
def f(): return 1
f()
x = 1 if y else 2
""",
    "except star": """\
def f(x):
    for i in range(2):
        try:
            raise ExceptionGroup("a", [ValueError(1), TypeError(2)])
        except* ValueError as e:
            if x: raise ValueError
        except* TypeError:
            if x:
                y = 1
    return 3
f(0)
f(1)
""",
    "dead code after a jump on its line": """\
def f(x):
    try:
        if x: return 1; y = 2
        raise ValueError; z = 3
    except ValueError: return 4; w = 5
    finally:
        v = 6
f(0)
f(1)
""",
    "annotations without a value": """\
def f(x):
    if x:
        y: int
        z = 1
    w: int
    return 2
f(1)
a: int
""",
    "a raise in the first decorator": """\
def bad(x): raise ValueError
def same(f): return f
@same
@bad(1)
@same
def f(): pass
""",
    "an elif whose first body completes": """\
def f(x):
    if x == 1:
        y = 1
    elif x == 2:
        raise ValueError
    z = 3
f(1)
""",
    "an exception in a test on a line with a raise": """\
def f(x):
    if x.y: raise ValueError
    return 1
try: f(1)
except AttributeError: pass
""",
    "a loop left through a finally that ends with an if": """\
def f(x):
    for i in range(3):
        try:
            if x == 1: continue
            if x == 2: break
            if x == 3: return i + 1
            if x == 4: raise ValueError
        finally:
            if i == 9:
                z = 1
            else:
                for q in range(1): z = 2
for k in (1, 2, 3, 4):
    try: f(k)
    except ValueError: pass
""",
    "nested finally clauses that end with branches": """\
def f(x):
    try:
        try:
            return g(x)
        except KeyError: y = 2
        finally:
            match x:
                case 1: y = 1
                case 3: y = 3
    finally:
        while x > 10: x -= 1
    return 4
def g(x):
    if x == 1: raise KeyError
    if x == 2: raise ValueError
    return x
for k in (3,2,11):
    try: f(k)
    except ValueError: pass
try:
    x = 1
finally:
    if x > 2: x = 4
y = 1
for i in range(3):
    try:
        if i: break
        undefined
    except NameError: continue
    finally:
        if i > 1: x = 2
class A:
    try:
        x = 1
    finally:
        if x == 3:
            x = 2
    z = list(locals())
assert A.z == ["__module__", "__qualname__", "x"], A.z
""",
}


def _missing(source: str, filename: str, lines: set[int], arcs: set[tuple[int, int]]) -> tuple[list[int], list[object]]:
    """Missing statements and missing branch arcs, as coverage.py works them out."""
    parsed = pytest.importorskip("coverage.parser").PythonParser(text=source, filename=filename, exclude="# nothing")
    parsed.parse_source()
    taken = parsed.translate_arcs(arcs)
    branch_lines = {line for line, count in parsed.exit_counts().items() if count > 1}
    missing = [arc for arc in parsed.arcs() if arc[0] in branch_lines and arc not in taken]
    return sorted(parsed.statements - parsed.translate_lines(lines)), sorted(missing)


def _run_with_tracer(source: str, filename: str) -> set[tuple[int, int]]:
    coverage = pytest.importorskip("coverage")
    code = compile(source, filename, "exec", dont_inherit=True)
    tool = coverage.Coverage(branch=True, data_file=None, config_file=False, include=[filename])
    tool.start()
    try:
        exec(code, {"__name__": "__main__", "__file__": filename})
    except Exception:
        pass
    finally:
        tool.stop()
    return set(tool.get_data().arcs(filename) or ())


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="the C tracer is for CPython")
@pytest.mark.parametrize("name", PROGRAMS)
def test_equals_the_c_tracer(name, tmp_path, monkeypatch):
    """Missing lines and branches are those of coverage.py's C tracer."""
    monkeypatch.setenv("COVERAGE_CORE", "ctrace")
    source = PROGRAMS[name]
    filename = str(tmp_path / "program.py")
    with open(filename, "w") as file:
        file.write(source)
    arcs = _run_with_tracer(source, filename)
    traced = {abs(line) for arc in arcs for line in arc}
    assert _missing(source, filename, *run_with_probes(source, filename)) == _missing(source, filename, traced, arcs)


_LINES_OF_NOTHING = """\
def meet(a):
    match a:
        case 0:
            global g
        case 1:
            len("")
            b: int
        case 2 if a:
            if a > 5:
                pass
            else:
                global h
        case 3:
            match a:
                case _:
                    c: int
            for d in "ab":
                len(d)
            else:
                e: int; global i
        case _:
            f: str
    return a
def clean_up(fails):
    try:
        if fails:
            raise LookupError
    finally:
        if a:
            global j
for a in range(5): meet(a)
clean_up(False)
match a:
    case 4:
        try: clean_up(True)
        except LookupError: a = 0
        global k
"""
"""Run whole, but for line 10."""


def test_statements_without_instructions_run_where_the_compiler_gives_them_a_line(tmp_path):
    """PyPy does at the end of a `case` and of a `finally` that an exception entered; with both ways to and from them."""
    path = str(tmp_path / "program.py")
    analysis = analyze_source(_LINES_OF_NOTHING, path, ExclusionRules())
    for with_branches in (False, True):
        lines, arcs = run_with_probes(_LINES_OF_NOTHING, path, with_branches)
        assert analysis.statements - lines == {10}
    taken = analysis.translate_arcs(arcs)
    missing = {
        arc for arc in analysis.arcs - taken if analysis.exit_counts[arc[0]] > 1 and arc[0] not in analysis.no_branch
    }
    assert missing == {(9, 10), (34, -1)}


@pytest.mark.parametrize("name", PROGRAMS)
def test_lines_do_not_depend_on_branches(name):
    """Without branch probes the same lines are seen."""
    source = PROGRAMS[name]
    lines = run_with_probes(source, "program.py", with_branches=False)[0]
    assert lines == run_with_probes(source, "program.py", with_branches=True)[0]


@pytest.mark.parametrize("name", PROGRAMS)
def test_unarmed_probes_do_nothing(name):
    """Instrumented code that nobody armed runs as plain code does, where probes are comparisons."""
    if sys.implementation.name == "pypy":
        pytest.skip("on PyPy unarmed code is never run")
    source = PROGRAMS[name]
    outcomes = []
    for code in (compile(source, "program.py", "exec", dont_inherit=True), instrument(source, "program.py")[0]):
        namespace: dict[str, object] = {"__name__": "__main__"}
        try:
            exec(code, namespace)
        except Exception as error:
            outcomes.append((type(error), str(error)))
        outcomes.append(sorted(name for name in namespace if name != "__builtins__"))
    assert outcomes[: len(outcomes) // 2] == outcomes[len(outcomes) // 2 :]


_FAILING = """\
import sys
import traceback
def boom(x=1):
    raise ValueError(x)
def in_test(x):
    if x:
        if x > 1 and boom():
            return 1
def in_iterator(x):
    for i in boom():
        x = i
def in_with(x):
    class Guard:
        def __enter__(self): return self
        def __exit__(self, *error): assert error[2].tb_lineno == 16, error[2].tb_lineno
    with Guard():
        while boom(): x = 1
def in_try(x):
    try:
        if boom(): x = 1
    finally:
        if sys.exc_info()[1].args[0] == 1: x = 2
def in_case(x):
    match x:
        case 1: x = 1
        case int() if boom(): x = 3
def in_body(x):
    if x:
        for i in range(3):
            boom(i)
def in_return(x):
    try:
        if x: return boom()
    except ValueError as error:
        if error.__context__ is None: raise KeyError(2)
def unmatched(x):
    try: boom()
    except KeyError: return; x = 2
def chained(x):
    try:
        boom()
    except ValueError as error:
        if boom(2): x = 1
"""


def _traceback_of(code, name):
    namespace = {"__name__": "__main__"}
    exec(code, namespace)
    try:
        namespace[name](2)
    except Exception as error:
        found = []
        while error is not None:
            frames = list(traceback.walk_tb(error.__traceback__))[1:]
            found.append((repr(error), [(frame.f_code.co_name, line) for frame, line in frames]))
            error = error.__context__
        return found


@pytest.mark.parametrize("name", re.findall(r"^def (in_\w+|unmatched|chained)", _FAILING, re.MULTILINE))
def test_tracebacks_are_those_of_a_plain_run(name):
    """An exception that probes watch keeps its traceback and its context, and they see it pass."""
    plain = _traceback_of(compile(_FAILING, "program.py", "exec"), name)
    assert plain
    assert _traceback_of(armed(_FAILING, "program.py")[0], name) == plain


def test_deeply_nested_blocks_still_compile():
    """Probes never nest blocks deeper than the compiler allows."""
    lines = ["def f(x):"]
    for depth in range(13):
        lines.append(f"{'  ' * depth} {'with x:' if depth % 2 else 'if x:'}")
    code = armed("\n".join([*lines, f"{'  ' * 13} x = 1", ""]), "program.py")[0]
    assert code.co_filename == "program.py"


def test_the_header_names_its_source():
    """The first probe's mark tells mode, number of probes and the source's digest."""
    code, count = instrument("x = 1\nif x:\n    y = 2\n", "program.py")
    (header,) = [const for const in code.co_consts if isinstance(const, str) and const.startswith(HEADER)]
    assert read_header(header) is not None
    mode, n_probes, digest = read_header(header)
    assert (mode, n_probes, len(digest)) == (mode_here(with_branches=True), count, 16)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"""Doc."""\nfrom __future__ import annotations\nx: y = 1\n', "Doc."),
        ("", None),
        ('"""Only."""\n', "Only."),
        ("@property\ndef f(): pass\n", None),
    ],
    ids=["docstring and future import", "empty", "only a docstring", "decorated first"],
)
def test_docstrings_and_futures_stay_first(source, expected):
    """Probes come after a module's docstring and its `__future__` imports."""
    if sys.implementation.name == "pypy":
        pytest.skip("on PyPy unarmed code is never run")
    namespace: dict[str, object] = {}
    exec(instrument(source, os.devnull)[0], namespace)
    assert namespace.get("__doc__") == expected


def test_first_lines_stay():
    """Code objects begin on the lines on which they begin without probes."""

    def first_lines(code):
        found = [code.co_firstlineno]
        for constant in code.co_consts:
            if hasattr(constant, "co_firstlineno"):
                found += first_lines(constant)
        return found

    for source in PROGRAMS.values():
        plain = compile(source, "program.py", "exec", dont_inherit=True)
        assert first_lines(instrument(source, "program.py")[0]) == first_lines(plain)
