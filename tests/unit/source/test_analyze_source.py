"""Source text to statements, exclusions, arcs and branches: small programs with the answers written out."""

import sys
import textwrap

import pytest

from footfall.analyze.source.analysis import SourceAnalysis, SourceError, analyze_source, decode_source
from footfall.analyze.source.exclude import ExclusionRules


def analyze(text: str, rules: ExclusionRules | None = None) -> SourceAnalysis:
    """Analyse a program that is written as an indented block."""
    return analyze_source(textwrap.dedent(text).lstrip("\n"), "program.py", rules or ExclusionRules())


def arcs_from_text(text: str) -> set[tuple[int, int]]:
    """Read "12 2." as (1, 2) and (2, -1): a digit is a line, a dot the exit of the code object on line 1."""
    return {(int(start), -1 if end == "." else int(end)) for start, end in text.split()}


# program, lines with statements, branches: arcs of lines with several ways out
FLOWS = {
    "if and else": ("if a:\n  b\nelse:\n  c\nd", "1 2 4 5", "12 14"),
    "elif": ("if a:\n  b\nelif c:\n  d\ne", "1 2 3 4 5", "12 13 34 35"),
    "one-line if": ("if a: b\nc", "1 2", ""),
    "one-line if that leaves a loop": ("for a in b:\n  if a: break\n  c\nd", "1 2 3 4", "12 14 23 24"),
    "for with else": ("for a in b:\n  c\nelse:\n  d\ne", "1 2 4 5", "12 14"),
    "for with break and continue": (
        "for a in b:\n  if a:\n    break\n  if b:\n    continue\n  c\nelse:\n  d\ne",
        "1 2 3 4 5 6 8 9",
        "12 18 23 24 45 46",
    ),
    "while": ("while a:\n  b\nc", "1 2 3", "12 13"),
    "endless while": ("while True:\n  if a:\n    break\nb", "1 2 3 4", "23 21"),
    "constant if": ("if 1:\n  a\nelse:\n  b\nc", "1 2 5", ""),
    "try, except, else, finally": (
        "try:\n  if a:\n    b\nexcept E:\n  c\nelse:\n  d\nfinally:\n  e",
        "1 2 3 4 5 7 9",
        "23 27",
    ),
    "with that ends a branch": ("if a:\n  with b:\n    c\nd", "1 2 3 4", "12 14"),
    "if inside with": ("with a:\n  if b:\n    c\nd", "1 2 3 4", "23 24"),
    "with inside with": ("with a:\n  with b:\n    if c:\n      d\ne", "1 2 3 4 5", "34 35"),
    "match": ("match a:\n  case 1:\n    b\n  case 2 if c:\n    d\ne", "1 2 3 4 5 6", "23 24 45 46"),
    "match with a wildcard": ("match a:\n  case 1:\n    b\n  case _:\n    d\ne", "1 2 3 4 5 6", "23 24"),
    "branch at the end": ("if a:\n  b", "1 2", "12 1."),
    "condition over lines": ("if (a and\n  b):\n  c\nd", "1 3 4", "13 14"),
    "statements on one line": ("a; b; c", "1", ""),
    "docstring and comment": ('"""Doc.\n"""\n# no\na', "4", ""),
    "multi-line string": ("a = '''\n'''; b = (\n  2)\nif c: \\\n  d\ne", "1 4 6", ""),
    "lambda and comprehension": ("a = [b for b in c if b]\nd = lambda: 1 if e else 2", "1 2", ""),
}


@pytest.mark.parametrize(("text", "lines", "branches"), FLOWS.values(), ids=FLOWS.keys())
def test_statements_and_branches(text: str, lines: str, branches: str) -> None:
    """Lines with statements, and the arcs of lines that have several ways out, are as written out."""
    analysis = analyze(text)
    assert analysis.statements == set(map(int, lines.split()))
    assert {arc for arc in analysis.arcs if analysis.exit_counts[arc[0]] > 1} == arcs_from_text(branches)


def test_function_arcs_end_at_its_first_line() -> None:
    """Leaving a function leads to minus its first line, that of its first decorator."""
    analysis = analyze("@a\n@b(\n  1)\ndef f():\n  if c:\n    return 1\n  raise d\n")
    assert analysis.statements == {1, 2, 4, 5, 6, 7}
    assert analysis.arcs == {(1, 2), (2, 4), (4, -1), (5, 6), (5, 7), (6, -1), (7, -1)}


