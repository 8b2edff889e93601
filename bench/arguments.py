"""Types of arguments that name something on disk, for scripts that run commands in other directories."""

import argparse
import os
import pathlib
import shutil

__all__ = ["absolute_path", "interpreter_path"]


def interpreter_path(name: str) -> str:
    """Return the absolute path of an interpreter, given as a path or as a command that PATH finds.

    Links are kept: one in a virtual environment is that environment. Raises ArgumentTypeError where there is none.
    """
    found = shutil.which(name)
    if found is None:
        raise argparse.ArgumentTypeError(f"there is no interpreter {name!r}")
    return os.path.abspath(found)


def absolute_path(name: str) -> pathlib.Path:
    """Return the path as it is seen from here, whether or not there is something yet."""
    return pathlib.Path(os.path.abspath(name))
