"""The configuration: the same settings from the same files as coverage.py reads."""

import contextlib
import copy
import os
import pathlib
from collections.abc import Iterator

import pytest

from footfall.config.configfile import substitute_variables
from footfall.config.configuration import Config, make_patterns_absolute
from footfall.config.named_options import NamedOptions
from footfall.config.reading import read_config
from footfall.errors import UsageError

coverage_config = pytest.importorskip("coverage.config")

INI = """\
[{prefix}run]
branch = {branch}
source = src, lib
    more
source_pkgs =
    one
    two.three
omit = */x.py,$HOME/y.py
context = ${{FOOTFALL_TEST_NAME-nameless}}
data_file = ~/data/.cov
relative_files = yes
parallel = true
[{prefix}report]
exclude_also =
    if DEBUG:
    raise NotImplementedError
fail_under = 87.5
precision = 2
show_missing = on
sort = -cover
skip_empty = 1
[{prefix}paths]
here =
    src/
    */site-packages/
[{prefix}html]
title = A title
"""

TOML = """\
[{prefix}run]
branch = {branch}
source = ["src", "lib"]
omit = ["*/x.py", "$HOME/y.py"]
context = "${{FOOTFALL_TEST_NAME-nameless}}"
[{prefix}report]
exclude_lines = ["pragma: never", "if 0:"]
partial_branches = ["pragma: some"]
fail_under = 90
show_missing = "true"
[{prefix}paths]
here = ["src/", "~/elsewhere"]
"""

FILES = [
    ({".coveragerc": INI.format(prefix="", branch="yes")}, None),
    ({".coveragerc.toml": TOML.format(prefix="", branch="false")}, None),
    ({"setup.cfg": INI.format(prefix="coverage:", branch="0")}, None),
    ({"tox.ini": INI.format(prefix="coverage:", branch="true")}, None),
    ({"pyproject.toml": TOML.format(prefix="tool.coverage.", branch="true")}, None),
    ({".coveragerc": "", "pyproject.toml": TOML.format(prefix="tool.coverage.", branch="true")}, None),
    ({"setup.cfg": "[tool]\nx=1\n", "tox.ini": INI.format(prefix="coverage:", branch="on")}, None),
    ({".coveragerc": "[run]\nbranch=no\n", "mine.ini": INI.format(prefix="", branch="off")}, "mine.ini"),
    ({"mine.toml": TOML.format(prefix="tool.coverage.", branch="true")}, "mine.toml"),
    ({"mine.cfg": INI.format(prefix="coverage:", branch="no")}, "mine.cfg"),
    ({".coveragerc": "[run]\nsource=a\n[coverage:run]\nomit=b\n"}, None),
    ({".coveragerc": "\ufeff" + INI.format(prefix="", branch="yes")}, None),
    ({"pyproject.toml": "\ufeff" + TOML.format(prefix="tool.coverage.", branch="true")}, None),
    ({}, None),
]

# ours -> theirs, where the value must be the same
SAME = {
    "source_pkgs": "source_pkgs",
    "source_dirs": "source_dirs",
    "run_include": "run_include",
    "run_omit": "run_omit",
    "data_file": "data_file",
    "relative_files": "relative_files",
    "exclude_also": "exclude_also",
    "fail_under": "fail_under",
    "precision": "precision",
    "show_missing": "show_missing",
    "skip_covered": "skip_covered",
    "skip_empty": "skip_empty",
    "paths": "paths",
    "json_output": "json_output",
}


@pytest.fixture
def project(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pathlib.Path]:
    """An empty project as the current directory, with nothing of ours in the environment."""
    for name in ("COVERAGE_FILE", "COVERAGE_RCFILE", "FOOTFALL_TEST_NAME"):
        monkeypatch.delenv(name, raising=False)
    with contextlib.chdir(tmp_path):
        yield tmp_path


