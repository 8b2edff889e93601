"""What `footfall run` is to run: finds it before anything is started, and says what is wrong if it can't be run.

A Python script, `-m module` and a local file that only Python can run are run by footfall's own interpreter; anything
else runs as it is.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import warnings
from collections.abc import Sequence

from footfall.errors import UsageError
from footfall.pythons import is_in_range, is_known_build

__all__ = ["Interpreter", "command_line", "find_command", "find_interpreter", "inspect_interpreter"]

_PROBE = """
import importlib.machinery, importlib.util, os, site, sys
folders = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
has = [importlib.util.find_spec(name) is not None for name in ("footfall", "pip")]
hook = any(os.path.exists(os.path.join(folder, "footfall.pth")) for folder in folders)
has_gil = "free-threading" not in sys.version
print(*sys.version_info[:2], sys.implementation.name, *has, hook, has_gil, *importlib.machinery.EXTENSION_SUFFIXES[:1])
"""
_OLD_PROBE = "import sys; print('%d %d' % sys.version_info[:2])"
"""The same for Pythons that can't parse it, such as Python 2: only the version."""
_PROBE_SECONDS = 20
_MAX_LINE = 1000
_SCRIPT_SUFFIXES = (".py", ".pyw")


def command_line(arguments: Sequence[str], *, is_module: bool, called: str = "run") -> list[str]:
    """Return the program and its arguments to start. `called` is footfall's command, to name in messages.

    Raises UsageError: `no-command`, `no-such-module`, `no-such-script`, `no-such-command`, `not-executable`.
    """
    if not arguments:
        what = "module" if is_module else "command"
        example = "-m pytest" if is_module else "pytest -q"
        raise UsageError("no-command", f"No {what} to run.", f"For example: footfall {called} {example}.")
    first, *rest = arguments
    if is_module:
        _check_module(first, called)
        return [sys.executable, "-m", first, *rest]
    is_here = os.path.exists(first)
    is_named_python = first.endswith(_SCRIPT_SUFFIXES)
    if "/" not in first and not (is_here and is_named_python) and find_command(first) is not None:
        return [first, *rest]
    if not is_here and is_named_python:
        raise UsageError(
            "no-such-script",
            f"No file to run: {os.path.abspath(first)!r}.",
            "Check the name and the directory; -m runs a module by its dotted name.",
        )
    if not is_here:
        raise _no_such_command(first, called)
    if _is_for_python(first):
        return [sys.executable, first, *rest]
    return [_checked_file(first, called), *rest]


def _is_for_python(name: str) -> bool:
    """Return whether Python runs a file or directory that does not run by itself."""
    if os.path.isdir(name):
        return os.path.isfile(os.path.join(name, "__main__.py"))
    if name.endswith(_SCRIPT_SUFFIXES):
        return True
    if not os.path.isfile(name):
        return False  # reading a pipe could block forever
    try:
        with open(name, "rb") as file:
            head = file.read(4)
    except OSError:
        return False
    if os.access(name, os.X_OK) and head.startswith((b"#!", b"\x7fELF")):
        return False
    if head == importlib.util.MAGIC_NUMBER:
        return True
    import zipfile  # needed only here

    return zipfile.is_zipfile(name) or _why_no_script(name) is None


def _why_no_script(name: str) -> str | None:
    """Return why a file is not Python source, as the compiler says it; None if it is."""
    try:
        with open(name, "rb") as file:
            source = file.read()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        return f"{error.msg} on line {error.lineno}"
    except (OSError, ValueError, MemoryError, RecursionError) as error:  # bytes that are not text
        return str(error)
    return None


def _check_module(name: str, called: str) -> None:
    """Reject a module that `python -m` would not find. Looks up only its first part, so it imports nothing."""
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
            f"No module named {name!r} for {sys.executable}.",
            f"Install it there ({sys.executable} -m pip install ...), or run it by the Python that has it,"
            f" where footfall is installed too: footfall {called} PYTHON -m {name}.",
        )


def _checked_file(name: str, called: str) -> str:
    """Return how to call a file that runs by itself, which `_is_for_python` did not accept."""
    if os.path.isdir(name):
        raise UsageError(
            "not-executable",
            f"{name!r} is a directory without __main__.py.",
            "Name a program, or a directory that has that file.",
        )
    if os.access(name, os.X_OK):
        return name if "/" in name else f"./{name}"
    if not os.path.isfile(name):
        raise UsageError("not-executable", f"{name!r} is not a file.", "Name a program or a script.")
    shell = _interpreter_named_in(name)
    if shell:
        help = f"Make it executable (chmod +x {name}), or run it by its interpreter: footfall {called} {shell} {name}."
    else:
        help = f"Name a program, or the interpreter as well: footfall {called} INTERPRETER {name}."
    what = f"{name!r} can't be executed, and is no Python script ({_why_no_script(name)})."
    raise UsageError("not-executable", what, help)


