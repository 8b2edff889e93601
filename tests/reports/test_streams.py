"""Standard streams that are closed, full, left by their reader, or of an encoding without the letters of a name."""

import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from conftest import COMMAND

PROGRAM = "def größe():\n    return sum(range(200_000))\n\nfor _ in range(30):\n    größe()\nraise SystemExit(7)\n"

Shell = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def shell(tmp_path: pathlib.Path) -> Shell:
    """Run a line of shell where `footfall` is the command and `program` its measured Python program, `zahl_ä.py`."""
    (tmp_path / "zahl_ä.py").write_text(PROGRAM, encoding="utf-8")
    functions = f'footfall() {{ "{COMMAND}" "$@"; }}; run() {{ footfall run "$@" "{sys.executable}" zahl_ä.py; }}; '
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}

    def call(line: str, **more: str) -> subprocess.CompletedProcess[bytes]:
        command = ["bash", "-c", "set -o pipefail; " + functions + line]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, env=environment | more, timeout=60)

    assert call("run -q").returncode == 7
    return call


@pytest.mark.any_python
def test_an_unwritable_stdout_is_an_error(shell: Shell) -> None:
    """Said with a slug where there still is a stderr, and nothing is added as the interpreter ends."""
    for command in ("report", "report --by function", "json -o -", "export -f pprof -o -", "debug data"):
        for redirection, reason in ((">/dev/full", "No space left on device"), (">&-", "it is closed")):
            done = shell(f"footfall {command} {redirection}")
            reported = done.stderr.decode().splitlines()
            assert done.returncode == 3, command
            assert len(reported) == 1, reported
            assert f"standard output: {reason}" in reported[0]
            assert reported[0].endswith("[stdout-unwritable]")
    assert shell("footfall --help >/dev/full").stderr.endswith(b"[stdout-unwritable]\n")
    assert shell("footfall report >&- 2>&- <&-").returncode == 3


@pytest.mark.any_python
def test_a_reader_that_leaves_needs_no_message(shell: Shell) -> None:
    """As at the end of `footfall report | head -1`."""
    done = shell("footfall debug sys | true")
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.any_python
def test_messages_that_cannot_be_written_change_nothing(shell: Shell, tmp_path: pathlib.Path) -> None:
    """`run` ends with its command's status and the data is there; a report is printed all the same."""
    for redirection in ("2>/dev/full", "2>&-", ">&- 2>&- <&-", "2>&1 | true"):
        (tmp_path / ".coverage").unlink()
        assert shell(f"run {redirection}").returncode == 7, redirection
        assert re.search(rb"^TOTAL ", shell("footfall report 2>/dev/full").stdout, re.MULTILINE), redirection
    assert shell("footfall report --sort=nothing 2>/dev/full").returncode == 2


def test_closed_streams_stay_closed_for_the_program(shell: Shell, tmp_path: pathlib.Path) -> None:
    """No file of ours takes their numbers, in which a program may write."""
    (tmp_path / "zahl_ä.py").write_text(
        "import os\nfound = []\nfor number in range(3):\n"
        "    try:\n        os.write(number, b'text')\n    except OSError as error:\n        found.append(error.errno)\n"
        "open('found', 'w').write(repr(found))\n"
    )
    assert shell("run >&- 2>&- <&-").returncode == 0
    assert (tmp_path / "found").read_text() == "[9, 9, 9]"
    assert re.search(rb"^TOTAL +8 +0 ", shell("footfall report").stdout, re.MULTILINE)


NARROW = {
    "ASCII": {"PYTHONIOENCODING": "ascii"},
    "the locale C without UTF-8": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "an encoding of other letters": {"PYTHONIOENCODING": "iso8859-5"},
}


@pytest.mark.any_python
@pytest.mark.parametrize("narrow", NARROW.values(), ids=NARROW.keys())
def test_a_narrow_encoding_shows_escapes(shell: Shell, narrow: dict[str, str]) -> None:
    """In reports, lists and errors; files of a fixed encoding are UTF-8 on stdout too."""
    for command in ("report", "report --by function", "gaps", "report --format markdown", "debug data"):
        done = shell(f"footfall {command}", **narrow)
        assert (done.returncode, done.stderr) == (0, b""), command
        assert done.stdout.isascii() or sys.implementation.name == "pypy", command  # whose locale C is UTF-8
    assert b"[no-data]" in shell("footfall report --data-file=nö", **narrow).stderr
    assert b"Usage" in shell("footfall rüport", **narrow).stderr
    for command in ("lcov -o -", "xml -o -"):
        done = shell(f"footfall {command}", **narrow)
        assert done.stderr == b""
        assert "zahl_ä.py".encode() in done.stdout, command


@pytest.mark.any_python
def test_times_are_the_same_in_every_encoding(shell: Shell) -> None:
    """A file's time is found by its name also where Python reads that in another way."""

    def columns(**environment: str) -> list[bytes]:
        return shell("footfall report", **environment).stdout.splitlines()[2].split()[1:]

    assert columns()[-1] != b"0.0%" or sys.implementation.name == "pypy"  # as above
    for narrow in NARROW.values():
        assert columns(**narrow) == columns()


@pytest.mark.any_python
def test_a_summary_in_a_narrow_encoding(shell: Shell) -> None:
    """The end of a run, on stderr."""
    done = shell("run", PYTHONIOENCODING="ascii")
    assert done.returncode == 7
    assert done.stderr.isascii()
    assert b"zahl_\\xe4.py" in done.stderr or sys.implementation.name == "pypy"  # whose samples are few and elsewhere
