"""Settings of coverage.py by which its numbers would be others, and which footfall does not follow: it says so."""

import pathlib
from collections.abc import Callable

import pytest

pytestmark = pytest.mark.any_python


def test_plugins(footfall: Callable[..., object], tmp_path: pathlib.Path) -> None:
    """Named by the run and by each report, as what they set may be a threshold; the warning can be disabled."""
    (tmp_path / "main.py").write_text("a = 1\n")
    settings = "[run]\nplugins =\n    other_plugin\ncover_pylib = true\n"
    (tmp_path / ".coveragerc").write_text(settings)
    for command in (("run", "-q", "--no-profile", "main.py"), ("report",), ("html",), ("json",)):
        done = footfall(*command)
        assert done.returncode == 0
        assert done.stderr.count("[plugins-ignored]") == 1
        assert "other_plugin is not applied" in done.stderr
        assert done.stderr.count("[cover-pylib-ignored]") == 1
    (tmp_path / ".coveragerc").write_text(settings + "disable_warnings = plugins-ignored, cover-pylib-ignored\n")
    assert footfall("report").stderr == ""
    (tmp_path / ".coveragerc").write_text("[run]\nplugins =\ncover_pylib = false\n")
    assert footfall("report").stderr == ""


def test_slugs_of_coverage_disable_what_they_name(footfall: Callable[..., object], tmp_path: pathlib.Path) -> None:
    """`couldnt-parse` is about files that are no Python, which have another slug here."""
    (tmp_path / "main.py").write_text("import other\n")
    (tmp_path / "other.py").write_text("a = 1\n")
    (tmp_path / ".coveragerc").write_text("[report]\nignore_errors = true\n")
    assert footfall("run", "-q", "--no-profile", "main.py").returncode == 0
    (tmp_path / "other.py").write_text("a = = 1\n")
    assert "[not-python]" in footfall("report").stderr
    (tmp_path / ".coveragerc").write_text("[report]\nignore_errors = true\n[run]\ndisable_warnings = couldnt-parse\n")
    assert footfall("report").stderr == ""
