"""What ran against what could: missing lines and branches, percentages, fail-under, functions and classes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.analyze.results import compare, format_lines
from footfall.analyze.source.analysis import SourceAnalysis, analyze_source
from footfall.analyze.source.exclude import ExclusionRules
from footfall.analyze.source.regions import find_outside_lines, find_regions, narrow_result
from footfall.analyze.totals import Numbers, fail_under_message, format_percent, should_fail_under
from footfall.errors import UsageError

PROGRAM = """\
def f(a):
    if a:
        b = (1,
             2)
    return a

class C:
    x = 1
    def m(self):
        for i in x:
            pass

        def n():
            return 1
if a: b
for c in d:
    if c: break
e
"""


@pytest.fixture(scope="module")
def analysis() -> SourceAnalysis:
    return analyze_source(PROGRAM, "/src/program.py", ExclusionRules())


def test_compare_lines(analysis: SourceAnalysis) -> None:
    """Without arcs, lines are compared: any line of a statement counts for its first."""
    result = compare(analysis, {1, 2, 4, 7, 99}, None, "program.py")
    assert (result.path, result.name, result.has_arcs) == ("/src/program.py", "program.py", False)
    assert result.executed == {1, 2, 3, 7}
    assert result.missing_text() == "5, 8-18"
    assert result.numbers == Numbers(n_files=1, n_statements=15, n_missing=11)
    assert not result.branch_stats


def test_compare_arcs(analysis: SourceAnalysis) -> None:
    """With arcs, the branches of lines that ran are partial, those of others missing; (n, n) is line n's only way."""
    arcs = {(2, 5), (5, -1), (1, 7), (7, 15), (8, 8), (15, 16), (16, 17), (17, 16), (16, 18)}
    result = compare(analysis, {1, 2, 5, 7, 8, 15, 16, 17}, arcs)
    assert result.missing_branches == ((2, 3), (10, 11), (10, 13), (17, 18))
    assert result.executed_branches == ((2, 5), (16, 17), (16, 18), (17, 16))
    assert result.branch_stats == {2: (2, 1), 10: (2, 0), 16: (2, 2), 17: (2, 1)}
    assert result.missing_text() == "3, 9-14, 18"
    assert (8, 9) in result.executed_arcs
    numbers = result.numbers
    assert (numbers.n_branches, numbers.n_partial_branches, numbers.n_missing_branches) == (8, 2, 4)
    assert numbers.ratio_covered == (8 + 4, 15 + 8)


def test_partial_branches_in_the_missing_column() -> None:
    """A branch not taken shows as 1->3 or 1->exit, unless one of its ends is missing itself."""
    analysis = analyze_source("if a:\n  b\nif c:\n  d\n", "p.py", ExclusionRules())
    assert compare(analysis, {1, 2, 3, 4}, {(1, 2), (2, 3), (3, 4), (4, -1)}).missing_text() == "1->3, 3->exit"
    assert compare(analysis, {1, 3, 4}, {(1, 3), (3, 4), (4, -1)}).missing_text() == "2, 3->exit"
    assert compare(analysis, {1, 3, 4}, {(1, 3), (3, 4), (4, -1)}).missing_text(branches=False) == "2"


def test_branches_to_excluded_lines_do_not_count() -> None:
    """A way out to an excluded line is neither possible nor missing; a no-branch line misses nothing."""
    text = "if a:\n  b  # pragma: no cover\nif c:  # pragma: no branch\n  d\ne\n"
    analysis = analyze_source(text, "p.py", ExclusionRules())
    result = compare(analysis, {1, 3, 5}, {(1, 3), (3, 5)})
    assert result.missing_branches == ()
    assert result.branch_stats == {3: (2, 2)}
    text = "def f():\n  try:\n    if a: raise b; return\n    c  # pragma: no cover\n  except d:\n    e\n"
    result = compare(analyze_source(text, "p.py", ExclusionRules()), {1, 2, 3, 6}, {(3, -1), (1, -1)})
    assert result.missing_branches == ((3, 5),)
    assert result.branch_stats == {3: (2, 1)}


