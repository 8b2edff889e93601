"""Names of data files to be combined, coverage.py's `.coverage.HOST.pidN.XRANDOMx`: making and finding them.

Called by `run --parallel-mode`, `combine`, `erase`, `debug`, and by code that finds no data file.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from pathlib import Path
from typing import Final

__all__ = ["SIDE_FILE_ENDING", "base_of_parallel_name", "find_parallel_files", "make_parallel_name"]

SIDE_FILE_ENDING: Final = ".footfall-new"
"""The suffix of a data file's name while the file is being written."""

_NO_DATA_ENDINGS: Final = (SIDE_FILE_ENDING, ".footfall-try", "-journal", "-wal", "-shm")
_N_RANDOM: Final = 6


def make_parallel_name(data_file: str) -> str:
    """Return a name that no other process on any machine makes, as coverage.py's `filename_suffix` does."""
    import random  # only for runs in parallel mode
    import string

    from footfall.record.machine import host_name

    host = host_name().replace(".", "_").replace("/", "_")
    rolls = "".join(random.Random(os.urandom(8)).choices(string.ascii_letters + string.digits, k=_N_RANDOM))
    return f"{data_file}.{host}.pid{os.getpid()}.X{rolls}x"


def base_of_parallel_name(path: str) -> str:
    """Return the data file's name from which `make_parallel_name` made a name; "" if it did not make it.

    coverage.py adds a hash of the content to its names.
    """
    found = re.fullmatch(rf"(.*)\.[^.]+\.pid\d+\.X\w{{{_N_RANDOM}}}x(?:\.H\w+h)?", path)
    return found[1] if found else ""


def find_parallel_files(data_file: str | Path, directory: str | Path | None = None) -> list[str]:
    """Return the files named like `data_file` plus a dot and more, in its directory or another, sorted.

    Paths are absolute; files that SQLite or a run leaves beside data files are not included.
    """
    folder, name = os.path.split(os.path.abspath(data_file))
    pattern = os.path.join(os.path.abspath(directory) if directory is not None else folder, name)
    found = glob.glob(glob.escape(pattern) + ".*")
    return sorted(path for path in found if not path.endswith(_NO_DATA_ENDINGS) and _is_file(path))


def _is_file(path: str) -> bool:
    """Return whether a path is a regular file: a pipe or a device would block or never end."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False
