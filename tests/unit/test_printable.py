"""Names of files, functions, threads, tests may hold anything: they break no message or table, and control no terminal."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import COMMAND
from footfall.errors import FootfallError
from footfall.printable import printable, printable_lines

pytestmark = pytest.mark.any_python

BAD = "a\nfootfall: forged [slug]\x1b[31m\u202e\x9b\x07b"
PROGRAM = """
import threading, time
def work():
    end = time.process_time() + 0.15
    while time.process_time() < end: pass
def other():
    if not work: return 1
name = %r
work.__code__ = work.__code__.replace(co_name=name, co_qualname=name)
thread = threading.Thread(target=work, name=name)
thread.start(); thread.join()
import footfall
with footfall.context("test_x.py::" + name + "|run"): other(); work()
"""
CONTROLS = {chr(code) for code in (*range(32), *range(127, 160))} | {"\u202e", "\u2028"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 中", "plain é 中"),
        ("a\nb", "a\\nb"),
        ("\x1b[2J\x7f\x9b", "\\x1b[2J\\x7f\\x9b"),
        ("\udcff\u202e\u2028", "\\udcff\\u202e\\u2028"),
    ],
)
def test_what_cannot_be_seen_is_escaped(text: str, shown: str) -> None:
    """Ends of lines too, but where there are several."""
    assert printable(text) == shown
    assert printable_lines("x\n" + text.replace("\n", "") + "\n") == "x\n" + shown.replace("\\n", "") + "\n"


def test_an_error_is_one_line() -> None:
    """Whoever prints it."""
    assert str(FootfallError("slug", f"Can't read {BAD}.", "Look.")).isprintable()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a data file full of bad names."""
    work = tmp_path_factory.mktemp("bad")
    (work / f"{BAD}.py").write_text(PROGRAM % BAD)
    done = subprocess.run(
        [COMMAND, "run", sys.executable, f"{BAD}.py"], cwd=work, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and "work" not in done.stderr, done.stderr
    check_clean(done.stderr)
    return work


def check_clean(text: str) -> None:
    """Nothing in it controls a terminal, and no line was made by a name."""
    assert not CONTROLS & set(text.replace("\n", "")), ascii(text)
    assert not [line for line in text.splitlines() if line.startswith("footfall: forged")]


@pytest.mark.parametrize(
    "command",
    ["report -m", "report --format=markdown", "report --conditions", "report --by function", "report --by line", "report --by file",
     "report --by test", "report --by thread", "report --by function --format json", "gaps", "gaps --format=json", "tests",
     "tests --format=json", "flame -o flame.html", "html", "annotate -d copies", "lcov -o -", "xml -o -", "json -o -",
     "export --format=collapsed -o -", "debug data", "debug config", "report nothere.py", "report --sort=bad",
     "json -o json/x/out", "combine --keep"],
)  # fmt: skip
def test_no_command_shows_them_as_they_are(recorded: Path, command: str) -> None:
    """Neither in what it shows nor in its messages; the same on a terminal."""
    arguments = [COMMAND, *command.split()]
    if command == "combine --keep":
        arguments += [f"{BAD}.py"]
    if command == "report nothere.py":
        arguments[-1] = f"{BAD}.nothere"
    if command == "report --sort=bad":
        arguments[-1] += BAD
    done = subprocess.run(arguments, cwd=recorded, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    check_clean(done.stdout.replace("\t", ""))
    check_clean(done.stderr)


def test_a_terminal_is_not_controlled(recorded: Path) -> None:
    """Where names are styled, and where bytes of a file are shown."""
    for command in ("report -m", "report --by function", "tests -o -"):
        ours, its = pty.openpty()
        environment = {**os.environ, "NO_COLOR": "1", "TERM": "xterm"}
        process = subprocess.Popen([COMMAND, *command.split()], cwd=recorded, env=environment, stdout=its, stderr=its)
        os.close(its)
        found = b""
        while True:
            try:
                found += os.read(ours, 65536)
            except OSError:
                break
        os.close(ours)
        assert process.wait() == 0
        check_clean(found.decode().replace("\r\n", "\n"))


def test_messages_of_measured_processes_too(tmp_path: Path) -> None:
    """They stand on the program's own stderr."""
    work = tmp_path / BAD
    work.mkdir()
    (work / "main.py").write_text("import os; os._exit(0)\n")
    environment = {**os.environ, "FOOTFALL_RUN": str(work / "gone")}
    done = subprocess.run(
        [sys.executable, "main.py"], cwd=work, env=environment, capture_output=True, text=True, timeout=60
    )
    assert "[run-unreadable]" in done.stderr
    check_clean(done.stderr)
