"""Condition coverage: what each operand of a condition was never, from what a measured process recorded."""

import ast
import json
import pathlib
import sqlite3
import sys
import textwrap
from collections.abc import Callable
from contextlib import closing

import pytest

from footfall.analyze.bytecode.opcodes import CONSTANT_TESTS_BY_VERSION
from footfall.analyze.conditions.analysis import compare_conditions, find_conditions, outcomes_by_operand
from footfall.analyze.conditions.operands import find_operands
from footfall.analyze.source.analysis import analyze_source
from footfall.analyze.source.exclude import ExclusionRules
from footfall.errors import FootfallError
from footfall.record.data.condition_tables import (
    IS_FALSE,
    IS_TRUE,
    BranchedCode,
    Place,
    SourcePosition,
    read_conditions,
    text_of_places,
    write_conditions,
)
from footfall.record.data.coverage_tables import write_coverage
from programs.condition_constructs import MEASURED

has_branch_events = pytest.mark.skipif(
    sys.version_info < (3, 14) or sys.implementation.name != "cpython", reason="branch events came with CPython 3.14"
)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Run the table's programs in one measured process; return what of each was never seen."""
    from exact_conditions import measure

    names = {name: f"condition{number}" for number, name in enumerate(MEASURED)}
    programs = {names[name]: text for name, (text, _) in MEASURED.items()}
    found, _ = measure(programs, tmp_path_factory.mktemp("conditions"))
    answers = {}
    for name, (text, _) in MEASURED.items():
        analysis = analyze_source(text + "\n", names[name], ExclusionRules())
        result = compare_conditions(text, find_conditions(text), analysis, analysis.statements, found[names[name]])
        assert result.n_total - result.n_seen == len(result.missing)
        never: dict[tuple[int, int, str], str] = {}
        for each in result.missing:
            place = (each.line, each.column, each.text)
            never[place] = never.get(place, "") + str(each.never)[0]
        answers[name] = {}
        for (_, _, operand), what in never.items():
            answers[name][operand + " " if operand in answers[name] else operand] = what
    return answers


@has_branch_events
@pytest.mark.parametrize("name", MEASURED)
def test_what_was_never_seen(name: str, measured: dict[str, dict[str, str]]) -> None:
    """Each operand has the outcomes that it never had: T, F or both."""
    expected = {operand: never for operand, never in MEASURED[name][1].items() if never}
    assert measured[name] == expected


@has_branch_events
def test_random_programs_equal_wrapped_operands() -> None:
    """The outcomes of random programs' operands are those that wrappers around them see."""
    from exact_conditions import compare_conditions_of, random_programs

    differences, n_operands = compare_conditions_of(random_programs(0, 40))
    assert not differences
    assert n_operands > 1000


@has_branch_events
def test_rewritten_assertions_are_left_out() -> None:
    """What ran without an operand's jump, as pytest's assertions do, says nothing of the operand."""
    text = "def test(a):\n    assert a > 1 and a < 3\n"
    place = SourcePosition(2, 4, 2, 26)
    ran = BranchedCode("test", 1, text_of_places([Place(place, place)]), {"": bytes([IS_TRUE])})
    assert outcomes_by_operand(find_conditions(text), [ran]) == {}
    assert len(outcomes_by_operand(find_conditions(text), [])) == 2


@has_branch_events
def test_excluded_lines_do_not_count() -> None:
    """Operands on excluded lines and on partial branches are not in the numbers."""
    text = "a = 1\nif a or a:  # pragma: no cover\n    pass\nif a and a:  # pragma: no branch\n    pass\nx = a or 2\n"
    result = compare_conditions(text, find_conditions(text), analyze_source(text, "x.py", ExclusionRules()), {1}, [])
    assert (result.n_total, result.n_seen) == (2, 0)
    assert [(each.line, each.text, each.never, each.has_run) for each in result.missing] == [
        (6, "a", True, False),
        (6, "a", False, False),
    ]


def test_operands_by_group() -> None:
    """Nested `and` / `or` of a value are one group, in the order of their tests."""
    groups, only_operands = find_operands(ast.parse("x = (a and b) or (c if d else e) or f\nif a:\n  pass"))
    texts = [[operand.position.column for operand in group.operands] for group in groups]
    assert texts == [[23], [5, 11, 18], [3]]
    assert len(only_operands) == 1


def test_conditions_come_back_from_the_data_file(tmp_path: pathlib.Path) -> None:
    """Written and read again they are the same; contexts are chosen by patterns and added up."""
    place = Place(SourcePosition(1, 2, 3, 400), SourcePosition(0, 0, 0, 0))
    code = BranchedCode("f", 7, text_of_places([place, place]))
    code.add("one", bytes([IS_TRUE, 0]))
    code.add("two", bytes([IS_FALSE, 0]))
    code.add("one", bytes([0, IS_TRUE]))
    path = tmp_path / "data"
    with write_coverage(path, {}, has_arcs=True) as connection:
        write_conditions(connection, {"/p/a.py": [code]})
    assert read_conditions(path) == {"/p/a.py": [code]}
    assert code.places == (place, place)
    (one,) = (read_conditions(path, ["^one$"]) or {})["/p/a.py"]
    assert one.outcomes == {"one": bytes([IS_TRUE, IS_TRUE])}
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update footfall_conditions_code set places = ?", (b"damage",))
    with pytest.raises(FootfallError, match="data-corrupt"):
        read_conditions(path)


def test_a_file_without_conditions(tmp_path: pathlib.Path) -> None:
    """Data without the tables, as coverage.py's, has none."""
    with write_coverage(tmp_path / "data", {}, has_arcs=True):
        pass
    assert read_conditions(tmp_path / "data") is None


def test_numbers_of_this_interpreters_instructions() -> None:
    """The row of the running version is the interpreter's own."""
    row = CONSTANT_TESTS_BY_VERSION.get(sys.version_info[:2])
    if row is not None and sys.implementation.name == "cpython":
        import opcode

        assert row._asdict() == {name: opcode.opmap[name.upper()] for name in row._fields}


PROGRAM = textwrap.dedent(
    """\
    import os, sys
    def f(a, b):
        return 1 if a and b > 0 else 2
    pid = os.fork()
    f(1, 1 if pid else 0)
    if pid:
        os.waitpid(pid, 0)
    """
)


def test_the_reports_show_conditions(footfall: Callable[..., object], tmp_path: pathlib.Path) -> None:
    """Two processes' outcomes are one; the table gains a column and a list, and JSON a key. Elsewhere it is said why not."""
    (tmp_path / "main.py").write_text(PROGRAM)
    assert footfall("run", "--no-profile", "-q", "main.py").returncode == 0
    report = footfall("report", "--conditions", "-m")
    footfall("json", "-q", "-o", "out.json")
    ours = json.loads((tmp_path / "out.json").read_text()).get("footfall", {})
    if sys.version_info < (3, 14) or sys.implementation.name != "cpython":
        assert (report.returncode, ours) == (3, {})
        assert "[no-conditions]" in report.stderr
        return
    # pid of the fork's `1 if pid else 0` was both, a only true, b > 0 both
    assert "5/6 83%" in report.stdout
    assert report.stdout.endswith("\nOutcomes of conditions that were never seen:\nmain.py:3:16 a never false\n")
    assert ours["conditions"]["files"]["main.py"] == {
        "total": 6,
        "seen": 5,
        "missing": [{"line": 3, "column": 16, "end_line": 3, "end_column": 17, "text": "a", "never": "false"}],
    }
    plain = footfall("report", "-m").stdout
    assert "Cond" not in plain
    assert "never" not in plain
