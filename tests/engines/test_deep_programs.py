"""Programs whose expressions nest as deep as the compiler takes them, and that import with a stack nearly full."""

import sys

import pytest

from engines import Measured, each_engine, measured
from footfall.analyze.resolve import resolve
from marked import write_program

__all__ = ["measured"]

DEEP = """
    import sys
    class Chain:
        def f(self, x):
            return self
    one = 1
    if "CHAIN" is None:  # false
        never = 1  # missed
    if (sum := SUM) > 5:  # true
        print(sum, sys.getrecursionlimit())
"""


def _deep(n_calls: int, n_terms: int) -> str:
    chain = "Chain()" + "".join(f".f({number})" for number in range(n_calls))
    return DEEP.replace('"CHAIN"', chain).replace("SUM", "+".join(["one"] * n_terms))


@each_engine
@pytest.mark.parametrize("size", [(600, 1_500), (900, 2_500)], ids=str)
def test_long_chains_and_sums(measured: Measured, size: tuple[int, int]) -> None:
    """They are measured, as main script and as module, and the program sees its own limit."""
    write_program(measured.work / "child.py", _deep(*size))
    done = measured.run("import child\n" + _deep(*size).replace("    ", "", 1).replace("\n    ", "\n"))
    bare = measured.run_bare()
    assert (done.stdout, done.stderr) == (bare.stdout, bare.stderr)
    assert done.stdout.count(" 1000\n") == 2
    # 3.12 has a fixed limit of its own for C, which only the core can raise: traced there
    is_traced = measured.engine.is_pure and measured.engine.name == "probes" and sys.version_info[:2] == (3, 12)
    slugs = ["nested-too-deeply"] if is_traced else []
    assert {slug for slug, _ in resolve(measured.run_directory).messages} == set(slugs)
    measured.check_marks(*slugs)


@each_engine
def test_what_is_too_deep_for_the_program(measured: Measured) -> None:
    """It raises what it raises unmeasured, and nothing is said of it."""
    write_program(measured.work / "child.py", _deep(4_000, 3))
    done = measured.run(
        "try:\n    import child\nexcept (RecursionError, MemoryError) as error:\n    print(type(error))\n"
    )
    assert (done.stdout, done.stderr) == (measured.run_bare().stdout, "")
    assert [record.messages for record in measured.records()] == [[]]


@each_engine
def test_imports_with_the_stack_nearly_full(measured: Measured) -> None:
    """The program imports as many frames deep as it does unmeasured, but for the few that a hook itself has."""
    for name in "abcdefghijklmnopqrstuvwxyz":
        lines = [f"{'    ' * depth}if {depth} < 90:" for depth in range(60)]
        (measured.work / f"{name}.py").write_text("\n".join(lines) + f"\n{'    ' * 60}x = 1\n")
    done = measured.run(
        """
        import sys
        def down(n, name):
            if n:
                return down(n - 1, name)
            __import__(name)
        def imports(n, name):
            try:
                down(n, name)
            except RecursionError:
                return False
            return True
        sys.setrecursionlimit(400)
        deepest = [name for index, name in enumerate("abcdefghijklmnopqrstuvwxyz") if imports(200 + 7 * index, name)][-1]
        print(ord(deepest))
        """
    )
    bare = measured.run_bare()
    assert (done.stderr, bare.stderr) == ("", "")
    assert int(bare.stdout) - int(done.stdout) <= 1
    assert [record.messages for record in measured.records()] == [[]]
