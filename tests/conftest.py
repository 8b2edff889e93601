"""Fixtures that every area shares: a plain environment, and the command line as a user runs it."""

import os
import pathlib
import signal
import subprocess
import sysconfig
from collections.abc import Callable

import hypothesis
import pytest

from footfall.tier import PURE_VARIABLE

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
COMMAND = os.path.join(sysconfig.get_path("scripts"), "footfall")


# A shell starts background jobs with SIGINT ignored, and the programs that the tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# How long an example takes says nothing on a busy machine. Examples that failed are kept for the next run, except in a
# tree that can't be written, where hypothesis would warn.
hypothesis.settings.register_profile("footfall", deadline=None)
if not os.access(os.getcwd(), os.W_OK):
    hypothesis.settings.register_profile("footfall", deadline=None, database=None)
hypothesis.settings.load_profile("footfall")


TEST_TIMEOUT_S = 300  # no test takes a tenth of it on a busy machine


def pytest_configure(config: pytest.Config) -> None:
    """End a test that hangs, if pytest-timeout is installed; as a setting it would be an error without it."""
    if not config.pluginmanager.hasplugin("timeout"):
        return
    if config.getoption("timeout") is None and not config.getini("timeout"):  # `-o timeout=0` is a "0"
        config.option.timeout = TEST_TIMEOUT_S


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove variables that would affect a measured child: the tests may run under a coverage tool, or in parallel.

    That for the tier without the C core stays: what tests expect depends on it.
    """
    for name in list(os.environ):
        if name == PURE_VARIABLE:
            continue
        if name.startswith(("FOOTFALL_", "COVERAGE_", "PYTEST_XDIST_")) or name == "PYTHONDONTWRITEBYTECODE":
            monkeypatch.delenv(name)
            if name == "FOOTFALL_RUN":
                monkeypatch.setenv(name, "")  # a measured process passes on what is missing


@pytest.fixture
def footfall(tmp_path: pathlib.Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs `footfall ARGUMENTS...` in `tmp_path` (or `cwd`).

    It returns the completed process, whatever its status.
    """

    def run(*arguments: object, cwd: object = tmp_path, **options: object) -> subprocess.CompletedProcess[str]:
        if "input" not in options:
            options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("timeout", 60)
        command = [COMMAND, *map(str, arguments)]
        return subprocess.run(command, cwd=cwd, text=True, capture_output=True, **options)

    return run


@pytest.fixture
def answer(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return what a command that succeeds in this process writes to stdout."""
    from repository import footfall  # the commands: few tests have use for them

    def run(*arguments: str) -> str:
        status = footfall(*arguments)
        output = capsys.readouterr()
        assert status == 0, output.err
        return output.out

    return run
