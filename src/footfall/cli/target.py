"""What `footfall run` is asked to run: finds it before anything is started, and says what is wrong if it can't be.

A Python script and `-m module` run under the interpreter that footfall runs under; anything else runs as it is.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

from footfall.errors import UsageError

__all__ = ["Interpreter", "command_line", "find_interpreter", "inspect_interpreter"]

_SUPPORTED = ((3, 11), (3, 15))
_PROBE = """
import importlib.util, os, site, sys
folders = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
has = [importlib.util.find_spec(name) is not None for name in ("footfall", "pip")]
hook = any(os.path.exists(os.path.join(folder, "footfall.pth")) for folder in folders)
print(*sys.version_info[:2], sys.implementation.name, *has, hook)
"""
_PROBE_SECONDS = 20
_MAX_LINE = 1000


def command_line(arguments: Sequence[str], *, is_module: bool) -> list[str]:
    """Return the program and its arguments to start.

    Raises UsageError: `no-command`, `no-such-module`, `no-such-script`, `no-such-command`, `not-executable`.
    """
    if not arguments:
        what = "module" if is_module else "command"
        raise UsageError("no-command", f"No {what} to run.", "For example: footfall run pytest -q.")
    first, *rest = arguments
    if is_module:
        _check_module(first)
        return [sys.executable, "-m", first, *rest]
    if _is_python_program(first):
        return [sys.executable, first, *rest]
    if "/" in first:
        return [_checked_file(first), *rest]
    if shutil.which(first) is None:
        raise _no_such_command(first)
    return [first, *rest]


def _is_python_program(name: str) -> bool:
    """A .py file, or a directory or zip file to run that can't be executed by itself."""
    if name.endswith((".py", ".pyw")):
        if not os.path.isfile(name):
            raise UsageError(
                "no-such-script",
                f"No script {name!r} in {os.getcwd()}.",
                "Check the name and the directory; -m runs a module by its dotted name.",
            )
        return True
    if os.path.isdir(name):
        return os.path.isfile(os.path.join(name, "__main__.py"))
    if not os.path.isfile(name) or os.access(name, os.X_OK):
        return False
    import zipfile  # of use here only

    return zipfile.is_zipfile(name)


def _check_module(name: str) -> None:
    """Refuse a module that `python -m` would not find; only its first part is looked up, so nothing is imported."""
    top = name.partition(".")[0]
    sys.path.insert(0, os.getcwd())
    try:
        found = importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        found = top in sys.modules
    finally:
        del sys.path[0]
    if not found:
        raise UsageError(
            "no-such-module",
            f"No module {name!r} for {sys.executable}.",
            f"Install it there ({sys.executable} -m pip install ...), or run the command that another has.",
        )


def _checked_file(name: str) -> str:
    if not os.path.exists(name):
        raise UsageError("no-such-command", f"No file {name!r}.", "Check the name and the directory.")
    if os.path.isdir(name):
        raise UsageError("not-executable", f"{name!r} is a directory without __main__.py.", "Name a program.")
    if not os.access(name, os.X_OK):
        raise UsageError(
            "not-executable",
            f"{name!r} can't be executed.",
            f"Run it by its interpreter, as in: footfall run python {name}.",
        )
    return name


def _no_such_command(name: str) -> UsageError:
    if os.path.exists(name):
        return UsageError(
            "not-executable",
            f"{name!r} is a file here, not a command.",
            f"Say ./{name} if it can be executed, or: footfall run python {name}.",
        )
    try:
        is_module = importlib.util.find_spec(name.partition(".")[0]) is not None
    except (ImportError, ValueError):
        is_module = False
    hint = f"There is a module of that name: footfall run -m {name}." if is_module else "Check its name and PATH."
    return UsageError("no-such-command", f"No command {name!r} on PATH.", hint)


class Interpreter:
    """The Python that a command runs under, as far as it can be told. `version` is None when it would not say."""

    def __init__(
        self,
        path: str,
        version: tuple[int, int] | None,
        *,
        has_footfall: bool,
        has_pip: bool = True,
        has_start_hook: bool = True,
    ) -> None:
        self.path = path
        self.version = version
        self.has_footfall = has_footfall
        self.has_pip = has_pip
        self.has_start_hook = has_start_hook

    @property
    def is_supported(self) -> bool:
        """Whether footfall can be installed there; unknown counts as yes."""
        return self.version is None or _SUPPORTED[0] <= self.version <= _SUPPORTED[1]


def find_interpreter(arguments: Sequence[str]) -> str | None:
    """Return the Python interpreter that a command names, by itself or on its first line; None when it is none."""
    path = shutil.which(arguments[0])
    if path is None:
        return None
    if _is_python(path):
        return path
    try:
        with open(path, "rb") as file:
            lines = [os.fsdecode(file.readline(_MAX_LINE)) for _ in range(2)]
    except OSError:
        return None
    if not lines[0].startswith("#!"):
        return None
    words = lines[0][2:].split()
    if lines[1].startswith("'''exec' "):
        # how pip writes a path that is too long or has blanks for a first line
        words = [lines[1].removeprefix("'''exec' ").partition(' "$0"')[0].strip('" ')]
    elif words and os.path.basename(words[0]) == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    if not words or not _is_python(words[0]):
        return None
    return shutil.which(words[0])


def _is_python(path: str) -> bool:
    return os.path.basename(path).startswith(("python", "pypy"))


def inspect_interpreter(path: str, environment: dict[str, str]) -> Interpreter:
    """Ask an interpreter for its version and what is installed there."""
    try:
        done = subprocess.run(
            [path, "-c", _PROBE],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=True,
        )
        major, minor, _name, *found = done.stdout.split()[-6:]
        has_footfall, has_pip, has_start_hook = (word == "True" for word in found)
        return Interpreter(
            path,
            (int(major), int(minor)),
            has_footfall=has_footfall,
            has_pip=has_pip,
            has_start_hook=has_start_hook,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return Interpreter(path, None, has_footfall=False)