def _interpreter_named_in(name: str) -> str:
    """Return the command that a script is for by its first line, or else by its name; "" if there is none."""
    try:
        with open(name, "rb") as file:
            line = os.fsdecode(file.readline(_MAX_LINE))
    except OSError:
        return ""
    if line.startswith("#!"):
        return line[2:].strip()
    return "sh" if name.endswith(".sh") else ""


def _no_such_command(name: str, called: str) -> UsageError:
    if "/" in name:
        return UsageError("no-such-command", f"No file {name!r}.", "Check the name and the directory.")
    if name == "-":
        help = f"Name the Python that is to read it: footfall {called} python -"
        return UsageError("no-such-command", "- stands for a program on Python's standard input.", help)
    try:
        is_module = importlib.util.find_spec(name.partition(".")[0]) is not None
    except (ImportError, ValueError):
        is_module = False
    if os.path.isfile(f"{name}.py"):
        hint = f"There is a script here: footfall {called} {name}.py."
    elif is_module:
        hint = f"There is a module of that name: footfall {called} -m {name}."
    else:
        hint = "Check its name and PATH."
    return UsageError("no-such-command", f"No command {name!r} on PATH.", hint)


class Interpreter:
    """The Python that a command runs under, as far as known. `version` is None if the interpreter did not tell it."""

    def __init__(
        self,
        path: str,
        version: tuple[int, int] | None,
        *,
        has_footfall: bool,
        has_pip: bool = True,
        has_start_hook: bool = True,
        has_gil: bool = True,
        extension_suffix: str = "",
    ) -> None:
        self.path = path
        self.version = version
        self.has_footfall = has_footfall
        self.has_pip = has_pip
        self.has_start_hook = has_start_hook
        self.has_gil = has_gil
        self.extension_suffix = extension_suffix

    @property
    def is_supported(self) -> bool:
        """Whether footfall measures it; an unknown version counts as yes."""
        return self.version is None or (is_in_range(self.version) and is_known_build(self.version, self.has_gil))


def find_command(name: str) -> str | None:
    """Return the file that a command starts, which may be on the path; None if there is none. As `shutil.which`, whose
    module loads four compressors."""
    folders = [""] if os.path.dirname(name) else os.get_exec_path()
    for path in (os.path.join(folder, name) for folder in folders):
        if os.path.exists(path) and not os.path.isdir(path) and os.access(path, os.X_OK):
            return path
    return None


def find_interpreter(arguments: Sequence[str]) -> str | None:
    """Return the Python interpreter that a command is or names on its first line; None if there is none."""
    path = find_command(arguments[0])
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
        # how pip writes a path that is too long for a first line, or has blanks
        words = [lines[1].removeprefix("'''exec' ").partition(' "$0"')[0].strip('" ')]
    elif words and os.path.basename(words[0]) == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    if not words or not _is_python(words[0]):
        return None
    return find_command(words[0])


def _is_python(path: str) -> bool:
    return os.path.basename(path).startswith(("python", "pypy"))


def inspect_interpreter(path: str, environment: dict[str, str]) -> Interpreter:
    """Ask an interpreter for its version and what is installed there."""
    try:
        major, minor, _name, *found, suffix = _answer(path, _PROBE, environment)[-8:]
        has_footfall, has_pip, has_start_hook, has_gil = (word == "True" for word in found)
        return Interpreter(
            path,
            (int(major), int(minor)),
            has_footfall=has_footfall,
            has_pip=has_pip,
            has_start_hook=has_start_hook,
            has_gil=has_gil,
            extension_suffix=suffix,
        )
    except subprocess.CalledProcessError:
        return Interpreter(path, _old_version(path, environment), has_footfall=False)
    except (OSError, ValueError, subprocess.SubprocessError):
        return Interpreter(path, None, has_footfall=False)


def _old_version(path: str, environment: dict[str, str]) -> tuple[int, int] | None:
    try:
        major, minor = _answer(path, _OLD_PROBE, environment)[-2:]
        return int(major), int(minor)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _answer(path: str, question: str, environment: dict[str, str]) -> list[str]:
    """Return the words that a program in an interpreter prints."""
    done = subprocess.run(
        [path, "-c", question],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_PROBE_SECONDS,
        check=True,
    )
    return done.stdout.split()