def _write(files: dict[str, str]) -> None:
    for name, text in files.items():
        pathlib.Path(name).write_text(text, encoding="utf-8")


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(("files", "named"), FILES)
def test_settings_are_those_that_coverage_reads(files: dict[str, str], named: str | None) -> None:
    """Every file of the table gives the values that coverage.py gets from it."""
    _write(files)
    theirs = coverage_config.read_coverage_config(named or True, lambda _text: None)
    ours = read_config(named)
    assert {name: getattr(ours, name) for name in SAME} == {
        name: getattr(theirs, other) for name, other in SAME.items()
    }
    assert ours.source == (theirs.source or [])
    assert ours.context == (theirs.context or "")
    assert ours.sort == (theirs.sort or "name")
    excluded = (ours.exclude_lines or coverage_config.DEFAULT_EXCLUDE) + ours.exclude_also
    assert excluded == theirs.exclude_list
    assert (ours.partial_branches or coverage_config.DEFAULT_PARTIAL) + ours.partial_also == theirs.partial_list
    assert ours.config_file == theirs.config_file
    assert ours.warnings == []


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("files", "branch"),
    [
        ({}, True),
        ({"pyproject.toml": "[tool.other]\nbranch=false\n", "setup.cfg": "[metadata]\nname=x\n"}, True),
        ({"pyproject.toml": "[tool.footfall]\nrate=10\n"}, True),
        ({".coveragerc": ""}, False),
        ({".coveragerc": "[report]\nfail_under=90\n"}, False),
        ({"pyproject.toml": "[tool.coverage.run]\nsource=['x']\n"}, False),
        ({"tox.ini": "[coverage:run]\nbranch=no\n"}, False),
        ({".coveragerc": "[run]\nbranch=1\n"}, True),
        ({".coveragerc": "[run]\n", "pyproject.toml": "[tool.footfall]\nbranch=true\n"}, True),
        ({".coveragerc": "[run]\nbranch=1\n", "pyproject.toml": "[tool.footfall]\nbranch=false\n"}, False),
        ({"pyproject.toml": "[tool.footfall]\nbranch=false\n"}, False),
    ],
)
def test_branches_are_measured_where_coverage_would(files: dict[str, str], branch: bool) -> None:
    """Without settings for coverage.py they are; with them only if they say so, or footfall's own do."""
    _write(files)
    assert read_config().branch is branch


@pytest.mark.usefixtures("project")
def test_environment_names_file_and_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """COVERAGE_RCFILE and COVERAGE_FILE hold as for coverage.py."""
    _write({"other.ini": "[run]\nsource=x\ndata_file=from-config\n", ".coveragerc": "[run]\nsource=y\n"})
    monkeypatch.setenv("COVERAGE_RCFILE", "other.ini")
    assert (read_config().source, read_config().data_file) == (["x"], "from-config")
    monkeypatch.setenv("COVERAGE_FILE", "from-environment")
    assert read_config().data_file == "from-environment"


@pytest.mark.usefixtures("project")
def test_own_keys_come_from_pyproject_whatever_file_holds_coverage_settings() -> None:
    """`[tool.footfall]` is read beside a .coveragerc."""
    _write({".coveragerc": "[run]\nsource=x\n", "pyproject.toml": "[tool.footfall]\nrate = 250\nprofile = false\n"})
    config = read_config()
    assert (config.source, config.rate_hz, config.profile) == (["x"], 250, False)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({".coveragerc": "[run]\nsauce=x\n"}, "'[run] sauce='"),
        ({"setup.cfg": "[coverage:report]\nfail_over=3\n[coverage:run]\nbranch=1\n"}, "'[coverage:report] fail_over='"),
        ({"pyproject.toml": "[tool.footfall]\nrat = 3\n"}, "'[tool.footfall] rat='"),
    ],
)
def test_unknown_options_are_warned_of(files: dict[str, str], expected: str) -> None:
    """A misspelt option is named with its section and file."""
    _write(files)
    ((slug, text),) = read_config().warnings
    assert slug == "config-unknown"
    assert expected in text


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("name", "content", "slug", "expected"),
    [
        (".coveragerc", b"branch = yes\n", "config-syntax", ".coveragerc, line 1: there are no section headers"),
        (".coveragerc", b"[run]\n\nbranch yes\n", "config-syntax", ".coveragerc, line 3"),
        ("setup.cfg", b"[a]\nx=1\nx=2\n", "config-syntax", "setup.cfg, line 3: [a] x is set twice"),
        ("tox.ini", b"[a]\n[b]\n[a]\n", "config-syntax", "tox.ini, line 3: section [a]"),
        ("pyproject.toml", b"[tool\nx=1\n", "config-syntax", "pyproject.toml, line 1"),
        ("pyproject.toml", b"[tool.coverage.run]\nsource = [\n\n", "config-syntax", "pyproject.toml, line"),
        ("pyproject.toml", b"a = 1\nb = '\xff'\n", "config-syntax", "pyproject.toml, line 2: it is not UTF-8"),
        (".coveragerc", b"[run]\nsource=a\nbranch=perhaps\n", "config-value", ".coveragerc, line 3: [run] branch"),
        (".coveragerc", b"[report]\nexclude_also=\n  ok\n  (\n", "config-value", ".coveragerc, line 2"),
        (".coveragerc", b"[report]\nprecision=two\n", "config-value", "[report] precision"),
        (".coveragerc", b"[run]\nsource=${FOOTFALL_NOT_SET?}\n", "config-value", "FOOTFALL_NOT_SET is not set"),
        (
            "pyproject.toml",
            b"[tool.coverage.run]\nsource='src'\n",
            "config-value",
            "line 2: Option [tool.coverage.run]source is not a list: 'src'",
        ),
        ("pyproject.toml", b"[tool.coverage.run]\nbranch=1\n", "config-value", "is not a boolean: 1"),
        ("pyproject.toml", b"[tool.footfall]\nrate=0\n", "bad-rate", "sampling rate is 0"),
        ("pyproject.toml", b"[tool.footfall]\nasync=true\nprecise=true\n", "async-precise", "sees no tasks"),
        ("pyproject.toml", b"[tool.footfall]\nasync=true\nnative=true\n", "async-precise", "with --native"),
        ("pyproject.toml", b"[tool.footfall]\nengine='ctrace'\n", "bad-engine", "no engine 'ctrace'"),
    ],
)
def test_a_wrong_file_is_named_with_the_line(name: str, content: bytes, slug: str, expected: str) -> None:
    """A file that does not parse, or a value that can't be, gives its file, its line and what is wrong."""
    pathlib.Path(name).write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_config()
    assert caught.value.slug == slug
    assert expected in caught.value.message
    assert caught.value.help


