"""Paths as Windows writes them, by their names: two kinds of slash, drives, and small letters like capital ones."""

import ntpath

import pytest

import footfall.files
import footfall.observe.installed
from footfall import windows_paths
from footfall.observe.installed import is_in
from footfall.observe.scope import Scope, glob_matches
from footfall.settings import Settings

pytestmark = pytest.mark.any_python

_HERE = "C:\\Users\\Ann\\proj"


@pytest.fixture(autouse=True)
def on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files be named as there."""
    monkeypatch.setattr(footfall.files, "IS_WINDOWS", True)
    monkeypatch.setattr(footfall.files, "windows_paths", windows_paths, raising=False)
    monkeypatch.setattr(footfall.observe.installed, "IS_WINDOWS", True)


@pytest.mark.parametrize(
    ("path", "absolute"),
    [
        ("a.py", "C:\\Users\\Ann\\proj\\a.py"),
        ("src/../a.py", "C:\\Users\\Ann\\proj\\a.py"),
        (".\\src\\a.py", "C:\\Users\\Ann\\proj\\src\\a.py"),
        ("C:/x//y/./a.py", "C:\\x\\y\\a.py"),
        ("d:\\x\\a.py", "d:\\x\\a.py"),
        ("\\x\\a.py", "C:\\x\\a.py"),
        ("\\\\server\\share\\..\\a.py", "\\\\server\\share\\a.py"),
    ],
)
def test_paths_become_absolute(path: str, absolute: str) -> None:
    """As by ntpath, from the directory that is given; the last part is a file's name whatever the slash."""
    assert footfall.files.absolute_path(path, _HERE) == absolute == ntpath.normpath(ntpath.join(_HERE, path))
    assert footfall.files.real_path(path, _HERE) == absolute  # nothing here is a link
    assert footfall.files.file_name(path) == "a.py"


@pytest.mark.parametrize(
    ("path", "is_absolute"),
    [
        ("C:\\a", True),
        ("c:/a", True),
        ("\\\\s\\s\\a", True),
        ("//s/s/a", True),
        ("C:a", False),
        ("\\a", False),
        ("a", False),
    ],
)
def test_absolute_paths_are_told_from_others(path: str, is_absolute: bool) -> None:
    """A path without a drive, or with a drive alone, depends on where one is."""
    assert footfall.files.is_absolute(path) == is_absolute


@pytest.mark.parametrize(
    ("path", "folder", "inside"),
    [
        ("C:\\proj\\src\\a.py", "c:/PROJ", True),
        ("C:\\proj\\src\\a.py", "C:\\proj\\", True),
        ("C:\\project\\a.py", "C:\\proj", False),
        ("D:\\proj\\a.py", "C:\\proj", False),
    ],
)
def test_folders_have_what_is_below_them(path: str, folder: str, inside: bool) -> None:
    """However the two are written."""
    assert is_in(path, folder) == inside


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("*\\src\\*", True),
        ("*/SRC/*", True),
        ("a.py", True),
        ("c:\\proj\\src\\a.py", True),
        ("C:/proj/**/a.py", True),
        ("C:\\proj\\*", True),
        ("C:\\proj\\?.py", False),
        ("D:\\*", False),
    ],
)
def test_patterns_match_whatever_the_slash(pattern: str, matches: bool) -> None:
    """And whatever the letters' size."""
    assert glob_matches(pattern, "C:\\Proj\\src\\a.py") == matches


def test_a_project_is_measured_by_its_source() -> None:
    """A file of the source is measured under its name with backslashes; one beside it, or left out, is not."""
    settings = Settings("C:\\run")
    settings.source_dir = ["C:\\Proj\\src"]
    settings.omit = ["*/generated/*"]
    scope = Scope(settings)
    assert scope.decide("c:/proj/src/sub/a.py", "sub.a") == "c:\\proj\\src\\sub\\a.py"
    assert scope.decide("C:\\Proj\\tests\\a.py", "tests.a") is None
    assert scope.decide("C:\\Proj\\src\\generated\\a.py", "generated.a") is None
