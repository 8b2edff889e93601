"""Styled text and the progress bar on stderr, and Ctrl-C before anything is shown."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from footfall.session import terminal

pytestmark = pytest.mark.any_python


class _Screen(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def _open_screen(monkeypatch: pytest.MonkeyPatch) -> _Screen:
    """Make stderr a terminal that has colours, for a bar that does not wait. In a test's body: pytest sets it before."""
    shown = _Screen()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(terminal, "_QUIET_SECONDS", 0.0)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return shown


LINES = [[("Total ", "bold"), ("93%", "good")], [], [("[red]not markup[/red] a.py:3", "dim")]]
PLAIN = "Total 93%\n\n[red]not markup[/red] a.py:3\n"


def test_styles_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets colours, NO_COLOR and a dumb terminal plain text; markup in names is text."""
    screen = _open_screen(monkeypatch)
    terminal.print_lines(LINES)
    assert "\x1b[1;32m93%" in screen.getvalue()
    assert "[red]not markup[/red]" in screen.getvalue()
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        screen.truncate(0)
        screen.seek(0)
        monkeypatch.setenv(name, value)
        terminal.print_lines(LINES)
        assert screen.getvalue() == PLAIN


def test_text_is_plain_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe or file gets no escape sequences."""
    terminal.print_lines(LINES)
    assert capsys.readouterr().err == PLAIN


def test_long_work_has_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the bar appears with its title, and is taken away at the end."""
    screen = _open_screen(monkeypatch)
    with terminal.progress_bar("Working", is_quiet=False) as update:
        assert update is not None
        for done in range(5):
            update(done, 5)
    assert "Working" in screen.getvalue()


def test_no_bar_when_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """--quiet wants none."""
    _open_screen(monkeypatch)
    with terminal.progress_bar("Working", is_quiet=True) as update:
        assert update is None


def test_no_bar_off_a_terminal() -> None:
    """Nor does a log file."""
    with terminal.progress_bar("Working", is_quiet=False) as update:
        assert update is None


@pytest.mark.parametrize("start", ["launcher", "module"])
def test_ctrl_c_while_the_command_is_loaded(tmp_path: Path, start: str) -> None:
    """It ends the command as the signal does, without a traceback."""
    (tmp_path / "click.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    command = (
        [str(Path(sys.executable).with_name("footfall"))] if start == "launcher" else [sys.executable, "-m", "footfall"]
    )
    done = subprocess.run(
        [*command, "report"], env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, cwd=tmp_path
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")
