"""A command whose Python has no footfall: this one's measuring code is put on that Python's path, for the run.

Nothing is installed there. `footfall.observe.on_path` says what happens in the measured process.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import footfall
from footfall.model import RUN_VARIABLE
from footfall.pythons import version_name
from footfall.session.target import find_command, find_interpreter, inspect_interpreter

__all__ = ["PATH_VARIABLE", "hook_path", "is_in_another", "which_tier"]

PATH_VARIABLE: Final = "PYTHONPATH"
_PACKAGE: Final = Path(footfall.__file__).parent


def is_in_another(program: list[str]) -> bool:
    """Return whether a command runs the Python of an environment other than ours, as far as its name tells.

    Of a command that is not Python itself (make, uv, a shell), it is the Python that such a command would find first.
    """
    path = find_interpreter(program) or find_command("python3") or find_command("python")
    return path is not None and _folder(path) != _folder(sys.executable)


def _folder(path: str) -> str:
    return os.path.dirname(os.path.abspath(path))


def hook_path(path: str | None) -> str:
    """Return a PYTHONPATH with our start hook, given the present one."""
    return os.pathsep.join([str(_PACKAGE / "observe" / "on_path"), *([path] if path else [])])


def which_tier(program: list[str]) -> str | None:
    """Say in a sentence what measures in a command's Python if it has no footfall; None if it has, or is not known."""
    path = find_interpreter(program)
    if path is None:
        return None
    found = inspect_interpreter(path, {key: value for key, value in os.environ.items() if key != RUN_VARIABLE})
    if found.version is None or found.has_start_hook:
        return None
    has_core = (_PACKAGE / f"_core{found.extension_suffix}").exists()
    tier = "its C core" if has_core else f"Python alone: it has no C core for {found.extension_suffix}"
    name = f"{path} (Python {version_name(found.version)})"
    return f"{name} has no footfall, so that of {sys.executable} measures in it for this run, by {tier}."