@pytest.mark.usefixtures("project")
def test_a_named_file_must_be_there() -> None:
    """--config with no such file is an error, not the defaults."""
    with pytest.raises(UsageError, match="nowhere.ini"):
        read_config("nowhere.ini")


@pytest.mark.parametrize(
    "text", ["$A", "${A}", "x${A}y", "${B-def}", "${B}", "$$A", "${A-def}", "$B", "${B-}", "$", "${", "a$ b"]
)
def test_variables_are_replaced_as_in_coverage(text: str) -> None:
    """All forms of `$X` give what coverage.py gives."""
    from coverage.misc import substitute_variables as theirs

    variables = {"A": "value"}
    assert substitute_variables(text, variables) == theirs(text, variables)


@pytest.mark.parametrize(
    "pattern", ["a.py", "*.py", "src/*", "?x", "/abs/x.py", "./b", "a**", "**b", "***", "a/**/b", "**/**", "[a", "b]"]
)
def test_patterns_are_prepared_as_in_coverage(pattern: str) -> None:
    """Patterns become absolute as in coverage.py, and those that it refuses are refused."""
    from coverage.exceptions import ConfigError
    from coverage.files import GlobMatcher, prep_patterns

    try:
        GlobMatcher([pattern])
    except ConfigError:
        with pytest.raises(UsageError, match="file pattern"):
            make_patterns_absolute([pattern])
    else:
        assert make_patterns_absolute([pattern]) == prep_patterns([pattern])


def test_every_setting_has_a_default() -> None:
    """A Config without any file is complete."""
    assert os.path.basename(Config().data_file) == ".coverage"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("report:exclude_lines", "x"),
        ("report:exclude_lines", ["x", 1]),
        ("report:fail_under", "90"),
        ("report:precision", 2.5),
        ("report:sort", 3),
        ("run:concurrency", 3),
        ("run:context", b"x"),
        ("run:data_file", None),
        ("run:omit", {"a": 1}),
        ("run:patch", "subprocess"),
        ("paths", ["a"]),
        ("paths", {"a": "b"}),
        ("paths", {"a": [1]}),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(option: str, value: object) -> None:
    options = NamedOptions(Config())
    before = copy.deepcopy(options.get(option))
    with pytest.raises(TypeError, match=f"^{option} is "):
        options.set(option, value)
    assert options.get(option) == before


@pytest.mark.parametrize(
    ("option", "value", "then"),
    [
        ("report:exclude_lines", ("x", "y"), ["x", "y"]),
        ("report:fail_under", 90, 90),
        ("report:contexts", None, None),
        ("run:branch", "no", True),
        ("run:data_file", pathlib.Path("here"), "here"),
        ("run:timid", "set", "set"),
        ("paths", {"a": ("b",)}, {"a": ["b"]}),
    ],
)
def test_a_value_that_coverage_py_can_use_is_taken(option: str, value: object, then: object) -> None:
    options = NamedOptions(Config())
    options.set(option, value)
    assert options.get(option) == then
