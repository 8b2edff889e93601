"""Source whose expressions nest as deep as the compiler lets them: reports are right, not only made."""

import ast
import json
import pathlib
import sys
from collections.abc import Callable

import pytest

from footfall.analyze.conditions.operands import find_operands
from footfall.analyze.probes.arcs import meanings_of_source
from footfall.analyze.source.analysis import analyze_source
from footfall.analyze.source.exclude import ExclusionRules
from footfall.probes.mode import BRANCHES

IS_CPYTHON = sys.implementation.name == "cpython"
SUM_TERMS = 12_000

# expression -> how many branches an `if` of it has
TESTS = {
    "a sum": ("+".join(["a"] * SUM_TERMS), 2),
    "a chain of calls": ("a" + ".f(a)" * 4_000, 2),
    "a chain of ternaries": ("".join(f"{n} if a == {n} else " for n in range(1_500)) + "0", 2),
    "functions in functions": ("lambda: " * 1_500 + "a", 2),
    "negations of a name": ("not " * 4_000 + "a", 2),
    "negations of a constant": ("not " * 4_001 + "1", 0),
}


@pytest.mark.parametrize(("test", "n_branches"), TESTS.values(), ids=TESTS.keys())
def test_lines_and_branches(test: str, n_branches: int) -> None:
    """A report is deeper in Python's stack than the program was, and has the usual limit: neither matters."""
    analysis = analyze_source(f"def f(a):\n    if {test}:\n        return 1\n    return 2\n", "f.py", ExclusionRules())
    assert analysis.statements >= {1, 4}
    assert sum(count for count in analysis.exit_counts.values() if count > 1) == n_branches


def test_the_limit_of_recursion_is_as_before() -> None:
    """It is raised for the one source that needs it."""
    before = sys.getrecursionlimit()
    analyze_source("a = " + TESTS["a sum"][0], "f.py", ExclusionRules())
    assert sys.getrecursionlimit() == before


def test_meanings_of_probes() -> None:
    """What was measured by probes is read back from as deep a source."""
    plain = meanings_of_source(b"if a:\n    b\n", BRANCHES)
    assert meanings_of_source(f"if {'+'.join(['a'] * 2_500)}:\n    b\n".encode(), BRANCHES) == plain


def _columns(test: str) -> list[int]:
    groups, _ = find_operands(ast.parse(f"if a and ({test}): pass"))
    return [operand.position.column for group in groups for operand in group.operands]


def test_operands() -> None:
    """The operands inside of, and beside, what nests deep are all found."""
    assert _columns("+".join(["a"] * 2_000)) == [3, 10]
    calls = "a" + ".f(a or b)" * 1_000
    assert len(_columns(calls)) == 1_000 + 2
    assert len(_columns("".join(f"{n} if a == {n} else " for n in range(800)) + "a")) == 1 + 2 * 800 + 1
    assert _columns("not " * 1_500 + "a") == [3, 10 + 4 * 1_500]
    assert _columns("lambda: " * 1_000 + "(a and b)") == [3, 10 + 8 * 1_000 + 1, 10]
    assert _columns("+".join(["1"] * 2_000)) == [3, 10]


def test_operands_of_a_long_elif_chain() -> None:
    """Each `elif` is an `if` in the `else` of the one before."""
    text = "if a and b: pass\n" + "elif a and b: pass\n" * 1_500
    groups, only_operands = find_operands(ast.parse(text))
    assert (sum(len(group.operands) for group in groups), only_operands) == (2 * 1_501, set())


def test_reports(footfall: Callable[..., object], tmp_path: pathlib.Path) -> None:
    """The reports with conditions in them too, as the compiler of 3.14 and later has jumps for each."""
    n_calls = 1_200 if IS_CPYTHON and sys.version_info >= (3, 14) else 300
    lines = ["class A:", "    def f(self, b):", "        return self", "a = A()"]
    lines += [f"if a and a{'.f(a or 0)' * n_calls}:", "    b = 1"]
    (tmp_path / "main.py").write_text("\n".join(lines) + "\n")
    assert footfall("run", "--no-profile", "-q", "main.py").stderr == ""
    assert footfall("report").stdout.splitlines()[-1].split() == ["TOTAL", "6", "0", "2", "1", "88%"]
    assert footfall("html", "-q").stderr == ""
    assert footfall("json", "-q", "-o", "out.json").stderr == ""
    conditions = footfall("report", "--conditions")
    if not IS_CPYTHON or sys.version_info < (3, 14):
        assert "[no-conditions]" in conditions.stderr
        return
    ours = json.loads((tmp_path / "out.json").read_text())["footfall"]["conditions"]
    assert (ours["seen"], ours["total"]) == (2 + n_calls, 2 * (2 + n_calls))
    assert conditions.stderr == ""
