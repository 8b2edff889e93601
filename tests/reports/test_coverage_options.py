"""coverage.py's command lines and settings under `footfall`: what has a meaning works, the rest is accepted with a note."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable

import click
import pytest

from footfall.cli.abbreviated import COVERAGE_OPTIONS
from footfall.cli.main import _footfall as group
from footfall.config.configuration import KNOWN, WITHOUT_EFFECT

pytestmark = pytest.mark.any_python

Footfall = Callable[..., subprocess.CompletedProcess[str]]

PROGRAM = "import os\nprint(os.environ.get('COVERAGE_RUN'))\nif os.environ.get('MORE'):\n    print('more')\n"


@pytest.fixture
def program(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    return path


def test_options_without_effect_leave_a_note(footfall: Footfall, program: pathlib.Path) -> None:
    """Each option is accepted and named once; a setting turns the notes off; -q too."""
    options = ("--timid", "-L", "--concurrency=thread", "--debug=trace")
    done = footfall("run", "--no-profile", *options, "program.py")
    assert done.returncode == 0 and done.stdout == "true\n"
    for name in ("--timid", "--pylib", "--concurrency", "--debug"):
        assert done.stderr.count(f"footfall: {name} has no effect: ") == 1
    assert "has no effect" not in footfall("run", "-q", "--no-profile", *options, "program.py").stderr
    (program.parent / ".coveragerc").write_text("[run]\ndisable_warnings = option-ignored\n", encoding="utf-8")
    assert "has no effect" not in footfall("run", "--no-profile", *options, "program.py").stderr
    (program.parent / ".coveragerc").unlink()
    for options in (("--skip-covered", "--skip-empty", "--show-contexts"), ("--no-skip-covered", "--debug=data")):
        done = footfall("html", *options)
        assert done.returncode == 0
        assert done.stderr.count("has no effect: ") == len(options)


def _as_coverage(directory: pathlib.Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from footfall.__main__ import as_coverage; as_coverage()", *words]
    environment = {**os.environ, **environment}
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


def test_options_that_change_no_result_are_not_named_in_place_of_coverage(
    footfall: Footfall, program: pathlib.Path
) -> None:
    """`footfall-coverage` prints what coverage.py does, and refuses what that refuses."""
    done = _as_coverage(program.parent, "run", "--timid", "--concurrency=thread,greenlet", "program.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "true\n", "")
    for options, expected in (
        (["--concurrency=threads"], "Unknown concurrency choices: threads. "),
        (["--concurrency=gevent,greenlet"], "Conflicting concurrency settings: gevent, greenlet. "),
    ):
        done = footfall("run", *options, "program.py")
        assert done.returncode == 2 and expected in done.stderr and not done.stdout
    (program.parent / ".coveragerc").write_text("[run]\npatch = _exit, sub\n", encoding="utf-8")
    done = footfall("run", "program.py")
    assert done.returncode == 2 and "Unknown patch 'sub'. " in done.stderr and "[config-value]" in done.stderr
    assert footfall("report").returncode == 0  # of the first run's data: only those who measure look at it


def test_a_signal_to_save_ends_nothing(footfall: Footfall, program: pathlib.Path) -> None:
    """`--save-signal` has nothing to save, and the program that is sent it goes on; without the option it dies of it."""
    program.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGUSR1)\nprint('on')\n", encoding="utf-8")
    done = footfall("run", "--no-profile", "--save-signal=USR1", "program.py")
    assert (done.returncode, done.stdout) == (0, "on\n"), done.stderr
    assert footfall("run", "--no-profile", "program.py").returncode == -signal.SIGUSR1
    assert footfall("run", "--save-signal=KILL", "program.py").returncode == 2


@pytest.mark.parametrize("setting", ["patch = subprocess, _exit", "concurrency = multiprocessing"])
def test_a_recipe_for_child_processes_combines(footfall: Footfall, program: pathlib.Path, setting: str) -> None:
    """Both settings leave a file to combine, as with coverage.py; its own way to measure children is off."""
    program.write_text("import os\nprint([n for n in os.environ if n.startswith('COVERAGE_P')])\n", encoding="utf-8")
    (program.parent / ".coveragerc").write_text(f"[run]\n{setting}\n", encoding="utf-8")
    environment = {**os.environ, "COVERAGE_PROCESS_START": ".coveragerc"}
    assert footfall("run", "--no-profile", "program.py", env=environment).stdout == "[]\n"
    assert not (program.parent / ".coverage").exists()
    done = footfall("combine")
    assert done.returncode == 0 and "[table-left-out]" not in done.stderr
    assert footfall("report", "--format=total").stdout == "100\n"
    if "multi" in setting:  # what was there goes on in the file to combine
        program.write_text("import os\nif os.environ.get('MORE'):\n    print('more')\n", encoding="utf-8")
        footfall("run", "--no-profile", "program.py")
        footfall("combine")
        footfall("run", "--no-profile", "-a", "program.py", env={**os.environ, "MORE": "1"})
        assert not (program.parent / ".coverage").exists()
        assert footfall("combine").returncode == 0
        assert footfall("report", "--format=total").stdout == "100\n"


def test_files_of_any_name_are_combined_in_place_of_coverage(footfall: Footfall, program: pathlib.Path) -> None:
    """`footfall-coverage report` takes every file named after the data file; `footfall report` its own, and names others."""
    footfall("run", "--no-profile", "--data-file=.coverage.one", "program.py")
    done = footfall("report")
    assert done.returncode == 3
    assert done.stderr.startswith(
        "footfall: No data to report. There is no data file '.coverage'. There is a file .cov"
    )
    done = _as_coverage(program.parent, "report", "--format=total")
    assert (done.returncode, done.stdout) == (0, "67\n")
    assert sorted(path.name for path in program.parent.glob(".coverage*")) == [".coverage"]


def test_coverage_started_in_every_process_is_not_in_the_way(program: pathlib.Path) -> None:
    """COVERAGE_PROCESS_START measures this very command where coverage.py is installed: what it finds is no data."""
    (program.parent / "each.ini").write_text("[run]\nparallel = true\nbranch = true\n", encoding="utf-8")
    for word in ("run", "combine"):
        done = _as_coverage(
            program.parent, word, *(["program.py"] if word == "run" else []), COVERAGE_PROCESS_START="each.ini"
        )
        assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in program.parent.glob(".coverage*")) == [".coverage"]
    done = _as_coverage(program.parent, "report")
    assert done.stdout.splitlines()[2].split() == ["program.py", "4", "1", "75%"]


def test_help_is_a_command_too(footfall: Footfall) -> None:
    """`footfall help` and `footfall help COMMAND` are what --help shows."""
    assert footfall("help").stdout == footfall("--help").stdout
    assert footfall("help", "report").stdout == footfall("report", "--help").stdout
    assert footfall("help", "nosuch").returncode == 2


@pytest.mark.parametrize("text", ["program.py", "-m program", "--module program", f"'{sys.executable}' program.py"])
def test_the_configured_command_runs(footfall: Footfall, program: pathlib.Path, text: str) -> None:
    """`[run] command_line` is run where no command is given, in the words of a shell; a given one has the say."""
    (program.parent / ".coveragerc").write_text(f"[run]\ncommand_line = {text}\n", encoding="utf-8")
    (program.parent / "other.py").write_text("print('other')\n", encoding="utf-8")
    done = footfall("run", "--no-profile")
    assert (done.returncode, done.stdout) == (0, "true\n")
    assert footfall("run", "--no-profile", "other.py").stdout == "other\n"


def test_a_configured_command_that_is_none(footfall: Footfall, program: pathlib.Path) -> None:
    """An open quotation is refused with the setting's name; without the setting a command is asked for."""
    (program.parent / ".coveragerc").write_text("[run]\ncommand_line = 'program.py\n", encoding="utf-8")
    done = footfall("run")
    assert done.returncode == 2 and "[run] command_line" in done.stderr and "[bad-command-line]" in done.stderr
    (program.parent / ".coveragerc").unlink()
    assert "[no-command]" in footfall("run").stderr