def test_functions_and_classes(analysis: SourceAnalysis) -> None:
    """A function's region leaves inner functions out; a class's is what its methods hold."""
    regions = find_regions(analysis)
    assert [(region.kind, region.name, region.start) for region in regions] == [
        ("function", "f", 1), ("class", "C", 7), ("function", "C.m", 9), ("function", "C.m.n", 13),
    ]  # fmt: skip
    assert [sorted(region.lines) for region in regions] == [[2, 3, 4, 5], [10, 11, 12, 13, 14], [10, 11, 12, 13], [14]]
    assert find_outside_lines(analysis, regions) == {1, 6, 7, 8, 9, 15, 16, 17, 18}


def test_narrowed_results(analysis: SourceAnalysis) -> None:
    """A region's result has its own lines and branches; functions and the rest add up to the file."""
    result = compare(analysis, {1, 2, 5}, {(2, 5), (5, -1)})
    functions = [region for region in find_regions(analysis) if region.kind == "function"]
    line_sets = [region.lines for region in functions] + [find_outside_lines(analysis, functions)]
    narrowed = narrow_result(result, line_sets)
    assert narrowed[0].missing_branches == ((2, 3),)
    assert (narrowed[0].executed, narrowed[0].missing) == ({2, 5}, {3})
    total = sum((part.numbers for part in narrowed), Numbers())
    assert (total.n_statements, total.n_branches) == (result.numbers.n_statements, result.numbers.n_branches)


def test_format_lines() -> None:
    """Ranges run over lines without statements, and sort with arcs as coverage.py sorts them."""
    assert format_lines([1, 2, 3, 4, 5, 10, 11, 12, 13, 14], [1, 2, 5, 10, 11, 13, 14]) == "1-2, 5-11, 13-14"
    assert format_lines([1, 2, 3, 4], {3}, [(1, -1), (1, 3), (2, 4)]) == "1->exit, 2->4, 3"
    assert format_lines([], []) == ""


PERCENTAGES = [
    (0, 0, "0"), (100, 0, "100"), (99.99, 0, "99"), (0.01, 0, "1"), (99.99, 1, "99.9"), (99.994, 2, "99.99"),
    (2.5, 0, "2"), (50.05, 1, "50.0"), (66.6667, 2, "66.67"), (12.5, 3, "12.500"),
]  # fmt: skip


@pytest.mark.parametrize(("percentage", "precision", "text"), PERCENTAGES)
def test_format_percent(percentage: float, precision: int, text: str) -> None:
    """Only nothing is written as 0 and only all as 100, whatever the precision."""
    assert format_percent(percentage, precision) == text


FAIL_UNDER = [
    (100, 100, 0, False), (99.999, 100, 0, True), (89.6, 90, 0, False), (89.4, 90, 0, True), (89.6, 90, 1, True),
    (72.14, 72.15, 0, True), (72.151, 72.15, 0, False), (0, 0, 0, False),
]  # fmt: skip


@pytest.mark.parametrize(("total", "fail_under", "precision", "fails"), FAIL_UNDER)
def test_should_fail_under(total: float, fail_under: float, precision: int, fails: bool) -> None:
    """The total is rounded to the precision or to the threshold's decimals, but 100 means 100."""
    assert should_fail_under(total, fail_under, precision) is fails


def test_fail_under_message() -> None:
    """The message shows both numbers as they were compared."""
    assert fail_under_message(72.144, 72.15, 0) == "total of 72.14 is less than fail-under=72.15"
    assert fail_under_message(99.999, 100, 0) == "total of 99 is less than fail-under=100"


def test_impossible_settings() -> None:
    """A threshold outside 0 to 100 and a negative precision are refused."""
    with pytest.raises(UsageError, match="fail_under=101"):
        should_fail_under(50, 101, 0)
    with pytest.raises(UsageError, match="precision=-1"):
        format_percent(50, -1)


counts = st.builds(Numbers, *[st.integers(0, 99)] * 7)


@given(counts, counts, counts)
def test_numbers_add_up(one: Numbers, two: Numbers, three: Numbers) -> None:
    """Adding is associative and commutative, and `sum` works."""
    assert (one + two) + three == one + (three + two) == sum([one, two, three])