def test_raise_goes_to_the_first_handler() -> None:
    """A raise in a try leads to its first handler, one in a handler out of the function."""
    analysis = analyze("def f():\n  try:\n    raise a\n  except b:\n    raise c\n  except d:\n    e\n")
    assert analysis.arcs == {(1, -1), (2, 3), (3, 4), (4, 5), (5, -1), (6, 7), (7, -1)}


def test_recorded_arcs_out_of_a_with_are_translated() -> None:
    """The jump back to a `with` on leaving it reads as a jump to what follows, also for a header of several lines."""
    analysis = analyze("with (\n  a as b):\n  c\nd\n")
    assert analysis.translate_arcs({(3, 1), (1, 4), (1, 3), (4, -1)}) == {(3, 4), (1, 3), (4, -1)}
    assert analysis.translate_lines({1, 2, 3}) == {1, 3}
    assert (analysis.first_line_of(2), analysis.first_line_of(-2), analysis.first_line_of(4)) == (1, -1, 4)


def test_with_around_nothing_that_runs() -> None:
    """A `with` whose body has no bytecode is passed; coverage.py fails on it."""
    analysis = analyze("def f():\n  with a:\n    global b\n  c\n")
    assert analysis.arcs == {(1, -1), (2, 4), (4, -1)}


def test_long_elif_chain() -> None:
    """A chain of 1,500 tests, past Python's recursion limit, is analysed."""
    if sys.implementation.name == "pypy":
        pytest.skip("PyPy's parser itself gives up")
    analysis = analyze("if a == 0:\n  b\n" + "".join(f"elif a == {n}:\n  b\n" for n in range(1, 1500)))
    assert len(analysis.exit_counts) == 3000
    assert sum(analysis.exit_counts.values()) == 4500


DESCRIPTIONS = {
    (1, 2): "line 1 didn't jump to line 2 because the loop on line 1 never started",
    (1, -1): "line 1 didn't exit the module because the loop on line 1 didn't complete",
    (2, 3): "line 2 didn't jump to line 3 because the condition on line 2 was never true",
    (2, 4): "line 2 didn't jump to line 4 because the condition on line 2 was always true",
    (9, 10): "line 9 didn't jump to line 10",
    (9, -8): "line 9 didn't jump to the function exit",
}


@pytest.mark.parametrize(("arc", "sentence"), DESCRIPTIONS.items())
def test_missing_arc_description(arc: tuple[int, int], sentence: str) -> None:
    """A missing arc is explained in words, an unknown one without a reason."""
    analysis = analyze("for a in b:\n  if c:\n    d\n  e\n")
    assert analysis.missing_arc_description(*arc) == sentence
    assert sentence.startswith(f"line {arc[0]} didn't {analysis.arc_description(*arc)}")


NOT_PYTHON = ["if a", "a = (", "x = 1\n  y = 2", "a\0b", "'''", "return", "x = '\udc80'\n"]
if sys.implementation.name == "cpython":
    NOT_PYTHON.append("(" * 300 + ")" * 300)  # too deep for CPython's parser, not for PyPy's


@pytest.mark.parametrize("text", NOT_PYTHON, ids=range(len(NOT_PYTHON)))
def test_refuses_what_is_not_python(text: str) -> None:
    """Text that does not parse or compile raises SourceError, which names the file and the next step."""
    with pytest.raises(SourceError, match=r"program\.py") as caught:
        analyze_source(text, "program.py", ExclusionRules())
    assert caught.value.slug == "not-python"
    assert "--omit" in str(caught.value)


def test_warnings_of_the_source_are_not_shown() -> None:
    """Source that the compiler warns of is analysed without a warning (the test run turns those into errors)."""
    assert analyze("a = '\\d'\nb = 1 is 1\n").statements == {1, 2}


def test_empty_and_comment_files() -> None:
    """A file without code has no statements, and the one arc of an empty module."""
    for text in ("", "# only\n# this\n", "\n\n"):
        analysis = analyze(text)
        assert (analysis.statements, analysis.arcs) == (set(), {(1, -1)})