@pytest.mark.parametrize("report", ["report", "json", "xml", "lcov", "html", "annotate"])
def test_reports_combine_what_parallel_runs_left(footfall: Footfall, program: pathlib.Path, report: str) -> None:
    """Files of parallel mode are joined into the data file first and removed, or kept; others with such a name stay."""
    folder = program.parent
    (folder / ".coverage.old").write_bytes(b"mine")
    footfall("run", "--no-profile", "-p", "program.py")
    footfall("run", "--no-profile", "-p", "program.py", env={"MORE": "1"})
    parts = set(folder.glob(".coverage.*.pid*"))
    assert len(parts) == 2 and not (folder / ".coverage").exists()
    done = footfall(report, "--keep-combined")
    assert done.returncode == 0, done.stderr
    assert "Combined 2 files into .coverage" in done.stderr and set(folder.glob(".coverage.*.pid*")) == parts
    done = footfall(report, *(["-q"] if report != "report" else []))
    assert done.returncode == 0 and not list(folder.glob(".coverage.*.pid*"))
    assert done.stderr == "" or report == "report"
    assert "Combined" not in footfall(report).stderr
    assert footfall("report", "--format=total").stdout == "100\n"
    assert (folder / ".coverage.old").read_bytes() == b"mine"


def test_nothing_to_cover_reaches_a_threshold_of_the_table_alone(footfall: Footfall, program: pathlib.Path) -> None:
    """As with coverage.py, whose other reports have 0 % then."""
    program.write_text("", encoding="utf-8")
    footfall("run", "--no-profile", "program.py")
    statuses = [footfall(name, "--fail-under=50").returncode for name in ("report", "html", "json", "xml", "lcov")]
    assert statuses == [0, 2, 2, 2, 2]


