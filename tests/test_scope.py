"""Which files are measured: the same answers as coverage.py gives."""

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.observe.scope import Scope, glob_matches
from footfall.observe.settings import Settings, escape, read_settings

coverage_files = pytest.importorskip("coverage.files")

_PATTERNS = [
    "/proj/src/*",
    "/proj/*/b.py",
    "/proj/**/b.py",
    "*/b.py",
    "*.py",
    "b.py",
    "/proj/src/?.py",
    "/proj/src/[a-c].py",
    "/proj/src/[!a].py",
    "*/tests/*",
    "/proj/src",
    "/proj/s*c/a*.py",
    "/proj/src/**/*",
]
_PATHS = [
    "/proj/src/a.py",
    "/proj/src/b.py",
    "/proj/src/deep/down/b.py",
    "/proj/b.py",
    "/other/tests/x/y.py",
    "/proj/src",
    "/proj/src/abc.py",
    "/b.py",
    "/proj/src/d.txt",
]


@pytest.mark.parametrize("pattern", _PATTERNS)
@pytest.mark.parametrize("path", _PATHS)
def test_patterns_match_as_in_coverage(pattern: str, path: str) -> None:
    """Every pattern of the table matches the paths that coverage.py matches."""
    assert glob_matches(pattern, path) == coverage_files.GlobMatcher([pattern]).match(path)


_PIECES = st.sampled_from(["a", "b", "ab", "*", "a*", "?b", "**", "[ab]", "x.py"])


@given(
    st.lists(_PIECES, min_size=1, max_size=4),
    st.lists(st.sampled_from(["a", "b", "ab", "aab", "x.py"]), min_size=1, max_size=4),
    st.booleans(),
)
def test_random_patterns_match_as_in_coverage(pieces: list[str], names: list[str], rooted: bool) -> None:
    """Random patterns that coverage.py accepts match the same paths."""
    pattern = ("/" if rooted else "") + "/".join(pieces)
    path = "/" + "/".join(names)
    try:
        matcher = coverage_files.GlobMatcher([pattern])
    except coverage_files.ConfigError:
        return
    assert glob_matches(pattern, path) == matcher.match(path)


def _scope(**values: list[str]) -> Scope:
    settings = Settings("/nowhere")
    for key, value in values.items():
        setattr(settings, key, value)
    return Scope(settings)


def test_without_settings_own_code_is_measured_and_libraries_are_not(tmp_path) -> None:
    """Neither the standard library nor installed packages nor footfall itself are measured."""
    scope = _scope()
    mine = tmp_path / "mine.py"
    assert scope.decide(str(mine)) == os.path.realpath(mine)
    assert scope.decide(os.__file__) is None
    assert scope.decide(pytest.__file__) is None
    assert scope.decide(sys.modules["footfall.model"].__file__) is None
    assert scope.decide("<string>") is None
    assert scope.decide("") is None


def test_source_directories_limit_and_omit_takes_away(tmp_path) -> None:
    """Only files below a source directory are measured, less those that omit matches."""
    scope = _scope(source_dir=[str(tmp_path / "src")], omit=[str(tmp_path / "src" / "gen_*")])
    assert scope.decide(str(tmp_path / "src" / "a.py")) == os.path.realpath(tmp_path / "src" / "a.py")
    assert scope.decide(str(tmp_path / "src" / "gen_a.py")) is None
    assert scope.decide(str(tmp_path / "srcs" / "a.py")) is None


def test_an_installed_package_is_measured_when_it_is_the_source() -> None:
    """source_pkg measures a package by its module names, wherever it is installed."""
    assert _scope(source_pkg=["pytest"]).decide(pytest.__file__, "pytest") is not None
    assert _scope(source_pkg=["pytest"]).decide(pytest.__file__, "pytester") is None


def test_the_first_decision_about_a_file_holds() -> None:
    """Loaded again under another name, a file stays measured, or not, as in coverage.py."""
    scope = _scope(source_pkg=["pytest"])
    assert scope.decide_before_run(pytest.__file__) == (os.path.realpath(pytest.__file__), False)
    assert scope.decide(pytest.__file__, namespace={"__name__": "pytester"}) is None
    assert scope.decide(pytest.__file__, "pytest") is None
    assert scope.decide_before_run(pytest.__file__) == (None, True)


@given(st.text())
def test_settings_values_survive_the_file(tmp_path_factory, value: str) -> None:
    """Any text, also with tabs and line ends, is read back as it was written."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return
    directory = tmp_path_factory.getbasetemp() / "settings-survive"  # one for all: making each anew takes seconds
    directory.mkdir(exist_ok=True)
    (directory / "settings").write_text(
        f"context\t{escape(value)}\nomit\t{escape(value)}\n", encoding="utf-8", newline="\n"
    )
    settings = read_settings(str(directory))
    assert settings.context == value
    assert settings.omit == [value]