DECODINGS = {
    "UTF-8": ("é = 1\n".encode(), "é = 1\n"),
    "no newline at the end": (b"a", "a\n"),
    "BOM": (b"\xef\xbb\xbfa = 1\n", "a = 1\n"),
    "PEP 263": (b"# -*- coding: latin-1 -*-\na = '\xe9'\n", "# -*- coding: latin-1 -*-\na = 'é'\n"),
    "PEP 263 on the second line": (
        b"#!x\n# vim: set fileencoding=cp1252 :\n'\x80'\n",
        "#!x\n# vim: set fileencoding=cp1252 :\n'€'\n",
    ),
    "line ends": (b"a\r\nb\rc\n", "a\nb\nc\n"),
    "form feed": (b"a\x0c\nb\n", "a \nb\n"),
    "form feed before the first word": (b"if a:\n \x0c  \x0c    b\n    c\n\x0c\n", "if a:\n    b\n    c\n\n"),
    "wrong bytes": (b"a\nb\nc = '\xff'\n", "a\nb\nc = '�'\n"),
    "nothing": (b"", ""),
}


@pytest.mark.parametrize(("data", "text"), DECODINGS.values(), ids=DECODINGS.keys())
def test_decoding(data: bytes, text: str) -> None:
    """Bytes are decoded by BOM or coding comment, line ends and form feeds made plain."""
    assert decode_source(data) == text


def test_unknown_encoding() -> None:
    """A coding comment that names no encoding is an error with a next step."""
    with pytest.raises(SourceError, match="Correct its coding comment"):
        decode_source(b"# coding: klingon\n")


LOGICAL_LINES = {
    "brackets": ("a = (1,\n  [2,\n  3], ')')\nb\n", {1: 1, 2: 1, 3: 1}),
    "joined lines": ("a = 1 + \\\n  2\nb = 3\n", {1: 1, 2: 1}),
    "a join before the statement": ("if a:\n    \\\n    b\nc\n", {}),
    "joined to a comment": ("a = 1 \\\n# b\nc\n", {1: 1, 2: 1}),
    "brackets and strings in a chain": ("a = (\n1) + '''\n''' + [\n]\nb\n", {1: 1, 2: 1, 3: 1, 4: 1}),
    "quotes in comments": ("a  # don't (\nb  # '''\nc\n", {}),
    "escapes": ("a = '\\'('\nb = \"\\\\\"\nc = r'\\'(' + (\n')')\n", {3: 3, 4: 3}),
    "a bracket and a quote in a long string": ('a = ("""b"c)""", d)\ne = (\n1)\n', {2: 2, 3: 2}),
    "an f-string that is none": ("a = b if'x' else(\n1)\n", {1: 1, 2: 1}),
    "fields": ("a = f'{b}('\nc = f'''{d:{e}}\n{{(}}'''\nf\n", {2: 2, 3: 2}),
}
NESTED_FSTRINGS = {
    "the same quotes inside": ("a = f'{b['('] + f'{c['{']}'}{{'\nd\n", {}),
    "a newline inside": ("a = f'{\n  b  # }\n  + 1}'\nc\n", {1: 1, 2: 1, 3: 1}),
    "a field in a format": ("a = f'{b:{c[')']}>(}}}('\nd\n", None),
    "a named character": ("a = f'\\N{LEFT PARENTHESIS}{b['(']}'\nc\n", {}),
    "raw": ("a = rf'\\{b['(']}\\''\nc\n", {}),
    "a string of several lines inside": ("a = f'{'''(\n''' + (b[\n0])}'\nc\n", {1: 1, 2: 1, 3: 1}),
}


@pytest.mark.parametrize(("text", "first_lines"), LOGICAL_LINES.values(), ids=LOGICAL_LINES.keys())
def test_lines_of_a_statement(text: str, first_lines: dict[int, int]) -> None:
    """Each line of a statement of several lines leads to its first line."""
    assert analyze(text).first_line == first_lines


@pytest.mark.skipif(sys.version_info < (3, 12), reason="PEP 701")
@pytest.mark.parametrize(("text", "first_lines"), NESTED_FSTRINGS.values(), ids=NESTED_FSTRINGS.keys())
def test_lines_of_nested_fstrings(text: str, first_lines: dict[int, int] | None) -> None:
    """Strings, braces and comments inside an f-string's fields do not confuse the search for its end."""
    try:
        compile(text, "program.py", "exec")
    except SyntaxError:
        pytest.skip("this Python refuses it")
    assert analyze(text).first_line == (first_lines or {})