def test_a_threshold_of_the_settings_is_not_for_annotated_sources(footfall: Footfall, program: pathlib.Path) -> None:
    """They have no percentages, and coverage.py's `annotate` succeeds then too; one on the command line is meant."""
    program.write_text("a = 1\nif not a:\n    a = 2\n", encoding="utf-8")
    (program.parent / ".coveragerc").write_text("[report]\nfail_under = 99\n", encoding="utf-8")
    footfall("run", "--no-profile", "program.py")
    assert footfall("annotate").returncode == 0
    assert [footfall(*command).returncode for command in (["annotate", "--fail-under=99"], ["report"])] == [2, 2]


def test_a_damaged_part_is_named_and_left(footfall: Footfall, program: pathlib.Path) -> None:
    """The report is of the rest."""
    footfall("run", "--no-profile", "program.py")
    bad = program.parent / ".coverage.host.pid1.Xabcdefx"
    bad.write_bytes(b"SQLite format 3\0" + b"\xff" * 100)
    done = footfall("report")
    assert done.returncode == 0 and bad.name in done.stderr and "program.py" in done.stdout
    assert bad.exists()


def test_options_are_known_by_their_beginnings(footfall: Footfall, program: pathlib.Path) -> None:
    """As coverage.py's parser has it; a beginning of several is refused, and what the program is given stays as it is."""
    program.write_text("import sys\nprint(sys.argv[1:])\nif len(sys.argv) > 9:\n    print()\n", encoding="utf-8")
    done = footfall("run", "--no-profile", "--parallel", "--cont", "--parallel", "program.py", "--parallel", "--fail")
    assert (done.returncode, done.stdout) == (0, "['--parallel', '--fail']\n"), done.stderr
    assert footfall("combine", "--qu").stderr == ""
    done = footfall("report", "--show-m", "--fail=10", "--sort", "--skip")
    assert done.returncode == 2 and "[bad-sort]" in done.stderr, "the word behind --sort is its value"
    done = footfall("report", "--fail=100", "--form", "total")
    assert done.returncode == 2 and done.stdout.startswith("67\n"), done.stderr
    done = footfall("report", "--skip")
    assert done.returncode == 2 and "Option --skip may be --skip-covered or --skip-empty." in done.stderr
    assert footfall("report", "--tre").returncode == 2, "footfall's own are written whole"


def test_options_and_settings_of_coverage_are_all_accepted() -> None:
    """Each option of each of its commands, long (as listed for their beginnings) and short; each key of its files."""
    cmdline, config = (pytest.importorskip(f"coverage.{name}") for name in ("cmdline", "config"))
    context = click.Context(group)
    for name, parser in cmdline.COMMANDS.items():
        if name == "help":  # see above
            continue
        command = group.get_command(context, name)
        assert command is not None, name
        ours = {"-h", "--help"}.union(*(option.opts + option.secondary_opts for option in command.params))
        theirs = frozenset(word for option in parser.option_list for word in option._long_opts)
        assert COVERAGE_OPTIONS[name] == theirs
        assert ours >= theirs.union(*(option._short_opts for option in parser.option_list)), name
    keys = {tuple(each[1].split(":")) for each in config.CoverageConfig.CONFIG_FILE_OPTIONS}
    assert keys <= KNOWN.keys() | WITHOUT_EFFECT.keys()
