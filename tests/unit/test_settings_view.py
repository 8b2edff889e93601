"""`footfall.compat.Coverage().config`: every setting has coverage.py's name and value."""

import pathlib
import warnings

import pytest

from footfall.compat import Coverage, CoverageException

coverage_config = pytest.importorskip("coverage.config")

pytestmark = pytest.mark.any_python

INI = """\
[run]
branch = yes
timid = 1
sigterm = on
core = pytrace
concurrency = thread, greenlet
debug = pids, trace
debug_file = ~/debug.txt
command_line = program.py
context = nightly
dynamic_context = none
cover_pylib = yes
data_file = $DATA_NAME/x
source = src
source_pkgs = one, two
source_dirs = lib
omit = a.py
include = b.py
parallel = true
patch = _exit, execv
disable_warnings = no-ctracer
[report]
contexts = one, two
exclude_also = if DEBUG:
partial_also = while WAITING:
partial_branches_always = for
fail_under = 80.5
format = markdown
ignore_errors = 1
include = c.py
omit = d.py
precision = 2
skip_covered = 1
skip_empty = 1
show_missing = 1
sort = -cover
[html]
directory = ~/pages
extra_css = more.css
skip_covered = false
skip_empty = true
show_contexts = yes
title = All of it
[xml]
output = x.xml
package_depth = 3
[json]
output = x.json
pretty_print = 1
show_contexts = 1
[lcov]
output = x.info
line_checksums = 1
[paths]
here =
    src
    ~/elsewhere
"""
TOML = """\
[tool.coverage.run]
timid = true
concurrency = ["multiprocessing"]
context = "${UNSET-none}"
[tool.coverage.report]
precision = "$DIGITS"
fail_under = 90
exclude_lines = ["one$$", " two "]
[tool.coverage.html]
skip_empty = true
"""


@pytest.fixture(autouse=True)
def project(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty project as the current directory."""
    for name in ("COVERAGE_FILE", "COVERAGE_RCFILE", "COVERAGE_CORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_NAME", "from-environment")
    monkeypatch.setenv("DIGITS", "3")
    monkeypatch.setenv("COVERAGE_DEBUG", "config, sys")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [("other.txt", ""), (".coveragerc", INI), ("pyproject.toml", TOML), ("setup.cfg", "[metadata]\nname = x\n")],
)
def test_all_settings_have_the_names_and_values_of_coverage(name: str, text: str) -> None:
    """Of the defaults and of files with every setting; what is set by name is seen by attribute, and the reverse."""
    pathlib.Path(name).write_text(text, encoding="utf-8")
    theirs = coverage_config.read_coverage_config(True, lambda _text: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = Coverage().config
    expected = dict(theirs.debug_info())
    if "title" not in text:
        expected["html_title"] = "footfall report"  # of footfall's pages
    assert dict(ours.debug_info()) == expected
    for attribute, option, value in (
        ("timid", "run:timid", "set"),
        ("exclude_list", "report:exclude_lines", ["x"]),
        ("html_dir", "html:directory", "y"),
        ("run_omit", "run:omit", ["z"]),
        ("source", "run:source", ["here"]),
    ):
        ours.set_option(option, value)
        assert getattr(ours, attribute) == value
        setattr(ours, attribute, value[:1])
        assert ours.get_option(option) == value[:1]
    ours.report_include = None
    apart = ours.copy()
    apart.exclude_list.append("more")
    assert ours.exclude_list == ["x"] and ours.report_include is None
    with pytest.raises(AttributeError):
        ours.exclude_lines  # noqa: B018


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"concurrency": "threads"}, "Unknown concurrency choices: threads"),
        ({"concurrency": ["gevent", "eventlet"]}, "Conflicting concurrency settings: eventlet, gevent"),
        ({"config_file": "nowhere.ini"}, "Couldn't read 'nowhere.ini' as a config file"),
    ],
)
def test_settings_that_coverage_refuses_are_refused(named: dict[str, object], expected: str) -> None:
    """In its words, by the same exception."""
    with pytest.raises(CoverageException, match=expected):
        Coverage(**named)  # type: ignore[arg-type]
