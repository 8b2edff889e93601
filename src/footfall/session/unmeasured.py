"""Why a command's process left no record: asks its interpreter once the command has ended, and names the next step."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from pathlib import Path

from footfall.errors import FootfallError
from footfall.model import RUN_VARIABLE
from footfall.pythons import KNOWN_VERSIONS
from footfall.record.machine import free_bytes
from footfall.session.running.supervise import Ended
from footfall.session.target import Interpreter, find_interpreter, inspect_interpreter

__all__ = ["why_nothing", "why_only_others"]

_RECORD_BYTES = 1 << 20
"""The free space that a record needs. A process takes half of it from the start."""


def why_nothing(program: list[str], ended: Ended, directory: Path) -> FootfallError:
    """Return why no process of a command left a record in the run directory, as far as can be determined."""
    what = f"Nothing was recorded of {_shown(program)}:"
    number = _ending_signal(ended)
    if number is not None:
        return FootfallError(
            "nothing-recorded",
            f"{what} {signal.Signals(number).name} ended it before its Python had begun to run the program.",
            "Run it again.",
        )
    path = find_interpreter(program)
    if path is None:
        return FootfallError(
            "nothing-recorded",
            f"{what} it ran no Python, or a Python without footfall.",
            "Install footfall in the environment whose Python it runs: PYTHON -m pip install footfall.",
        )
    return _why_not(path, what, directory)


def why_only_others(program: list[str], ended: Ended, directory: Path) -> FootfallError | None:
    """Return why a command that is itself Python left no record while its children did; None if it is not Python."""
    path = find_interpreter(program)
    if path is None or _ending_signal(ended) is not None:
        return None
    why = _why_not(path, f"{_shown(program)} was not measured itself, only processes that it started:", directory)
    return FootfallError("main-unmeasured", why.message, why.help)


def _shown(program: list[str]) -> str:
    """Name a command as the user gave it: a script or a module without the Python that we put before it."""
    if program[0] != sys.executable or len(program) < 2:
        return program[0]
    if program[1] == "-m":
        return " ".join(program[1:3])
    return program[0] if program[1].startswith("-") else program[1]


def _ending_signal(ended: Ended) -> int | None:
    if ended.status < 0:
        return -ended.status
    return signal.SIGINT if ended.status != 0 and signal.SIGINT in ended.signals else None


def _why_not(path: str, what: str, directory: Path) -> FootfallError:
    found = inspect_interpreter(path, {key: value for key, value in os.environ.items() if key != RUN_VARIABLE})
    if not found.is_supported and found.version is not None:
        version = ".".join(map(str, found.version)) + ("" if found.has_gil else ", free-threaded")
        return FootfallError(
            "python-unsupported",
            f"{what} {path} is Python {version}, and footfall measures {KNOWN_VERSIONS}, without the GIL only 3.13.",
            "Run it with one of these.",
        )
    if not found.has_footfall:
        return FootfallError(
            "no-footfall-there",
            f"{what} {path} has no footfall, and was kept from finding this one (by -I, -E, -S or env -i).",
            f"Leave these out, or install it: {_install_command(found)}.",
        )
    if not found.has_start_hook:
        return FootfallError(
            "no-start-hook",
            f"{what} {path} finds footfall, but its start hook footfall.pth is in none of its site directories.",
            f"Install it as a package, neither editable nor with --target: {_install_command(found)}.",
        )
    if free_bytes(directory) < _RECORD_BYTES:
        return FootfallError(
            "nothing-recorded",
            f"{what} there is no room for a record in {directory}.",
            "Free space there and run again.",
        )
    return FootfallError(
        "nothing-recorded",
        f"{what} {path} has footfall, but its start hook did not run.",
        "`python -S` skips site-packages, and an emptied environment (env -i) hides the run from it. Leave these out.",
    )


def _install_command(found: Interpreter) -> str:
    path = shlex.quote(found.path)
    # environments made by uv have no pip
    return f"{path} -m pip install footfall" if found.has_pip else f"uv pip install --python {path} footfall"
