"""Git repositories for tests, and footfall's commands called in this process."""

from __future__ import annotations

import subprocess

import pytest

from footfall.cli.main import main

_IDENTITY = ("-c", "user.name=A", "-c", "user.email=a@b", "-c", "core.quotepath=true", "-c", "init.defaultBranch=main")


def git(*arguments: str) -> str:
    """Run git here, independent of the user's settings; return what it prints."""
    done = subprocess.run(["git", *_IDENTITY, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def footfall(*arguments: str) -> int:
    """Run a command; return its exit status."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return int(caught.value.code or 0)
