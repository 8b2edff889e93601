"""The command line's errors, exit statuses and small commands, as a user meets them."""

import json
import os
import pathlib
import re
import sys

import pytest

from conftest import REPOSITORY
from footfall._version import VERSION
from footfall.cli.main import main
from footfall.record.data.coverage_tables import read_coverage

pytestmark = pytest.mark.any_python

PROGRAM = "def f():\n    return 1\n\nprint('out', f())\n"


@pytest.fixture
def script(tmp_path: pathlib.Path) -> pathlib.Path:
    """A small program in the directory where `footfall` runs."""
    path = tmp_path / "script.py"
    path.write_text(PROGRAM, encoding="utf-8")
    return path


def test_version_and_help(footfall, capsys) -> None:
    """--version names the version; the help lists every command, each with its own help and examples for run."""
    assert footfall("--version").stdout == f"footfall, version {VERSION}\n"
    modules = [
        path
        for path in (REPOSITORY / "src" / "footfall" / "cli").rglob("*.py")
        if re.search(r"^def command\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    of_pytest = {"pytest_data", "pytest_session"}  # which pytest calls, not people
    of_lake = {path.stem for path in modules if path.parent.name == "lake"} - {"lake"}
    others = {path.stem for path in modules if path.parent.name != "lake"} - of_pytest
    groups = {"": others | {"lake"}, "lake": of_lake}
    for group, there in groups.items():
        commands = re.findall(r"^  ([\w-]+)  +\S", footfall(*group.split(), "--help").stdout.partition("\nCommands:")[2], re.MULTILINE)  # fmt: skip
        assert {command.replace("-", "_") for command in commands} == there
        assert group or commands[0] == "run"
        for command in commands:
            with pytest.raises(SystemExit) as ended:
                main([*group.split(), command, "--help"])
            assert ended.value.code == 0
            assert capsys.readouterr().out.startswith(" ".join(["Usage: footfall", *group.split(), command]))
    assert "footfall run pytest -q" in footfall("run", "-h").stdout


@pytest.mark.parametrize(
    ("arguments", "slug"),
    [
        (["run"], "no-command"),
        (["run", "-m"], "no-command"),
        (["overhead"], "no-command"),
        (["overhead", "./plain.txt"], "not-executable"),
        (["run", "nowhere.py"], "no-such-script"),
        (["run", "-m", "no_such_module.part"], "no-such-module"),
        (["run", "no-such-command-here"], "no-such-command"),
        (["run", "./gone"], "no-such-command"),
        (["run", "./plain.txt"], "not-executable"),
        (["run", "plain.txt"], "not-executable"),
        (["run", "./folder"], "not-executable"),
        (["run", "--no-cover", "--no-profile", "script.py"], "nothing-to-measure"),
        (["run", "--rate=0", "script.py"], "bad-rate"),
        (["run", "--omit=a***", "script.py"], "bad-glob"),
        (["run", "--config=nowhere.ini", "script.py"], "config-missing"),
        (["run", "--source=/", "script.py"], "source-is-root"),
        (["report", "--config=broken.toml"], "config-syntax"),
        (["resolve", "folder"], "not-a-run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_a_wrong_command_line_is_status_2(footfall, script, tmp_path, arguments: list[str], slug: str) -> None:
    """What can't be run is refused before anything starts: one line, its slug, a next step, nothing left behind."""
    (tmp_path / "plain.txt").write_text("some text\n", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken.toml").write_text("[tool\n", encoding="utf-8")
    done = footfall(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("footfall: ")
    assert line.endswith(f" [{slug}]")
    _, _, shown = line.partition(": footfall ")
    assert not shown or shown.split()[0] == arguments[0], "the command to try is the one that was given"
    assert not (tmp_path / ".footfall").exists()


@pytest.mark.parametrize("arguments", [["nonsense"], ["run", "--nonsense", "x"], ["report", "--precision=x"]])
def test_an_unknown_option_is_status_2(footfall, arguments: list[str]) -> None:
    """click's own complaints end with 2 and name the command's help."""
    done = footfall(*arguments)
    assert done.returncode == 2
    assert "Try 'footfall" in done.stderr


def test_environment_troubles_are_status_3(footfall, script, tmp_path) -> None:
    """A foreign data file and one that can't be written are found before the command runs."""
    (tmp_path / "notes").write_text("my notes\n", encoding="utf-8")
    for name, slug in (("notes", "data-foreign"), ("notes/data", "data-unwritable"), ("/proc/data", "data-unwritable")):
        done = footfall("run", f"--data-file={name}", "script.py")
        assert (done.returncode, done.stdout) == (3, "")
        assert f"[{slug}]" in done.stderr
    assert (tmp_path / "notes").read_text(encoding="utf-8") == "my notes\n"


def test_a_foreign_file_that_is_to_be_read(footfall, tmp_path) -> None:
    """The advice is right however the file was named, and does not have another removed."""
    (tmp_path / "notes").write_text("my notes\n", encoding="utf-8")
    (tmp_path / "damaged").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    (tmp_path / "other.host.pid12.Xabcdefx").write_bytes(b"")
    for name, slug, help in (
        (
            "notes",
            "profile-unknown",
            "Some of them are binary until the tool that wrote them exports them: `perf script > FILE`.",
        ),
        ("damaged", "data-corrupt", "Remove it, and run the program again."),
        ("other", "no-data", "There is a file other.* to join: run `footfall combine --data-file=other`."),
    ):
        for command in (["flame", name], ["diff", name], ["export", "--format=pprof", f"--data-file={name}"]):
            done = footfall(*command)
            assert (done.returncode, done.stdout) == (3, "")
            assert done.stderr.endswith(f" {help} [{slug}]\n"), done.stderr


def test_the_summary_counts_the_contexts_that_reports_count(footfall, script, tmp_path) -> None:
    """`[report] contexts` holds for it as well: the code of another context is in the data, and did not run."""
    (tmp_path / ".coveragerc").write_text("[report]\ncontexts = nightly\n", encoding="utf-8")
    for context, percent in (("daily", "0"), ("nightly", "100")):
        done = footfall("run", "--no-profile", "--branch", f"--context={context}", "script.py")
        assert footfall("report", "--format=total").stdout.strip() == percent
        assert f"Coverage {percent}%" in done.stderr


def test_run_report_json_flame_erase(footfall, script, tmp_path) -> None:
    """The main path: each command works on what `run` left, and `erase` leaves nothing."""
    done = footfall("run", "script.py")
    assert (done.returncode, done.stdout) == (0, "out 1\n")
    assert "Coverage 100%  (0 of 3 statements missing, 0 of 0 branches not taken; 1 file)" in done.stderr
    assert "Data .coverage" in done.stderr
    assert "footfall report -m" in done.stderr
    assert re.search("^TOTAL +3 +0 +0 +0 +100%", footfall("report").stdout, re.MULTILINE)
    assert footfall("report", "--fail-under=100").returncode == 0
    written = footfall("json", "-o", "-")
    assert json.loads(written.stdout)["files"]["script.py"]["missing_lines"] == []
    assert footfall("flame").returncode == 0
    assert [path.name for path in (tmp_path / ".footfall").iterdir() if path.name == "runs"] == []
    assert footfall("erase").returncode == 0
    assert not (tmp_path / ".coverage").exists()
    assert "[no-data]" in footfall("report").stderr
    assert footfall("erase").returncode == 0


def test_quiet_shows_nothing_but_the_program(footfall, script) -> None:
    """With --quiet only the command's own output is there."""
    done = footfall("run", "--quiet", "script.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "out 1\n", "")


def test_the_environment_s_python_runs_scripts(footfall, script, tmp_path) -> None:
    """A script and -m run under the Python that footfall is installed in."""
    script.write_text("import os, sys; print(sys.prefix, os.path.realpath(sys.executable))\n", encoding="utf-8")
    expected = f"{sys.prefix} {os.path.realpath(sys.executable)}"  # by whichever of its names, python or python3
    for arguments in (["script.py"], ["-m", "script"], [str(script)]):
        assert footfall("run", "-q", *arguments).stdout.strip() == expected


def test_switches_choose_what_is_measured(footfall, script, tmp_path) -> None:
    """--no-branch measures lines; --no-cover leaves coverage out; --no-profile the profile; --context names the run."""
    footfall("run", "-q", "--no-branch", "--context=night", "script.py")
    stored = read_coverage(tmp_path / ".coverage")
    assert not stored.has_arcs
    assert stored.files[str(script)].lines == {1, 2, 4}
    assert read_coverage(tmp_path / ".coverage", ["^night$"]).files[str(script)].lines == {1, 2, 4}
    assert read_coverage(tmp_path / ".coverage", ["^day$"]).files[str(script)].lines == set()
    footfall("run", "-q", "--no-profile", "script.py")
    assert read_coverage(tmp_path / ".coverage").has_arcs
    assert "[no-profile]" in footfall("flame").stderr
    done = footfall("run", "--no-cover", "script.py")
    assert done.returncode == 0
    assert "Coverage" not in done.stderr
    assert "[no-coverage]" in footfall("json").stderr
    assert footfall("flame").returncode == 0


def test_warnings_can_be_disabled(footfall, script, tmp_path) -> None:
    """A warning has its slug, and `disable_warnings` turns it off."""
    done = footfall("run", "--source=never_seen", "script.py")
    assert "[module-not-imported]" in done.stderr
    assert "[no-data-collected]" in done.stderr
    (tmp_path / ".coveragerc").write_text(
        "[run]\ndisable_warnings = module-not-imported, no-data-collected\n", encoding="utf-8"
    )
    assert "-not-imported" not in footfall("run", "--source=never_seen", "script.py").stderr
    done = footfall("run", "-q", "--source=.", "--include=*.py", "script.py")
    assert done.stderr == ""
    assert "[include-ignored]" in footfall("run", "--source=.", "--include=*.py", "script.py").stderr


def test_annotated_sources_need_a_place(footfall, script, tmp_path) -> None:
    """What is no directory is refused with the option that says otherwise."""
    assert footfall("run", "-q", "script.py").returncode == 0
    (tmp_path / "taken").write_text("", encoding="utf-8")
    done = footfall("annotate", "-d", "taken")
    assert done.returncode == 3
    assert "[output-unwritable]" in done.stderr and "with -d" in done.stderr
    assert footfall("annotate").stderr == "Wrote 1 annotated source beside theirs\n"
    assert (tmp_path / "script.py,cover").read_text(encoding="utf-8").startswith("> ")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", "[tool.coverage.report]\nfail_under = 100\n"),
        ("setup.cfg", "[coverage:report]\nfail_under = 100\n"),
        ("tox.ini", "[coverage:report]\nfail_under = 100\n"),
        (".coveragerc", "[report]\nfail_under = 100\n"),
    ],
    ids=lambda each: each if "\n" not in each else "",
)
def test_a_configured_threshold_is_of_coverage(footfall, script, tmp_path, name: str, text: str) -> None:
    """The profile is shown in spite of it, wherever it is configured; the option asks for what can't be."""
    assert footfall("run", "-q", "script.py").returncode == 0
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert footfall("report", "--by", "function").returncode == 0
    assert "[by-whole]" in footfall("report", "--by", "function", "--fail-under=100").stderr


def test_times_alone_are_reported_where_they_are_shown(footfall, script) -> None:
    """`tests` has none to show in a profile without tests, and says only that."""
    assert footfall("run", "-q", "--no-cover", "script.py").returncode == 0
    assert "Times are shown. [no-coverage]" in footfall("report").stderr
    done = footfall("tests")
    assert done.stderr.count("\n") == 1 and "[no-contexts]" in done.stderr


def test_a_program_of_standard_input(footfall, script, tmp_path) -> None:
    """It has no file: the message says what to do; and `-` alone is no command."""
    done = footfall("run", "--no-profile", sys.executable, "-", input="print('ran')")
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "standard input has no file: put it into one." in done.stderr
    assert "footfall run python -" in footfall("run", "-").stderr


def test_a_misspelt_command_is_guessed(footfall) -> None:
    """As options are."""
    done = footfall("rpeort")
    assert done.returncode == 2 and "No such command 'rpeort'. Did you mean 'report'" in done.stderr
    assert "Did you mean" not in footfall("zzz").stderr


def test_a_place_without_a_run_is_named(footfall, tmp_path) -> None:
    """Whether it is there, in words."""
    assert "nothere is not a run directory: there is no such directory." in footfall("resolve", "nothere").stderr
    assert "it has no file `settings`" in footfall("resolve", str(tmp_path)).stderr


@pytest.mark.parametrize(
    "name", ["report", "html", "tests", "gaps", "flame", "export", "erase", "debug", "top", "combine"]
)
def test_examples_of_the_help_can_be_copied(footfall, name: str) -> None:
    """Each has a line of its own, whatever the width of the terminal."""
    _, _, examples = footfall(name, "--help", env={**os.environ, "COLUMNS": "50"}).stdout.partition("Examples:\n")
    assert examples
    assert all(line.strip().startswith(f"footfall {name}") for line in examples.splitlines())
