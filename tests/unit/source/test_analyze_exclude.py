"""Exclusion and partial-branch patterns: what a mark covers."""

import textwrap

import pytest

from footfall.analyze.source.analysis import analyze_source
from footfall.analyze.source.exclude import DEFAULT_EXCLUDE, ExclusionRules
from footfall.errors import UsageError

NO = "# pragma: no cover"
EXCLUDED = {
    "a line": (f"a\nb  {NO}\nc", {2}),
    "a statement of several lines": (f"a = (1,\n  2,  {NO}\n  3)\nb", {1}),
    "an if": (f"if a:  {NO}\n  b\n\n  # note\n  if c:\n    d\nelse:\n  e\nf", {1, 2, 5, 6}),
    "an else": (f"if a:\n  b\nelse:  {NO}\n  c\nd", {3, 4}),
    "a header of several lines": (f"if (a and  {NO}\n    b):\n  c\nd", {1, 3}),
    "a mark below the colon": (f"if a: \\\n  {NO}\n  b\nc", {1}),
    "a function": (f"def f(a,\n  b):  {NO}\n\n  # note\n  return a\nb", {1, 2, 3, 4, 5}),
    "a decorator": (f"@a  {NO}\n@b\ndef f():\n  return a\nb", {1, 2, 3, 4}),
    "a class": (f"class A:  {NO}\n  a = 1\n  def b(self):\n    c\nb", {1, 2, 3, 4}),
    "one-line suite": (f"if a: b  {NO}\nelse: c\nd", {1}),
    "a lambda is no suite": (f"a = lambda: b  {NO}\nc", {1}),
    "a wildcard case with nothing left": (f"match a:\n  case 1:\n    b\n  case _:\n    c  {NO}\nd", {4, 5}),
    "a case that can fail stays": (f"match a:\n  case 1:\n    b  {NO}\nd", {3}),
    "stub bodies, and the blank lines above": ("def f(): ...\ndef g(\n  a):\n\n    ...\nb", {1, 4, 5}),
    "type checking": ("if TYPE_CHECKING:\n  import a\nb", {1, 2}),
    "odd spelling": ("a #PRAGMA:NO COVER\nb # pragma no cover\nc # pragma: No cover", {1, 2}),
}


@pytest.mark.parametrize(("text", "excluded"), EXCLUDED.values(), ids=EXCLUDED.keys())
def test_default_patterns(text: str, excluded: set[int]) -> None:
    """A mark covers its statement, and with a header, signature or decorator all that belongs to it."""
    analysis = analyze_source(text + "\n", "program.py", ExclusionRules())
    assert analysis.excluded == excluded
    assert not analysis.statements & excluded


TEXT = textwrap.dedent(
    """\
    def a():
        raise NotImplementedError
    if DEBUG:
        b
    # begin
    c
    # end
    d  # pragma: no cover
    """
)
SETTINGS = {
    "the defaults": ({}, {8}),
    "exclude_lines replaces": ({"exclude_lines": ["raise Not"]}, {2}),
    "exclude_also adds": ({"exclude_also": ["raise Not", "if DEBUG:"]}, {2, 3, 4, 8}),
    "a match over lines": ({"exclude_lines": [r"# begin\n(?s:.*?)# end"]}, {5, 6, 7}),
    "nothing": ({"exclude_lines": ["", "  "]}, set()),
    "a group of its own": ({"exclude_lines": [r"(d)ef .*\(\):"]}, {1, 2}),
}


@pytest.mark.parametrize(("settings", "excluded"), SETTINGS.values(), ids=SETTINGS.keys())
def test_settings(settings: dict[str, list[str]], excluded: set[int]) -> None:
    """coverage.py's settings replace or extend the default patterns."""
    analysis = analyze_source(TEXT, "program.py", ExclusionRules.from_settings(**settings))
    assert analysis.excluded == excluded


def test_partial_branches() -> None:
    """Marked lines and tests of constants need not take all their branches."""
    text = "while True:\n  if a:  # pragma: no branch\n    b\n  if (c or  # any\n    d):\n    e\n"
    assert analyze_source(text, "program.py", ExclusionRules()).no_branch == {1, 2}
    rules = ExclusionRules.from_settings(partial_branches=["# some"], partial_also=["# any"])
    assert analyze_source(text, "program.py", rules).no_branch == {1, 4}
    rules = ExclusionRules.from_settings(partial_branches=["# any"], partial_branches_always=["zzz"])
    assert analyze_source(text, "program.py", rules).no_branch == {4}


def test_bad_pattern() -> None:
    """A pattern that is no regular expression is refused, and named."""
    with pytest.raises(UsageError, match=r"\(oops") as caught:
        ExclusionRules.from_settings(exclude_also=["(oops"])
    assert caught.value.slug == "bad-pattern"


def test_rules_are_values() -> None:
    """Equal settings make equal, hashable rules, so results can be kept by them."""
    assert hash(ExclusionRules.from_settings()) == hash(ExclusionRules(exclude=DEFAULT_EXCLUDE))
    assert ExclusionRules.from_settings() == ExclusionRules()
