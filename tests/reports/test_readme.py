"""The README keeps its word: its links lead somewhere, its commands and options exist, CI runs its test command."""

import re
import shlex
import subprocess

import pytest

from conftest import COMMAND, REPOSITORY

pytestmark = pytest.mark.any_python

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(?:console|sh)\n(.*?)^```", README, re.M | re.S)
LINKS = sorted(set(re.findall(r"\]\((?!https?:|#)([^)\s]+)\)", README)))
COMMANDS = sorted(set(re.findall(r"\bfootfall ([a-z]+)\b", "\n".join(BLOCKS + re.findall(r"`([^`\n]+)`", README)))))


def _help(*arguments: str) -> str:
    return subprocess.run([COMMAND, *arguments, "--help"], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("link", LINKS)
def test_links_lead_to_files(link):
    """Each relative link names a file or folder of the repository."""
    assert (REPOSITORY / link.partition("#")[0]).exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_exist(command):
    """Each `footfall COMMAND` that the README names has a help page."""
    assert "Usage" in _help(command) or "usage" in _help(command)


def test_options_of_run_exist():
    """Each option in the README's table is in `footfall run --help`."""
    table = README.partition("## Options of `footfall run`")[2].partition("\n## ")[0]
    options = re.findall(r"(?<=`)--[a-z-]+", table)
    text = _help("run")
    assert options and [option for option in options if option not in text] == []


def test_scripts_named_exist():
    """Each script that a command line of the README runs is in the repository."""
    scripts = re.findall(r"\bpython (\S+\.py)", README)
    assert scripts and all((REPOSITORY / script).exists() for script in scripts)


def test_ci_runs_the_test_command():
    """`.ci/run` installs the same extra and runs the same command as the README's second line."""
    ci = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    [line] = [line for block in BLOCKS for line in block.splitlines() if ".[test]" in line]
    install, _, test = line.partition("&&")
    assert shlex.split(install)[-1] == ".[test]" and "'.[test]'" in ci
    assert test.split()[0] == ".venv/bin/python"
    assert f'bin/python" {" ".join(test.split()[1:])}' in ci


def test_the_newcomers_commands_are_two_lines():
    """Install and see it work is one line; install the tests' needs and pass them is another."""
    newcomer = README.partition("## Try it")[2].partition("\n## ")[0]
    assert len(re.findall(r"^```sh\n[^\n]+\n```$", newcomer, re.M)) == 2
