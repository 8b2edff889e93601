"""`footfall shim`: make a directory in which `coverage`, as a command and as a module, runs footfall."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Final

import click

from footfall.errors import FootfallError
from footfall.session.output import show

__all__ = ["command"]

_EXAMPLES = """\b
Examples:
  eval "$(footfall shim ~/.footfall-shim)"                   in this shell
  footfall shim .shim > .shim.env                            for `source .shim.env`
"""

# footfall-coverage is looked up on PATH at each call, so that it is the one of the current environment
_COMMAND: Final = '#!/bin/sh\nexec footfall-coverage "$@"\n'

_PACKAGE: Final = '''\
"""coverage.py's names on footfall's engines. Written by `footfall shim`."""

import sys

import footfall.compat
import footfall.compat.coverage_api
import footfall.compat.data
import footfall.compat.exceptions
from footfall.compat import *  # noqa: F403

for _name, _module in {
    "control": footfall.compat.coverage_api,
    "data": footfall.compat.data,
    "exceptions": footfall.compat.exceptions,
    "sqldata": footfall.compat.data,
}.items():
    globals()[_name] = sys.modules[f"{__name__}.{_name}"] = _module


def __getattr__(name):
    return getattr(footfall.compat, name)
'''

_MAIN: Final = '''\
"""`python -m coverage` is footfall-coverage. Written by `footfall shim`."""

from footfall.__main__ import as_coverage

if __name__ == "__main__":
    as_coverage()
'''

# in an environment with coverage.py, the scripts that it installs may come first on PATH; they call `main`
_CMDLINE: Final = '''\
"""What the command `coverage` of coverage.py calls is footfall-coverage. Written by `footfall shim`."""


def main(argv=None):
    """Run a command line, the process's without one, and return the exit status."""
    from footfall.__main__ import main as run

    try:
        run(True, argv)
    except SystemExit as done:
        return done.code
'''

_FILES: Final = {
    "bin/coverage": _COMMAND,
    "bin/coverage3": _COMMAND,
    "lib/coverage/__init__.py": _PACKAGE,
    "lib/coverage/__main__.py": _MAIN,
    "lib/coverage/cmdline.py": _CMDLINE,
}


@click.command("shim", epilog=_EXAMPLES)
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def command(directory: Path) -> int:
    """Make DIRECTORY, with a `coverage` command and a `coverage` module that run footfall.

    Prints the shell commands that put it before everything else on PATH and PYTHONPATH, for scripts that use
    `coverage`, `python -m coverage` or `import coverage`. footfall must be installed where Python code runs;
    coverage.py need not be. If plugins of coverage.py are used, leave PYTHONPATH as it is.
    """
    for name, text in _FILES.items():
        _write(directory / name, text, is_executable=name.startswith("bin/"))
    root = os.path.abspath(directory)
    show(f'export PATH={shlex.quote(f"{root}/bin")}:"$PATH"')
    show(f"export PYTHONPATH={shlex.quote(f'{root}/lib')}${{PYTHONPATH:+:$PYTHONPATH}}")
    return 0


def _write(path: Path, text: str, *, is_executable: bool) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.read_text(encoding="utf-8", errors="replace") != text:
            raise FootfallError(
                "output-unwritable",
                f"{path} is there already, and is not what would be written.",
                "Choose another directory, or remove the file.",
            )
        path.write_text(text, encoding="utf-8")
        if is_executable:
            path.chmod(0o755)
    except OSError as error:
        raise FootfallError(
            "output-unwritable", f"Can't write {path}: {error.strerror}.", "Choose another directory."
        ) from error
