"""Programs that time their own hot part, for scripts that run them under other tools."""

import os
import pathlib
import subprocess

__all__ = ["hot_seconds"]


def hot_seconds(command: list[str], core: str, directory: str | pathlib.Path) -> float:
    """Run a program, without the settings of this process; return the seconds that it writes last to stderr.

    `core` is coverage.py's, "" for its default. Raises SystemExit if the program writes none.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE", "FOOTFALL"))}
    if core:
        env["COVERAGE_CORE"] = core
    done = subprocess.run(command, cwd=directory, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        return float(done.stderr.splitlines()[-1])
    except (IndexError, ValueError):
        raise SystemExit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stderr}") from None
