"""Which files are measured: the same answers as coverage.py gives."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import REPOSITORY
from footfall.observe.scope import Scope, glob_matches
from footfall.settings import Settings, escape, read_settings

coverage = pytest.importorskip("coverage")
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


def test_footfall_measures_of_itself_what_does_not_measure() -> None:
    """Asked for by name, its modules are measured, but for those that are loaded before measuring begins."""
    scope = _scope(source_pkg=["footfall"])
    for name in ("footfall.report.summary", "footfall.analyze.totals"):
        path = importlib.import_module(name).__file__ or ""
        assert scope.decide(path, name) == os.path.realpath(path)
    for name in ("footfall.observe.scope", "footfall.probes.forms", "footfall.model", "footfall"):
        assert scope.decide(importlib.import_module(name).__file__ or "", name) is None


def test_the_first_decision_about_a_file_holds() -> None:
    """Loaded again under another name, a file stays measured, or not, as in coverage.py."""
    scope = _scope(source_pkg=["pytest"])
    assert scope.decide_before_run(pytest.__file__) == (os.path.realpath(pytest.__file__), False)
    assert scope.decide(pytest.__file__, namespace={"__name__": "pytester"}) is None
    assert scope.decide(pytest.__file__, "pytest") is None
    assert scope.decide_before_run(pytest.__file__) == (None, True)


_SCHEMES = """
import os, site, sys, sysconfig
sys.path.insert(0, sys.argv[1])  # footfall is not installed in every one
from footfall.observe import installed
del sys.path[0]
schemes = [sysconfig.get_paths(name) for name in sysconfig.get_scheme_names()]
def directories(*names):
    return {os.path.realpath(paths[name]) for paths in schemes for name in names if name in paths}
found = set(installed.ThirdParty().directories())
expected = directories("platlib", "purelib", "scripts")
assert found == expected, (found - expected, expected - found)
library = installed.standard_library()
assert directories("stdlib", "platstdlib") <= set(library), directories("stdlib", "platstdlib") - set(library)
assert installed.is_in_any(os.__file__, library)
"""


@pytest.mark.parametrize("kind", ["this-environment", "interpreter", "environment-with-system"])
def test_schemes_are_those_of_sysconfig(tmp_path: Path, kind: str) -> None:
    """What is known without sysconfig equals what sysconfig says, for this interpreter and its environments."""
    python = sys.executable if kind == "this-environment" else getattr(sys, "_base_executable", sys.executable)
    if kind == "environment-with-system":
        made = [python, "-m", "venv", "--without-pip", "--system-site-packages", str(tmp_path / "venv")]
        subprocess.run(made, check=True, timeout=60)
        python = str(tmp_path / "venv" / "bin" / "python")
    # -P: nothing of this directory; without PYTHONPATH no environment but the interpreter's own is in sys.path
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["PYTHONUSERBASE"] = str(tmp_path / "user")
    source = REPOSITORY / "src"
    done = subprocess.run(
        [python, "-P", "-c", _SCHEMES, str(source)], env=environment, text=True, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files of a project, of environments in and around it, and of libraries; some of their folders in sys.path."""
    folder = tmp_path.resolve()
    monkeypatch.chdir(folder)
    project = folder / "project"
    inside = project / ".venv" / "lib" / "python3" / "site-packages"
    for environment in (project / ".venv", folder / "around"):
        environment.mkdir(parents=True)
        (environment / "pyvenv.cfg").touch()
    files = [
        project / "app.py",
        project / "src" / "mod.py",
        project / ".venv" / "bin" / "tool",
        inside / "lib.py",
        project / "vendor" / "site-packages" / "vendored.py",
        folder / "around" / "mod.py",
        folder / "around" / "src" / "mod.py",
        folder / "around" / "src" / "deep" / "mod.py",
        folder / "elsewhere" / "mod.py",
    ]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (project / "linked.py").symlink_to(inside / "lib.py")
    (inside / "editable.py").symlink_to(project / "app.py")
    monkeypatch.setattr(sys, "path", list(sys.path))
    return [
        *map(str, files),
        str(project / "linked.py"),
        str(inside / "editable.py"),
        os.path.join(os.path.dirname(sys.executable), "pytest"),
        os.path.join(sys.prefix, "bin", "tool"),
        os.path.join(sys.prefix, "lib", "python", "mod.py"),
        os.path.expanduser("~/.local/bin/tool"),
        os.__file__,
        pytest.__file__,
        "memory:mod.py",
    ]


_SEARCHED = [
    [],
    ["project"],
    ["project/.venv/bin", "project/src"],
    ["project/.venv/lib/python3/site-packages", "project/vendor/site-packages"],
    ["around"],
    ["around/src"],
    ["around/src/"],
    ["missing/around/src", ""],
]


@pytest.mark.parametrize("searched", _SEARCHED, ids=lambda entries: "+".join(entries) or "nothing")
@pytest.mark.parametrize("source", [None, "project", "project/.venv", "project/.venv/bin", "around", "around/src"])
def test_what_is_installed_is_judged_as_in_coverage(
    places: list[str], monkeypatch: pytest.MonkeyPatch, source: str | None, searched: list[str]
) -> None:
    """Files of environments, scripts and libraries are measured exactly when coverage.py measures them."""
    directory = None if source is None else os.path.abspath(source)
    scope = _scope(source_dir=[directory] if directory else [])
    scope.decide(places[0])  # what sys.path says later counts
    for entry in searched:
        monkeypatch.syspath_prepend(os.path.join(os.getcwd(), entry) if entry else entry)
    theirs = coverage.Coverage(source=[directory] if directory else None, config_file=False, data_file=None)
    theirs._init()
    theirs._init_for_start()
    for path in places:
        expected = theirs._inorout.should_trace(path)
        found = scope.decide(path)
        assert found == (expected.canonical_filename if expected.trace else None), (path, expected.reason)


def test_a_link_to_a_file_of_the_standard_library_is_not_measured(tmp_path: Path, monkeypatch) -> None:
    """Debian keeps sitecustomize.py in /etc, and has a link to it in the standard library."""
    library = tmp_path / "lib"
    library.mkdir()
    kept = tmp_path / "etc.py"
    kept.touch()
    (library / "sitecustomize.py").symlink_to(kept)
    monkeypatch.setattr(os, "__file__", str(library / "os.py"))
    scope = _scope()
    assert scope.decide(str(library / "sitecustomize.py")) is None
    assert scope.decide(str(kept)) == str(kept.resolve())


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


@pytest.mark.parametrize("name", ["fast.pyx", "fast.pxd", "part.pxi"])
def test_cythons_files_are_not_pythons(name: str, tmp_path: Path) -> None:
    """What Cython compiles may report lines as Python does; it is never measured, nor a reason to refuse a report."""
    settings = Settings("")
    settings.source_dir = [str(tmp_path)]
    assert Scope(settings).decide(str(tmp_path / "module.py")) is not None
    assert Scope(settings).decide(str(tmp_path / name)) is None
