"""Reports of files that a plugin of coverage.py measured: the same as coverage.py's, by the plugin's own file reporter."""

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from both_reports import without_ours, without_writer
from template_project import FILES, read_traced, write_project

pytestmark = pytest.mark.any_python

pytest.importorskip("coverage")

Footfall = Callable[..., subprocess.CompletedProcess[str]]

SETTINGS = FILES[".coveragerc"].replace("branch = true", "branch = true\nsource = .\nomit = my_plugin.py\n context.py")
# without a child, which would leave a data file of its own to coverage.py
MAIN = FILES["main.py"].replace("os.fork()", "1").replace("os.waitpid(pid, 0)", "")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    """The project with footfall's data file of it."""
    directory = tmp_path_factory.mktemp("templates")
    write_project(directory, _coveragerc=SETTINGS, main_py=MAIN)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FOOTFALL_", "COVERAGE_"))}
    command = [sys.executable, "-m", "footfall", "run", "-q", "--no-profile", "main.py"]
    subprocess.run(command, cwd=directory, env=environment, check=True, timeout=60)
    yield directory


def test_every_report_is_coverage_pys(footfall: Footfall, measured: pathlib.Path) -> None:
    """Text, XML, JSON, LCOV and annotated sources of one data file, by both; a template that never ran is in them."""
    assert ("never.tpl", "my_plugin.Lines", "-") in read_traced(measured / ".coverage")

    def theirs(*arguments: str) -> str:
        command = [sys.executable, "-m", "coverage", *arguments]
        return subprocess.run(command, cwd=measured, check=True, capture_output=True, text=True).stdout

    text = theirs("report", "-m")
    assert footfall("report", "-m", cwd=measured).stdout == text
    assert "never.tpl" in text
    assert footfall("report", "a.tpl", cwd=measured).stdout == theirs("report", "a.tpl")
    for name in "xml", "lcov", "json":
        expected = without_writer(theirs(name, "-o", "-"))
        found = footfall(name, "-o", "-", cwd=measured).stdout
        found = without_writer(without_ours(found) if name == "json" else found)
        assert found == expected if name != "json" else json.loads(found) == json.loads(expected)
    for directory, annotate in ("ours", footfall), ("theirs", lambda *arguments, cwd: theirs(*arguments)):
        annotate("annotate", "-d", directory, cwd=measured)
    ours = {path.name: path.read_text() for path in (measured / "ours").iterdir()}
    assert ours == {path.name: path.read_text() for path in (measured / "theirs").iterdir()}
    assert "a.tpl,cover" in ours


def test_the_site_and_gaps_have_them(footfall: Footfall, measured: pathlib.Path) -> None:
    """With the plugin's text and its words for branches."""
    assert footfall("html", "-q", "-d", "site", cwd=measured).returncode == 0
    (page_of_a,) = (measured / "site" / "source").glob("a_*.html")
    page = page_of_a.read_text()
    assert "five" in page
    assert "1 never came to 3" in page
    assert "gen.src:1: no test runs" in footfall("gaps", cwd=measured).stdout


FAILING = {
    "not loaded": ("plugins = my_plugin", "", "is not loaded"),
    "no reporter": ("return Reporter(filename)", "return None", "has no file reporter"),
    "raises": ("return {number for", "1 / 0; return {number for", "ZeroDivisionError"),
    "translates to nonsense": ("return {line - 1 if", "return 5; {line - 1 if", "TypeError"),
    "source is gone": ("return Reporter(filename)", "return Reporter(filename + 'x')", "Can't read the source"),
}


@pytest.mark.parametrize(("old", "new", "reason"), FAILING.values(), ids=FAILING)
def test_what_can_not_be_reported_is_named_and_in_no_total(
    footfall: Footfall, measured: pathlib.Path, tmp_path: pathlib.Path, old: str, new: str, reason: str
) -> None:
    """The Python files are reported all the same."""
    (tmp_path / "my_plugin.py").write_text(FILES["my_plugin.py"].replace(old, new, 1))  # found before the project's
    (tmp_path / "settings").write_text(SETTINGS.replace(old, new, 1))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    chosen = ["--include=*a.tpl,*/main.py", f"--config={tmp_path / 'settings'}"]
    done = footfall("report", *chosen, cwd=measured, env=environment)
    table, _, left_out = done.stdout.partition("Not in the total")
    assert "main.py" in table
    assert "a.tpl" not in table
    assert reason in left_out + done.stderr


def test_runs_are_compared_while_a_file_is_as_it_was_measured(footfall: Footfall, measured: pathlib.Path) -> None:
    """A plugin sees files only as they are now: of one that changed since, no line is compared or attributed."""
    main, template = measured / "main.py", measured / "a.tpl"
    try:
        main.write_text(MAIN.replace("{1, 2, 5}", "{1, 2, 3}"))
        assert (
            footfall("run", "-q", "--no-profile", "--data-file=later.coverage", "main.py", cwd=measured).returncode == 0
        )

        def difference() -> dict:
            found = footfall("diff", ".coverage", "later.coverage", "--format", "json", cwd=measured)
            return json.loads(found.stdout)["coverage"]

        found = difference()
        file = found["files"]["a.tpl"]
        assert (file["covered_lines"], file["uncovered_lines"]) == ([], [5])
        assert list(found["not_compared"]) == ["main.py"]
        assert json.loads(footfall("query", "file a.tpl", cwd=measured).stdout)["is_stale"] is False
        template.write_text("new\n" + FILES["a.tpl"])
        found = difference()
        assert sorted(found["not_compared"]) == ["a.tpl", "main.py"]
        assert "a.tpl" not in found["files"]
        answer = json.loads(footfall("query", "file a.tpl", cwd=measured).stdout)
        assert (answer["is_stale"], answer["unchanged"]) == (True, None)
    finally:
        main.write_text(MAIN)
        template.write_text(FILES["a.tpl"])
